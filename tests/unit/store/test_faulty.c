/* SPDX-License-Identifier: Apache-2.0
 *
 * The backend that fails on purpose: each effect, at the call that it was
 * asked for. That it hands over all else unchanged is shown by the suite.
 */
#include "store/faulty.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/backend.h"

/* A store that counts how often it was asked for the time, and can no more. */
struct counting {
    struct nd_store base;
    int64_t asked;
    bool *closed;
};

static enum nd_status counting_now(struct nd_store *store,
                                   struct nd_error *error, int64_t *now_ms_r)
{
    (void)error;
    *now_ms_r = ++((struct counting *)store)->asked;
    return ND_OK;
}

static enum nd_status counting_scopes(struct nd_store *store,
                                      struct nd_error *error,
                                      struct nd_scope **scopes_r,
                                      size_t *count_r)
{
    (void)store;
    (void)error;
    *scopes_r = NULL;
    *count_r = 0;
    return ND_OK;
}

static void counting_close(struct nd_store *store)
{
    *((struct counting *)store)->closed = true;
    free(store);
}

static const struct nd_backend counting_backend = {.name = "counting",
                                                   .close = counting_close,
                                                   .now = counting_now,
                                                   .scopes = counting_scopes};

static struct nd_store *wrap(const char *specification, bool *closed)
{
    struct counting *counting = calloc(1, sizeof(*counting));
    struct nd_store *store = NULL;
    struct nd_error error;
    counting->base.backend = &counting_backend;
    counting->closed = closed;
    if (nd_faulty_wrap(&counting->base, specification, &error, &store) != ND_OK)
        return NULL;
    return store;
}

/* The statuses of six calls, each by its first letter; '.' is success. */
static const char *statuses(const char *specification, int64_t *asked)
{
    static char letters[7];
    bool closed = false;
    struct nd_store *store = wrap(specification, &closed);
    assert_non_null(store);
    for (int i = 0; i < 6; i++) {
        struct nd_error error = {""};
        int64_t now_ms;
        enum nd_status status = nd_store_now(store, &error, &now_ms);
        letters[i] = status == ND_OK ? '.' : nd_status_name(status)[1];
        assert_int_equal(status == ND_OK, error.text[0] == '\0');
    }
    if (asked != NULL) {
        int64_t last = 0;
        struct nd_error error;
        assert_int_equal(nd_store_now(store, &error, &last), ND_OK);
        *asked = last - 1;
    }
    nd_store_close(&store);
    assert_true(closed);
    return letters;
}

static void without_faults_nothing_fails(void **state)
{
    int64_t asked;
    (void)state;
    assert_string_equal(statuses("", &asked), "......");
    assert_int_equal(asked, 6);
}

static void a_status_is_answered_and_nothing_is_done(void **state)
{
    int64_t asked;
    (void)state;
    assert_string_equal(statuses("now@2=full", &asked), ".u....");
    assert_int_equal(asked, 5);
    assert_string_equal(statuses("now@3+=io", NULL), "..oooo");
    assert_string_equal(statuses("now@1=full,now@4=io", NULL), "u..o..");
}

static void a_lost_request_was_not_done_and_a_lost_answer_was(void **state)
{
    int64_t asked;
    (void)state;
    assert_string_equal(statuses("now@2=lost-request", &asked), ".n....");
    assert_int_equal(asked, 5);
    assert_string_equal(statuses("now@2=lost-answer", &asked), ".n....");
    assert_int_equal(asked, 6);
}

static void any_counts_all_operations(void **state)
{
    bool closed;
    struct nd_store *store = wrap("any@2=busy,scopes@2=full", &closed);
    struct nd_error error;
    struct nd_scope *scopes;
    size_t count;
    int64_t now_ms;
    (void)state;
    assert_int_equal(nd_store_scopes(store, &error, &scopes, &count), ND_OK);
    assert_int_equal(nd_store_now(store, &error, &now_ms), ND_BUSY);
    assert_int_equal(nd_store_now(store, &error, &now_ms), ND_OK);
    assert_int_equal(nd_store_scopes(store, &error, &scopes, &count), ND_FULL);
    nd_store_close(&store);
}

static int64_t asked_before_death(const char *specification)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool closed;
        struct nd_error error;
        struct nd_store *store = wrap(specification, &closed);
        for (int64_t now_ms = 0; now_ms < 9;) {
            if (nd_store_now(store, &error, &now_ms) != ND_OK ||
                write(ends[1], "x", 1) != 1)
                break;
        }
        _exit(0);
    }
    (void)close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    char answers[16];
    int64_t count = read(ends[0], answers, sizeof(answers));
    (void)close(ends[0]);
    return count;
}

static void the_process_can_die_before_or_after_a_call(void **state)
{
    (void)state;
    assert_int_equal(asked_before_death("now@4=kill-before"), 3);
    assert_int_equal(asked_before_death("now@4=kill-after"), 3);
}

static void what_is_no_specification_is_refused_and_the_store_closed(
    void **state)
{
    const char *const bad[] = {
        "now",
        "now@1",
        "now@=full",
        "now@0=full",
        "never@1=full",
        "now@1=ok",
        "now@1=whatever",
        "now@x=full",
        "=",
        "now=1@full",
        "now@1=full,,",
        "now@+=full",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        bool closed = false;
        assert_null(wrap(bad[i], &closed));
        assert_true(closed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_faults_nothing_fails),
        cmocka_unit_test(a_status_is_answered_and_nothing_is_done),
        cmocka_unit_test(a_lost_request_was_not_done_and_a_lost_answer_was),
        cmocka_unit_test(any_counts_all_operations),
        cmocka_unit_test(the_process_can_die_before_or_after_a_call),
        cmocka_unit_test(
            what_is_no_specification_is_refused_and_the_store_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
