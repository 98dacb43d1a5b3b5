/* SPDX-License-Identifier: Apache-2.0
 *
 * Which label and path a message's identity was first seen with, to find
 * messages that were given as spam and as ham.
 */
#ifndef ND_CLI_IDENTITY_MAP_H
#define ND_CLI_IDENTITY_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

struct nd_identity_map;

/* An empty map. */
struct nd_identity_map *nd_identity_map_create(void);
/* Frees the map and clears *map; NULL and a pointer to NULL are accepted. */
void nd_identity_map_destroy(struct nd_identity_map **map);

/* Remembers identity with label (0 or 1) and path (copied). Answers the path
 * that it was first seen with under the other label, or NULL. */
const char *nd_identity_map_add(struct nd_identity_map *map,
                                const uint8_t identity[ND_IDENTITY_BYTES],
                                int label, const char *path);

/* Identities seen under both labels so far. */
size_t nd_identity_map_conflicts(const struct nd_identity_map *map);

#endif
