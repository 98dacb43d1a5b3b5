/* SPDX-License-Identifier: Apache-2.0
 *
 * Store, rule and mail for the tests of the engine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "fixture.h"
#include "learn/engine_private.h"

void must(enum nd_status status, const struct nd_error *error)
{
    if (status != ND_OK) {
        fail_msg("%s: %s", nd_status_text(status), error->text);
    }
}

static int64_t moved_clock(void *context)
{
    const struct fixture *fixture = context;
    return nd_clock_wall_ms() + fixture->clock_change_ms;
}

int fixture_set_up(void **state)
{
    struct fixture *fixture = nd_calloc(1, sizeof *fixture);
    struct nd_error error = {""};
    nd_log_set_level(ND_LOG_ERROR); /* failures are made on purpose */
    must(nd_hash_init(&error), &error);
    (void)snprintf(fixture->folder, sizeof fixture->folder,
                   "/tmp/neurald-learn-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    (void)snprintf(fixture->url, sizeof fixture->url, "sqlite:%s/store.db",
                   fixture->folder);
    nd_rule_init(&fixture->rule);
    fixture->rule.families =
        ND_GROUP_SYMBOLS | ND_GROUP_METATOKENS | 1U << ND_FAMILY_WORDS;
    fixture->rule.seed = 11;
    fixture->rule.seeds = 1;
    fixture->rule.train_nice = 0;
    fixture->rule.lease_ms = 20000;
    fixture->arena = nd_arena_create(0);
    fixture->backend = (struct nd_sqlite_options){.clock_ms = moved_clock,
                                                  .clock_context = fixture};
    fixture->store = open_store(fixture);
    *state = fixture;
    return 0;
}

int fixture_tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    nd_engine_destroy(&fixture->engine);
    nd_store_close(&fixture->store);
    nd_rule_free(&fixture->rule);
    nd_arena_destroy(&fixture->arena);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", fixture->folder);
    int result = system(command);
    free(fixture);
    return result;
}

struct nd_store *open_store(struct fixture *fixture)
{
    struct nd_store *store;
    struct nd_error error = {""};
    struct nd_store_options options = {.create = true, .random_seed = 5};
    if (strncmp(fixture->url, "sqlite:", 7) == 0) {
        options.backend = &fixture->backend; /* another has other settings */
    }
    must(nd_store_open(fixture->url, &options, &error, &store), &error);
    return store;
}

struct nd_engine *make_engine(struct fixture *fixture)
{
    struct nd_error error = {""};
    nd_engine_destroy(&fixture->engine);
    must(nd_engine_create(fixture->store, &fixture->rule, NULL, &error,
                          &fixture->engine),
         &error);
    return fixture->engine;
}

static void append_words(struct nd_random *random, enum nd_class kind,
                         double clear, struct nd_buffer *text)
{
    static const char *const words[2][12] = {
        {"meeting", "patch", "thanks", "tomorrow", "kernel", "draft", "lunch",
         "agenda", "compile", "review", "minutes", "release"},
        {"winner", "pills", "casino", "million", "click", "offer", "urgent",
         "lottery", "cheap", "miracle", "unsubscribe", "guarantee"}};
    for (int i = 0; i < 40; i++) {
        bool other = nd_random_unit(random) >= clear;
        size_t from = other ? (size_t)nd_random_below(random, 2) : kind;
        nd_buffer_printf(text, "%s%c", words[from][nd_random_below(random, 12)],
                         i % 8 == 7 ? '\n' : ' ');
    }
}

const struct nd_message *make_message(struct nd_arena *arena,
                                      enum nd_class kind, uint32_t number,
                                      double clear)
{
    struct nd_buffer text = {0};
    struct nd_random random;
    struct nd_mail_limits limits;
    struct nd_error error = {""};
    nd_random_seed(&random, ((uint64_t)kind << 32) + number);
    nd_buffer_printf(&text,
                     "Received: from a.example by b.example; "
                     "Sun, 22 Nov 2026 12:%02u:%02u +0000\r\n"
                     "From: someone%u@example.org\r\n"
                     "Message-ID: <%d-%u@example.org>\r\n"
                     "Subject: message\r\n\r\n",
                     (unsigned)(number / 60 % 60), (unsigned)(number % 60),
                     (unsigned)nd_random_below(&random, 1000), (int)kind,
                     (unsigned)number);
    append_words(&random, kind, clear, &text);
    nd_mail_limits_default(&limits);
    struct nd_message *message = nd_arena_take(arena, sizeof *message);
    must(nd_message_read(text.data, text.length, &limits, NULL, arena, &error,
                         message),
         &error);
    nd_buffer_free(&text);
    return message;
}

