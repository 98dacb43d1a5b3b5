/* SPDX-License-Identifier: Apache-2.0
 *
 * kill -9 at any moment, of the trainer's child and of its parent: nothing
 * that was acknowledged is lost, no process stays behind, and the lease is
 * taken over once its time is up. The moments are drawn; the seed is printed
 * and NEURALD_TEST_SEED replays it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "fixture.h"
#include "learn/engine_private.h"
#include "misbehave.h"

#define CHILD_ROUNDS 8
#define PARENT_ROUNDS 6
#define MOST_ROUNDS 40 /* until a lease was held for once */

static struct nd_random moments;

static int draw_seed(void **state)
{
    const char *given = getenv("NEURALD_TEST_SEED");
    uint64_t seed;
    nd_random_system(&seed, sizeof seed);
    seed = given != NULL ? strtoull(given, NULL, 10) : seed % 1000000;
    (void)printf("seed %llu\n", (unsigned long long)seed);
    nd_random_seed(&moments, seed);
    return 0;
}

/* Collects every child of this process; false where one lives on. */
static bool all_children_end(int64_t within_ms)
{
    int64_t until_us = nd_clock_monotonic_us() + within_ms * 1000;
    int status;
    while (nd_clock_monotonic_us() < until_us) {
        pid_t ended = waitpid(-1, &status, WNOHANG);
        if (ended < 0 && errno == ECHILD) {
            return true;
        }
        if (ended == 0) {
            (void)usleep(5000);
        }
    }
    return false;
}

/* ---- the child ---- */

static pid_t child_of_this_process(void)
{
    char path[64];
    long process = 0;
    (void)snprintf(path, sizeof path, "/proc/self/task/%ld/children",
                   (long)getpid());
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    if (fscanf(file, "%ld", &process) != 1) {
        process = 0;
    }
    (void)fclose(file);
    return (pid_t)process;
}

struct killer {
    useconds_t after_us;
    bool killed;
};

static void *kill_child(void *context)
{
    struct killer *killer = context;
    (void)usleep(killer->after_us);
    pid_t child = child_of_this_process();
    killer->killed = child > 0 && kill(child, SIGKILL) == 0;
    return NULL;
}

static struct nd_training_report train_under(struct fixture *fixture,
                                             struct killer *killer)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, kill_child, killer), 0);
    struct nd_training_report report = train(fixture);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return report;
}

/* The moments lie within the time that a whole training takes. */
static void a_killed_child_costs_its_training_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    size_t failed = 0;
    make_engine(fixture);
    learn_both(fixture, 0, 100);
    int64_t begun_us = nd_clock_monotonic_us();
    assert_int_equal(train(fixture).decision, ND_DECISION_PROMOTED);
    int64_t whole_us = nd_clock_monotonic_us() - begun_us;
    for (int round = 0; round < CHILD_ROUNDS; round++) {
        struct killer killer = {.after_us = (useconds_t)nd_random_below(
                                    &moments, (uint64_t)whole_us)};
        struct nd_training_report report = train_under(fixture, &killer);
        assert_true(killer.killed || report.decision != ND_DECISION_FAILED);
        if (report.decision == ND_DECISION_FAILED) {
            failed++;
            assert_non_null(strstr(report.reason, "signal 9"));
        }
        assert_int_equal(lease_token(fixture), 0);
        assert_int_equal(count_samples(fixture, ND_SPAM), 100);
        assert_true(all_children_end(0) || all_children_end(100));
    }
    assert_true(failed > 0);
    assert_int_not_equal(train(fixture).decision, ND_DECISION_FAILED);
}

/* ---- the parent ---- */

/* Tells over the pipe, for each message, that it is durable. */
static void acknowledge(const char *path, const struct nd_put_result *result,
                        void *context)
{
    const int *ledger = context;
    uint32_t number = (uint32_t)strtoul(path, NULL, 10);
    if (result->outcome == ND_PUT_STORED &&
        write(*ledger, &number, sizeof number) != sizeof number) {
        _exit(9);
    }
}

