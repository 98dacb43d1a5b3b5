/* SPDX-License-Identifier: Apache-2.0
 *
 * The seed's behaviours of a training: S10, S12, S15, and the defects e, f
 * and g.
 */
#include "seed.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "misbehave.h"

/* ---- S10 ---- */

/* Trains on a store that fails so; the lease is free once it is whole. */
static void fail_in(struct fixture *fixture, const char *specification,
                    enum nd_status wanted)
{
    struct nd_training_report report;
    struct nd_error error = {""};
    seed_break(fixture, specification);
    assert_int_equal(
        nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
        wanted);
    seed_mend(fixture);
    peers_assert_idle(fixture);
}

static void seed_s10_every_failure_on_the_way_gives_the_lease_back(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    fail_in(fixture, "snapshot@1=unavailable", ND_UNAVAILABLE);
    fail_in(fixture, "read@1=unavailable", ND_UNAVAILABLE);
    fail_in(fixture, "model_upload@1+=full", ND_FULL);
    fail_in(fixture, "model_publish@1+=unavailable", ND_UNAVAILABLE);
    static const char *const manners[] = {"die", "rubbish", "failure",
                                          "broken model"};
    for (size_t i = 0; i < sizeof manners / sizeof manners[0]; i++) {
        misbehave_like(manners[i]);
        struct nd_training_report report = train(fixture);
        misbehave_like(NULL);
        assert_int_equal(report.decision, ND_DECISION_FAILED);
        peers_assert_idle(fixture);
    }
    assert_int_equal(live_generation(fixture), 0);
    assert_int_equal(train(fixture).decision, ND_DECISION_PROMOTED);
}

/* ---- S12 ---- */

struct watch {
    size_t with_child, with_loss, rises;
    double last;
    bool falls;
};

static bool watch_progress(double done, double loss, const char *stage,
                           void *context)
{
    struct watch *watch = context;
    (void)stage;
    watch->with_child += seed_children() == 1;
    watch->with_loss += isfinite(loss) ? 1 : 0;
    watch->falls = watch->falls || done < watch->last;
    watch->rises += done > watch->last;
    watch->last = done;
    return true;
}

static void seed_s12_a_child_trains_and_tells_how_far_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct watch watch = {0};
    struct nd_training_report report;
    struct nd_error error = {""};
    fixture->rule.max_iterations = 3000; /* some seconds of work */
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    assert_int_equal(seed_children(), 0);
    must(nd_engine_train(fixture->engine, true, watch_progress, &watch, &error,
                         &report),
         &error);
    assert_int_equal(report.decision, ND_DECISION_PROMOTED);
    assert_true(watch.with_child > 0); /* in a process of its own */
    assert_true(watch.with_loss >= 8);
    assert_false(watch.falls);
    assert_true(watch.rises >= 8);
    assert_int_equal(seed_children(), 0);
    assert_int_equal(live_generation(fixture), report.generation);
    assert_int_equal(score(fixture, ND_SPAM, 900).kind, ND_VERDICT_SPAM);
}

/* ---- S15 ---- */

static void seed_s15_who_trains_elsewhere_is_named_and_since_when(void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_report report;
    struct nd_error error = {""};
    struct nd_lease lease;
    make_engine(fixture);
    learn_both(fixture, 0, 30);
    assert_int_equal(seed_acquire(fixture, 7, 60000, &lease), ND_OK);
    assert_int_equal(
        nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
        ND_BUSY);
    assert_non_null(strstr(error.text, "mx7.example:4711"));
    assert_non_null(strstr(error.text, "since 20"));
    assert_int_equal(lease_token(fixture), lease.token);
}

/* ---- e ---- */

/* Too few to train on, found before the lease and, as these cannot be read,
 * with it. */
