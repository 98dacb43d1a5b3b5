/* SPDX-License-Identifier: Apache-2.0
 *
 * Tags, comments, text and character references, one by one, and what browsers
 * make of those that are not well-formed.
 */
#include "read.h"

#include "mail/html_entity.h"
#include "mail/html_style.h"
#include "mail/html_tokens.h"

/* Writes the events down: "<name a=b>", "</name>", "#" for a comment, and text
 * in brackets, pieces joined. */
struct log {
    struct nd_buffer text;
    bool in_text;
};

static void end_text(struct log *log)
{
    if (log->in_text)
        nd_buffer_append_text(&log->text, "]");
    log->in_text = false;
}

static void on_start(void *context, const struct nd_html_start *tag)
{
    struct log *log = context;
    end_text(log);
    nd_buffer_printf(&log->text, "<%s", tag->name);
    for (size_t i = 0; i < tag->attribute_count; i++) {
        const struct nd_html_attribute *attribute = &tag->attributes[i];
        nd_buffer_printf(&log->text, " %.*s=%.*s", (int)attribute->name.length,
                         attribute->name.data, (int)attribute->value.length,
                         attribute->value.data);
    }
    nd_buffer_append_text(&log->text, ">");
}

static void on_end(void *context, const char *name)
{
    struct log *log = context;
    end_text(log);
    nd_buffer_printf(&log->text, "</%s>", name);
}

static void on_text(void *context, const char *text, size_t length)
{
    struct log *log = context;
    assert_true(length > 0);
    if (!log->in_text)
        nd_buffer_append_text(&log->text, "[");
    log->in_text = true;
    nd_buffer_append(&log->text, text, length);
}

static void on_comment(void *context)
{
    struct log *log = context;
    end_text(log);
    nd_buffer_append_text(&log->text, "#");
}

static void assert_events(const char *html, const char *expected)
{
    static const struct nd_html_events events = {
        .start = on_start,
        .end = on_end,
        .text = on_text,
        .comment = on_comment,
    };
    struct log log = {0};
    size_t length = strlen(html);
    char *exact = malloc(length + 1);
    assert_non_null(exact);
    memcpy(exact, html, length);
    nd_buffer_append(&log.text, "", 0);
    nd_html_tokens((struct nd_span){exact, length}, &events, &log);
    end_text(&log);
    nd_buffer_append(&log.text, "", 1);
    assert_string_equal((const char *)log.text.data, expected);
    nd_buffer_free(&log.text);
    free(exact);
}

static void tags_and_text_come_in_order(void **state)
{
    assert_events("a<b>c</b>d", "[a]<b>[c]</b>[d]");
    assert_events("<P><BR/></p >", "<p><br></p>");
    assert_events("", "");
    assert_events("text", "[text]");
}

static void attributes_are_read_as_browsers_read_them(void **state)
{
    assert_events("<a b=c d='e f' g=\"h>i\" j k = l>",
                  "<a b=c d=e f g=h>i j= k=l>");
    assert_events("<a b='c'd=e/f/>", "<a b=c d=e/f/>");
    assert_events("<a/b=c/d>", "<a b=c/d>");
    assert_events("<a =b ==c>", "<a =b==c>");
    assert_events("<a \"b\" c>", "<a \"b\"= c=>");
    assert_events("<a b=>c", "<a b=>[c]");
    assert_events("<a b= 'c'>", "<a b=c>");
    assert_events("<a\nb\t=\r\nc>", "<a b=c>");
    assert_events("<a b=\"c'd\" e='f\"g'>", "<a b=c'd e=f\"g>");
}

static void what_only_looks_like_a_tag_is_text(void **state)
{
    assert_events("1 < 2 <3 <=> <", "[1 < 2 <3 <=> <]");
    assert_events("a <", "[a <]");
    assert_events("</", "[</]");
}

static void a_tag_without_an_end_hides_the_rest(void **state)
{
    assert_events("a<b c", "[a]");
    assert_events("a<b c='d>e", "[a]");
    assert_events("a</b", "[a]");
    assert_events("a<b", "[a]");
}

static void comments_end_where_browsers_end_them(void **state)
{
    assert_events("a<!-- b -- > c -->d", "[a]#[d]");
    assert_events("<!-->a<!--->b<!---->c", "#[a]#[b]#[c]");
    assert_events("<!-- a --!>b", "#[b]");
    assert_events("a<!-- b", "[a]#");
    assert_events("a<!--", "[a]#");
    assert_events("<!--[if mso]><p><![endif]-->a", "#[a]");
}

static void declarations_are_not_shown(void **state)
{
    assert_events("a<!x>b<![if y]>c<?d?>e</ f>g<!DOCTYPE html>h<!>i", "[abcegh"
                                                                      "i]");
    assert_events("a<!x", "[a]");
    assert_events("a</>b", "[ab]");
}

static void scripts_and_styles_hold_neither_tags_nor_text(void **state)
{
    assert_events("<script>a<b</c></SCRIPT x>d", "<script></script>[d]");
    assert_events("<style>a</styles></style\n>b", "<style></style>[b]");
    assert_events("<script>a", "<script>");
    assert_events("<script>a</script", "<script>");
    assert_events("<title>a<b>&amp;</title>c", "<title>[a<b>&]</title>[c]");
    assert_events("<textarea><b></textarea>", "<textarea>[<b>]</textarea>");
    assert_events("<scripts><b>", "<scripts><b>");
}

