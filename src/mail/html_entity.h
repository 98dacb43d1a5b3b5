/* SPDX-License-Identifier: Apache-2.0
 *
 * Character references of HTML: "&amp;", "&#65;", "&#x41;".
 */
#ifndef ND_MAIL_HTML_ENTITY_H
#define ND_MAIL_HTML_ENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/field.h"

struct nd_html_entity {
    uint32_t code_point;
    size_t source_bytes; /* how long the reference is */
};

/* The reference that text, which begins with '&', begins with; the '&' itself
 * where it is none. In an attribute's value a name needs its semicolon, since
 * "&copy=1" is part of a link there. */
struct nd_html_entity nd_html_entity(struct nd_span text, bool in_attribute);

/* Writes it as UTF-8; answers how many of the 4 bytes. Control characters and
 * what is no character become U+FFFD, line ends and tabs a blank. */
size_t nd_html_entity_encode(const struct nd_html_entity *entity,
                             char bytes_r[4]);

/* Decodes an attribute's value into text_r, of size bytes with its NUL, as far
 * as whole characters fit; answers its length. */
size_t nd_html_decode_value(struct nd_span value, char *text_r, size_t size);

#endif
