/* SPDX-License-Identifier: Apache-2.0
 *
 * A store's line to its Redis master: connects when it must, finds the master
 * anew after a failover, sends commands in one round trip, and says of a
 * failure whether the server may have acted.
 */
#ifndef ND_STORE_REDIS_CLIENT_H
#define ND_STORE_REDIS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "store/redis_connection.h"
#include "store/redis_url.h"

/* One owner at a time. */
struct nd_redis_client;

struct nd_redis_command {
    const struct nd_redis_argument *arguments;
    size_t count;
};

/* Commands that go out together, pipelined. */
struct nd_redis_request {
    const struct nd_redis_command *commands;
    size_t count;
    bool writes;  /* a failure after sending is ND_UNCERTAIN */
    bool once;    /* never sent a second time, as a repeat would count twice */
    bool durable; /* a WAIT for options.wait_replicas goes behind */
    bool uncertain; /* an earlier sending may have acted; kept up to date */
    bool lenient; /* a first command refused for want of memory is no failure */
};

#define ND_REDIS_MAX_COMMANDS 4

/* Does not connect yet. options and its strings must outlive the client;
 * timeout_ms bounds each exchange. */
struct nd_redis_client *nd_redis_client_create(
    const struct nd_redis_options *options, int64_t timeout_ms) ND_MUST_CHECK;
void nd_redis_client_destroy(struct nd_redis_client **client);

/* Sends request and answers its replies (count of them), which live until the
 * next exchange. Error replies of the kinds in nd_redis_reply_status are
 * failures; NOSCRIPT is a reply. A broken connection is opened again, and the
 * request repeated within the time (not where once is set).
 * ND_UNAVAILABLE: it did not act. ND_UNCERTAIN: it may have, or too few
 * replicas have it. ND_FULL, ND_PERMISSION, ND_CONFIG (a Redis Cluster), or
 * ND_VERSION as the scripts say. */
enum nd_status nd_redis_client_exchange(
    struct nd_redis_client *client, struct nd_redis_request *request,
    struct nd_error *error,
    const struct nd_redis_reply **replies_r) ND_MUST_CHECK;

/* One command of plain words (NULL at the end), as an exchange. */
enum nd_status nd_redis_client_ask(
    struct nd_redis_client *client, const char *const *words, bool writes,
    struct nd_error *error,
    const struct nd_redis_reply **reply_r) ND_MUST_CHECK;

/* Waits for a message on a connection that was subscribed by an exchange, at
 * most timeout_ms; ND_NOTHING when time is up. ND_UNAVAILABLE where the
 * connection is lost, and the subscription with it. */
enum nd_status nd_redis_client_await(struct nd_redis_client *client,
                                     int64_t timeout_ms,
                                     struct nd_error *error) ND_MUST_CHECK;

/* Whether there is a connection; a subscription lives as long as it. */
bool nd_redis_client_is_connected(const struct nd_redis_client *client);

/* Connections made so far, for tests and figures. */
uint64_t nd_redis_client_connects(const struct nd_redis_client *client);
/* Exchanges that went out so far: round trips. */
uint64_t nd_redis_client_trips(const struct nd_redis_client *client);

/* What an error reply means; ND_OK for any other reply. */
enum nd_status nd_redis_reply_status(const struct nd_redis_reply *reply,
                                     struct nd_error *error);

#endif
