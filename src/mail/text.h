/* SPDX-License-Identifier: Apache-2.0
 *
 * The visible text of a message as it grows, part by part, and the links that
 * stand in it.
 */
#ifndef ND_MAIL_TEXT_H
#define ND_MAIL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "mail/field.h"
#include "mail/message.h"

/* Text with its white space folded: a run of it is one line end if it holds
 * one, else one blank; none at either end. What passes the limit is counted,
 * not kept. */
struct nd_text_builder {
    char *data;
    size_t length;
    size_t capacity;
    size_t dropped;
    char pending; /* white space owed before the next word, or 0 */
};

/* limit bytes of the arena's memory, and one for the NUL. */
void nd_text_begin(struct nd_text_builder *text, size_t limit,
                   struct nd_arena *arena);
/* Appends valid UTF-8; answers how many bytes were not white space. Whether a
 * line end in data is one in the text is for lines to say: in HTML it is a
 * blank. */
size_t nd_text_append(struct nd_text_builder *text, const char *data,
                      size_t length, bool lines);
/* A line end, or a blank, before whatever comes next. */
void nd_text_break(struct nd_text_builder *text);
void nd_text_blank(struct nd_text_builder *text);
struct nd_text nd_text_end(struct nd_text_builder *text);

/* Links as they are met, at most limit; the rest is counted in cut. */
struct nd_url_list {
    struct nd_url *urls;
    size_t count;
    size_t limit;
    size_t capacity;
    uint32_t cut;
    struct nd_arena *arena;
};
void nd_urls_begin(struct nd_url_list *list, size_t limit,
                   struct nd_arena *arena);
/* A new entry with a copy of the URL; NULL where the list is full. */
struct nd_url *nd_urls_add(struct nd_url_list *list, const char *url,
                           size_t length);
/* Adds the links that stand in visible text: http://, https://, ftp://, and
 * words that begin with "www.". */
void nd_urls_scan(struct nd_url_list *list, const char *data, size_t length);

/* The host of a URL, or of a text that begins like one ("www.example.org/x");
 * without user, port and a final dot. Length 0 where there is none. */
struct nd_span nd_url_host(const char *url, size_t length);
/* Whether visible text names a host and it is not the target's: neither is the
 * other nor a domain above it, a leading "www." apart. */
bool nd_url_text_differs(struct nd_span text, struct nd_span target);

#endif
