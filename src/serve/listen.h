/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening sockets, from addresses as people write them and from systemd.
 */
#ifndef ND_SERVE_LISTEN_H
#define ND_SERVE_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct nd_listener {
    int socket;
    char *address;  /* as it was written, or "systemd" */
    char *path;     /* of a unix socket that was made here; NULL */
    bool is_remote; /* others than this machine can reach it */
};

/* Opens address: "HOST:PORT" ("[::1]:11380", "localhost:11380"), or
 * "unix:PATH". A unix socket gets mode 0666: who may reach it is for its folder
 * to say. A socket that nobody listens on any more is replaced. ND_CONFIG for
 * an address that is none, ND_UNAVAILABLE where it is taken, ND_PERMISSION. */
enum nd_status nd_listener_open(const char *address, struct nd_error *error,
                                struct nd_listener *listener_r) ND_MUST_CHECK;

/* Checks an address without opening it. */
enum nd_status nd_listener_check(const char *address,
                                 struct nd_error *error) ND_MUST_CHECK;

/* The sockets that systemd has opened (LISTEN_FDS), at most room; the variables
 * are taken out of the environment. ND_CONFIG where one does not listen. */
enum nd_status nd_listeners_inherit(struct nd_listener *listeners_r,
                                    size_t room, struct nd_error *error,
                                    size_t *count_r) ND_MUST_CHECK;

/* Removes a unix socket's name while it still listens, so that a daemon that
 * starts while this one stops keeps the name that it has made. */
void nd_listener_hide(struct nd_listener *listener);

/* Removes a unix socket's name and frees; the socket itself is closed unless
 * it was given away (-1). */
void nd_listener_close(struct nd_listener *listener);

#endif
