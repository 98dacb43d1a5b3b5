/* SPDX-License-Identifier: Apache-2.0
 *
 * A host on its own store: it learns, trains, takes up models, scores, and is
 * told new rules.
 */
#include "host_fixture.h"

#include <stdlib.h>

#include "base/memory.h"
#include "learn/host_private.h"
#include "misbehave.h"

/* ---- the whole way ---- */

static void it_learns_trains_when_due_and_scores(void **state)
{
    struct host_fixture *fixture = *state;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    assert_int_equal(host_score(fixture, NULL, ND_SPAM, 900).kind, ND_UNSURE);
    assert_int_equal(host_counters(fixture).scored_blind, 1);
    host_learn_both(fixture, 0, 40);
    host_await(fixture, ND_HOST_TRAINING_ENDED, 1);
    host_await(fixture, ND_HOST_MODEL_TAKEN, 1);
    struct nd_verdict verdict = host_score(fixture, NULL, ND_SPAM, 900);
    assert_true(verdict.generation > 0);
    assert_true(verdict.probability > 0.5);
    assert_true(host_score(fixture, NULL, ND_HAM, 900).probability < 0.5);
    struct nd_host_counters counters = host_counters(fixture);
    assert_int_equal(counters.learned[ND_PUT_STORED], 80);
    assert_true(counters.trainings[ND_DECISION_PROMOTED] >= 1);
    assert_true(counters.models_taken >= 1);
    assert_int_equal(counters.store_lost, 0);
}

static void the_status_shows_it_without_asking_the_store(void **state)
{
    struct host_fixture *fixture = *state;
    host_start(fixture);
    assert_int_equal(host_status(fixture).scope_count, 1); /* from the start */
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 40);
    host_await(fixture, ND_HOST_MODEL_TAKEN, 1);
    HOST_UNTIL(host_status(fixture).scopes[0].journal_count > 0);
    struct nd_host_status status = host_status(fixture);
    const struct nd_host_scope_status *scope = &status.scopes[0];
    assert_int_equal(status.store, ND_HOST_STORE_UP);
    assert_string_equal(scope->rule, "short");
    assert_string_equal(scope->settings, "default");
    assert_int_equal(scope->stats.count[ND_SPAM], 40);
    assert_int_equal(scope->stats.sources[ND_HAM][ND_SOURCE_USER], 40);
    assert_int_equal(scope->journal[0].decision, ND_DECISION_PROMOTED);
    assert_true(scope->journal[0].reason[0] != '\0');
    assert_int_equal(scope->loaded_generation, scope->pointer.generation);
    assert_int_equal(scope->model_count, 1);
    assert_int_equal(scope->host_count, 1);
    assert_string_equal(scope->model_problem, "");
    assert_true(scope->due_text[0] != '\0');
}

static void a_message_is_explained(void **state)
{
    struct host_fixture *fixture = *state;
    const struct nd_host_verdict *verdicts;
    struct nd_error error = {""};
    size_t count;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 40);
    host_await(fixture, ND_HOST_MODEL_TAKEN, 1);
    struct nd_host_mail mail = {
        .message = make_message(fixture->arena, ND_SPAM, 900, 0.9)};
    must(nd_host_score(fixture->host, &mail, 5, fixture->arena, &error,
                       &verdicts, &count),
         &error);
    assert_int_equal(count, 1);
    assert_int_equal(verdicts[0].reason_count, 5);
    assert_true(verdicts[0].reasons[0].name[0] != '\0');
}

/* ---- forgetting and relabelling ---- */

static void one_message_is_relabelled_and_forgotten(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_host_results results;
    struct nd_error error = {""};
    struct nd_claim claim = {ND_HAM, ND_SOURCE_USER, 0};
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    const struct nd_message *message =
        make_message(fixture->arena, ND_SPAM, 7, 0.8);
    struct nd_host_sample sample = {.choice = {NULL, NULL}};
    memcpy(sample.identity, message->identity, sizeof sample.identity);
    must(nd_host_relabel(fixture->host, &sample, &claim, 0, fixture->arena,
                         &error, &results),
         &error);
    assert_int_equal(results.of[0].outcome, ND_HOST_REFUSED);
    assert_int_equal(results.of[0].status, ND_NO_INPUT);
    assert_int_equal(host_learn(fixture, ND_SPAM, 7, 0), ND_OK);
    must(nd_host_relabel(fixture->host, &sample, &claim, 0, fixture->arena,
                         &error, &results),
         &error);
    assert_int_equal(results.of[0].outcome, ND_HOST_DONE);
    assert_int_equal(results.of[0].put.outcome, ND_PUT_RELABELLED);
    assert_int_equal(host_stats(fixture).count[ND_HAM], 1);
    must(nd_host_forget(fixture->host, &sample, 0, 0, fixture->arena, &error,
                        &results),
         &error);
    assert_true(results.of[0].existed);
    assert_int_equal(host_stats(fixture).count[ND_HAM], 0);
    assert_int_equal(host_counters(fixture).forgotten, 1);
    assert_int_equal(host_counters(fixture).relabelled, 1);
}

