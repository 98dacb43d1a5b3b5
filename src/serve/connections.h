/* SPDX-License-Identifier: Apache-2.0
 *
 * The connections that are open, each with the time when it has to be done
 * with what it is doing.
 */
#ifndef ND_SERVE_CONNECTIONS_H
#define ND_SERVE_CONNECTIONS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/status.h"

struct nd_connection {
    int socket;
    bool near;       /* this machine: loopback, or a unix socket */
    uint64_t client; /* its address hashed, for the rate limit */
    atomic_int_least64_t deadline_us; /* monotonic; 0: none */
    struct nd_connection *previous, *next;
};

struct nd_connections;

/* An empty table. */
struct nd_connections *nd_connections_create(void) ND_MUST_CHECK;
/* None is open any more. Accepts NULL and clears *connections. */
void nd_connections_destroy(struct nd_connections **connections);

/* Notes one that was accepted; address may be NULL. Any thread. */
struct nd_connection *nd_connections_add(struct nd_connections *connections,
                                         int socket,
                                         const struct sockaddr *address);
/* Forgets it, before its socket is closed. Any thread. */
void nd_connections_remove(struct nd_connections *connections,
                           struct nd_connection *connection);

/* Shuts down those whose deadline has passed, and answers how many. Their
 * owner then sees the end and removes them. Any thread. */
size_t nd_connections_sweep(struct nd_connections *connections, int64_t now_us);

#endif
