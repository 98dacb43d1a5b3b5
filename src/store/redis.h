/* SPDX-License-Identifier: Apache-2.0
 *
 * The backend for fleets: a Redis server (7, or any since 6.0), alone or under
 * Sentinel. docs/formats/redis.md describes the keys, docs/redis.md how to run
 * it.
 */
#ifndef ND_STORE_REDIS_H
#define ND_STORE_REDIS_H

#include "store/redis_url.h"
#include "store/store.h"

/* Opens the store at url (redis_url.h); options.backend may be a struct
 * nd_redis_options that goes before the URL. The errors of nd_store_open, and
 * ND_UNAVAILABLE where no master is found in time. */
enum nd_status nd_redis_open(const char *url,
                             const struct nd_store_options *options,
                             struct nd_error *error,
                             struct nd_store **store_r) ND_MUST_CHECK;

/* Whether url and options say where a Redis is; nobody is asked. ND_CONFIG. */
enum nd_status nd_redis_check(const char *url,
                              const struct nd_store_options *options,
                              struct nd_error *error) ND_MUST_CHECK;

/* Round trips made so far by a store that nd_redis_open opened. */
uint64_t nd_redis_trips(const struct nd_store *store);

#endif
