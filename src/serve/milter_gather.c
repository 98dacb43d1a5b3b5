/* SPDX-License-Identifier: Apache-2.0
 *
 * Putting a message together. On top goes what the mail server will write
 * there itself when it delivers (Return-Path, Received), so that a message at
 * the door looks to the network as it will look in the mailbox that people
 * learn from. At most max_message bytes of each are kept and at most max_memory
 * of all; what is beyond is counted, and the mail server is never told to wait.
 */
#include "serve/milter_gather.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/memory.h"

#define TEXT_BYTES 256 /* of host, address, sender, name */

struct nd_gather {
    struct nd_gather_room *room;
    char host[TEXT_BYTES], address[TEXT_BYTES], helo[TEXT_BYTES];

    bool open, in_body, crowded;
    struct nd_link_settings settings;
    char sender[TEXT_BYTES], client[2 * TEXT_BYTES], queue_id[64];
    bool authenticated;
    struct nd_buffer message;
    size_t held; /* of the room, for message's memory */
    uint64_t full_length;
    uint32_t forged, forged_tags;
    bool has_subject, long_subject;
    struct nd_buffer subject;
};

struct nd_gather *nd_gather_create(struct nd_gather_room *room)
{
    struct nd_gather *gather = nd_calloc(1, sizeof(*gather));
    gather->room = room;
    return gather;
}

/* What a stranger wrote, fit for a header line and a log line. */
static void copy_text(char *room, size_t size, const char *text)
{
    size_t length = 0;
    for (; text != NULL && text[length] != '\0' && length < size - 1;
         length++) {
        char c = text[length];
        room[length] = c > ' ' && c <= '~' ? c : '?';
    }
    room[length] = '\0';
}

static void release(struct nd_gather *gather)
{
    nd_buffer_free(&gather->message);
    atomic_fetch_sub(&gather->room->used_bytes, gather->held);
    gather->held = 0;
}

bool nd_gather_end(struct nd_gather *gather)
{
    bool was_open = gather->open;
    if (was_open) {
        release(gather);
        nd_buffer_free(&gather->subject);
        gather->open = false;
        atomic_fetch_sub(&gather->room->open, 1);
    }
    return was_open;
}

void nd_gather_destroy(struct nd_gather **gather)
{
    if (gather == NULL || *gather == NULL) {
        return;
    }
    (void)nd_gather_end(*gather);
    free(*gather);
    *gather = NULL;
}

/* ---- events ---- */

void nd_gather_client(struct nd_gather *gather, const char *host,
                      const char *address)
{
    copy_text(gather->host, sizeof(gather->host), host);
    copy_text(gather->address, sizeof(gather->address), address);
}

void nd_gather_helo(struct nd_gather *gather, const char *name)
{
    copy_text(gather->helo, sizeof(gather->helo), name);
}

/* Memory for length more bytes, or none is kept of this message any more. */
static bool make_room(struct nd_gather *gather, size_t length)
{
    struct nd_buffer *message = &gather->message;
    size_t needed = message->length + length + 1;
    if (needed > message->capacity) {
        /* The buffer grows by doubling: what it may take is what counts. */
        size_t held = needed < 8192 ? 8192 : 2 * needed;
        size_t more = held - gather->held;
        size_t used = atomic_fetch_add(&gather->room->used_bytes, more);
        gather->held = held;
        if (used + more > gather->settings.max_memory) {
            gather->crowded = true;
            release(gather);
            return false;
        }
    }
    return true;
}

static void keep(struct nd_gather *gather, const void *data, size_t length)
{
    uint64_t limit = gather->settings.max_message;
    size_t room = gather->message.length < limit
                      ? (size_t)(limit - gather->message.length)
                      : 0;
    gather->full_length += length;
    length = length < room ? length : room;
    if (length > 0 && !gather->crowded && make_room(gather, length)) {
        nd_buffer_append(&gather->message, data, length);
    }
}

static void keep_text(struct nd_gather *gather, const char *text)
{
    keep(gather, text, strlen(text));
}

/* "Wed, 25 Nov 2026 16:20:11 +0000", whatever the locale. */
static char *date_of(int64_t wall_ms)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed",
                                       "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr",
                                         "May", "Jun", "Jul", "Aug",
                                         "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm time = {0};
    (void)gmtime_r(&seconds, &time);
    return nd_sprintf("%s, %d %s %d %02d:%02d:%02d +0000", days[time.tm_wday],
                      time.tm_mday, months[time.tm_mon], time.tm_year + 1900,
                      time.tm_hour, time.tm_min, time.tm_sec);
}

static void write_trace(struct nd_gather *gather, int64_t wall_ms)
{
    char *date = date_of(wall_ms);
    char *trace = nd_sprintf(
        "Return-Path: <%s>\r\n"
        "Received: from %s (%s [%s])\r\n\tby localhost with %s;\r\n\t%s\r\n",
        gather->sender, gather->helo, gather->host, gather->address,
        gather->authenticated ? "ESMTPA" : "ESMTP", date);
    keep_text(gather, trace);
    free(trace);
    free(date);
}

