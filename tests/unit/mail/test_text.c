/* SPDX-License-Identifier: Apache-2.0
 *
 * White space, limits, and links in text.
 */
#include "read.h"

#include "mail/text.h"

static void assert_folded(struct desk *desk, const char *in, bool lines,
                          const char *out)
{
    struct nd_text_builder text;
    nd_text_begin(&text, 100, desk->arena);
    nd_text_append(&text, in, strlen(in), lines);
    assert_string_equal(nd_text_end(&text).data, out);
}

static void white_space_is_folded(void **state)
{
    assert_folded(*state, "  a \t b\r\n\r\n  c  ", true, "a b\nc");
    assert_folded(*state, "a\nb", false, "a b");
    assert_folded(*state, "a\xc2\xa0 b", true, "a b");
    assert_folded(*state, "a\xc2\xa1\xc2", true, "a\xc2\xa1\xc2");
    assert_folded(*state,
                  "a\x01\x7f\x0b"
                  "b",
                  true, "a b");
    assert_folded(*state, "", true, "");
    assert_folded(*state, " \n ", true, "");
}

static void pieces_join_and_breaks_part_them(void **state)
{
    struct desk *desk = *state;
    struct nd_text_builder text;
    nd_text_begin(&text, 100, desk->arena);
    nd_text_break(&text);
    assert_int_equal(nd_text_append(&text, "a", 1, true), 1);
    assert_int_equal(nd_text_append(&text, "b ", 2, true), 1);
    nd_text_blank(&text);
    nd_text_append(&text, "c", 1, true);
    nd_text_blank(&text);
    nd_text_break(&text);
    nd_text_blank(&text);
    nd_text_append(&text, "d", 1, true);
    nd_text_break(&text);
    assert_string_equal(nd_text_end(&text).data, "ab c\nd");
}

static void text_beyond_the_limit_is_counted(void **state)
{
    struct desk *desk = *state;
    struct nd_text_builder text;
    nd_text_begin(&text, 5, desk->arena);
    assert_int_equal(nd_text_append(&text, "one two three", 13, true), 11);
    assert_string_equal(nd_text_end(&text).data, "one t");
    assert_int_equal(text.dropped, 2 + 5);
}

static void assert_links(struct desk *desk, const char *text,
                         const char *expected)
{
    struct nd_url_list list;
    struct nd_buffer found = {0};
    nd_buffer_append_text(&found, "");
    nd_urls_begin(&list, 100, desk->arena);
    nd_urls_scan(&list, text, strlen(text));
    for (size_t i = 0; i < list.count; i++)
        nd_buffer_printf(&found, "%s%s", i > 0 ? " " : "",
                         list.urls[i].url.data);
    assert_string_equal(found.data == NULL ? "" : (const char *)found.data,
                        expected);
    nd_buffer_free(&found);
}

static void links_end_where_a_reader_would_end_them(void **state)
{
    struct desk *d = *state;
    assert_links(d, "see http://a.org/x?y=1&z=2#t, please",
                 "http://a.org/x?y=1&z=2#t");
    assert_links(d, "(http://a.org/)", "http://a.org/");
    assert_links(d, "<http://a.org/>", "http://a.org/");
    assert_links(d, "\"https://a.org\"!", "https://a.org");
    assert_links(d, "HTTP://A.ORG/X.", "HTTP://A.ORG/X");
    assert_links(d, "xhttp://a.org/", "http://a.org/");
    assert_links(d, "http://x:8080/", "http://x:8080/");
    assert_links(d, "ftp://a.org/ www.b.org http://c.org",
                 "ftp://a.org/ www.b.org http://c.org");
    assert_links(d, "http://a.orghttp://b.org", "http://a.orghttp://b.org");
}

static void what_is_no_link_is_none(void **state)
{
    struct desk *d = *state;
    assert_links(d, "", "");
    assert_links(d, "http:// http:/a.org ://a.org www. http://www/", "");
    assert_links(d, "mailto:a@b.c awww.b.org owww.x", "");
    assert_links(d, "www", "");
    assert_links(d, "http:", "");
}

static void links_beyond_the_limit_are_counted(void **state)
{
    struct desk *desk = *state;
    struct nd_url_list list;
    nd_urls_begin(&list, 2, desk->arena);
    nd_urls_scan(&list, "www.a.b www.c.d www.e.f www.g.h", 31);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.cut, 2);
    assert_null(nd_urls_add(&list, "x", 1));
}

static void assert_host(const char *url, const char *host)
{
    struct nd_span got = nd_url_host(url, strlen(url));
    assert_int_equal(got.length, strlen(host));
    assert_memory_equal(got.data, host, got.length);
}

static void the_host_of_a_link_is_where_it_leads(void **state)
{
    assert_host("http://a.org/x", "a.org");
    assert_host("http://a.org", "a.org");
    assert_host("http://a.org:8080/x", "a.org");
    assert_host("http://user:word@a.org/", "a.org");
    assert_host("http://www.bank.example@evil.org/", "evil.org");
    assert_host("http://evil.org/www.bank.example@x", "evil.org");
    assert_host("http://evil.org?@bank.example", "evil.org");
    assert_host("http://evil.org\\@bank.example", "evil.org");
    assert_host("//a.org/x", "a.org");
    assert_host("www.a.org./x", "www.a.org");
    assert_host("http://", "");
    assert_host("http:///x", "");
    assert_host("", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_desk(white_space_is_folded),
        with_desk(pieces_join_and_breaks_part_them),
        with_desk(text_beyond_the_limit_is_counted),
        with_desk(links_end_where_a_reader_would_end_them),
        with_desk(what_is_no_link_is_none),
        with_desk(links_beyond_the_limit_are_counted),
        with_desk(the_host_of_a_link_is_where_it_leads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
