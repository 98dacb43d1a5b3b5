/* SPDX-License-Identifier: Apache-2.0
 *
 * How a feature's value is written into a sample's bits: 1 takes one bit, any
 * other a sign, an exponent and 9 bits of mantissa, so that what is read
 * differs by at most 1/1024 of the value. docs/formats/sample.md.
 */
#ifndef ND_STORE_SAMPLE_VALUE_H
#define ND_STORE_SAMPLE_VALUE_H

#include "store/bits.h"

/* value must be finite, and not negative where signs is off. */
void nd_value_put(struct nd_bit_writer *writer, float value, bool signs);

/* Sets reader->failed on a code that nd_value_put never writes. */
float nd_value_get(struct nd_bit_reader *reader, bool signs);

#endif