static void seed_defect_e_too_few_samples_leave_no_lock(void **state)
{
    struct fixture *fixture = *state;
    static const uint32_t unknown[] = {60000};
    struct nd_training_report report;
    struct nd_error error = {""};
    make_engine(fixture);
    learn_both(fixture, 0, 19);
    assert_int_equal(
        nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
        ND_NOTHING);
    assert_non_null(strstr(error.text, "20 of each"));
    peers_assert_idle(fixture);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(peers_put(fixture, i, unknown, 1).outcome,
                         ND_PUT_STORED);
    }
    make_engine(fixture);
    assert_int_equal(
        nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
        ND_NOTHING);
    peers_assert_idle(fixture);
    learn_both(fixture, 100, 20);
    assert_int_equal(train(fixture).decision, ND_DECISION_PROMOTED);
}

/* ---- f ---- */

static void start_replica(struct redis_server *replica)
{
    char port[8];
    const char *const options[] = {"--replicaof", "127.0.0.1", port, NULL};
    redis_server_prepare(replica);
    (void)snprintf(port, sizeof port, "%u", peers_server.port);
    redis_server_start(replica, options);
}

/* Where a save fails the lease goes back by a write, which a replica never
 * gets: here the only address that the trainer has is a replica's. */
static void seed_defect_f_the_unlock_after_a_failed_save_is_a_write(
    void **state)
{
    struct fixture *fixture = *state;
    struct redis_server replica = {.pid = 0};
    char whole[sizeof fixture->url];
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    memcpy(whole, fixture->url, sizeof whole);
    if (peers_server.pid != 0) {
        start_replica(&replica);
        (void)snprintf(fixture->url, sizeof fixture->url,
                       "redis://127.0.0.1:%u/0", replica.port);
        seed_mend(fixture);
    }
    struct nd_training_report report;
    struct nd_error error = {""};
    seed_break(fixture, "model_publish@1+=full");
    assert_int_equal(
        nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
        ND_FULL);
    memcpy(fixture->url, whole, sizeof whole);
    seed_mend(fixture); /* on the master itself */
    assert_int_equal(lease_token(fixture), 0);
    size_t count;
    const struct nd_journal_entry *entries;
    struct nd_scope scope = peers_scope(fixture);
    must(nd_store_journal(fixture->store, &scope, 10, fixture->arena, &error,
                          &entries, &count),
         &error);
    assert_int_equal(count, 1); /* it did take the lease, and ended */
    if (replica.pid != 0) {
        redis_server_remove(&replica);
    }
}

/* ---- g ---- */

static void seed_defect_g_a_network_is_used_once_it_is_saved(void **state)
{
    struct fixture *fixture = *state;
    static const char *const faults[] = {"model_upload@1+=full",
                                         "model_publish@1+=unavailable",
                                         "model_publish@1+=lost-request"};
    struct nd_training_report report;
    struct nd_error error = {""};
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        seed_break(fixture, faults[i]);
        assert_int_not_equal(
            nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
            ND_OK);
        assert_int_equal(score(fixture, ND_SPAM, 900).generation, 0);
        seed_mend(fixture);
        assert_int_equal(live_generation(fixture), 0);
    }
    uint64_t generation = train(fixture).generation;
    assert_true(generation > 0);
    assert_int_equal(score(fixture, ND_SPAM, 900).generation, generation);
}

int main(int argc, char **argv)
{
    int answer = seed_main(argc, argv);
    if (answer >= 0) {
        return answer;
    }
    const struct CMUnitTest tests[] = {
        SEED_TEST(seed_s10_every_failure_on_the_way_gives_the_lease_back),
        SEED_TEST(seed_s12_a_child_trains_and_tells_how_far_it_is),
        SEED_TEST(seed_s15_who_trains_elsewhere_is_named_and_since_when),
        SEED_TEST(seed_defect_e_too_few_samples_leave_no_lock),
        SEED_TEST(seed_defect_f_the_unlock_after_a_failed_save_is_a_write),
        SEED_TEST(seed_defect_g_a_network_is_used_once_it_is_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
