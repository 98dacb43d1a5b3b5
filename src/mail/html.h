/* SPDX-License-Identifier: Apache-2.0
 *
 * HTML to visible text, links and facts.
 */
#ifndef ND_MAIL_HTML_H
#define ND_MAIL_HTML_H

#include "mail/field.h"
#include "mail/message.h"
#include "mail/text.h"

#define ND_HTML_MAX_TOKENS 500

/* What one message's HTML parts add up to. */
struct nd_html {
    struct nd_html_facts facts; /* tokens: nd_html_end sets them */
    struct nd_text *tokens;
    uint16_t *token_slots; /* open addressing: index + 1 into tokens */
    struct nd_text_builder *text;
    struct nd_url_list *urls;
    struct nd_arena *arena;
};

/* text and urls get what is visible and what is linked; all memory is the
 * arena's. Takes none before the first read. */
void nd_html_begin(struct nd_html *html, struct nd_text_builder *text,
                   struct nd_url_list *urls, struct nd_arena *arena);

/* Reads one part: valid UTF-8 without NUL bytes. Takes time linear in its
 * length, whatever it holds. */
void nd_html_read(struct nd_html *html, struct nd_span part);

/* What all parts read add up to. */
struct nd_html_facts nd_html_end(const struct nd_html *html);

#endif
