/* SPDX-License-Identifier: Apache-2.0
 *
 * Hostile and broken mail: every limit, and the inputs that have brought other
 * readers down. Times are checked with room for slow machines and sanitizers:
 * they tell linear from quadratic, not fast from slow.
 */
#include "read.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOW_US 10000000 /* what no linear work of these sizes takes */

/* Reads buffer and checks that it took no quadratic time. */
static const struct nd_message *read_in_time(struct desk *desk,
                                             struct nd_buffer *buffer)
{
    int64_t start = nd_clock_monotonic_us();
    const struct nd_message *m = read_buffer(desk, buffer);
    assert_true(nd_clock_monotonic_us() - start < SLOW_US);
    return m;
}

static void a_message_of_100_mb_is_cut_at_the_limit(void **state)
{
    struct desk *desk = *state;
    struct nd_buffer buffer = {0};
    nd_buffer_append_text(&buffer, "Subject: big\n\n");
    size_t header = buffer.length;
    repeat(&buffer, "0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKL\n",
           2000000);
    size_t length = buffer.length;
    const struct nd_message *m = read_in_time(desk, &buffer);
    assert_int_equal(m->raw_bytes, length);
    assert_int_equal(m->unread_bytes, length - desk->limits.max_message);
    assert_int_equal(m->parts[0].raw_bytes, desk->limits.max_message - header);
    assert_true(m->text.length <= desk->limits.max_text);
    assert_true(m->text.length > desk->limits.max_text - 64);
    assert_true(nd_arena_used(desk->arena) < 2 * desk->limits.max_text);
}

static void an_8_mb_message_of_a_million_parts(struct nd_buffer *buffer)
{
    nd_buffer_append_text(buffer,
                          "Content-Type: multipart/mixed; boundary=b\n\n");
    repeat(buffer, "--b\n\nx\n\n", 1000000);
    nd_buffer_append_text(buffer, "--b--\n");
}

static void a_million_parts_take_neither_time_nor_memory(void **state)
{
    struct desk *desk = *state;
    struct nd_buffer buffer = {0};
    an_8_mb_message_of_a_million_parts(&buffer);
    desk->limits.max_message = 16U << 20;
    const struct nd_message *m = read_in_time(desk, &buffer);
    assert_int_equal(m->part_count, desk->limits.max_parts);
    assert_int_equal(m->cut_parts, 1000000 - (desk->limits.max_parts - 1));
    assert_true(m->unread_bytes > 0);
    assert_true(nd_arena_used(desk->arena) < 4U << 20);
}

/* Peak memory of a child that reads it, the library's own included. */
static void a_million_parts_stay_under_100_mb(void **state)
{
    struct desk *desk = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct nd_buffer buffer = {0};
        an_8_mb_message_of_a_million_parts(&buffer);
        desk->limits.max_message = 16U << 20;
        read_buffer(desk, &buffer);
        _exit(0);
    }
    int status;
    struct rusage usage;
    assert_int_equal(wait4(child, &status, 0, &usage), child);
    assert_int_equal(status, 0);
#ifndef ND_SANITIZED
    assert_true(usage.ru_maxrss < 100 * 1024);
#endif
}

static void of_10000_parts_the_first_1000_are_read(void **state)
{
    struct desk *desk = *state;
    struct nd_buffer buffer = {0};
    nd_buffer_append_text(
        &buffer, "Content-Type: multipart/mixed; boundary=\"=_x\"\n\n");
    repeat(&buffer, "--=_x\nContent-Type: text/plain\n\nhello\n", 10000);
    nd_buffer_append_text(&buffer, "--=_x--\n");
    const struct nd_message *m = read_in_time(desk, &buffer);
    assert_int_equal(m->part_count, 1000);
    assert_int_equal(m->cut_parts, 9001);
    assert_int_equal(m->text.length, 999 * strlen("hello\n") - 1);
}

static void nesting_of_1000_is_cut_at_the_limit(void **state)
{
    struct desk *desk = *state;
    struct nd_buffer buffer = {0};
    for (int i = 0; i < 1000; i++)
        nd_buffer_printf(
            &buffer, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n",
            i, i);
    nd_buffer_append_text(&buffer, "\ndeep words\n");
    const struct nd_message *m = read_in_time(desk, &buffer);
    assert_int_equal(m->part_count, desk->limits.max_depth + 1);
    assert_int_equal(m->parts[m->part_count - 1].depth, desk->limits.max_depth);
    assert_int_equal(m->cut_depth, 1);
    assert_true(m->unread_bytes > 0);
}

