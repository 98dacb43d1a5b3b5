/* SPDX-License-Identifier: Apache-2.0
 *
 * What each tag and each piece of text of an HTML part mean to us. They come
 * from html_tokens.c; a stack of styles follows them, so that text is told
 * visible from hidden, and links are matched with the words that they show.
 * It builds no tree and draws nothing.
 */
#include "mail/html.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "mail/decode.h"
#include "mail/fnv.h"
#include "mail/html_entity.h"
#include "mail/html_style.h"
#include "mail/html_tag.h"
#include "mail/html_tokens.h"

#define TOKEN_SLOTS 1024 /* a power of two above ND_HTML_MAX_TOKENS */
#define MAX_FRAMES 512   /* open elements whose style is known */
#define MAX_SEARCH 64    /* of these, how many an end tag looks through */
#define MAX_TOKEN 80
#define MAX_VALUE 2048 /* bytes of an attribute's value */

/* An open element. */
struct frame {
    uint32_t name;                 /* its hash */
    const struct nd_html_tag *tag; /* NULL for one that HTML does not know */
    struct nd_html_style style;
    bool silent;
};

struct reading {
    struct nd_html *html;
    struct frame frames[MAX_FRAMES];
    size_t frame_count; /* at least 1: the page itself */
    size_t excess;      /* open elements that found no frame */
    uint32_t depth;
    size_t shown_bytes;  /* of text, markup left out */
    struct nd_url *link; /* the link that is open, or NULL */
    bool in_link;        /* an element "a" is open */
    size_t link_text;    /* where its text begins */
    size_t scanned;      /* text up to here was searched for links */
};

void nd_html_begin(struct nd_html *html, struct nd_text_builder *text,
                   struct nd_url_list *urls, struct nd_arena *arena)
{
    *html = (struct nd_html){.text = text, .urls = urls, .arena = arena};
}

struct nd_html_facts nd_html_end(const struct nd_html *html)
{
    struct nd_html_facts facts = html->facts;
    facts.tokens = html->tokens;
    return facts;
}

static void take_token_memory(struct nd_html *html)
{
    size_t bytes = TOKEN_SLOTS * sizeof *html->token_slots;
    html->token_slots = nd_arena_take(html->arena, bytes);
    memset(html->token_slots, 0, bytes);
    html->tokens =
        nd_arena_take(html->arena, ND_HTML_MAX_TOKENS * sizeof *html->tokens);
}

static void add_token(struct nd_html *html, const char *token, size_t length)
{
    size_t count = html->facts.token_count;
    if (count == ND_HTML_MAX_TOKENS)
        return;
    uint32_t slot = nd_fnv(token, length) % TOKEN_SLOTS;
    for (; html->token_slots[slot] != 0; slot = (slot + 1) % TOKEN_SLOTS) {
        struct nd_text *known = &html->tokens[html->token_slots[slot] - 1];
        if (known->length == length && memcmp(known->data, token, length) == 0)
            return;
    }
    html->token_slots[slot] = (uint16_t)(count + 1);
    html->tokens[count] =
        (struct nd_text){nd_arena_strndup(html->arena, token, length), length};
    html->facts.token_count++;
}

/* "tag", and "tag attribute" for each of its attributes. */
static void add_tokens(struct nd_html *html, const struct nd_html_start *tag)
{
    char token[MAX_TOKEN + 1];
    size_t length = strlen(tag->name);
    memcpy(token, tag->name, length);
    add_token(html, token, length);
    token[length++] = ' ';
    for (size_t i = 0; i < tag->attribute_count; i++) {
        struct nd_span name = tag->attributes[i].name;
        size_t end = length;
        for (size_t k = 0; k < name.length && end < MAX_TOKEN; k++)
            token[end++] = (char)tolower((unsigned char)name.data[k]);
        while (end > length && !nd_is_utf8(token, end))
            end--;
        add_token(html, token, end);
    }
}

static bool is_called(const struct nd_html_attribute *attribute,
                      const char *name)
{
    return attribute->name.length == strlen(name) &&
           strncasecmp(attribute->name.data, name, attribute->name.length) == 0;
}

/* The value of the first attribute of this name; NULL if there is none. */
static const struct nd_span *find_value(const struct nd_html_start *tag,
                                        const char *name)
{
    for (size_t i = 0; i < tag->attribute_count; i++)
        if (is_called(&tag->attributes[i], name))
            return &tag->attributes[i].value;
    return NULL;
}

/* Whether a link leads to another machine. */
static bool is_remote(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 ||
           strncasecmp(url, "https://", 8) == 0 ||
           strncasecmp(url, "ftp://", 6) == 0 || strncmp(url, "//", 2) == 0;
}

/* Takes white space and control characters out, as browsers do; answers the
 * length. */
