/* SPDX-License-Identifier: Apache-2.0
 *
 * What became of samples, in words and as JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/tally.h"

static void expect_words(const struct nd_tally *tally, const char *wanted)
{
    struct nd_buffer text = {0};
    nd_tally_words(tally, &text);
    assert_string_equal((char *)text.data, wanted);
    nd_buffer_free(&text);
}

static void add(struct nd_tally *tally, enum nd_class label,
                enum nd_put_outcome outcome, enum nd_refusal reason)
{
    struct nd_put_result result = {
        .outcome = outcome, .reason = reason, .count = {12, 37}};
    nd_tally_add(tally, label, &result);
}

static void one_sample_is_one_sample(void **state)
{
    struct nd_tally tally = {0};
    (void)state;
    add(&tally, ND_SPAM, ND_PUT_STORED, ND_REFUSED_NONE);
    expect_words(&tally, "+1 spam sample, now 37 spam, 12 ham");
}

static void a_store_that_fails_changes_no_counts(void **state)
{
    struct nd_tally tally = {0};
    struct nd_put_result failed = {.outcome = ND_PUT_REFUSED,
                                   .reason = ND_REFUSED_STORE};
    (void)state;
    nd_tally_add(&tally, ND_SPAM, &failed);
    assert_false(tally.known);
    add(&tally, ND_SPAM, ND_PUT_STORED, ND_REFUSED_NONE);
    nd_tally_add(&tally, ND_SPAM, &failed);
    expect_words(&tally, "+1 spam sample, 2 refused (store: 2), now 37 spam, "
                         "12 ham");
}

static void nothing_is_said_too(void **state)
{
    struct nd_tally tally = {0};
    (void)state;
    expect_words(&tally, "nothing changed");
}

static void every_outcome_has_words(void **state)
{
    struct nd_tally tally = {0};
    (void)state;
    add(&tally, ND_SPAM, ND_PUT_STORED, ND_REFUSED_NONE);
    add(&tally, ND_SPAM, ND_PUT_REPLACED, ND_REFUSED_NONE);
    add(&tally, ND_HAM, ND_PUT_STORED, ND_REFUSED_NONE);
    add(&tally, ND_HAM, ND_PUT_RELABELLED, ND_REFUSED_NONE);
    add(&tally, ND_HAM, ND_PUT_MERGED, ND_REFUSED_NONE);
    add(&tally, ND_HAM, ND_PUT_DUPLICATE, ND_REFUSED_NONE);
    add(&tally, ND_HAM, ND_PUT_REFUSED, ND_REFUSED_RANK);
    add(&tally, ND_HAM, ND_PUT_REFUSED, ND_REFUSED_QUOTA);
    add(&tally, ND_HAM, ND_PUT_REFUSED, ND_REFUSED_RANK);
    expect_words(&tally,
                 "+2 spam samples, +1 ham sample, 1 of them in the place of "
                 "others, 1 relabelled, 1 known and given what they lacked, 1 "
                 "known already, 3 refused (quota: 1, lower_rank: 2), now 37 "
                 "spam, 12 ham");
}

static void json_has_the_same_counts(void **state)
{
    struct nd_tally tally = {0};
    struct nd_json json = {0};
    (void)state;
    add(&tally, ND_HAM, ND_PUT_REPLACED, ND_REFUSED_NONE);
    add(&tally, ND_HAM, ND_PUT_REFUSED, ND_REFUSED_KEY);
    nd_json_open(&json, NULL, '{');
    nd_tally_json(&tally, &json);
    nd_json_close(&json, '}');
    assert_string_equal(
        (char *)json.buffer.data,
        "{\"stored_spam\":0,\"stored_ham\":1,\"replaced\":1,\"relabelled\":0,"
        "\"merged\":0,\"duplicate\":0,\"refused\":{\"other_key\":1},"
        "\"spam\":37,\"ham\":12}");
    nd_json_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_sample_is_one_sample),
        cmocka_unit_test(a_store_that_fails_changes_no_counts),
        cmocka_unit_test(nothing_is_said_too),
        cmocka_unit_test(every_outcome_has_words),
        cmocka_unit_test(json_has_the_same_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