/* However quickly they come: the later label is the newer one. */
static void labels_of_one_message_never_share_a_time(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_error error = {""};
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    struct nd_host_mail mail = {
        .message = make_message(fixture->arena, ND_SPAM, 1, 0.8)};
    for (int i = 0; i < 50; i++) {
        struct nd_host_results results;
        struct nd_lesson lesson = {.label = i % 2 ? ND_SPAM : ND_HAM,
                                   .source = ND_SOURCE_USER};
        must(nd_host_learn(fixture->host, &mail, &lesson, 0, fixture->arena,
                           &error, &results),
             &error);
        assert_int_equal(results.of[0].put.outcome,
                         i == 0 ? ND_PUT_STORED : ND_PUT_RELABELLED);
    }
    assert_int_equal(host_stats(fixture).count[ND_SPAM], 1);
    assert_int_equal(host_stats(fixture).count[ND_HAM], 0);
}

/* ---- whose ---- */

static void several_rules_learn_by_their_settings(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_host_results results;
    struct nd_error error = {""};
    struct nd_lesson lesson = {.label = ND_SPAM, .source = ND_SOURCE_USER};
    (void)snprintf(fixture->rules[2].settings, ND_NAME_BYTES, "outbound");
    fixture->options.rule_count = 3;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    struct nd_host_mail mail = {
        .message = make_message(fixture->arena, ND_SPAM, 1, 0.8)};
    static const struct {
        struct nd_host_choice choice;
        size_t count;
        const char *first;
        uint64_t unknown; /* so far */
    } cases[] = {
        {{NULL, NULL}, 2, "short", 0},
        {{NULL, "default"}, 2, "short", 0},
        {{NULL, "outbound"}, 1, "other", 0},
        {{NULL, "nobody"}, 2, "short", 1},
        {{"long", NULL}, 1, "long", 1},
        {{"other", "outbound"}, 1, "other", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mail.choice = cases[i].choice;
        must(nd_host_learn(fixture->host, &mail, &lesson, 0, fixture->arena,
                           &error, &results),
             &error);
        assert_int_equal(results.count, cases[i].count);
        assert_string_equal(results.of[0].rule, cases[i].first);
        assert_int_equal(host_counters(fixture).settings_unknown,
                         cases[i].unknown);
    }
    mail.choice = (struct nd_host_choice){"nobody", NULL};
    assert_int_equal(nd_host_learn(fixture->host, &mail, &lesson, 0,
                                   fixture->arena, &error, &results),
                     ND_NO_INPUT);
}

/* Of two rules the first one's answer is lost, and the second one's turn comes
 * while the store is not tried: the caller hears of what counts. */
static void what_may_have_happened_is_told_before_what_did_not(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_host_results results;
    struct nd_error error = {""};
    struct nd_host_sample sample = {.choice = {NULL, NULL}};
    char url[sizeof fixture->url];
    (void)snprintf(url, sizeof url, "faulty:forget@1+=lost-answer:%.200s",
                   fixture->url);
    memcpy(fixture->url, url, sizeof url);
    fixture->options.rule_count = 2;
    fixture->options.spool = NULL;
    assert_int_equal(setenv("NEURALD_TEST_FAULTS", "1", 1), 0);
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    assert_int_equal(nd_host_forget(fixture->host, &sample, 1, 0,
                                    fixture->arena, &error, &results),
                     ND_UNCERTAIN);
    assert_string_equal(error.text, "a fault: the answer was lost");
    assert_int_equal(unsetenv("NEURALD_TEST_FAULTS"), 0);
}

static void a_role_that_it_has_not_is_refused(void **state)
{
    struct host_fixture *fixture = *state;
    const struct nd_host_verdict *verdicts;
    struct nd_error error = {""};
    struct nd_host_mail nothing = {.message = NULL};
    size_t count;
    uint64_t id;
    fixture->options.roles = ND_ROLE_SCORE;
    host_start(fixture);
    assert_int_equal(host_learn(fixture, ND_SPAM, 1, 0), ND_PERMISSION);
    assert_int_equal(nd_host_train(fixture->host, NULL, true, &error, &id),
                     ND_PERMISSION);
    assert_int_equal(host_score(fixture, NULL, ND_SPAM, 1).kind, ND_UNSURE);
    fixture->options.roles = ND_ROLE_COLLECT;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 30); /* due, but nobody trains */
    assert_int_equal(nd_host_score(fixture->host, &nothing, 0, fixture->arena,
                                   &error, &verdicts, &count),
                     ND_PERMISSION);
    host_pause(1500);
    assert_int_equal(host_events(fixture, ND_HOST_TRAINING_STARTED), 0);
    fixture->options.roles = ND_ROLE_TRAIN;
    host_start(fixture);
    host_await(fixture, ND_HOST_TRAINING_ENDED, 1);
    assert_int_equal(host_events(fixture, ND_HOST_MODEL_TAKEN), 0);
}

