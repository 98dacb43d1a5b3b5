/* SPDX-License-Identifier: Apache-2.0
 *
 * What users of rspamd's neural module reported, one test for each, named
 * after the issue or the commit: neurald must not have these.
 */
#include "peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "misbehave.h"
#include "store/redis_connection.h"

#define TRAININGS 1000

static struct nd_store_stats stats_of(struct fixture *fixture)
{
    struct nd_scope scope = peers_scope(fixture);
    struct nd_store_stats stats;
    struct nd_error error = {""};
    must(nd_store_stats(fixture->store, &scope, &error, &stats), &error);
    return stats;
}

/* There a lock that its holder left behind stopped every sample until it was
 * deleted by hand. */
static void rspamd_3159_a_stale_lock_does_not_stop_samples(void **state)
{
    struct fixture *fixture = *state;
    struct nd_scope scope = peers_scope(fixture);
    static const uint8_t nonce[ND_NONCE_BYTES] = "gone";
    const uint32_t slots[] = {1, 2, 3};
    struct nd_error error = {""};
    struct nd_lease lease;
    must(nd_store_lease_acquire(fixture->store, &scope, nonce, "gone",
                                24 * 3600 * INT64_C(1000), &error, &lease),
         &error);
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(peers_put(fixture, i, slots, 3).outcome,
                         ND_PUT_STORED);
    assert_int_equal(lease_token(fixture), lease.token);
    assert_int_equal(count_samples(fixture, ND_SPAM), 25);
}

/* Learns messages that say the same by symbols, names ending in suffix. */
static void learn_symbols(struct fixture *fixture, uint32_t first,
                          const char *suffix)
{
    for (uint32_t i = first; i < first + 80; i++) {
        char texts[3][32];
        const char *names[4] = {texts[0], texts[1], texts[2], NULL};
        enum nd_class label = i % 2 ? ND_SPAM : ND_HAM;
        (void)snprintf(texts[0], sizeof(texts[0]), "%s",
                       label == ND_SPAM ? "BAYES_SPAM" : "BAYES_HAM");
        (void)snprintf(texts[1], sizeof(texts[1]), "SIZE_%u",
                       (unsigned)(i % 5));
        (void)snprintf(texts[2], sizeof(texts[2]), "RULE_%s", suffix);
        struct nd_scan scan = make_scan(fixture->arena, names, 1);
        struct nd_lesson lesson = {.label = label, .source = ND_SOURCE_USER};
        struct nd_error error = {""};
        must(nd_engine_learn(fixture->engine,
                             make_message(fixture->arena, label, i, 1), &scan,
                             &lesson, count_outcome, fixture, &error),
             &error);
    }
    struct nd_error error = {""};
    must(nd_engine_flush(fixture->engine, count_outcome, fixture, &error),
         &error);
}

/* There another order or set of symbols after a reload gave another digest,
 * under which neither samples nor model were found (5825); one new rule kept
 * the network from the messages for weeks (6041). */
static void rspamd_5825_6041_symbols_that_change_on_reload_lose_nothing(
    void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.families = ND_GROUP_SYMBOLS;
    make_engine(fixture);
    learn_symbols(fixture, 0, "OLD");
    struct nd_training_report report = train(fixture);
    assert_int_equal(report.decision, ND_DECISION_PROMOTED);
    for (int reload = 0; reload < 3; reload++) {
        char suffix[16];
        (void)snprintf(suffix, sizeof(suffix), "NEW_%d", reload);
        make_engine(fixture); /* as a reload does */
        assert_int_equal(score(fixture, ND_SPAM, 1).generation,
                         report.generation);
        learn_symbols(fixture, 1000 + 100 * (uint32_t)reload, suffix);
        assert_int_equal(count_samples(fixture, ND_SPAM),
                         40U * (2 + (unsigned)reload));
    }
    report = train(fixture);
    assert_int_equal(report.candidate.spam, 160);
    assert_int_equal(stats_of(fixture).put_stored, 320);
}

/* There a sample of another dimension made every training fail, "already
 * learning another" from then on. */
static void rspamd_5705_another_dimension_is_counted_and_skipped(void **state)
{
    struct fixture *fixture = *state;
    struct nd_scope scope = peers_scope(fixture);
    struct nd_quota quota = {ND_QUOTA_RESERVOIR, 1000};
    const uint32_t beyond[] = {3, 4000}; /* no name has that slot */
    struct nd_error error = {""};
    struct nd_put_result result;
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    /* of a registry that is not this store's: refused at the door */
    struct nd_sample_put sample = peers_sample(fixture, 7, beyond, 2);
    sample.registry_length = 296;
    must(nd_store_put(fixture->store, &scope, &sample, &quota, &error, &result),
         &error);
    assert_int_equal(result.outcome, ND_PUT_REFUSED);
    assert_int_equal(result.reason, ND_REFUSED_REGISTRY);
    assert_int_equal(stats_of(fixture).refused[ND_REFUSED_REGISTRY], 1);
    /* one that got in all the same is skipped and counted, not fatal */
    assert_int_equal(peers_put(fixture, 5, beyond, 2).outcome, ND_PUT_STORED);
    for (int i = 0; i < 2; i++) {
        struct nd_training_report report = train(fixture);
        assert_int_not_equal(report.decision, ND_DECISION_FAILED);
        assert_int_equal(report.candidate.spam, 60);
        peers_assert_idle(fixture);
    }
    assert_true(stats_of(fixture).refused[ND_REFUSED_MALFORMED] > 0);
}

