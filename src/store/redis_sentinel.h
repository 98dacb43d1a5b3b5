/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks Sentinels where the master is.
 */
#ifndef ND_STORE_REDIS_SENTINEL_H
#define ND_STORE_REDIS_SENTINEL_H

#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "store/redis_url.h"

/* Asks the Sentinels of options in turn, beginning with *first, which is set
 * to the one that answered. master_r's host lies in arena. What they say may
 * be out of date: ask the server found for its ROLE. ND_UNAVAILABLE where none
 * answers in time or none knows the master; ND_PERMISSION. */
enum nd_status nd_redis_sentinel_find(
    const struct nd_redis_options *options, int64_t deadline_us,
    struct nd_arena *arena, struct nd_error *error, size_t *first,
    struct nd_redis_endpoint *master_r) ND_MUST_CHECK;

#endif
