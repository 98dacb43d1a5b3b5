/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts a page into tags, comments and text, by the rules that browsers share
 * (WHATWG HTML, 13.2.5), of which it needs few, since it builds no tree. Each
 * byte is looked at once: no token is ever looked for again from its start, and
 * no list of attributes is searched here. A tag, a comment or a script that has
 * no end reaches to the end of the page, as in a browser.
 *
 * libxml2's HTML parser was tried for this: what it did to mail stands in
 * docs/decisions/0005-parts-and-tags.md.
 */
#include "mail/html_tokens.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "mail/html_entity.h"

struct tokens {
    const struct nd_html_events *events;
    void *context;
    const char *end;
    char name[ND_HTML_MAX_NAME + 1]; /* of the tag read last */
    struct nd_html_attribute attributes[ND_HTML_MAX_ATTRIBUTES];
    size_t attribute_count;
};

static bool is_letter(char byte)
{
    return isalpha((unsigned char)byte) != 0;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' ||
           byte == '\f';
}

/* Text with its entities decoded. */
static void give_text(struct tokens *tokens, const char *text, const char *end)
{
    while (text < end) {
        const char *entity = memchr(text, '&', (size_t)(end - text));
        if (entity == NULL)
            entity = end;
        if (entity > text)
            tokens->events->text(tokens->context, text,
                                 (size_t)(entity - text));
        if (entity == end)
            return;
        char character[4];
        struct nd_html_entity found = nd_html_entity(
            (struct nd_span){entity, (size_t)(end - entity)}, false);
        size_t length = nd_html_entity_encode(&found, character);
        tokens->events->text(tokens->context, character, length);
        text = entity + found.source_bytes;
    }
}

/* Behind the next '>', or the page's end. */
static const char *behind_close(const struct tokens *tokens, const char *at)
{
    const char *close = memchr(at, '>', (size_t)(tokens->end - at));
    return close == NULL ? tokens->end : close + 1;
}

/* Behind the comment whose text begins at text. */
static const char *behind_comment(const struct tokens *tokens, const char *text)
{
    const char *end = tokens->end;
    const char *close = text;
    while ((close = memchr(close, '>', (size_t)(end - close))) != NULL) {
        size_t length = (size_t)(close - text);
        if (length == 0 || (length == 1 && text[0] == '-') ||
            (length >= 2 && close[-1] == '-' && close[-2] == '-') ||
            (length >= 3 && memcmp(close - 3, "--!", 3) == 0))
            return close + 1;
        close++;
    }
    return end;
}

/* What begins with "<!" or "<?", and is not shown. */
static const char *read_declaration(struct tokens *tokens, const char *at)
{
    if (tokens->end - at < 4 || memcmp(at, "<!--", 4) != 0)
        return behind_close(tokens, at);
    tokens->events->comment(tokens->context);
    return behind_comment(tokens, at + 4);
}

static const char *skip_blanks(const struct tokens *tokens, const char *at)
{
    while (at < tokens->end && is_blank(*at))
        at++;
    return at;
}

/* Reads a tag's name at at into name, in lower case. */
static const char *read_name(struct tokens *tokens, const char *at)
{
    size_t length = 0;
    for (; at < tokens->end && !is_blank(*at) && *at != '/' && *at != '>'; at++)
        if (length < ND_HTML_MAX_NAME)
            tokens->name[length++] = (char)tolower((unsigned char)*at);
    tokens->name[length] = '\0';
    return at;
}

/* Reads the value behind a '='. */
static const char *read_value(const struct tokens *tokens, const char *at,
                              struct nd_span *value)
{
    at = skip_blanks(tokens, at);
    const char *start = at;
    if (at < tokens->end && (*at == '"' || *at == '\'')) {
        const char *close = memchr(at + 1, *at, (size_t)(tokens->end - at - 1));
        if (close == NULL)
            return tokens->end;
        *value = (struct nd_span){start + 1, (size_t)(close - start - 1)};
        return close + 1;
    }
    while (at < tokens->end && !is_blank(*at) && *at != '>')
        at++;
    *value = (struct nd_span){start, (size_t)(at - start)};
    return at;
}

