/* SPDX-License-Identifier: Apache-2.0
 *
 * A non-blocking socket, with or without TLS, and one place where waiting
 * happens (await), so that no path can outlast its deadline. Several addresses
 * of a name are tried in turn, each with its share of the time left.
 * Reconnecting is the client's business (redis_client.c).
 */
#include "store/redis_transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/redis_resolve.h"
#include "store/redis_tls.h"

#define SEND_PIECE_BYTES (256U * 1024U)
#define GLANCE_MS 100 /* between two looks at whether to go on waiting */

struct nd_redis_transport {
    int socket;
    struct nd_redis_tls *tls; /* NULL: in the clear */
    char name[ND_REDIS_ENDPOINT_TEXT_BYTES];
    const atomic_bool *interrupt; /* may be NULL */
};

/* Whom is waited for, and how long. */
struct patience {
    const char *name;
    int64_t deadline_us;
    const atomic_bool *interrupt;
};

static struct patience patience_of(const struct nd_redis_transport *transport,
                                   int64_t deadline_us)
{
    return (struct patience){transport->name, deadline_us,
                             transport->interrupt};
}

static int glance_ms(const struct patience *patience, int64_t left_us)
{
    int64_t left_ms = (left_us + 999) / 1000;
    int64_t most_ms = patience->interrupt != NULL ? GLANCE_MS : INT32_MAX;
    return (int)(left_ms < most_ms ? left_ms : most_ms);
}

/* Waits until the socket can do what events asks for. */
static enum nd_status await(int socket, short events,
                            const struct patience *patience,
                            struct nd_error *error)
{
    for (;;) {
        int64_t left_us = patience->deadline_us - nd_clock_monotonic_us();
        if (left_us <= 0)
            return nd_fail(error, ND_UNAVAILABLE,
                           "Redis at %s: no answer in time", patience->name);
        if (patience->interrupt != NULL && atomic_load(patience->interrupt))
            return nd_fail(error, ND_UNAVAILABLE,
                           "Redis at %s: not waited for any longer",
                           patience->name);
        struct pollfd poll_entry = {.fd = socket, .events = events};
        int ready = poll(&poll_entry, 1, glance_ms(patience, left_us));
        if (ready > 0)
            return ND_OK;
        if (ready < 0 && errno != EINTR)
            return nd_fail(error, ND_UNAVAILABLE, "Redis at %s: %s",
                           patience->name, strerror(errno));
    }
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

static enum nd_status lost(const struct nd_redis_transport *transport,
                           const char *why, struct nd_error *error)
{
    return nd_fail(error, ND_UNAVAILABLE, "Redis at %s: connection lost: %s",
                   transport->name, why);
}

/* ---- connecting ---- */

static enum nd_status connect_socket(int socket, const struct sockaddr *address,
                                     socklen_t length,
                                     const struct patience *patience,
                                     struct nd_error *error)
{
    if (connect(socket, address, length) == 0)
        return ND_OK;
    if (errno != EINPROGRESS && errno != EINTR)
        return nd_fail(error, ND_UNAVAILABLE, "Redis at %s: %s", patience->name,
                       strerror(errno));
    enum nd_status status = await(socket, POLLOUT, patience, error);
    if (status != ND_OK)
        return status;
    int failure = 0;
    socklen_t size = sizeof(failure);
    if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &failure, &size) != 0)
        failure = errno;
    if (failure != 0)
        return nd_fail(error, ND_UNAVAILABLE, "Redis at %s: %s", patience->name,
                       strerror(failure));
    return ND_OK;
}

static enum nd_status open_socket(int family, const struct sockaddr *address,
                                  socklen_t length,
                                  const struct patience *patience,
                                  struct nd_error *error, int *socket_r)
{
    int handle = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (handle < 0)
        return nd_fail_errno(error, "Redis at %s: socket", patience->name);
    if (family != AF_UNIX) {
        int on = 1;
        (void)setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void)setsockopt(handle, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    }
    enum nd_status status =
        connect_socket(handle, address, length, patience, error);
    if (status == ND_OK)
        *socket_r = handle;
    else
        (void)close(handle);
    return status;
}

static enum nd_status open_unix(const char *path,
                                const struct patience *patience,
                                struct nd_error *error, int *socket_r)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return nd_fail(error, ND_CONFIG,
                       "Redis socket %s: a path has at most %zu bytes", path,
                       sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    return open_socket(AF_UNIX, (const struct sockaddr *)&address,
                       sizeof(address), patience, error, socket_r);
}

static int64_t count_addresses(const struct addrinfo *address)
{
    int64_t count = 0;
    for (; address != NULL; address = address->ai_next)
        count++;
    return count;
}

static enum nd_status open_tcp(const struct nd_redis_endpoint *endpoint,
                               const struct patience *patience,
                               struct nd_error *error, int *socket_r)
{
    struct addrinfo *addresses;
    enum nd_status status =
        nd_redis_resolve(endpoint->host, endpoint->port, patience->deadline_us,
                         error, &addresses);
    if (status != ND_OK)
        return status;
    status = ND_UNAVAILABLE;
    for (struct addrinfo *address = addresses;
         address != NULL && status != ND_OK; address = address->ai_next) {
        int64_t now_us = nd_clock_monotonic_us();
        int64_t left_us = patience->deadline_us - now_us;
        struct patience share = *patience;
        share.deadline_us = now_us + left_us / count_addresses(address);
        status = open_socket(address->ai_family, address->ai_addr,
                             address->ai_addrlen, &share, error, socket_r);
    }
    freeaddrinfo(addresses);
    return status;
}

