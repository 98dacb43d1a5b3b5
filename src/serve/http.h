/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP server: from sockets to requests, and from answers to the wire.
 */
#ifndef ND_SERVE_HTTP_H
#define ND_SERVE_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "serve/service.h"

struct nd_http_options {
    struct nd_service *service; /* borrowed */
    const int *sockets;         /* listening; taken over, also on failure */
    size_t socket_count;
    unsigned threads;     /* that serve connections, for each socket */
    unsigned connections; /* at most, for each socket */
    int64_t request_ms;   /* for a request to come in whole, or an answer to
                             go out */
    int64_t idle_ms;      /* between requests, header included */
};

struct nd_http;

/* Starts to serve. ND_OS. */
enum nd_status nd_http_start(const struct nd_http_options *options,
                             struct nd_error *error,
                             struct nd_http **http_r) ND_MUST_CHECK;

/* Once a second: ends connections that take too long. */
void nd_http_sweep(struct nd_http *http);

/* Takes no more connections, answers new requests with 503, and waits until
 * none is under way, at most wait_ms. */
void nd_http_quiesce(struct nd_http *http, int64_t wait_ms);

/* Ends all connections, the sockets and the threads. Requests that wait for
 * the host have to come back first: stop the host before. Accepts NULL and
 * clears *http. */
void nd_http_stop(struct nd_http **http);

#endif