static void copy_sender(struct nd_gather *gather, const char *sender)
{
    sender += sender[0] == '<' ? 1 : 0;
    copy_text(gather->sender, sizeof(gather->sender), sender);
    size_t length = strlen(gather->sender);
    if (length > 0 && gather->sender[length - 1] == '>') {
        gather->sender[length - 1] = '\0';
    }
}

bool nd_gather_begin(struct nd_gather *gather,
                     const struct nd_link_settings *settings,
                     const char *sender, const char *user, int64_t wall_ms)
{
    bool was_open = nd_gather_end(gather);
    gather->settings = *settings;
    gather->open = true;
    gather->in_body = false;
    gather->crowded = false;
    gather->full_length = 0;
    gather->forged = 0;
    gather->forged_tags = 0;
    gather->has_subject = false;
    gather->long_subject = false;
    gather->authenticated = user != NULL && user[0] != '\0';
    atomic_fetch_add(&gather->room->open, 1);
    copy_sender(gather, sender);
    write_trace(gather, wall_ms);
    return !was_open;
}

/* Blanks before the colon are old-fashioned, and no way around us. */
static bool is_named(const char *name, const char *wanted)
{
    size_t length = strlen(name);
    while (length > 0 &&
           (name[length - 1] == ' ' || name[length - 1] == '\t')) {
        length--;
    }
    return length == strlen(wanted) && strncasecmp(name, wanted, length) == 0;
}

static void look_at(struct nd_gather *gather, const char *name,
                    const char *value)
{
    if (is_named(name, gather->settings.header)) {
        gather->forged++;
    } else if (gather->settings.tag_header[0] != '\0' &&
               is_named(name, gather->settings.tag_header)) {
        gather->forged_tags++;
    } else if (!gather->has_subject && is_named(name, "Subject")) {
        gather->has_subject = true;
        gather->long_subject = strlen(value) > ND_GATHER_MOST_SUBJECT;
        if (!gather->long_subject) {
            nd_buffer_append_text(&gather->subject, value);
        }
    }
}

/* Line ends as they are on the wire. */
static void keep_folded(struct nd_gather *gather, const char *value)
{
    while (*value != '\0') {
        size_t length = strcspn(value, "\r\n");
        keep(gather, value, length);
        value += length;
        if (*value != '\0') {
            keep_text(gather, "\r\n");
            value += value[0] == '\r' && value[1] == '\n' ? 2 : 1;
        }
    }
}

void nd_gather_header(struct nd_gather *gather, const char *name,
                      const char *value, bool spaced)
{
    if (!gather->open || gather->in_body) {
        return;
    }
    look_at(gather, name, value);
    keep_text(gather, name);
    keep_text(gather, spaced ? ":" : ": ");
    keep_folded(gather, value);
    keep_text(gather, "\r\n");
}

void nd_gather_end_of_headers(struct nd_gather *gather)
{
    if (gather->open && !gather->in_body) {
        gather->in_body = true;
        keep_text(gather, "\r\n");
    }
}

void nd_gather_body(struct nd_gather *gather, const uint8_t *data,
                    size_t length)
{
    if (gather->open) {
        nd_gather_end_of_headers(gather);
        keep(gather, data, length);
    }
}

/* ---- what came of it ---- */

bool nd_gather_question(struct nd_gather *gather, const char *queue_id,
                        struct nd_link_question *question_r)
{
    if (!gather->open || gather->crowded) {
        return false;
    }
    nd_gather_end_of_headers(gather);
    copy_text(gather->queue_id, sizeof(gather->queue_id), queue_id);
    char *client = nd_sprintf("%s[%s]", gather->host, gather->address);
    copy_text(gather->client, sizeof(gather->client), client);
    free(client);
    *question_r = (struct nd_link_question){
        .queue_id = gather->queue_id,
        .client = gather->client,
        .sender = gather->sender,
        .authenticated = gather->authenticated,
        .message = gather->message.data,
        .length = gather->message.length,
        .full_length = gather->full_length,
    };
    return !gather->crowded;
}

bool nd_gather_is_crowded(const struct nd_gather *gather)
{
    return gather->open && gather->crowded;
}

const struct nd_link_settings *nd_gather_settings(
    const struct nd_gather *gather)
{
    return &gather->settings;
}

uint32_t nd_gather_forged(const struct nd_gather *gather)
{
    return gather->open ? gather->forged : 0;
}

uint32_t nd_gather_forged_tags(const struct nd_gather *gather)
{
    return gather->open ? gather->forged_tags : 0;
}

const char *nd_gather_subject(const struct nd_gather *gather)
{
    if (!gather->open || gather->long_subject) {
        return NULL;
    }
    return gather->subject.data != NULL ? (const char *)gather->subject.data
                                        : "";
}
