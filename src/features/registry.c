/* SPDX-License-Identifier: Apache-2.0
 *
 * A process's copy of the registry: the names in slot order, and an open
 * addressed table from name to slot. The chain digest is kept for every
 * length, so that any prefix can be compared with the store's. The store
 * decides which name gets which slot; this only remembers.
 */
#include "features/registry.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define FIRST_BUCKETS 256U

struct entry {
    char *name;
    uint64_t hash;
    uint8_t digest[ND_DIGEST_BYTES]; /* of the chain up to this name */
};

struct nd_registry {
    struct entry *entries;
    uint32_t length;
    uint32_t capacity;
    uint32_t *buckets; /* slot + 1; 0 is free */
    uint32_t bucket_count;
    struct nd_key key; /* random, so that names cannot be made to collide */
};

struct nd_registry *nd_registry_create(void)
{
    struct nd_registry *registry = nd_calloc(1, sizeof *registry);
    registry->bucket_count = FIRST_BUCKETS;
    registry->buckets = nd_calloc(FIRST_BUCKETS, sizeof *registry->buckets);
    nd_key_generate(&registry->key);
    return registry;
}

void nd_registry_destroy(struct nd_registry **registry)
{
    if (registry == NULL || *registry == NULL) {
        return;
    }
    for (uint32_t slot = 0; slot < (*registry)->length; slot++) {
        free((*registry)->entries[slot].name);
    }
    free((*registry)->entries);
    free((*registry)->buckets);
    free(*registry);
    *registry = NULL;
}

/* The bucket that holds name, or the free one where it belongs. The table is
 * never more than half full, so there is always one. */
static uint32_t bucket_of(const struct nd_registry *registry, const char *name,
                          uint64_t hash)
{
    uint32_t mask = registry->bucket_count - 1;
    uint32_t bucket = (uint32_t)hash & mask;
    while (registry->buckets[bucket] != 0) {
        const struct entry *entry =
            &registry->entries[registry->buckets[bucket] - 1];
        if (entry->hash == hash && strcmp(entry->name, name) == 0) {
            break;
        }
        bucket = (bucket + 1) & mask;
    }
    return bucket;
}

static void grow_buckets(struct nd_registry *registry)
{
    free(registry->buckets);
    registry->bucket_count *= 2;
    registry->buckets =
        nd_calloc(registry->bucket_count, sizeof *registry->buckets);
    for (uint32_t slot = 0; slot < registry->length; slot++) {
        const struct entry *entry = &registry->entries[slot];
        uint32_t bucket = bucket_of(registry, entry->name, entry->hash);
        registry->buckets[bucket] = slot + 1;
    }
}

static void chain(struct nd_registry *registry, struct entry *entry)
{
    static const uint8_t start[ND_DIGEST_BYTES];
    const uint8_t *before =
        registry->length == 0 ? start
                              : registry->entries[registry->length - 1].digest;
    struct nd_digest_state state;
    nd_digest_begin(&state, NULL, ND_DIGEST_BYTES);
    nd_digest_add(&state, before, ND_DIGEST_BYTES);
    nd_digest_add(&state, entry->name, strlen(entry->name));
    nd_digest_end(&state, entry->digest, ND_DIGEST_BYTES);
}

static uint32_t append(struct nd_registry *registry, const char *name,
                       uint64_t hash)
{
    if (registry->length == registry->capacity) {
        registry->capacity =
            registry->capacity == 0 ? 64 : registry->capacity * 2;
        registry->entries = nd_realloc(registry->entries, registry->capacity,
                                       sizeof *registry->entries);
    }
    struct entry *entry = &registry->entries[registry->length];
    entry->name = nd_strdup(name);
    entry->hash = hash;
    chain(registry, entry);
    return registry->length++;
}

uint32_t nd_registry_add(struct nd_registry *registry, const char *name)
{
    uint64_t hash = nd_keyed_hash(&registry->key, name, strlen(name));
    uint32_t bucket = bucket_of(registry, name, hash);
    if (registry->buckets[bucket] != 0) {
        return registry->buckets[bucket] - 1;
    }
    uint32_t slot = append(registry, name, hash);
    registry->buckets[bucket] = slot + 1;
    if (registry->length > registry->bucket_count / 2) {
        grow_buckets(registry);
    }
    return slot;
}

uint32_t nd_registry_find(const struct nd_registry *registry, const char *name)
{
    uint64_t hash = nd_keyed_hash(&registry->key, name, strlen(name));
    uint32_t found = registry->buckets[bucket_of(registry, name, hash)];
    return found == 0 ? ND_NO_SLOT : found - 1;
}

const char *nd_registry_name(const struct nd_registry *registry, uint32_t slot)
{
    return slot < registry->length ? registry->entries[slot].name : NULL;
}

uint32_t nd_registry_length(const struct nd_registry *registry)
{
    return registry->length;
}

void nd_registry_digest(const struct nd_registry *registry, uint32_t length,
                        uint8_t digest_r[ND_DIGEST_BYTES])
{
    if (length == 0) {
        memset(digest_r, 0, ND_DIGEST_BYTES);
        return;
    }
    memcpy(digest_r, registry->entries[length - 1].digest, ND_DIGEST_BYTES);
}
