/* SPDX-License-Identifier: Apache-2.0
 *
 * Profiles: the set of symbols that a filter in front is known to report under
 * one settings name. docs/learning.md says what they are for.
 */
#ifndef ND_LEARN_PROFILE_H
#define ND_LEARN_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/* A growing, sorted set of symbol names. Zero-initialise, free with
 * nd_symbols_free. */
struct nd_symbols {
    char **names;
    uint32_t count, room;
};
/* Adds a copy of name; false where it was there. */
bool nd_symbols_add(struct nd_symbols *symbols, const char *name);
void nd_symbols_free(struct nd_symbols *symbols);

/* BLAKE2b-128 over the sorted names, each with its NUL. */
void nd_symbols_digest(const struct nd_symbols *symbols,
                       uint8_t digest_r[ND_PROFILE_DIGEST_BYTES]);

/* How many symbols one has and the other has not. */
uint32_t nd_profile_distance(const struct nd_symbols *symbols,
                             const struct nd_profile *profile);

/* Among the profiles that have a model: the nearest with fewer than 30 % of
 * the symbols of own different (S17); at equal distance the higher generation,
 * then the one used last. settings (may be NULL) is left out. NULL: none. */
const struct nd_profile *nd_profile_nearest(const struct nd_symbols *own,
                                            const struct nd_profile *profiles,
                                            size_t count, const char *settings);

#endif
