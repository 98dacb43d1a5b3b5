/* SPDX-License-Identifier: Apache-2.0
 *
 * libxml2's HTML push parser, kept linear. Two of its loops are quadratic: an
 * end tag is looked for among all open elements, and an attribute among all
 * others of its tag. So the parser is fed in small pieces and looked at after
 * each: where too many elements are open it is replaced by a fresh one that
 * goes on at the same byte, and a tag that grows too many attributes is passed
 * over. The same way it goes on where the parser thinks that the page has
 * ended, since mail readers show what comes after </html>. Nothing here knows
 * what a tag means.
 *
 * Senders break words with "<!x>", which no reader shows but this libxml2
 * (2.9.14) takes for text: it is taken out in front of it.
 */
#include "mail/html_feed.h"

#include <string.h>
#include <strings.h>

#include <libxml/HTMLparser.h>

#include "base/buffer.h"

#define PIECE 1024         /* bytes fed at once: at most 342 tags */
#define MAX_OPEN 100       /* elements */
#define MAX_SEPARATORS 600 /* blanks and '=' in a tag longer than a piece */

/* The parser ends the page with its outermost element, so it gets one that no
 * sender closes by chance. */
#define WRAPPER "neurald-page"

struct feed {
    const struct nd_html_events *events;
    void *context;
    htmlParserCtxtPtr parser;
    const char *start; /* byte that this parser was begun with */
    size_t separators; /* in a tag that has not ended yet */
};

static void start_element(void *context, const xmlChar *name,
                          const xmlChar **attributes)
{
    struct feed *feed = context;
    if (strcmp((const char *)name, WRAPPER) != 0)
        feed->events->start(feed->context, (const char *)name,
                            (const char *const *)attributes);
}

static void end_element(void *context, const xmlChar *name)
{
    struct feed *feed = context;
    if (strcmp((const char *)name, WRAPPER) != 0)
        feed->events->end(feed->context, (const char *)name);
}

static void characters(void *context, const xmlChar *text, int length)
{
    struct feed *feed = context;
    feed->events->text(feed->context, (const char *)text, (size_t)length);
}

static void comment(void *context, const xmlChar *text)
{
    struct feed *feed = context;
    feed->events->comment(feed->context);
}

/* Content of script and style, which nobody sees. */
static void ignore_block(void *context, const xmlChar *text, int length)
{
}

static void begin_parser(struct feed *feed, const char *start)
{
    htmlSAXHandler handler = {
        .startElement = start_element,
        .endElement = end_element,
        .characters = characters,
        .ignorableWhitespace = characters,
        .cdataBlock = ignore_block,
        .comment = comment,
    };
    feed->parser = htmlCreatePushParserCtxt(&handler, feed, NULL, 0, NULL,
                                            XML_CHAR_ENCODING_UTF8);
    htmlCtxtUseOptions(feed->parser,
                       HTML_PARSE_RECOVER | HTML_PARSE_NOERROR |
                           HTML_PARSE_NOWARNING | HTML_PARSE_NONET |
                           HTML_PARSE_NOIMPLIED | HTML_PARSE_IGNORE_ENC |
                           HTML_PARSE_COMPACT);
    htmlParseChunk(feed->parser, "<" WRAPPER ">", sizeof WRAPPER + 1, 0);
    feed->start = start;
    feed->separators = 0;
}

static void end_parser(struct feed *feed)
{
    htmlFreeParserCtxt(feed->parser);
    feed->parser = NULL;
}

/* The first byte that the parser has not used. */
static const char *unused(const struct feed *feed, const char *fed)
{
    long used = xmlByteConsumed(feed->parser) - (long)sizeof WRAPPER - 1;
    if (used < 0 || used > fed - feed->start)
        return fed;
    return feed->start + used;
}

static void restart(struct feed *feed, const char *start)
{
    end_parser(feed);
    feed->events->restart(feed->context);
    begin_parser(feed, start);
}

