/* SPDX-License-Identifier: Apache-2.0
 *
 * Routes: which handler a method and a path belong to, and what it asks for.
 */
#ifndef ND_SERVE_ROUTE_H
#define ND_SERVE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "serve/access.h"
#include "serve/route_table.h"

struct nd_request;

/* Types of body, a mask. */
#define ND_TAKES_NOTHING 1U
#define ND_TAKES_MESSAGE 2U /* message/rfc822 */
#define ND_TAKES_JSON 4U    /* application/json */
#define ND_TAKES_PARTS 8U   /* multipart/form-data, multipart/mixed */
#define ND_TAKES_MAIL (ND_TAKES_MESSAGE | ND_TAKES_JSON | ND_TAKES_PARTS)

enum nd_route_id {
#define ND_ROUTE_ENUM(id, ...) ND_ROUTE_##id,
    ND_ROUTE_MAP(ND_ROUTE_ENUM)
#undef ND_ROUTE_ENUM
        ND_ROUTE_COUNT
};

/* Fills the request's answer. */
typedef void nd_route_handler(struct nd_request *request);

struct nd_route {
    nd_route_handler *handler;
    const char *method, *path, *name;
    const char *parameters; /* names, separated by blanks */
    const char *text;
    enum nd_route_id id;
    enum nd_access access; /* what it needs */
    uint32_t takes;        /* mask of bodies */
    bool slow;             /* may wait: not on a thread that serves others */
};

/* The table, ND_ROUTE_COUNT long; static. */
const struct nd_route *nd_routes(void);

/* The route of path for method (HEAD is served as GET). parameter_r gets the
 * word in place of "{x}", inside path; else "". NULL where the path is known
 * and the method is not: then allowed (may be NULL) gets the methods that are,
 * "GET, HEAD"; and NULL with nothing there where the path is unknown. */
const struct nd_route *nd_route_find(const char *method, const char *path,
                                     const char **parameter_r,
                                     struct nd_buffer *allowed);

/* The body of a Content-Type, one bit of the mask: ND_TAKES_NOTHING for NULL,
 * and 0 for what no route takes. */
uint32_t nd_route_body(const char *content_type);

/* Whether the route knows a parameter of that name. */
bool nd_route_knows(const struct nd_route *route, const char *name);

#define ND_ROUTE_HANDLER(id, handler, ...) nd_route_handler handler;
/* The handlers, by subject in api_*.c. */
ND_ROUTE_MAP(ND_ROUTE_HANDLER)
#undef ND_ROUTE_HANDLER

#endif