void count_outcome(const char *path, const struct nd_put_result *result,
                   void *context)
{
    struct fixture *fixture = context;
    fixture->told++;
    fixture->outcomes[result->outcome]++;
    fixture->last = *result;
}

void learn_as(struct fixture *fixture, enum nd_class kind, enum nd_class label,
              uint32_t first, uint32_t count)
{
    struct nd_error error = {""};
    struct nd_lesson lesson = {.label = label, .source = ND_SOURCE_USER};
    struct nd_arena *arena = nd_arena_create(0);
    for (uint32_t i = 0; i < count; i++) {
        must(nd_engine_learn(fixture->engine,
                             make_message(arena, kind, first + i, 0.8), NULL,
                             &lesson, count_outcome, fixture, &error),
             &error);
        nd_arena_reset(arena);
    }
    must(nd_engine_flush(fixture->engine, count_outcome, fixture, &error),
         &error);
    nd_arena_destroy(&arena);
}

void learn_both(struct fixture *fixture, uint32_t first, uint32_t count)
{
    learn_as(fixture, ND_SPAM, ND_SPAM, first, count);
    learn_as(fixture, ND_HAM, ND_HAM, first, count);
}

struct nd_scan make_scan(struct nd_arena *arena, const char *const *names,
                         double score)
{
    size_t count = 0;
    while (names[count] != NULL) {
        count++;
    }
    struct nd_scan_symbol *symbols =
        nd_arena_take(arena, count * sizeof *symbols);
    for (size_t i = 0; i < count; i++) {
        symbols[i] = (struct nd_scan_symbol){
            .name = names[i], .score = 1, .has_score = true};
    }
    return (struct nd_scan){
        .symbols = symbols, .count = count, .has_score = true, .score = score};
}

uint64_t count_samples(struct fixture *fixture, enum nd_class label)
{
    struct nd_store_stats stats;
    struct nd_error error = {""};
    struct nd_scope scope = {fixture->rule.name, fixture->rule.settings};
    must(nd_store_stats(fixture->store, &scope, &error, &stats), &error);
    return stats.count[label];
}

struct nd_training_report train(struct fixture *fixture)
{
    struct nd_training_report report;
    struct nd_error error = {""};
    must(nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
         &error);
    return report;
}

uint64_t lease_token(struct fixture *fixture)
{
    struct nd_lease lease;
    struct nd_error error = {""};
    struct nd_scope scope = {fixture->rule.name, fixture->rule.settings};
    enum nd_status status =
        nd_store_lease_show(fixture->store, &scope, &error, &lease);
    if (status == ND_NOTHING) {
        return 0;
    }
    must(status, &error);
    return lease.token;
}

struct nd_verdict score(struct fixture *fixture, enum nd_class kind,
                        uint32_t number)
{
    struct nd_verdict verdict;
    nd_engine_score(fixture->engine,
                    make_message(fixture->arena, kind, number, 0.9), NULL,
                    fixture->arena, &verdict);
    return verdict;
}

const struct nd_journal_entry *journal(struct fixture *fixture, size_t *count_r)
{
    const struct nd_journal_entry *entries;
    struct nd_error error = {""};
    must(nd_store_journal(fixture->store, &fixture->engine->scope, 10,
                          fixture->arena, &error, &entries, count_r),
         &error);
    return entries;
}

uint64_t live_generation(struct fixture *fixture)
{
    struct nd_model_pointer pointer;
    struct nd_error error = {""};
    must(nd_store_model_current(fixture->store, &fixture->engine->scope, &error,
                                &pointer),
         &error);
    return pointer.generation;
}

void assert_idle(struct fixture *fixture)
{
    int status;
    assert_int_equal(lease_token(fixture), 0);
    assert_int_equal(fixture->engine->stage, ND_STAGE_IDLE);
    assert_int_equal(waitpid(-1, &status, WNOHANG), -1); /* no zombie */
}
