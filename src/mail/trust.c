/* SPDX-License-Identifier: Apache-2.0
 *
 * Decides which headers of filters count (design, point 7): those that the
 * administrator named, in their topmost occurrence only, and only where they
 * name the host that he named beside them. A filter writes above whatever the
 * sender wrote, so a forged header further down never counts. An empty host
 * takes any: right only where the own server removes such headers from all mail
 * that comes in.
 *
 * Where each header names its host stands in message.h.
 */
#include "mail/trust.h"

#include <string.h>
#include <strings.h>

#include "mail/auth_results.h"

static bool is(const struct nd_header *header, const char *name)
{
    return nd_header_is(header, name);
}

/* The topmost header of this name; NULL if there is none. */
static const struct nd_header *topmost(const struct nd_message *message,
                                       const char *name)
{
    for (size_t i = 0; i < message->header_count; i++)
        if (is(&message->headers[i], name))
            return &message->headers[i];
    return NULL;
}

/* Whether the last word of "SpamAssassin 3.4 (date) on HOST" is host. */
static bool checker_is(const struct nd_message *message, const char *host)
{
    const struct nd_header *header = topmost(message, "X-Spam-Checker-Version");
    if (header == NULL)
        return false;
    const char *blank = strrchr(header->value.data, ' ');
    return blank != NULL && blank - header->value.data >= 3 &&
           strncmp(blank - 3, " on", 3) == 0 &&
           strcasecmp(blank + 1, host) == 0;
}

static bool rspamd_is(const struct nd_message *message, const char *host)
{
    const struct nd_header *header = topmost(message, "X-Rspamd-Server");
    return header != NULL && strcasecmp(header->value.data, host) == 0;
}

static bool apply_scan(const struct nd_header *header, const char *host,
                       struct nd_arena *arena, struct nd_message *message)
{
    bool by_rspamd = is(header, "X-Spamd-Result");
    if (*host != '\0' &&
        !(by_rspamd ? rspamd_is(message, host) : checker_is(message, host)))
        return false;
    return nd_scan_read_header(header->name.data, header->value.data, arena,
                               &message->scan);
}

/* The authserv-id itself, where any is taken. */
static const char *own_server(const char *value, struct nd_arena *arena)
{
    value += strspn(value, " ");
    return nd_arena_strndup(arena, value, strcspn(value, " ;("));
}

static bool apply_auth(const struct nd_header *header, const char *host,
                       struct nd_arena *arena, struct nd_message *message)
{
    const char *value = header->value.data;
    struct nd_auth_results results;
    if (*host == '\0')
        host = own_server(value, arena);
    if (!nd_auth_results_read(value, host, arena, &results))
        return false;
    if (results.spf != ND_AUTH_NONE)
        message->spf = results.spf;
    if (results.dkim != ND_AUTH_NONE)
        message->dkim = results.dkim;
    if (results.dmarc != ND_AUTH_NONE)
        message->dmarc = results.dmarc;
    message->authenticated_user |= results.authenticated_user;
    return true;
}

/* "Pass (comment) client-ip=...; receiver=HOST; ...": the comment is left out
 * of the search, since it repeats the sender's address. */
static bool receiver_is(const char *value, const char *host)
{
    const char *comment = strchr(value, '(');
    const char *end = comment == NULL ? NULL : strchr(comment, ')');
    const char *at = strstr(end == NULL ? value : end, " receiver=");
    if (at == NULL)
        return false;
    at += strlen(" receiver=");
    size_t length = strcspn(at, "; ");
    return length == strlen(host) && strncasecmp(at, host, length) == 0;
}

static bool apply_spf(const struct nd_header *header, const char *host,
                      struct nd_message *message)
{
    const char *value = header->value.data;
    if (*host != '\0' && !receiver_is(value, host))
        return false;
    enum nd_auth_result result = nd_auth_result_parse(value);
    if (message->spf == ND_AUTH_NONE)
        message->spf = result;
    return true;
}

static bool is_finding(const struct nd_header *header)
{
    return is(header, "X-Spam-Status") || is(header, "X-Spam-Report") ||
           is(header, "X-Spamd-Result") ||
           is(header, "Authentication-Results") || is(header, "Received-SPF");
}

static bool apply(const struct nd_header *header, const char *host,
                  struct nd_arena *arena, struct nd_message *message)
{
    if (is(header, "Authentication-Results"))
        return apply_auth(header, host, arena, message);
    if (is(header, "Received-SPF"))
        return apply_spf(header, host, message);
    return apply_scan(header, host, arena, message);
}

/* Whether any entry for this header's name makes it count. */
static bool counts(const struct nd_mail_trust *trust,
                   const struct nd_header *header, struct nd_arena *arena,
                   struct nd_message *message)
{
    if (header != topmost(message, header->name.data))
        return false;
    for (size_t i = 0; trust != NULL && i < trust->count; i++) {
        const struct nd_trusted_header *entry = &trust->headers[i];
        if (is(header, entry->header) &&
            apply(header, entry->host == NULL ? "" : entry->host, arena,
                  message))
            return true;
    }
    return false;
}

void nd_trust_apply(const struct nd_mail_trust *trust, struct nd_arena *arena,
                    struct nd_message *message)
{
    for (size_t i = 0; i < message->header_count; i++) {
        const struct nd_header *header = &message->headers[i];
        if (header->role == ND_HEADER_FILTER && is_finding(header) &&
            !counts(trust, header, arena, message))
            message->untrusted_findings++;
    }
}
