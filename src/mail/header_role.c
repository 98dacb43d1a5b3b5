/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose headers are whose. One table of names, sorted, where a name that ends
 * in '*' stands for all that begin so; whatever is not in it is the sender's.
 * A header that belongs to a filter or a mailbox program may hold the very
 * label that is to be learned, so in doubt a name is listed. This knows nothing
 * about values, and decides nothing about trust.
 */
#include "mail/field.h"

#include <string.h>

struct role {
    const char *name; /* lower case */
    enum nd_header_role role;
};

/* Sorted by byte, since it is searched by halves. */
static const struct role roles[] = {
    {"apparently-to", ND_HEADER_TRACE},
    {"approved*", ND_HEADER_LIST},
    {"arc-*", ND_HEADER_FILTER},
    {"archived-at", ND_HEADER_LIST},
    {"auth-results", ND_HEADER_FILTER},
    {"authentication-results*", ND_HEADER_FILTER},
    {"bounces-to", ND_HEADER_TRACE},
    {"content-length", ND_HEADER_FILTER},
    {"delivered-to", ND_HEADER_TRACE},
    {"delivery-date", ND_HEADER_TRACE},
    {"domainkey-status", ND_HEADER_FILTER},
    {"envelope-*", ND_HEADER_TRACE},
    {"errors-to", ND_HEADER_LIST},
    {"lines", ND_HEADER_FILTER},
    {"list-*", ND_HEADER_LIST},
    {"mailing-list", ND_HEADER_LIST},
    {"old-return-path", ND_HEADER_TRACE},
    {"original-recipient", ND_HEADER_TRACE},
    {"precedence", ND_HEADER_LIST},
    {"received", ND_HEADER_TRACE},
    {"received-spf", ND_HEADER_FILTER},
    {"return-path", ND_HEADER_TRACE},
    {"sender", ND_HEADER_LIST},
    {"status", ND_HEADER_FILTER},
    {"x-account-key", ND_HEADER_FILTER},
    {"x-amavis*", ND_HEADER_FILTER},
    {"x-apparently-to", ND_HEADER_TRACE},
    {"x-asg-*", ND_HEADER_FILTER},
    {"x-assp*", ND_HEADER_FILTER},
    {"x-authentication-warning", ND_HEADER_TRACE},
    {"x-barracuda*", ND_HEADER_FILTER},
    {"x-beenthere", ND_HEADER_LIST},
    {"x-bitdefender*", ND_HEADER_FILTER},
    {"x-bogosity*", ND_HEADER_FILTER},
    {"x-brightmail*", ND_HEADER_FILTER},
    {"x-canit*", ND_HEADER_FILTER},
    {"x-clam*", ND_HEADER_FILTER},
    {"x-classif*", ND_HEADER_FILTER},
    {"x-cloudmark*", ND_HEADER_FILTER},
    {"x-cm-*", ND_HEADER_FILTER},
    {"x-cmae*", ND_HEADER_FILTER},
    {"x-crm114*", ND_HEADER_FILTER},
    {"x-ctch*", ND_HEADER_FILTER},
    {"x-dcc-*", ND_HEADER_FILTER},
    {"x-delivered-to", ND_HEADER_TRACE},
    {"x-delivery-*", ND_HEADER_TRACE},
    {"x-dkim*", ND_HEADER_FILTER},
    {"x-dspam*", ND_HEADER_FILTER},
    {"x-egroups-*", ND_HEADER_LIST},
    {"x-envelope-*", ND_HEADER_TRACE},
    {"x-eset*", ND_HEADER_FILTER},
    {"x-evolution*", ND_HEADER_FILTER},
    {"x-filter*", ND_HEADER_FILTER},
    {"x-folder*", ND_HEADER_FILTER},
    {"x-forefront*", ND_HEADER_FILTER},
    {"x-forwarded-for", ND_HEADER_TRACE},
    {"x-forwarded-to", ND_HEADER_TRACE},
    {"x-getmail*", ND_HEADER_TRACE},
    {"x-gm-labels", ND_HEADER_FILTER},
    {"x-gm-msgid", ND_HEADER_FILTER},
    {"x-gm-thrid", ND_HEADER_FILTER},
    {"x-gmail-fetch-info", ND_HEADER_TRACE},
    {"x-gmail-labels", ND_HEADER_FILTER},
    {"x-gmail-received", ND_HEADER_TRACE},
    {"x-gnus*", ND_HEADER_FILTER},
    {"x-google-smtp-source", ND_HEADER_TRACE},
    {"x-ham*", ND_HEADER_FILTER},
    {"x-imap*", ND_HEADER_FILTER},
    {"x-ironport*", ND_HEADER_FILTER},
    {"x-kas*", ND_HEADER_FILTER},
    {"x-keywords", ND_HEADER_FILTER},
    {"x-klms*", ND_HEADER_FILTER},
    {"x-kmail*", ND_HEADER_FILTER},
    {"x-kse*", ND_HEADER_FILTER},
    {"x-label*", ND_HEADER_FILTER},
    {"x-list*", ND_HEADER_LIST},
    {"x-loop", ND_HEADER_LIST},
    {"x-mailing-list*", ND_HEADER_LIST},
    {"x-mailman-*", ND_HEADER_LIST},
    {"x-mdaemon-deliver-to", ND_HEADER_TRACE},
    {"x-mdav*", ND_HEADER_FILTER},
    {"x-microsoft-antispam*", ND_HEADER_FILTER},
    {"x-mime-autoconverted", ND_HEADER_TRACE},
    {"x-mimedefang*", ND_HEADER_FILTER},
    {"x-mozilla-*", ND_HEADER_FILTER},
    {"x-ms-exchange-organization*", ND_HEADER_FILTER},
    {"x-neurald*", ND_HEADER_FILTER},
    {"x-original-date", ND_HEADER_LIST},
    {"x-original-to", ND_HEADER_TRACE},
    {"x-originalarrivaltime", ND_HEADER_TRACE},
    {"x-pmx*", ND_HEADER_FILTER},
    {"x-policyd*", ND_HEADER_FILTER},
    {"x-popfile*", ND_HEADER_FILTER},
    {"x-proofpoint*", ND_HEADER_FILTER},
    {"x-pstn*", ND_HEADER_FILTER},
    {"x-purgate*", ND_HEADER_FILTER},
    {"x-pyzor*", ND_HEADER_FILTER},
    {"x-quarantine*", ND_HEADER_FILTER},
    {"x-razor*", ND_HEADER_FILTER},
    {"x-rbl*", ND_HEADER_FILTER},
    {"x-real-to", ND_HEADER_TRACE},
    {"x-received*", ND_HEADER_TRACE},
    {"x-resolved-to", ND_HEADER_TRACE},
    {"x-return-path", ND_HEADER_TRACE},
    {"x-rspam*", ND_HEADER_FILTER},
    {"x-sa-*", ND_HEADER_FILTER},
    {"x-scan*", ND_HEADER_FILTER},
    {"x-sieve*", ND_HEADER_TRACE},
    {"x-sophos*", ND_HEADER_FILTER},
    {"x-spf*", ND_HEADER_FILTER},
    {"x-status", ND_HEADER_FILTER},
    {"x-symantec*", ND_HEADER_FILTER},
    {"x-text-classification*", ND_HEADER_FILTER},
    {"x-tm-as*", ND_HEADER_FILTER},
    {"x-tuid", ND_HEADER_FILTER},
    {"x-ui-*", ND_HEADER_FILTER},
    {"x-uid*", ND_HEADER_FILTER},
    {"x-vade*", ND_HEADER_FILTER},
    {"x-yahoo-filtered*", ND_HEADER_FILTER},
    {"x-yahoofilter*", ND_HEADER_FILTER},
    {"x-ymail*", ND_HEADER_FILTER},
    {"x400-*", ND_HEADER_TRACE},
};

