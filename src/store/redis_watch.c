/* SPDX-License-Identifier: Apache-2.0
 *
 * Hears of new generations by subscription, so that hot reload need not wait
 * for the next poll. A connection of its own, since a subscribed one takes no
 * commands. Messages are hints and may be lost; whenever the subscription had
 * to be made anew, something may have been missed, which is said as a change.
 */
#include <string.h>

#include "base/clock.h"
#include "store/redis_operations.h"
#include "store/redis_script.h"

/* A connection that died without a word is noticed by asking anew. */
#define FRESH_US (INT64_C(30) * 1000000)

static enum nd_status subscribe(struct nd_redis_store *redis,
                                struct nd_error *error)
{
    char channel[ND_REDIS_KEY_BYTES];
    nd_redis_store_key(redis, "changes", channel);
    const char *words[] = {"SUBSCRIBE", channel, NULL};
    const struct nd_redis_reply *reply;
    nd_redis_client_destroy(&redis->watch);
    redis->watch = nd_redis_client_create(&redis->options, redis->timeout_ms);
    enum nd_status status =
        nd_redis_client_ask(redis->watch, words, false, error, &reply);
    redis->watched_us = nd_clock_monotonic_us();
    return status;
}

enum nd_status nd_redis_wait_change(struct nd_store *store, int64_t timeout_ms,
                                    struct nd_error *error, bool *changed_r)
{
    struct nd_redis_store *redis = (struct nd_redis_store *)store;
    bool fresh = redis->watch != NULL &&
                 nd_redis_client_is_connected(redis->watch) &&
                 nd_clock_monotonic_us() - redis->watched_us < FRESH_US;
    enum nd_status status = ND_OK;
    if (fresh)
        status = nd_redis_client_await(redis->watch, timeout_ms, error);
    else
        status = subscribe(redis, error);
    if (status == ND_OK && fresh)
        redis->watched_us = nd_clock_monotonic_us();
    if (status != ND_OK && status != ND_NOTHING)
        return status;
    *changed_r = status == ND_OK;
    return ND_OK;
}
