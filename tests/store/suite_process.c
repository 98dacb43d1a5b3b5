/* SPDX-License-Identifier: Apache-2.0
 *
 * Several processes at once on one store: nothing is lost, nothing is given
 * twice.
 */
#include "suite.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/faulty.h"

#define test(name) \
    cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)
#define PROCESSES 4
#define PUTS 60

/* In a child a failed assertion would go on as a second test run: it exits,
 * and so do threads, which cmocka does not know. */
static void must(bool good)
{
    if (!good)
        _exit(1);
}

static bool is_settled(enum nd_status status)
{
    return status == ND_OK;
}

static void put_some(int child, void *context)
{
    (void)context;
    struct nd_store *store = suite_backend_open();
    struct nd_error error;
    struct nd_put_result result;
    for (uint32_t i = 0; i < PUTS; i++) {
        /* every third one is the same for all */
        uint32_t number = i % 3 == 0 ? i : (uint32_t)(child + 1) * 1000 + i;
        struct nd_sample_put sample = suite_sample(number, i % 2 == 0);
        must(is_settled(nd_store_put(store, &suite_scope, &sample, &suite_roomy,
                                     &error, &result)));
    }
    nd_store_close(&store);
}

static void puts_of_several_processes_add_up(void **state)
{
    struct suite *suite = *state;
    suite_in_children(PROCESSES, put_some, NULL);
    struct nd_store_stats stats = suite_stats(suite);
    uint64_t shared = PUTS / 3;
    uint64_t wanted = shared + PROCESSES * (PUTS - shared);
    assert_int_equal(stats.count[0] + stats.count[1], wanted);
    assert_int_equal(stats.put_stored, wanted);
    assert_int_equal(stats.put_duplicate, (PROCESSES - 1) * shared);
    suite_accounts(suite);
}

static void *put_some_in_thread(void *argument)
{
    put_some(*(int *)argument, NULL);
    return NULL;
}

/* Each opens a handle of its own and closes it while others are at work. */
static void puts_of_several_threads_add_up(void **state)
{
    struct suite *suite = *state;
    pthread_t threads[PROCESSES];
    int numbers[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        numbers[i] = i;
        assert_int_equal(
            pthread_create(&threads[i], NULL, put_some_in_thread, &numbers[i]),
            0);
    }
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(suite_stats(suite).put_stored,
                     PUTS / 3 + PROCESSES * (PUTS - PUTS / 3));
    suite_accounts(suite);
}

static void grow_registry(int child, void *context)
{
    (void)context;
    struct nd_store *store = suite_backend_open();
    struct nd_error error;
    for (int i = 0; i < 40; i++) {
        char own[32], shared[32];
        (void)snprintf(own, sizeof(own), "own:%d:%d", child, i);
        (void)snprintf(shared, sizeof(shared), "shared:%d", i);
        const char *const names[] = {own, shared};
        uint32_t slots[2], length;
        uint8_t digest[ND_DIGEST_BYTES];
        must(is_settled(nd_store_registry_slots(
            store, "rule", names, 2, 1000, &error, slots, &length, digest)));
        must(slots[0] != slots[1] && slots[0] < length && slots[1] < length);
    }
    nd_store_close(&store);
}

static void names_of_several_processes_get_one_slot_each(void **state)
{
    struct suite *suite = *state;
    suite_in_children(PROCESSES, grow_registry, NULL);
    const char *const *names;
    uint32_t count;
    suite_ok(suite,
             nd_store_registry_read(suite->store, "rule", 0, suite->arena,
                                    &suite->error, &names, &count));
    assert_int_equal(count, 40 * (PROCESSES + 1));
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
}

/* Trains until it has published ten times; a model's blob tells who and when,
 * so no two are alike. */
