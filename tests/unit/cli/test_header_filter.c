/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that pass: ours goes, all else stays, whatever the size of the
 * pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/header_filter.h"

/* What passes of text when it comes in pieces of piece bytes. */
static void pass(const char *text, size_t length, size_t piece,
                 struct nd_buffer *out)
{
    struct nd_header_filter filter = {0};
    nd_buffer_clear(out);
    for (size_t i = 0; i < length; i += piece) {
        size_t left = length - i;
        nd_header_filter_feed(&filter, text + i, left < piece ? left : piece,
                              out);
    }
    nd_header_filter_end(&filter, out);
}

static void expect(const char *text, const char *wanted)
{
    struct nd_buffer out = {0};
    size_t length = strlen(text);
    for (size_t piece = 1; piece <= length; piece++) {
        pass(text, length, piece, &out);
        assert_int_equal(out.length, strlen(wanted));
        assert_memory_equal(out.data, wanted, out.length);
    }
    nd_buffer_free(&out);
}

static void ordinary_mail_passes_unchanged(void **state)
{
    static const char *const mails[] = {
        "Subject: a\nX-Neural: no\nX-Neuralds: no\n\nbody\nX-Neurald: b\n",
        "Subject: a\r\n folded\r\n\r\nX-Neurald: in the body\r\n",
        "no header at all, no end of line",
        "\n\nX-Neurald: body\n",
        "X-Neurald without a colon\n\n",
        "Subject: a\rX-Neurald: no line of its own\n\n",
        "a: 1\n\r\nX-Neurald: body",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
        expect(mails[i], mails[i]);
    }
}

static void forged_headers_go(void **state)
{
    (void)state;
    expect("X-Neurald: ham\nSubject: a\n\nb\n", "Subject: a\n\nb\n");
    expect("A: 1\nx-NEURALD: ham\n more\n\tand more\nB: 2\n\nb\n",
           "A: 1\nB: 2\n\nb\n");
    expect("A: 1\r\nX-Neurald \t: ham\r\nX-Neurald: ham\r\n\r\nb\r\n",
           "A: 1\r\n\r\nb\r\n");
    expect("A: 1\nX-Neurald: cut off", "A: 1\n");
    expect("A: 1\nX-Neurald:", "A: 1\n");
}

static void a_held_back_start_passes_at_the_end(void **state)
{
    (void)state;
    expect("A: 1\nX-Neur", "A: 1\nX-Neur");
    expect("X-Neurald  ", "X-Neurald  ");
    expect("A: 1\n\r", "A: 1\n\r");
}

static void a_name_with_endless_blanks_passes(void **state)
{
    char text[128];
    (void)state;
    memset(text, ' ', sizeof(text));
    memcpy(text, "X-Neurald", 9);
    memcpy(text + 100, ": a\n\n", 6);
    expect(text, text);
}

static void nul_bytes_pass(void **state)
{
    static const char text[] = "A\0B: 1\nX-Neurald: x\0y\n\nbo\0dy";
    static const char wanted[] = "A\0B: 1\n\nbo\0dy";
    struct nd_buffer out = {0};
    (void)state;
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        pass(text, sizeof(text) - 1, piece, &out);
        assert_int_equal(out.length, sizeof(wanted) - 1);
        assert_memory_equal(out.data, wanted, out.length);
    }
    nd_buffer_free(&out);
}

static void our_header_goes_behind_an_mbox_line(void **state)
{
    static const char mbox[] = "From a@b Thu\nA: 1\n\n";
    (void)state;
    assert_int_equal(nd_header_place(mbox, strlen(mbox)), 13);
    assert_int_equal(nd_header_place("From: a\n", 8), 0);
    assert_int_equal(nd_header_place("From without end", 16), 0);
    assert_int_equal(nd_header_place("", 0), 0);
}

static void our_line_ends_as_the_first_one_does(void **state)
{
    (void)state;
    assert_string_equal(nd_header_line_end("A: 1\r\nB: 2\n", 11), "\r\n");
    assert_string_equal(nd_header_line_end("A: 1\nB: 2\r\n", 11), "\n");
    assert_string_equal(nd_header_line_end("\n", 1), "\n");
    assert_string_equal(nd_header_line_end("", 0), "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_mail_passes_unchanged),
        cmocka_unit_test(forged_headers_go),
        cmocka_unit_test(a_held_back_start_passes_at_the_end),
        cmocka_unit_test(a_name_with_endless_blanks_passes),
        cmocka_unit_test(nul_bytes_pass),
        cmocka_unit_test(our_header_goes_behind_an_mbox_line),
        cmocka_unit_test(our_line_ends_as_the_first_one_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
