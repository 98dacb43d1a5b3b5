/* SPDX-License-Identifier: Apache-2.0
 *
 * What the server's own settings mean for a store.
 */
#ifndef ND_STORE_REDIS_POLICY_H
#define ND_STORE_REDIS_POLICY_H

#include "store/redis_script.h"

/* ND_CONFIG with the remedy where Redis may evict our keys; else ND_OK, or why
 * it cannot be told. */
enum nd_status nd_redis_check_policy(struct nd_redis_store *redis,
                                     struct nd_error *error) ND_MUST_CHECK;

/* How much of its maxmemory the server uses, from 0; 0 where there is no
 * limit. From 1 on it refuses what stores. */
enum nd_status nd_redis_memory_share(struct nd_redis_store *redis,
                                     struct nd_error *error,
                                     double *share_r) ND_MUST_CHECK;

/* Memory that the server uses for data, in bytes. */
enum nd_status nd_redis_used_memory(struct nd_redis_store *redis,
                                    struct nd_error *error,
                                    uint64_t *bytes_r) ND_MUST_CHECK;

#endif