static size_t clean_url(char *url)
{
    size_t length = 0;
    for (const char *at = url; *at != '\0'; at++)
        if ((unsigned char)*at > ' ' && *at != 127)
            url[length++] = *at;
    url[length] = '\0';
    return length;
}

/* Adds what an attribute leads to. True if it is remote; added_r (may be NULL)
 * gets the entry, NULL if there was no room. */
static bool add_url(struct nd_html *html, const struct nd_span *value,
                    bool is_image, struct nd_url **added_r)
{
    char url[MAX_VALUE];
    if (value == NULL)
        return false;
    nd_html_decode_value(*value, url, sizeof url);
    size_t length = clean_url(url);
    if (!is_remote(url))
        return false;
    struct nd_url *added = nd_urls_add(html->urls, url, length);
    if (added != NULL) {
        added->from_html = true;
        added->is_image = is_image;
    }
    if (added_r != NULL)
        *added_r = added;
    return true;
}

/* Links in the visible text outside of <a>. */
static void scan_text(struct reading *reading)
{
    struct nd_text_builder *text = reading->html->text;
    nd_urls_scan(reading->html->urls, text->data + reading->scanned,
                 text->length - reading->scanned);
    reading->scanned = text->length;
}

static void close_link(struct reading *reading)
{
    struct nd_text_builder *text = reading->html->text;
    if (!reading->in_link)
        return;
    size_t start = reading->link_text;
    while (start < text->length && (unsigned char)text->data[start] <= ' ')
        start++;
    if (reading->link != NULL)
        reading->link->text_differs = nd_url_text_differs(
            (struct nd_span){text->data + start, text->length - start},
            (struct nd_span){reading->link->url.data,
                             reading->link->url.length});
    if (reading->link != NULL)
        reading->scanned = text->length;
    reading->in_link = false;
    reading->link = NULL;
}

static void open_link(struct reading *reading, const struct nd_span *target)
{
    close_link(reading);
    scan_text(reading);
    struct nd_url *added = NULL;
    if (target != NULL)
        reading->html->facts.links++;
    add_url(reading->html, target, false, &added);
    reading->in_link = true;
    reading->link = added;
    reading->link_text = reading->html->text->length;
}

/* The links of elements other than <a>. */
static void add_links(struct nd_html *html, const struct nd_html_start *tag)
{
    const char *name = tag->name;
    if (strcmp(name, "img") == 0 || strcmp(name, "input") == 0) {
        if (add_url(html, find_value(tag, "src"), true, NULL))
            html->facts.remote_images++;
    } else if (strcmp(name, "area") == 0) {
        html->facts.links++;
        add_url(html, find_value(tag, "href"), false, NULL);
    } else if (strcmp(name, "form") == 0) {
        add_url(html, find_value(tag, "action"), false, NULL);
    } else if (strcmp(name, "iframe") == 0 || strcmp(name, "frame") == 0) {
        add_url(html, find_value(tag, "src"), false, NULL);
    }
    if (add_url(html, find_value(tag, "background"), true, NULL))
        html->facts.remote_images++;
}

static void count_tag(struct nd_html_facts *facts,
                      const struct nd_html_tag *tag)
{
    facts->tags++;
    if (tag == NULL)
        facts->unknown_tags++;
    else if (tag->counter != ND_HTML_NO_COUNTER)
        (*(uint32_t *)((char *)facts + tag->counter))++;
}

static void apply_styles(struct nd_html_style *style,
                         const struct nd_html_start *tag)
{
    char value[MAX_VALUE];
    for (size_t i = 0; i < tag->attribute_count; i++) {
        const struct nd_html_attribute *attribute = &tag->attributes[i];
        enum nd_html_property property = nd_html_property(attribute->name);
        if (property == ND_HTML_NO_PROPERTY)
            continue;
        nd_html_decode_value(attribute->value, value, sizeof value);
        nd_html_style_apply(style, property, value);
    }
}

static void push_frame(struct reading *reading, const struct nd_html_tag *known,
                       const struct nd_html_start *tag)
{
    struct nd_html_facts *facts = &reading->html->facts;
    reading->depth++;
    if (reading->depth > facts->max_depth)
        facts->max_depth = reading->depth;
    if (reading->frame_count == MAX_FRAMES) {
        reading->excess++;
        return;
    }
    struct frame *frame = &reading->frames[reading->frame_count++];
    *frame = frame[-1];
    frame->name = nd_fnv(tag->name, strlen(tag->name));
    frame->tag = known;
    if (known != NULL && (known->flags & ND_HTML_SILENT) != 0)
        frame->silent = true;
    apply_styles(&frame->style, tag);
}

static void pop_frames(struct reading *reading, size_t count)
{
    reading->depth -= (uint32_t)(reading->frame_count - count);
    reading->frame_count = count;
}

