/* SPDX-License-Identifier: Apache-2.0
 *
 * A process that is killed right before and right after each step of learning
 * and training: what it acknowledged is there, and another carries on once the
 * lease is over. (test_crash.c kills at moments that are drawn.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "misbehave.h"
#include "store/faulty.h"

/* The fixture's store from here on fails as specified. */
static void break_store(struct fixture *fixture, const char *specification)
{
    struct nd_error error = {""};
    struct nd_store *inner = fixture->store;
    nd_engine_destroy(&fixture->engine);
    must(nd_faulty_wrap(inner, specification, &error, &fixture->store), &error);
}

static void learn_and_train(struct fixture *fixture, const char *specification,
                            const char *manner, int ledger)
{
    struct nd_error error = {""};
    struct nd_training_report report;
    fixture->store = open_store(fixture);
    break_store(fixture, specification);
    make_engine(fixture);
    learn_both(fixture, 0, 30);
    uint8_t told = 1;
    if (write(ledger, &told, 1) == 1) {
        misbehave_like(manner);
        enum nd_status status =
            nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report);
        _exit((int)status);
    }
}

/* Where the dead process held the lease, training waits for its end. */
static void train_after_lease(struct fixture *fixture)
{
    struct nd_error error = {""};
    struct nd_training_report report;
    if (lease_token(fixture) != 0) {
        assert_int_equal(
            nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
            ND_BUSY);
        fixture->clock_change_ms += fixture->rule.lease_ms + 1;
    }
    must(nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
         &error);
}

/* Runs one process until its store kills it, and looks at what it left. */
static void kill_at(struct fixture *fixture, const char *specification,
                    const char *manner)
{
    int ends[2], status;
    nd_store_close(&fixture->store);
    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    pid_t process = fork();
    if (process == 0) {
        learn_and_train(fixture, specification, manner, ends[1]);
        _exit(9);
    }
    assert_int_equal(waitpid(process, &status, 0), process);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        fail_msg("%s: not killed, status %d", specification, status);
    }
    (void)close(ends[1]);
    uint8_t told;
    bool acknowledged = read(ends[0], &told, 1) == 1;
    (void)close(ends[0]);
    fixture->store = open_store(fixture);
    make_engine(fixture);
    assert_true(!acknowledged || count_samples(fixture, ND_SPAM) == 30);
    learn_both(fixture, 0, 30); /* a repeat, as a caller would */
    assert_int_equal(count_samples(fixture, ND_SPAM), 30);
    assert_int_equal(count_samples(fixture, ND_HAM), 30);
    train_after_lease(fixture);
    assert_int_not_equal(live_generation(fixture), 0);
}

static void assert_survives_kill(const char *specification, const char *manner)
{
    void *state;
    (void)fixture_set_up(&state);
    struct fixture *fixture = state;
    kill_at(fixture, specification, manner);
    (void)fixture_tear_down(&state);
}

static void killed_while_learning(void **state)
{
    (void)state;
    assert_survives_kill("key@2=kill-after", NULL);
    assert_survives_kill("registry_slots@1=kill-after", NULL);
    assert_survives_kill("profile_register@1=kill-after", NULL);
    assert_survives_kill("put_many@1=kill-before", NULL);
    assert_survives_kill("put_many@1=kill-after", NULL);
    assert_survives_kill("put_many@2=kill-after", NULL);
}

static void killed_while_training(void **state)
{
    (void)state;
    assert_survives_kill("lease_acquire@1=kill-before", NULL);
    assert_survives_kill("lease_acquire@1=kill-after", NULL);
    assert_survives_kill("read@1=kill-after", NULL);
    assert_survives_kill("model_upload@1=kill-after", NULL);
    assert_survives_kill("model_publish@1=kill-before", NULL);
    assert_survives_kill("model_publish@1=kill-after", NULL);
    assert_survives_kill("training_finish@1=kill-before", "die");
    assert_survives_kill("training_finish@1=kill-after", "die");
}

int main(int argc, char **argv)
{
    int answer = misbehave_main(argc, argv);
    if (answer >= 0) {
        return answer;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_while_learning),
        cmocka_unit_test(killed_while_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
