/* SPDX-License-Identifier: Apache-2.0
 *
 * A host and its store apart: Redis away, back, frozen, full, of a later
 * version; a host killed in mid-training; two hosts and a new model.
 */
#include "host_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "misbehave.h"
#include "redis_server.h"

static struct redis_server server;
static struct nd_key key;
static const char *const durable[] = {"--appendonly", "yes", "--appendfsync",
                                      "always", NULL};

static int set_up(void **state)
{
    if (host_set_up(state) != 0) {
        return -1;
    }
    struct host_fixture *fixture = *state;
    redis_server_prepare(&server);
    (void)snprintf(fixture->url, sizeof fixture->url, "redis://127.0.0.1:%u/0",
                   server.port);
    fixture->options.store_options.timeout_ms = 500;
    return 0;
}

static int tear_down(void **state)
{
    struct host_fixture *fixture = *state;
    nd_host_stop(&fixture->host); /* while its store still answers */
    nd_host_stop(&fixture->other);
    int result = host_tear_down(state);
    redis_server_remove(&server);
    return result;
}
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void use_key(struct host_fixture *fixture)
{
    nd_key_generate(&key);
    fixture->options.key_file_key = &key;
}

/* Learns numbers first to first + count - 1 of spam, each with this outcome. */
static void learn(struct host_fixture *fixture, uint32_t first, uint32_t count,
                  enum nd_host_outcome outcome)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(host_learn(fixture, ND_SPAM, first + i, 0), ND_OK);
        assert_int_equal(fixture->last.outcome, outcome);
    }
}

static struct nd_host_result change(struct host_fixture *fixture,
                                    uint32_t number, bool forget)
{
    struct nd_host_results results;
    struct nd_error error = {""};
    struct nd_host_sample sample = {.choice = {NULL, NULL}};
    struct nd_claim claim = {ND_HAM, ND_SOURCE_USER, 0};
    memcpy(sample.identity,
           make_message(fixture->arena, ND_SPAM, number, 0.8)->identity,
           sizeof sample.identity);
    must(forget ? nd_host_forget(fixture->host, &sample, 0, 0, fixture->arena,
                                 &error, &results)
                : nd_host_relabel(fixture->host, &sample, &claim, 0,
                                  fixture->arena, &error, &results),
         &error);
    return results.of[0];
}

/* ---- away and back ---- */

static void away_from_the_start_it_scores_blindly_and_spools(void **state)
{
    struct host_fixture *fixture = *state;
    use_key(fixture);
    host_start(fixture);
    assert_int_equal(host_score(fixture, NULL, ND_SPAM, 1).kind, ND_UNSURE);
    learn(fixture, 0, 30, ND_HOST_SPOOLED_HERE);
    HOST_UNTIL(host_status(fixture).store == ND_HOST_STORE_AWAY);
    assert_int_equal(host_status(fixture).spool.samples, 30);
    assert_true(host_status(fixture).store_text[0] != '\0');
    redis_server_start(&server, durable);
    host_await(fixture, ND_HOST_SPOOL_DELIVERED, 1);
    struct nd_store_stats stats = host_stats(fixture);
    assert_int_equal(stats.put_stored, 30);
    assert_int_equal(stats.count[ND_SPAM], 30);
    assert_true(stats.registry_length > 0); /* names came along */
    assert_int_equal(host_status(fixture).spool.samples, 0);
    assert_int_equal(host_counters(fixture).delivered, 30);
    learn(fixture, 30, 5, ND_HOST_DONE);
}

static void without_a_key_or_a_spool_it_says_so(void **state)
{
    struct host_fixture *fixture = *state;
    host_start(fixture);
    assert_int_equal(host_learn(fixture, ND_SPAM, 1, 0), ND_UNAVAILABLE);
    use_key(fixture);
    fixture->options.spool = NULL;
    host_start(fixture);
    assert_int_equal(host_learn(fixture, ND_SPAM, 1, 0), ND_OK);
    assert_int_equal(fixture->last.outcome, ND_HOST_REFUSED);
    assert_int_equal(fixture->last.put.reason, ND_REFUSED_STORE);
    assert_int_equal(fixture->last.status, ND_UNAVAILABLE);
}

