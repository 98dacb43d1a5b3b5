/* SPDX-License-Identifier: Apache-2.0
 *
 * The encoding of a stored sample's features (docs/formats/sample.md): a list
 * of sections, one a family, each readable without the others, so that a store
 * can add a family to a sample without decoding the rest. Slots are ascending
 * and coded as Golomb-Rice gaps; values, where a family has them, as floats of
 * few bits.
 */
#ifndef ND_STORE_SAMPLE_H
#define ND_STORE_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/status.h"

#define ND_SAMPLE_MAX_SECTIONS 32
#define ND_SAMPLE_MAX_ENTRIES 65536 /* a section */
#define ND_SAMPLE_MAX_BYTES (1U << 20)

/* slots ascending and unique, below 2^24; values NULL where all are 1. */
struct nd_section {
    uint8_t family; /* 0 to 31 */
    uint32_t count;
    const uint32_t *slots;
    const float *values;
};

/* Appends the encoding of count sections (families ascending). ND_LIMIT over
 * the limits above, ND_DATA for a value that is not finite or slots that are
 * not ascending. buffer is unchanged on failure. */
enum nd_status nd_sample_encode(const struct nd_section *sections, size_t count,
                                struct nd_buffer *buffer,
                                struct nd_error *error) ND_MUST_CHECK;

/* Decodes into arrays of the arena; sections_r holds ND_SAMPLE_MAX_SECTIONS.
 * Lengths are checked before memory is taken. */
enum nd_status nd_sample_decode(const void *data, size_t length,
                                struct nd_arena *arena, struct nd_error *error,
                                struct nd_section *sections_r,
                                size_t *count_r) ND_MUST_CHECK;

/* Mask of the families in an encoded sample; ND_DATA if malformed. */
enum nd_status nd_sample_families(const void *data, size_t length,
                                  struct nd_error *error,
                                  uint32_t *families_r) ND_MUST_CHECK;

/* Appends old's sections and those of added that old has not. */
enum nd_status nd_sample_merge(const void *old, size_t old_length,
                               const void *added, size_t added_length,
                               struct nd_buffer *merged,
                               struct nd_error *error) ND_MUST_CHECK;

#endif
