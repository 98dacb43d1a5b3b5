/* SPDX-License-Identifier: Apache-2.0
 *
 * Transfer encodings, charsets and encoded words, whole and broken.
 */
#include "read.h"

#include "mail/decode.h"

static int begin(void **state)
{
    nd_mail_init();
    return open_desk(state);
}

static struct nd_span span(const char *text)
{
    return (struct nd_span){text, strlen(text)};
}

static void assert_span(struct nd_span got, const char *expected)
{
    assert_int_equal(got.length, strlen(expected));
    assert_memory_equal(got.data, expected, got.length);
}

static void assert_transfer(const char *encoding, const char *in,
                            const char *out, uint32_t defects)
{
    struct nd_buffer buffer = {0};
    uint32_t found = 0;
    assert_span(nd_decode_transfer(span(in), encoding, &buffer, &found), out);
    assert_int_equal(found, defects);
    nd_buffer_free(&buffer);
}

static void transfer_encodings_are_undone(void **state)
{
    assert_transfer("base64", "aGVs\r\nbG8=\r\n", "hello", 0);
    assert_transfer("quoted-printable", "a=3Db=\r\nc", "a=bc", 0);
    assert_transfer("x-uuencode", "begin 644 x\n%:&5L;&\\ \n`\nend\n", "hello",
                    0);
    assert_transfer("7bit", "a=3D", "a=3D", 0);
    assert_transfer("nonsense", "a=3D", "a=3D", 0);
    assert_transfer("base64", "", "", 0);
}

static void broken_transfer_encodings_are_counted(void **state)
{
    assert_transfer("base64", "aGVs\x01#bG8=", "hello", 1);
    assert_transfer("base64", "aGVsbG8", "hello", 0);
    assert_transfer("base64", "aGVsbG8=\naGVsbG8=\nYQ==YQ", "hellohelloaa", 0);
    assert_transfer("base64", "====", "", 0);
    assert_transfer("base64", "aGVsbG8=\n_____\nA list's footer",
                    "hello\n_____\nA list's footer", 1);
    assert_transfer("x-uuencode", "%:&5L;&\\ \n", "hello", 0);
    assert_transfer("x-uuencode", "begin", "", 0);
    assert_transfer("quoted-printable", "a=ZZ=", "a=ZZ", 0);
}

static void assert_charset(const char *charset, const char *in, const char *out,
                           uint32_t defects)
{
    struct nd_buffer buffer = {0};
    uint32_t found = 0;
    assert_span(nd_decode_charset(span(in), charset, &buffer, &found), out);
    assert_int_equal(found, defects);
    nd_buffer_free(&buffer);
}

static void charsets_become_utf8(void **state)
{
    assert_charset("us-ascii", "plain", "plain", 0);
    assert_charset("utf-8", "\xc3\xa4", "\xc3\xa4", 0);
    assert_charset("iso-8859-1", "\xe4", "\xc3\xa4", 0);
    assert_charset("iso-8859-1", "\x93 \x80", "\xe2\x80\x9c \xe2\x82\xac", 0);
    assert_charset("iso-8859-2", "\xb1", "\xc4\x85", 0);
    assert_charset("koi8-r", "\xd0\xd2", "\xd0\xbf\xd1\x80", 0);
    assert_charset("gb2312", "\xc4\xe3", "\xe4\xbd\xa0", 0);
    assert_charset("shift_jis", "\x83\x65", "\xe3\x83\x86", 0);
    assert_charset("iso-2022-jp", "\x1b$B$F\x1b(B", "\xe3\x81\xa6", 0);
    assert_charset("utf-7", "+AOQ-", "\xc3\xa4", 0);
}

static void text_that_states_no_charset_is_utf8_or_western(void **state)
{
    assert_charset("", "\xc3\xa4", "\xc3\xa4", 0);
    assert_charset("us-ascii", "\xe4", "\xc3\xa4", 0);
    assert_charset("unknown-8bit", "caf\xe9", "caf\xc3\xa9", 0);
}

static void unknown_charsets_are_a_defect_and_still_read(void **state)
{
    assert_charset("x-nosuch", "caf\xe9", "caf\xc3\xa9", 1);
    assert_charset("utf-16//translit", "caf\xe9", "caf\xc3\xa9", 1);
    assert_charset("../../../etc/passwd", "\xc3\xa4", "\xc3\xa4", 1);
}

