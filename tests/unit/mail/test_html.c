/* SPDX-License-Identifier: Apache-2.0
 *
 * What is visible of HTML, what it links to, and the facts about it.
 */
#include "read.h"

static void assert_visible(struct desk *desk, const char *html,
                           const char *text)
{
    assert_string_equal(read_html(desk, html)->text.data, text);
}

static void tags_are_dropped_and_entities_decoded(void **state)
{
    assert_visible(*state, "<b>bold</b> &amp; <i>it</i>alic &lt;&euro;&#x41;",
                   "bold & italic <\xe2\x82\xac"
                   "A");
    assert_visible(*state, "AT&T &nosuch; a&b", "AT&T &nosuch; a&b");
}

static void blocks_stand_on_lines_of_their_own(void **state)
{
    assert_visible(*state,
                   "<div>one</div><div>two<br>three</div>four<p>five\nsix",
                   "one\ntwo\nthree\nfour\nfive six");
    assert_visible(*state, "<ul><li>a<li>b</ul>", "a\nb");
}

static void cells_of_a_row_are_words_of_a_line(void **state)
{
    assert_visible(*state,
                   "<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>",
                   "a b\nc");
}

static void inline_tags_do_not_break_words(void **state)
{
    assert_visible(*state, "V<b>i</b>a<font color=red>g</font>ra", "Viagra");
    assert_visible(*state, "Vi<!-- x -->ag<!x>ra<!>", "Viagra");
}

static void scripts_styles_and_titles_are_not_shown(void **state)
{
    assert_visible(*state,
                   "<html><head><title>title</title><style>p{}</style></head>"
                   "<body>a<script>var x='<b>x</b>';</script>b</body></html>",
                   "ab");
}

static void conditional_comments_are_hidden_and_their_rest_shown(void **state)
{
    assert_visible(*state,
                   "a<!--[if mso]><p>outlook</p><![endif]-->"
                   "<![if !mso]>b<![endif]>c",
                   "abc");
}

static void what_follows_the_end_of_the_page_is_read(void **state)
{
    assert_visible(*state, "<html><body>a</body></html> after <p>more",
                   "a\nafter\nmore");
    assert_visible(*state, "<p>a</p><p>b</p>", "a\nb");
}

static void text_without_any_tag_is_read(void **state)
{
    assert_visible(*state, "just words", "just words");
    assert_visible(*state, "", "");
    assert_visible(*state, "3 < 4 and 5 > 4", "3 < 4 and 5 > 4");
}

static void long_text_and_long_tags_are_read(void **state)
{
    struct nd_buffer html = {0};
    struct nd_buffer image = {0};
    repeat(&image, "QUJDREVGR0hJSktMTU5P", 2500);
    nd_buffer_printf(&html, "<p>a<img src=\"data:image/png;base64,%s\">",
                     (const char *)image.data);
    repeat(&html, "b", 5000);
    nd_buffer_append_text(&html, "<i>c</i>");
    const struct nd_message *m = read_html(*state, (const char *)html.data);
    assert_int_equal(m->text.length, 5002);
    assert_int_equal(m->html.images, 1);
    assert_int_equal(m->html.remote_images, 0);
    assert_int_equal(m->url_count, 0);
    nd_buffer_free(&html);
    nd_buffer_free(&image);
}

static void a_page_with_a_bit_of_everything_is_read(void **state)
{
    const struct nd_message *m = read_html(
        *state,
        "<p class=\"a > b\" title='it is \"x\"'>one<!-- two > -- -> -->three"
        "<!DOCTYPE html PUBLIC \"-//W3C//DTD\"><a href=\"http://a.example/?"
        "x=y&amp;z=1\">f&ouml;ur</a><script type=\"t\">if (a<b) {}</script>"
        "<STYLE>p > b {}</STYLE>&lt;five&gt;<br/><b a=b c=\"d\"e='f'>six</b>"
        "<?pi x?>3 < 4 & 5<!x>end");
    assert_string_equal(m->text.data, "onethreef\xc3\xb6"
                                      "ur<five>\nsix3 < 4 & 5end");
    assert_int_equal(m->html.tags, 6);
    assert_int_equal(m->html.comments, 1);
    assert_string_equal(m->urls[0].url.data, "http://a.example/?x=y&z=1");
}

static void assert_hidden(struct desk *desk, const char *html)
{
    const struct nd_message *m = read_html(desk, html);
    assert_string_equal(m->text.data, "seen");
    assert_int_equal(m->html.visible_chars, 4);
    assert_int_equal(m->html.hidden_chars, 6);
}

