/* SPDX-License-Identifier: Apache-2.0
 *
 * Dense training vectors with their classes, as rspamd's neural module stores
 * them: one number for each metatoken, then one for each symbol.
 */
#ifndef ND_RSPAMD_VECTORS_H
#define ND_RSPAMD_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define ND_VECTORS_MAX_WIDTH (1U << 16)
#define ND_VECTORS_MAX_VALUES ((size_t)1 << 28)

/* Zero-initialise ({0}), free with nd_vectors_free. */
struct nd_vectors {
    size_t count, capacity;
    uint32_t width;  /* numbers in each; 0 while there is none */
    float *values;   /* [count][width] */
    uint8_t *labels; /* 1 spam, 0 ham */
};

void nd_vectors_free(struct nd_vectors *vectors); /* also clears it */

/* Appends a copy of width numbers. ND_DATA where one is not finite or the width
 * is not that of the others; ND_LIMIT above the limits. */
enum nd_status nd_vectors_add(struct nd_vectors *vectors, const float *values,
                              uint32_t width, int label,
                              struct nd_error *error) ND_MUST_CHECK;

/* Row's numbers. row < count. */
const float *nd_vectors_row(const struct nd_vectors *vectors, size_t row);

/* How many there are of a class. */
size_t nd_vectors_of(const struct nd_vectors *vectors, int label);

/* Parses count numbers at most from text, which are parted by separators, into
 * values_r. Answers how many there were; 0 for anything malformed, not finite,
 * or longer than count. text[length] must be NUL. Needs the "C" locale for
 * LC_NUMERIC. */
uint32_t nd_vectors_parse_numbers(const char *text, size_t length,
                                  char separator, uint32_t count,
                                  float *values_r);

/* Appends the lines "LABEL NUMBER NUMBER ..." of text; the label 1 is spam, 0
 * and -1 are ham; empty lines are passed over. text[length] must be NUL.
 * ND_DATA says name and line, and what is wrong there. */
enum nd_status nd_vectors_parse(struct nd_vectors *vectors, const char *name,
                                const char *text, size_t length,
                                struct nd_error *error) ND_MUST_CHECK;

/* The same from a file. ND_NOTHING where it holds no vector. */
enum nd_status nd_vectors_read(struct nd_vectors *vectors, const char *path,
                               struct nd_error *error) ND_MUST_CHECK;

#endif
