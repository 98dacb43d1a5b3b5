/* SPDX-License-Identifier: Apache-2.0
 *
 * Verdicts as lines and exit statuses.
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
        cmocka_unit_test(exit_statuses_are_those_of_the_interface),
        cmocka_unit_test(a_line_shows_no_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