static void hidden_text_is_left_out_and_counted(void **state)
{
    struct desk *d = *state;
    assert_hidden(d, "seen<div style='display:none'>un<b>seen</b></div>");
    assert_hidden(d, "seen<span style='Display : NONE !important'>unseen</a>");
    assert_hidden(d, "seen<p style='color:red;visibility: hidden'>unseen");
    assert_hidden(d, "seen<p style='font-size:0'>unseen");
    assert_hidden(d, "seen<p style='font-size:1px'>unseen");
    assert_hidden(d, "seen<p style='opacity:0'>unseen");
    assert_hidden(d, "seen<p style='mso-hide:all'>unseen");
    assert_hidden(d, "seen<p hidden>unseen");
    assert_hidden(d, "seen<font color=white>unseen</font>");
    assert_hidden(d, "seen<font color='#fff'>unseen</font>");
    assert_hidden(d, "seen<font color='#FFFFFF'>unseen</font>");
    assert_hidden(d, "seen<p style='color:rgb(255, 255,255)'>unseen");
    assert_hidden(d, "seen<p style='color:red;background:red'>unseen");
    assert_hidden(d, "<body bgcolor=#112233>seen<font color='#112233'>unseen");
    assert_hidden(d, "<body bgcolor=white text=black>seen"
                     "<table bgcolor=black><tr><td>unseen</table>");
}

static void hiding_ends_with_its_element(void **state)
{
    static const char *const pages[] = {
        "<p style='display:none'>un</p>seen",
        "<p style='display:none'>un<p>seen",
        "<ul><li hidden>un<li>seen</ul>",
        "<table><tr><td hidden>un<td>seen</table>",
        "<table><tr hidden><td>un<tr><td>seen</table>",
        "<table><tr><td hidden>un<table><tr><td>un</table></table>seen",
        "<div hidden><b><i>un</div>seen</i></b>",
        "<x-y hidden>un</X-Y>seen",
        "<br hidden>seen",
        "</div></p><p>seen",
    };
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        const struct nd_message *m = read_html(*state, pages[i]);
        if (strcmp(m->text.data, "seen") != 0)
            fail_msg("%s gives %s", pages[i], m->text.data);
    }
}

static void an_inner_element_does_not_end_an_outer_one(void **state)
{
    static const char *const pages[] = {
        "<table><tr><td hidden><table><tr><td>un</table>un</td><td>seen",
        "<ul><li hidden><ul><li>un</ul>un</ul>seen",
        "<div hidden></b></i>un</div>seen",
    };
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        const struct nd_message *m = read_html(*state, pages[i]);
        if (strncmp(m->text.data, "seen", 4) != 0)
            fail_msg("%s gives %s", pages[i], m->text.data);
    }
}

static void text_that_can_be_read_is_not_called_hidden(void **state)
{
    static const char *const pages[] = {
        "<p style='font-size:12px'>seen",
        "<p style='font-size:0.9em'>seen",
        "<p style='display:block'>seen",
        "<p style='opacity:0.5'>seen",
        "<p style='color:nosuch'>seen",
        "<body bgcolor=black><font color=white>seen",
        "<td background='http://x.org/dark.gif'><font color=white>seen",
        "<td style='background:url(dark.gif)'><font color=white>seen",
        "<div style='display:none'></div>seen",
        "<font color=white><font color=black>seen",
    };
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        const struct nd_message *m = read_html(*state, pages[i]);
        assert_string_equal(m->text.data, "seen");
        assert_int_equal(m->html.hidden_chars, 0);
    }
}

static void hiding_survives_deep_nesting(void **state)
{
    struct nd_buffer html = {0};
    nd_buffer_append_text(&html, "seen<div style='display:none'>");
    repeat(&html, "<b>", 5000);
    nd_buffer_append_text(&html, "unseen");
    const struct nd_message *m = read_html(*state, (const char *)html.data);
    assert_string_equal(m->text.data, "seen");
    assert_int_equal(m->html.hidden_chars, 6);
    assert_int_equal(m->html.max_depth, 5001);
    nd_buffer_free(&html);
}