static void what_happens_meanwhile_happens_in_order_afterwards(void **state)
{
    struct host_fixture *fixture = *state;
    redis_server_start(&server, durable);
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    learn(fixture, 0, 10, ND_HOST_DONE);
    redis_server_stop(&server);
    learn(fixture, 10, 10, ND_HOST_SPOOLED_HERE);
    assert_int_equal(change(fixture, 3, false).outcome, ND_HOST_SPOOLED_HERE);
    assert_int_equal(change(fixture, 12, false).outcome, ND_HOST_SPOOLED_HERE);
    assert_int_equal(change(fixture, 4, true).outcome, ND_HOST_SPOOLED_HERE);
    assert_int_equal(change(fixture, 13, true).outcome, ND_HOST_SPOOLED_HERE);
    host_await(fixture, ND_HOST_STORE_LOST, 1);
    redis_server_start(&server, durable);
    host_await(fixture, ND_HOST_SPOOL_DELIVERED, 1);
    host_await(fixture, ND_HOST_STORE_BACK, 1);
    struct nd_store_stats stats = host_stats(fixture);
    assert_int_equal(stats.put_stored, 20);
    assert_int_equal(stats.count[ND_SPAM], 16);
    assert_int_equal(stats.count[ND_HAM], 2);
    assert_int_equal(stats.forgotten, 2);
}

/* The key comes from the spool: it was reached in an earlier life. */
static void a_restart_in_the_dark_goes_on_learning(void **state)
{
    struct host_fixture *fixture = *state;
    redis_server_start(&server, durable);
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    learn(fixture, 0, 5, ND_HOST_DONE);
    nd_host_stop(&fixture->host);
    redis_server_stop(&server);
    host_start(fixture);
    learn(fixture, 5, 5, ND_HOST_SPOOLED_HERE);
    nd_host_stop(&fixture->host);
    redis_server_start(&server, durable);
    host_start(fixture);
    host_await(fixture, ND_HOST_SPOOL_DELIVERED, 1);
    struct nd_store_stats stats = host_stats(fixture);
    assert_int_equal(stats.put_stored, 10);
    assert_int_equal(stats.refused[ND_REFUSED_KEY], 0);
}

/* ---- a store that neither answers nor fails ---- */

static void a_frozen_store_stops_neither_scoring_nor_learning(void **state)
{
    struct host_fixture *fixture = *state;
    redis_server_start(&server, durable);
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 100, 30);
    host_await(fixture, ND_HOST_MODEL_TAKEN, 1);
    (void)kill(server.pid, SIGSTOP);
    enum nd_status status = host_learn(fixture, ND_SPAM, 0, 20000);
    int64_t begun_us = nd_clock_monotonic_us();
    for (uint32_t i = 0; i < 100; i++) {
        assert_true(host_score(fixture, NULL, ND_SPAM, i).generation > 0);
    }
    assert_true(nd_clock_monotonic_us() - begun_us < 1000000);
    enum nd_host_outcome outcome = fixture->last.outcome;
    learn(fixture, 1, 9, ND_HOST_SPOOLED_HERE);
    (void)kill(server.pid, SIGCONT);
    assert_int_equal(status, ND_OK);
    assert_int_equal(outcome, ND_HOST_SPOOLED_HERE);
    host_await(fixture, ND_HOST_SPOOL_DELIVERED, 1);
    struct nd_store_stats stats = host_stats(fixture);
    assert_int_equal(stats.put_stored, 70); /* however often it was sent */
    assert_int_equal(stats.count[ND_SPAM], 40);
}

static void *learn_once(void *context)
{
    struct host_fixture *fixture = context;
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_lesson lesson = {.label = ND_SPAM, .source = ND_SOURCE_USER};
    struct nd_host_mail mail = {.message =
                                    make_message(arena, ND_SPAM, 5, 0.8)};
    struct nd_host_results results;
    struct nd_error error = {""};
    enum nd_status *status_r = nd_calloc(1, sizeof *status_r);
    *status_r = nd_host_learn(fixture->host, &mail, &lesson, 30000, arena,
                              &error, &results);
    nd_arena_destroy(&arena);
    return status_r;
}

