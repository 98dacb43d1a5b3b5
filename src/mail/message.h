/* SPDX-License-Identifier: Apache-2.0
 *
 * One message, read: its decoded text and the facts about it. Everything in
 * here came from a sender unless said otherwise and is bounded by the limits
 * it was read with. No GMime type passes this header.
 */
#ifndef ND_MAIL_MESSAGE_H
#define ND_MAIL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "mail/scan.h"

/* Limits, applied to the raw bytes before the parser sees them. What lies
 * beyond is not read, and counted in the message's facts. */
struct nd_mail_limits {
    size_t max_message;     /* bytes of the raw message; 4 MiB */
    size_t max_header;      /* bytes kept of the whole header; 256 KiB */
    size_t max_header_line; /* bytes of one unfolded header; 16 KiB */
    uint32_t max_headers;   /* header fields; 1,000 */
    uint32_t max_parts;     /* MIME parts; 1,000 */
    uint32_t max_depth;     /* nesting of parts; 32 */
    size_t max_text;        /* decoded visible text kept; 256 KiB */
    uint32_t max_urls;      /* links kept; 500 */
};
void nd_mail_limits_default(struct nd_mail_limits *limits_r);

/* Whose findings count (design, point 7). Empty: nobody's. Only the topmost
 * header of a name counts, and only if its host is named in
 *   X-Spam-Status, X-Spam-Report: the topmost X-Spam-Checker-Version, "on HOST"
 *   X-Spamd-Result: the topmost X-Rspamd-Server
 *   Authentication-Results: its authserv-id
 *   Received-SPF: its receiver
 * An entry for any other header has no effect. */
struct nd_trusted_header {
    char *header; /* one of those above, in any case of letters */
    char *host;   /* in any case; "" or NULL takes any: right only where the own
                     server removes the header from all mail that comes in */
};
struct nd_mail_trust {
    struct nd_trusted_header *headers;
    size_t count;
};

/* What a header is to the features. */
enum nd_header_role {
    ND_HEADER_PLAIN,  /* the sender's */
    ND_HEADER_TRACE,  /* Received, Return-Path, Delivered-To, ...: marks the
                         receiving side */
    ND_HEADER_FILTER, /* a filter's or mailbox program's: X-Spam-*, Status,
                         X-Mozilla-*, ...: never a feature */
    ND_HEADER_LIST,   /* a mailing list's own: List-*, Precedence, Sender of
                         lists, X-Mailman-*, X-BeenThere */
};

struct nd_text {
    const char *data; /* valid UTF-8, NUL-terminated; never NULL */
    size_t length;
};

struct nd_header {
    struct nd_text name;  /* as written */
    struct nd_text value; /* unfolded, encoded words decoded, UTF-8 */
    enum nd_header_role role;
};

/* Whether the header is called name, in any case of letters. */
static inline bool nd_header_is(const struct nd_header *header,
                                const char *name)
{
    size_t length = strlen(name);
    return header->name.length == length &&
           strncasecmp(header->name.data, name, length) == 0;
}

struct nd_part {
    struct nd_text type;        /* "text/html", lower case */
    struct nd_text charset;     /* lower case, empty if none */
    struct nd_text encoding;    /* "base64", lower case, empty if none */
    struct nd_text disposition; /* "attachment", "inline", empty */
    struct nd_text filename;    /* decoded, empty if none */
    size_t raw_bytes;           /* encoded size, as far as it was read */
    uint32_t depth;             /* 0: the message's own body */
    bool is_container;          /* multipart or message */
};

struct nd_url {
    struct nd_text url; /* as written, "http://..." */
    bool from_html;     /* a link's target or an image's source */
    bool is_image;
    bool text_differs; /* the visible text names another host */
};

/* Counts of what HTML does; zero without HTML. */
struct nd_html_facts {
    uint32_t tags, links, images, remote_images, forms, scripts, styles;
    uint32_t tables, fonts, comments, iframes, unknown_tags;
    uint32_t max_depth;
    /* bytes of text but white space; hidden: display:none, no size, its
     * background's colour */
    size_t visible_chars, hidden_chars;
    size_t markup_bytes;
    /* distinct tag names and "tag attribute" pairs, in order of appearance,
     * at most 500 */
    const struct nd_text *tokens;
    size_t token_count;
};

enum nd_auth_result {
    ND_AUTH_NONE, /* not seen, or not from a trusted writer */
    ND_AUTH_PASS,
    ND_AUTH_FAIL,
    ND_AUTH_SOFT, /* softfail, neutral, policy */
    ND_AUTH_ERROR,
};

/* All memory is in the arena that the message was read with. */
struct nd_message {
    uint8_t identity[ND_IDENTITY_BYTES]; /* docs/formats/identity.md */
    bool identity_from_id;               /* it had a Message-ID */
    struct nd_text message_id;           /* empty if none */
    int64_t received_ms; /* topmost Received date, else Date, else 0 */

    const struct nd_header *headers; /* in order, topmost first */
    size_t header_count;
    const struct nd_part *parts; /* depth first */
    size_t part_count;
    const struct nd_url *urls;
    size_t url_count;

    struct nd_text subject; /* decoded */
    struct nd_text text;    /* visible text of all text parts, white space
                               folded to single blanks and line ends */
    struct nd_html_facts html;

    size_t raw_bytes;        /* size of the message as it came */
    size_t unread_bytes;     /* cut by a limit */
    uint32_t filter_headers; /* fields of ND_HEADER_FILTER, and what they take
                                of raw_bytes: no more than a forger's ink */
    size_t filter_bytes;
    uint32_t cut_headers, cut_parts, cut_urls, cut_depth; /* how many */
    uint32_t defects; /* MIME errors met: broken charset, base64, ... */
    uint32_t nul_bytes;
    uint32_t recipients_to, recipients_cc;
    uint32_t hops;                        /* Received headers */
    enum nd_auth_result spf, dkim, dmarc; /* from trusted writers only */
    bool authenticated_user;     /* a trusted writer says that a user sent it */
    uint32_t untrusted_findings; /* filter headers that were ignored */
    struct nd_scan scan; /* findings from trusted headers; count 0 if none */
};

/* Reads one message from length bytes at data (an mbox "From " line in front
 * is left out). Never fails on content, however broken: ND_DATA only for an
 * empty input. Memory comes from arena, is bounded by the limits, and the
 * message is valid until the arena is reset. trust may be NULL. Thread-safe
 * with an arena of its own. */
enum nd_status nd_message_read(const void *data, size_t length,
                               const struct nd_mail_limits *limits,
                               const struct nd_mail_trust *trust,
                               struct nd_arena *arena, struct nd_error *error,
                               struct nd_message *message_r) ND_MUST_CHECK;

#endif
