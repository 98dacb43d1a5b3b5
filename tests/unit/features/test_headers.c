/* SPDX-License-Identifier: Apache-2.0
 *
 * What headers give, and above all what they must not: labels, the receiving
 * side, dates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "example.h"
#include "features/header_table.h"

static struct nd_features features_of(const struct nd_header *headers,
                                      size_t count)
{
    struct nd_message message = empty_message();
    message.headers = headers;
    message.header_count = count;
    return named_features(&message);
}

static void values_give_words_and_grams_under_their_headers_name(void **state)
{
    const struct nd_header headers[] = {
        header_of("X-Mailer", "Bulk Sender 2.1"),
        header_of("From", "Jane Doe <jane@shop.com>")};
    struct nd_features features = features_of(headers, 2);
    assert_true(has(&features, ND_FAMILY_HEADERS, "x-mailer:bulk"));
    assert_true(has(&features, ND_FAMILY_HEADERS, "x-mailer:0"));
    assert_true(has(&features, ND_FAMILY_HEADERS, "from:shop"));
    assert_false(has(&features, ND_FAMILY_HEADERS, "from:com"));
    assert_true(has(&features, ND_FAMILY_HEADER_GRAMS, "header gram:bulk"));
    assert_true(has(&features, ND_FAMILY_HEADER_GRAMS, "header gram:jane"));
}

/* Design: headers that a filter or a mailbox program wrote, and trace headers,
 * never become text features. */
static void roles_other_than_plain_leave_nothing(void **state)
{
    static const enum nd_header_role roles[] = {
        ND_HEADER_TRACE, ND_HEADER_FILTER, ND_HEADER_LIST};
    struct nd_features without = features_of(NULL, 0);
    for (size_t i = 0; i < 3; i++) {
        struct nd_header header = header_of("X-Leak", "spamlabel");
        header.role = roles[i];
        struct nd_features with = features_of(&header, 1);
        assert_false(mentions(&with, "leak"));
        assert_false(mentions(&with, "Leak"));
        assert_false(mentions(&with, "spamlabel"));
        for (uint32_t family = 0; family < ND_FAMILY_COUNT; family++)
            assert_int_equal(with.text[family].count,
                             without.text[family].count);
    }
}

static void recipients_ids_and_dates_leave_no_words(void **state)
{
    const struct nd_header headers[] = {
        header_of("To", "yyyy@receiver.example"),
        header_of("Cc", "cccc@receiver.example"),
        header_of("Message-ID", "<abcd1234@secrethost.example>"),
        header_of("Date", "Mon, 09 Sep 2002 10:45:45 +0100"),
        header_of("References", "<wxyz@other.example>"),
        header_of("In-Reply-To", "<wxyz@other.example>")};
    struct nd_features features = features_of(headers, 6);
    static const char *const absent[] = {"yyyy",  "cccc", "receiver", "abcd",
                                         "secr",  "wxyz", "2002",     "sep",
                                         "other", "+0100"};
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        assert_false(mentions(&features, absent[i]));
    assert_int_equal(features.text[ND_FAMILY_HEADERS].count, 0);
    assert_int_equal(features.text[ND_FAMILY_HEADER_GRAMS].count, 0);
}

/* The reader's own domain marks the receiving side, wherever it stands. */
static void the_recipients_domain_is_cut_out_of_all_values(void **state)
{
    const struct nd_header headers[] = {
        header_of("From", "boss@Home.example, x@a.home.example.org"),
        header_of("To", "me@mail.home.example"),
        header_of("X-Thing", "home.examplehome.example kept")};
    struct nd_features features = features_of(headers, 3);
    assert_false(mentions(&features, "home"));
    assert_false(mentions(&features, "exam"));
    assert_true(has(&features, ND_FAMILY_HEADERS, "from:boss"));
    assert_true(has(&features, ND_FAMILY_HEADERS, "x-thing:kept"));
    assert_true(has(&features, ND_FAMILY_STRUCTURE, "agree:from to no"));
}

