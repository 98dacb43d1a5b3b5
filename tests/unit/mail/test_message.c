/* SPDX-License-Identifier: Apache-2.0
 *
 * What a reader gets of ordinary mail, and of mail that is merely odd.
 */
#include "read.h"

static void a_plain_message_gives_header_text_and_one_part(void **state)
{
    const struct nd_message *m =
        read_text(*state, "From: Ann <ann@example.org>\r\n"
                          "To: bob@example.org\r\n"
                          "Subject: Lunch?\r\n"
                          "Message-ID: <1@example.org>\r\n"
                          "\r\n"
                          "At  noon,\tas always.\r\n\r\n\r\nAnn\r\n");
    assert_string_equal(m->subject.data, "Lunch?");
    assert_string_equal(m->message_id.data, "<1@example.org>");
    assert_true(m->identity_from_id);
    assert_string_equal(m->text.data, "At noon, as always.\nAnn");
    assert_int_equal(m->text.length, strlen(m->text.data));
    assert_int_equal(m->header_count, 4);
    assert_string_equal(m->headers[0].name.data, "From");
    assert_string_equal(m->headers[0].value.data, "Ann <ann@example.org>");
    assert_int_equal(m->part_count, 1);
    assert_string_equal(m->parts[0].type.data, "text/plain");
    assert_int_equal(m->parts[0].depth, 0);
    assert_false(m->parts[0].is_container);
    assert_int_equal(m->defects, 0);
    assert_int_equal(m->unread_bytes, 0);
}

static void an_mbox_line_in_front_is_left_out(void **state)
{
    static const char text[] = "From ann Thu Jan  1 10:00:00 2026\n"
                               "Subject: x\n\nbody\n";
    const struct nd_message *m = read_text(*state, text);
    assert_int_equal(m->header_count, 1);
    assert_string_equal(m->subject.data, "x");
    assert_int_equal(m->raw_bytes, strlen("Subject: x\n\nbody\n"));
}

static void an_empty_message_is_refused_and_says_so(void **state)
{
    struct desk *desk = *state;
    struct nd_error error = {""};
    struct nd_message untouched = {.hops = 42};
    assert_int_equal(nd_message_read("", 0, &desk->limits, NULL, desk->arena,
                                     &error, &untouched),
                     ND_DATA);
    assert_non_null(strstr(error.text, "empty"));
    assert_int_equal(untouched.hops, 42);
    assert_int_equal(nd_message_read("From x\n", 7, &desk->limits, NULL,
                                     desk->arena, &error, &untouched),
                     ND_DATA);
}

static void a_folded_header_is_one_line(void **state)
{
    const struct nd_message *m = read_text(
        *state, "Subject: one\r\n\ttwo\r\n   three\r\nX-A:\n b\n\nbody");
    assert_string_equal(m->subject.data, "one two three");
    assert_string_equal(header_named(m, "X-A")->value.data, "b");
}

static void encoded_words_are_decoded(void **state)
{
    const struct nd_message *m = read_text(
        *state, "Subject: =?utf-8?B?R3LDvMOfZQ==?= =?iso-8859-1?Q?=E4h?=\n\n");
    assert_string_equal(m->subject.data, "Gr\xc3\xbc\xc3\x9f"
                                         "e\xc3\xa4h");
}

static void raw_bytes_in_a_header_become_utf8_by_the_body_s_charset(void **s)
{
    const struct nd_message *m =
        read_text(*s, "Subject: \xcf\xf0\xe8\xe2\xe5\xf2\n"
                      "Content-Type: text/plain; charset=windows-1251\n\n");
    assert_string_equal(m->subject.data, "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2"
                                         "\xd0\xb5\xd1\x82");
    m = read_text(*s, "Subject: caf\xe9\n\nbody");
    assert_string_equal(m->subject.data, "caf\xc3\xa9");
}

static void a_line_that_is_no_field_ends_the_header(void **state)
{
    const struct nd_message *m =
        read_text(*state, "Subject: x\nThis is no field\nTo: a@b.c\n");
    assert_int_equal(m->header_count, 1);
    assert_string_equal(m->text.data, "This is no field\nTo: a@b.c");
    assert_int_equal(m->defects, 1);
}

static void a_message_without_a_body_has_no_text(void **state)
{
    const struct nd_message *m = read_text(*state, "Subject: x");
    assert_string_equal(m->subject.data, "x");
    assert_string_equal(m->text.data, "");
    assert_int_equal(m->part_count, 1);
}

static void a_message_without_a_header_is_all_body(void **state)
{
    const struct nd_message *m = read_text(*state, "\nonly words\n");
    assert_int_equal(m->header_count, 0);
    assert_string_equal(m->subject.data, "");
    assert_string_equal(m->text.data, "only words");
}

