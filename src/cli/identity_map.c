/* SPDX-License-Identifier: Apache-2.0
 *
 * An open-addressing table over identities. They are digests already, so their
 * first bytes are the hash.
 */
#include "cli/identity_map.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct entry {
    uint8_t identity[ND_IDENTITY_BYTES];
    char *path; /* NULL: free place */
    int label;
    bool conflict;
};

struct nd_identity_map {
    struct entry *entries;
    size_t capacity; /* a power of two */
    size_t count, conflicts;
};

struct nd_identity_map *nd_identity_map_create(void)
{
    struct nd_identity_map *map = nd_calloc(1, sizeof(*map));
    map->capacity = 1024;
    map->entries = nd_calloc(map->capacity, sizeof(*map->entries));
    return map;
}

void nd_identity_map_destroy(struct nd_identity_map **map)
{
    if (map == NULL || *map == NULL) {
        return;
    }
    for (size_t i = 0; i < (*map)->capacity; i++) {
        free((*map)->entries[i].path);
    }
    free((*map)->entries);
    free(*map);
    *map = NULL;
}

/* The place of identity, or the free one where it would go. */
static struct entry *find(struct entry *entries, size_t capacity,
                          const uint8_t identity[ND_IDENTITY_BYTES])
{
    size_t place;
    memcpy(&place, identity, sizeof(place));
    for (;; place++) {
        struct entry *entry = &entries[place & (capacity - 1)];
        if (entry->path == NULL ||
            memcmp(entry->identity, identity, ND_IDENTITY_BYTES) == 0) {
            return entry;
        }
    }
}

static void grow(struct nd_identity_map *map)
{
    size_t capacity = map->capacity * 2;
    struct entry *entries = nd_calloc(capacity, sizeof(*entries));
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->entries[i].path != NULL) {
            *find(entries, capacity, map->entries[i].identity) =
                map->entries[i];
        }
    }
    free(map->entries);
    map->entries = entries;
    map->capacity = capacity;
}

const char *nd_identity_map_add(struct nd_identity_map *map,
                                const uint8_t identity[ND_IDENTITY_BYTES],
                                int label, const char *path)
{
    struct entry *entry = find(map->entries, map->capacity, identity);
    if (entry->path == NULL) {
        memcpy(entry->identity, identity, ND_IDENTITY_BYTES);
        entry->path = nd_strdup(path);
        entry->label = label;
        if (++map->count * 2 > map->capacity) {
            grow(map);
        }
        return NULL;
    }
    if (entry->label == label) {
        return NULL;
    }
    map->conflicts += entry->conflict ? 0 : 1;
    entry->conflict = true;
    return entry->path;
}

size_t nd_identity_map_conflicts(const struct nd_identity_map *map)
{
    return map->conflicts;
}
