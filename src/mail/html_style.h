/* SPDX-License-Identifier: Apache-2.0
 *
 * As much of HTML's styles as it takes to tell hidden text from visible.
 */
#ifndef ND_MAIL_HTML_STYLE_H
#define ND_MAIL_HTML_STYLE_H

#include <stdbool.h>
#include <stdint.h>

/* How an element's text is shown; an element begins with its parent's. */
struct nd_html_style {
    bool hidden; /* display, visibility, size or opacity of nothing */
    bool background_unsure; /* an image, or a colour that is not understood */
    uint32_t color;         /* 0xrrggbb */
    uint32_t background;
};

/* Black on white. */
void nd_html_style_default(struct nd_html_style *style_r);

/* Applies one attribute of an element (both lower case where HTML ignores
 * case: the name; value may be NULL) to style: style, bgcolor, background,
 * color, text, hidden. Others change nothing. */
void nd_html_style_attribute(struct nd_html_style *style, const char *name,
                             const char *value);

/* Whether text in this style can be read. */
bool nd_html_style_visible(const struct nd_html_style *style);

#endif
