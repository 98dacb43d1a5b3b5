/* SPDX-License-Identifier: Apache-2.0
 *
 * Features as bytes, by name: what waits in the spool. Unlike a stored sample
 * they need no registry, so that they can be written while the store that gives
 * out slots is away, and lose no name.
 */
#ifndef ND_LEARN_FEATURES_RECORD_H
#define ND_LEARN_FEATURES_RECORD_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/status.h"
#include "features/features.h"

/* Appends features to buffer (docs/formats/spool.md); text names are left
 * out. */
void nd_features_record_write(const struct nd_features *features,
                              struct nd_buffer *buffer);

/* Reads them back; arrays are the arena's. ND_DATA for what was not written by
 * the above: lengths are checked before memory is taken, slots and values as
 * where samples are read. ND_VERSION for a later format, or families of a
 * later version. */
enum nd_status nd_features_record_read(
    const void *data, size_t length, struct nd_arena *arena,
    struct nd_error *error, struct nd_features *features_r) ND_MUST_CHECK;

#endif
