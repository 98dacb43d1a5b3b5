/* SPDX-License-Identifier: Apache-2.0
 *
 * The layout of every family, held by what three messages give under one key.
 * Stored samples and models rely on it: a change here is no change of a test.
 * docs/formats/layout.md says what to do instead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "example.h"

#define DIGEST_TEXT 17 /* 8 bytes in hexadecimal */

static const char newsletter[] =
    "Received: from mx.shop.example by mail.example.org; "
    "Thu, 15 Oct 2026 10:00:00 +0000\r\n"
    "From: \"Great Offers 24\" <offers@shop.example>\r\n"
    "Reply-To: <answer@other.example>\r\n"
    "To: user@example.org, second@example.org\r\n"
    "Cc: third@example.net\r\n"
    "Subject: =?utf-8?q?Caf=C3=A9_WINNERS:_save_50%_today?=\r\n"
    "Date: Thu, 15 Oct 2026 09:59:58 +0000\r\n"
    "Message-ID: <0123abcDEF@shop.example>\r\n"
    "X-Mailer: Bulk Sender 3.1\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=\"=_outer-1\"\r\n"
    "\r\n"
    "--=_outer-1\r\n"
    "Content-Type: multipart/alternative; boundary=inner2\r\n"
    "\r\n"
    "--inner2\r\n"
    "Content-Type: text/plain; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n"
    "\r\n"
    "Dear friend, don't miss our caf=E9 of $1,000 prizes! Call 555-0199 "
    "now,\r\n"
    "or visit http://www.shop.example:8080/win/a%20prize?id=7 for details.\r\n"
    "--inner2\r\n"
    "Content-Type: text/html; charset=utf-8\r\n"
    "\r\n"
    "<html><head><title>Offer</title><style>p{color:red}</style></head><body>"
    "<h1>DON'T WAIT</h1><p style=\"display:none\">hidden words for filters</p>"
    "<table><tr><td><a href=\"https://evil.example/login/account\">"
    "www.bank.example</a></td></tr></table>"
    "<img src=\"http://img.shop.example/pixel.gif\" width=1 height=1>"
    "<form action=\"http://shop.example/go\"><input name=q></form>"
    "<!-- a comment --><font size=7>Buy now</font></body></html>\r\n"
    "--inner2--\r\n"
    "--=_outer-1\r\n"
    "Content-Type: application/pdf; name=\"invoice 42.pdf\"\r\n"
    "Content-Disposition: attachment; filename=\"invoice 42.pdf\"\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "\r\n"
    "JVBERi0xLjQKJcOkw7zDtsOfCg==\r\n"
    "--=_outer-1--\r\n";

static const char discussion[] =
    "Received: from a.example by b.example; Mon, 5 Oct 2026 08:00:00 +0000\r\n"
    "Received: from c.example by a.example; Mon, 5 Oct 2026 07:59:00 +0000\r\n"
    "From: Jane Roe <jane@c.example>\r\n"
    "To: dev@lists.example\r\n"
    "Subject: Re: [dev] Review of the kernel patch\r\n"
    "Date: Mon, 5 Oct 2026 07:58:30 +0200\r\n"
    "Message-ID: <20261005.1@c.example>\r\n"
    "In-Reply-To: <20261004.9@d.example>\r\n"
    "References: <20261004.9@d.example>\r\n"
    "User-Agent: Mutt/2.2.9\r\n"
    "\r\n"
    "On Sunday, John wrote:\r\n"
    "> the branch should be merged before the release\r\n"
    "\r\n"
    "I have read it twice; two functions lack a test, see\r\n"
    "https://git.example/project/commit/deadbeef and ask again.\r\n"
    "antidisestablishmentarianism-pseudopneumonoultramicroscopicsilicosis\r\n"
    "\r\n"
    "Regards, Jane\r\n";

static const char foreign[] =
    "From: =?utf-8?b?0JjQstCw0L0=?= <ivan@x.example>\r\n"
    "To: user@example.org\r\n"
    "Subject: =?utf-8?b?5pel5pys6Kqe44Gu5Lu25ZCN?=\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n"
    "\r\n"
    "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xce\x91\xce\xb8\xce\xae"
    "\xce\xbd\xce\xb1 \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e v\xe2\x80\x8bi"
    "\xe2\x80\x8b"
    "agra stra\xc3\x9f"
    "e \xc2\xad soft 12345\r\n";

/* What is promised: by family, its layout, and the digest of what the three
 * messages give. Names are those of the table. */
static const struct {
    enum nd_family family;
    uint32_t number, layout;
    const char *digest;
} promised[] = {
    {ND_FAMILY_SYMBOLS, 0, 1, "4ac7ec9216690c1b"},
    {ND_FAMILY_METATOKENS, 1, 1, "b3eb29f010bac218"},
    {ND_FAMILY_WORDS, 2, 1, "e637bccf7fbf3adf"},
    {ND_FAMILY_PAIRS, 3, 1, "47ad5b7d6a705ae7"},
    {ND_FAMILY_GRAMS, 4, 1, "d36465d524709e84"},
    {ND_FAMILY_STRUCTURE, 5, 1, "9166c2174e6a7a90"},
    {ND_FAMILY_URLS, 6, 1, "91bd56f0e88559d0"},
    {ND_FAMILY_HEADERS, 7, 1, "3db0a6dfacf9d993"},
    {ND_FAMILY_HEADER_GRAMS, 8, 1, "cec695432ae0c66c"},
};

/* Retired numbers keep the width that models and samples have them in. */
static const struct {
    uint32_t number, slot_bits;
} retired[] = {
    {UINT32_MAX, 0}, /* none so far */
};

static int by_name(const void *left, const void *right)
{
    const struct nd_named_feature *a = left;
    const struct nd_named_feature *b = right;
    return strcmp(a->name, b->name);
}

