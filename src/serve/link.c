/* SPDX-License-Identifier: Apache-2.0
 *
 * The words between worker and daemon, written and read. The worker handles
 * what strangers send, so the daemon reads it as it would a stranger: every
 * length is checked, a text ends with the only NUL in it, nothing may be left
 * over. What the words are for is known to milter_worker.c and milter.c.
 */
#include "serve/link.h"

#include <string.h>

#include "base/log.h"

#define LINK_MAGIC 0x314c444eU /* "NDL1" */
#define MOST_TEXT 1024U        /* bytes of one text */

/* ---- frames ---- */

size_t nd_link_begin(struct nd_buffer *buffer, enum nd_link_type type)
{
    size_t start = buffer->length;
    nd_buffer_u32(buffer, LINK_MAGIC);
    nd_buffer_u32(buffer, type);
    nd_buffer_u32(buffer, 0);
    return start;
}

static void set_length(struct nd_buffer *buffer, size_t start, size_t length)
{
    for (unsigned i = 0; i < 4; i++) {
        buffer->data[start + 8 + i] = (uint8_t)(length >> (8 * i));
    }
}

void nd_link_end(struct nd_buffer *buffer, size_t start)
{
    set_length(buffer, start, buffer->length - start - ND_LINK_HEADER_BYTES);
}

enum nd_status nd_link_header(const uint8_t *data, enum nd_link_type type,
                              size_t limit, struct nd_error *error,
                              size_t *length_r)
{
    struct nd_reader reader;
    nd_reader_init(&reader, data, ND_LINK_HEADER_BYTES);
    uint32_t magic = nd_reader_u32(&reader);
    uint32_t found = nd_reader_u32(&reader);
    uint32_t length = nd_reader_u32(&reader);
    if (magic != LINK_MAGIC || found != type || length > limit) {
        return nd_fail(error, ND_DATA,
                       "the milter's link carries no valid frame (magic %08x, "
                       "type %u, length %u)",
                       (unsigned)magic, (unsigned)found, (unsigned)length);
    }
    *length_r = length;
    return ND_OK;
}

uint32_t nd_link_type_of(const uint8_t *data, size_t length)
{
    struct nd_reader reader;
    nd_reader_init(&reader, data, length);
    uint32_t magic = nd_reader_u32(&reader);
    uint32_t type = nd_reader_u32(&reader);
    return magic == LINK_MAGIC && !reader.failed ? type : 0;
}

/* ---- texts ---- */

/* With its NUL, so that the reader can point to it where it lies. */
static void put_text(struct nd_buffer *buffer, const char *text)
{
    size_t length = strnlen(text, MOST_TEXT - 1);
    nd_buffer_varint(buffer, length + 1);
    nd_buffer_append(buffer, text, length);
    nd_buffer_u8(buffer, 0);
}

/* NULL, and the reader has failed, where there is no text. */
static const char *get_text(struct nd_reader *reader)
{
    uint64_t length = nd_reader_varint(reader);
    if (length == 0 || length > MOST_TEXT) {
        reader->failed = true;
        return NULL;
    }
    const char *text = (const char *)nd_reader_bytes(reader, (size_t)length);
    if (text == NULL || strnlen(text, (size_t)length) != length - 1) {
        reader->failed = true;
        return NULL;
    }
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            reader->failed = true;
            return NULL;
        }
    }
    return text;
}

static enum nd_status finish(const struct nd_reader *reader, const char *what,
                             struct nd_error *error)
{
    if (reader->failed || nd_reader_left(reader) != 0) {
        return nd_fail(error, ND_DATA,
                       "the milter's link carries a malformed %s", what);
    }
    return ND_OK;
}

/* ---- settings ---- */

bool nd_link_is_header_name(const char *text)
{
    size_t length = strnlen(text, ND_LINK_NAME_BYTES);
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~' || text[i] == ':') {
            return false;
        }
    }
    return length > 0 && length < ND_LINK_NAME_BYTES;
}

void nd_link_write_settings(const struct nd_link_settings *settings,
                            struct nd_buffer *buffer)
{
    size_t start = nd_link_begin(buffer, ND_LINK_SETTINGS);
    put_text(buffer, settings->header);
    put_text(buffer, settings->tag_header);
    nd_buffer_u32(buffer, settings->deadline_ms);
    nd_buffer_u64(buffer, settings->max_message);
    nd_buffer_u64(buffer, settings->max_memory);
    nd_link_end(buffer, start);
}

static void copy_name(struct nd_reader *reader, bool may_be_empty,
                      char name_r[ND_LINK_NAME_BYTES])
{
    const char *name = get_text(reader);
    if (name == NULL) {
        return;
    }
    if (nd_link_is_header_name(name) || (may_be_empty && name[0] == '\0')) {
        memcpy(name_r, name, strlen(name) + 1);
    } else {
        reader->failed = true;
    }
}

