/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads one message: limits first, then the parts, the header, the text of the
 * parts, and last what trusted filters said. Each step is a file of its own,
 * this one brings them together. Nothing in a message makes it fail.
 */
#include "mail/message.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <gmime/gmime.h>

#include "mail/decode.h"
#include "mail/field.h"
#include "mail/html.h"
#include "mail/identity.h"
#include "mail/structure.h"
#include "mail/text.h"
#include "mail/trust.h"

void nd_mail_limits_default(struct nd_mail_limits *limits_r)
{
    *limits_r = (struct nd_mail_limits){
        .max_message = 4U << 20,
        .max_header = 256U << 10,
        .max_header_line = 16U << 10,
        .max_headers = 1000,
        .max_parts = 1000,
        .max_depth = 32,
        .max_text = 256U << 10,
        .max_urls = 500,
    };
}

struct reading {
    const struct nd_mail_limits *limits;
    struct nd_arena *arena;
    struct nd_message *message;
    struct nd_span raw; /* as far as it is read */
    struct nd_structure structure;
    struct nd_text_builder text;
    struct nd_url_list urls;
    struct nd_html html;
    struct nd_buffer decoded;   /* transfer encoding undone */
    struct nd_buffer converted; /* charset undone */
};

static struct nd_span without_mbox_line(const char *data, size_t length)
{
    const char *newline = NULL;
    if (length >= 5 && memcmp(data, "From ", 5) == 0)
        newline = memchr(data, '\n', length);
    size_t skipped = newline == NULL ? 0 : (size_t)(newline - data) + 1;
    return (struct nd_span){data + skipped, length - skipped};
}

static uint32_t count_nul(struct nd_span raw)
{
    uint32_t count = 0;
    const char *end = raw.data + raw.length;
    const char *at = raw.data;
    while ((at = memchr(at, '\0', (size_t)(end - at))) != NULL) {
        count++;
        at++;
    }
    return count;
}

static size_t count_lines(const char *data, const char *end)
{
    size_t lines = 1;
    while ((data = memchr(data, '\n', (size_t)(end - data))) != NULL) {
        lines++;
        data++;
    }
    return lines;
}

/* What stands before the body of the outermost part. */
static struct nd_span find_header(const struct reading *reading)
{
    const char *start = reading->raw.data;
    const char *body = reading->structure.entities[0].body.data;
    return (struct nd_span){start, (size_t)(body - start)};
}

static void add_header(struct reading *reading, const struct nd_field *field,
                       const char *charset, struct nd_header *header_r)
{
    struct nd_message *message = reading->message;
    size_t limit = reading->limits->max_header_line;
    if (field->value.length > limit) {
        message->cut_headers++;
        message->unread_bytes += field->value.length - limit;
    }
    struct nd_text value = nd_field_unfold(field->value, limit, reading->arena);
    size_t name = field->name.length < limit ? field->name.length : limit;
    enum nd_header_role role = nd_header_role(field->name.data, name);
    uint32_t ignored = 0;
    *header_r = (struct nd_header){
        .name = {nd_arena_strndup(reading->arena, field->name.data, name),
                 name},
        .value = nd_decode_header(value, charset, reading->arena,
                                  role == ND_HEADER_FILTER ? &ignored
                                                           : &message->defects),
        .role = role,
    };
}

/* A charset for raw 8-bit headers: that of the first part that has one. */
static const char *likely_charset(const struct nd_structure *structure)
{
    for (size_t i = 0; i < structure->count && i < 4; i++)
        if (structure->entities[i].part.charset.length > 0)
            return structure->entities[i].part.charset.data;
    return "";
}

static void read_headers(struct reading *reading)
{
    struct nd_message *message = reading->message;
    const struct nd_mail_limits *limits = reading->limits;
    const char *charset = likely_charset(&reading->structure);
    struct nd_span all = find_header(reading);
    size_t count = count_lines(all.data, all.data + all.length);
    if (count > limits->max_headers)
        count = limits->max_headers;
    struct nd_header *headers =
        nd_arena_take(reading->arena, count * sizeof *headers);
    struct nd_field_reader reader;
    struct nd_field field;
    nd_field_reader_init(&reader, all.data, all.length);
    size_t used = 0;
    while (nd_field_next(&reader, &field)) {
        if (message->header_count == count ||
            used + field.name.length > limits->max_header) {
            message->cut_headers++;
            message->unread_bytes += (size_t)(reader.at - field.name.data);
            continue;
        }
        struct nd_header *header = &headers[message->header_count++];
        add_header(reading, &field, charset, header);
        used += field.name.length + header->value.length;
        if (header->role == ND_HEADER_FILTER) {
            message->filter_headers++;
            message->filter_bytes += (size_t)(reader.at - field.name.data);
        }
    }
    message->headers = headers;
}

