/* SPDX-License-Identifier: Apache-2.0
 *
 * Values behind options.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli/values.h"
#include "features/features.h"

static const struct nd_option table[] = {{"x", ND_OPTION_VALUE, "X", ""}, {0}};

static const struct nd_option *find(const char *name, void *context)
{
    (void)name;
    (void)context;
    return table;
}

/* A command line with --x VALUE, or without where value is NULL. */
static struct nd_cli *given(const char *value)
{
    static struct nd_cli cli;
    static struct nd_arguments *arguments;
    char *argv[] = {"neurald", "c", "--x", (char *)value};
    struct nd_command_line line = {table, find, NULL};
    nd_arguments_destroy(&arguments);
    assert_int_equal(nd_arguments_parse(&line, value == NULL ? 2 : 4, argv,
                                        &cli.error, &arguments),
                     ND_OK);
    cli.arguments = arguments;
    return &cli;
}

static void what_is_not_given_stays(void **state)
{
    uint64_t count = 5;
    int64_t past = 6;
    int source = 7;
    (void)state;
    assert_int_equal(nd_value_count(given(NULL), "x", 1, 9, &count), ND_OK);
    assert_int_equal(nd_value_past(given(NULL), "x", &past), ND_OK);
    assert_int_equal(nd_value_source(given(NULL), "x", &source), ND_OK);
    assert_int_equal(count, 5);
    assert_int_equal(past, 6);
    assert_int_equal(source, 7);
}

static void counts_have_bounds(void **state)
{
    uint64_t count = 0;
    (void)state;
    assert_int_equal(nd_value_count(given("9"), "x", 1, 9, &count), ND_OK);
    assert_int_equal(count, 9);
    static const char *const bad[] = {"0", "10", "-1", "1.5", "", "9x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct nd_cli *cli = given(bad[i]);
        assert_int_equal(nd_value_count(cli, "x", 1, 9, &count), ND_USAGE);
        assert_non_null(strstr(cli->error.text, "--x"));
        assert_int_equal(count, 9);
    }
}

static void numbers_have_bounds(void **state)
{
    double number = 0;
    (void)state;
    assert_int_equal(nd_value_number(given("0.5"), "x", 0, 1, &number), ND_OK);
    assert_float_equal(number, 0.5, 0);
    assert_int_equal(nd_value_number(given("1.5"), "x", 0, 1, &number),
                     ND_USAGE);
    assert_int_equal(nd_value_number(given("nan"), "x", 0, 1, &number),
                     ND_USAGE);
}

static void the_past_is_a_span_or_a_date(void **state)
{
    int64_t past = 0;
    (void)state;
    assert_int_equal(nd_value_past(given("2d"), "x", &past), ND_OK);
    int64_t off = nd_clock_wall_ms() - 2 * 86400000LL - past;
    assert_true(off >= 0 && off < 60000);
    assert_int_equal(nd_value_past(given("2026-11-01"), "x", &past), ND_OK);
    assert_true(past == 1793491200000LL);
    assert_int_equal(nd_value_past(given("2026-11-01T00:00:01Z"), "x", &past),
                     ND_OK);
    assert_true(past == 1793491201000LL);
    static const char *const bad[] = {"-2d", "yesterday", "2026-13-01", ""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(nd_value_past(given(bad[i]), "x", &past), ND_USAGE);
    }
}

static void names_are_read(void **state)
{
    int number = -1;
    uint32_t mask = 0;
    (void)state;
    assert_int_equal(nd_value_source(given("autolearn"), "x", &number), ND_OK);
    assert_int_equal(number, ND_SOURCE_AUTOLEARN);
    assert_int_equal(nd_value_source(given("users"), "x", &number), ND_USAGE);
    assert_int_equal(nd_value_class(given("spam"), "x", &number), ND_OK);
    assert_int_equal(number, ND_SPAM);
    assert_int_equal(nd_value_class(given("Spam"), "x", &number), ND_USAGE);
    assert_int_equal(nd_value_families(given("symbols"), "x", &mask), ND_OK);
    assert_int_equal(mask, ND_GROUP_SYMBOLS);
    assert_int_equal(nd_value_families(given("symbol"), "x", &mask), ND_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_given_stays),
        cmocka_unit_test(counts_have_bounds),
        cmocka_unit_test(numbers_have_bounds),
        cmocka_unit_test(the_past_is_a_span_or_a_date),
        cmocka_unit_test(names_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