enum nd_status nd_link_read_settings(const uint8_t *data, size_t length,
                                     struct nd_error *error,
                                     struct nd_link_settings *settings_r)
{
    struct nd_link_settings settings = {0};
    struct nd_reader reader;
    nd_reader_init(&reader, data, length);
    copy_name(&reader, false, settings.header);
    copy_name(&reader, true, settings.tag_header);
    settings.deadline_ms = nd_reader_u32(&reader);
    settings.max_message = nd_reader_u64(&reader);
    settings.max_memory = nd_reader_u64(&reader);
    enum nd_status status = finish(&reader, "settings", error);
    if (status == ND_OK) {
        *settings_r = settings;
    }
    return status;
}

/* ---- questions ---- */

void nd_link_write_question(const struct nd_link_question *question,
                            struct nd_buffer *buffer)
{
    size_t start = nd_link_begin(buffer, ND_LINK_QUESTION);
    put_text(buffer, question->queue_id);
    put_text(buffer, question->client);
    put_text(buffer, question->sender);
    nd_buffer_u8(buffer, question->authenticated ? 1 : 0);
    nd_buffer_u64(buffer, question->full_length);
    size_t facts = buffer->length - start - ND_LINK_HEADER_BYTES;
    set_length(buffer, start, facts + question->length);
}

enum nd_status nd_link_read_question(const uint8_t *data, size_t length,
                                     struct nd_error *error,
                                     struct nd_link_question *question_r)
{
    struct nd_link_question question;
    struct nd_reader reader;
    nd_reader_init(&reader, data, length);
    question.queue_id = get_text(&reader);
    question.client = get_text(&reader);
    question.sender = get_text(&reader);
    uint8_t authenticated = nd_reader_u8(&reader);
    question.authenticated = authenticated == 1;
    question.full_length = nd_reader_u64(&reader);
    question.length = nd_reader_left(&reader);
    question.message = nd_reader_bytes(&reader, question.length);
    if (authenticated > 1 || question.full_length < question.length) {
        reader.failed = true;
    }
    enum nd_status status = finish(&reader, "question", error);
    if (status == ND_OK) {
        *question_r = question;
    }
    return status;
}

/* ---- answers ---- */

void nd_link_write_answer(const struct nd_link_answer *answer,
                          struct nd_buffer *buffer)
{
    size_t start = nd_link_begin(buffer, ND_LINK_ANSWER);
    put_text(buffer, answer->header);
    put_text(buffer, answer->subject_tag);
    put_text(buffer, answer->tag_value);
    put_text(buffer, answer->quarantine);
    nd_link_end(buffer, start);
}

enum nd_status nd_link_read_answer(const uint8_t *data, size_t length,
                                   struct nd_error *error,
                                   struct nd_link_answer *answer_r)
{
    struct nd_link_answer answer;
    struct nd_reader reader;
    nd_reader_init(&reader, data, length);
    answer.header = get_text(&reader);
    answer.subject_tag = get_text(&reader);
    answer.tag_value = get_text(&reader);
    answer.quarantine = get_text(&reader);
    enum nd_status status = finish(&reader, "answer", error);
    if (status == ND_OK) {
        *answer_r = answer;
    }
    return status;
}

/* ---- events and log ---- */

const char *nd_link_event_name(enum nd_link_event event)
{
    static const char *const names[] = {"late",    "gone",   "crowded",
                                        "aborted", "forged", "refused"};
    return names[event];
}

void nd_link_write_events(const struct nd_link_events *events,
                          struct nd_buffer *buffer)
{
    size_t start = nd_link_begin(buffer, ND_LINK_EVENTS);
    for (int i = 0; i < ND_LINK_EVENT_COUNT; i++) {
        nd_buffer_varint(buffer, events->of[i]);
    }
    nd_link_end(buffer, start);
}

enum nd_status nd_link_read_events(const uint8_t *data, size_t length,
                                   struct nd_error *error,
                                   struct nd_link_events *events_r)
{
    struct nd_link_events events;
    struct nd_reader reader;
    nd_reader_init(&reader, data, length);
    for (int i = 0; i < ND_LINK_EVENT_COUNT; i++) {
        events.of[i] = nd_reader_varint(&reader);
    }
    enum nd_status status = finish(&reader, "list of events", error);
    if (status == ND_OK) {
        *events_r = events;
    }
    return status;
}

void nd_link_write_log(unsigned level, const char *line,
                       struct nd_buffer *buffer)
{
    size_t start = nd_link_begin(buffer, ND_LINK_LOG);
    nd_buffer_u8(buffer, (uint8_t)level);
    put_text(buffer, line);
    nd_link_end(buffer, start);
}

enum nd_status nd_link_read_log(const uint8_t *data, size_t length,
                                struct nd_error *error, unsigned *level_r,
                                const char **line_r)
{
    struct nd_reader reader;
    nd_reader_init(&reader, data, length);
    unsigned level = nd_reader_u8(&reader);
    const char *line = get_text(&reader);
    if (level > ND_LOG_DEBUG) {
        reader.failed = true;
    }
    enum nd_status status = finish(&reader, "line for the log", error);
    if (status == ND_OK) {
        *level_r = level;
        *line_r = line;
    }
    return status;
}
