/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry of a rule in Redis. Scripts have no BLAKE2b, so the digests of
 * new names are worked out here, from the end that was read; the script that
 * adds them refuses if the registry has grown meanwhile, and the names are then
 * looked up again. Known names cost one round trip and write nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/redis_operations.h"
#include "store/redis_script.h"

#define TRIES 100 /* each of which another process won */
#define NAMES_A_CALL 4096
#define NAMES_A_READ 10000

struct growth {
    struct nd_store *store;
    struct nd_scope scope; /* of the rule; no settings */
    const char *const *names;
    size_t count;
    uint32_t max_names;
    uint32_t *slots;
    uint32_t length; /* as it was read last */
    uint8_t digest[ND_DIGEST_BYTES];
};

/* D(n) = BLAKE2b-256(D(n-1) || name), D(0) is zero. */
static void extend_digest(uint8_t digest[ND_DIGEST_BYTES], const char *name)
{
    struct nd_digest_state state;
    nd_digest_begin(&state, NULL, ND_DIGEST_BYTES);
    nd_digest_add(&state, digest, ND_DIGEST_BYTES);
    nd_digest_add(&state, name, strlen(name));
    nd_digest_end(&state, digest, ND_DIGEST_BYTES);
}

static enum nd_status find_piece(struct growth *growth, size_t first,
                                 size_t count, struct nd_error *error)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, growth->store, ND_REDIS_REGISTRY_FIND,
                        &growth->scope);
    for (size_t i = 0; i < count; i++)
        nd_redis_call_text(&call, growth->names[first + i]);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status != ND_OK)
        return status;
    const struct nd_redis_reply *digest = nd_redis_item(reply, 1);
    growth->length = (uint32_t)nd_redis_count(nd_redis_item(reply, 0));
    if (reply->length != count + 2 ||
        (growth->length > 0 && digest->length != ND_DIGEST_BYTES))
        return nd_redis_strange(&call, error);
    memset(growth->digest, 0, ND_DIGEST_BYTES);
    if (growth->length > 0)
        memcpy(growth->digest, digest->text, ND_DIGEST_BYTES);
    for (size_t i = 0; i < count; i++) {
        int64_t slot = nd_redis_number(nd_redis_item(reply, i + 2));
        growth->slots[first + i] = slot < 0 ? ND_STORE_NO_SLOT : (uint32_t)slot;
    }
    return ND_OK;
}

/* Looks all names up; answers how many lack a slot. */
static enum nd_status find_all(struct growth *growth, struct nd_error *error,
                               size_t *missing_r)
{
    size_t first = 0;
    do {
        size_t left = growth->count - first;
        size_t count = left < NAMES_A_CALL ? left : NAMES_A_CALL;
        enum nd_status status = find_piece(growth, first, count, error);
        if (status != ND_OK)
            return status;
        first += count;
    } while (first < growth->count);
    *missing_r = 0;
    for (size_t i = 0; i < growth->count; i++)
        *missing_r += growth->slots[i] == ND_STORE_NO_SLOT;
    return ND_OK;
}

/* Adds the missing names, at most a call's worth. */
static enum nd_status add_missing(struct growth *growth, struct nd_error *error)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, growth->store, ND_REDIS_REGISTRY_ADD,
                        &growth->scope);
    struct nd_arena *scratch = call.store->scratch;
    uint8_t digest[ND_DIGEST_BYTES];
    uint32_t length = growth->length;
    memcpy(digest, growth->digest, ND_DIGEST_BYTES);
    nd_redis_call_number(&call, length);
    nd_redis_call_bytes(&call, growth->digest, ND_DIGEST_BYTES);
    for (size_t i = 0; i < growth->count && length < growth->max_names &&
                       length - growth->length < NAMES_A_CALL;
         i++) {
        if (growth->slots[i] != ND_STORE_NO_SLOT)
            continue;
        extend_digest(digest, growth->names[i]);
        nd_redis_call_text(&call, growth->names[i]);
        nd_redis_call_bytes(
            &call,
            nd_arena_strndup(scratch, (const char *)digest, ND_DIGEST_BYTES),
            ND_DIGEST_BYTES);
        length++;
    }
    return nd_redis_call_run(&call, error, &reply);
}

/* The names without their repeats, in order; sorted copies find them. */
struct unique {
    const char *name;
    size_t index;
};

static int by_name(const void *one, const void *other)
{
    const struct unique *a = one, *b = other;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static int by_index(const void *one, const void *other)
{
    const struct unique *a = one, *b = other;
    return (a->index > b->index) - (a->index < b->index);
}

static size_t drop_repeats(const char *const *names, size_t count,
                           const char **unique_r)
{
    struct unique *sorted = nd_calloc(count, sizeof(*sorted));
    for (size_t i = 0; i < count; i++)
        sorted[i] = (struct unique){names[i], i};
    if (count > 0)
        qsort(sorted, count, sizeof(*sorted), by_name);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || strcmp(sorted[i].name, sorted[kept - 1].name) != 0)
            sorted[kept++] = sorted[i];
    }
    if (kept > 0)
        qsort(sorted, kept, sizeof(*sorted), by_index);
    for (size_t i = 0; i < kept; i++)
        unique_r[i] = sorted[i].name;
    free(sorted);
    return kept;
}

