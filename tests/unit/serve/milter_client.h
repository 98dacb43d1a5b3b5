/* SPDX-License-Identifier: Apache-2.0
 *
 * A mail server, as far as a milter can tell: speaks the milter protocol
 * (version 6) with no library of the other side's.
 */
#ifndef ND_TESTS_MILTER_CLIENT_H
#define ND_TESTS_MILTER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct milter_client {
    int socket;
    uint32_t actions, steps; /* as agreed */
};

/* How one message ended: the answer's letter ('a' accept, 'c' continue, 't'
 * tempfail, 'r' reject, 0: the connection was closed), and before it each
 * change on a line: "i NAME: VALUE", "m INDEX NAME: VALUE", "q REASON". */
struct milter_end {
    char answer;
    struct nd_buffer changes;
};

/* Connects to a port of 127.0.0.1 and agrees on steps; false where nobody
 * answers. */
bool milter_connect(struct milter_client *client, int port, uint32_t steps);
void milter_close(struct milter_client *client);

/* What a mail server tells. Each waits for the answer unless none was agreed
 * on; false: the connection is gone, or the answer was not "continue". */
bool milter_tell_client(struct milter_client *client);
bool milter_tell_macro(struct milter_client *client, char command,
                       const char *name, const char *value);
bool milter_tell_sender(struct milter_client *client, const char *sender);
bool milter_tell_header(struct milter_client *client, const char *name,
                        const char *value);
bool milter_tell_body(struct milter_client *client, const char *text,
                      size_t length);
bool milter_abort(struct milter_client *client);
/* The end of the message; the caller frees end_r->changes. */
void milter_finish(struct milter_client *client, struct milter_end *end_r);

/* A whole message with this header field more (name NULL: none). */
void milter_send(struct milter_client *client, const char *name,
                 const char *value, struct milter_end *end_r);

/* The port that a listening socket has. */
int milter_port(int listener);

#endif