static void links_and_images_are_listed_with_their_targets(void **state)
{
    const struct nd_message *m = read_html(
        *state, "<a href=\"http://a.example/?x=1&amp;y=2\">here</a>"
                "<a href='mailto:x@y.z'>mail</a><a name=x>anchor</a>"
                "<a href='ht\ntps://b.exa\tmple/'>there</a>"
                "<img src='//c.example/i.gif'><img src='cid:1'>"
                "<form action='https://d.example/post'>"
                "<iframe src='http://e.example/'></iframe>"
                "<map><area href='http://f.example/'></map>"
                "<table background='http://g.example/bg.gif'></table>");
    static const char *const urls[] = {
        "http://a.example/?x=1&y=2", "https://b.example/", "//c.example/i.gif",
        "https://d.example/post",    "http://e.example/",  "http://f.example/",
        "http://g.example/bg.gif",
    };
    assert_int_equal(m->url_count, sizeof urls / sizeof *urls);
    for (size_t i = 0; i < m->url_count; i++) {
        assert_string_equal(m->urls[i].url.data, urls[i]);
        assert_true(m->urls[i].from_html);
        assert_int_equal(m->urls[i].is_image, i == 2 || i == 6);
        assert_false(m->urls[i].text_differs);
    }
    assert_int_equal(m->html.links, 4);
    assert_int_equal(m->html.images, 2);
    assert_int_equal(m->html.remote_images, 2);
    assert_int_equal(m->html.forms, 1);
    assert_int_equal(m->html.iframes, 1);
    assert_int_equal(m->html.tables, 1);
}

static void links_in_the_text_of_a_page_are_found_once(void **state)
{
    const struct nd_message *m =
        read_html(*state, "www.a.example <a href='http://b.example/'>"
                          "http://b.example/</a> http://c.example/");
    assert_int_equal(m->url_count, 3);
    assert_string_equal(m->urls[0].url.data, "www.a.example");
    assert_false(m->urls[0].from_html);
    assert_string_equal(m->urls[1].url.data, "http://b.example/");
    assert_true(m->urls[1].from_html);
    assert_string_equal(m->urls[2].url.data, "http://c.example/");
}

static bool differs(struct desk *desk, const char *target, const char *text)
{
    struct nd_buffer html = {0};
    nd_buffer_printf(&html, "<p>words <a href=\"%s\"> <b>%s</b> </a> more",
                     target, text);
    const struct nd_message *m = read_html(desk, (const char *)html.data);
    assert_true(m->url_count >= 1);
    nd_buffer_free(&html);
    return m->urls[0].text_differs;
}

static void a_link_whose_words_name_another_host_is_marked(void **state)
{
    struct desk *d = *state;
    assert_true(differs(d, "http://evil.example/", "http://www.bank.example/"));
    assert_true(differs(d, "http://evil.example/", "www.bank.example"));
    assert_true(differs(d, "http://evil.example/", "bank.example/login"));
    assert_true(differs(d, "http://bank.example.evil.org/", "bank.example"));
    assert_true(differs(d, "http://bank.example@evil.org/", "bank.example"));
    assert_false(differs(d, "http://www.bank.example/x", "bank.example"));
    assert_false(differs(d, "http://bank.example/x", "www.bank.example:80"));
    assert_false(differs(d, "http://click.bank.example/", "bank.example"));
    assert_false(differs(d, "http://evil.example/", "click here"));
    assert_false(differs(d, "http://evil.example/", "ann@bank.example"));
    assert_false(differs(d, "http://evil.example/", "now 3.50"));
    assert_false(differs(d, "http://evil.example/", "Read more..."));
}

static bool has_token(const struct nd_message *m, const char *token)
{
    for (size_t i = 0; i < m->html.token_count; i++)
        if (strcmp(m->html.tokens[i].data, token) == 0)
            return true;
    return false;
}

static void tags_and_attributes_are_listed_once(void **state)
{
    const struct nd_message *m = read_html(
        *state, "<P align=left CLASS=x><p align=right><o:p><blink><style>"
                "</style><font face=y><!-- c --><!-- d -->");
    assert_true(has_token(m, "p"));
    assert_true(has_token(m, "p align"));
    assert_true(has_token(m, "p class"));
    assert_true(has_token(m, "blink"));
    assert_true(has_token(m, "font face"));
    assert_string_equal(m->html.tokens[0].data, "p");
    size_t found = 0;
    for (size_t i = 0; i < m->html.token_count; i++)
        found += strcmp(m->html.tokens[i].data, "p align") == 0;
    assert_int_equal(found, 1);
    assert_int_equal(m->html.tags, 6);
    assert_int_equal(m->html.unknown_tags, 1);
    assert_int_equal(m->html.comments, 2);
    assert_int_equal(m->html.fonts, 1);
    assert_int_equal(m->html.styles, 1);
}