/* Addresses in a To or Cc: commas outside of quotes, comments and brackets. */
static uint32_t count_addresses(const char *value)
{
    uint32_t count = 0;
    unsigned depth = 0;
    bool quoted = false;
    bool any = false;
    for (; *value != '\0'; value++) {
        if (*value == '\\' && value[1] != '\0') {
            value++;
            continue;
        }
        if (*value == '"')
            quoted = !quoted;
        if (quoted)
            continue;
        if (*value == '(' || *value == '<')
            depth++;
        else if ((*value == ')' || *value == '>') && depth > 0)
            depth--;
        if ((*value == ',' || *value == ';') && depth == 0) {
            count += any;
            any = false;
        } else if (*value != ' ') {
            any = *value != ':'; /* a group's name is no address */
        }
    }
    return count + any;
}

/* Milliseconds since 1970 of a date (RFC 5322); 0 where it is none. */
static int64_t parse_date(const char *text)
{
    GDateTime *date = g_mime_utils_header_decode_date(text);
    if (date == NULL)
        return 0;
    int64_t seconds = g_date_time_to_unix(date);
    g_date_time_unref(date);
    return seconds * 1000;
}

/* The date behind the last semicolon of a Received header. */
static int64_t parse_received(const char *value)
{
    const char *semicolon = strrchr(value, ';');
    return semicolon == NULL ? 0 : parse_date(semicolon + 1);
}

static void note_header(struct nd_message *message,
                        const struct nd_header *header)
{
    const char *value = header->value.data;
    if (nd_header_is(header, "Received")) {
        if (message->hops++ == 0)
            message->received_ms = parse_received(value);
    } else if (nd_header_is(header, "Subject")) {
        if (message->subject.length == 0)
            message->subject = header->value;
    } else if (nd_header_is(header, "Message-ID")) {
        if (message->message_id.length == 0)
            message->message_id = header->value;
    } else if (nd_header_is(header, "To")) {
        message->recipients_to += count_addresses(value);
    } else if (nd_header_is(header, "Cc")) {
        message->recipients_cc += count_addresses(value);
    }
}

static void note_headers(struct nd_message *message)
{
    for (size_t i = 0; i < message->header_count; i++)
        note_header(message, &message->headers[i]);
    for (size_t i = 0; i < message->header_count; i++)
        if (message->received_ms == 0 &&
            nd_header_is(&message->headers[i], "Date"))
            message->received_ms = parse_date(message->headers[i].value.data);
}

static bool looks_like_html(struct nd_span text)
{
    static const char *const starts[] = {"<html", "<!doctype html"};
    size_t at = 0;
    while (at < text.length && (unsigned char)text.data[at] <= ' ')
        at++;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        size_t length = strlen(starts[i]);
        if (text.length - at >= length &&
            strncasecmp(text.data + at, starts[i], length) == 0)
            return true;
    }
    return false;
}

/* NUL bytes would end the text for half of its readers. */
static struct nd_span without_nul(struct nd_span text, struct nd_buffer *buffer)
{
    if (memchr(text.data, '\0', text.length) == NULL)
        return text;
    if (text.data != (const char *)buffer->data) {
        nd_buffer_clear(buffer);
        nd_buffer_append(buffer, text.data, text.length);
    }
    for (size_t i = 0; i < buffer->length; i++)
        if (buffer->data[i] == '\0')
            buffer->data[i] = ' ';
    return (struct nd_span){(const char *)buffer->data, buffer->length};
}

/* The charset that a page names in its first bytes, where its part names none:
 * text up to a quote, a blank or a bracket behind "charset=". */
