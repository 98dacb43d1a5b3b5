/* SPDX-License-Identifier: Apache-2.0
 *
 * Where parts begin and end, in well-formed mail and in what is sent instead.
 */
#include "read.h"

#include "mail/field.h"

/* The parts as "depth:type:bytes", a container's type in brackets. */
static void assert_parts(struct desk *desk, const char *text,
                         const char *expected)
{
    struct nd_buffer found = {0};
    const struct nd_message *m = read_text(desk, text);
    for (size_t i = 0; i < m->part_count; i++) {
        const struct nd_part *part = &m->parts[i];
        nd_buffer_printf(
            &found, part->is_container ? "%s%u:[%s]:%zu" : "%s%u:%s:%zu",
            i > 0 ? " " : "", part->depth, part->type.data, part->raw_bytes);
    }
    assert_string_equal((const char *)found.data, expected);
    nd_buffer_free(&found);
}

#define MIXED "Content-Type: multipart/mixed; boundary=b\n\n"

static void line_ends_before_a_boundary_belong_to_it(void **state)
{
    assert_parts(*state, MIXED "--b\n\none\n\n--b\n\ntwo\r\n--b--\n",
                 "0:[multipart/mixed]:18 1:text/plain:4 1:text/plain:3");
}

static void a_missing_end_is_the_end_of_the_message(void **state)
{
    assert_parts(*state, MIXED "--b\n\none\n--b\n\ntwo",
                 "0:[multipart/mixed]:17 1:text/plain:3 1:text/plain:3");
}

static void an_outer_boundary_ends_inner_parts(void **state)
{
    assert_parts(*state,
                 MIXED "--b\nContent-Type: multipart/x; boundary=c\n\n"
                       "--c\n\none\n--b\n\ntwo\n--b--\n",
                 "0:[multipart/mixed]:60 1:[multipart/x]:8 "
                 "2:text/plain:3 1:text/plain:3");
}

static void a_boundary_that_begins_another_is_told_from_it(void **state)
{
    assert_parts(*state,
                 MIXED "--b\nContent-Type: multipart/x; boundary=bb\n\n"
                       "--bb\n\none\n--bb--\n--b\n\ntwo\n--bbb\n--b--\n",
                 "0:[multipart/mixed]:75 1:[multipart/x]:9 "
                 "2:text/plain:3 1:text/plain:9");
}

static void boundaries_are_read_as_senders_write_them(void **state)
{
    static const char *const types[] = {
        "multipart/mixed; boundary=\"a b:c?\"",
        "MULTIPART/Mixed;\n\tcharset=x;\n\tBoundary=\"a b:c?\"",
        "multipart/mixed; boundary*=us-ascii''a%20b%3Ac%3F",
        "multipart/mixed; boundary*0=\"a b\"; boundary*1=\":c?\"",
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct nd_buffer text = {0};
        nd_buffer_printf(&text,
                         "Content-Type: %s\n\n--a b:c?  \n\none\n"
                         "--a b:c?--\nepilogue",
                         types[i]);
        const struct nd_message *m = read_buffer(*state, &text);
        assert_int_equal(m->part_count, 2);
        assert_string_equal(m->text.data, "one");
    }
}

static void a_multipart_without_its_boundary_is_read_as_text(void **state)
{
    const struct nd_message *m =
        read_text(*state, "Content-Type: multipart/mixed\n\nwords\n");
    assert_int_equal(m->part_count, 1);
    assert_false(m->parts[0].is_container);
    assert_string_equal(m->text.data, "words");
    assert_int_equal(m->defects, 1);
    m = read_text(*state, MIXED "words without any boundary\n");
    assert_int_equal(m->part_count, 1);
    assert_string_equal(m->text.data, "words without any boundary");
    assert_int_equal(m->defects, 1);
}

static void a_part_without_an_empty_line_is_all_body(void **state)
{
    const struct nd_message *m =
        read_text(*state, MIXED "--b\nwords at once\n--b--\n");
    assert_int_equal(m->part_count, 2);
    assert_string_equal(m->text.data, "words at once");
}

