/* SPDX-License-Identifier: Apache-2.0
 *
 * What is checked of a request by its header alone, before its body is read.
 */
#ifndef ND_SERVE_GATE_H
#define ND_SERVE_GATE_H

#include "serve/request.h"

/* Values of headers; NULL where there is none. */
struct nd_request_head {
    const char *method, *path;
    const char *content_type, *content_length, *transfer_encoding;
    const char *authorization;
    size_t length_count; /* of the header Content-Length */
    bool near;           /* this machine */
    uint64_t client;     /* its address hashed */
};

/* Finds the route and checks access, rate, body and parameters; request has
 * its service, its settings and its parameters. Where something is wrong the
 * request is answered (code is not 0) and body_bytes says how much of a body
 * is still to come. Else held_r gets how many bytes of the body are kept; they
 * are counted as held, and the caller takes them off. */
void nd_gate_check(struct nd_request *request,
                   const struct nd_request_head *head, uint64_t *held_r);

#endif