static void broken_charsets_are_repaired_and_counted(void **state)
{
    assert_charset("utf-8", "a\xc3(b\xff", "a\xef\xbf\xbd(b\xef\xbf\xbd", 2);
    assert_charset("gb2312", "a\xff\xff", "a\xef\xbf\xbd\xef\xbf\xbd", 2);
    assert_charset("shift_jis", "a\x83", "a\xef\xbf\xbd", 1);
    assert_charset("windows-1252", "\x81", "\xef\xbf\xbd", 0);
}

static void every_byte_of_every_charset_gives_valid_utf8(void **state)
{
    static const char *const charsets[] = {
        "",
        "utf-8",
        "us-ascii",
        "iso-8859-1",
        "iso-8859-15",
        "koi8-r",
        "big5",
        "gb18030",
        "euc-jp",
        "iso-2022-jp",
        "iso-2022-kr",
        "utf-7",
        "utf-16",
        "utf-32le",
        "hz-gb-2312",
        "windows-1251",
        "cp437",
        "shift_jis",
        "ibm1364",
        "x-mac-cyrillic",
    };
    char all[512];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)(i < 256 ? i : i * 7 + 3);
    for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++) {
        struct nd_buffer buffer = {0};
        uint32_t defects = 0;
        struct nd_span got = nd_decode_charset(
            (struct nd_span){all, sizeof all}, charsets[i], &buffer, &defects);
        assert_true(nd_is_utf8(got.data, got.length));
        assert_true(got.length > 0);
        nd_buffer_free(&buffer);
    }
}

static void assert_header(void **state, const char *in, const char *charset,
                          const char *out)
{
    struct desk *desk = *state;
    uint32_t defects = 0;
    struct nd_text got = nd_decode_header((struct nd_text){in, strlen(in)},
                                          charset, desk->arena, &defects);
    assert_string_equal(got.data, out);
    assert_int_equal(got.length, strlen(out));
    assert_true(nd_is_utf8(got.data, got.length));
}

static void headers_are_decoded(void **state)
{
    assert_header(state, "plain", "", "plain");
    assert_header(state, "=?utf-8?q?a=C3=A4?= b", "", "a\xc3\xa4 b");
    assert_header(state, "=?utf-8?q?a?= =?utf-8?q?b?=", "", "ab");
    assert_header(state, "=?koi8-r?B?0NI=?=", "", "\xd0\xbf\xd1\x80");
    assert_header(state, "\xd0\xd2", "koi8-r", "\xd0\xbf\xd1\x80");
    assert_header(state, "\xc3\xa4", "koi8-r", "\xc3\xa4");
    assert_header(state, "caf\xe9", "", "caf\xc3\xa9");
}

static void broken_encoded_words_stay_readable(void **state)
{
    assert_header(state, "=?", "", "=?");
    assert_header(state, "=?utf-8?q?unfinished", "", "=?utf-8?q?unfinished");
    struct desk *desk = *state;
    static const char *const words[] = {
        "=?x-nosuch?B?/////w==?=",
        "=?utf-8?B?////?=",
        "=?utf-8?q?=ff=fe?=",
        "=?utf-16?B?2Ng=?=",
        "=??q?x?=",
        "=?utf-8??x?=",
        "=?utf-8?q?=?=",
        "\xff=?utf-8?q?\xff?=",
        "=?utf-8*en?q?x?=",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        uint32_t defects = 0;
        struct nd_text got =
            nd_decode_header((struct nd_text){words[i], strlen(words[i])}, "",
                             desk->arena, &defects);
        assert_true(nd_is_utf8(got.data, got.length));
        assert_int_equal(strlen(got.data), got.length);
    }
}

static void utf8_is_told_from_what_looks_like_it(void **state)
{
    assert_true(nd_is_utf8("", 0));
    assert_true(nd_is_utf8("12345678\xe2\x82\xac", 11));
    assert_false(nd_is_utf8("12345678\xe2\x82", 10));
    assert_false(nd_is_utf8("\xc0\x80", 2));
    assert_false(nd_is_utf8("\xed\xa0\x80", 3));
    assert_true(nd_is_ascii("1234567890", 10));
    assert_false(nd_is_ascii("123456789\x80", 10));
    assert_false(nd_is_ascii("\x80", 1));
}

#define with(test) cmocka_unit_test_setup_teardown(test, begin, close_desk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with(transfer_encodings_are_undone),
        with(broken_transfer_encodings_are_counted),
        with(charsets_become_utf8),
        with(text_that_states_no_charset_is_utf8_or_western),
        with(unknown_charsets_are_a_defect_and_still_read),
        with(broken_charsets_are_repaired_and_counted),
        with(every_byte_of_every_charset_gives_valid_utf8),
        with(headers_are_decoded),
        with(broken_encoded_words_stay_readable),
        with(utf8_is_told_from_what_looks_like_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
