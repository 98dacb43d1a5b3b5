/* SPDX-License-Identifier: Apache-2.0
 *
 * libmicrohttpd ends connections that are silent, but not those that send a
 * byte now and then. So each state of a connection gets a deadline here, and a
 * sweep once a second ends those that are past it. The lock keeps a socket's
 * number from being used again while it is shut down.
 */
#include "serve/connections.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct nd_connections {
    pthread_mutex_t lock;
    struct nd_connection *first;
};

struct nd_connections *nd_connections_create(void)
{
    struct nd_connections *connections = nd_calloc(1, sizeof(*connections));
    (void)pthread_mutex_init(&connections->lock, NULL);
    return connections;
}

void nd_connections_destroy(struct nd_connections **connections)
{
    if (connections == NULL || *connections == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&(*connections)->lock);
    free(*connections);
    *connections = NULL;
}

/* Any number that is the same for one address, whatever its port. */
static uint64_t hash_bytes(const void *data, size_t length)
{
    const unsigned char *bytes = data;
    uint64_t hash = 0xcbf29ce484222325U;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3U;
    }
    return hash ^ hash >> 29;
}

static void describe(struct nd_connection *connection,
                     const struct sockaddr *address)
{
    if (address == NULL || address->sa_family == AF_UNIX) {
        connection->near = true;
    } else if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        connection->near = ntohl(in.sin_addr.s_addr) >> 24 == 127;
        connection->client = hash_bytes(&in.sin_addr, sizeof(in.sin_addr));
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, address, sizeof(in));
        connection->near = IN6_IS_ADDR_LOOPBACK(&in.sin6_addr) ||
                           (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr) &&
                            in.sin6_addr.s6_addr[12] == 127);
        connection->client = hash_bytes(&in.sin6_addr, sizeof(in.sin6_addr));
    }
}

struct nd_connection *nd_connections_add(struct nd_connections *connections,
                                         int socket,
                                         const struct sockaddr *address)
{
    struct nd_connection *connection = nd_calloc(1, sizeof(*connection));
    connection->socket = socket;
    describe(connection, address);
    (void)pthread_mutex_lock(&connections->lock);
    connection->next = connections->first;
    if (connection->next != NULL) {
        connection->next->previous = connection;
    }
    connections->first = connection;
    (void)pthread_mutex_unlock(&connections->lock);
    return connection;
}

void nd_connections_remove(struct nd_connections *connections,
                           struct nd_connection *connection)
{
    (void)pthread_mutex_lock(&connections->lock);
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        connections->first = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    (void)pthread_mutex_unlock(&connections->lock);
    free(connection);
}

size_t nd_connections_sweep(struct nd_connections *connections, int64_t now_us)
{
    size_t cut = 0;
    (void)pthread_mutex_lock(&connections->lock);
    for (struct nd_connection *connection = connections->first;
         connection != NULL; connection = connection->next) {
        int64_t deadline = atomic_load(&connection->deadline_us);
        if (deadline != 0 && deadline < now_us) {
            (void)shutdown(connection->socket, SHUT_RDWR);
            atomic_store(&connection->deadline_us, 0);
            cut++;
        }
    }
    (void)pthread_mutex_unlock(&connections->lock);
    return cut;
}
