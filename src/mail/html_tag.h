/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of HTML's tags, in one table.
 */
#ifndef ND_MAIL_HTML_TAG_H
#define ND_MAIL_HTML_TAG_H

#include <stddef.h>

#include "mail/message.h"

enum nd_html_flags {
    ND_HTML_BLOCK = 1,   /* stands on lines of its own */
    ND_HTML_CELL = 2,    /* a blank apart from its neighbours */
    ND_HTML_SILENT = 4,  /* its content is never shown */
    ND_HTML_VOID = 8,    /* has no content and no end tag */
    ND_HTML_REPEATS = 16 /* ends an open one of its kind, as <li> does */
};

struct nd_html_tag {
    const char *name; /* lower case */
    unsigned flags;
    size_t counter; /* offset of its uint32_t in struct nd_html_facts, or
                       ND_HTML_NO_COUNTER */
};
#define ND_HTML_NO_COUNTER SIZE_MAX

/* NULL for a name (lower case) that is no tag of HTML. */
const struct nd_html_tag *nd_html_tag_find(const char *name);

#endif
