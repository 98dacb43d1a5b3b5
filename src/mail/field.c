/* SPDX-License-Identifier: Apache-2.0
 *
 * Splits a header into its fields, in place. The rules are those that mail
 * servers follow: a line that is neither a field nor the continuation of one
 * ends the header, with or without an empty line. This is not a parser of any
 * field's value.
 */
#include "mail/field.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static bool is_space(char byte)
{
    return is_blank(byte) || byte == '\r' || byte == '\n';
}

void nd_field_reader_init(struct nd_field_reader *reader, const char *data,
                          size_t length)
{
    *reader = (struct nd_field_reader){.at = data, .end = data + length};
}

/* The byte behind the line that starts at line. */
static const char *line_end(const char *line, const char *end)
{
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    return newline == NULL ? end : newline + 1;
}

static bool is_empty_line(const char *line, const char *end)
{
    while (line < end && *line == '\r')
        line++;
    return line == end || *line == '\n';
}

/* Mailboxes leave their separators in front of or inside a header. */
static bool is_separator(const char *line, const char *end)
{
    size_t left = (size_t)(end - line);
    return (left >= 5 && memcmp(line, "From ", 5) == 0) ||
           (left >= 6 && memcmp(line, ">From ", 6) == 0);
}

/* The colon of a field that starts at line; NULL where none does. A line that
 * begins with "--" may be a boundary, and boundaries may hold a colon. */
static const char *find_colon(const char *line, const char *end)
{
    const char *at = line;
    if (end - line >= 2 && line[0] == '-' && line[1] == '-')
        return NULL;
    while (at<end && * at> ' ' && *at < 127 && *at != ':')
        at++;
    if (at == line)
        return NULL;
    while (at < end && is_blank(*at))
        at++;
    return at < end && *at == ':' ? at : NULL;
}

static struct nd_span trim(const char *start, const char *end)
{
    while (start < end && is_space(*start))
        start++;
    while (end > start && is_space(end[-1]))
        end--;
    return (struct nd_span){start, (size_t)(end - start)};
}

bool nd_field_next(struct nd_field_reader *reader, struct nd_field *field_r)
{
    const char *line = reader->at;
    const char *end = reader->end;
    while (line < end && is_separator(line, end))
        line = line_end(line, end);
    reader->at = line;
    if (line == end)
        return false;
    if (is_empty_line(line, end)) {
        reader->at = line_end(line, end);
        return false;
    }
    const char *colon = find_colon(line, end);
    if (colon == NULL) {
        reader->broken = true;
        return false;
    }
    const char *next = line_end(colon, end);
    while (next < end && is_blank(*next))
        next = line_end(next, end);
    field_r->name = trim(line, colon);
    field_r->value = trim(colon + 1, next);
    reader->at = next;
    return true;
}

bool nd_field_is(const struct nd_field *field, const char *name)
{
    return field->name.length == strlen(name) &&
           ((*field->name.data ^ *name) & ~32) == 0 && /* most differ */
           strncasecmp(field->name.data, name, field->name.length) == 0;
}

struct nd_text nd_field_unfold(struct nd_span value, size_t limit,
                               struct nd_arena *arena)
{
    size_t length = value.length < limit ? value.length : limit;
    char *line = nd_arena_take(arena, length + 1);
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char byte = value.data[i];
        bool blank = byte == '\0' || (byte <= ' ' && is_space(byte));
        if (!blank)
            line[used++] = byte;
        else if (used > 0 && line[used - 1] != ' ')
            line[used++] = ' ';
    }
    while (used > 0 && line[used - 1] == ' ')
        used--;
    line[used] = '\0';
    return (struct nd_text){line, used};
}