/* Names with their values, as exact as every processor and libm has them. */
static void add_named(const struct nd_features *features, enum nd_family family,
                      struct nd_buffer *facts)
{
    struct nd_named_feature *sorted =
        nd_arena_take(arena, features->named_count * sizeof *sorted);
    memcpy(sorted, features->named, features->named_count * sizeof *sorted);
    qsort(sorted, features->named_count, sizeof *sorted, by_name);
    for (size_t i = 0; i < features->named_count; i++)
        if (nd_named_family(sorted[i].name) == family)
            nd_buffer_printf(facts, "%s %.4f\n", sorted[i].name,
                             (double)sorted[i].value);
}

static void add_slots(const struct nd_slot_list *list, struct nd_buffer *facts)
{
    for (uint32_t i = 0; i < list->count; i++)
        nd_buffer_printf(facts, "%u\n", (unsigned)list->slots[i]);
}

static struct nd_features features_of(const char *text, size_t length)
{
    static const struct nd_scan_symbol symbols[] = {
        {.name = "BAYES_99", .score = 3.5, .has_score = true},
        {.name = "DKIM_VALID", .score = -0.1, .has_score = true},
        {.name = "HTML_MESSAGE", .score = 0, .has_score = true},
        {.name = "MISSING_MID"},
    };
    static const struct nd_scan scan = {.symbols = symbols, .count = 4};
    struct nd_mail_limits limits;
    struct nd_message message;
    struct nd_features features;
    struct nd_extract_options options = {.families = ND_GROUP_ALL};
    nd_mail_limits_default(&limits);
    assert_int_equal(
        nd_message_read(text, length, &limits, NULL, arena, NULL, &message),
        ND_OK);
    nd_features_extract(&message, &scan, &key, &options, arena, &features);
    return features;
}

static void digest_of(enum nd_family family, char text_r[DIGEST_TEXT])
{
    const struct {
        const char *text;
        size_t length;
    } messages[] = {{newsletter, sizeof newsletter - 1},
                    {discussion, sizeof discussion - 1},
                    {foreign, sizeof foreign - 1}};
    uint8_t digest[ND_DIGEST_BYTES];
    struct nd_buffer facts = {0};
    nd_buffer_printf(&facts, "%u bits\n",
                     (unsigned)nd_family(family)->slot_bits);
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct nd_features features =
            features_of(messages[i].text, messages[i].length);
        assert_true(features.families >> family & 1U);
        if (nd_family(family)->is_text)
            add_slots(&features.text[family], &facts);
        else
            add_named(&features, family, &facts);
        nd_buffer_append_text(&facts, "--\n");
    }
    nd_digest(facts.data, facts.length, NULL, digest);
    nd_hex(digest, (DIGEST_TEXT - 1) / 2, text_r);
    nd_buffer_free(&facts);
}

static void a_layout_changes_only_with_its_number(void **state)
{
    size_t changed = 0;
    for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++) {
        char digest[DIGEST_TEXT];
        enum nd_family family = promised[i].family;
        const struct nd_family_info *info = nd_family(family);
        digest_of(family, digest);
        bool same = strcmp(digest, promised[i].digest) == 0 &&
                    (uint32_t)family == promised[i].number &&
                    info->layout == promised[i].layout;
        if (!same)
            print_error("%s: number %d, layout %u, digest %s are not those "
                        "that are promised\n",
                        info->name, (int)family, (unsigned)info->layout,
                        digest);
        changed += !same;
    }
    if (changed > 0)
        fail_msg("stored samples and models have these slots: give the family "
                 "a new number as docs/formats/layout.md says");
}

static void every_number_has_its_promise(void **state)
{
    uint32_t seen = 0;
    for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++)
        seen |= 1U << promised[i].number;
    assert_int_equal(seen, ND_GROUP_ALL);
    seen = 0;
    for (size_t i = 0; i < sizeof retired / sizeof retired[0]; i++) {
        if (retired[i].number >= ND_FAMILY_COUNT)
            continue;
        seen |= 1U << retired[i].number;
        assert_int_equal(
            nd_family((enum nd_family)retired[i].number)->slot_bits,
            retired[i].slot_bits);
    }
    assert_int_equal(seen, ND_GROUP_RETIRED);
}

/* Numbers ascend without a gap, each name has its layouts in order, the
 * newest one is extracted, and a narrow form is of one that is. */
static void the_table_is_in_order(void **state)
{
    assert_true(ND_FAMILY_COUNT <= 32);
    for (uint32_t number = 0; number < ND_FAMILY_COUNT; number++) {
        const struct nd_family_info *info = nd_family((enum nd_family)number);
        uint32_t layouts = 0, newer = 0;
        assert_non_null(info->name);
        for (uint32_t other = 0; other < ND_FAMILY_COUNT; other++) {
            const struct nd_family_info *its = nd_family((enum nd_family)other);
            bool same = strcmp(its->name, info->name) == 0;
            layouts += same && other <= number;
            newer += same && other > number;
        }
        assert_int_equal(info->layout, layouts);
        assert_int_equal(info->kind == ND_FAMILY_RETIRED, newer > 0);
        if (info->wide != ND_FAMILY_NONE) {
            assert_int_equal(info->kind, ND_FAMILY_RETIRED);
            assert_true(ND_GROUP_TEXT >> info->wide & 1U);
            assert_true(nd_family(info->wide)->slot_bits > info->slot_bits);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_layout_changes_only_with_its_number),
        cmocka_unit_test(every_number_has_its_promise),
        cmocka_unit_test(the_table_is_in_order),
    };
    return cmocka_run_group_tests(tests, set_up_example, tear_down_example);
}