static size_t count_separators(const char *data, const char *end)
{
    size_t count = 0;
    for (; data < end; data++)
        count += (unsigned char)*data <= ' ' || *data == '=';
    return count;
}

/* Whether the parser waits for the end of a tag that has grown too much. */
static bool is_overgrown(struct feed *feed, const char *tag, const char *piece,
                         const char *fed)
{
    bool waits =
        tag < piece && tag[0] == '<' &&
        ((tag[1] >= 'a' && tag[1] <= 'z') || (tag[1] >= 'A' && tag[1] <= 'Z'));
    if (!waits) {
        feed->separators = 0;
        return false;
    }
    feed->separators += count_separators(piece, fed);
    return feed->separators > MAX_SEPARATORS;
}

/* Whether the parser thinks that it has seen the whole page. */
static bool has_ended(htmlParserCtxtPtr parser)
{
    return parser->instate == XML_PARSER_EPILOG ||
           parser->instate == XML_PARSER_EOF;
}

/* Feeds one piece; answers the byte to go on with. */
static const char *feed_piece(struct feed *feed, const char *piece,
                              const char *end)
{
    size_t length = (size_t)(end - piece);
    if (length > PIECE)
        length = PIECE;
    const char *fed = piece + length;
    htmlParseChunk(feed->parser, piece, (int)length, 0);
    if (has_ended(feed->parser) || feed->parser->nameNr > MAX_OPEN) {
        const char *next = unused(feed, fed);
        if (next == feed->start) /* no parser would get any further */
            next = fed;
        restart(feed, next);
        return next;
    }
    if (is_overgrown(feed, unused(feed, fed), piece, fed)) {
        const char *close = memchr(fed, '>', (size_t)(end - fed));
        fed = close == NULL ? end : close + 1;
        restart(feed, fed);
    }
    return fed;
}

/* Whether the "<!...>" from at to close (its '>') is one that browsers hide and
 * libxml2 shows: no comment, no document type, and not the end of a conditional
 * comment, whose "-->" is needed. */
static bool is_bogus_comment(const char *at, const char *close)
{
    if (at[2] == '-' || (close[-1] == '-' && close[-2] == '-'))
        return false;
    return close - at < 9 || strncasecmp(at + 2, "doctype", 7) != 0;
}

/* Takes bogus comments out; the result is html itself where there are none,
 * else in buffer. */
static struct nd_span without_bogus_comments(struct nd_span html,
                                             struct nd_buffer *buffer)
{
    const char *end = html.data + html.length;
    const char *kept = html.data; /* all before it is in buffer */
    const char *at = html.data;
    while ((at = memchr(at, '!', (size_t)(end - at))) != NULL) {
        if (at == kept || at[-1] != '<') {
            at++;
            continue;
        }
        const char *open = at - 1;
        const char *close = memchr(at, '>', (size_t)(end - at));
        if (close == NULL)
            break;
        if (is_bogus_comment(open, close)) {
            nd_buffer_append(buffer, kept, (size_t)(open - kept));
            kept = close + 1;
        }
        at = close + 1;
    }
    if (kept == html.data)
        return html;
    nd_buffer_append(buffer, kept, (size_t)(end - kept));
    return (struct nd_span){(const char *)buffer->data, buffer->length};
}

static void feed_all(struct nd_span html, const struct nd_html_events *events,
                     void *context)
{
    struct feed feed = {.events = events, .context = context};
    const char *end = html.data + html.length;
    const char *at = html.data;
    begin_parser(&feed, at);
    while (at < end)
        at = feed_piece(&feed, at, end);
    htmlParseChunk(feed.parser, "", 0, 1);
    end_parser(&feed);
}

void nd_html_feed(struct nd_span html, const struct nd_html_events *events,
                  void *context)
{
    struct nd_buffer buffer = {0};
    feed_all(without_bogus_comments(html, &buffer), events, context);
    nd_buffer_free(&buffer);
}
