/* SPDX-License-Identifier: Apache-2.0
 *
 * What a part says of itself: Content-Type, Content-Transfer-Encoding and
 * Content-Disposition, with their parameters read by GMime (RFC 2231 and the
 * many ways to break it included). Only these fields are looked at, and of each
 * only the first, no longer than a limit.
 */
#include "mail/structure.h"

#include <ctype.h>
#include <string.h>

#include <gmime/gmime.h>

#include "base/buffer.h"
#include "mail/decode.h"

static const struct nd_text empty = {"", 0};

/* A copy in valid UTF-8. */
static struct nd_text copy(const char *text, struct nd_arena *arena)
{
    if (text == NULL || *text == '\0')
        return empty;
    size_t length = strlen(text);
    if (nd_is_utf8(text, length))
        return (struct nd_text){nd_arena_strndup(arena, text, length), length};
    struct nd_buffer buffer = {0};
    nd_append_utf8(&buffer, text, length);
    struct nd_text result = {
        nd_arena_strndup(arena, (char *)buffer.data, buffer.length),
        buffer.length};
    nd_buffer_free(&buffer);
    return result;
}

static struct nd_text copy_lower(const char *text, struct nd_arena *arena)
{
    struct nd_text result = copy(text, arena);
    for (char *at = (char *)result.data; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    return result;
}

static void read_type(struct nd_span value, size_t limit,
                      struct nd_arena *arena, struct nd_entity *entity)
{
    struct nd_text line = nd_field_unfold(value, limit, arena);
    GMimeContentType *type = g_mime_content_type_parse(NULL, line.data);
    char *name = g_mime_content_type_get_mime_type(type);
    entity->part.type = copy_lower(name, arena);
    g_free(name);
    const char *boundary = g_mime_content_type_get_parameter(type, "boundary");
    if (boundary != NULL)
        entity->boundary = (struct nd_span){
            nd_arena_strndup(arena, boundary, strlen(boundary)),
            strlen(boundary)};
    entity->part.charset =
        copy_lower(g_mime_content_type_get_parameter(type, "charset"), arena);
    if (entity->part.filename.length == 0)
        entity->part.filename =
            copy(g_mime_content_type_get_parameter(type, "name"), arena);
    g_object_unref(type);
}

static void read_disposition(struct nd_span value, size_t limit,
                             struct nd_arena *arena, struct nd_part *part)
{
    struct nd_text line = nd_field_unfold(value, limit, arena);
    GMimeContentDisposition *disposition =
        g_mime_content_disposition_parse(NULL, line.data);
    if (disposition == NULL)
        return;
    part->disposition = copy_lower(
        g_mime_content_disposition_get_disposition(disposition), arena);
    struct nd_text filename =
        copy(g_mime_content_disposition_get_parameter(disposition, "filename"),
             arena);
    if (filename.length > 0)
        part->filename = filename;
    g_object_unref(disposition);
}

/* The encoding is a single word; a comment or a parameter may follow it. */
static void read_encoding(struct nd_span value, struct nd_arena *arena,
                          struct nd_part *part)
{
    char word[40];
    size_t used = 0;
    while (used < value.length && used < sizeof word - 1 &&
           value.data[used] > ' ' &&
           strchr(";(,\"", value.data[used]) == NULL) {
        word[used] = value.data[used];
        used++;
    }
    word[used] = '\0';
    part->encoding = copy_lower(word, arena);
}

static bool starts_with(struct nd_text text, const char *start)
{
    return strncmp(text.data, start, strlen(start)) == 0;
}

static bool is_message(struct nd_text type)
{
    return strcmp(type.data, "message/rfc822") == 0 ||
           strcmp(type.data, "message/global") == 0 ||
           strcmp(type.data, "message/news") == 0;
}

static void set_default_type(struct nd_entity *entity, const char *type)
{
    entity->part.type = (struct nd_text){type, strlen(type)};
}

/* What the fields together mean. */
static void classify(struct nd_entity *entity, uint32_t *defects)
{
    struct nd_part *part = &entity->part;
    bool multipart = starts_with(part->type, "multipart/");
    part->is_container = multipart || is_message(part->type);
    entity->is_text = starts_with(part->type, "text/");
    if (multipart && entity->boundary.length == 0) {
        part->is_container = false;
        entity->is_text = true;
        (*defects)++;
    }
}

/* The fields that count; data is NULL where there is none. */
struct fields {
    struct nd_span type;
    struct nd_span encoding;
    struct nd_span disposition;
};

static void keep_first(struct nd_span *known, const struct nd_field *field,
                       const char *name)
{
    if (known->data == NULL && nd_field_is(field, name))
        *known = field->value;
}

static void find_fields(struct nd_field_reader *reader, struct fields *found)
{
    struct nd_field field;
    while (nd_field_next(reader, &field)) {
        if ((field.name.data[0] | 32) != 'c') /* as all three begin */
            continue;
        keep_first(&found->type, &field, "Content-Type");
        keep_first(&found->encoding, &field, "Content-Transfer-Encoding");
        keep_first(&found->disposition, &field, "Content-Disposition");
    }
}

const char *nd_entity_header(struct nd_span header,
                             const struct nd_entity_rules *rules,
                             struct nd_entity *entity, uint32_t *defects)
{
    size_t limit = rules->limits->max_header_line;
    struct fields found = {0};
    struct nd_field_reader reader;
    nd_field_reader_init(&reader, header.data, header.length);
    find_fields(&reader, &found);
    *entity = (struct nd_entity){
        .part = {empty, empty, empty, empty, empty, 0, 0, false}};
    if (found.type.data == NULL)
        set_default_type(entity, rules->default_type);
    else if (memchr(found.type.data, '/', found.type.length) == NULL)
        set_default_type(entity, "text/plain");
    else
        read_type(found.type, limit, rules->arena, entity);
    if (found.disposition.data != NULL)
        read_disposition(found.disposition, limit, rules->arena, &entity->part);
    if (found.encoding.data != NULL)
        read_encoding(found.encoding, rules->arena, &entity->part);
    *defects += reader.broken;
    classify(entity, defects);
    return reader.at;
}