static void train_ten_times(int child, void *context)
{
    (void)context;
    struct nd_store *store = suite_backend_open();
    struct nd_error error;
    uint8_t nonce[ND_NONCE_BYTES] = {(uint8_t)(child + 1)};
    for (int published = 0; published < 10;) {
        struct nd_lease lease;
        enum nd_status status = nd_store_lease_acquire(
            store, &suite_scope, nonce, "h", 60000, &error, &lease);
        if (status == ND_BUSY) {
            (void)usleep(1000);
            continue;
        }
        must(is_settled(status));
        struct nd_model_pointer pointer;
        struct nd_publish publish = {.keep = 100};
        uint64_t generation, words[2] = {(uint64_t)child, (uint64_t)published};
        must(is_settled(
            nd_store_model_current(store, &suite_scope, &error, &pointer)));
        publish.judged_revision = pointer.revision;
        must(is_settled(nd_store_model_upload(store, &suite_scope, words,
                                              sizeof(words), &error,
                                              publish.digest)));
        must(is_settled(nd_store_model_publish(store, &suite_scope, &lease,
                                               &publish, &error, &generation)));
        must(generation == lease.token && generation > pointer.generation);
        published++;
    }
    nd_store_close(&store);
}

static void trainers_of_several_processes_take_turns(void **state)
{
    struct suite *suite = *state;
    suite_in_children(PROCESSES, train_ten_times, NULL);
    struct nd_model_info *models;
    size_t count;
    suite_ok(suite, nd_store_model_list(suite->store, &suite_scope,
                                        &suite->error, &models, &count));
    assert_int_equal(count, 10 * PROCESSES);
    for (size_t i = 1; i < count; i++)
        assert_true(models[i - 1].generation > models[i].generation);
    assert_int_equal(suite_current(suite).revision, 10 * PROCESSES);
    free(models);
}

static void make_key(int child, void *context)
{
    struct nd_store *store = suite_backend_open();
    struct nd_error error;
    struct nd_key candidate, key;
    int *pipe_ends = context;
    (void)child;
    nd_key_generate(&candidate);
    must(is_settled(nd_store_key(store, &candidate, &error, &key)));
    must(write(pipe_ends[1], key.secret, ND_KEY_BYTES) == ND_KEY_BYTES);
    nd_store_close(&store);
}

static void several_processes_agree_on_one_key(void **state)
{
    struct suite *suite = *state;
    int pipe_ends[2];
    struct nd_key key;
    uint8_t secret[ND_KEY_BYTES];
    assert_int_equal(pipe(pipe_ends), 0);
    suite_in_children(PROCESSES, make_key, pipe_ends);
    suite_ok(suite, nd_store_key(suite->store, NULL, &suite->error, &key));
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(read(pipe_ends[0], secret, ND_KEY_BYTES),
                         ND_KEY_BYTES);
        assert_memory_equal(secret, key.secret, ND_KEY_BYTES);
    }
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
}

/* Puts nine samples of a round, but dies at the fifth. */
static void put_until_killed(uint32_t round)
{
    struct nd_store *store = NULL;
    struct nd_error error;
    struct nd_put_result result;
    const char *when =
        round % 2 == 0 ? "put_many@5=kill-before" : "put_many@5=kill-after";
    must(
        is_settled(nd_faulty_wrap(suite_backend_open(), when, &error, &store)));
    for (uint32_t i = 0; i < 9; i++) {
        struct nd_sample_put sample = suite_sample(round * 10 + i, ND_SPAM);
        must(is_settled(nd_store_put(store, &suite_scope, &sample, &suite_roomy,
                                     &error, &result)));
    }
    _exit(1);
}

static void killed_processes_lose_nothing_acknowledged(void **state)
{
    struct suite *suite = *state;
    (void)fflush(NULL);
    for (uint32_t round = 0; round < 6; round++) {
        int status;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            put_until_killed(round);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        uint64_t wanted = (round + 1) / 2 * 9 + (round % 2 == 0 ? 4 : 0);
        assert_int_equal(suite_stats(suite).count[ND_SPAM], wanted);
    }
    suite_accounts(suite);
}

int suite_process_tests(void)
{
    const struct CMUnitTest tests[] = {
        test(puts_of_several_processes_add_up),
        test(puts_of_several_threads_add_up),
        test(names_of_several_processes_get_one_slot_each),
        test(trainers_of_several_processes_take_turns),
        test(several_processes_agree_on_one_key),
        test(killed_processes_lose_nothing_acknowledged),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