static void it_stops_quickly_with_a_frozen_store(void **state)
{
    struct host_fixture *fixture = *state;
    pthread_t thread;
    void *answer;
    fixture->options.store_options.timeout_ms = 30000;
    redis_server_start(&server, durable);
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    (void)kill(server.pid, SIGSTOP);
    assert_int_equal(pthread_create(&thread, NULL, learn_once, fixture), 0);
    host_pause(300);
    int64_t begun_us = nd_clock_monotonic_us();
    nd_host_stop(&fixture->host);
    assert_true(nd_clock_monotonic_us() - begun_us < 5000000);
    assert_int_equal(pthread_join(thread, &answer), 0);
    assert_int_equal(*(enum nd_status *)answer, ND_OK); /* in the spool */
    free(answer);
    (void)kill(server.pid, SIGCONT);
    host_start(fixture);
    host_await(fixture, ND_HOST_SPOOL_DELIVERED, 1);
    assert_int_equal(host_stats(fixture).put_stored, 1);
}

/* ---- crashes ---- */

/* A host of its own process on url, until it dies. */
static pid_t start_process(struct host_fixture *fixture, const char *url,
                           bool trains)
{
    pid_t child = fork();
    if (child != 0) {
        return child;
    }
    fixture->options.store = url;
    host_start(fixture);
    if (trains) {
        struct nd_error error = {""};
        uint64_t id;
        misbehave_like("hang");
        must(nd_host_train(fixture->host, NULL, true, &error, &id), &error);
    }
    for (;;) {
        host_pause(1000);
    }
}

static void each_lesson_arrives_once_across_crashes(void **state)
{
    struct host_fixture *fixture = *state;
    char faulty[300];
    use_key(fixture);
    assert_int_equal(setenv("NEURALD_TEST_FAULTS", "1", 1), 0);
    host_start(fixture);
    learn(fixture, 0, 300, ND_HOST_SPOOLED_HERE);
    nd_host_stop(&fixture->host);
    redis_server_start(&server, durable);
    static const char *const deaths[] = {"put_many@1=kill-after",
                                         "put_many@1=kill-before",
                                         "put_many@2=kill-after"};
    for (size_t i = 0; i < 3; i++) {
        int result;
        (void)snprintf(faulty, sizeof faulty, "faulty:%s:%s", deaths[i],
                       fixture->url);
        pid_t child = start_process(fixture, faulty, false);
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_true(WIFSIGNALED(result));
    }
    host_start(fixture);
    host_await(fixture, ND_HOST_SPOOL_DELIVERED, 1);
    struct nd_store_stats stats = host_stats(fixture);
    assert_int_equal(stats.put_stored, 300);
    assert_int_equal(stats.count[ND_SPAM], 300);
    assert_true(stats.put_duplicate > 0); /* so it was handed over twice */
}

static void a_killed_trainer_is_taken_over(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_scope scope = {"short", "default"};
    struct nd_store *store;
    struct nd_lease lease;
    struct nd_error error = {""};
    redis_server_start(&server, durable);
    fixture->rules[0].lease_ms = 3000;
    fixture->options.roles = ND_ROLE_COLLECT;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 30);
    nd_host_stop(&fixture->host);
    fixture->options.roles = 0;
    pid_t child = start_process(fixture, fixture->url, true);
    must(nd_store_open(fixture->url, NULL, &error, &store), &error);
    HOST_UNTIL(nd_store_lease_show(store, &scope, &error, &lease) == ND_OK);
    nd_store_close(&store);
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    host_start(fixture);
    host_await(fixture, ND_HOST_MODEL_TAKEN, 1);
    assert_true(host_score(fixture, NULL, ND_SPAM, 1).generation > lease.token);
}

/* ---- a new model ---- */

static void the_others_hear_of_a_new_model_at_once(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_error error = {""};
    uint64_t id;
    redis_server_start(&server, NULL);
    fixture->rules[0].watch_interval_ms = 3600000;
    fixture->rules[0].train_after = 100000;
    host_start(fixture);
    fixture->options.roles = ND_ROLE_SCORE;
    host_start_other(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 40);
    must(nd_host_train(fixture->host, NULL, true, &error, &id), &error);
    host_await(fixture, ND_HOST_TRAINING_ENDED, 1);
    host_await(fixture, ND_HOST_MODEL_TAKEN, 2);
    HOST_UNTIL(host_status(fixture).scopes[0].model_count == 1);
    int64_t taken_ms = fixture->told_ms[ND_HOST_MODEL_TAKEN] -
                       host_status(fixture).scopes[0].models[0].published_ms;
    print_message("taken up by both within %lld ms of its publication\n",
                  (long long)taken_ms);
    assert_true(taken_ms < 2000);
}