static void a_boundary_with_a_colon_is_no_header_field(void **state)
{
    const struct nd_message *m =
        read_text(*state, "Content-Type: multipart/mixed; boundary=\"b:c\"\n\n"
                          "--b:c\nX: y\n--b:c\n\nwords\n--b:c--\n");
    assert_int_equal(m->part_count, 3);
    assert_string_equal(m->text.data, "words");
}

static void a_digest_s_parts_are_messages(void **state)
{
    const struct nd_message *m = read_text(
        *state, "Content-Type: multipart/digest; boundary=b\n\n"
                "--b\n\nSubject: one\n\nfirst\n--b\n\nSubject: two\n\nsecond\n"
                "--b--\n");
    assert_int_equal(m->part_count, 5);
    assert_string_equal(m->parts[1].type.data, "message/rfc822");
    assert_int_equal(m->parts[2].depth, 2);
    assert_string_equal(m->text.data, "first\nsecond");
}

static void a_type_that_is_none_is_plain_text(void **state)
{
    assert_parts(*state, "Content-Type: text\n\nx", "0:text/plain:1");
    assert_parts(*state, "Content-Type:\n\nx", "0:text/plain:1");
    const struct nd_message *m =
        read_text(*state, "Content-Type: application/x\n\nwords");
    assert_string_equal(m->text.data, "");
}

static void filenames_are_decoded(void **state)
{
    static const char *const fields[] = {
        "Content-Disposition: attachment; filename*=utf-8''%C3%A4.txt",
        "Content-Disposition: attachment; filename=\"=?utf-8?q?=C3=A4?=.txt\"",
        "Content-Type: text/plain; name=\"=?utf-8?q?=C3=A4?=.txt\"",
        ("Content-Type: a/b; name=x\n"
         "Content-Disposition: a; filename=\"\xc3\xa4.txt\""),
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct nd_buffer text = {0};
        nd_buffer_printf(&text, "%s\n\nwords", fields[i]);
        const struct nd_message *m = read_buffer(*state, &text);
        assert_string_equal(m->parts[0].filename.data, "\xc3\xa4.txt");
    }
}

static void the_first_of_equal_fields_counts(void **state)
{
    assert_parts(*state,
                 "Content-Type: text/html\nContent-Type: text/plain\n\nx",
                 "0:text/html:1");
}

static void fields_are_found_one_by_one(void **state)
{
    static const char header[] = ">From x\nA: 1\r\nB :\r\n 2\r\n\t3\r\n"
                                 "C:\n\nbody";
    struct nd_field_reader reader;
    struct nd_field field;
    nd_field_reader_init(&reader, header, strlen(header));
    assert_true(nd_field_next(&reader, &field));
    assert_true(nd_field_is(&field, "a"));
    assert_int_equal(field.value.length, 1);
    assert_true(nd_field_next(&reader, &field));
    assert_true(nd_field_is(&field, "b"));
    assert_memory_equal(field.value.data, "2\r\n\t3", 5);
    assert_true(nd_field_next(&reader, &field));
    assert_int_equal(field.value.length, 0);
    assert_false(nd_field_next(&reader, &field));
    assert_string_equal(reader.at, "body");
    assert_false(reader.broken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_desk(line_ends_before_a_boundary_belong_to_it),
        with_desk(a_missing_end_is_the_end_of_the_message),
        with_desk(an_outer_boundary_ends_inner_parts),
        with_desk(a_boundary_that_begins_another_is_told_from_it),
        with_desk(boundaries_are_read_as_senders_write_them),
        with_desk(a_multipart_without_its_boundary_is_read_as_text),
        with_desk(a_part_without_an_empty_line_is_all_body),
        with_desk(a_boundary_with_a_colon_is_no_header_field),
        with_desk(a_digest_s_parts_are_messages),
        with_desk(a_type_that_is_none_is_plain_text),
        with_desk(filenames_are_decoded),
        with_desk(the_first_of_equal_fields_counts),
        with_desk(fields_are_found_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