/* Learns and trains until it is killed. */
static void live_until_killed(struct fixture *fixture, uint32_t first,
                              int ledger)
{
    struct nd_training_report report;
    struct nd_error error = {""};
    struct nd_lesson lesson = {.source = ND_SOURCE_USER};
    fixture->store = open_store(fixture);
    make_engine(fixture);
    for (uint32_t i = first;; i++) {
        char path[16];
        (void)snprintf(path, sizeof path, "%u", (unsigned)i);
        lesson.path = path;
        lesson.label = i % 2 == 0 ? ND_SPAM : ND_HAM;
        must(nd_engine_learn(fixture->engine,
                             make_message(fixture->arena, lesson.label, i, 0.8),
                             NULL, &lesson, acknowledge, &ledger, &error),
             &error);
        nd_arena_reset(fixture->arena);
        if (i % 20 == 19) {
            must(nd_engine_flush(fixture->engine, acknowledge, &ledger, &error),
                 &error);
        }
        if (i % 60 == 59) {
            enum nd_status status = nd_engine_train(fixture->engine, true, NULL,
                                                    NULL, &error, &report);
            assert_true(status == ND_OK || status == ND_BUSY);
        }
    }
}

static pid_t start_parent(struct fixture *fixture, uint32_t first, int *ledger)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        (void)close(ends[0]);
        live_until_killed(fixture, first, ends[1]);
        _exit(8);
    }
    (void)close(ends[1]);
    *ledger = ends[0];
    return process;
}

static void assert_stored(struct fixture *fixture, uint32_t number)
{
    struct nd_sample_info info;
    struct nd_error error = {""};
    struct nd_scope scope = {fixture->rule.name, fixture->rule.settings};
    enum nd_class label = number % 2 == 0 ? ND_SPAM : ND_HAM;
    const struct nd_message *message =
        make_message(fixture->arena, label, number, 0.8);
    must(
        nd_store_find(fixture->store, &scope, message->identity, &error, &info),
        &error);
    assert_int_equal(info.label, label);
    nd_arena_reset(fixture->arena);
}

/* Kills one parent at a drawn moment and reads its ledger. */
static uint32_t kill_one(struct fixture *fixture, uint32_t first)
{
    int ledger;
    pid_t process = start_parent(fixture, first, &ledger);
    (void)usleep(200000 + (useconds_t)nd_random_below(&moments, 1500000));
    assert_int_equal(kill(process, SIGKILL), 0);
    /* Its trainer dies with it, and is ours to collect. */
    assert_true(all_children_end(5000));
    fixture->store = open_store(fixture);
    uint32_t number, count = 0;
    while (read(ledger, &number, sizeof number) == sizeof number) {
        assert_stored(fixture, number);
        count++;
    }
    (void)close(ledger);
    return count;
}

static void a_killed_parent_loses_nothing_and_its_lease_is_taken_over(
    void **state)
{
    struct fixture *fixture = *state;
    struct nd_error error = {""};
    struct nd_training_report report;
    uint32_t acknowledged = 0, taken_over = 0;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (uint32_t round = 0;
         round < PARENT_ROUNDS || (taken_over == 0 && round < MOST_ROUNDS);
         round++) {
        nd_store_close(&fixture->store);
        acknowledged += kill_one(fixture, round * 100000);
        uint64_t held = lease_token(fixture);
        make_engine(fixture);
        if (held == 0 || count_samples(fixture, ND_HAM) < 20) {
            continue;
        }
        taken_over++;
        assert_int_equal(
            nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
            ND_BUSY);
        fixture->clock_change_ms += fixture->rule.lease_ms + 1;
        must(
            nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
            &error);
        assert_true(lease_token(fixture) == 0);
    }
    (void)printf("%u acknowledged, %u leases taken over\n",
                 (unsigned)acknowledged, (unsigned)taken_over);
    assert_true(acknowledged > 0);
    assert_true(taken_over > 0);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(int argc, char **argv)
{
    int answer = misbehave_main(argc, argv);
    if (answer >= 0) {
        return answer;
    }
    const struct CMUnitTest tests[] = {
        TEST(a_killed_child_costs_its_training_and_nothing_else),
        TEST(a_killed_parent_loses_nothing_and_its_lease_is_taken_over),
    };
    return cmocka_run_group_tests(tests, draw_seed, NULL);
}
