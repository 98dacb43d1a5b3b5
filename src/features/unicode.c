/* SPDX-License-Identifier: Apache-2.0
 *
 * Folding of text for features. ASCII goes through two tables, the rest
 * through ranges of the scripts that have case. It is no full Unicode case
 * folding and must not become one: what it answers is part of the meaning of
 * every stored sample.
 */
#include "features/unicode.h"

#include <stdbool.h>

#include "base/utf8.h"

#define REPLACEMENT 0xFFFDU

const char nd_folded_ascii[129] = "                                "
                                  " !\"#$%&'()*+,-./0000000000:;<=>?"
                                  "@abcdefghijklmnopqrstuvwxyz[\\]^_"
                                  "`abcdefghijklmnopqrstuvwxyz{|}~ ";

const unsigned char nd_ascii_classes[128] = {
    [0 ... ' '] = ND_CHAR_BLANK,    ['!' ... '/'] = ND_CHAR_OTHER,
    ['0' ... '9'] = ND_CHAR_DIGIT,  [':' ... '@'] = ND_CHAR_OTHER,
    ['A' ... 'Z'] = ND_CHAR_LETTER, ['[' ... '`'] = ND_CHAR_OTHER,
    ['a' ... 'z'] = ND_CHAR_LETTER, ['{' ... '~'] = ND_CHAR_OTHER,
    [127] = ND_CHAR_BLANK,
};

struct range {
    uint32_t first, last;
};

static bool within(uint32_t code, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (code <= ranges[i].last) {
            return code >= ranges[i].first;
        }
    }
    return false;
}

uint32_t nd_next_code(const char **cursor, const char *end)
{
    unsigned char byte = (unsigned char)**cursor;
    if (byte < 0x80) {
        (*cursor)++;
        return byte;
    }
    uint32_t code = REPLACEMENT;
    size_t length = nd_utf8_decode(*cursor, (size_t)(end - *cursor), &code);
    *cursor += length > 0 ? length : 1;
    return code;
}

static uint32_t fold_ascii(uint32_t code)
{
    return (unsigned char)nd_folded_ascii[code];
}

/* Latin with case: the supplement and Extended-A, where upper and lower case
 * alternate, with the parity turning at U+0139 and back at U+014A. */
static uint32_t fold_latin(uint32_t code)
{
    if (code == 0xA0) {
        return ' ';
    }
    if (code >= 0xC0 && code <= 0xDE && code != 0xD7) {
        return code + 32;
    }
    if (code < 0x100 || code == 0x138) {
        return code;
    }
    if (code == 0x178) {
        return 0xFF;
    }
    bool odd_upper =
        (code >= 0x139 && code <= 0x148) || (code >= 0x179 && code <= 0x17E);
    if (odd_upper) {
        return code + (code & 1);
    }
    return code | 1;
}

static uint32_t fold_greek_cyrillic(uint32_t code)
{
    if ((code >= 0x391 && code <= 0x3A9) || (code >= 0x410 && code <= 0x42F)) {
        return code + 32;
    }
    if (code >= 0x400 && code <= 0x40F) {
        return code + 80;
    }
    return code;
}

static bool is_blank(uint32_t code)
{
    static const struct range blanks[] = {
        {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029},
        {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000},
    };
    return within(code, blanks, sizeof blanks / sizeof blanks[0]);
}

uint32_t nd_fold(uint32_t code)
{
    if (code < 0x80) {
        return fold_ascii(code);
    }
    if (code < 0x17F) {
        return fold_latin(code);
    }
    if (code < 0x500) {
        return fold_greek_cyrillic(code);
    }
    if (code >= 0xFF01 && code <= 0xFF5E) {
        return fold_ascii(code - 0xFEE0);
    }
    return is_blank(code) ? ' ' : code;
}

enum nd_char_class nd_char_class(uint32_t folded)
{
    static const struct range ignored[] = {
        {0xAD, 0xAD},     {0x34F, 0x34F},   {0x200B, 0x200F}, {0x202A, 0x202E},
        {0x2060, 0x2064}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},
    };
    static const struct range signs[] = {
        {0x80, 0xA9},     {0xAB, 0xB4},     {0xB6, 0xB9},     {0xBB, 0xBF},
        {0xD7, 0xD7},     {0xF7, 0xF7},     {0x2010, 0x2BFF}, {0x3001, 0x303F},
        {0xFE10, 0xFE6F}, {0xFF5F, 0xFF65}, {0xFFE0, 0xFFFF},
    };
    static const struct range ideographs[] = {
        {0x2E80, 0x2FDF},
        {0x3400, 0x9FFF},
        {0xF900, 0xFAFF},
        {0x20000, 0x3FFFF},
    };
    if (folded < 0x80) {
        return (enum nd_char_class)nd_ascii_classes[folded];
    }
    if (within(folded, ignored, sizeof ignored / sizeof ignored[0])) {
        return ND_CHAR_IGNORED;
    }
    if (within(folded, signs, sizeof signs / sizeof signs[0])) {
        return ND_CHAR_OTHER;
    }
    return within(folded, ideographs, sizeof ideographs / sizeof ideographs[0])
               ? ND_CHAR_IDEOGRAPH
               : ND_CHAR_LETTER;
}
