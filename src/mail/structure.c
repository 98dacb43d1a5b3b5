/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the parts of a message: one pass over the bytes that looks for lines
 * beginning with "--" and compares them with the boundaries that are open, on a
 * stack of bounded depth. No parser with a tree of objects comes after it, so
 * the limits hold by construction: a part beyond them costs the comparison of
 * one line and no memory. GMime reads what is in the parts (their fields,
 * encodings and charsets); its own parser of whole messages would take 1.4 GB
 * for a million parts, and 90 us for a common message. Bodies are not decoded
 * here.
 */
#include "mail/structure.h"

#include <string.h>

struct walk {
    const struct nd_mail_limits *limits;
    struct nd_arena *arena;
    struct nd_structure *result;
    const char *end;
    size_t capacity; /* of result->entities */
    size_t *open;    /* entities whose end is still to come, outermost first */
    bool *has_child;
    size_t open_count;
};

/* A line that begins or ends a part. */
struct delimiter {
    const char *line; /* its first byte; the message's end if there is none */
    const char *after;
    size_t level; /* in walk.open */
    bool found;
    bool closes;
};

static struct nd_entity *open_entity(const struct walk *walk, size_t level)
{
    return &walk->result->entities[walk->open[level]];
}

/* Whether the line at line, behind its "--", is boundary, alone or with "--"
 * and blanks behind it. */
static bool is_boundary(const char *line, const char *end,
                        struct nd_span boundary, bool *closes_r)
{
    if ((size_t)(end - line) < boundary.length ||
        memcmp(line, boundary.data, boundary.length) != 0)
        return false;
    const char *at = line + boundary.length;
    *closes_r = end - at >= 2 && at[0] == '-' && at[1] == '-';
    if (*closes_r)
        return true;
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    return at == end || *at == '\n';
}

/* Fills the rest of delimiter if its line is one of the open boundaries,
 * the innermost first. */
static bool match(const struct walk *walk, struct delimiter *delimiter)
{
    const char *text = delimiter->line + 2;
    for (size_t level = walk->open_count; level-- > 0;) {
        struct nd_span boundary = open_entity(walk, level)->boundary;
        if (boundary.length == 0 ||
            !is_boundary(text, walk->end, boundary, &delimiter->closes))
            continue;
        const char *newline = memchr(text, '\n', (size_t)(walk->end - text));
        delimiter->after = newline == NULL ? walk->end : newline + 1;
        delimiter->level = level;
        delimiter->found = true;
        return true;
    }
    return false;
}

static bool has_boundary(const struct walk *walk)
{
    for (size_t level = 0; level < walk->open_count; level++)
        if (open_entity(walk, level)->boundary.length > 0)
            return true;
    return false;
}

/* The next delimiter at or after from, which is the start of a line. */
static struct delimiter find_delimiter(const struct walk *walk,
                                       const char *from)
{
    struct delimiter none = {.line = walk->end, .after = walk->end};
    if (!has_boundary(walk))
        return none;
    const char *line = from;
    while (walk->end - line >= 2) {
        struct delimiter found = {.line = line};
        if (line[0] == '-' && line[1] == '-' && match(walk, &found))
            return found;
        const char *newline = memchr(line, '\n', (size_t)(walk->end - line));
        if (newline == NULL)
            break;
        line = newline + 1;
    }
    return none;
}

/* The line end in front of a delimiter belongs to the delimiter. */
static struct nd_span body_until(const char *body, const char *line,
                                 const char *end)
{
    if (line < end && line > body && line[-1] == '\n')
        line--;
    if (line < end && line > body && line[-1] == '\r')
        line--;
    return (struct nd_span){body, (size_t)(line - body)};
}

static void close_entity(struct nd_entity *entity, const char *line,
                         const char *end)
{
    entity->body = body_until(entity->body.data, line, end);
    entity->part.raw_bytes = entity->body.length;
}

/* Closes what is open above level. A multipart in which no part began is read
 * as the text that its sender may have meant. */
static void close_above(struct walk *walk, size_t level, const char *line)
{
    while (walk->open_count > level) {
        size_t top = --walk->open_count;
        struct nd_entity *entity = open_entity(walk, top);
        close_entity(entity, line, walk->end);
        if (walk->has_child[top])
            continue;
        entity->part.is_container = false;
        entity->is_text = true;
        walk->result->defects++;
    }
}

