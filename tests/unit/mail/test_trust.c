/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose findings count, and that forged ones change nothing.
 */
#include "read.h"

#include <math.h>

#define CHECKER \
    "X-Spam-Checker-Version: SpamAssassin 4.0 (2022) on mx.example\n"
#define STATUS "X-Spam-Status: Yes, score=7.5 required=5.0 tests=A=1.5,B\n"
#define RSPAMD                                       \
    "X-Rspamd-Server: mx.example\n"                  \
    "X-Spamd-Result: default: True [16.00 / 15.00];" \
    " A(1.50)[]; B(-0.10)[x;y]\n"
#define RESULTS                                               \
    "Authentication-Results: mx.example; spf=pass\n"          \
    "\tsmtp.mailfrom=a@b; dkim=fail reason=\"x; auth=pass\";" \
    " dmarc=none (p=none; auth=pass)\n"

static void trust(struct desk *desk, const char *header, const char *host)
{
    static struct nd_trusted_header entry;
    entry = (struct nd_trusted_header){(char *)header, (char *)host};
    desk->trust = (struct nd_mail_trust){&entry, 1};
}

static void assert_ignored(const struct nd_message *m, uint32_t count)
{
    assert_int_equal(m->scan.count, 0);
    assert_false(m->scan.has_score);
    assert_int_equal(m->scan.verdict, ND_SCAN_UNKNOWN);
    assert_int_equal(m->spf, ND_AUTH_NONE);
    assert_int_equal(m->dkim, ND_AUTH_NONE);
    assert_int_equal(m->dmarc, ND_AUTH_NONE);
    assert_false(m->authenticated_user);
    assert_int_equal(m->untrusted_findings, count);
}

static void nobody_is_trusted_by_default(void **state)
{
    assert_ignored(read_text(*state, CHECKER STATUS RSPAMD RESULTS
                             "X-Spam-Report: * 1.0 A x\n"
                             "Received-SPF: pass\n\n"),
                   5);
    struct desk *desk = *state;
    struct nd_error error;
    assert_int_equal(nd_message_read(CHECKER STATUS "\n", sizeof CHECKER STATUS,
                                     &desk->limits, NULL, desk->arena, &error,
                                     &desk->message),
                     ND_OK);
    assert_ignored(&desk->message, 1);
}

static void the_named_checker_s_findings_count(void **state)
{
    trust(*state, "x-spam-status", "MX.example");
    const struct nd_message *m = read_text(*state, CHECKER STATUS "\n");
    assert_int_equal(m->scan.count, 2);
    assert_string_equal(m->scan.symbols[0].name, "A");
    assert_true(m->scan.symbols[0].has_score);
    assert_false(m->scan.symbols[1].has_score);
    assert_int_equal(m->scan.verdict, ND_SCAN_SPAM);
    assert_true(fabs(m->scan.score - 7.5) < 1e-9);
    assert_int_equal(m->untrusted_findings, 0);
}

static void another_checker_s_findings_do_not(void **state)
{
    trust(*state, "X-Spam-Status", "other.example");
    assert_ignored(read_text(*state, CHECKER STATUS "\n"), 1);
    assert_ignored(read_text(*state, STATUS "\n"), 1);
    trust(*state, "X-Spam-Status", "x.example");
    assert_ignored(read_text(*state, CHECKER STATUS "\n"), 1);
    trust(*state, "X-Spam-Report", "mx.example");
    assert_ignored(read_text(*state, CHECKER STATUS "\n"), 1);
}

static void a_forged_header_below_the_real_one_is_ignored(void **state)
{
    trust(*state, "X-Spam-Status", "mx.example");
    const struct nd_message *m =
        read_text(*state, CHECKER STATUS
                  "Received: by mx.example\n" CHECKER
                  "X-Spam-Status: No, score=-99 required=5 tests=GOOD\n\n");
    assert_int_equal(m->scan.count, 2);
    assert_int_equal(m->scan.verdict, ND_SCAN_SPAM);
    assert_int_equal(m->untrusted_findings, 1);
}

static void a_forged_checker_below_a_foreign_one_is_ignored(void **state)
{
    trust(*state, "X-Spam-Status", "mx.example");
    assert_ignored(
        read_text(*state, "X-Spam-Checker-Version: SpamAssassin on elsewhere\n"
                          "X-Spam-Status: No, tests=A\n" CHECKER STATUS "\n"),
        2);
}

static void rspamd_s_milter_counts_by_its_server(void **state)
{
    trust(*state, "X-Spamd-Result", "mx.example");
    const struct nd_message *m = read_text(*state, RSPAMD "\n");
    assert_int_equal(m->scan.count, 2);
    assert_int_equal(m->scan.verdict, ND_SCAN_SPAM);
    trust(*state, "X-Spamd-Result", "other.example");
    assert_ignored(read_text(*state, RSPAMD "\n"), 1);
}