static const char *charset_of_page(struct nd_span page, char *charset_r,
                                   size_t size)
{
    const char *end = page.data + (page.length < 2048 ? page.length : 2048);
    size_t length = 0;
    for (const char *at = page.data; end - at > 8; at++) {
        if ((*at | 32) != 'c' || strncasecmp(at, "charset=", 8) != 0)
            continue;
        at += 8;
        at += *at == '"' || *at == '\'';
        while (at < end && length + 1 < size && *at > ' ' &&
               strchr("\"';/>", *at) == NULL)
            charset_r[length++] = (char)tolower((unsigned char)*at++);
        break;
    }
    charset_r[length] = '\0';
    return charset_r;
}

static void read_text(struct reading *reading, const struct nd_entity *entity)
{
    char charset[41];
    uint32_t *defects = &reading->message->defects;
    const struct nd_part *part = &entity->part;
    struct nd_span decoded = nd_decode_transfer(
        entity->body, part->encoding.data, &reading->decoded, defects);
    bool is_html =
        strcmp(part->type.data, "text/html") == 0 || looks_like_html(decoded);
    const char *stated = part->charset.data;
    if (is_html && *stated == '\0' && !nd_is_utf8(decoded.data, decoded.length))
        stated = charset_of_page(decoded, charset, sizeof charset);
    struct nd_span text =
        nd_decode_charset(decoded, stated, &reading->converted, defects);
    text = without_nul(text, &reading->converted);
    nd_text_break(&reading->text);
    if (is_html) {
        nd_html_read(&reading->html, text);
        return;
    }
    size_t start = reading->text.length;
    nd_text_append(&reading->text, text.data, text.length, true);
    nd_urls_scan(&reading->urls, reading->text.data + start,
                 reading->text.length - start);
}

static void read_parts(struct reading *reading)
{
    struct nd_structure *structure = &reading->structure;
    struct nd_message *message = reading->message;
    struct nd_part *parts =
        nd_arena_take(reading->arena, structure->count * sizeof *parts);
    for (size_t i = 0; i < structure->count; i++) {
        parts[i] = structure->entities[i].part;
        if (structure->entities[i].is_text)
            read_text(reading, &structure->entities[i]);
    }
    message->parts = parts;
    message->part_count = structure->count;
    message->cut_parts = structure->cut_parts;
    message->cut_depth = structure->cut_depth;
    message->unread_bytes += structure->unread_bytes;
    message->defects += structure->defects;
}

/* Text never grows more than threefold on its way to UTF-8. */
static size_t text_limit(const struct reading *reading)
{
    size_t most = reading->raw.length * 3 + 16;
    return most < reading->limits->max_text ? most : reading->limits->max_text;
}

static void begin(struct reading *reading)
{
    nd_text_begin(&reading->text, text_limit(reading), reading->arena);
    nd_urls_begin(&reading->urls, reading->limits->max_urls, reading->arena);
    nd_html_begin(&reading->html, &reading->text, &reading->urls,
                  reading->arena);
}

static void finish(struct reading *reading)
{
    struct nd_message *message = reading->message;
    message->text = nd_text_end(&reading->text);
    message->urls = reading->urls.urls;
    message->url_count = reading->urls.count;
    message->cut_urls = reading->urls.cut;
    message->html = nd_html_end(&reading->html);
    nd_buffer_free(&reading->decoded);
    nd_buffer_free(&reading->converted);
}

enum nd_status nd_message_read(const void *data, size_t length,
                               const struct nd_mail_limits *limits,
                               const struct nd_mail_trust *trust,
                               struct nd_arena *arena, struct nd_error *error,
                               struct nd_message *message_r)
{
    struct nd_span whole = without_mbox_line(data, length);
    if (whole.length == 0)
        return nd_fail(error, ND_DATA, "the message is empty");
    nd_mail_init();
    struct nd_message message = {
        .message_id = {"", 0}, .subject = {"", 0}, .raw_bytes = whole.length};
    struct reading reading = {
        .limits = limits, .arena = arena, .message = &message, .raw = whole};
    if (whole.length > limits->max_message) {
        reading.raw.length = limits->max_message;
        message.unread_bytes = whole.length - limits->max_message;
    }
    message.nul_bytes = count_nul(reading.raw);
    message.identity_from_id = nd_identity(whole, message.identity);
    nd_structure_read(reading.raw, limits, arena, &reading.structure);
    read_headers(&reading);
    note_headers(&message);
    begin(&reading);
    read_parts(&reading);
    finish(&reading);
    nd_trust_apply(trust, arena, &message);
    *message_r = message;
    return ND_OK;
}