/* Asks that server itself, master or not; answers a number, else 0. */
static int64_t tell(struct fixture *fixture, const struct redis_server *server,
                    const char *const *words)
{
    char url[128];
    struct nd_redis_options options;
    struct nd_redis_connection *connection;
    struct nd_error error = {""};
    const struct nd_redis_reply *reply;
    int64_t deadline_us = nd_clock_monotonic_us() + 5000000;
    (void)snprintf(url, sizeof(url), "redis+unix://%s", server->socket);
    must(nd_redis_options_parse(url, NULL, fixture->arena, &error, &options),
         &error);
    must(nd_redis_connection_open(&options.endpoint, &options, &options.login,
                                  true, deadline_us, &error, &connection),
         &error);
    must(nd_redis_connection_call(connection, words, deadline_us, &error,
                                  &reply),
         &error);
    int64_t number = reply->integer;
    nd_redis_connection_close(&connection);
    return number;
}

/* Keys in a server; 0 where the test has none. */
static int64_t count_keys(struct fixture *fixture,
                          const struct redis_server *server)
{
    const char *words[] = {"DBSIZE", NULL};
    return server->pid != 0 ? tell(fixture, server, words) : 0;
}

/* There each training left two sets behind: 3,742 and 3,742 keys. */
static void rspamd_4205_no_keys_leak_in_a_thousand_trainings(void **state)
{
    struct fixture *fixture = *state;
    struct nd_scope scope = peers_scope(fixture);
    struct nd_error error = {""};
    struct nd_model_info *models;
    const uint32_t slots[] = {1, 2, 3};
    uint64_t early_bytes = 0;
    int64_t early_keys = 0;
    size_t count = 0;
    (void)peers_put(fixture, 1, slots, 3);
    for (uint32_t i = 0; i < TRAININGS; i++) {
        uint32_t model[512] = {i};
        (void)peers_publish(fixture, model, sizeof(model));
        if (i == 10) {
            early_bytes = stats_of(fixture).store_bytes;
            early_keys = count_keys(fixture, &peers_server);
        }
    }
    must(nd_store_model_list(fixture->store, &scope, &error, &models, &count),
         &error);
    free(models);
    assert_int_equal(count, 3);
    assert_int_equal(count_keys(fixture, &peers_server), early_keys);
    /* the journal's lines are bounded too, and are all that may grow */
    assert_true(stats_of(fixture).store_bytes <
                early_bytes + TRAININGS * UINT64_C(400));
}

struct stop {
    int calls;
    int64_t asked_us;
};

/* After some calls the child has all samples and is at work. */
static bool stop_soon(double done, double loss, const char *stage,
                      void *context)
{
    struct stop *stop = context;
    if (++stop->calls < 5)
        return true;
    if (stop->asked_us == 0)
        stop->asked_us = nd_clock_monotonic_us();
    return false;
}

/* There the shutdown waited for a child that had long been dead, until systemd
 * killed it after 90 s. Here even one that ignores SIGTERM. */
static void rspamd_5689_a_shutdown_in_mid_training_takes_under_5_s(void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_report report;
    struct nd_error error = {""};
    struct stop stop = {0};
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    misbehave_like("stubborn");
    enum nd_status status = nd_engine_train(fixture->engine, true, stop_soon,
                                            &stop, &error, &report);
    misbehave_like(NULL);
    assert_int_equal(status, ND_CANCELLED);
    assert_true(stop.asked_us != 0);
    assert_true(nd_clock_monotonic_us() - stop.asked_us < 5000000);
    peers_assert_idle(fixture);
}

/* There the parent waited for ever for a child that had written nothing, and
 * prolonged its lock all the while. */
static void rspamd_3d1f36210_a_child_that_answers_nothing(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.lease_ms = 1000;
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    static const char *const manners[] = {"silence", "hang"};
    for (size_t i = 0; i < 2; i++) {
        int64_t start_us = nd_clock_monotonic_us();
        misbehave_like(manners[i]);
        struct nd_training_report report = train(fixture);
        misbehave_like(NULL);
        assert_int_equal(report.decision, ND_DECISION_FAILED);
        assert_true(nd_clock_monotonic_us() - start_us < 10000000);
        peers_assert_idle(fixture);
    }
    fixture->rule.lease_ms = 20000;
    make_engine(fixture);
    assert_int_equal(train(fixture).decision, ND_DECISION_PROMOTED);
}

