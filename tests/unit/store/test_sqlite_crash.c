/* SPDX-License-Identifier: Apache-2.0
 *
 * Writers that die by SIGKILL at any moment: what they were told is stored is
 * stored, a batch is there whole or not at all, and the next one can go on.
 */
#include "store_folder.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"

#define BATCH 200
#define ROUNDS 12

/* Puts batches and tells of each one that was acknowledged. */
static void put_until_killed(struct folder *folder, uint32_t first,
                             int acknowledged)
{
    struct nd_store *store = folder_open(folder);
    for (uint32_t batch = first;; batch++) {
        if (folder_put(store, batch * BATCH, BATCH, &folder->error) != ND_OK)
            _exit(1);
        if (write(acknowledged, &batch, sizeof(batch)) != sizeof(batch))
            _exit(2);
    }
}

static void kill_after(pid_t child, int64_t wait_us)
{
    int status;
    (void)usleep((useconds_t)wait_us);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

/* Runs a writer from batch first on and kills it; answers the number after
 * the last acknowledged batch. */
static uint32_t one_writer(struct folder *folder, uint32_t first,
                           int64_t wait_us)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        put_until_killed(folder, first, ends[1]);
    }
    (void)close(ends[1]);
    kill_after(child, wait_us);
    uint32_t next = first, batch;
    while (read(ends[0], &batch, sizeof(batch)) == sizeof(batch)) {
        assert_int_equal(batch, next);
        next++;
    }
    (void)close(ends[0]);
    return next;
}

static void a_killed_writer_loses_nothing_acknowledged(void **state)
{
    struct folder *folder = *state;
    struct nd_random random;
    uint64_t seed = (uint64_t)nd_clock_monotonic_us();
    uint32_t next = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    nd_random_seed(&random, seed);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t wait_us = (int64_t)nd_random_below(&random, 60000);
        uint32_t acknowledged = one_writer(folder, next, wait_us);
        if (!folder_has(folder->store, ""))
            continue; /* killed before it was made */
        struct nd_store *store = folder_open(folder);
        uint64_t count = folder_count(store);
        /* the last batch may have been written without an answer */
        assert_true(count == (uint64_t)acknowledged * BATCH ||
                    count == (uint64_t)(acknowledged + 1) * BATCH);
        assert_int_equal(
            nd_store_maintain(store, 0, true, NULL, NULL, &folder->error),
            ND_OK);
        nd_store_close(&store);
        next = (uint32_t)(count / BATCH);
    }
    assert_true(next > 0);
}

static void a_killed_maker_leaves_a_whole_store_or_none(void **state)
{
    struct folder *folder = *state;
    for (int64_t wait_us = 0; wait_us < 20000; wait_us += 1500) {
        (void)unlink(folder->store);
        (void)fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)folder_open(folder);
            (void)pause();
        }
        kill_after(child, wait_us);
        struct nd_store *store = folder_open(folder);
        assert_int_equal(folder_put(store, 0, 1, &folder->error), ND_OK);
        nd_store_close(&store);
    }
}

/* ---- several at once ---- */

static void make_and_put(struct folder *folder, uint32_t number)
{
    struct nd_store *store = folder_open(folder);
    for (uint32_t i = 0; i < 20; i++)
        if (folder_put(store, number * 1000 + i, 1, &folder->error) != ND_OK)
            _exit(1);
    nd_store_close(&store);
    _exit(0);
}

static void makers_at_one_moment_share_one_store(void **state)
{
    struct folder *folder = *state;
    pid_t children[6];
    (void)fflush(NULL);
    for (uint32_t i = 0; i < 6; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            make_and_put(folder, i);
    }
    for (size_t i = 0; i < 6; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    struct nd_store *store = folder_open(folder);
    assert_int_equal(folder_count(store), 120);
    nd_store_close(&store);
}

int main(void)
{
#define test(name) \
    cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        test(a_killed_writer_loses_nothing_acknowledged),
        test(a_killed_maker_leaves_a_whole_store_or_none),
        test(makers_at_one_moment_share_one_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
