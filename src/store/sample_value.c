/* SPDX-License-Identifier: Apache-2.0
 *
 * Values in few bits. Most are exactly 1 (a symbol's presence), most others
 * lie between 0 and 1, and a thousandth of their size is finer than a network
 * can use. Exponents are numbered from the likely ones on and written in
 * Elias's gamma code (P. Elias, "Universal Codeword Sets", 1975).
 */
#include "store/sample_value.h"

#include <math.h>

#define MANTISSA_BITS 9
#define MANTISSA_STEPS (1 << MANTISSA_BITS)
/* Exponents of frexpf: a value is 0.5 to 1 times 2^exponent. */
#define EXPONENT_MIN (-148)
#define EXPONENT_MAX 128
/* The number after that of the largest exponent stands for the value 0. */
#define NUMBER_OF_ZERO 385

/* 0, -1, 1, -2, -3, 2, -4, ... have the numbers 1, 2, 3, ...: values below one
 * half are commoner than those above one. */
static uint32_t number_of(int exponent)
{
    if (exponent > 0)
        return (uint32_t)exponent * 3;
    uint32_t depth = (uint32_t)-exponent;
    return 1 + depth + depth / 2;
}

static int exponent_of(uint32_t number)
{
    if (number % 3 == 0)
        return (int)(number / 3);
    return -(int)(number / 3 * 2 + number % 3 - 1);
}

static void put_number(struct nd_bit_writer *writer, uint32_t number)
{
    unsigned below = 31U - (unsigned)__builtin_clz(number);
    nd_bits_put_unary(writer, below);
    nd_bits_put(writer, number, below);
}

static uint32_t get_number(struct nd_bit_reader *reader)
{
    uint32_t below = nd_bits_get_unary(reader);
    if (below > 8) {
        reader->failed = true;
        return NUMBER_OF_ZERO;
    }
    return 1U << below | nd_bits_get(reader, below);
}

void nd_value_put(struct nd_bit_writer *writer, float value, bool signs)
{
    if (value == 1.0F) {
        nd_bits_put(writer, 0, 1);
        return;
    }
    nd_bits_put(writer, 1, 1);
    int exponent;
    float fraction = frexpf(fabsf(value), &exponent); /* 0, or 0.5 to 1 */
    int mantissa = (int)lrintf((fraction * 2 - 1) * MANTISSA_STEPS);
    if (mantissa == MANTISSA_STEPS && exponent == EXPONENT_MAX) {
        mantissa--;
    } else if (mantissa == MANTISSA_STEPS) {
        mantissa = 0;
        exponent++;
    }
    if (value == 0) {
        put_number(writer, NUMBER_OF_ZERO);
        return;
    }
    put_number(writer, number_of(exponent));
    if (signs)
        nd_bits_put(writer, value < 0, 1);
    nd_bits_put(writer, (uint32_t)mantissa, MANTISSA_BITS);
}

float nd_value_get(struct nd_bit_reader *reader, bool signs)
{
    if (nd_bits_get(reader, 1) == 0)
        return 1.0F;
    uint32_t number = get_number(reader);
    if (number == NUMBER_OF_ZERO)
        return 0.0F;
    int exponent = exponent_of(number);
    bool negative = signs && nd_bits_get(reader, 1) == 1;
    float fraction =
        0.5F + (float)nd_bits_get(reader, MANTISSA_BITS) / (2 * MANTISSA_STEPS);
    if (exponent < EXPONENT_MIN || exponent > EXPONENT_MAX)
        reader->failed = true;
    return negative ? -ldexpf(fraction, exponent) : ldexpf(fraction, exponent);
}