static enum nd_status grow_until_found(struct growth *growth,
                                       struct nd_error *error)
{
    for (int tries = 0; tries < TRIES; tries++) {
        size_t missing = 0;
        enum nd_status status = find_all(growth, error, &missing);
        if (status != ND_OK || missing == 0 ||
            growth->length >= growth->max_names)
            return status;
        status = add_missing(growth, error);
        if (status != ND_OK)
            return status;
    }
    return nd_fail(error, ND_TEMPORARY,
                   "the registry of %s is being changed by many at once",
                   growth->scope.rule);
}

/* Every place of a repeated name takes the slot of the first. */
static void spread_slots(const char *const *names, size_t count,
                         const struct growth *growth, uint32_t *slots_r)
{
    struct unique *sorted = nd_calloc(growth->count, sizeof(*sorted));
    for (size_t i = 0; i < growth->count; i++)
        sorted[i] = (struct unique){growth->names[i], i};
    if (growth->count > 0)
        qsort(sorted, growth->count, sizeof(*sorted), by_name);
    for (size_t i = 0; i < count; i++) {
        size_t low = 0, high = growth->count;
        while (high - low > 1) {
            size_t middle = low + (high - low) / 2;
            if (strcmp(sorted[middle].name, names[i]) <= 0)
                low = middle;
            else
                high = middle;
        }
        slots_r[i] = growth->slots[sorted[low].index];
    }
    free(sorted);
}

enum nd_status nd_redis_registry_slots(struct nd_store *store, const char *rule,
                                       const char *const *names, size_t count,
                                       uint32_t max_names,
                                       struct nd_error *error,
                                       uint32_t *slots_r, uint32_t *length_r,
                                       uint8_t digest_r[ND_DIGEST_BYTES])
{
    const char **unique = nd_calloc(count, sizeof(*unique));
    struct growth growth = {.store = store,
                            .scope = {rule, ""},
                            .names = unique,
                            .max_names = max_names};
    growth.count = drop_repeats(names, count, unique);
    growth.slots = nd_calloc(growth.count, sizeof(*growth.slots));
    enum nd_status status = grow_until_found(&growth, error);
    if (status == ND_OK) {
        spread_slots(names, count, &growth, slots_r);
        *length_r = growth.length;
        memcpy(digest_r, growth.digest, ND_DIGEST_BYTES);
    }
    free(growth.slots);
    free(unique);
    return status;
}

/* ---- reading ---- */

static enum nd_status read_names(struct nd_redis_store *redis, const char *key,
                                 uint32_t first, struct nd_error *error,
                                 const struct nd_redis_reply **reply_r)
{
    char from[16], to[16];
    (void)snprintf(from, sizeof(from), "%u", first);
    (void)snprintf(to, sizeof(to), "%u", first + NAMES_A_READ - 1);
    const char *words[] = {"LRANGE", key, from, to, NULL};
    enum nd_status status =
        nd_redis_client_ask(redis->client, words, false, error, reply_r);
    if (status == ND_OK && (*reply_r)->type != ND_REDIS_ARRAY)
        status = nd_fail(error, ND_DATA, "Redis: %s is no registry", key);
    return status;
}

/* Appends the names of one answer. */
static enum nd_status take_names(const struct nd_redis_reply *reply,
                                 struct nd_arena *arena, struct nd_error *error,
                                 const char **names)
{
    for (size_t i = 0; i < reply->length; i++) {
        const struct nd_redis_reply *item = nd_redis_item(reply, i);
        if (item->length <= ND_DIGEST_BYTES)
            return nd_fail(error, ND_DATA,
                           "Redis: a slot of the registry is damaged");
        names[i] = nd_arena_strndup(arena, item->text + ND_DIGEST_BYTES,
                                    item->length - ND_DIGEST_BYTES);
    }
    return ND_OK;
}

enum nd_status nd_redis_registry_read(struct nd_store *store, const char *rule,
                                      uint32_t first, struct nd_arena *arena,
                                      struct nd_error *error,
                                      const char *const **names_r,
                                      uint32_t *count_r)
{
    struct nd_redis_store *redis = (struct nd_redis_store *)store;
    struct nd_scope scope = {rule, ""};
    char key[ND_REDIS_KEY_BYTES];
    nd_redis_key(redis, 'n', &scope, "", key);
    const char **names = NULL;
    uint32_t count = 0;
    size_t got = NAMES_A_READ;
    enum nd_status status = ND_OK;
    while (status == ND_OK && got == NAMES_A_READ) {
        const struct nd_redis_reply *reply;
        status = read_names(redis, key, first + count, error, &reply);
        if (status != ND_OK)
            break;
        got = reply->length;
        names = nd_realloc(names, count + got, sizeof(*names));
        status = take_names(reply, arena, error, names + count);
        count += (uint32_t)got;
    }
    if (status == ND_OK) {
        const char **copy = nd_arena_take(arena, (count + 1) * sizeof(*copy));
        if (count > 0)
            memcpy(copy, names, count * sizeof(*copy));
        *names_r = copy;
        *count_r = count;
    }
    free(names);
    return status;
}
