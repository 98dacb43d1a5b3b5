/* SPDX-License-Identifier: Apache-2.0
 *
 * Verdicts as headers and JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "learn/verdict.h"

static const struct nd_verdict spam = {.probability = 0.99871,
                                       .kind = ND_VERDICT_SPAM,
                                       .symbol = "NEURALD_SPAM",
                                       .weight = 2.95,
                                       .generation = 3,
                                       .log_odds = 6.65};

static void expect_header(const struct nd_verdict *verdict, const char *reason,
                          const char *wanted)
{
    struct nd_buffer text = {0};
    nd_verdict_header(verdict, reason, &text);
    assert_string_equal((char *)text.data, wanted);
    nd_buffer_free(&text);
}

static void a_header_has_all_of_a_verdict(void **state)
{
    (void)state;
    expect_header(&spam, NULL,
                  "spam, probability=0.99871, symbol=NEURALD_SPAM, "
                  "weight=2.95, generation=3");
}

static void no_opinion_says_why(void **state)
{
    struct nd_verdict none = nd_verdict_none();
    (void)state;
    expect_header(&none, "no model yet",
                  "unsure, probability=0.50000, generation=0, reason=\"no "
                  "model yet\"");
}

static void a_reason_cannot_leave_its_line(void **state)
{
    struct nd_verdict none = nd_verdict_none();
    struct nd_buffer text = {0};
    char reason[600];
    (void)state;
    memset(reason, 'r', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    memcpy(reason, "a\r\nX: \"b\"\\\xc3", 11);
    nd_verdict_header(&none, reason, &text);
    assert_null(strpbrk((char *)text.data, "\r\n\\"));
    assert_non_null(strstr((char *)text.data, "reason=\"a''X: 'b'''"));
    assert_true(text.length < 400);
    nd_buffer_free(&text);
}

static void json_has_the_keys_of_the_interface(void **state)
{
    struct nd_json json = {0};
    (void)state;
    nd_json_open(&json, NULL, '{');
    nd_verdict_json("a b", &spam, &json);
    nd_json_close(&json, '}');
    assert_string_equal((char *)json.buffer.data,
                        "{\"path\":\"a b\",\"probability\":0.99871,"
                        "\"verdict\":\"spam\",\"symbol\":\"NEURALD_SPAM\","
                        "\"weight\":2.95,\"generation\":3,\"log_odds\":6.65}");
    nd_json_free(&json);
}

static void json_leaves_out_a_path_that_is_not_there(void **state)
{
    struct nd_verdict none = nd_verdict_none();
    struct nd_json json = {0};
    (void)state;
    nd_json_open(&json, NULL, '{');
    nd_verdict_json(NULL, &none, &json);
    nd_json_close(&json, '}');
    assert_string_equal((char *)json.buffer.data,
                        "{\"probability\":0.5,\"verdict\":\"unsure\","
                        "\"symbol\":\"\",\"weight\":0,\"generation\":0,"
                        "\"log_odds\":0}");
    nd_json_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_has_all_of_a_verdict),
        cmocka_unit_test(no_opinion_says_why),
        cmocka_unit_test(a_reason_cannot_leave_its_line),
        cmocka_unit_test(json_has_the_keys_of_the_interface),
        cmocka_unit_test(json_leaves_out_a_path_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
