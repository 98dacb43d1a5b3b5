/* SPDX-License-Identifier: Apache-2.0
 *
 * The clocks run in the units that they name, and dates read as they should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "base/clock.h"

static void wall_clock_is_milliseconds_since_1970(void **state)
{
    int64_t before = (int64_t)time(NULL);
    int64_t now = nd_clock_wall_ms();
    assert_true(now / 1000 >= before - 1);
    assert_true(now / 1000 <= (int64_t)time(NULL) + 1);
}

static void monotonic_clock_counts_microseconds_and_never_falls(void **state)
{
    const struct timespec nap = {.tv_nsec = 20000000};
    int64_t start = nd_clock_monotonic_us();
    assert_int_equal(nanosleep(&nap, NULL), 0);
    int64_t passed = nd_clock_monotonic_us() - start;
    assert_true(passed >= 20000);
    assert_true(passed < 20000000);
    int64_t last = start;
    for (int i = 0; i < 10000; i++) {
        int64_t now = nd_clock_monotonic_us();
        assert_true(now >= last);
        last = now;
    }
}

static void dates_are_utc_in_seconds(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00Z"},
                 {999, "1970-01-01T00:00:00Z"},
                 {-1, "1969-12-31T23:59:59Z"},
                 {-1000, "1969-12-31T23:59:59Z"},
                 {951782399000, "2000-02-28T23:59:59Z"},
                 {951782400000, "2000-02-29T00:00:00Z"},
                 {1795371629123, "2026-11-22T18:20:29Z"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[21];
        nd_clock_format(cases[i].ms, text, sizeof(text));
        assert_string_equal(text, cases[i].text);
    }
}

static void a_date_that_does_not_fit_is_empty(void **state)
{
    char text[21] = "untouched";
    nd_clock_format(INT64_MAX, text, sizeof(text));
    assert_string_equal(text, "");
    text[0] = 'x';
    nd_clock_format(0, text, 20);
    assert_string_equal(text, "");
    text[0] = 'x';
    nd_clock_format(0, text, 0);
    assert_int_equal(text[0], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_clock_is_milliseconds_since_1970),
        cmocka_unit_test(monotonic_clock_counts_microseconds_and_never_falls),
        cmocka_unit_test(dates_are_utc_in_seconds),
        cmocka_unit_test(a_date_that_does_not_fit_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
