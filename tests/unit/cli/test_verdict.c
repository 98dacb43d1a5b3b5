/* SPDX-License-Identifier: Apache-2.0
 *
 * Verdicts as headers, JSON, lines and exit statuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/verdict.h"

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

static void exit_statuses_are_those_of_the_interface(void **state)
{
    (void)state;
    assert_int_equal(nd_verdict_exit(ND_VERDICT_SPAM), 0);
    assert_int_equal(nd_verdict_exit(ND_VERDICT_HAM), 1);
    assert_int_equal(nd_verdict_exit(ND_UNSURE), 2);
}

static void a_line_shows_no_control_characters(void **state)
{
    char *text = NULL;
    size_t length = 0;
    (void)state;
    FILE *file = open_memstream(&text, &length);
    nd_verdict_print("a\x1b[31m\xc2\x9b\xff/\xc3\xa9", &spam, file);
    fclose(file);
    assert_string_equal(text, "a?[31m?"
                              "?/\xc3\xa9: spam 0.99871 NEURALD_SPAM +2.95\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_has_all_of_a_verdict),
        cmocka_unit_test(no_opinion_says_why),
        cmocka_unit_test(a_reason_cannot_leave_its_line),
        cmocka_unit_test(json_has_the_keys_of_the_interface),
        cmocka_unit_test(exit_statuses_are_those_of_the_interface),
        cmocka_unit_test(a_line_shows_no_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