static void a_thousand_messages_in_messages_are_cut_too(void **state)
{
    struct desk *desk = *state;
    struct nd_buffer buffer = {0};
    repeat(&buffer, "Content-Type: message/rfc822\n\n", 1000);
    nd_buffer_append_text(&buffer, "\ndeep words\n");
    const struct nd_message *m = read_in_time(desk, &buffer);
    assert_int_equal(m->part_count, desk->limits.max_depth + 1);
    assert_int_equal(m->cut_depth, 1);
    assert_string_equal(m->text.data, "");
}

static void nesting_up_to_the_limit_is_read(void **state)
{
    struct desk *desk = *state;
    struct nd_buffer buffer = {0};
    for (uint32_t i = 0; i < desk->limits.max_depth; i++)
        nd_buffer_printf(
            &buffer, "Content-Type: multipart/mixed; boundary=b%u\n\n--b%u\n",
            i, i);
    nd_buffer_append_text(&buffer, "\ndeep words\n");
    const struct nd_message *m = read_in_time(desk, &buffer);
    assert_int_equal(m->cut_depth, 0);
    assert_string_equal(m->text.data, "deep words");
}

static void a_header_line_of_10_mb_hides_nothing_behind_it(void **state)
{
    struct desk *desk = *state;
    struct nd_buffer buffer = {0};
    desk->limits.max_message = 16U << 20;
    nd_buffer_append_text(&buffer, "X-Long: ");
    repeat(&buffer, "0123456789", 1000000);
    nd_buffer_append_text(&buffer, "\nSubject: behind it\n\nwords\n");
    const struct nd_message *m = read_in_time(desk, &buffer);
    assert_int_equal(m->headers[0].value.length, desk->limits.max_header_line);
    assert_int_equal(m->cut_headers, 1);
    assert_int_equal(m->unread_bytes, 10000000 - desk->limits.max_header_line);
    assert_string_equal(m->subject.data, "behind it");
    assert_string_equal(m->text.data, "words");
}

static void headers_beyond_their_number_are_counted(void **state)
{
    struct desk *desk = *state;
    struct nd_buffer buffer = {0};
    repeat(&buffer, "X-Y: z\n", 5000);
    nd_buffer_append_text(&buffer, "\nwords\n");
    const struct nd_message *m = read_in_time(desk, &buffer);
    assert_int_equal(m->header_count, desk->limits.max_headers);
    assert_int_equal(m->cut_headers, 5000 - desk->limits.max_headers);
    assert_string_equal(m->text.data, "words");
}

static void a_header_beyond_its_size_is_counted(void **state)
{
    struct desk *desk = *state;
    struct nd_buffer buffer = {0};
    desk->limits.max_header = 1000;
    for (int i = 0; i < 100; i++) {
        nd_buffer_append_text(&buffer, "X: ");
        repeat(&buffer, "y", 99);
        nd_buffer_append_text(&buffer, "\n");
    }
    nd_buffer_append_text(&buffer, "\nwords\n");
    const struct nd_message *m = read_in_time(desk, &buffer);
    assert_int_equal(m->header_count, 10);
    assert_int_equal(m->cut_headers, 90);
    assert_int_equal(m->unread_bytes, 90 * 103);
    assert_string_equal(m->text.data, "words");
}

static void nul_bytes_are_counted_and_read_as_blanks(void **state)
{
    static const char text[] = "Subject: a\0b\n\none\0two\0\0three\n";
    const struct nd_message *m = read_bytes(*state, text, sizeof text - 1);
    assert_int_equal(m->nul_bytes, 4);
    assert_string_equal(m->subject.data, "a b");
    assert_string_equal(m->text.data, "one two three");
    static const char html[] = "Content-Type: text/html\n\n<p>a\0<b>b</b>";
    m = read_bytes(*state, html, sizeof html - 1);
    assert_string_equal(m->text.data, "a b");
}

static void four_mb_of_nul_bytes_are_read(void **state)
{
    struct nd_buffer buffer = {0};
    size_t length = 4U << 20;
    memset(nd_buffer_reserve(&buffer, length), 0, length);
    buffer.length = length;
    const struct nd_message *m = read_in_time(*state, &buffer);
    assert_int_equal(m->nul_bytes, length);
    assert_int_equal(m->header_count, 0);
    assert_string_equal(m->text.data, "");
}

static void a_line_of_50_mb_is_read_as_far_as_the_limit(void **state)
{
    struct desk *desk = *state;
    struct nd_buffer buffer = {0};
    nd_buffer_append_text(&buffer, "Subject: x\n\n");
    repeat(&buffer, "0123456789", 5000000);
    const struct nd_message *m = read_in_time(desk, &buffer);
    assert_int_equal(m->text.length, desk->limits.max_text);
    assert_int_equal(m->raw_bytes, 50000012);
}

