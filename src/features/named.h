/* SPDX-License-Identifier: Apache-2.0
 *
 * Gathering a message's named features: symbols and metatokens. Internal to
 * src/features.
 */
#ifndef ND_FEATURES_NAMED_H
#define ND_FEATURES_NAMED_H

#include <stddef.h>

#include "features/characters.h"
#include "features/features.h"

/* A list that grows in an arena. */
struct nd_named_list {
    struct nd_arena *arena;
    struct nd_named_feature *items;
    size_t count;
    size_t capacity;
};

/* Appends a feature; name must live as long as the arena. A value that is not
 * finite is left out. */
void nd_named_add(struct nd_named_list *list, const char *name, double value);

/* prefix and name in one, in the arena. */
const char *nd_named_prefixed(struct nd_arena *arena, const char *prefix,
                              const char *name);

/* "symbol:NAME" and "score:NAME" for each finding that is not excluded. */
void nd_collect_symbols(struct nd_named_list *list, const struct nd_scan *scan,
                        const struct nd_extract_options *options);

/* The metatokens of a message; those that are 0 are left out. */
void nd_collect_metatokens(struct nd_named_list *list,
                           const struct nd_counted_message *counted);

#endif
