/* SPDX-License-Identifier: Apache-2.0
 *
 * A host with a store in a temporary folder, for tests.
 */
#include "host_fixture.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

int host_set_up(void **state)
{
    struct host_fixture *fixture = nd_calloc(1, sizeof *fixture);
    static const char *const names[HOST_RULES] = {"short", "long", "other"};
    nd_log_set_level(ND_LOG_ERROR); /* failures are made on purpose */
    (void)snprintf(fixture->folder, sizeof fixture->folder,
                   "/tmp/neurald-host-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    (void)snprintf(fixture->url, sizeof fixture->url, "sqlite:%s/store.db",
                   fixture->folder);
    (void)snprintf(fixture->spool, sizeof fixture->spool, "%s/spool",
                   fixture->folder);
    for (size_t i = 0; i < HOST_RULES; i++) {
        struct nd_rule *rule = &fixture->rules[i];
        nd_rule_init(rule);
        (void)snprintf(rule->name, sizeof rule->name, "%s", names[i]);
        rule->seed = 11;
        rule->seeds = 1;
        rule->hidden_units = 4; /* quick to train, also under a sanitizer */
        rule->families =
            ND_GROUP_SYMBOLS | ND_GROUP_METATOKENS | 1U << ND_FAMILY_WORDS;
        rule->train_nice = 0;
        rule->watch_interval_ms = 1000;
        rule->train_interval_ms = 0;
        rule->lease_ms = 20000;
    }
    (void)pthread_mutex_init(&fixture->lock, NULL);
    fixture->arena = nd_arena_create(0);
    fixture->options = (struct nd_host_options){
        .store = fixture->url,
        .store_options = {.create = true, .timeout_ms = 2000},
        .rules = fixture->rules,
        .rule_count = 1,
        .spool = fixture->spool};
    *state = fixture;
    return 0;
}

int host_tear_down(void **state)
{
    struct host_fixture *fixture = *state;
    char command[128];
    nd_host_stop(&fixture->host);
    nd_host_stop(&fixture->other);
    nd_host_stop(&fixture->other); /* NULL is accepted */
    for (size_t i = 0; i < HOST_RULES; i++) {
        nd_rule_free(&fixture->rules[i]);
    }
    nd_arena_destroy(&fixture->arena);
    (void)pthread_mutex_destroy(&fixture->lock);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", fixture->folder);
    int result = system(command);
    free(fixture);
    return result;
}

static void take_event(const struct nd_host_event *event, void *context)
{
    struct host_fixture *fixture = context;
    (void)pthread_mutex_lock(&fixture->lock);
    fixture->events[event->kind]++;
    fixture->told_ms[event->kind] = nd_clock_wall_ms();
    (void)snprintf(fixture->text[event->kind], ND_ERROR_BYTES, "%s",
                   event->text);
    (void)pthread_mutex_unlock(&fixture->lock);
}

static struct nd_host *start(struct host_fixture *fixture)
{
    struct nd_host *host;
    struct nd_error error = {""};
    fixture->options.listener = take_event;
    fixture->options.context = fixture;
    must(nd_host_create(&fixture->options, &error, &host), &error);
    return host;
}

struct nd_host *host_start(struct host_fixture *fixture)
{
    nd_host_stop(&fixture->host);
    fixture->host = start(fixture);
    return fixture->host;
}

struct nd_host *host_start_other(struct host_fixture *fixture)
{
    nd_host_stop(&fixture->other);
    fixture->other = start(fixture);
    return fixture->other;
}

size_t host_events(struct host_fixture *fixture, enum nd_host_event_kind kind)
{
    (void)pthread_mutex_lock(&fixture->lock);
    size_t count = fixture->events[kind];
    (void)pthread_mutex_unlock(&fixture->lock);
    return count;
}

void host_pause(int64_t pause_ms)
{
    struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

void host_await(struct host_fixture *fixture, enum nd_host_event_kind kind,
                size_t count)
{
    int64_t end_us = nd_clock_monotonic_us() + HOST_PATIENCE_US;
    while (host_events(fixture, kind) < count) {
        if (nd_clock_monotonic_us() > end_us) {
            fail_msg("%zu events %s in time, not %zu; the last training: "
                     "%zu begun, %zu ended: %s",
                     host_events(fixture, kind), nd_host_event_name(kind),
                     count, host_events(fixture, ND_HOST_TRAINING_STARTED),
                     host_events(fixture, ND_HOST_TRAINING_ENDED),
                     fixture->text[ND_HOST_TRAINING_ENDED]);
        }
        host_pause(5);
    }
}

enum nd_status host_learn(struct host_fixture *fixture, enum nd_class kind,
                          uint32_t number, int64_t timeout_ms)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_lesson lesson = {.label = kind, .source = ND_SOURCE_USER};
    struct nd_host_results results;
    struct nd_error error = {""};
    struct nd_host_mail mail = {.message =
                                    make_message(arena, kind, number, 0.8)};
    enum nd_status status = nd_host_learn(fixture->host, &mail, &lesson,
                                          timeout_ms, arena, &error, &results);
    if (status == ND_OK) {
        fixture->last = results.of[0];
        fixture->last.rule = fixture->last.settings = fixture->last.text = "";
    }
    nd_arena_destroy(&arena);
    return status;
}

void host_learn_both(struct host_fixture *fixture, uint32_t first,
                     uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (enum nd_class kind = ND_HAM; kind <= ND_SPAM; kind++) {
            assert_int_equal(host_learn(fixture, kind, first + i, 0), ND_OK);
            assert_int_equal(fixture->last.outcome, ND_HOST_DONE);
            assert_int_equal(fixture->last.put.outcome, ND_PUT_STORED);
        }
    }
}

struct nd_verdict host_score(struct host_fixture *fixture,
                             const struct nd_host_choice *choice,
                             enum nd_class kind, uint32_t number)
{
    const struct nd_host_verdict *verdicts;
    struct nd_error error = {""};
    size_t count;
    struct nd_host_mail mail = {
        .message = make_message(fixture->arena, kind, number, 0.9)};
    if (choice != NULL) {
        mail.choice = *choice;
    }
    must(nd_host_score(fixture->host, &mail, 0, fixture->arena, &error,
                       &verdicts, &count),
         &error);
    return verdicts[0].verdict;
}

struct nd_store_stats host_stats(struct host_fixture *fixture)
{
    struct nd_store *store;
    struct nd_store_stats stats;
    struct nd_error error = {""};
    struct nd_store_options options = {.timeout_ms = 10000};
    struct nd_scope scope = {fixture->rules[0].name,
                             fixture->rules[0].settings};
    must(nd_store_open(fixture->url, &options, &error, &store), &error);
    must(nd_store_stats(store, &scope, &error, &stats), &error);
    nd_store_close(&store);
    return stats;
}

struct nd_host_counters host_counters(struct host_fixture *fixture)
{
    struct nd_host_counters counters;
    nd_host_counters(fixture->host, &counters);
    return counters;
}

struct nd_host_status host_status(struct host_fixture *fixture)
{
    struct nd_host_status status;
    nd_host_status(fixture->host, fixture->arena, &status);
    return status;
}

struct nd_host_job host_job(struct host_fixture *fixture, uint64_t id)
{
    struct nd_host_job job;
    struct nd_error error = {""};
    must(nd_host_job(fixture->host, id, &error, &job), &error);
    return job;
}
