/* SPDX-License-Identifier: Apache-2.0
 *
 * The identity, as docs/formats/identity.md defines it; the digests were worked
 * out with the Python of that page.
 */
#include "read.h"

#define ID "Message-ID: <1@example.org>\n"
#define DATE "Date: Thu, 1 Jan 2026 10:00:00 +0000\n"
#define FROM "From: Ann <ann@example.org>\n"
#define SUBJECT "Subject: Hello\n\tworld\n"
#define BODY "one\r\ntwo\r\n\r\n"

#define WITH_ID "a270a6682bee0845797303c5e43ec98f"
#define WITHOUT_ID "20de702e2aa3844b7e18a861caec2572"
#define EMPTY "29b537e7a3eccccbf5e0af18781e97e0"

static void assert_identity(struct desk *desk, const char *text,
                            const char *expected)
{
    char hex[2 * ND_IDENTITY_BYTES + 1];
    const struct nd_message *m = read_text(desk, text);
    nd_hex(m->identity, ND_IDENTITY_BYTES, hex);
    assert_string_equal(hex, expected);
    assert_int_equal(m->identity_from_id, strcmp(expected, WITH_ID) == 0);
}

static void the_examples_of_the_definition_hold(void **state)
{
    assert_identity(*state, ID DATE FROM SUBJECT "\nx", WITH_ID);
    assert_identity(*state, DATE FROM SUBJECT "\n" BODY, WITHOUT_ID);
    assert_identity(*state, "X: y\n\n", EMPTY);
}

static void what_servers_add_and_change_does_not_matter(void **state)
{
    assert_identity(*state,
                    "From ann Thu Jan  1 10:00:00 2026\n"
                    "Return-Path: <ann@example.org>\r\n"
                    "Received: by mx; Thu, 1 Jan 2026 10:00:05 +0000\r\n"
                    "X-Spam-Status: No\r\n" SUBJECT FROM DATE ID
                    "\nanother body",
                    WITH_ID);
    assert_identity(*state,
                    "MESSAGE-ID:\r\n <1@example.org>  \r\n" DATE
                    "From:Ann\r\n\t  <ann@example.org>\r\n"
                    "Subject: Hello   world\r\n\r\n",
                    WITH_ID);
}

static void only_the_first_of_equal_fields_counts(void **state)
{
    assert_identity(*state, ID DATE FROM SUBJECT "Subject: other\n" ID "\n",
                    WITH_ID);
}

static void line_ends_at_the_end_and_their_kind_do_not_matter(void **state)
{
    assert_identity(*state, DATE FROM SUBJECT "\none\ntwo", WITHOUT_ID);
    assert_identity(*state, DATE FROM SUBJECT "\none\ntwo\n\n\n", WITHOUT_ID);
}

static void a_void_message_id_is_none(void **state)
{
    assert_identity(*state, "Message-ID: <>\n" DATE FROM SUBJECT "\n" BODY,
                    WITHOUT_ID);
    assert_identity(*state, "Message-ID:\n" DATE FROM SUBJECT "\n" BODY,
                    WITHOUT_ID);
}

static bool same_identity(struct desk *desk, const char *one, const char *other)
{
    uint8_t first[ND_IDENTITY_BYTES];
    memcpy(first, read_text(desk, one)->identity, sizeof first);
    return memcmp(first, read_text(desk, other)->identity, sizeof first) == 0;
}

static void each_field_and_the_body_change_it(void **state)
{
    struct desk *d = *state;
    const char *base = ID DATE FROM SUBJECT "\n";
    assert_false(same_identity(d, base, "Message-ID: <2>\n" DATE FROM SUBJECT));
    assert_false(same_identity(d, base, ID "Date: x\n" FROM SUBJECT));
    assert_false(same_identity(d, base, ID DATE "From: x\n" SUBJECT));
    assert_false(same_identity(d, base, ID DATE FROM "Subject: x\n"));
    assert_false(same_identity(d, FROM "\none", FROM "\ntwo"));
    assert_true(same_identity(d, ID "\none", ID "\ntwo"));
}

static void a_field_cannot_stand_for_another(void **state)
{
    assert_false(same_identity(*state, "From: a\n\n", "Subject: a\n\n"));
    assert_false(same_identity(*state, "Date: a\n\n", "From: a\n\n"));
}

static void limits_do_not_change_it(void **state)
{
    struct desk *desk = *state;
    struct nd_buffer text = {0};
    uint8_t first[ND_IDENTITY_BYTES];
    nd_buffer_append_text(&text, "X: ");
    repeat(&text, "y", 20000);
    nd_buffer_append_text(&text, "\n" FROM SUBJECT "\n");
    repeat(&text, "words\r\n", 20000);
    const char *whole = (const char *)text.data;
    memcpy(first, read_text(desk, whole)->identity, sizeof first);
    desk->limits.max_headers = 1;
    desk->limits.max_header = 10;
    desk->limits.max_header_line = 1;
    desk->limits.max_text = 1;
    desk->limits.max_message = 100;
    assert_memory_equal(first, read_text(desk, whole)->identity, sizeof first);
    nd_buffer_free(&text);
}

static void the_body_counts_up_to_64_kib(void **state)
{
    struct desk *desk = *state;
    for (size_t length = 65535; length <= 65536; length++) {
        struct nd_buffer text = {0};
        uint8_t first[ND_IDENTITY_BYTES];
        nd_buffer_append_text(&text, FROM "\n");
        repeat(&text, "x", length);
        nd_buffer_append_text(&text, "y");
        read_bytes(desk, text.data, text.length);
        memcpy(first, desk->message.identity, sizeof first);
        text.data[text.length - 1] = 'z';
        read_bytes(desk, text.data, text.length);
        assert_int_equal(memcmp(first, desk->message.identity, sizeof first) ==
                             0,
                         length == 65536);
        nd_buffer_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_desk(the_examples_of_the_definition_hold),
        with_desk(what_servers_add_and_change_does_not_matter),
        with_desk(only_the_first_of_equal_fields_counts),
        with_desk(line_ends_at_the_end_and_their_kind_do_not_matter),
        with_desk(a_void_message_id_is_none),
        with_desk(each_field_and_the_body_change_it),
        with_desk(a_field_cannot_stand_for_another),
        with_desk(limits_do_not_change_it),
        with_desk(the_body_counts_up_to_64_kib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