/* A name that holds one of these is a filter's, wherever they stand. */
static const char *const filter_words[] = {
    "spam", "virus", "scanner", "junk", "bayes", "greylist", "phish",
};

static char to_lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 32) : byte;
}

/* Compares name, in any case, to a pattern of the table. */
static int compare(const char *name, size_t length, const char *pattern)
{
    for (size_t i = 0; i < length; i++) {
        if (pattern[i] == '*')
            return 0;
        int difference = (unsigned char)to_lower(name[i]) - pattern[i];
        if (difference != 0)
            return difference;
    }
    return pattern[length] == '\0' || pattern[length] == '*' ? 0 : -1;
}

static bool begins_filter_word(const char *text)
{
    for (size_t i = 0; i < sizeof filter_words / sizeof *filter_words; i++)
        if (*text == *filter_words[i] &&
            strncmp(text, filter_words[i], strlen(filter_words[i])) == 0)
            return true;
    return false;
}

static bool holds_filter_word(const char *name, size_t length)
{
    char lower[64];
    size_t used = length < sizeof lower ? length : sizeof lower - 1;
    for (size_t i = 0; i < used; i++)
        lower[i] = to_lower(name[i]);
    lower[used] = '\0';
    for (size_t i = 0; i < used; i++)
        if (begins_filter_word(lower + i))
            return true;
    return false;
}

enum nd_header_role nd_header_role(const char *name, size_t length)
{
    size_t low = 0;
    size_t high = sizeof roles / sizeof *roles;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(name, length, roles[middle].name);
        if (order == 0)
            return roles[middle].role;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return holds_filter_word(name, length) ? ND_HEADER_FILTER : ND_HEADER_PLAIN;
}