static void mistakes_of_the_configuration_fail(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_host *host = NULL;
    struct nd_error error = {""};
    struct nd_host_options options = fixture->options;
    options.rule_count = 0;
    assert_int_equal(nd_host_create(&options, &error, &host), ND_CONFIG);
    options.rule_count = 2;
    memcpy(fixture->rules[1].name, fixture->rules[0].name, ND_NAME_BYTES);
    assert_int_equal(nd_host_create(&options, &error, &host), ND_CONFIG);
    options.rule_count = 1;
    options.store = "mysql:nowhere";
    assert_int_equal(nd_host_create(&options, &error, &host), ND_CONFIG);
    options.store = "redis://host/?nonsense=1";
    assert_int_equal(nd_host_create(&options, &error, &host), ND_CONFIG);
    options.store = fixture->url;
    options.roles = 8;
    assert_int_equal(nd_host_create(&options, &error, &host), ND_CONFIG);
    options.roles = 0;
    options.spool = "/nonexistent/folder/spool";
    assert_int_equal(nd_host_create(&options, &error, &host), ND_NO_INPUT);
    assert_null(host);
}

/* ---- questions ---- */

static enum nd_status count_samples_of(struct nd_store *store, void *context,
                                       struct nd_error *error)
{
    struct nd_scope scope = {"short", "default"};
    return nd_store_stats(store, &scope, error, context);
}

static enum nd_status refuse(struct nd_store *store, void *context,
                             struct nd_error *error)
{
    (void)store;
    (void)context;
    return nd_fail(error, ND_SUPERSEDED, "as asked");
}

static void questions_are_answered_by_the_store(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_store_stats stats;
    struct nd_error error = {""};
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    assert_int_equal(host_learn(fixture, ND_SPAM, 1, 0), ND_OK);
    must(nd_host_ask(fixture->host, count_samples_of, &stats, 0, &error),
         &error);
    assert_int_equal(stats.count[ND_SPAM], 1);
    assert_int_equal(nd_host_ask(fixture->host, refuse, NULL, 0, &error),
                     ND_SUPERSEDED);
    assert_string_equal(error.text, "as asked");
}

/* ---- new rules ---- */

static void a_reload_keeps_models_and_changes_the_rest(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_error error = {""};
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 40);
    host_await(fixture, ND_HOST_MODEL_TAKEN, 1);
    uint64_t generation = host_score(fixture, NULL, ND_SPAM, 1).generation;
    fixture->rules[0].mode = ND_MODE_OBSERVE;
    must(nd_host_reload(fixture->host, fixture->rules, 2, &error), &error);
    struct nd_verdict verdict = host_score(fixture, NULL, ND_SPAM, 1);
    assert_true(verdict.generation >= generation); /* without a gap */
    assert_true(verdict.weight == 0);
    struct nd_host_choice second = {"long", NULL};
    assert_int_equal(host_score(fixture, &second, ND_SPAM, 1).generation, 0);
    HOST_UNTIL(host_status(fixture).scope_count == 2);
    assert_int_equal(nd_host_reload(fixture->host, fixture->rules, 0, &error),
                     ND_CONFIG);
    assert_int_equal(host_learn(fixture, ND_SPAM, 700, 0), ND_OK);
    assert_int_equal(host_events(fixture, ND_HOST_RELOADED), 1);
}

/* ---- trainings ---- */

