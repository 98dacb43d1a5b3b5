/* SPDX-License-Identifier: Apache-2.0
 *
 * Text as features see it: code points, folded so that the same word written
 * in another case, width or with invisible characters between its letters is
 * the same word. No locale, no tables from outside: a fold never changes, or
 * every stored sample would lose its meaning.
 */
#ifndef ND_FEATURES_UNICODE_H
#define ND_FEATURES_UNICODE_H

#include <stddef.h>
#include <stdint.h>

enum nd_char_class {
    ND_CHAR_IGNORED, /* soft hyphens, zero-width characters */
    ND_CHAR_BLANK,
    ND_CHAR_LETTER,
    ND_CHAR_DIGIT,
    ND_CHAR_IDEOGRAPH, /* Han: a word of its own */
    ND_CHAR_OTHER,
};

/* The code point at *cursor, which moves on by at least one byte and never
 * past end. Requires *cursor < end. A byte that starts no valid sequence is
 * U+FFFD. */
uint32_t nd_next_code(const char **cursor, const char *end);

/* Each ASCII character folded, as nd_fold would, and the class of that. */
extern const char nd_folded_ascii[129];
extern const unsigned char nd_ascii_classes[128];

/* Lower case for Latin, Greek and Cyrillic, ASCII for full-width forms, '0'
 * for every digit, ' ' for every blank; other code points as they are. */
uint32_t nd_fold(uint32_t code);

/* The class of a folded code point. */
enum nd_char_class nd_char_class(uint32_t folded);

/* nd_next_code, nd_fold and nd_char_class in one, quick for ASCII. */
static inline uint32_t nd_next_folded(const char **cursor, const char *end,
                                      enum nd_char_class *class_r)
{
    unsigned char byte = (unsigned char)**cursor;
    if (byte < 0x80) {
        (*cursor)++;
        *class_r = (enum nd_char_class)nd_ascii_classes[byte];
        return (unsigned char)nd_folded_ascii[byte];
    }
    uint32_t folded = nd_fold(nd_next_code(cursor, end));
    *class_r = nd_char_class(folded);
    return folded;
}

#endif
