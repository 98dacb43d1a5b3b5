/* SPDX-License-Identifier: Apache-2.0
 *
 * The decisions that need no store, each against a table of its own.
 */
#include "store/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum nd_action claim(enum nd_fate fate, struct nd_claim before,
                            struct nd_claim after, enum nd_refusal *reason)
{
    struct nd_known known = {fate, before.label, before.source,
                             before.label_ms};
    *reason = ND_REFUSED_NONE;
    return nd_rules_claim(&known, &after, reason);
}

static const struct nd_claim spam_by_api = {ND_SPAM, ND_SOURCE_API, 100};

static void an_unknown_identity_is_stored(void **state)
{
    enum nd_refusal reason;
    (void)state;
    assert_int_equal(claim(ND_FATE_UNKNOWN, spam_by_api, spam_by_api, &reason),
                     ND_ACTION_STORE);
}

static void labels_are_believed_by_rank_then_by_time(void **state)
{
    enum nd_refusal reason;
    (void)state;
    for (int source = 0; source < ND_SOURCE_COUNT; source++) {
        for (int64_t time = 99; time <= 101; time++) {
            struct nd_claim ham = {ND_HAM, (enum nd_source)source, time};
            bool wins = source > ND_SOURCE_API ||
                        (source == ND_SOURCE_API && time > 100);
            assert_int_equal(claim(ND_FATE_PRESENT, spam_by_api, ham, &reason),
                             wins ? ND_ACTION_RELABEL : ND_ACTION_REFUSE);
            if (!wins)
                assert_int_equal(reason, source == ND_SOURCE_API
                                             ? ND_REFUSED_OLDER
                                             : ND_REFUSED_RANK);
            assert_int_equal(claim(ND_FATE_CONSUMED, spam_by_api, ham, &reason),
                             wins ? ND_ACTION_STORE : ND_ACTION_REFUSE);
            assert_int_equal(claim(ND_FATE_REPLACED, spam_by_api, ham, &reason),
                             wins ? ND_ACTION_STORE : ND_ACTION_REFUSE);
        }
    }
}

static void the_same_label_only_gains_rank(void **state)
{
    enum nd_refusal reason;
    (void)state;
    struct nd_claim better = {ND_SPAM, ND_SOURCE_USER, 1};
    struct nd_claim worse = {ND_SPAM, ND_SOURCE_AUTOLEARN, 900};
    assert_int_equal(claim(ND_FATE_PRESENT, spam_by_api, better, &reason),
                     ND_ACTION_RELABEL);
    assert_int_equal(claim(ND_FATE_PRESENT, spam_by_api, worse, &reason),
                     ND_ACTION_KEEP);
    assert_int_equal(claim(ND_FATE_CONSUMED, spam_by_api, better, &reason),
                     ND_ACTION_KEEP);
    assert_int_equal(claim(ND_FATE_REPLACED, spam_by_api, worse, &reason),
                     ND_ACTION_KEEP);
}

static void what_was_forgotten_comes_back_by_a_later_label_only(void **state)
{
    const enum nd_fate fates[] = {ND_FATE_FORGOTTEN, ND_FATE_FORGOTTEN_ABSENT};
    enum nd_refusal reason;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct nd_claim later = {ND_HAM, ND_SOURCE_AUTOLEARN, 101};
        struct nd_claim same = {ND_SPAM, ND_SOURCE_USER, 100};
        assert_int_equal(claim(fates[i], spam_by_api, later, &reason),
                         ND_ACTION_STORE);
        assert_int_equal(claim(fates[i], spam_by_api, same, &reason),
                         ND_ACTION_REFUSE);
        assert_int_equal(reason, ND_REFUSED_FORGOTTEN);
    }
}