static void a_job_tells_how_far_it_is(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_error error = {""};
    struct nd_host_job job;
    uint64_t id, same;
    fixture->rules[0].train_after = 100000; /* never by itself */
    host_start(fixture);
    must(nd_host_train(fixture->host, NULL, true, &error, &id), &error);
    HOST_UNTIL(host_job(fixture, id).state == ND_HOST_JOB_ENDED);
    assert_int_equal(host_job(fixture, id).status, ND_NOTHING);
    assert_true(host_job(fixture, id).text[0] != '\0');
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 100);
    must(nd_host_train(fixture->host, NULL, true, &error, &id), &error);
    must(nd_host_train(fixture->host, NULL, true, &error, &same), &error);
    assert_int_equal(id, same);
    HOST_UNTIL(host_job(fixture, id).state == ND_HOST_JOB_ENDED);
    job = host_job(fixture, id);
    assert_int_equal(job.status, ND_OK);
    assert_int_equal(job.report.decision, ND_DECISION_PROMOTED);
    assert_true(job.done == 1);
    assert_true(job.started_ms > 0 && job.ended_ms >= job.started_ms);
    assert_int_equal(nd_host_job(fixture->host, id + 1, &error, &job),
                     ND_NO_INPUT);
    HOST_UNTIL(host_score(fixture, NULL, ND_SPAM, 1).generation ==
               job.report.generation);
}

static void two_hosts_train_once(void **state)
{
    struct host_fixture *fixture = *state;
    fixture->rules[0].train_interval_ms = 3600000;
    host_start(fixture);
    host_start_other(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 60);
    host_await(fixture, ND_HOST_MODEL_TAKEN, 2); /* both have it */
    host_pause(2500);
    struct nd_host_counters one = host_counters(fixture), other;
    nd_host_counters(fixture->other, &other);
    assert_int_equal(one.trainings[ND_DECISION_PROMOTED] +
                         other.trainings[ND_DECISION_PROMOTED],
                     1);
    assert_int_equal(one.trainings[ND_DECISION_FAILED] +
                         other.trainings[ND_DECISION_FAILED],
                     0);
}

static void stopping_in_mid_training_is_quick_and_leaves_no_lease(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_error error = {""};
    struct nd_store *store;
    struct nd_lease lease;
    struct nd_scope scope = {"short", "default"};
    uint64_t id;
    fixture->rules[0].train_after = 100000;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 30);
    misbehave_like("hang");
    must(nd_host_train(fixture->host, NULL, true, &error, &id), &error);
    HOST_UNTIL(host_job(fixture, id).done > 0);
    HOST_UNTIL(host_status(fixture).running_job == id);
    int64_t begun_us = nd_clock_monotonic_us();
    nd_host_stop(&fixture->host);
    assert_true(nd_clock_monotonic_us() - begun_us < 5000000);
    misbehave_like(NULL);
    must(nd_store_open(fixture->url, NULL, &error, &store), &error);
    assert_int_equal(nd_store_lease_show(store, &scope, &error, &lease),
                     ND_NOTHING);
    nd_store_close(&store);
}

/* ---- the first look ---- */

/* A daemon's threads may be in the middle of a call when its host is halted. */
static void a_halted_host_gives_verdicts_and_takes_nothing(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_error error = {""};
    uint64_t id = 0;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 40);
    host_await(fixture, ND_HOST_MODEL_TAKEN, 1);
    nd_host_halt(fixture->host);
    nd_host_halt(fixture->host);
    assert_true(host_score(fixture, NULL, ND_SPAM, 500).probability > 0.5);
    assert_int_equal(host_learn(fixture, ND_SPAM, 501, 0), ND_CANCELLED);
    assert_int_equal(nd_host_ask(fixture->host, refuse, NULL, 0, &error),
                     ND_CANCELLED);
    assert_int_equal(nd_host_train(fixture->host, NULL, true, &error, &id),
                     ND_CANCELLED);
    nd_host_refresh(fixture->host);
    assert_true(host_status(fixture).has_key);
    assert_int_equal(host_stats(fixture).count[ND_SPAM], 40);
}

static void after_the_first_look_the_model_is_there(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_host *host = host_start(fixture);
    assert_true(nd_host_await_look(host, 60000));
    assert_true(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 40);
    host_await(fixture, ND_HOST_MODEL_TAKEN, 1);
    host = host_start(fixture);
    assert_true(nd_host_await_look(host, 60000));
    assert_true(host_score(fixture, NULL, ND_SPAM, 900).generation > 0);
    assert_true(nd_host_await_look(host, 0));
}

/* ---- upkeep ---- */

