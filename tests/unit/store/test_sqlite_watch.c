/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting on an SQLite store: for a change of a live pointer, for a lock that
 * others hold, and no longer than one is told to.
 */
#include "store_folder.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"

static const struct nd_scope scope = {"rule", "default"};

struct watch {
    char folder[64];
    char path[96];
    struct nd_store *store;
    struct nd_error error;
    atomic_bool interrupt;
};

static void check(struct watch *watch, enum nd_status status)
{
    if (status != ND_OK)
        fail_msg("%s: %s", nd_status_name(status), watch->error.text);
}

static struct nd_store *open_store(struct watch *watch, int64_t timeout_ms)
{
    struct nd_store_options options = {.create = true,
                                       .timeout_ms = timeout_ms,
                                       .interrupt = &watch->interrupt};
    struct nd_store *store;
    check(watch, nd_store_open(watch->path, &options, &watch->error, &store));
    return store;
}

static int set_up(void **state)
{
    struct watch *watch = nd_calloc(1, sizeof(*watch));
    *state = watch;
    (void)snprintf(watch->folder, sizeof(watch->folder),
                   "/tmp/neurald-watch-XXXXXX");
    if (mkdtemp(watch->folder) == NULL)
        return -1;
    (void)snprintf(watch->path, sizeof(watch->path), "%s/store.db",
                   watch->folder);
    watch->store = open_store(watch, 60000);
    return 0;
}

static int tear_down(void **state)
{
    struct watch *watch = *state;
    char command[128];
    nd_store_close(&watch->store);
    (void)snprintf(command, sizeof(command), "rm -r %s", watch->folder);
    int result = system(command);
    free(watch);
    return result;
}

static bool wait_change(struct watch *watch, int64_t timeout_ms)
{
    bool changed = false;
    check(watch, nd_store_wait_change(watch->store, timeout_ms, &watch->error,
                                      &changed));
    return changed;
}

static void import(struct watch *watch, struct nd_store *store,
                   const char *words)
{
    struct nd_publish publish = {.keep = 5};
    uint64_t generation;
    check(watch, nd_store_model_upload(store, &scope, words, strlen(words),
                                       &watch->error, publish.digest));
    check(watch, nd_store_model_import(store, &scope, &publish, &watch->error,
                                       &generation));
}

static void a_moved_pointer_is_heard_of(void **state)
{
    struct watch *watch = *state;
    struct nd_store *other = open_store(watch, 60000);
    struct nd_model_pointer pointer;
    assert_true(wait_change(watch, 1000)); /* what came before */
    assert_false(wait_change(watch, 150));
    import(watch, other, "model");
    assert_true(wait_change(watch, 5000));
    assert_false(wait_change(watch, 150));
    check(watch, nd_store_count(other, &scope, ND_REFUSED_STORE, 1,
                                &watch->error)); /* moves no pointer */
    assert_false(wait_change(watch, 150));
    check(watch,
          nd_store_model_pin(other, &scope, 0, true, &watch->error, &pointer));
    assert_true(wait_change(watch, 5000));
    nd_store_close(&other);
}

static void *interrupt_soon(void *context)
{
    struct watch *watch = context;
    struct timespec pause = {.tv_nsec = 200000000};
    (void)nanosleep(&pause, NULL);
    atomic_store(&watch->interrupt, true);
    return NULL;
}

static int64_t ms_since(int64_t begun_us)
{
    return (nd_clock_monotonic_us() - begun_us) / 1000;
}

static void one_who_is_told_waits_no_longer(void **state)
{
    struct watch *watch = *state;
    sqlite3 *handle;
    pthread_t thread;
    assert_int_equal(sqlite3_open(watch->path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    int64_t begun_us = nd_clock_monotonic_us();
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, watch), 0);
    assert_int_equal(nd_store_count(watch->store, &scope, ND_REFUSED_STORE, 1,
                                    &watch->error),
                     ND_UNAVAILABLE);
    assert_true(ms_since(begun_us) < 20000); /* of 60 s */
    assert_int_equal(pthread_join(thread, NULL), 0);
    begun_us = nd_clock_monotonic_us();
    assert_false(wait_change(watch, 60000) && wait_change(watch, 60000));
    assert_true(ms_since(begun_us) < 20000);
    atomic_store(&watch->interrupt, false);
    assert_int_equal(sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    check(watch, nd_store_count(watch->store, &scope, ND_REFUSED_STORE, 1,
                                &watch->error));
}

static void the_lock_is_waited_for_as_long_as_was_said(void **state)
{
    struct watch *watch = *state;
    struct nd_store *store = open_store(watch, 300);
    sqlite3 *handle;
    assert_int_equal(sqlite3_open(watch->path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    int64_t begun_us = nd_clock_monotonic_us();
    assert_int_equal(
        nd_store_count(store, &scope, ND_REFUSED_STORE, 1, &watch->error),
        ND_UNAVAILABLE);
    assert_true(ms_since(begun_us) >= 300);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    nd_store_close(&store);
}

static void urls_are_checked_without_a_look_at_the_store(void **state)
{
    struct watch *watch = *state;
    static const struct {
        const char *url;
        enum nd_status status;
    } cases[] = {
        {"sqlite:/nonexistent/folder/x.db", ND_OK},
        {"/nonexistent/x.db", ND_OK},
        {"redis://192.0.2.1", ND_OK},
        {"redis+sentinel://192.0.2.1,192.0.2.2/name", ND_OK},
        {"redis://192.0.2.1?nonsense=1", ND_CONFIG},
        {"mysql:x", ND_CONFIG},
        {"sqlite:", ND_CONFIG},
    };
    struct nd_store_options options = {.create = true};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(nd_store_check(cases[i].url, &options, &watch->error),
                         cases[i].status);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_moved_pointer_is_heard_of),
        TEST(one_who_is_told_waits_no_longer),
        TEST(the_lock_is_waited_for_as_long_as_was_said),
        TEST(urls_are_checked_without_a_look_at_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
