/* SPDX-License-Identifier: Apache-2.0
 *
 * The seed's behaviours that exist only in a running host: S11, S16, S19, S20,
 * and defect a.
 */
#include "seed.h"

#include <stdlib.h>
#include <string.h>

#include "misbehave.h"

static struct nd_store *open_own(struct host_fixture *fixture)
{
    struct nd_store *store;
    struct nd_store_options options = {.create = true, .timeout_ms = 10000};
    struct nd_error error = {""};
    must(nd_store_open(fixture->url, &options, &error, &store), &error);
    return store;
}

static struct nd_scope scope_of(const struct host_fixture *fixture)
{
    return (struct nd_scope){fixture->rules[0].name,
                             fixture->rules[0].settings};
}

/* The lease as the store has it; token 0: free. */
static struct nd_lease lease_of(struct host_fixture *fixture,
                                struct nd_store *store)
{
    struct nd_scope scope = scope_of(fixture);
    struct nd_lease lease = {0};
    struct nd_error error = {""};
    enum nd_status status = nd_store_lease_show(store, &scope, &error, &lease);
    if (status != ND_NOTHING) {
        must(status, &error);
    }
    return lease;
}

static uint64_t start_training(struct host_fixture *fixture)
{
    struct nd_host_choice choice = {NULL, NULL};
    struct nd_error error = {""};
    uint64_t id = 0;
    must(nd_host_train(fixture->host, &choice, true, &error, &id), &error);
    return id;
}

static void prepare(struct host_fixture *fixture)
{
    fixture->rules[0].train_interval_ms = INT64_C(3600000); /* when asked */
    fixture->rules[0].train_after = 1000000;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 30);
}

/* ---- S11 ---- */

static void seed_s11_the_lease_is_extended_while_the_child_gets_on(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_store *store = open_own(fixture);
    fixture->rules[0].lease_ms = 4000;
    prepare(fixture);
    misbehave_like("busy");
    (void)start_training(fixture);
    HOST_UNTIL(lease_of(fixture, store).token != 0);
    struct nd_lease first = lease_of(fixture, store);
    for (int64_t last_ms = first.until_ms, times = 0; times < 3; times++) {
        HOST_UNTIL(lease_of(fixture, store).until_ms > last_ms);
        last_ms = lease_of(fixture, store).until_ms;
    }
    assert_int_equal(lease_of(fixture, store).token, first.token);
    nd_host_stop(&fixture->host);
    misbehave_like(NULL);
    assert_int_equal(lease_of(fixture, store).token, 0); /* only then */
    nd_store_close(&store);
}

/* It is ended when half a lease has passed since it got on, so the lease was
 * extended that long ago at the latest. */
static void seed_s11_a_child_that_hangs_extends_nothing(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_store *store = open_own(fixture);
    int64_t lease_ms = 6000, until_ms = 0;
    fixture->rules[0].lease_ms = lease_ms;
    prepare(fixture);
    misbehave_like("hang");
    uint64_t id = start_training(fixture);
    while (host_job(fixture, id).state != ND_HOST_JOB_ENDED) {
        struct nd_lease lease = lease_of(fixture, store);
        until_ms = lease.token != 0 ? lease.until_ms : until_ms;
        host_pause(20);
    }
    int64_t ended_ms = host_job(fixture, id).ended_ms;
    misbehave_like(NULL);
    assert_int_equal(host_job(fixture, id).report.decision, ND_DECISION_FAILED);
    assert_true(until_ms > 0);
    assert_true(ended_ms - (until_ms - lease_ms) >= lease_ms / 2 - 500);
    assert_int_equal(lease_of(fixture, store).token, 0);
    nd_store_close(&store);
}

/* ---- S16 ---- */

static void seed_s16_what_is_trained_here_is_not_trained_again(void **state)
{
    struct host_fixture *fixture = *state;
    prepare(fixture);
    misbehave_like("busy");
    uint64_t id = start_training(fixture);
    HOST_UNTIL(host_job(fixture, id).state == ND_HOST_JOB_RUNNING);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(start_training(fixture), id);
    }
    host_pause(100);
    assert_int_equal(host_events(fixture, ND_HOST_TRAINING_STARTED), 1);
    assert_int_equal(seed_children(), 1);
    nd_host_stop(&fixture->host);
    misbehave_like(NULL);
    assert_int_equal(host_events(fixture, ND_HOST_TRAINING_STARTED), 1);
}

/* ---- S19 ---- */