/* Reads one attribute at at, which is neither blank, '/' nor '>'. */
static const char *read_attribute(struct tokens *tokens, const char *at)
{
    struct nd_html_attribute attribute = {.name = {at, 0}, .value = {"", 0}};
    const char *name = at++; /* even a '=' may begin a name */
    while (at < tokens->end && !is_blank(*at) && *at != '/' && *at != '>' &&
           *at != '=')
        at++;
    attribute.name.length = (size_t)(at - name);
    const char *next = skip_blanks(tokens, at);
    if (next < tokens->end && *next == '=')
        at = read_value(tokens, next + 1, &attribute.value);
    if (tokens->attribute_count < ND_HTML_MAX_ATTRIBUTES)
        tokens->attributes[tokens->attribute_count++] = attribute;
    return at;
}

/* Reads attributes up to the tag's '>'; answers what is behind that, or NULL
 * where the page ends before. */
static const char *read_attributes(struct tokens *tokens, const char *at)
{
    tokens->attribute_count = 0;
    while (at < tokens->end) {
        if (*at == '>')
            return at + 1;
        if (is_blank(*at) || *at == '/')
            at++;
        else
            at = read_attribute(tokens, at);
    }
    return NULL;
}

/* Where "</name" begins at or after at; the page's end if nowhere. */
static const char *find_end_tag(const struct tokens *tokens, const char *at)
{
    size_t length = strlen(tokens->name);
    while ((at = memchr(at, '<', (size_t)(tokens->end - at))) != NULL) {
        size_t left = (size_t)(tokens->end - at);
        if (left > length + 2 && at[1] == '/' &&
            strncasecmp(at + 2, tokens->name, length) == 0 &&
            (is_blank(at[length + 2]) || at[length + 2] == '/' ||
             at[length + 2] == '>'))
            return at;
        at++;
    }
    return tokens->end;
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (**names == *name && strcmp(name, *names) == 0)
            return true;
    return false;
}

/* The content of some elements holds no tags, and of most of these no text
 * that is shown. */
static const char *read_raw_content(struct tokens *tokens, const char *at)
{
    static const char *const dropped[] = {"script",  "style",    "iframe",
                                          "noembed", "noframes", NULL};
    static const char *const given[] = {"title", "textarea", "xmp", NULL};
    bool gives = is_one_of(tokens->name, given);
    if (!gives && !is_one_of(tokens->name, dropped))
        return at;
    const char *stop = find_end_tag(tokens, at);
    if (gives)
        give_text(tokens, at, stop);
    return stop;
}

static const char *read_start_tag(struct tokens *tokens, const char *at)
{
    const char *next = read_attributes(tokens, read_name(tokens, at + 1));
    if (next == NULL)
        return tokens->end;
    struct nd_html_start tag = {.name = tokens->name,
                                .attributes = tokens->attributes,
                                .attribute_count = tokens->attribute_count};
    tokens->events->start(tokens->context, &tag);
    return read_raw_content(tokens, next);
}

static const char *read_end_tag(struct tokens *tokens, const char *at)
{
    const char *next = read_attributes(tokens, read_name(tokens, at + 2));
    if (next == NULL)
        return tokens->end;
    tokens->events->end(tokens->context, tokens->name);
    return next;
}

/* Reads what the '<' at at begins. */
static const char *read_markup(struct tokens *tokens, const char *at)
{
    size_t left = (size_t)(tokens->end - at);
    if (left >= 2 && is_letter(at[1]))
        return read_start_tag(tokens, at);
    if (left >= 3 && at[1] == '/' && is_letter(at[2]))
        return read_end_tag(tokens, at);
    if (left >= 2 && (at[1] == '!' || at[1] == '?'))
        return read_declaration(tokens, at);
    if (left >= 3 && at[1] == '/')
        return behind_close(tokens, at);
    tokens->events->text(tokens->context, at, 1);
    return at + 1;
}

void nd_html_tokens(struct nd_span html, const struct nd_html_events *events,
                    void *context)
{
    struct tokens tokens;
    tokens.events = events;
    tokens.context = context;
    tokens.end = html.data + html.length;
    const char *at = html.data;
    while (at < tokens.end) {
        const char *open = memchr(at, '<', (size_t)(tokens.end - at));
        give_text(&tokens, at, open == NULL ? tokens.end : open);
        if (open == NULL)
            return;
        at = read_markup(&tokens, open);
    }
}