static struct nd_entity *add_entity(struct walk *walk)
{
    struct nd_structure *result = walk->result;
    if (result->count == walk->capacity) {
        size_t capacity = walk->capacity == 0 ? 8 : walk->capacity * 2;
        struct nd_entity *entities =
            nd_arena_take(walk->arena, capacity * sizeof *entities);
        if (result->count > 0)
            memcpy(entities, result->entities,
                   result->count * sizeof *entities);
        result->entities = entities;
        walk->capacity = capacity;
    }
    return &result->entities[result->count++];
}

static const char *default_type(const struct walk *walk)
{
    if (walk->open_count > 0 &&
        strcmp(open_entity(walk, walk->open_count - 1)->part.type.data,
               "multipart/digest") == 0)
        return "message/rfc822";
    return "text/plain";
}

/* Adds the part whose header is at header and answers its body. opens_r says
 * that it may hold other parts, and that these are looked for. */
static const char *begin_part(struct walk *walk, const char *header,
                              bool *opens_r)
{
    struct nd_structure *result = walk->result;
    size_t depth = walk->open_count;
    struct nd_entity entity;
    struct nd_entity_rules rules = {walk->limits, default_type(walk),
                                    walk->arena};
    const char *body =
        nd_entity_header((struct nd_span){header, (size_t)(walk->end - header)},
                         &rules, &entity, &result->defects);
    entity.part.depth = (uint32_t)depth;
    entity.body.data = body;
    if (depth > 0)
        walk->has_child[depth - 1] = true;
    *opens_r = entity.part.is_container && depth < walk->limits->max_depth;
    *add_entity(walk) = entity;
    if (*opens_r) {
        walk->open[depth] = result->count - 1;
        walk->has_child[depth] = false;
        walk->open_count++;
    }
    return body;
}

/* Closes the part that was begun last and that holds no others. */
static void end_leaf(struct walk *walk, const char *line)
{
    struct nd_structure *result = walk->result;
    struct nd_entity *leaf = &result->entities[result->count - 1];
    close_entity(leaf, line, walk->end);
    if (!leaf->part.is_container)
        return;
    result->cut_depth++;
    result->unread_bytes += leaf->body.length;
}

/* Reads the part whose header is at header, and those that it begins with, to
 * the delimiter behind the first leaf. A message in a part begins with a header
 * again, without a delimiter. */
static struct delimiter read_part(struct walk *walk, const char *header)
{
    bool opens;
    const char *body = begin_part(walk, header, &opens);
    while (opens &&
           open_entity(walk, walk->open_count - 1)->boundary.length == 0)
        body = begin_part(walk, body, &opens);
    struct delimiter found = find_delimiter(walk, body);
    if (!opens)
        end_leaf(walk, found.line);
    return found;
}

/* Passes over a part that is one too many. */
static struct delimiter skip_part(struct walk *walk, const char *header)
{
    struct delimiter found = find_delimiter(walk, header);
    walk->result->cut_parts++;
    walk->result->unread_bytes += (size_t)(found.line - header);
    walk->has_child[walk->open_count - 1] = true;
    return found;
}

void nd_structure_read(struct nd_span message,
                       const struct nd_mail_limits *limits,
                       struct nd_arena *arena, struct nd_structure *structure)
{
    size_t depth = (size_t)limits->max_depth + 1;
    struct walk walk = {
        .limits = limits,
        .arena = arena,
        .result = structure,
        .end = message.data + message.length,
        .open = nd_arena_take(arena, depth * sizeof *walk.open),
        .has_child = nd_arena_take(arena, depth * sizeof *walk.has_child),
    };
    *structure = (struct nd_structure){0};
    struct delimiter at = read_part(&walk, message.data);
    while (at.found) {
        close_above(&walk, at.closes ? at.level : at.level + 1, at.line);
        if (at.closes)
            at = find_delimiter(&walk, at.after);
        else if (structure->count < limits->max_parts)
            at = read_part(&walk, at.after);
        else
            at = skip_part(&walk, at.after);
    }
    close_above(&walk, 0, walk.end);
}