/* There a model with a certain byte could not be stored. */
static void rspamd_404df7cb7_a_model_with_every_byte_value_survives(
    void **state)
{
    struct fixture *fixture = *state;
    struct nd_scope scope = peers_scope(fixture);
    struct nd_error error = {""};
    struct nd_buffer got = {0};
    uint8_t model[3 * 256];
    for (size_t i = 0; i < sizeof(model); i++)
        model[i] = (uint8_t)(i < 256 ? i : i < 512 ? 511 - i : i * 167);
    uint64_t generation = peers_publish(fixture, model, sizeof(model));
    must(nd_store_model_get(fixture->store, &scope, generation, &error, &got),
         &error);
    assert_int_equal(got.length, sizeof(model));
    assert_memory_equal(got.data, model, sizeof(model));
    nd_buffer_free(&got);
}

/* There the model expired before enough mail for the next had come. */
static void rspamd_6266_an_idle_rule_does_not_go_dark(void **state)
{
    struct fixture *fixture = *state;
    struct nd_scope scope = peers_scope(fixture);
    struct nd_error error = {""};
    struct timespec pause = {.tv_nsec = 20000000};
    uint64_t dropped = 99;
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    uint64_t generation = train(fixture).generation;
    (void)nanosleep(&pause, NULL); /* longer than it is kept out of use */
    must(nd_store_model_expire(fixture->store, &scope, 1, &error, &dropped),
         &error);
    assert_int_equal(dropped, 0);
    must(nd_store_maintain(fixture->store, 1, false, NULL, NULL, &error),
         &error);
    make_engine(fixture);
    assert_int_equal(live_generation(fixture), generation);
    assert_int_equal(score(fixture, ND_SPAM, 1000).generation, generation);
    assert_int_equal(score(fixture, ND_SPAM, 1000).kind, ND_VERDICT_SPAM);
}

static void follow(struct fixture *fixture, const struct redis_server *server,
                   const char *host, const char *port)
{
    const char *words[] = {"REPLICAOF", host, port, NULL};
    (void)tell(fixture, server, words);
}

/* There each write to what had become a replica ended in a log line. */
static void rspamd_6215_readonly_is_left_for_the_master(void **state)
{
    struct fixture *fixture = *state;
    struct redis_server other;
    const uint32_t slots[] = {1, 2, 3};
    if (peers_server.pid == 0)
        skip();
    redis_server_prepare(&other);
    char port[8], other_port[8];
    (void)snprintf(port, sizeof(port), "%u", peers_server.port);
    (void)snprintf(other_port, sizeof(other_port), "%u", other.port);
    const char *const replica[] = {"--replicaof", "127.0.0.1", port, NULL};
    redis_server_start(&other, replica);
    assert_int_equal(peers_put(fixture, 1, slots, 3).outcome, ND_PUT_STORED);
    struct timespec pause = {.tv_nsec = 50000000};
    while (count_keys(fixture, &other) < count_keys(fixture, &peers_server))
        (void)nanosleep(&pause, NULL);
    /* they change places under the open connection */
    follow(fixture, &other, "NO", "ONE");
    follow(fixture, &peers_server, "127.0.0.1", other_port);
    assert_int_equal(peers_put(fixture, 1, slots, 3).outcome, ND_PUT_DUPLICATE);
    assert_int_equal(peers_put(fixture, 3, slots, 3).outcome, ND_PUT_STORED);
    assert_int_equal(count_samples(fixture, ND_SPAM), 2);
    redis_server_remove(&other);
}

int main(int argc, char **argv)
{
    int answer = peers_main(argc, argv);
    if (answer >= 0)
        return answer;
    const struct CMUnitTest tests[] = {
        PEERS_TEST(rspamd_3159_a_stale_lock_does_not_stop_samples),
        PEERS_TEST(rspamd_5825_6041_symbols_that_change_on_reload_lose_nothing),
        PEERS_TEST(rspamd_5705_another_dimension_is_counted_and_skipped),
        PEERS_TEST(rspamd_4205_no_keys_leak_in_a_thousand_trainings),
        PEERS_TEST(rspamd_5689_a_shutdown_in_mid_training_takes_under_5_s),
        PEERS_TEST(rspamd_3d1f36210_a_child_that_answers_nothing),
        PEERS_TEST(rspamd_404df7cb7_a_model_with_every_byte_value_survives),
        PEERS_TEST(rspamd_6266_an_idle_rule_does_not_go_dark),
        PEERS_TEST(rspamd_6215_readonly_is_left_for_the_master),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
