/* SPDX-License-Identifier: Apache-2.0
 *
 * Findings from the headers of SpamAssassin and rspamd and from rspamd's JSON,
 * as they are written and as they are broken.
 */
#include "read.h"

#include <math.h>

#include "mail/scan_builder.h"

/* The findings as "NAME NAME=1.50", in order. */
static void assert_symbols(const struct nd_scan *scan, const char *expected)
{
    struct nd_buffer found = {0};
    nd_buffer_append(&found, "", 0);
    for (size_t i = 0; i < scan->count; i++) {
        const struct nd_scan_symbol *symbol = &scan->symbols[i];
        nd_buffer_printf(&found, "%s%s", i > 0 ? " " : "", symbol->name);
        if (symbol->has_score)
            nd_buffer_printf(&found, "=%.2f", symbol->score);
        else
            assert_true(symbol->score == 0);
    }
    nd_buffer_append(&found, "", 1);
    assert_string_equal((const char *)found.data, expected);
    nd_buffer_free(&found);
}

static struct nd_scan from_header(void **state, const char *name,
                                  const char *value)
{
    struct desk *desk = *state;
    struct nd_scan scan = {0};
    assert_true(nd_scan_read_header(name, value, desk->arena, &scan));
    return scan;
}

static void a_status_names_its_tests(void **state)
{
    struct nd_scan scan =
        from_header(state, "X-Spam-Status",
                    "Yes, score=7.5 required=5.0 tests=BAYES_99,HTML_MESSAGE, "
                    "RCVD_IN_X autolearn=no autolearn_force=no version=4.0.0");
    assert_symbols(&scan, "BAYES_99 HTML_MESSAGE RCVD_IN_X");
    assert_int_equal(scan.verdict, ND_SCAN_SPAM);
    assert_true(scan.has_score);
    assert_true(fabs(scan.score - 7.5) < 1e-9);
    assert_true(fabs(scan.required - 5.0) < 1e-9);
    assert_int_equal(scan.dropped, 0);
}

static void a_status_is_read_in_all_its_dialects(void **state)
{
    struct nd_scan scan = from_header(
        state, "x-spam-status",
        "No, hits=-2.0 required=5.0 tests=A,B=1.25,C=-0.1 version=2.20");
    assert_symbols(&scan, "A B=1.25 C=-0.10");
    assert_int_equal(scan.verdict, ND_SCAN_HAM);
    assert_true(scan.score < 0);
    scan = from_header(state, "X-Spam-Status",
                       "No, score=-1.9 tagged_above=-999 required=6.2 "
                       "tests=[BAYES_00=-1.9, SPF_PASS=-0.001] autolearn=ham");
    assert_symbols(&scan, "BAYES_00=-1.90 SPF_PASS=-0.00");
    scan = from_header(state, "X-Spam-Status",
                       "No, score=0.0 required=5.0 tests=none autolearn=ham");
    assert_symbols(&scan, "");
    assert_true(scan.has_score);
    scan = from_header(state, "X-Spam-Status", "Yes, tests=A");
    assert_false(scan.has_score);
    assert_symbols(&scan, "A");
}

static void a_report_adds_scores_to_a_status(void **state)
{
    struct desk *desk = *state;
    struct nd_scan scan = from_header(state, "X-Spam-Status",
                                      "Yes, score=3 required=2 tests=A_1,B_2");
    assert_true(nd_scan_read_header(
        "X-Spam-Report",
        "* 1.5 A_1 BODY: words * [score: 0.9998] * -0.0 C_3 RBL: more words "
        "* [1.2.3.4 listed] * 2.0 lower case * 9 * 0.1",
        desk->arena, &scan));
    assert_symbols(&scan, "A_1=1.50 B_2 C_3=-0.00");
    assert_int_equal(scan.verdict, ND_SCAN_SPAM);
}

static void a_spamd_result_is_read(void **state)
{
    struct nd_scan scan = from_header(
        state, "X-Spamd-Result",
        "default: False [-1.20 / 15.00]; BAYES_HAM(-3.00)[100.00%]; "
        "MX_GOOD(-0.01)[]; R_DKIM_NA(0.00); ONCE(1.79)[a;b,[c];d]; "
        "LAST(0.10)[x]");
    assert_symbols(&scan, "BAYES_HAM=-3.00 MX_GOOD=-0.01 R_DKIM_NA=0.00 "
                          "ONCE=1.79 LAST=0.10");
    assert_int_equal(scan.verdict, ND_SCAN_HAM);
    assert_true(fabs(scan.score + 1.2) < 1e-9);
    assert_true(fabs(scan.required - 15) < 1e-9);
}

static void options_of_a_spamd_result_are_no_symbols(void **state)
{
    struct nd_scan scan =
        from_header(state, "X-Spamd-Result",
                    "default: True [9.00 / 5.00]; A(1.00)[x; FORGED(-9.00)[]; "
                    "y]; B(2.00)[unfinished; C(3.00)");
    assert_symbols(&scan, "A=1.00 B=2.00");
}