static void tokens_are_bounded_in_number_and_length(void **state)
{
    struct nd_buffer html = {0};
    for (int i = 0; i < 2000; i++)
        nd_buffer_printf(&html, "<x%d y%d>", i, i);
    const struct nd_message *m = read_html(*state, (const char *)html.data);
    assert_int_equal(m->html.token_count, 500);
    assert_int_equal(m->html.unknown_tags, 2000);
    nd_buffer_clear(&html);
    nd_buffer_append_text(&html, "<");
    repeat(&html, "verylongname", 20);
    nd_buffer_append_text(&html, " ");
    repeat(&html, "attribute", 50);
    nd_buffer_append_text(&html, ">");
    m = read_html(*state, (const char *)html.data);
    for (size_t i = 0; i < m->html.token_count; i++)
        assert_true(m->html.tokens[i].length <= 80);
    nd_buffer_free(&html);
}

static void facts_of_several_pages_add_up(void **state)
{
    const struct nd_message *m = read_text(
        *state, "Content-Type: multipart/mixed; boundary=b\n\n"
                "--b\nContent-Type: text/html\n\n<p>one</p>\n"
                "--b\nContent-Type: text/html\n\n<p>two</p><i>three</i>\n");
    assert_int_equal(m->html.tags, 3);
    assert_int_equal(m->html.token_count, 2);
    assert_string_equal(m->text.data, "one\ntwo\nthree");
    assert_int_equal(m->html.visible_chars, 11);
    assert_int_equal(m->html.markup_bytes, 7 + 14);
}

static void a_message_without_html_has_no_facts_of_it(void **state)
{
    const struct nd_message *m = read_text(*state, "Subject: x\n\nwords");
    assert_int_equal(m->html.tags, 0);
    assert_int_equal(m->html.max_depth, 0);
    assert_int_equal(m->html.visible_chars, 0);
    assert_int_equal(m->html.hidden_chars, 0);
    assert_int_equal(m->html.markup_bytes, 0);
    assert_int_equal(m->html.token_count, 0);
}

static void a_page_in_another_charset_ignores_its_own_meta(void **state)
{
    const struct nd_message *m = read_text(
        *state,
        "Content-Type: text/html; charset=koi8-r\n\n<meta http-equiv="
        "Content-Type content='text/html; charset=iso-8859-1'>\xd0\xd2");
    assert_string_equal(m->text.data, "\xd0\xbf\xd1\x80");
}

static void a_page_without_a_charset_may_name_it_itself(void **state)
{
    static const char *const heads[] = {
        "<meta charset=koi8-r>",
        "<META CHARSET='KOI8-R' />",
        "<meta http-equiv=Content-Type content=\"text/html; charset=koi8-r\">",
    };
    struct nd_buffer text = {0};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        nd_buffer_printf(&text, "Content-Type: text/html\n\n%s\xd0\xd2",
                         heads[i]);
        const struct nd_message *m = read_buffer(*state, &text);
        assert_string_equal(m->text.data, "\xd0\xbf\xd1\x80");
        assert_int_equal(m->defects, 0);
    }
    nd_buffer_append_text(&text, "Content-Type: text/html\n\n"
                                 "<meta charset=koi8-r>\xd0\xbf charset=");
    assert_string_equal(read_buffer(*state, &text)->text.data,
                        "\xd0\xbf charset=");
    nd_buffer_append_text(&text, "Content-Type: text/html\n\n"
                                 "<p>caf\xe9 charset=");
    assert_string_equal(read_buffer(*state, &text)->text.data,
                        "caf\xc3\xa9 charset=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_desk(tags_are_dropped_and_entities_decoded),
        with_desk(blocks_stand_on_lines_of_their_own),
        with_desk(cells_of_a_row_are_words_of_a_line),
        with_desk(inline_tags_do_not_break_words),
        with_desk(scripts_styles_and_titles_are_not_shown),
        with_desk(conditional_comments_are_hidden_and_their_rest_shown),
        with_desk(what_follows_the_end_of_the_page_is_read),
        with_desk(text_without_any_tag_is_read),
        with_desk(long_text_and_long_tags_are_read),
        with_desk(a_page_with_a_bit_of_everything_is_read),
        with_desk(hidden_text_is_left_out_and_counted),
        with_desk(hiding_ends_with_its_element),
        with_desk(an_inner_element_does_not_end_an_outer_one),
        with_desk(text_that_can_be_read_is_not_called_hidden),
        with_desk(hiding_survives_deep_nesting),
        with_desk(links_and_images_are_listed_with_their_targets),
        with_desk(links_in_the_text_of_a_page_are_found_once),
        with_desk(a_link_whose_words_name_another_host_is_marked),
        with_desk(tags_and_attributes_are_listed_once),
        with_desk(tokens_are_bounded_in_number_and_length),
        with_desk(facts_of_several_pages_add_up),
        with_desk(a_message_without_html_has_no_facts_of_it),
        with_desk(a_page_in_another_charset_ignores_its_own_meta),
        with_desk(a_page_without_a_charset_may_name_it_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