static uint64_t trainings_of(struct nd_host *host)
{
    struct nd_host_counters counters;
    nd_host_counters(host, &counters);
    return counters.trainings[ND_DECISION_PROMOTED] +
           counters.trainings[ND_DECISION_REJECTED] +
           counters.trainings[ND_DECISION_FAILED];
}

static void seed_s19_every_host_takes_new_models_and_only_trainers_train(
    void **state)
{
    struct host_fixture *fixture = *state;
    fixture->rules[0].watch_interval_ms = 300;
    fixture->options.roles = ND_ROLE_COLLECT | ND_ROLE_SCORE;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 40); /* a training is due */
    HOST_UNTIL(host_status(fixture).scopes[0].due);
    host_pause(1000);
    assert_int_equal(trainings_of(fixture->host), 0);
    assert_int_equal(host_score(fixture, NULL, ND_SPAM, 900).generation, 0);
    fixture->options.roles = ND_ROLE_TRAIN;
    fixture->options.spool = NULL; /* one owner a spool */
    struct nd_host *trainer = host_start_other(fixture);
    HOST_UNTIL(trainings_of(trainer) > 0);
    HOST_UNTIL(host_score(fixture, NULL, ND_SPAM, 900).generation > 0);
    assert_int_equal(trainings_of(fixture->host), 0);
}

/* ---- S20 ---- */

static size_t count_models(struct host_fixture *fixture, struct nd_store *store)
{
    struct nd_scope scope = scope_of(fixture);
    struct nd_model_info *models;
    struct nd_error error = {""};
    size_t count;
    must(nd_store_model_list(store, &scope, &error, &models, &count), &error);
    free(models);
    return count;
}

static void seed_s20_who_trains_also_cleans_up(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_store *store = open_own(fixture);
    struct fixture view = {.store = store, .rule = fixture->rules[0]};
    fixture->rules[0].ann_expire_ms = 1;
    fixture->options.maintain_interval_ms = 200;
    (void)peers_publish(&view, "first", 5);
    (void)peers_publish(&view, "second", 6);
    (void)peers_publish(&view, "third", 5);
    assert_int_equal(count_models(fixture, store), 3);
    fixture->options.roles = ND_ROLE_COLLECT | ND_ROLE_SCORE;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).store == ND_HOST_STORE_UP);
    host_pause(1000);
    assert_int_equal(count_models(fixture, store), 3);
    fixture->options.roles = ND_ROLE_ALL;
    host_start(fixture);
    HOST_UNTIL(count_models(fixture, store) == 1); /* the live one stays */
    host_await(fixture, ND_HOST_MAINTAINED, 1);
    nd_host_stop(&fixture->host);
    nd_store_close(&store);
}

/* ---- a ---- */

/* There the mark of a training was set in one place and cleared in another:
 * the lock was extended for ever, and nothing was trained until a restart. */
static void seed_defect_a_after_a_training_comes_the_next(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_store *store = open_own(fixture);
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    for (uint32_t i = 0; i < 3; i++) {
        size_t ended = host_events(fixture, ND_HOST_TRAINING_ENDED);
        host_learn_both(fixture, 100 * i, 60);
        host_await(fixture, ND_HOST_TRAINING_ENDED, ended + 1);
    }
    fixture->rules[0].train_after = 1000000; /* no more of them */
    struct nd_error error = {""};
    must(nd_host_reload(fixture->host, fixture->rules, 1, &error), &error);
    HOST_UNTIL(host_status(fixture).running_job == 0 &&
               lease_of(fixture, store).token == 0);
    host_pause(300);
    assert_int_equal(lease_of(fixture, store).token, 0);
    assert_true(trainings_of(fixture->host) >= 3);
    nd_store_close(&store);
}

int main(int argc, char **argv)
{
    int answer = seed_main(argc, argv);
    if (answer >= 0) {
        return answer;
    }
    const struct CMUnitTest tests[] = {
        SEED_HOST_TEST(seed_s11_the_lease_is_extended_while_the_child_gets_on),
        SEED_HOST_TEST(seed_s11_a_child_that_hangs_extends_nothing),
        SEED_HOST_TEST(seed_s16_what_is_trained_here_is_not_trained_again),
        SEED_HOST_TEST(
            seed_s19_every_host_takes_new_models_and_only_trainers_train),
        SEED_HOST_TEST(seed_s20_who_trains_also_cleans_up),
        SEED_HOST_TEST(seed_defect_a_after_a_training_comes_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