static void a_header_that_holds_nothing_changes_nothing(void **state)
{
    static const char *const pairs[][2] = {
        {"X-Spam-Status", ""},
        {"X-Spam-Status", "maybe"},
        {"X-Spam-Report", "no stars"},
        {"X-Spam-Report", "* * * 1.0 * 0x10 ABC x"},
        {"X-Spamd-Result", ""},
        {"X-Spamd-Result", "default: False"},
        {"X-Spamd-Result", "default: False [x / 15]; A(1.0)[]"},
        {"X-Spamd-Result", "default: False [1 15]; A(1.0)[]"},
        {"X-Spam-Flag", "YES"},
        {"Subject", "score=1 tests=A"},
    };
    struct desk *desk = *state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct nd_scan scan = {.count = 0, .score = 42, .dropped = 7};
        assert_false(
            nd_scan_read_header(pairs[i][0], pairs[i][1], desk->arena, &scan));
        assert_int_equal(scan.count, 0);
        assert_true(scan.score == 42 && !scan.has_score);
        assert_int_equal(scan.dropped, 7);
        assert_int_equal(scan.verdict, ND_SCAN_UNKNOWN);
    }
}

static void scores_that_are_no_numbers_are_left_out(void **state)
{
    struct nd_scan scan =
        from_header(state, "X-Spam-Status",
                    "Yes, score=nan required=inf tests=A=nan,B=1e999,C=x,D=1");
    assert_symbols(&scan, "A B C D=1.00");
    assert_false(scan.has_score);
    assert_true(scan.required == 0);
}

static void symbols_beyond_the_limits_are_counted(void **state)
{
    struct nd_buffer value = {0};
    nd_buffer_append_text(&value, "Yes, score=1 tests=");
    for (int i = 0; i < 2500; i++)
        nd_buffer_printf(&value, "S%d,", i);
    repeat(&value, "x", 200);
    struct nd_scan scan =
        from_header(state, "X-Spam-Status", (const char *)value.data);
    assert_int_equal(scan.count, ND_MAX_SCAN_SYMBOLS);
    assert_int_equal(scan.dropped, 501);
    nd_buffer_free(&value);
}

static void a_symbol_named_twice_is_one(void **state)
{
    struct nd_scan scan =
        from_header(state, "X-Spam-Status", "Yes, score=1 tests=A,A=2,A=3,B,A");
    assert_symbols(&scan, "A=2.00 B");
}

static void names_are_printable_and_bounded(void **state)
{
    char name[ND_MAX_SYMBOL_NAME + 2];
    memset(name, 'A', sizeof name);
    assert_true(nd_scan_is_name(name, ND_MAX_SYMBOL_NAME));
    assert_false(nd_scan_is_name(name, ND_MAX_SYMBOL_NAME + 1));
    assert_false(nd_scan_is_name("", 0));
    assert_false(nd_scan_is_name("A B", 3));
    assert_false(nd_scan_is_name("A\n", 2));
    assert_false(nd_scan_is_name("\xc3\xa4", 2));
    assert_false(nd_scan_is_name("A\0", 2));
}

static struct nd_scan from_json(void **state, const char *text,
                                const char *expected_id)
{
    struct desk *desk = *state;
    struct nd_error error = {""};
    struct nd_scan scan;
    const char *id = "untouched";
    assert_int_equal(
        nd_scan_read_json(text, strlen(text), desk->arena, &error, &scan, &id),
        ND_OK);
    if (expected_id == NULL)
        assert_null(id);
    else
        assert_string_equal(id, expected_id);
    return scan;
}

static void an_answer_of_checkv2_is_read(void **state)
{
    struct nd_scan scan = from_json(
        state,
        "{\"is_skipped\":false,\"score\":16.5,\"required_score\":15.0,"
        "\"action\":\"reject\",\"symbols\":{\"A\":{\"name\":\"A\","
        "\"score\":1.5,\"options\":[\"x\"]},\"B\":{\"score\":0}},"
        "\"message-id\":\"1@x\",\"urls\":[]}",
        "1@x");
    assert_symbols(&scan, "A=1.50 B=0.00");
    assert_int_equal(scan.verdict, ND_SCAN_SPAM);
    assert_true(fabs(scan.score - 16.5) < 1e-9);
    assert_true(fabs(scan.required - 15) < 1e-9);
}

static void an_exported_line_is_read(void **state)
{
    struct nd_scan scan = from_json(
        state,
        "{\"id\":\"ham-1\",\"label\":\"ham\",\"split\":\"test\",\"score\":0.79,"
        "\"action\":\"no action\",\"symbols\":{\"A\":1.0,\"B\":-0.01}}",
        "ham-1");
    assert_symbols(&scan, "A=1.00 B=-0.01");
    assert_int_equal(scan.verdict, ND_SCAN_HAM);
}

