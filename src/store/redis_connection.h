/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection to one Redis server: commands out, replies in, pipelined.
 * It never reconnects; that is the client's business (redis_client.h).
 */
#ifndef ND_STORE_REDIS_CONNECTION_H
#define ND_STORE_REDIS_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "store/redis_reply.h"
#include "store/redis_url.h"

/* An argument of a command: any bytes. */
struct nd_redis_argument {
    const void *data;
    size_t length;
};

struct nd_redis_connection;

/* Connects and logs in; database is selected where select is set. Deadlines
 * are of the monotonic clock, in microseconds. ND_UNAVAILABLE; ND_PERMISSION
 * where the login is refused; ND_CONFIG. */
enum nd_status nd_redis_connection_open(
    const struct nd_redis_endpoint *endpoint,
    const struct nd_redis_options *options, const struct nd_redis_login *login,
    bool select, int64_t deadline_us, struct nd_error *error,
    struct nd_redis_connection **connection_r) ND_MUST_CHECK;
void nd_redis_connection_close(struct nd_redis_connection **connection);

/* Adds a command to those that go out with the next flush. */
void nd_redis_connection_queue(struct nd_redis_connection *connection,
                               const struct nd_redis_argument *arguments,
                               size_t count);

/* Sends what is queued. ND_UNAVAILABLE: some of it may have arrived. */
enum nd_status nd_redis_connection_flush(struct nd_redis_connection *connection,
                                         int64_t deadline_us,
                                         struct nd_error *error) ND_MUST_CHECK;

/* Waits for the next reply, which lives until nd_redis_connection_forget.
 * After a failure the connection is broken: close it. */
enum nd_status nd_redis_connection_receive(
    struct nd_redis_connection *connection, int64_t deadline_us,
    struct nd_error *error,
    const struct nd_redis_reply **reply_r) ND_MUST_CHECK;

/* Frees all replies given so far. */
void nd_redis_connection_forget(struct nd_redis_connection *connection);

/* Queue, flush and receive of one command made of words. The last argument is
 * NULL. An error reply is a reply, not a failure. */
enum nd_status nd_redis_connection_call(
    struct nd_redis_connection *connection, const char *const *words,
    int64_t deadline_us, struct nd_error *error,
    const struct nd_redis_reply **reply_r) ND_MUST_CHECK;

/* What the server says that it is. */
enum nd_redis_role { ND_REDIS_MASTER, ND_REDIS_REPLICA, ND_REDIS_OTHER };

/* Asks ROLE; for a replica master_r, in arena, is where its master is. */
enum nd_status nd_redis_connection_role(
    struct nd_redis_connection *connection, int64_t deadline_us,
    struct nd_arena *arena, struct nd_error *error, enum nd_redis_role *role_r,
    struct nd_redis_endpoint *master_r) ND_MUST_CHECK;

#endif
