/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts the bytes of a text by class, and its words by length. Not for
 * telling words apart: text.c does that, by code point.
 */
#include "features/characters.h"

#include <string.h>

#define LONG_WORD 12U

static void count_bytes(struct nd_text text, size_t counts[256])
{
    memset(counts, 0, 256 * sizeof counts[0]);
    for (size_t i = 0; i < text.length; i++)
        counts[(unsigned char)text.data[i]]++;
}

static size_t sum(const size_t counts[256], unsigned first, unsigned last)
{
    size_t total = 0;
    for (unsigned byte = first; byte <= last; byte++)
        total += counts[byte];
    return total;
}

static void count_words(struct nd_text text, struct nd_characters *count)
{
    size_t begin = 0;
    for (size_t i = 0; i <= text.length; i++) {
        if (i < text.length && (unsigned char)text.data[i] > ' ')
            continue;
        count->words += i > begin;
        count->long_words += i > begin + LONG_WORD;
        begin = i + 1;
    }
}

struct nd_characters nd_count_characters(struct nd_text text)
{
    size_t counts[256];
    count_bytes(text, counts);
    struct nd_characters count = {
        .upper = sum(counts, 'A', 'Z'),
        .lower = sum(counts, 'a', 'z'),
        .digits = sum(counts, '0', '9'),
        .blanks = sum(counts, 0, ' '),
        .high = sum(counts, 0x80, 0xFF),
        .exclamations = counts['!'],
        .money = counts['$'],
    };
    count.signs = text.length - count.upper - count.lower - count.digits -
                  count.blanks - count.high;
    count_words(text, &count);
    return count;
}