static void old_models_expire_and_the_live_one_stays(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_error error = {""};
    fixture->rules[0].train_after = 100000;
    fixture->rules[0].ann_expire_ms = 1;
    fixture->options.maintain_interval_ms = 3600000;
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 100);
    uint64_t id;
    for (int i = 0; i < 2; i++) {
        must(nd_host_train(fixture->host, NULL, true, &error, &id), &error);
        HOST_UNTIL(host_job(fixture, id).state == ND_HOST_JOB_ENDED);
        assert_int_equal(host_job(fixture, id).report.decision,
                         ND_DECISION_PROMOTED);
    }
    uint64_t live = host_job(fixture, id).report.generation;
    HOST_UNTIL(host_status(fixture).scopes[0].model_count == 2);
    fixture->options.maintain_interval_ms = 200;
    host_start(fixture);
    host_await(fixture, ND_HOST_MAINTAINED, 1);
    HOST_UNTIL(host_status(fixture).scopes[0].model_count == 1);
    assert_int_equal(host_status(fixture).scopes[0].models[0].generation, live);
}

/* The store does not take the end of a training that failed, so the lease
 * stays; it is the same host's that asks again. */
static void a_lease_that_could_not_be_given_back_is_taken_up_again(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_error error = {""};
    char faulty[300];
    uint64_t id;
    fixture->rules[0].train_after = 1000000; /* only when it is asked to */
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    host_learn_both(fixture, 0, 60);
    assert_int_equal(setenv("NEURALD_TEST_FAULTS", "1", 1), 0);
    (void)snprintf(faulty, sizeof faulty, "faulty:training_finish@1+=%s:%s",
                   "unavailable", fixture->options.store);
    fixture->options.store = faulty;
    nd_host_stop(&fixture->host);
    misbehave_like("failure");
    host_start(fixture);
    must(nd_host_train(fixture->host, NULL, true, &error, &id), &error);
    HOST_UNTIL(host_job(fixture, id).state == ND_HOST_JOB_ENDED);
    misbehave_like(NULL);
    assert_int_equal(host_job(fixture, id).status, ND_UNAVAILABLE);
    must(nd_host_train(fixture->host, NULL, true, &error, &id), &error);
    HOST_UNTIL(host_job(fixture, id).state == ND_HOST_JOB_ENDED);
    assert_int_equal(host_job(fixture, id).status, ND_OK);
    assert_int_equal(host_job(fixture, id).report.decision,
                     ND_DECISION_PROMOTED);
    nd_host_stop(&fixture->host);
    assert_int_equal(unsetenv("NEURALD_TEST_FAULTS"), 0);
}

/* A short lease is 5 s: a host must have tried again by then. */
static void a_store_that_is_long_away_is_tried_again_soon(void **state)
{
    struct host_fixture *fixture = *state;
    struct nd_host_line line;
    struct nd_error error = {"away"};
    host_start(fixture);
    HOST_UNTIL(host_status(fixture).has_key);
    nd_host_line_init(&line, fixture->host);
    line.silent = true; /* the host's own lines have their store */
    for (int i = 0; i < 100; i++) {
        (void)nd_host_line_note(&line, ND_UNAVAILABLE, &error);
        assert_in_range(nd_host_line_wait_us(&line), 1, 1500000);
    }
    nd_host_line_close(&line);
}

int main(int argc, char **argv)
{
    int answer = misbehave_main(argc, argv);
    if (answer >= 0) {
        return answer;
    }
    const struct CMUnitTest tests[] = {
        HOST_TEST(it_learns_trains_when_due_and_scores),
        HOST_TEST(the_status_shows_it_without_asking_the_store),
        HOST_TEST(a_message_is_explained),
        HOST_TEST(one_message_is_relabelled_and_forgotten),
        HOST_TEST(labels_of_one_message_never_share_a_time),
        HOST_TEST(several_rules_learn_by_their_settings),
        HOST_TEST(what_may_have_happened_is_told_before_what_did_not),
        HOST_TEST(a_role_that_it_has_not_is_refused),
        HOST_TEST(mistakes_of_the_configuration_fail),
        HOST_TEST(questions_are_answered_by_the_store),
        HOST_TEST(a_reload_keeps_models_and_changes_the_rest),
        HOST_TEST(a_job_tells_how_far_it_is),
        HOST_TEST(two_hosts_train_once),
        HOST_TEST(stopping_in_mid_training_is_quick_and_leaves_no_lease),
        HOST_TEST(a_halted_host_gives_verdicts_and_takes_nothing),
        HOST_TEST(after_the_first_look_the_model_is_there),
        HOST_TEST(a_lease_that_could_not_be_given_back_is_taken_up_again),
        HOST_TEST(a_store_that_is_long_away_is_tried_again_soon),
        HOST_TEST(old_models_expire_and_the_live_one_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
