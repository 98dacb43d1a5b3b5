/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of a scope as the scripts keep it: names and numbers. Private to
 * the Redis backend.
 */
#ifndef ND_STORE_REDIS_STATE_H
#define ND_STORE_REDIS_STATE_H

#include "store/redis_script.h"

struct nd_redis_state {
    const struct nd_redis_reply *pairs; /* name, value, name, value, ... */
    uint64_t registry_length;
};

/* Reads it; it lives until the next exchange of the store. */
enum nd_status nd_redis_state_read(
    struct nd_store *store, const struct nd_scope *scope,
    struct nd_error *error, struct nd_redis_state *state_r) ND_MUST_CHECK;

/* A value by name; an empty nil where it was never set. */
const struct nd_redis_reply *nd_redis_state_get(
    const struct nd_redis_state *state, const char *name);
uint64_t nd_redis_state_count(const struct nd_redis_state *state,
                              const char *name);

/* Samples present by class, and by class and source. */
void nd_redis_state_samples(const struct nd_redis_state *state,
                            uint64_t count_r[2],
                            uint64_t sources_r[2][ND_SOURCE_COUNT]);

/* The names in the index: rules, and the settings of a rule; sorted, in
 * arena. */
enum nd_status nd_redis_rules(struct nd_redis_store *redis,
                              struct nd_arena *arena, struct nd_error *error,
                              const char ***rules_r,
                              size_t *count_r) ND_MUST_CHECK;
enum nd_status nd_redis_settings(struct nd_redis_store *redis, const char *rule,
                                 struct nd_arena *arena, struct nd_error *error,
                                 const char ***settings_r,
                                 size_t *count_r) ND_MUST_CHECK;

#endif