static void html_of_300000_nested_tags_is_linear(void **state)
{
    struct nd_buffer buffer = {0};
    nd_buffer_append_text(&buffer, "Content-Type: text/html\n\n");
    repeat(&buffer, "<b>", 300000);
    nd_buffer_append_text(&buffer, "at the bottom");
    const struct nd_message *m = read_in_time(*state, &buffer);
    assert_int_equal(m->html.tags, 300000);
    assert_int_equal(m->html.max_depth, 300000);
    assert_string_equal(m->text.data, "at the bottom");
}

static void html_end_tags_without_a_start_are_linear(void **state)
{
    struct nd_buffer buffer = {0};
    nd_buffer_append_text(&buffer, "Content-Type: text/html\n\n");
    for (int i = 0; i < 500; i++) {
        repeat(&buffer, "<b>", 300);
        repeat(&buffer, "</i>", 1000);
    }
    nd_buffer_append_text(&buffer, "words");
    const struct nd_message *m = read_in_time(*state, &buffer);
    assert_int_equal(m->html.tags, 150000);
    assert_string_equal(m->text.data, "words");
}

static void an_html_tag_of_500000_attributes_is_linear(void **state)
{
    struct nd_buffer buffer = {0};
    nd_buffer_append_text(&buffer, "Content-Type: text/html\n\nbefore<a ");
    for (int i = 0; i < 500000; i++)
        nd_buffer_printf(&buffer, "a%d ", i);
    nd_buffer_append_text(&buffer, "><b>behind</b>");
    const struct nd_message *m = read_in_time(*state, &buffer);
    assert_non_null(strstr(m->text.data, "before"));
    assert_non_null(strstr(m->text.data, "behind"));
}

static void html_of_nothing_but_openings_is_linear(void **state)
{
    static const char *const pieces[] = {
        "<",       "&",
        "<!",      "<!--",
        "<?",      "</",
        "<a b='",  "<script></",
        "<!x<!y",  "<![",
        "&#",      "<!---->",
        "<a b='>", "<p style='color:rgb(",
    };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct nd_buffer buffer = {0};
        nd_buffer_append_text(&buffer, "Content-Type: text/html\n\n");
        repeat(&buffer, pieces[i], 1000000 / strlen(pieces[i]));
        read_in_time(*state, &buffer);
    }
}

static void text_of_nothing_but_half_links_is_linear(void **state)
{
    static const char *const pieces[] = {
        ":", "www.", "http://", "w", "://", "http://@", "x@", "ftp://.",
    };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct desk *desk = *state;
        struct nd_buffer buffer = {0};
        desk->limits.max_text = 4U << 20;
        nd_buffer_append_text(&buffer, "Subject: x\n\n");
        repeat(&buffer, pieces[i], 3000000 / strlen(pieces[i]));
        const struct nd_message *m = read_in_time(desk, &buffer);
        assert_true(m->url_count <= desk->limits.max_urls);
    }
}

static void links_beyond_their_number_are_counted(void **state)
{
    struct desk *desk = *state;
    struct nd_buffer buffer = {0};
    nd_buffer_append_text(&buffer, "Subject: x\n\n");
    repeat(&buffer, "http://example.org/ ", 700);
    const struct nd_message *m = read_in_time(desk, &buffer);
    assert_int_equal(m->url_count, desk->limits.max_urls);
    assert_int_equal(m->cut_urls, 700 - desk->limits.max_urls);
}

static void lines_that_look_like_boundaries_are_linear(void **state)
{
    struct desk *desk = *state;
    struct nd_buffer buffer = {0};
    for (int i = 0; i < 32; i++)
        nd_buffer_printf(
            &buffer, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n",
            i, i);
    nd_buffer_append_text(&buffer, "\n");
    repeat(&buffer, "--b\n", 900000);
    const struct nd_message *m = read_in_time(desk, &buffer);
    assert_int_equal(m->part_count, 33);
}

static void a_thousand_parts_of_broken_parameters_are_linear(void **state)
{
    struct nd_buffer buffer = {0};
    nd_buffer_append_text(&buffer,
                          "Content-Type: multipart/mixed; boundary=b\n\n");
    for (int i = 0; i < 990; i++) {
        nd_buffer_append_text(&buffer, "--b\nContent-Type: text/plain");
        for (int k = 0; k < 300; k++)
            nd_buffer_printf(&buffer, "; a*%d=\"x", k);
        nd_buffer_append_text(&buffer, "\n\nwords\n");
    }
    const struct nd_message *m = read_in_time(*state, &buffer);
    assert_int_equal(m->part_count, 991);
}