static void presence_spelling_and_order_are_structure(void **state)
{
    const struct nd_header headers[] = {header_of("Message-Id", "<1@a>"),
                                        header_of("FROM", "a@b.example")};
    struct nd_features features = features_of(headers, 2);
    assert_false(has(&features, ND_FAMILY_STRUCTURE, "has:message-id"));
    assert_true(has(&features, ND_FAMILY_STRUCTURE, "lacks:to"));
    assert_true(has(&features, ND_FAMILY_STRUCTURE, "spelling:FROM"));
    assert_true(has(&features, ND_FAMILY_STRUCTURE, "order:message-id from"));
}

static void ids_and_boundaries_leave_their_form(void **state)
{
    const struct nd_header headers[] = {
        header_of("Message-ID", "<000001c0$a1b2$x@host.example>"),
        header_of("Content-Type",
                  "multipart/mixed; boundary=\"----=_Part_12_ab.34\"; x=y")};
    struct nd_features features = features_of(headers, 2);
    assert_true(has(&features, ND_FAMILY_STRUCTURE, "shape:message-id <x$x$a"));
    assert_true(has(&features, ND_FAMILY_STRUCTURE, "boundary \"-=_a_0_a.0\""));
}

static void agreeing_domains_are_seen_without_their_names(void **state)
{
    const struct nd_header headers[] = {
        header_of("From", "Shop <a@mail.shop.example>"),
        header_of("Reply-To", "b@SHOP.example"),
        header_of("To", "me@home.example")};
    struct nd_features features = features_of(headers, 3);
    assert_true(has(&features, ND_FAMILY_STRUCTURE, "agree:from reply-to yes"));
    assert_true(has(&features, ND_FAMILY_STRUCTURE, "agree:from to no"));
    assert_true(
        has(&features, ND_FAMILY_STRUCTURE, "agree:to message-id absent"));
}

static void every_row_of_the_table_is_found(void **state)
{
    static const char *const silent[] = {
        "Old-Subject", "posted-date",       "Received-Date", "RESENT-DATE",
        "Resent-From", "resent-message-id", "Resent-Sender", "resent-to",
        "X-Mail-From", "X-Precedence-Ref",  "x-rcpt-to"};
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        struct nd_header header = header_of(silent[i], "x");
        assert_int_equal(nd_header_use(&header), ND_USE_NOTHING);
    }
    struct nd_header header = header_of("Bcc", "x");
    assert_int_equal(nd_header_use(&header), ND_USE_PRESENCE);

    header = header_of("X-Something-New", "x");
    assert_int_equal(nd_header_use(&header), ND_USE_PRESENCE | ND_USE_WORDS);
}

static void a_huge_value_is_read_to_its_limit(void **state)
{
    char value[4000];
    for (size_t i = 0; i < sizeof(value) - 1; i++)
        value[i] = (char)(i % 5 == 4 ? ' ' : 'a' + (i * 7 + i / 31) % 26);
    value[sizeof(value) - 1] = '\0';
    const struct nd_header header = header_of("Comments", value);
    struct nd_features features = features_of(&header, 1);
    assert_true(features.text[ND_FAMILY_HEADERS].count <= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_give_words_and_grams_under_their_headers_name),
        cmocka_unit_test(roles_other_than_plain_leave_nothing),
        cmocka_unit_test(recipients_ids_and_dates_leave_no_words),
        cmocka_unit_test(the_recipients_domain_is_cut_out_of_all_values),
        cmocka_unit_test(presence_spelling_and_order_are_structure),
        cmocka_unit_test(ids_and_boundaries_leave_their_form),
        cmocka_unit_test(agreeing_domains_are_seen_without_their_names),
        cmocka_unit_test(every_row_of_the_table_is_found),
        cmocka_unit_test(a_huge_value_is_read_to_its_limit),
    };
    return cmocka_run_group_tests_name("headers", tests, set_up_example,
                                       tear_down_example);
}
