/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 by RFC 3629: every code point goes both ways, nothing else passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/utf8.h"

static void every_code_point_goes_both_ways(void **state)
{
    for (uint32_t code_point = 0; code_point <= 0x10ffff; code_point++) {
        if (code_point >= 0xd800 && code_point <= 0xdfff)
            continue;
        char bytes[4];
        uint32_t back = UINT32_MAX;
        size_t used = nd_utf8_encode(code_point, bytes);
        if (nd_utf8_decode(bytes, used, &back) != used || back != code_point)
            fail_msg("U+%04X", code_point);
    }
}

static void lengths_change_where_the_rfc_says(void **state)
{
    static const struct {
        uint32_t code_point;
        const char *bytes;
    } cases[] = {{0x7f, "\x7f"},
                 {0x80, "\xc2\x80"},
                 {0x7ff, "\xdf\xbf"},
                 {0x800, "\xe0\xa0\x80"},
                 {0xffff, "\xef\xbf\xbf"},
                 {0x10000, "\xf0\x90\x80\x80"},
                 {0x10ffff, "\xf4\x8f\xbf\xbf"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char bytes[4];
        size_t used = nd_utf8_encode(cases[i].code_point, bytes);
        assert_int_equal(used, strlen(cases[i].bytes));
        assert_memory_equal(bytes, cases[i].bytes, used);
    }
}

static void assert_refused(const char *bytes, size_t length)
{
    uint32_t code_point = 12345;
    assert_int_equal(nd_utf8_decode(bytes, length, &code_point), 0);
    assert_int_equal(code_point, 12345);
}

static void broken_sequences_are_refused_untouched(void **state)
{
    static const char *const broken[] = {
        "\x80",             /* a continuation alone */
        "\xbf",             /* another */
        "\xc0\x80",         /* overlong NUL */
        "\xc1\xbf",         /* overlong U+7F */
        "\xe0\x9f\xbf",     /* overlong U+7FF */
        "\xf0\x8f\xbf\xbf", /* overlong U+FFFF */
        "\xed\xa0\x80",     /* first surrogate */
        "\xed\xbf\xbf",     /* last surrogate */
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80", /* no such first byte */
        "\xff",             /* nor this */
        "\xc3(",            /* no continuation where one is due */
        "\xe2\x82(",        /* the same */
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_refused(broken[i], strlen(broken[i]));
}

static void nothing_is_read_past_the_length(void **state)
{
    static const char euro[] = {'\xe2', '\x82', '\xac'};
    uint32_t code_point = 0;
    assert_refused(euro, 0);
    assert_refused(euro, 1);
    assert_refused(euro, 2);
    assert_int_equal(nd_utf8_decode(euro, 3, &code_point), 3);
    assert_int_equal(code_point, 0x20ac);
}

static void invalid_code_points_are_written_as_replacement(void **state)
{
    static const uint32_t invalid[] = {0xd800, 0xdfff, 0x110000, UINT32_MAX};
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        char bytes[4];
        assert_int_equal(nd_utf8_encode(invalid[i], bytes), 3);
        assert_memory_equal(bytes, "\xef\xbf\xbd", 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_goes_both_ways),
        cmocka_unit_test(lengths_change_where_the_rfc_says),
        cmocka_unit_test(broken_sequences_are_refused_untouched),
        cmocka_unit_test(nothing_is_read_past_the_length),
        cmocka_unit_test(invalid_code_points_are_written_as_replacement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