static void four_mb_of_a_broken_charset_are_repaired(void **state)
{
    struct desk *desk = *state;
    struct nd_buffer buffer = {0};
    nd_buffer_append_text(&buffer,
                          "Content-Type: text/plain; charset=gb18030\n\n");
    repeat(&buffer, "\xff", 3000000);
    const struct nd_message *m = read_in_time(desk, &buffer);
    assert_true(m->defects > 0);
    assert_true(m->text.length <= desk->limits.max_text);
    assert_memory_equal(m->text.data, "\xef\xbf\xbd", 3);
}

static void base64_of_nothing_but_padding_is_linear(void **state)
{
    struct nd_buffer buffer = {0};
    nd_buffer_append_text(&buffer, "Content-Transfer-Encoding: base64\n\n\x01");
    repeat(&buffer, "=a", 1000000);
    const struct nd_message *m = read_in_time(*state, &buffer);
    assert_int_equal(m->defects, 1);
}

static void the_text_s_limit_never_cuts_a_character(void **state)
{
    struct desk *desk = *state;
    for (size_t limit = 0; limit < 12; limit++) {
        desk->limits.max_text = limit;
        const struct nd_message *m =
            read_text(desk, "Content-Type: text/plain; charset=utf-8\n\n"
                            "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
        assert_int_equal(m->text.length, limit > 9 ? 9 : limit / 3 * 3);
    }
}

/* Every prefix of a message is a message, and none of them crashes. */
static void a_message_may_be_cut_anywhere(void **state)
{
    static const char whole[] =
        "From a Thu Jan  1 10:00:00 2026\n"
        "Received: by x; Thu, 1 Jan 2026 10:00:00 +0000\n"
        "Subject: =?utf-8?B?R3LDvMOfZQ==?=\n"
        "Authentication-Results: mx; spf=pass (a \"b\" c) smtp=\"x\"\n"
        "X-Spam-Status: Yes, score=5.1 tests=A,B=1.0\n"
        "Content-Type: multipart/mixed;\n boundary=\"b\"\n\n"
        "--b\nContent-Type: text/html; charset=utf-8\n"
        "Content-Transfer-Encoding: quoted-printable\n\n"
        "<a href=3D\"http://example.org/\">=C3=A9 www.x.org</a><!-- c -->\n"
        "--b\nContent-Type: message/rfc822\n\nSubject: y\n\n&amp;\n--b--\n";
    struct desk *desk = *state;
    for (size_t length = 34; length < sizeof whole; length++) {
        struct nd_buffer buffer = {0};
        nd_buffer_append(&buffer, whole, length);
        const struct nd_message *m = read_buffer(desk, &buffer);
        assert_true(m->part_count >= 1);
        nd_arena_reset(desk->arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_desk(a_message_of_100_mb_is_cut_at_the_limit),
        with_desk(a_million_parts_take_neither_time_nor_memory),
        with_desk(a_million_parts_stay_under_100_mb),
        with_desk(of_10000_parts_the_first_1000_are_read),
        with_desk(nesting_of_1000_is_cut_at_the_limit),
        with_desk(a_thousand_messages_in_messages_are_cut_too),
        with_desk(nesting_up_to_the_limit_is_read),
        with_desk(a_header_line_of_10_mb_hides_nothing_behind_it),
        with_desk(headers_beyond_their_number_are_counted),
        with_desk(a_header_beyond_its_size_is_counted),
        with_desk(nul_bytes_are_counted_and_read_as_blanks),
        with_desk(four_mb_of_nul_bytes_are_read),
        with_desk(a_line_of_50_mb_is_read_as_far_as_the_limit),
        with_desk(html_of_300000_nested_tags_is_linear),
        with_desk(html_end_tags_without_a_start_are_linear),
        with_desk(an_html_tag_of_500000_attributes_is_linear),
        with_desk(html_of_nothing_but_openings_is_linear),
        with_desk(text_of_nothing_but_half_links_is_linear),
        with_desk(links_beyond_their_number_are_counted),
        with_desk(lines_that_look_like_boundaries_are_linear),
        with_desk(a_thousand_parts_of_broken_parameters_are_linear),
        with_desk(four_mb_of_a_broken_charset_are_repaired),
        with_desk(base64_of_nothing_but_padding_is_linear),
        with_desk(the_text_s_limit_never_cuts_a_character),
        with_desk(a_message_may_be_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
