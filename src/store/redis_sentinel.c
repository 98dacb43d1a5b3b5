/* SPDX-License-Identifier: Apache-2.0
 *
 * One question to each Sentinel until one answers, each with its share of the
 * time left, on a connection that is closed afterwards: masters change seldom,
 * and Sentinels restart without notice. It subscribes to nothing.
 */
#include "store/redis_sentinel.h"

#include "base/clock.h"
#include "store/redis_connection.h"

static enum nd_status read_answer(const struct nd_redis_reply *reply,
                                  const char *name, struct nd_arena *arena,
                                  struct nd_error *error,
                                  struct nd_redis_endpoint *master_r)
{
    if (reply->type == ND_REDIS_ERROR)
        return nd_fail(error, ND_UNAVAILABLE, "Sentinel: %s", reply->text);
    const struct nd_redis_reply *host = nd_redis_item(reply, 0);
    int64_t port = nd_redis_number(nd_redis_item(reply, 1));
    if (host->type != ND_REDIS_STRING || port <= 0 || port > UINT16_MAX)
        return nd_fail(error, ND_UNAVAILABLE,
                       "Sentinel: knows no master named %s", name);
    *master_r = (struct nd_redis_endpoint){
        .host = nd_arena_strndup(arena, host->text, host->length),
        .port = (uint16_t)port};
    return ND_OK;
}

static enum nd_status ask_one(const struct nd_redis_options *options,
                              size_t index, int64_t deadline_us,
                              struct nd_arena *arena, struct nd_error *error,
                              struct nd_redis_endpoint *master_r)
{
    const char *words[] = {"SENTINEL", "get-master-addr-by-name",
                           options->master, NULL};
    struct nd_redis_connection *connection;
    enum nd_status status = nd_redis_connection_open(
        &options->sentinels[index], options, &options->sentinel_login, false,
        deadline_us, error, &connection);
    if (status != ND_OK)
        return status;
    const struct nd_redis_reply *reply;
    status =
        nd_redis_connection_call(connection, words, deadline_us, error, &reply);
    if (status == ND_OK)
        status = read_answer(reply, options->master, arena, error, master_r);
    nd_redis_connection_close(&connection);
    return status;
}

enum nd_status nd_redis_sentinel_find(const struct nd_redis_options *options,
                                      int64_t deadline_us,
                                      struct nd_arena *arena,
                                      struct nd_error *error, size_t *first,
                                      struct nd_redis_endpoint *master_r)
{
    size_t count = options->sentinel_count;
    enum nd_status status = ND_UNAVAILABLE;
    for (size_t i = 0; i < count; i++) {
        size_t index = (*first + i) % count;
        int64_t now_us = nd_clock_monotonic_us();
        int64_t share_us = (deadline_us - now_us) / (int64_t)(count - i);
        status =
            ask_one(options, index, now_us + share_us, arena, error, master_r);
        if (status == ND_OK) {
            *first = index;
            return ND_OK;
        }
    }
    return status;
}