static void long_names_and_many_attributes_are_cut(void **state)
{
    struct log log = {0};
    struct nd_html_events events = {on_start, on_end, on_text, on_comment};
    struct nd_buffer html = {0};
    nd_buffer_append_text(&html, "<");
    repeat(&html, "n", 1000);
    repeat(&html, " a", 1000);
    nd_buffer_append_text(&html, ">x");
    nd_html_tokens((struct nd_span){(char *)html.data, html.length}, &events,
                   &log);
    assert_int_equal(log.text.length,
                     1 + ND_HTML_MAX_NAME + 3 * ND_HTML_MAX_ATTRIBUTES + 1 + 2);
    nd_buffer_free(&log.text);
    nd_buffer_free(&html);
}

static void assert_entity(const char *text, const char *expected)
{
    struct nd_html_entity found =
        nd_html_entity((struct nd_span){text, strlen(text)}, false);
    char bytes[5] = {0};
    size_t length = nd_html_entity_encode(&found, bytes);
    assert_true(found.source_bytes >= 1);
    assert_true(found.source_bytes <= strlen(text));
    struct nd_buffer all = {0};
    nd_buffer_append(&all, bytes, length);
    nd_buffer_append_text(&all, text + found.source_bytes);
    assert_string_equal((const char *)all.data, expected);
    nd_buffer_free(&all);
}

static void references_are_decoded(void **state)
{
    assert_entity("&amp;", "&");
    assert_entity("&euro;x", "\xe2\x82\xacx");
    assert_entity("&#65;", "A");
    assert_entity("&#x41;b", "Ab");
    assert_entity("&#X41 b", "A b");
    assert_entity("&#65b", "Ab");
    assert_entity("&copy x", "\xc2\xa9 x");
    assert_entity("&AMP;", "&");
    assert_entity("&zwnj;", "\xe2\x80\x8c");
    assert_entity("&thetasym;", "\xcf\x91");
    assert_entity("&NewLine;", " ");
    assert_entity("&#128;", "\xe2\x82\xac");
}

static void what_is_no_reference_stays(void **state)
{
    assert_entity("&", "&");
    assert_entity("&&amp;", "&&amp;");
    assert_entity("&nosuch;", "&nosuch;");
    assert_entity("&euro", "&euro");
    assert_entity("&ampx;", "&ampx;");
    assert_entity("&#;", "&#;");
    assert_entity("&#x;", "&#x;");
    assert_entity("&#", "&#");
    assert_entity("&averyveryverylongname;", "&averyveryverylongname;");
}

static void references_to_no_character_are_replaced(void **state)
{
    assert_entity("&#0;", "\xef\xbf\xbd");
    assert_entity("&#xd800;", "\xef\xbf\xbd");
    assert_entity("&#x110000;", "\xef\xbf\xbd");
    assert_entity("&#99999999999999999999;", "\xef\xbf\xbd");
    assert_entity("&#1;", "\xef\xbf\xbd");
}

static void assert_value(const char *value, size_t size, const char *expected)
{
    char text[64];
    size_t length = nd_html_decode_value((struct nd_span){value, strlen(value)},
                                         text, size);
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
}

static void values_are_decoded_as_far_as_they_fit(void **state)
{
    assert_value("a&amp;b&copy=1&#x3D;", 64, "a&b&copy=1=");
    assert_value("abc", 4, "abc");
    assert_value("abcd", 4, "abc");
    assert_value("a\xe2\x82\xac", 4, "a");
    assert_value("a\xe2\x82\xac", 5, "a\xe2\x82\xac");
    assert_value("a&euro;", 4, "a");
    assert_value("abc", 1, "");
}

static void assert_style(const char *name, const char *value, bool visible)
{
    struct nd_html_style style;
    nd_html_style_default(&style);
    nd_html_style_apply(
        &style, nd_html_property((struct nd_span){name, strlen(name)}), value);
    if (nd_html_style_visible(&style) != visible)
        fail_msg("%s=%s", name, value);
}

static void styles_that_hide_are_told_from_those_that_do_not(void **state)
{
    assert_style("STYLE", "display:none", false);
    assert_style("style", "a:b;;:;display : None ! important;c", false);
    assert_style("style", "display:inline;visibility:collapse", true);
    assert_style("style", "font-size:0.1pt", false);
    assert_style("style", "font-size:1.5px", true);
    assert_style("style", "font-size:0%", false);
    assert_style("style", "font-size:small", true);
    assert_style("style", "opacity:0.0", false);
    assert_style("style", "color:White", false);
    assert_style("style", "color:#ffff", true);
    assert_style("style", "color:#ggg", true);
    assert_style("style", "color:rgb(255,255,255)", false);
    assert_style("style", "color:rgb(255,255,254)", true);
    assert_style("style", "background-color:black", false);
    assert_style("style", "background-color:transparent", true);
    assert_style("style", "background-image:url(x);color:white", true);
    assert_style("style", "", true);
    assert_style("style", ":;:;;;", true);
    assert_style("color", " #FFF ", false);
    assert_style("text", "ffffff", false);
    assert_style("bgcolor", "#000000", false);
    assert_style("bgcolor", "", true);
    assert_style("hidden", "", false);
    assert_style("align", "display:none", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_and_text_come_in_order),
        cmocka_unit_test(attributes_are_read_as_browsers_read_them),
        cmocka_unit_test(what_only_looks_like_a_tag_is_text),
        cmocka_unit_test(a_tag_without_an_end_hides_the_rest),
        cmocka_unit_test(comments_end_where_browsers_end_them),
        cmocka_unit_test(declarations_are_not_shown),
        cmocka_unit_test(scripts_and_styles_hold_neither_tags_nor_text),
        cmocka_unit_test(long_names_and_many_attributes_are_cut),
        cmocka_unit_test(references_are_decoded),
        cmocka_unit_test(what_is_no_reference_stays),
        cmocka_unit_test(references_to_no_character_are_replaced),
        cmocka_unit_test(values_are_decoded_as_far_as_they_fit),
        cmocka_unit_test(styles_that_hide_are_told_from_those_that_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
