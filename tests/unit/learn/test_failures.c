/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole trainings with children that go wrong: the parent lives on, the lease
 * is given back, the reason is recorded, and the next training works.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "fixture.h"
#include "misbehave.h"

static void assert_survives(struct fixture *fixture, const char *manner,
                            const char *words)
{
    size_t count;
    struct nd_training_report report;
    struct nd_error error = {""};
    misbehave_like(manner);
    must(nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
         &error);
    misbehave_like(NULL);
    assert_int_equal(report.decision, ND_DECISION_FAILED);
    const struct nd_journal_entry *entries = journal(fixture, &count);
    assert_int_equal(entries[0].decision, ND_DECISION_FAILED);
    assert_string_equal(entries[0].reason, report.reason);
    if (strstr(report.reason, words) == NULL) {
        fail_msg("%s: \"%s\" lacks \"%s\"", manner, report.reason, words);
    }
    assert_int_equal(live_generation(fixture), 0);
    assert_idle(fixture);
}

/* Also the peers' defects rspamd 3d1f36210 (a child that answers nothing) and
 * S10: every failure on the way gives the lease back. */
static void seed_s10_every_failure_of_the_child_gives_the_lease_back(
    void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.lease_ms = 3000;
    fixture->rule.train_time_ms = 4000;
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    assert_survives(fixture, "die", "exit status 7");
    assert_survives(fixture, "silence", "without an answer");
    assert_survives(fixture, "rubbish", "no valid frame");
    assert_survives(fixture, "hang", "no progress");
    assert_survives(fixture, "stubborn", "no progress");
    assert_survives(fixture, "cut", "without an answer");
    assert_survives(fixture, "oversize", "no valid frame");
    assert_survives(fixture, "backward", "does not rise");
    assert_survives(fixture, "early end", "");
    assert_survives(fixture, "failure", "the loss stopped being a number");
    assert_survives(fixture, "abort", "signal 6");
    assert_survives(fixture, "wrong order", "where 17 was due");
    assert_survives(fixture, "wrong count", "judged 25 samples of 24");
    assert_survives(fixture, "broken model", "");
    assert_survives(fixture, "busy", "train_time");
    /* And after all that it still trains (defect a). */
    fixture->rule.lease_ms = 20000;
    fixture->rule.train_time_ms = 60000;
    make_engine(fixture);
    assert_int_equal(train(fixture).decision, ND_DECISION_PROMOTED);
    assert_int_equal(count_samples(fixture, ND_SPAM), 60);
}

static void the_memory_limit_of_the_rule_holds(void **state)
{
    if (has_shadow_memory()) {
        skip();
    }
    struct fixture *fixture = *state;
    fixture->rule.train_memory_bytes = 2 << 20;
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    struct nd_training_report report = train(fixture);
    assert_int_equal(report.decision, ND_DECISION_FAILED);
    assert_non_null(strstr(report.reason, "train_memory"));
    assert_idle(fixture);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(int argc, char **argv)
{
    int answer = misbehave_main(argc, argv);
    if (answer >= 0) {
        return answer;
    }
    const struct CMUnitTest tests[] = {
        TEST(seed_s10_every_failure_of_the_child_gives_the_lease_back),
        TEST(the_memory_limit_of_the_rule_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