static void every_text_part_is_read_and_attachments_are_listed(void **state)
{
    const struct nd_message *m = read_text(
        *state,
        "Content-Type: multipart/mixed; boundary=\"out\"\n\n"
        "preamble, not shown\n"
        "--out\n"
        "Content-Type: multipart/alternative; boundary=in\n\n"
        "--in\nContent-Type: text/plain; charset=\"utf-8\"\n\nplain words\n"
        "--in\nContent-Type: text/html\n\n<p>rich words</p>\n--in--\n"
        "--out\nContent-Type: application/pdf; name=\"a.pdf\"\n"
        "Content-Disposition: ATTACHMENT; filename=\"b.pdf\"\n"
        "Content-Transfer-Encoding: BASE64\n\nJVBERi0=\n"
        "--out--\nepilogue, not shown\n");
    assert_int_equal(m->part_count, 5);
    assert_true(m->parts[0].is_container);
    assert_string_equal(m->parts[1].type.data, "multipart/alternative");
    assert_int_equal(m->parts[1].depth, 1);
    assert_string_equal(m->parts[2].charset.data, "utf-8");
    assert_int_equal(m->parts[2].depth, 2);
    assert_int_equal(m->parts[2].raw_bytes, strlen("plain words"));
    assert_string_equal(m->parts[4].filename.data, "b.pdf");
    assert_string_equal(m->parts[4].disposition.data, "attachment");
    assert_string_equal(m->parts[4].encoding.data, "base64");
    assert_int_equal(m->parts[4].depth, 1);
    assert_string_equal(m->text.data, "plain words\nrich words");
    assert_int_equal(m->defects, 0);
}

static void a_message_in_a_message_is_read(void **state)
{
    const struct nd_message *m =
        read_text(*state, "Subject: outer\nContent-Type: message/rfc822\n\n"
                          "Subject: inner\nContent-Type: text/html\n\n"
                          "<b>forwarded</b> words");
    assert_string_equal(m->subject.data, "outer");
    assert_int_equal(m->part_count, 2);
    assert_true(m->parts[0].is_container);
    assert_int_equal(m->parts[1].depth, 1);
    assert_string_equal(m->text.data, "forwarded words");
}

static void base64_and_quoted_printable_are_decoded(void **state)
{
    const struct nd_message *m = read_text(
        *state, "Content-Type: multipart/mixed; boundary=b\n\n"
                "--b\nContent-Transfer-Encoding: base64\n\naGVsbG8g\nd29ybGQ=\n"
                "--b\nContent-Transfer-Encoding: quoted-printable\n\n"
                "na=C3=AFve li=\nne\n--b--\n");
    assert_string_equal(m->text.data, "hello world\nna\xc3\xafve line");
}

static void recipients_and_hops_are_counted(void **state)
{
    const struct nd_message *m =
        read_text(*state, "Received: by a; Thu, 1 Jan 2026 10:00:01 +0100\n"
                          "Received: by b; Thu, 1 Jan 2026 08:00:00 +0000\n"
                          "To: \"Doe, Ann\" <a@b.c>, b@c.d (b, c),\n e@f.g\n"
                          "To: h@i.j\nCc: list: k@l.m, n@o.p;\n\n");
    assert_int_equal(m->hops, 2);
    assert_int_equal(m->recipients_to, 4);
    assert_int_equal(m->recipients_cc, 2);
    assert_int_equal(m->received_ms, INT64_C(1767258001000));
}

static void without_received_the_date_counts(void **state)
{
    const struct nd_message *m =
        read_text(*state, "Date: Thu, 01 Jan 2026 00:00:00 GMT\n\n");
    assert_int_equal(m->received_ms, INT64_C(1767225600000));
    m = read_text(*state, "Date: yesterday\nReceived: nonsense\n\n");
    assert_int_equal(m->received_ms, 0);
    assert_int_equal(m->hops, 1);
}

static void links_in_plain_text_are_found(void **state)
{
    const struct nd_message *m =
        read_text(*state, "Subject: x\n\nSee http://example.org/a, or\n"
                          "www.example.com.\n");
    assert_int_equal(m->url_count, 2);
    assert_string_equal(m->urls[0].url.data, "http://example.org/a");
    assert_false(m->urls[0].from_html);
    assert_string_equal(m->urls[1].url.data, "www.example.com");
}

static void html_that_is_called_plain_is_read_as_html(void **state)
{
    const struct nd_message *m = read_text(
        *state, "Subject: x\n\n  <!DOCTYPE html><html><p>words</p></html>");
    assert_string_equal(m->text.data, "words");
    assert_true(m->html.tags > 0);
}

static void nothing_points_into_the_input(void **state)
{
    struct nd_buffer buffer = {0};
    nd_buffer_append_text(&buffer,
                          "From: a@b.c\nSubject: kept\n"
                          "Content-Type: text/plain; charset=us-ascii\n\n"
                          "words http://example.org/\n");
    const struct nd_message *m = read_buffer(*state, &buffer);
    assert_string_equal(m->subject.data, "kept");
    assert_string_equal(m->headers[0].value.data, "a@b.c");
    assert_string_equal(m->text.data, "words http://example.org/");
    assert_string_equal(m->urls[0].url.data, "http://example.org/");
    assert_string_equal(m->parts[0].charset.data, "us-ascii");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_desk(a_plain_message_gives_header_text_and_one_part),
        with_desk(an_mbox_line_in_front_is_left_out),
        with_desk(an_empty_message_is_refused_and_says_so),
        with_desk(a_folded_header_is_one_line),
        with_desk(encoded_words_are_decoded),
        with_desk(raw_bytes_in_a_header_become_utf8_by_the_body_s_charset),
        with_desk(a_line_that_is_no_field_ends_the_header),
        with_desk(a_message_without_a_body_has_no_text),
        with_desk(a_message_without_a_header_is_all_body),
        with_desk(every_text_part_is_read_and_attachments_are_listed),
        with_desk(a_message_in_a_message_is_read),
        with_desk(base64_and_quoted_printable_are_decoded),
        with_desk(recipients_and_hops_are_counted),
        with_desk(without_received_the_date_counts),
        with_desk(links_in_plain_text_are_found),
        with_desk(html_that_is_called_plain_is_read_as_html),
        with_desk(nothing_points_into_the_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
