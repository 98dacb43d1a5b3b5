/* SPDX-License-Identifier: Apache-2.0
 *
 * Footers of mailing lists are left out of the text, and nothing else is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "example.h"
#include "features/footer.h"

#define MESSAGE "This is the message itself, as it was written.\n"

static const char mailman[] = "_______________________________________\n"
                              "Talk mailing list\n"
                              "Talk@lists.example\n"
                              "http://lists.example/listinfo/talk\n";

static void the_rule_above_the_mark_begins_the_footer(void **state)
{
    const char *text = MESSAGE "_______________________________________\n"
                               "Talk mailing list\n"
                               "Talk@lists.example\n"
                               "http://lists.example/listinfo/talk\n";
    struct nd_text footer = nd_list_footer(text_of(text));
    assert_int_equal(footer.length, strlen(mailman));
    assert_memory_equal(footer.data, mailman, footer.length);
}

static void a_signature_mark_begins_it_too(void **state)
{
    const char *text = MESSAGE "-- \nUsers' Group: group@lists.example\n"
                               "List maintainer: master@lists.example\n";
    struct nd_text footer = nd_list_footer(text_of(text));
    assert_ptr_equal(footer.data, strstr(text, "-- \n"));
}

static void without_a_rule_it_begins_with_the_marks_own_line(void **state)
{
    const char *text = MESSAGE "\nhttp://lists.example/mailman/listinfo/fork\n";
    struct nd_text footer = nd_list_footer(text_of(text));
    assert_ptr_equal(footer.data, strstr(text, "http:"));
}

static void text_without_a_mark_has_none(void **state)
{
    assert_int_equal(nd_list_footer(text_of(MESSAGE "-- \nJane\n")).length, 0);
    assert_int_equal(nd_list_footer(text_of(MESSAGE)).length, 0);
    assert_int_equal(nd_list_footer(text_of("")).length, 0);
}

static void a_message_that_is_all_footer_stays(void **state)
{
    assert_int_equal(nd_list_footer(text_of(mailman)).length, 0);
}

static void a_mark_far_from_the_end_does_not_count(void **state)
{
    char text[1000];
    memset(text, 'x', sizeof(text));
    memcpy(text + 100, "mailing list", 12);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(nd_list_footer(text_of(text)).length, 0);
}

static void footers_give_neither_words_nor_links(void **state)
{
    static const struct nd_url urls[] = {
        {.url = {"http://lists.example/listinfo/talk", 34}},
        {.url = {"http://shop.example/", 20}}};
    struct nd_message message = empty_message();
    message.text = text_of(MESSAGE "_______________________________________\n"
                                   "Talk mailing list\n"
                                   "Talk@lists.example\n"
                                   "http://lists.example/listinfo/talk\n");
    message.urls = urls;
    message.url_count = 2;
    struct nd_features features = named_features(&message);
    assert_true(has(&features, ND_FAMILY_WORDS, "word:written"));
    assert_false(has(&features, ND_FAMILY_WORDS, "word:mailing"));
    assert_false(has(&features, ND_FAMILY_WORDS, "word:listinfo"));
    assert_false(has(&features, ND_FAMILY_URLS, "label:lists"));
    assert_true(has(&features, ND_FAMILY_URLS, "label:shop"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule_above_the_mark_begins_the_footer),
        cmocka_unit_test(a_signature_mark_begins_it_too),
        cmocka_unit_test(without_a_rule_it_begins_with_the_marks_own_line),
        cmocka_unit_test(text_without_a_mark_has_none),
        cmocka_unit_test(a_message_that_is_all_footer_stays),
        cmocka_unit_test(a_mark_far_from_the_end_does_not_count),
        cmocka_unit_test(footers_give_neither_words_nor_links),
    };
    return cmocka_run_group_tests_name("footer", tests, set_up_example,
                                       tear_down_example);
}
