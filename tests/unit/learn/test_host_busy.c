/* SPDX-License-Identifier: Apache-2.0
 *
 * A host under load and pressure: many threads while rules are reloaded and
 * models change, a full queue, a deadline, a store that others hold.
 */
#include "host_fixture.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"
#include "misbehave.h"

/* ---- many threads ---- */

#define THREADS 4
#define LESSONS 30

struct work {
    struct host_fixture *fixture;
    uint32_t first;
    atomic_bool *stop;
    uint64_t done;
};

static void *score_always(void *context)
{
    struct work *work = context;
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_error error;
    while (!atomic_load(work->stop)) {
        const struct nd_host_verdict *verdicts;
        size_t count;
        uint32_t number = (uint32_t)(work->done++ % 100);
        struct nd_host_mail mail = {
            .message = make_message(arena, ND_SPAM, 5000 + number, 0.8)};
        if (nd_host_score(work->fixture->host, &mail, number % 7, arena, &error,
                          &verdicts, &count) != ND_OK ||
            count == 0) {
            abort();
        }
        nd_arena_reset(arena);
    }
    nd_arena_destroy(&arena);
    return NULL;
}

static void *learn_some(void *context)
{
    struct work *work = context;
    struct nd_arena *arena = nd_arena_create(0);
    for (uint32_t i = 0; i < LESSONS; i++) {
        struct nd_host_results results;
        struct nd_error error;
        struct nd_lesson lesson = {.label = i % 2 ? ND_SPAM : ND_HAM,
                                   .source = ND_SOURCE_USER};
        struct nd_host_mail mail = {
            .message = make_message(arena, lesson.label, work->first + i, 0.8)};
        if (nd_host_learn(work->fixture->host, &mail, &lesson, 60000, arena,
                          &error, &results) == ND_OK) {
            work->done += results.of[0].outcome == ND_HOST_DONE &&
                          results.of[0].put.outcome == ND_PUT_STORED;
        }
        nd_arena_reset(arena);
    }
    nd_arena_destroy(&arena);
    return NULL;
}

static void *look_always(void *context)
{
    struct work *work = context;
    struct nd_arena *arena = nd_arena_create(0);
    while (!atomic_load(work->stop)) {
        struct nd_host_status status;
        struct nd_host_counters counters;
        nd_host_status(work->fixture->host, arena, &status);
        nd_host_counters(work->fixture->host, &counters);
        nd_host_refresh(work->fixture->host);
        nd_arena_reset(arena);
        host_pause(20);
    }
    nd_arena_destroy(&arena);
    return NULL;
}

