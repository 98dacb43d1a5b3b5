/* SPDX-License-Identifier: Apache-2.0
 *
 * Quantities as people write them, and what is not one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/units.h"

static int64_t duration(const char *text)
{
    int64_t value = -1;
    assert_int_equal(nd_parse_duration(text, NULL, &value), ND_OK);
    return value;
}

static int64_t size(const char *text)
{
    int64_t value = -1;
    assert_int_equal(nd_parse_size(text, NULL, &value), ND_OK);
    return value;
}

static void durations_are_milliseconds(void **state)
{
    assert_int_equal(duration("500ms"), 500);
    assert_int_equal(duration("30s"), 30000);
    assert_int_equal(duration("30"), 30000);
    assert_int_equal(duration("10m"), 600000);
    assert_int_equal(duration("10min"), 600000);
    assert_int_equal(duration("6h"), 21600000);
    assert_int_equal(duration("2d"), 172800000);
    assert_int_equal(duration("1w"), 604800000);
    assert_int_equal(duration("0"), 0);
    assert_int_equal(duration("1.5h"), 5400000);
}

static void sizes_are_bytes(void **state)
{
    assert_int_equal(size("512"), 512);
    assert_int_equal(size("512B"), 512);
    assert_int_equal(size("4KiB"), 4096);
    assert_int_equal(size("4MiB"), 4194304);
    assert_int_equal(size("1GiB"), 1073741824);
    assert_int_equal(size("4kB"), 4000);
    assert_int_equal(size("4MB"), 4000000);
    assert_int_equal(size("2GB"), 2000000000);
    assert_int_equal(size("0.5KiB"), 512);
}

static void assert_refused(enum nd_status (*parse)(const char *,
                                                   struct nd_error *,
                                                   int64_t *),
                           const char *text)
{
    struct nd_error error = {""};
    int64_t value = 77;
    assert_int_equal(parse(text, &error, &value), ND_CONFIG);
    assert_int_equal(value, 77);
    assert_non_null(strstr(error.text, text));
}

static void what_is_no_duration_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "m",
        "10 m",
        " 10m",
        "10m ",
        "10M",
        "10x",
        "-1s",
        "1e3s",
        "0x10",
        "inf",
        "nan",
        "1.2.3",
        "10mm",
        "99999999999999999999d",
        "1,5h",
        "0000000000000000000000000000000000000000000000001s"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_refused(nd_parse_duration, wrong[i]);
}

static void what_is_no_size_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",   "MiB",  "4 MiB", "4mib",  "4M",
        "4k", "-4kB", "4TiB",  "4KiBs", "9999999999GiB"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_refused(nd_parse_size, wrong[i]);
}

static void whole_numbers_may_have_a_sign(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {{"0", 0},
                 {"42", 42},
                 {"+42", 42},
                 {"-42", -42},
                 {"007", 7},
                 {"9223372036854775807", INT64_MAX},
                 {"-9223372036854775808", INT64_MIN}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t value = 1;
        assert_int_equal(nd_parse_integer(cases[i].text, NULL, &value), ND_OK);
        assert_true(value == cases[i].value);
    }
}

static void what_is_no_whole_number_is_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "-",
                                        "+",
                                        "1.0",
                                        "1e3",
                                        " 1",
                                        "1 ",
                                        "0x10",
                                        "1k",
                                        "--1",
                                        "9223372036854775808"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_refused(nd_parse_integer, wrong[i]);
}

static void numbers_may_have_fraction_and_exponent(void **state)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {{"2.5", 2.5},     {"-0.125", -0.125}, {".5", 0.5},
                 {"3.", 3.0},      {"+1", 1.0},        {"1e-3", 1e-3},
                 {"1.5E2", 150.0}, {"0", 0.0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double value = -1.0;
        assert_int_equal(nd_parse_number(cases[i].text, NULL, &value), ND_OK);
        assert_true(value == cases[i].value);
    }
}

static void what_is_no_finite_number_is_refused(void **state)
{
    static const char *const wrong[] = {"",    "nan",  "inf", "-inf",  "1e999",
                                        "0x1", "1.0x", " 1",  "1 ",    "1,5",
                                        ".",   "e3",   "-",   "0x1p3", "--1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct nd_error error = {""};
        double value = 77.0;
        assert_int_equal(nd_parse_number(wrong[i], &error, &value), ND_CONFIG);
        assert_true(value == 77.0);
        assert_non_null(strstr(error.text, "is not a number"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_milliseconds),
        cmocka_unit_test(sizes_are_bytes),
        cmocka_unit_test(what_is_no_duration_is_refused),
        cmocka_unit_test(what_is_no_size_is_refused),
        cmocka_unit_test(whole_numbers_may_have_a_sign),
        cmocka_unit_test(what_is_no_whole_number_is_refused),
        cmocka_unit_test(numbers_may_have_fraction_and_exponent),
        cmocka_unit_test(what_is_no_finite_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
