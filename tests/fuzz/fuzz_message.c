/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole message. The first byte chooses limits, so that each of them is met
 * by small inputs too.
 */
#include <stdlib.h>
#include <string.h>

#include "mail/decode.h"
#include "mail/message.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_text(struct nd_text text)
{
    require(text.data != NULL && text.data[text.length] == '\0');
    require(nd_is_utf8(text.data, text.length));
}

static void check_header(const struct nd_message *m,
                         const struct nd_mail_limits *limits)
{
    require(m->header_count <= limits->max_headers);
    for (size_t i = 0; i < m->header_count; i++) {
        require(m->headers[i].name.length > 0);
        require(strlen(m->headers[i].value.data) == m->headers[i].value.length);
        check_text(m->headers[i].value);
    }
    check_text(m->subject);
    check_text(m->message_id);
}

static void check_parts(const struct nd_message *m,
                        const struct nd_mail_limits *limits)
{
    require(m->part_count >= 1);
    require(m->part_count <= limits->max_parts + limits->max_depth);
    for (size_t i = 0; i < m->part_count; i++) {
        const struct nd_part *part = &m->parts[i];
        require(part->depth <= limits->max_depth);
        require(part->raw_bytes <= m->raw_bytes);
        check_text(part->type);
        check_text(part->charset);
        check_text(part->encoding);
        check_text(part->disposition);
        check_text(part->filename);
    }
}

static void check(const struct nd_message *m,
                  const struct nd_mail_limits *limits)
{
    check_header(m, limits);
    check_parts(m, limits);
    check_text(m->text);
    require(strlen(m->text.data) == m->text.length);
    require(m->text.length <= limits->max_text);
    require(m->url_count <= limits->max_urls);
    for (size_t i = 0; i < m->url_count; i++)
        check_text(m->urls[i].url);
    require(m->html.token_count <= 500);
    for (size_t i = 0; i < m->html.token_count; i++)
        require(m->html.tokens[i].length > 0);
    require(m->unread_bytes <= m->raw_bytes);
    require(m->scan.count <= ND_MAX_SCAN_SYMBOLS);
}

static struct nd_mail_limits choose_limits(uint8_t choice)
{
    struct nd_mail_limits limits;
    nd_mail_limits_default(&limits);
    if ((choice & 1) != 0)
        limits.max_message = 200;
    if ((choice & 2) != 0)
        limits.max_header = limits.max_header_line = 50;
    if ((choice & 4) != 0)
        limits.max_headers = 2;
    if ((choice & 8) != 0)
        limits.max_parts = 2;
    if ((choice & 16) != 0)
        limits.max_depth = choice & 32 ? 0 : 1;
    if ((choice & 64) != 0)
        limits.max_text = 20;
    if ((choice & 128) != 0)
        limits.max_urls = 1;
    return limits;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char status[] = "X-Spam-Status";
    static char result[] = "X-Spamd-Result";
    static char report[] = "X-Spam-Report";
    static char auth[] = "Authentication-Results";
    static char spf[] = "Received-SPF";
    static char host[] = "mx";
    static char any[] = "";
    static struct nd_trusted_header headers[] = {
        {status, host}, {result, any}, {report, any}, {auth, host}, {spf, host},
    };
    static const struct nd_mail_trust trust = {headers, 5};
    struct nd_error error;
    struct nd_message message;
    if (size == 0 || nd_hash_init(&error) != ND_OK)
        return 0;
    struct nd_mail_limits limits = choose_limits(data[0]);
    struct nd_arena *arena = nd_arena_create(0);
    if (nd_message_read(data + 1, size - 1, &limits, &trust, arena, &error,
                        &message) == ND_OK)
        check(&message, &limits);
    nd_arena_destroy(&arena);
    return 0;
}
