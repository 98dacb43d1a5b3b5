/* SPDX-License-Identifier: Apache-2.0
 *
 * Splits at the delimiter lines and reads the few headers of each part that
 * matter here. Parts stay where they are in the body. Not for nested parts: a
 * message's own are the message's.
 */
#include "serve/multipart.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define MAX_BOUNDARY 70 /* RFC 2046 */
#define MAX_PART_HEADER 4096

/* The value of a parameter ("; name=value" or quoted) of a header's value,
 * copied; NULL without it. */
static const char *parameter(const char *value, const char *name,
                             struct nd_arena *arena)
{
    size_t length = strlen(name);
    for (const char *at = strchr(value, ';'); at != NULL;
         at = strchr(at, ';')) {
        at += 1 + strspn(at + 1, " \t");
        if (strncasecmp(at, name, length) != 0 || at[length] != '=') {
            continue;
        }
        at += length + 1;
        bool quoted = *at == '"';
        at += quoted;
        return nd_arena_strndup(arena, at, strcspn(at, quoted ? "\"" : "; \t"));
    }
    return NULL;
}

struct body {
    const char *at, *end;
    char delimiter[MAX_BOUNDARY + 3]; /* "--boundary" */
    size_t delimiter_length;
    struct nd_arena *arena;
};

static bool starts_line(const char *text, const char *at)
{
    return at == text || at[-1] == '\n';
}

/* Whether the line ends behind a delimiter, or it is the last one. */
static bool ends_line(const struct body *body, const char *delimiter)
{
    const char *at = delimiter + body->delimiter_length;
    if (body->end - at >= 2 && memcmp(at, "--", 2) == 0) {
        return true;
    }
    while (at < body->end && (*at == ' ' || *at == '\t' || *at == '\r')) {
        at++;
    }
    return at == body->end || *at == '\n';
}

/* The next delimiter at the start of a line; NULL without one. */
static const char *find_delimiter(const struct body *body, const char *from)
{
    const char *at = from;
    while (at < body->end) {
        at = memmem(at, (size_t)(body->end - at), body->delimiter,
                    body->delimiter_length);
        if (at == NULL || (starts_line(from, at) && ends_line(body, at))) {
            return at;
        }
        at++;
    }
    return NULL;
}

/* Behind the end of the line at `at`; the body's end where it has none. */
static const char *next_line(const struct body *body, const char *at)
{
    const char *line_end = memchr(at, '\n', (size_t)(body->end - at));
    return line_end != NULL ? line_end + 1 : body->end;
}

/* "Name: value" of the line; changes part where the name matters. */
static bool read_field(const struct body *body, const char *line, size_t length,
                       struct nd_body_part *part)
{
    const char *colon = memchr(line, ':', length);
    if (colon == NULL || colon == line) {
        return false;
    }
    const char *value = colon + 1;
    while (value < line + length && (*value == ' ' || *value == '\t')) {
        value++;
    }
    const char *text =
        nd_arena_strndup(body->arena, value, (size_t)(line + length - value));
    size_t name = (size_t)(colon - line);
    if (name == 12 && strncasecmp(line, "Content-Type", name) == 0) {
        part->type = text;
    } else if (name == 19 &&
               strncasecmp(line, "Content-Disposition", name) == 0) {
        part->name = parameter(text, "name", body->arena);
    }
    return true;
}

/* Reads the part's header and leaves body->at behind it. */
static enum nd_status read_header(struct body *body, struct nd_error *error,
                                  struct nd_body_part *part)
{
    const char *start = body->at;
    while (body->at < body->end) {
        const char *line = body->at;
        body->at = next_line(body, line);
        size_t length = (size_t)(body->at - line);
        while (length > 0 &&
               (line[length - 1] == '\n' || line[length - 1] == '\r')) {
            length--;
        }
        if (length == 0) {
            return ND_OK;
        }
        if (body->at - start > MAX_PART_HEADER) {
            return nd_fail(error, ND_LIMIT,
                           "a part's header is longer than %d bytes",
                           MAX_PART_HEADER);
        }
        if (!read_field(body, line, length, part)) {
            return nd_fail(error, ND_DATA,
                           "a line of a part's header is no header field");
        }
    }
    return nd_fail(error, ND_DATA, "the last part's header does not end");
}

/* The line end in front of a delimiter belongs to it. */
static size_t part_length(const char *start, const char *delimiter)
{
    const char *end = delimiter;
    if (end > start && end[-1] == '\n') {
        end--;
        end -= end > start && end[-1] == '\r';
    }
    return (size_t)(end - start);
}

static enum nd_status read_part(struct body *body, struct nd_error *error,
                                struct nd_body_part *part)
{
    *part = (struct nd_body_part){0};
    enum nd_status status = read_header(body, error, part);
    if (status != ND_OK) {
        return status;
    }
    const char *end = find_delimiter(body, body->at);
    if (end == NULL) {
        return nd_fail(error, ND_DATA,
                       "the last part has no end: its delimiter is missing");
    }
    part->data = body->at;
    part->length = part_length(body->at, end);
    body->at = end;
    return ND_OK;
}

static enum nd_status find_boundary(const char *content_type, struct body *body,
                                    struct nd_error *error)
{
    const char *boundary = parameter(content_type, "boundary", body->arena);
    if (boundary == NULL || boundary[0] == '\0' ||
        strlen(boundary) > MAX_BOUNDARY) {
        return nd_fail(error, ND_DATA,
                       "the Content-Type names no boundary of 1 to %d "
                       "characters",
                       MAX_BOUNDARY);
    }
    char *end = stpcpy(body->delimiter, "--");
    end = stpcpy(end, boundary);
    body->delimiter_length = (size_t)(end - body->delimiter);
    return ND_OK;
}

/* Whether the delimiter at body->at is the last one; moves behind its line. */
static bool is_last(struct body *body)
{
    const char *behind = body->at + body->delimiter_length;
    bool last = body->end - behind >= 2 && memcmp(behind, "--", 2) == 0;
    body->at = next_line(body, behind);
    return last;
}

enum nd_status nd_multipart_read(const char *content_type, const char *text,
                                 size_t length, struct nd_arena *arena,
                                 struct nd_error *error,
                                 struct nd_body_part *parts_r, size_t *count_r)
{
    struct body body = {.at = text, .end = text + length, .arena = arena};
    size_t count = 0;
    enum nd_status status = find_boundary(content_type, &body, error);
    if (status != ND_OK) {
        return status;
    }
    body.at = find_delimiter(&body, text);
    if (body.at == NULL) {
        return nd_fail(error, ND_DATA, "the boundary is not in the body");
    }
    while (!is_last(&body)) {
        if (count == ND_MAX_BODY_PARTS) {
            return nd_fail(error, ND_LIMIT, "more than %d parts",
                           ND_MAX_BODY_PARTS);
        }
        status = read_part(&body, error, &parts_r[count]);
        if (status != ND_OK) {
            return status;
        }
        count++;
    }
    if (count == 0) {
        return nd_fail(error, ND_DATA, "there is no part in the body");
    }
    *count_r = count;
    return ND_OK;
}
