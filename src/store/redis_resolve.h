/* SPDX-License-Identifier: Apache-2.0
 *
 * Host names to addresses within a deadline, which getaddrinfo alone does not
 * keep.
 */
#ifndef ND_STORE_REDIS_RESOLVE_H
#define ND_STORE_REDIS_RESOLVE_H

#include <netdb.h>
#include <stdint.h>

#include "base/status.h"

/* The TCP addresses of host; freed with freeaddrinfo. deadline_us is on the
 * monotonic clock. ND_UNAVAILABLE where there are none, or not in time.
 * Thread-safe. */
enum nd_status nd_redis_resolve(const char *host, uint16_t port,
                                int64_t deadline_us, struct nd_error *error,
                                struct addrinfo **addresses_r) ND_MUST_CHECK;

#endif
