/* SPDX-License-Identifier: Apache-2.0
 *
 * HTML as a stream of events, in linear time for any input.
 */
#ifndef ND_MAIL_HTML_FEED_H
#define ND_MAIL_HTML_FEED_H

#include <stddef.h>

#include "mail/field.h"

/* Names are lower case; attributes is NULL, or pairs of name and value (a value
 * may be NULL) with a NULL behind them. All text is UTF-8, and valid only
 * during the call. */
struct nd_html_events {
    void (*start)(void *context, const char *name,
                  const char *const *attributes);
    void (*end)(void *context, const char *name);
    void (*text)(void *context, const char *text, size_t length);
    void (*comment)(void *context);
    /* Elements that are open will get no end. */
    void (*restart)(void *context);
};

/* Reads valid UTF-8 without NUL bytes. The content of <script> and <style> is
 * no text. At most 550 elements are open between two restarts. */
void nd_html_feed(struct nd_span html, const struct nd_html_events *events,
                  void *context);

#endif