static void metatokens_are_read_and_brought_into_their_range(void **state)
{
    struct nd_scan scan = from_json(
        state,
        "{\"symbols\":{\"A\":1},\"metatokens\":{\"size\":0.25,\"hops\":7,"
        "\"x\":-1,\"a b\":1,\"text\":\"1\"}}",
        NULL);
    assert_symbols(&scan, "A=1.00");
    assert_int_equal(scan.metatoken_count, 3);
    assert_string_equal(scan.metatokens[0].name, "size");
    assert_true(fabs(scan.metatokens[0].score - 0.25) < 1e-9);
    assert_true(fabs(scan.metatokens[1].score - 1.0) < 1e-9);
    assert_true(fabs(scan.metatokens[2].score) < 1e-9);
    assert_int_equal(scan.dropped, 2);
    scan = from_json(state, "{\"metatokens\":[1]}", NULL);
    assert_int_equal(scan.metatoken_count, 0);
}

static void members_may_be_missing_or_odd(void **state)
{
    struct nd_scan scan = from_json(state, "{}", NULL);
    assert_symbols(&scan, "");
    assert_false(scan.has_score);
    assert_int_equal(scan.verdict, ND_SCAN_UNKNOWN);
    scan = from_json(state,
                     "{\"symbols\":{\"A\":\"x\",\"B\":{},\"C\":null,"
                     "\"D\":[],\"a b\":1,\"\":1},\"score\":\"x\",\"id\":7}",
                     NULL);
    assert_symbols(&scan, "B C");
    assert_int_equal(scan.dropped, 4);
    scan = from_json(
        state, "{\"symbols\":[\"A\",{\"name\":\"B\",\"score\":2},3]}", NULL);
    assert_symbols(&scan, "A B=2.00");
    assert_int_equal(scan.dropped, 1);
    scan = from_json(state, "{\"score\":5,\"required_score\":5}", NULL);
    assert_int_equal(scan.verdict, ND_SCAN_SPAM);
    scan = from_json(state, "{\"score\":4,\"required_score\":5}", NULL);
    assert_int_equal(scan.verdict, ND_SCAN_HAM);
    scan = from_json(state,
                     "{\"action\":\"greylist\",\"score\":9,"
                     "\"required_score\":5}",
                     NULL);
    assert_int_equal(scan.verdict, ND_SCAN_UNKNOWN);
}

static void broken_json_is_refused_with_its_position(void **state)
{
    static const struct {
        const char *text, *says;
    } broken[] = {
        {"", "line 1"},
        {"{\"symbols\":\n{\"A\" 1}}", "line 2"},
        {"[1]", "object"},
        {"{} x", "line 1"},
        {"{\"symbols\":7}", "symbols"},
        {"{\"symbols\":{\"A\":1e999}}", "line 1"},
        {"{\"a\":\"\xff\"}", "line 1"},
    };
    struct desk *desk = *state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct nd_error error = {""};
        struct nd_scan scan = {.count = 42};
        const char *id = "untouched";
        assert_int_equal(nd_scan_read_json(broken[i].text,
                                           strlen(broken[i].text), desk->arena,
                                           &error, &scan, &id),
                         ND_DATA);
        assert_non_null(strstr(error.text, broken[i].says));
        assert_int_equal(scan.count, 42);
        assert_string_equal(id, "untouched");
    }
}

static void json_of_any_depth_or_size_is_refused_in_time(void **state)
{
    struct desk *desk = *state;
    struct nd_buffer text = {0};
    struct nd_error error;
    struct nd_scan scan;
    repeat(&text, "[", 1000000);
    assert_int_equal(nd_scan_read_json((const char *)text.data, text.length,
                                       desk->arena, &error, &scan, NULL),
                     ND_DATA);
    repeat(&text, " ", 5000000);
    assert_int_equal(nd_scan_read_json((const char *)text.data, text.length,
                                       desk->arena, &error, &scan, NULL),
                     ND_LIMIT);
    assert_non_null(strstr(error.text, "6000000"));
    nd_buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_desk(a_status_names_its_tests),
        with_desk(a_status_is_read_in_all_its_dialects),
        with_desk(a_report_adds_scores_to_a_status),
        with_desk(a_spamd_result_is_read),
        with_desk(options_of_a_spamd_result_are_no_symbols),
        with_desk(a_header_that_holds_nothing_changes_nothing),
        with_desk(scores_that_are_no_numbers_are_left_out),
        with_desk(symbols_beyond_the_limits_are_counted),
        with_desk(a_symbol_named_twice_is_one),
        with_desk(names_are_printable_and_bounded),
        with_desk(an_answer_of_checkv2_is_read),
        with_desk(an_exported_line_is_read),
        with_desk(metatokens_are_read_and_brought_into_their_range),
        with_desk(members_may_be_missing_or_odd),
        with_desk(broken_json_is_refused_with_its_position),
        with_desk(json_of_any_depth_or_size_is_refused_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
