/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose headers are whose; above all, that no label leaks through one that a
 * filter or a mailbox program wrote.
 */
#include "read.h"

#include "mail/field.h"

static void assert_roles(const char *const *names, enum nd_header_role role)
{
    for (; *names != NULL; names++)
        if (nd_header_role(*names, strlen(*names)) != role)
            fail_msg("%s has role %d", *names,
                     (int)nd_header_role(*names, strlen(*names)));
}

static void a_filter_s_headers_are_no_features(void **state)
{
    static const char *const names[] = {
        "X-Spam-Status",
        "X-Spam-Flag",
        "X-Spam-Level",
        "X-Spam-Report",
        "X-Spam-Checker-Version",
        "X-Spam",
        "x-spam-status",
        "X-SPAM-FLAG",
        "X-Spamd-Result",
        "X-Spamd-Bar",
        "X-Rspamd-Server",
        "X-Rspamd-Queue-Id",
        "X-Rspamd-Action",
        "X-Bogosity",
        "X-Virus-Scanned",
        "X-Virus-Status",
        "X-Neurald",
        "X-Neurald-Score",
        "X-DSPAM-Result",
        "X-DSPAM-Signature",
        "X-CRM114-Status",
        "X-Amavis-Alert",
        "X-Barracuda-Spam-Score",
        "X-MS-Exchange-Organization-SCL",
        "X-Forefront-Antispam-Report",
        "X-Microsoft-Antispam",
        "X-Microsoft-Antispam-Mailbox-Delivery",
        "X-Proofpoint-Virus-Version",
        "X-Proofpoint-Spam-Details",
        "X-Pyzor",
        "X-ASG-Debug-ID",
        "X-CanIt-Geo",
        "X-CTCH-RefID",
        "X-Quarantine-ID",
        "X-SPF-Result",
        "X-Yahoo-Filtered-Bulk",
        "X-Razor-id",
        "X-Label",
        "X-Evolution",
        "X-Ucsc-Cats-Mailscanner",
        "X-MailScanner-SpamCheck",
        "X-PMG-Spam-Whatever",
        "X-Anti-Spam",
        "X-Antivirus",
        "X-IronPort-AV",
        "X-SpamBayes-Classification",
        "X-Junk-Score",
        "X-Old-Spam-Status",
        "X-Text-Classification",
        "X-Ham-Report",
        "X-POPFile-Link",
        "X-KLMS-AntiSpam-Status",
        NULL,
    };
    assert_roles(names, ND_HEADER_FILTER);
}

static void a_mailbox_program_s_headers_are_no_features(void **state)
{
    static const char *const names[] = {
        "Status",
        "X-Status",
        "X-Keywords",
        "X-UID",
        "X-UIDL",
        "X-Mozilla-Status",
        "X-Mozilla-Keys",
        "X-Gmail-Labels",
        "X-GM-THRID",
        "Lines",
        "Content-Length",
        "X-IMAP",
        "X-IMAPbase",
        "X-Evolution-Source",
        "X-KMail-EncryptionState",
        "X-Account-Key",
        "X-Folder",
        "X-Gnus-Mail-Source",
        "X-Label-Color",
        NULL,
    };
    assert_roles(names, ND_HEADER_FILTER);
}

static void authentication_is_the_receiving_filter_s(void **state)
{
    static const char *const names[] = {
        "Authentication-Results",
        "ARC-Seal",
        "ARC-Message-Signature",
        "ARC-Authentication-Results",
        "Received-SPF",
        "Authentication-Results-Original",
        NULL,
    };
    assert_roles(names, ND_HEADER_FILTER);
}

static void what_marks_the_receiving_side_is_a_trace(void **state)
{
    static const char *const names[] = {
        "Received",
        "Return-Path",
        "Delivered-To",
        "X-Original-To",
        "Envelope-To",
        "X-Envelope-From",
        "X-Envelope-To",
        "X-Received",
        "X-Google-Smtp-Source",
        "Delivery-Date",
        "X-Delivered-To",
        "X-Apparently-To",
        "X-Sieve",
        "X-Getmail-Retrieved-From-Mailbox",
        "X-OriginalArrivalTime",
        NULL,
    };
    assert_roles(names, ND_HEADER_TRACE);
}

static void what_a_list_adds_is_the_list_s(void **state)
{
    static const char *const names[] = {
        "List-Id",     "List-Unsubscribe",
        "Precedence",  "X-Mailman-Version",
        "X-BeenThere", "Mailing-List",
        "Errors-To",   "Sender",
        "X-Loop",      NULL,
    };
    assert_roles(names, ND_HEADER_LIST);
}

static void the_rest_is_the_sender_s(void **state)
{
    static const char *const names[] = {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Content-Type",
        "X-Mailer",
        "User-Agent",
        "DKIM-Signature",
        "Reply-To",
        "X-Priority",
        "X-MSMail-Priority",
        "Organization",
        "X",
        "Statu",
        "Statuses",
        "Receive",
        "X-Antiabuse",
        "Receivedx",
        "",
        NULL,
    };
    assert_roles(names, ND_HEADER_PLAIN);
}

static void roles_reach_the_message(void **state)
{
    const struct nd_message *m = read_text(
        *state, "Received: x\nX-Spam-Flag: YES\nList-Id: y\nFrom: z\n\n");
    assert_int_equal(m->headers[0].role, ND_HEADER_TRACE);
    assert_int_equal(m->headers[1].role, ND_HEADER_FILTER);
    assert_int_equal(m->headers[2].role, ND_HEADER_LIST);
    assert_int_equal(m->headers[3].role, ND_HEADER_PLAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_s_headers_are_no_features),
        cmocka_unit_test(a_mailbox_program_s_headers_are_no_features),
        cmocka_unit_test(authentication_is_the_receiving_filter_s),
        cmocka_unit_test(what_marks_the_receiving_side_is_a_trace),
        cmocka_unit_test(what_a_list_adds_is_the_list_s),
        cmocka_unit_test(the_rest_is_the_sender_s),
        with_desk(roles_reach_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
