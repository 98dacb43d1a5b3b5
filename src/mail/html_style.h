/* SPDX-License-Identifier: Apache-2.0
 *
 * As much of HTML's styles as it takes to tell hidden text from visible.
 */
#ifndef ND_MAIL_HTML_STYLE_H
#define ND_MAIL_HTML_STYLE_H

#include <stdbool.h>
#include <stdint.h>

#include "mail/field.h"

/* How an element's text is shown; an element begins with its parent's. */
struct nd_html_style {
    bool hidden; /* display, visibility, size or opacity of nothing */
    bool background_unsure; /* an image, or a colour that is not understood */
    uint32_t color;         /* 0xrrggbb */
    uint32_t background;
};

/* Black on white. */
void nd_html_style_default(struct nd_html_style *style_r);

/* The attributes that say how text is shown. */
enum nd_html_property {
    ND_HTML_NO_PROPERTY,
    ND_HTML_STYLE,
    ND_HTML_BACKGROUND_COLOR, /* bgcolor */
    ND_HTML_BACKGROUND,       /* an image */
    ND_HTML_COLOR,            /* color, and text of <body> */
    ND_HTML_HIDDEN,
};

/* Which of them an attribute is, by its name in any case of letters. */
enum nd_html_property nd_html_property(struct nd_span name);

/* Applies an attribute, its entities decoded, to its element's style. */
void nd_html_style_apply(struct nd_html_style *style,
                         enum nd_html_property property, const char *value);

/* Whether text in this style can be read. */
bool nd_html_style_visible(const struct nd_html_style *style);

#endif