/* Ends the innermost open element of this name, and what is open in it; an end
 * tag without a start ends nothing. */
static void close_element(struct reading *reading, const char *name)
{
    uint32_t wanted = nd_fnv(name, strlen(name));
    if (reading->excess > 0) {
        reading->excess--;
        reading->depth--;
        return;
    }
    size_t stop = reading->frame_count > MAX_SEARCH
                      ? reading->frame_count - MAX_SEARCH
                      : 1;
    for (size_t i = reading->frame_count; i-- > stop;)
        if (reading->frames[i].name == wanted) {
            pop_frames(reading, i);
            return;
        }
}

/* Whether an open element keeps a new <p>, <li>, <td> inside of it from ending
 * one outside of it. */
static bool shields(const struct nd_html_tag *open,
                    const struct nd_html_tag *new_tag)
{
    if (open == NULL)
        return false;
    if (strcmp(open->name, "table") == 0)
        return true;
    if ((new_tag->flags & ND_HTML_CELL) != 0)
        return strcmp(open->name, "tr") == 0;
    if (strcmp(new_tag->name, "li") == 0)
        return strcmp(open->name, "ul") == 0 || strcmp(open->name, "ol") == 0;
    if (strcmp(new_tag->name, "p") == 0)
        return (open->flags & (ND_HTML_BLOCK | ND_HTML_CELL)) != 0;
    return false;
}

/* Ends the open element that a new one of the same name ends. */
static void close_repeated(struct reading *reading,
                           const struct nd_html_tag *tag)
{
    if (reading->excess > 0)
        return;
    size_t stop = reading->frame_count > MAX_SEARCH
                      ? reading->frame_count - MAX_SEARCH
                      : 1;
    for (size_t i = reading->frame_count; i-- > stop;) {
        const struct nd_html_tag *open = reading->frames[i].tag;
        if (open == tag) {
            pop_frames(reading, i);
            return;
        }
        if (shields(open, tag))
            return;
    }
}

static void separate(struct reading *reading, const struct nd_html_tag *tag)
{
    if (tag == NULL)
        return;
    if ((tag->flags & ND_HTML_BLOCK) != 0)
        nd_text_break(reading->html->text);
    else if ((tag->flags & ND_HTML_CELL) != 0)
        nd_text_blank(reading->html->text);
}

static void on_start(void *context, const struct nd_html_start *tag)
{
    struct reading *reading = context;
    struct nd_html *html = reading->html;
    const struct nd_html_tag *known = nd_html_tag_find(tag->name);
    count_tag(&html->facts, known);
    add_tokens(html, tag);
    separate(reading, known);
    if (known != NULL && (known->flags & ND_HTML_REPEATS) != 0)
        close_repeated(reading, known);
    if (known == NULL || (known->flags & ND_HTML_VOID) == 0)
        push_frame(reading, known, tag);
    if (strcmp(tag->name, "a") == 0)
        open_link(reading, find_value(tag, "href"));
    else if (tag->attribute_count > 0)
        add_links(html, tag);
}

static void on_end(void *context, const char *name)
{
    struct reading *reading = context;
    const struct nd_html_tag *known = nd_html_tag_find(name);
    if (strcmp(name, "a") == 0)
        close_link(reading);
    separate(reading, known);
    if (known == NULL || (known->flags & ND_HTML_VOID) == 0)
        close_element(reading, name);
}

static size_t count_words(const char *text, size_t length)
{
    size_t bytes = 0;
    for (size_t i = 0; i < length; i++)
        bytes += (unsigned char)text[i] > ' ';
    return bytes;
}

static void on_text(void *context, const char *text, size_t length)
{
    struct reading *reading = context;
    struct nd_html *html = reading->html;
    const struct frame *frame = &reading->frames[reading->frame_count - 1];
    if (frame->silent)
        return;
    reading->shown_bytes += length;
    if (nd_html_style_visible(&frame->style))
        html->facts.visible_chars +=
            nd_text_append(html->text, text, length, false);
    else
        html->facts.hidden_chars += count_words(text, length);
}

static void on_comment(void *context)
{
    struct reading *reading = context;
    reading->html->facts.comments++;
}

void nd_html_read(struct nd_html *html, struct nd_span part)
{
    static const struct nd_html_events events = {
        .start = on_start,
        .end = on_end,
        .text = on_text,
        .comment = on_comment,
    };
    struct reading reading = {
        .html = html, .frame_count = 1, .scanned = html->text->length};
    nd_html_style_default(&reading.frames[0].style);
    if (html->token_slots == NULL)
        take_token_memory(html);
    nd_html_tokens(part, &events, &reading);
    close_link(&reading);
    scan_text(&reading);
    nd_text_break(html->text);
    html->facts.markup_bytes += part.length > reading.shown_bytes
                                    ? part.length - reading.shown_bytes
                                    : 0;
}