/* ---- refusals ---- */

static void redis_cli(const char *arguments)
{
    char command[256];
    (void)snprintf(command, sizeof command,
                   "redis-cli -p %u %s >/dev/null 2>&1", server.port,
                   arguments);
    assert_int_equal(system(command), 0);
}

static void a_later_version_means_no_opinion_and_no_write(void **state)
{
    struct host_fixture *fixture = *state;
    redis_server_start(&server, NULL);
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 30);
    host_await(fixture, ND_HOST_MODEL_TAKEN, 1);
    redis_cli("HSET neurald:store version 99");
    redis_cli("HSET '{neurald:short}' version 99");
    HOST_UNTIL(host_status(fixture).store == ND_HOST_STORE_UNUSABLE);
    assert_int_equal(host_score(fixture, NULL, ND_SPAM, 1).generation, 0);
    assert_int_equal(host_learn(fixture, ND_SPAM, 500, 0), ND_OK);
    assert_int_equal(fixture->last.outcome, ND_HOST_REFUSED);
    assert_int_equal(fixture->last.status, ND_VERSION);
    assert_int_equal(host_events(fixture, ND_HOST_SPOOLED), 0);
    redis_cli("HSET neurald:store version 1");
    redis_cli("HSET '{neurald:short}' version 1");
    HOST_UNTIL(host_status(fixture).store == ND_HOST_STORE_UP);
    HOST_UNTIL(host_score(fixture, NULL, ND_SPAM, 1).generation > 0);
    assert_int_equal(host_stats(fixture).count[ND_SPAM], 30);
}

static void a_full_store_refuses_lessons_and_scoring_goes_on(void **state)
{
    struct host_fixture *fixture = *state;
    redis_server_start(&server, NULL);
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 30);
    host_await(fixture, ND_HOST_MODEL_TAKEN, 1);
    redis_cli("CONFIG SET maxmemory 1");
    assert_int_equal(host_learn(fixture, ND_SPAM, 500, 0), ND_OK);
    assert_int_equal(fixture->last.outcome, ND_HOST_REFUSED);
    assert_int_equal(fixture->last.status, ND_FULL);
    assert_int_equal(fixture->last.put.reason, ND_REFUSED_STORE);
    assert_true(host_score(fixture, NULL, ND_SPAM, 1).generation > 0);
    assert_int_equal(host_status(fixture).store, ND_HOST_STORE_UP);
    redis_cli("CONFIG SET maxmemory 0");
    learn(fixture, 500, 1, ND_HOST_DONE);
}

/* Somebody emptied Redis: the fleet's key goes back in, and it goes on. */
static void an_emptied_store_gets_its_key_back(void **state)
{
    struct host_fixture *fixture = *state;
    redis_server_start(&server, NULL);
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    learn(fixture, 0, 5, ND_HOST_DONE);
    redis_cli("FLUSHALL");
    redis_cli("HSET neurald:store version 1");
    host_pause(2500);
    learn(fixture, 10, 5, ND_HOST_DONE);
    struct nd_store_stats stats = host_stats(fixture);
    assert_int_equal(stats.count[ND_SPAM], 5);
    assert_int_equal(stats.refused[ND_REFUSED_KEY], 0);
}

int main(int argc, char **argv)
{
    int answer = misbehave_main(argc, argv);
    if (answer >= 0) {
        return answer;
    }
    if (!redis_server_available()) {
        print_message("no redis-server here\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        TEST(away_from_the_start_it_scores_blindly_and_spools),
        TEST(without_a_key_or_a_spool_it_says_so),
        TEST(what_happens_meanwhile_happens_in_order_afterwards),
        TEST(a_restart_in_the_dark_goes_on_learning),
        TEST(a_frozen_store_stops_neither_scoring_nor_learning),
        TEST(it_stops_quickly_with_a_frozen_store),
        TEST(each_lesson_arrives_once_across_crashes),
        TEST(a_killed_trainer_is_taken_over),
        TEST(the_others_hear_of_a_new_model_at_once),
        TEST(a_later_version_means_no_opinion_and_no_write),
        TEST(a_full_store_refuses_lessons_and_scoring_goes_on),
        TEST(an_emptied_store_gets_its_key_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