static void an_empty_host_takes_any(void **state)
{
    trust(*state, "X-Spamd-Result", "");
    assert_int_equal(read_text(*state, RSPAMD "\n")->scan.count, 2);
    trust(*state, "X-Spam-Status", "");
    assert_int_equal(read_text(*state, STATUS "\n")->scan.count, 2);
    trust(*state, "Authentication-Results", NULL);
    assert_int_equal(read_text(*state, RESULTS "\n")->spf, ND_AUTH_PASS);
}

static void authentication_results_count_by_authserv_id(void **state)
{
    trust(*state, "Authentication-Results", "mx.example");
    const struct nd_message *m = read_text(*state, RESULTS "\n");
    assert_int_equal(m->spf, ND_AUTH_PASS);
    assert_int_equal(m->dkim, ND_AUTH_FAIL);
    assert_int_equal(m->dmarc, ND_AUTH_NONE);
    assert_false(m->authenticated_user);
    trust(*state, "Authentication-Results", "mx.example.org");
    assert_ignored(read_text(*state, RESULTS "\n"), 1);
    trust(*state, "Authentication-Results", "mx");
    assert_ignored(read_text(*state, RESULTS "\n"), 1);
}

static void what_a_sender_writes_in_quotes_is_no_result(void **state)
{
    static const char *const values[] = {
        "mx.example; spf=fail (; auth=pass)",
        "mx.example; spf=fail (a (b) \\) ; auth=pass )",
        "mx.example; spf=fail smtp.mailfrom=\"a\\\"; auth=pass\"",
        "mx.example; spf=fail (auth=pass; \"",
        "mx.example; spf=fail xauth=pass",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct nd_buffer text = {0};
        trust(*state, "Authentication-Results", "mx.example");
        nd_buffer_printf(&text, "Authentication-Results: %s\n\n", values[i]);
        const struct nd_message *m = read_buffer(*state, &text);
        assert_int_equal(m->spf, ND_AUTH_FAIL);
        assert_false(m->authenticated_user);
    }
}

static void an_authenticated_user_is_seen(void **state)
{
    trust(*state, "Authentication-Results", "mx.example");
    const struct nd_message *m =
        read_text(*state, "Authentication-Results: mx.example 1;"
                          " auth=pass (plain) smtp.auth=ann; spf/1 = softfail;"
                          " dkim=fail; dkim=pass header.d=x; dmarc=permerror\n"
                          "\n");
    assert_true(m->authenticated_user);
    assert_int_equal(m->spf, ND_AUTH_SOFT);
    assert_int_equal(m->dkim, ND_AUTH_PASS);
    assert_int_equal(m->dmarc, ND_AUTH_ERROR);
    m = read_text(*state, "Authentication-Results: mx.example; auth=fail\n\n");
    assert_false(m->authenticated_user);
}

static void only_the_topmost_authentication_results_count(void **state)
{
    trust(*state, "Authentication-Results", "mx.example");
    const struct nd_message *m =
        read_text(*state, "Authentication-Results: mx.example; spf=fail\n"
                          "Received: x\n"
                          "Authentication-Results: mx.example; auth=pass;"
                          " spf=pass; dkim=pass\n\n");
    assert_int_equal(m->spf, ND_AUTH_FAIL);
    assert_int_equal(m->dkim, ND_AUTH_NONE);
    assert_false(m->authenticated_user);
    assert_int_equal(m->untrusted_findings, 1);
}

static void received_spf_counts_by_its_receiver(void **state)
{
    static const char text[] =
        "Received-SPF: Softfail (x receiver=forged; a) client-ip=1.2.3.4;"
        " envelope-from=\"a@b\"; receiver=mx.example; helo=x\n\n";
    trust(*state, "Received-SPF", "mx.example");
    assert_int_equal(read_text(*state, text)->spf, ND_AUTH_SOFT);
    trust(*state, "Received-SPF", "forged");
    assert_int_equal(read_text(*state, text)->spf, ND_AUTH_NONE);
}

static void a_header_that_holds_nothing_is_not_trusted(void **state)
{
    trust(*state, "X-Spam-Status", "mx.example");
    assert_ignored(read_text(*state, CHECKER "X-Spam-Status: maybe\n\n"), 1);
    trust(*state, "Authentication-Results", "mx.example");
    assert_ignored(read_text(*state, "Authentication-Results:\n\n"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_desk(nobody_is_trusted_by_default),
        with_desk(the_named_checker_s_findings_count),
        with_desk(another_checker_s_findings_do_not),
        with_desk(a_forged_header_below_the_real_one_is_ignored),
        with_desk(a_forged_checker_below_a_foreign_one_is_ignored),
        with_desk(rspamd_s_milter_counts_by_its_server),
        with_desk(an_empty_host_takes_any),
        with_desk(authentication_results_count_by_authserv_id),
        with_desk(what_a_sender_writes_in_quotes_is_no_result),
        with_desk(an_authenticated_user_is_seen),
        with_desk(only_the_topmost_authentication_results_count),
        with_desk(received_spf_counts_by_its_receiver),
        with_desk(a_header_that_holds_nothing_is_not_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
