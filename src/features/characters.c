/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts the bytes of a text by class, and its words by length. The bytes go in
 * blocks that counters of one byte can hold, which the compiler turns into
 * vectors; the words are runs of set bits, 32 bytes at a time. Not for telling
 * words apart: text.c does that, by code point.
 */
#include "features/characters.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 255U
#define STEP 32U /* bytes whose bits are looked at together */

static unsigned char plus(unsigned char count, bool more)
{
    return (unsigned char)(count + more);
}

static void count_block(const unsigned char *data, size_t length,
                        struct nd_characters *count)
{
    unsigned char upper = 0, lower = 0, digits = 0, blanks = 0, high = 0;
    unsigned char exclamations = 0, money = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = data[i];
        upper = plus(upper, (unsigned char)(byte - 'A') < 26);
        lower = plus(lower, (unsigned char)(byte - 'a') < 26);
        digits = plus(digits, (unsigned char)(byte - '0') < 10);
        blanks = plus(blanks, byte <= ' ');
        high = plus(high, byte >= 0x80);
        exclamations = plus(exclamations, byte == '!');
        money = plus(money, byte == '$');
    }
    count->upper += upper;
    count->lower += lower;
    count->digits += digits;
    count->blanks += blanks;
    count->high += high;
    count->exclamations += exclamations;
    count->money += money;
}

/* A bit for each of STEP bytes: not a blank. */
static uint64_t word_bits(const unsigned char *data)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < STEP; i += 8) {
        uint64_t bytes;
        memcpy(&bytes, data + i, sizeof bytes);
        bytes = le64toh(bytes);
        uint64_t above = (bytes & 0x7F7F7F7F7F7F7F7F) + 0x5F5F5F5F5F5F5F5F;
        uint64_t marks = ((above | bytes) & 0x8080808080808080) >> 7;
        bits |= (marks * 0x0102040810204080) >> 56 << i; /* together */
    }
    return bits;
}

/* How many runs of set bits begin in the upper half. */
static size_t runs(uint64_t bits)
{
    return (size_t)__builtin_popcountll((bits & ~(bits << 1)) >> STEP);
}

/* The lower half of window is what came before, for runs that go on. */
static void count_words(struct nd_text text, struct nd_characters *count)
{
    uint64_t window = 0;
    for (size_t at = 0; at < text.length; at += STEP) {
        unsigned char bytes[STEP] = {0};
        size_t left = text.length - at;
        memcpy(bytes, text.data + at, left < STEP ? left : STEP);
        window = window >> STEP | word_bits(bytes) << STEP;
        uint64_t two = window & window << 1;
        uint64_t four = two & two << 2;
        uint64_t eight = four & four << 4;
        count->words += runs(window);
        count->long_words += runs(eight & eight << 5); /* 13 and more */
    }
}

struct nd_characters nd_count_characters(struct nd_text text)
{
    struct nd_characters count = {0};
    for (size_t at = 0; at < text.length; at += BLOCK) {
        size_t left = text.length - at;
        count_block((const unsigned char *)text.data + at,
                    left < BLOCK ? left : BLOCK, &count);
    }
    count.signs = text.length - count.upper - count.lower - count.digits -
                  count.blanks - count.high;
    count_words(text, &count);
    return count;
}
