/* SPDX-License-Identifier: Apache-2.0
 *
 * Values in few bits. Many are exactly 1 (a symbol's presence), most others
 * lie between 0 and 1, and no network tells a value from one that is a 256th
 * larger: a mantissa of few bits, and an exponent that takes 2 bits where it is
 * a likely one. Any finite number can be written; the unlikely ones take more.
 */
#include "store/sample_value.h"

#include <math.h>
#include <stddef.h>

/* Exponents of frexpf (a value is 0.5 to 1 times 2^exponent) from the likely
 * on. The place in this list is written in Rice code with parameter 1. */
static const int likely[] = {0, -1, -2, -3, -4,  -5, -6,  -7,
                             1, 2,  -8, -9, -10, 3,  -11, -12};
#define LIKELY_COUNT (sizeof(likely) / sizeof(likely[0]))
/* This many 1 bits announce any other exponent, written plainly. */
#define ESCAPE_ONES 8
#define PLAIN_BITS 9
#define PLAIN_OFFSET 256
#define PLAIN_ZERO 0 /* in the place of an exponent: the value 0 */
#define EXPONENT_MIN (-148)
#define EXPONENT_MAX 128

static void put_plain(struct nd_bit_writer *writer, uint32_t exponent)
{
    nd_bits_put(writer, (1U << ESCAPE_ONES) - 1, ESCAPE_ONES);
    nd_bits_put(writer, exponent, PLAIN_BITS);
}

static void put_exponent(struct nd_bit_writer *writer, int exponent)
{
    for (uint32_t place = 0; place < LIKELY_COUNT; place++) {
        if (likely[place] != exponent)
            continue;
        nd_bits_put_unary(writer, place >> 1);
        nd_bits_put(writer, place, 1);
        return;
    }
    put_plain(writer, (uint32_t)(exponent + PLAIN_OFFSET));
}

/* False for the value 0. */
static bool get_exponent(struct nd_bit_reader *reader, int *exponent_r)
{
    uint32_t ones = 0;
    while (ones < ESCAPE_ONES && nd_bits_get(reader, 1) == 1)
        ones++;
    if (ones < ESCAPE_ONES) {
        *exponent_r = likely[ones << 1 | nd_bits_get(reader, 1)];
        return true;
    }
    uint32_t plain = nd_bits_get(reader, PLAIN_BITS);
    *exponent_r = (int)plain - PLAIN_OFFSET;
    if (plain != PLAIN_ZERO &&
        (*exponent_r < EXPONENT_MIN || *exponent_r > EXPONENT_MAX))
        reader->failed = true;
    return plain != PLAIN_ZERO && !reader->failed;
}

void nd_value_put(struct nd_bit_writer *writer, struct nd_value_form form,
                  float value)
{
    if (form.ones)
        nd_bits_put(writer, value != 1.0F, 1);
    if (form.ones && value == 1.0F)
        return;
    if (value == 0) {
        put_plain(writer, PLAIN_ZERO);
        return;
    }
    int exponent;
    float fraction = frexpf(fabsf(value), &exponent);
    long steps = 1L << form.mantissa_bits;
    long mantissa = lrintf((fraction * 2 - 1) * (float)steps);
    if (mantissa == steps && exponent < EXPONENT_MAX) {
        mantissa = 0;
        exponent++;
    } else if (mantissa == steps) {
        mantissa--;
    }
    put_exponent(writer, exponent);
    if (form.signs)
        nd_bits_put(writer, value < 0, 1);
    nd_bits_put(writer, (uint32_t)mantissa, form.mantissa_bits);
}

float nd_value_get(struct nd_bit_reader *reader, struct nd_value_form form)
{
    if (form.ones && nd_bits_get(reader, 1) == 0)
        return 1.0F;
    int exponent;
    if (!get_exponent(reader, &exponent))
        return 0.0F;
    bool negative = form.signs && nd_bits_get(reader, 1) == 1;
    float fraction =
        0.5F + ldexpf((float)nd_bits_get(reader, form.mantissa_bits),
                      -1 - (int)form.mantissa_bits);
    return negative ? -ldexpf(fraction, exponent) : ldexpf(fraction, exponent);
}
