/* SPDX-License-Identifier: Apache-2.0
 *
 * What autolearn takes and what it leaves (S9).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "fixture.h"

struct answer {
    enum nd_status status;
    struct nd_lesson lesson;
    enum nd_refusal reason;
};

static struct answer ask(struct fixture *fixture,
                         const struct nd_message *message,
                         const struct nd_scan *scan)
{
    struct answer answer = {0};
    if (fixture->engine == NULL) {
        make_engine(fixture);
    }
    answer.status = nd_engine_autolearn(fixture->engine, message, scan,
                                        &answer.lesson, &answer.reason);
    return answer;
}

static void assert_label(struct answer answer, enum nd_class label)
{
    assert_int_equal(answer.status, ND_OK);
    assert_int_equal(answer.lesson.label, label);
    assert_int_equal(answer.lesson.source, ND_SOURCE_AUTOLEARN);
}

static void assert_left(struct answer answer, enum nd_refusal reason)
{
    assert_int_equal(answer.status, ND_NOTHING);
    assert_int_equal(answer.reason, reason);
}

static const char *const plain[] = {"BAYES_99", "URIBL", NULL};

static void autolearn_is_off_unless_asked_for(void **state)
{
    struct fixture *fixture = *state;
    struct nd_scan scan = make_scan(fixture->arena, plain, 90);
    fixture->rule.has_spam_score = true;
    fixture->rule.spam_score = 10;
    assert_left(ask(fixture, NULL, &scan), ND_REFUSED_NONE);
}

static void seed_s09_scores_beyond_the_limits_are_learned(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.autolearn = true;
    fixture->rule.has_spam_score = true;
    fixture->rule.spam_score = 10;
    fixture->rule.has_ham_score = true;
    fixture->rule.ham_score = -1;
    struct nd_scan scan = make_scan(fixture->arena, plain, 10);
    assert_label(ask(fixture, NULL, &scan), ND_SPAM);
    scan.score = 9.9;
    assert_left(ask(fixture, NULL, &scan), ND_REFUSED_NO_VERDICT);
    scan.score = -1;
    assert_label(ask(fixture, NULL, &scan), ND_HAM);
}

static void seed_s09_our_own_part_of_the_score_does_not_count(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"BAYES_99", "NEURALD_SPAM", NULL};
    fixture->rule.autolearn = true;
    fixture->rule.has_spam_score = true;
    fixture->rule.spam_score = 10;
    struct nd_scan scan = make_scan(fixture->arena, names, 12);
    ((struct nd_scan_symbol *)(uintptr_t)scan.symbols)[1].score = 3;
    assert_left(ask(fixture, NULL, &scan), ND_REFUSED_NO_VERDICT);
    scan.score = 13;
    assert_label(ask(fixture, NULL, &scan), ND_SPAM);
}

static void symbols_under_the_rules_own_names_are_ours_too(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"SHORT_SPAM", NULL};
    free(fixture->rule.symbol_spam);
    fixture->rule.symbol_spam = nd_strdup("SHORT_SPAM");
    fixture->rule.autolearn = true;
    fixture->rule.has_spam_score = true;
    fixture->rule.spam_score = 10;
    struct nd_scan scan = make_scan(fixture->arena, names, 10.5);
    assert_left(ask(fixture, NULL, &scan), ND_REFUSED_NO_VERDICT);
}

/* SpamAssassin's X-Spam-Status names symbols without scores. */
static void where_our_part_is_unknown_nothing_is_learned(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"BAYES_99", "NEURALD_SPAM", NULL};
    fixture->rule.autolearn = true;
    struct nd_scan scan = make_scan(fixture->arena, names, 40);
    struct nd_scan_symbol *symbols =
        (struct nd_scan_symbol *)(uintptr_t)scan.symbols;
    symbols[1].has_score = false;
    scan.verdict = ND_SCAN_SPAM;
    assert_left(ask(fixture, NULL, &scan), ND_REFUSED_NO_VERDICT);
    scan.has_score = false;
    assert_left(ask(fixture, NULL, &scan), ND_REFUSED_NO_VERDICT);
    scan.count = 1;
    assert_label(ask(fixture, NULL, &scan), ND_SPAM);
}

static void without_limits_the_filters_verdict_decides(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.autolearn = true;
    struct nd_scan scan = make_scan(fixture->arena, plain, 8);
    scan.required = 5;
    assert_left(ask(fixture, NULL, &scan), ND_REFUSED_NO_VERDICT);
    scan.verdict = ND_SCAN_SPAM;
    assert_label(ask(fixture, NULL, &scan), ND_SPAM);
    scan.verdict = ND_SCAN_HAM;
    scan.score = 2;
    assert_left(ask(fixture, NULL, &scan), ND_REFUSED_NO_VERDICT);
    scan.score = -0.5;
    assert_label(ask(fixture, NULL, &scan), ND_HAM);
}

static void a_verdict_that_our_part_made_is_not_learned(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"BAYES_50", "NEURALD_SPAM", NULL};
    fixture->rule.autolearn = true;
    struct nd_scan scan = make_scan(fixture->arena, names, 5.5);
    scan.verdict = ND_SCAN_SPAM;
    scan.required = 5;
    assert_left(ask(fixture, NULL, &scan), ND_REFUSED_NO_VERDICT);
}

static void mail_of_authenticated_users_is_not_learned(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.autolearn = true;
    struct nd_scan scan = make_scan(fixture->arena, plain, -9);
    struct nd_message message = *make_message(fixture->arena, ND_HAM, 1, 0.9);
    assert_label(ask(fixture, &message, &scan), ND_HAM);
    message.authenticated_user = true;
    assert_left(ask(fixture, &message, &scan), ND_REFUSED_AUTHENTICATED);
}

static void findings_that_the_message_carries_are_used(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.autolearn = true;
    struct nd_message message = *make_message(fixture->arena, ND_HAM, 1, 0.9);
    assert_left(ask(fixture, &message, NULL), ND_REFUSED_NO_VERDICT);
    message.scan = make_scan(fixture->arena, plain, -3);
    assert_label(ask(fixture, &message, NULL), ND_HAM);
}

static void a_score_that_is_no_number_is_not_learned(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.autolearn = true;
    struct nd_scan scan = make_scan(fixture->arena, plain, NAN);
    assert_left(ask(fixture, NULL, &scan), ND_REFUSED_NOT_FINITE);
    assert_left(ask(fixture, NULL, NULL), ND_REFUSED_NO_VERDICT);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(autolearn_is_off_unless_asked_for),
        TEST(seed_s09_scores_beyond_the_limits_are_learned),
        TEST(seed_s09_our_own_part_of_the_score_does_not_count),
        TEST(symbols_under_the_rules_own_names_are_ours_too),
        TEST(where_our_part_is_unknown_nothing_is_learned),
        TEST(without_limits_the_filters_verdict_decides),
        TEST(a_verdict_that_our_part_made_is_not_learned),
        TEST(mail_of_authenticated_users_is_not_learned),
        TEST(findings_that_the_message_carries_are_used),
        TEST(a_score_that_is_no_number_is_not_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