/* lim = 1.1 * max_trains; spam: ham <= lim and ham + 1 >= spam. */
static void balanced_follows_the_seeds_formula(void **state)
{
    (void)state;
    const uint64_t limits[] = {1, 10, 1000};
    for (size_t i = 0; i < 3; i++) {
        double lim = 1.1 * (double)limits[i];
        for (uint64_t ham = 0; ham < 1300; ham += 1 + ham / 9) {
            for (uint64_t spam = 0; spam < 1300; spam += 1 + spam / 9) {
                const uint64_t count[2] = {ham, spam};
                assert_int_equal(nd_rules_balanced(limits[i], count, ND_SPAM),
                                 (double)ham <= lim && ham + 1 >= spam);
                assert_int_equal(nd_rules_balanced(limits[i], count, ND_HAM),
                                 (double)spam <= lim && spam + 1 >= ham);
            }
        }
    }
}

static void a_lease_is_open_when_free_past_or_absurdly_far(void **state)
{
    (void)state;
    struct nd_lease lease = {.token = 0, .until_ms = 2000};
    assert_true(nd_rules_lease_open(&lease, 1000, 1500));
    lease.token = 4;
    assert_false(nd_rules_lease_open(&lease, 1000, 1500));
    assert_false(nd_rules_lease_open(&lease, 1000, 1999));
    assert_true(nd_rules_lease_open(&lease, 1000, 2000));
    assert_true(nd_rules_lease_open(&lease, 1000, 9000));
    assert_false(nd_rules_lease_open(&lease, 1000, 1000));
    assert_true(nd_rules_lease_open(&lease, 1000, 999));
}

static void a_lease_is_held_by_token_and_nonce(void **state)
{
    (void)state;
    struct nd_lease lease = {.token = 4, .nonce = {1, 2, 3}};
    struct nd_lease holder = lease;
    assert_true(nd_rules_lease_held(&lease, &holder));
    holder.token = 5;
    assert_false(nd_rules_lease_held(&lease, &holder));
    holder = lease;
    holder.nonce[ND_NONCE_BYTES - 1] = 1;
    assert_false(nd_rules_lease_held(&lease, &holder));
    lease.token = holder.token = 0;
    memset(&lease.nonce, 0, ND_NONCE_BYTES);
    memset(&holder.nonce, 0, ND_NONCE_BYTES);
    assert_false(nd_rules_lease_held(&lease, &holder));
}

static void a_label_time_is_now_or_given_but_not_far_ahead(void **state)
{
    const int64_t now = 1000000, day = 86400000;
    (void)state;
    assert_int_equal(nd_rules_label_time(0, now), now);
    assert_int_equal(nd_rules_label_time(-4, now), now);
    assert_int_equal(nd_rules_label_time(5, now), 5);
    assert_int_equal(nd_rules_label_time(now + day, now), now + day);
    assert_int_equal(nd_rules_label_time(now + day + 1, now), now + day);
    assert_int_equal(nd_rules_label_time(INT64_MAX, now), now + day);
}

static void every_enum_has_its_word(void **state)
{
    (void)state;
    assert_string_equal(nd_class_name(ND_SPAM), "spam");
    assert_string_equal(nd_class_name(ND_HAM), "ham");
    assert_string_equal(nd_source_name(ND_SOURCE_TRAP), "trap");
    assert_string_equal(nd_source_name(ND_SOURCE_COUNT), "unknown");
    assert_string_equal(nd_refusal_name(ND_REFUSED_REGISTRY), "registry");
    assert_string_equal(nd_refusal_name(ND_REFUSAL_COUNT), "unknown");
    assert_string_equal(nd_decision_name(ND_DECISION_FAILED), "failed");
    assert_string_equal(nd_decision_name((enum nd_decision)9), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_identity_is_stored),
        cmocka_unit_test(labels_are_believed_by_rank_then_by_time),
        cmocka_unit_test(the_same_label_only_gains_rank),
        cmocka_unit_test(what_was_forgotten_comes_back_by_a_later_label_only),
        cmocka_unit_test(balanced_follows_the_seeds_formula),
        cmocka_unit_test(a_lease_is_open_when_free_past_or_absurdly_far),
        cmocka_unit_test(a_lease_is_held_by_token_and_nonce),
        cmocka_unit_test(a_label_time_is_now_or_given_but_not_far_ahead),
        cmocka_unit_test(every_enum_has_its_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
