/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS over a connected, non-blocking socket, by OpenSSL: version 1.2 or
 * later, the server's certificate always checked, for its name too.
 */
#ifndef ND_STORE_REDIS_TLS_H
#define ND_STORE_REDIS_TLS_H

#include <stddef.h>

#include "base/status.h"
#include "store/redis_url.h"

struct nd_redis_tls;

/* What a step of TLS needs before it can go on. */
enum nd_redis_tls_want {
    ND_REDIS_TLS_DONE,
    ND_REDIS_TLS_WANTS_READ,
    ND_REDIS_TLS_WANTS_WRITE,
    ND_REDIS_TLS_CLOSED, /* by the other side */
    ND_REDIS_TLS_FAILED, /* the error text says why */
};

/* Prepares a session on socket (which stays the caller's) with the CA, client
 * certificate and server name of options; host is the name to expect where
 * options has none. ND_CONFIG where a file cannot be used. */
enum nd_status nd_redis_tls_create(int socket,
                                   const struct nd_redis_options *options,
                                   const char *host, struct nd_error *error,
                                   struct nd_redis_tls **tls_r) ND_MUST_CHECK;
void nd_redis_tls_destroy(struct nd_redis_tls **tls);

/* One step each, never waiting: handshake, read (bytes in used_r), write. */
enum nd_redis_tls_want nd_redis_tls_handshake(struct nd_redis_tls *tls,
                                              struct nd_error *error);
enum nd_redis_tls_want nd_redis_tls_read(struct nd_redis_tls *tls, void *data,
                                         size_t size, struct nd_error *error,
                                         size_t *used_r);
enum nd_redis_tls_want nd_redis_tls_write(struct nd_redis_tls *tls,
                                          const void *data, size_t length,
                                          struct nd_error *error,
                                          size_t *used_r);

#endif
