/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes to and from a Redis server over TCP, a unix socket, or TLS, each step
 * within a deadline. Knows nothing of what the bytes mean.
 */
#ifndef ND_STORE_REDIS_TRANSPORT_H
#define ND_STORE_REDIS_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "store/redis_url.h"

/* One owner at a time. Deadlines are microseconds of the monotonic clock
 * (nd_clock_monotonic_us). After any failure only close is of use. */
struct nd_redis_transport;

/* Connects to endpoint, over TLS where options says so. ND_UNAVAILABLE where
 * nobody answers in time or the certificate does not hold; ND_CONFIG. */
enum nd_status nd_redis_transport_open(
    const struct nd_redis_endpoint *endpoint,
    const struct nd_redis_options *options, int64_t deadline_us,
    struct nd_error *error,
    struct nd_redis_transport **transport_r) ND_MUST_CHECK;
void nd_redis_transport_close(struct nd_redis_transport **transport);

/* Hands all of data to the system. ND_UNAVAILABLE: some of it may have gone
 * out. */
enum nd_status nd_redis_transport_send(struct nd_redis_transport *transport,
                                       const void *data, size_t length,
                                       int64_t deadline_us,
                                       struct nd_error *error) ND_MUST_CHECK;

/* Waits for bytes and answers at least one. ND_UNAVAILABLE where the other
 * side has closed or time is up. */
enum nd_status nd_redis_transport_receive(struct nd_redis_transport *transport,
                                          void *data_r, size_t size,
                                          int64_t deadline_us,
                                          struct nd_error *error,
                                          size_t *got_r) ND_MUST_CHECK;

#endif
