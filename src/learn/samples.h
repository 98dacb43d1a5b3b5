/* SPDX-License-Identifier: Apache-2.0
 *
 * Between a message's features and a stored sample's payload, both ways.
 */
#ifndef ND_LEARN_SAMPLES_H
#define ND_LEARN_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/status.h"
#include "features/features.h"
#include "store/store.h"

/* The family that a named feature belongs to, by its prefix. */
enum nd_family nd_sample_family_of(const char *name);

/* A copy that outlives the arena of the extraction (names of text features are
 * left out). */
void nd_sample_copy_features(const struct nd_features *features,
                             struct nd_arena *arena,
                             struct nd_features *copy_r);

/* Encodes features with the slots of registry and appends to payload. Named
 * features that the registry lacks are left out and counted in unknown_r.
 * Answers why not: NOT_FINITE, TOO_LARGE, MALFORMED; or NONE. payload is
 * unchanged unless the answer is NONE. */
enum nd_refusal nd_sample_pack(const struct nd_features *features,
                               const struct nd_registry *registry,
                               struct nd_arena *arena,
                               struct nd_buffer *payload, size_t *unknown_r);

/* Decodes a payload; arrays are the arena's. Families of a later version are
 * left out and named in slotted_r->later. Slots at or beyond what the
 * family or the registry has, and values that are not finite, are ND_DATA. */
enum nd_status nd_sample_unpack(const struct nd_payload *payload,
                                uint32_t registry_length,
                                struct nd_arena *arena, struct nd_error *error,
                                struct nd_slotted *slotted_r) ND_MUST_CHECK;

/* The same sample for a model whose registry is another one: slot i becomes
 * map[i], ND_NO_SLOT leaves it out, as do slots at or beyond count. Arrays are
 * the arena's. */
void nd_sample_translate(const struct nd_slotted *slotted, const uint32_t *map,
                         uint32_t count, struct nd_arena *arena,
                         struct nd_slotted *translated_r);

#endif