/* Turns what TLS wants into waiting; ND_TEMPORARY means: try again. */
static enum nd_status serve_tls(struct nd_redis_transport *transport,
                                enum nd_redis_tls_want want,
                                int64_t deadline_us, struct nd_error *error)
{
    short events = want == ND_REDIS_TLS_WANTS_READ ? POLLIN : POLLOUT;
    struct patience patience = patience_of(transport, deadline_us);
    enum nd_status status;
    switch (want) {
    case ND_REDIS_TLS_DONE:
        return ND_OK;
    case ND_REDIS_TLS_CLOSED:
        return lost(transport, "closed by the server", error);
    case ND_REDIS_TLS_FAILED:
        return ND_UNAVAILABLE;
    default:
        status = await(transport->socket, events, &patience, error);
        return status == ND_OK ? ND_TEMPORARY : status;
    }
}

static enum nd_status start_tls(struct nd_redis_transport *transport,
                                const struct nd_redis_options *options,
                                const char *host, int64_t deadline_us,
                                struct nd_error *error)
{
    enum nd_status status = nd_redis_tls_create(transport->socket, options,
                                                host, error, &transport->tls);
    if (status != ND_OK)
        return status;
    do {
        status =
            serve_tls(transport, nd_redis_tls_handshake(transport->tls, error),
                      deadline_us, error);
    } while (status == ND_TEMPORARY);
    return status;
}

enum nd_status nd_redis_transport_open(const struct nd_redis_endpoint *endpoint,
                                       const struct nd_redis_options *options,
                                       int64_t deadline_us,
                                       struct nd_error *error,
                                       struct nd_redis_transport **transport_r)
{
    struct nd_redis_transport *transport = nd_calloc(1, sizeof(*transport));
    transport->socket = -1;
    transport->interrupt = options->interrupt;
    nd_redis_endpoint_text(endpoint, transport->name);
    struct patience patience = patience_of(transport, deadline_us);
    enum nd_status status;
    if (endpoint->path != NULL)
        status =
            open_unix(endpoint->path, &patience, error, &transport->socket);
    else
        status = open_tcp(endpoint, &patience, error, &transport->socket);
    if (status == ND_OK && options->tls)
        status =
            start_tls(transport, options, endpoint->host, deadline_us, error);
    if (status == ND_OK)
        *transport_r = transport;
    else
        nd_redis_transport_close(&transport);
    return status;
}

void nd_redis_transport_close(struct nd_redis_transport **transport)
{
    if (transport == NULL || *transport == NULL)
        return;
    nd_redis_tls_destroy(&(*transport)->tls);
    if ((*transport)->socket >= 0)
        (void)close((*transport)->socket);
    free(*transport);
    *transport = NULL;
}

/* ---- moving bytes ---- */

static enum nd_status send_plain(struct nd_redis_transport *transport,
                                 const void *data, size_t length,
                                 int64_t deadline_us, struct nd_error *error,
                                 size_t *sent_r)
{
    ssize_t sent = send(transport->socket, data, length, MSG_NOSIGNAL);
    if (sent >= 0) {
        *sent_r = (size_t)sent;
        return ND_OK;
    }
    if (errno == EINTR)
        return ND_TEMPORARY;
    if (!would_block())
        return lost(transport, strerror(errno), error);
    struct patience patience = patience_of(transport, deadline_us);
    enum nd_status status = await(transport->socket, POLLOUT, &patience, error);
    return status == ND_OK ? ND_TEMPORARY : status;
}

enum nd_status nd_redis_transport_send(struct nd_redis_transport *transport,
                                       const void *data, size_t length,
                                       int64_t deadline_us,
                                       struct nd_error *error)
{
    const char *bytes = data;
    while (length > 0) {
        size_t piece = length < SEND_PIECE_BYTES ? length : SEND_PIECE_BYTES;
        size_t sent = 0;
        enum nd_status status;
        if (transport->tls != NULL)
            status = serve_tls(
                transport,
                nd_redis_tls_write(transport->tls, bytes, piece, error, &sent),
                deadline_us, error);
        else
            status =
                send_plain(transport, bytes, piece, deadline_us, error, &sent);
        if (status != ND_OK && status != ND_TEMPORARY)
            return status;
        bytes += sent;
        length -= sent;
    }
    return ND_OK;
}

static enum nd_status receive_plain(struct nd_redis_transport *transport,
                                    void *data, size_t size,
                                    int64_t deadline_us, struct nd_error *error,
                                    size_t *got_r)
{
    ssize_t got = recv(transport->socket, data, size, 0);
    if (got > 0) {
        *got_r = (size_t)got;
        return ND_OK;
    }
    if (got == 0)
        return lost(transport, "closed by the server", error);
    if (errno == EINTR)
        return ND_TEMPORARY;
    if (!would_block())
        return lost(transport, strerror(errno), error);
    struct patience patience = patience_of(transport, deadline_us);
    enum nd_status status = await(transport->socket, POLLIN, &patience, error);
    return status == ND_OK ? ND_TEMPORARY : status;
}

enum nd_status nd_redis_transport_receive(struct nd_redis_transport *transport,
                                          void *data_r, size_t size,
                                          int64_t deadline_us,
                                          struct nd_error *error, size_t *got_r)
{
    enum nd_status status;
    do {
        if (transport->tls != NULL)
            status = serve_tls(
                transport,
                nd_redis_tls_read(transport->tls, data_r, size, error, got_r),
                deadline_us, error);
        else
            status = receive_plain(transport, data_r, size, deadline_us, error,
                                   got_r);
    } while (status == ND_TEMPORARY);
    return status;
}
