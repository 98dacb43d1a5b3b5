/* SPDX-License-Identifier: Apache-2.0
 *
 * HTML as a stream of tags and text.
 */
#ifndef ND_MAIL_HTML_TOKENS_H
#define ND_MAIL_HTML_TOKENS_H

#include <stddef.h>

#include "mail/field.h"

#define ND_HTML_MAX_NAME 40       /* bytes of a tag's name that are kept */
#define ND_HTML_MAX_ATTRIBUTES 64 /* of a tag that are kept */

/* As written: the name in any case of letters, the value with its entities and
 * without its quotes. Length 0 for a value that is missing. */
struct nd_html_attribute {
    struct nd_span name;
    struct nd_span value;
};

struct nd_html_start {
    const char *name; /* lower case */
    const struct nd_html_attribute *attributes;
    size_t attribute_count;
};

/* Called in order of the page. What they get is valid during the call only. */
struct nd_html_events {
    void (*start)(void *context, const struct nd_html_start *tag);
    void (*end)(void *context, const char *name); /* lower case */
    void (*text)(void *context, const char *text, size_t length);
    void (*comment)(void *context);
};

/* Reads a page of valid UTF-8. Text has its entities decoded and comes in any
 * number of pieces; that of <script>, <style> and the like does not come at
 * all. Takes time linear in the page's length and no memory. */
void nd_html_tokens(struct nd_span html, const struct nd_html_events *events,
                    void *context);

#endif