/* Nothing is lost, nothing stands still, and the thread sanitizer watches. */
static void threads_score_and_learn_through_reloads(void **state)
{
    struct host_fixture *fixture = *state;
    pthread_t threads[2 * THREADS + 1];
    struct work works[2 * THREADS + 1];
    struct nd_error error = {""};
    atomic_bool stop = false;
    uint64_t stored = 0;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    for (uint32_t i = 0; i < 2 * THREADS + 1; i++) {
        works[i] = (struct work){fixture, i * 1000, &stop, 0};
        assert_int_equal(pthread_create(&threads[i], NULL,
                                        i < THREADS       ? learn_some
                                        : i < 2 * THREADS ? score_always
                                                          : look_always,
                                        &works[i]),
                         0);
    }
    for (size_t i = 0; i < 10; i++) {
        fixture->rules[0].spam_weight = (double)i;
        must(nd_host_reload(fixture->host, fixture->rules, 1 + i % 2, &error),
             &error);
        host_pause(50);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        stored += works[i].done;
    }
    host_await(fixture, ND_HOST_MODEL_TAKEN, 1);
    atomic_store(&stop, true);
    for (size_t i = THREADS; i < 2 * THREADS + 1; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(stored, THREADS * LESSONS);
    struct nd_store_stats stats = host_stats(fixture);
    assert_int_equal(stats.put_stored, THREADS * LESSONS);
    assert_int_equal(stats.put_duplicate, 0);
}

/* ---- a store that somebody holds ---- */

static sqlite3 *hold(struct host_fixture *fixture)
{
    sqlite3 *handle;
    assert_int_equal(sqlite3_open(strchr(fixture->url, ':') + 1, &handle),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    return handle;
}

static void give_up(sqlite3 *handle)
{
    assert_int_equal(sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void after_the_deadline_the_outcome_is_unknown(void **state)
{
    struct host_fixture *fixture = *state;
    fixture->options.store_options.timeout_ms = 60000;
    fixture->options.spool = NULL;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    assert_int_equal(host_learn(fixture, ND_SPAM, 1, 0), ND_OK);
    sqlite3 *handle = hold(fixture);
    assert_int_equal(host_learn(fixture, ND_SPAM, 2, 200), ND_UNCERTAIN);
    assert_int_equal(host_counters(fixture).timed_out, 1);
    give_up(handle);
    /* it happened after all, and repeating it does no harm */
    HOST_UNTIL(host_counters(fixture).learned[ND_PUT_STORED] == 2);
    assert_int_equal(host_learn(fixture, ND_SPAM, 2, 0), ND_OK);
    assert_int_equal(fixture->last.put.outcome, ND_PUT_DUPLICATE);
    assert_int_equal(host_stats(fixture).put_stored, 2);
}

static void *learn_patiently(void *context)
{
    struct work *work = context;
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_host_results results;
    struct nd_error error;
    struct nd_lesson lesson = {.label = ND_SPAM, .source = ND_SOURCE_USER};
    struct nd_host_mail mail = {
        .message = make_message(arena, ND_SPAM, work->first, 0.8)};
    work->done = nd_host_learn(work->fixture->host, &mail, &lesson, 60000,
                               arena, &error, &results);
    nd_arena_destroy(&arena);
    return NULL;
}

static enum nd_status never(struct nd_store *store, void *context,
                            struct nd_error *error)
{
    (void)store;
    (void)error;
    *(bool *)context = true;
    return ND_OK;
}

static void a_full_queue_is_busy_at_once(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_error error = {""};
    pthread_t threads[3];
    struct work works[3];
    bool asked = false;
    fixture->options.queue_jobs = 2;
    fixture->options.store_options.timeout_ms = 60000;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    assert_int_equal(host_learn(fixture, ND_SPAM, 1, 0), ND_OK);
    sqlite3 *handle = hold(fixture);
    for (uint32_t i = 0; i < 3; i++) {
        works[i] = (struct work){.fixture = fixture, .first = 10 + i};
        assert_int_equal(
            pthread_create(&threads[i], NULL, learn_patiently, &works[i]), 0);
        /* the first is with the learner, the others wait */
        HOST_UNTIL(host_status(fixture).queued == (i > 0 ? i : 0));
        host_pause(i == 0 ? 300 : 0);
    }
    assert_int_equal(host_learn(fixture, ND_SPAM, 20, 60000), ND_BUSY);
    assert_int_equal(host_counters(fixture).queue_full, 1);
    assert_int_equal(nd_host_ask(fixture->host, never, &asked, 50, &error),
                     ND_BUSY);
    assert_false(asked);
    give_up(handle);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(works[i].done, ND_OK);
    }
    assert_int_equal(host_stats(fixture).put_stored, 4);
}

static void a_question_that_was_not_begun_did_not_happen(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_error error = {""};
    pthread_t thread;
    struct work work = {.fixture = fixture, .first = 10};
    bool asked = false;
    fixture->options.store_options.timeout_ms = 60000;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    assert_int_equal(host_learn(fixture, ND_SPAM, 1, 0), ND_OK);
    sqlite3 *handle = hold(fixture);
    assert_int_equal(pthread_create(&thread, NULL, learn_patiently, &work), 0);
    host_pause(300);
    assert_int_equal(nd_host_ask(fixture->host, never, &asked, 200, &error),
                     ND_TEMPORARY);
    give_up(handle);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(host_learn(fixture, ND_SPAM, 2, 0), ND_OK);
    assert_false(asked);
}

static void it_stops_quickly_while_others_hold_the_store(void **state)
{
    struct host_fixture *fixture = *state;
    pthread_t thread;
    struct work work = {.fixture = fixture, .first = 10};
    fixture->options.store_options.timeout_ms = 60000;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    assert_int_equal(host_learn(fixture, ND_SPAM, 1, 0), ND_OK);
    sqlite3 *handle = hold(fixture);
    assert_int_equal(pthread_create(&thread, NULL, learn_patiently, &work), 0);
    host_pause(300);
    int64_t begun_us = nd_clock_monotonic_us();
    nd_host_stop(&fixture->host);
    assert_true(nd_clock_monotonic_us() - begun_us < 5000000);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(work.done, ND_OK); /* it lies in the spool */
    give_up(handle);
    host_start(fixture);
    host_await(fixture, ND_HOST_SPOOL_DELIVERED, 1);
    assert_int_equal(host_stats(fixture).put_stored, 2);
}

/* ---- versions ---- */

static void a_later_file_is_never_written(void **state)
{
    struct host_fixture *fixture = *state;
    sqlite3 *handle;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 30);
    host_await(fixture, ND_HOST_MODEL_TAKEN, 1);
    assert_int_equal(sqlite3_open(strchr(fixture->url, ':') + 1, &handle),
                     SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(handle, "PRAGMA user_version = 99", NULL, NULL, NULL),
        SQLITE_OK);
    HOST_UNTIL(host_status(fixture).store == ND_HOST_STORE_UNUSABLE);
    assert_int_equal(host_score(fixture, NULL, ND_SPAM, 1).generation, 0);
    assert_int_equal(host_learn(fixture, ND_SPAM, 500, 0), ND_OK);
    assert_int_equal(fixture->last.outcome, ND_HOST_REFUSED);
    assert_int_equal(fixture->last.status, ND_VERSION);
    assert_int_equal(
        sqlite3_exec(handle, "PRAGMA user_version = 1", NULL, NULL, NULL),
        SQLITE_OK);
    HOST_UNTIL(host_score(fixture, NULL, ND_SPAM, 1).generation > 0);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    assert_int_equal(host_stats(fixture).put_stored, 60);
}

int main(int argc, char **argv)
{
    int answer = misbehave_main(argc, argv);
    if (answer >= 0) {
        return answer;
    }
    const struct CMUnitTest tests[] = {
        HOST_TEST(threads_score_and_learn_through_reloads),
        HOST_TEST(after_the_deadline_the_outcome_is_unknown),
        HOST_TEST(a_full_queue_is_busy_at_once),
        HOST_TEST(a_question_that_was_not_begun_did_not_happen),
        HOST_TEST(it_stops_quickly_while_others_hold_the_store),
        HOST_TEST(a_later_file_is_never_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
