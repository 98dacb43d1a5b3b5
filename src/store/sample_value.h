/* SPDX-License-Identifier: Apache-2.0
 *
 * How a feature's value is written into a sample's bits: what is read differs
 * by at most 1/2^(mantissa_bits + 1) of the value, and 1 and 0 are exact. The
 * code is specified in docs/formats/sample.md.
 */
#ifndef ND_STORE_SAMPLE_VALUE_H
#define ND_STORE_SAMPLE_VALUE_H

#include "store/bits.h"

/* What the values of a section have in common. */
struct nd_value_form {
    bool ones;  /* 1 has a code of one bit, and all others a bit more */
    bool signs; /* some are negative */
    unsigned mantissa_bits;
};

/* value must be finite, and not negative without signs. */
void nd_value_put(struct nd_bit_writer *writer, struct nd_value_form form,
                  float value);

/* Sets reader->failed on a code that nd_value_put never writes. */
float nd_value_get(struct nd_bit_reader *reader, struct nd_value_form form);

#endif
