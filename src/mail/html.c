/* SPDX-License-Identifier: Apache-2.0
 *
 * What each tag and each piece of text of an HTML part means to us. The events
 * come from html_feed.c; a stack of styles follows them, so that text is told
 * visible from hidden, and links are matched with the words that they show.
 * It builds no tree and draws nothing.
 */
#include "mail/html.h"

#include <string.h>
#include <strings.h>

#include "mail/html_feed.h"
#include "mail/html_style.h"
#include "mail/html_tag.h"

#define TOKEN_SLOTS 1024 /* a power of two above ND_HTML_MAX_TOKENS */
#define MAX_FRAMES 600   /* above what html_feed.c lets nest */
#define MAX_TOKEN 80
#define MAX_URL 2048

/* An open element. */
struct frame {
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

/* FNV-1a, 32 bits; the table is small and its fill bounded. */
static uint32_t hash(const char *data, size_t length)
{
    uint32_t value = 2166136261U;
    for (size_t i = 0; i < length; i++)
        value = (value ^ (uint8_t)data[i]) * 16777619U;
    return value;
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
    uint32_t slot = hash(token, length) % TOKEN_SLOTS;
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
static void add_tokens(struct nd_html *html, const char *tag,
                       const char *const *attributes)
{
    char token[MAX_TOKEN + 1];
    size_t length = strlen(tag);
    if (length > MAX_TOKEN / 2)
        length = MAX_TOKEN / 2;
    memcpy(token, tag, length);
    add_token(html, token, length);
    token[length++] = ' ';
    for (; attributes != NULL && *attributes != NULL; attributes += 2) {
        size_t extra = strlen(*attributes);
        if (extra > MAX_TOKEN - length)
            extra = MAX_TOKEN - length;
        memcpy(token + length, *attributes, extra);
        add_token(html, token, length + extra);
    }
}

static const char *attribute(const char *const *attributes, const char *name)
{
    for (; attributes != NULL && *attributes != NULL; attributes += 2)
        if (strcmp(attributes[0], name) == 0)
            return attributes[1];
    return NULL;
}

/* Whether a link leads to another machine. */
static bool is_remote(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 ||
           strncasecmp(url, "https://", 8) == 0 ||
           strncasecmp(url, "ftp://", 6) == 0 || strncmp(url, "//", 2) == 0;
}

/* A copy without white space and control characters, as browsers read it;
 * answers its length. */
static size_t clean_url(const char *url, char *clean_r)
{
    size_t length = 0;
    for (; *url != '\0' && length < MAX_URL; url++)
        if ((unsigned char)*url > ' ' && *url != 127)
            clean_r[length++] = *url;
    while (length > 0 && ((unsigned char)*url & 0xc0) == 0x80 &&
           ((unsigned char)clean_r[length - 1] & 0x80) != 0)
        url = &clean_r[--length];
    clean_r[length] = '\0';
    return length;
}

/* Adds what an attribute leads to. True if it is remote; added_r (may be NULL)
 * gets the entry, NULL if there was no room. */
static bool add_url(struct nd_html *html, const char *url, bool is_image,
                    struct nd_url **added_r)
{
    char clean[MAX_URL + 1];
    if (url == NULL)
        return false;
    size_t length = clean_url(url, clean);
    if (!is_remote(clean))
        return false;
    struct nd_url *added = nd_urls_add(html->urls, clean, length);
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

static void open_link(struct reading *reading, const char *target)
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
static void add_links(struct nd_html *html, const char *tag,
                      const char *const *attributes)
{
    if (strcmp(tag, "img") == 0 || strcmp(tag, "input") == 0) {
        if (add_url(html, attribute(attributes, "src"), true, NULL))
            html->facts.remote_images++;
    } else if (strcmp(tag, "area") == 0) {
        html->facts.links++;
        add_url(html, attribute(attributes, "href"), false, NULL);
    } else if (strcmp(tag, "form") == 0) {
        add_url(html, attribute(attributes, "action"), false, NULL);
    } else if (strcmp(tag, "iframe") == 0 || strcmp(tag, "frame") == 0) {
        add_url(html, attribute(attributes, "src"), false, NULL);
    }
    if (add_url(html, attribute(attributes, "background"), true, NULL))
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

static void push_frame(struct reading *reading, const struct nd_html_tag *tag,
                       const char *const *attributes)
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
    if (tag != NULL && (tag->flags & ND_HTML_SILENT) != 0)
        frame->silent = true;
    for (; attributes != NULL && *attributes != NULL; attributes += 2)
        nd_html_style_attribute(&frame->style, attributes[0], attributes[1]);
}

static void pop_frame(struct reading *reading)
{
    if (reading->depth > 0)
        reading->depth--;
    if (reading->excess > 0)
        reading->excess--;
    else if (reading->frame_count > 1)
        reading->frame_count--;
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

static void on_start(void *context, const char *name,
                     const char *const *attributes)
{
    struct reading *reading = context;
    struct nd_html *html = reading->html;
    const struct nd_html_tag *tag = nd_html_tag_find(name);
    count_tag(&html->facts, tag);
    add_tokens(html, name, attributes);
    push_frame(reading, tag, attributes);
    separate(reading, tag);
    if (strcmp(name, "a") == 0)
        open_link(reading, attribute(attributes, "href"));
    else if (attributes != NULL)
        add_links(html, name, attributes);
}

static void on_end(void *context, const char *name)
{
    struct reading *reading = context;
    if (strcmp(name, "a") == 0)
        close_link(reading);
    separate(reading, nd_html_tag_find(name));
    pop_frame(reading);
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

/* The parser was begun anew: elements that were open will not be closed. */
static void on_restart(void *context)
{
    struct reading *reading = context;
    reading->frames[0] = reading->frames[reading->frame_count - 1];
    reading->frame_count = 1;
    reading->excess = 0;
    close_link(reading);
}

void nd_html_read(struct nd_html *html, struct nd_span part)
{
    static const struct nd_html_events events = {
        .start = on_start,
        .end = on_end,
        .text = on_text,
        .comment = on_comment,
        .restart = on_restart,
    };
    struct reading reading = {
        .html = html, .frame_count = 1, .scanned = html->text->length};
    nd_html_style_default(&reading.frames[0].style);
    if (html->token_slots == NULL)
        take_token_memory(html);
    nd_html_feed(part, &events, &reading);
    close_link(&reading);
    scan_text(&reading);
    nd_text_break(html->text);
    html->facts.markup_bytes += part.length > reading.shown_bytes
                                    ? part.length - reading.shown_bytes
                                    : 0;
}
