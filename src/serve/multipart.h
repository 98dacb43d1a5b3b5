/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies of several parts (RFC 2046, RFC 7578), in memory.
 */
#ifndef ND_SERVE_MULTIPART_H
#define ND_SERVE_MULTIPART_H

#include <stddef.h>

#include "base/memory.h"
#include "base/status.h"

#define ND_MAX_BODY_PARTS 8

struct nd_body_part {
    const char *type; /* Content-Type, NULL without one; the arena's */
    const char *name; /* of Content-Disposition, NULL without one */
    const char *data; /* inside the body */
    size_t length;
};

/* Takes a body, text, apart at the boundary of its content type. parts_r holds
 * ND_MAX_BODY_PARTS. ND_DATA names what is wrong: no boundary, no part, no end,
 * a header that is none; ND_LIMIT: too many parts, or a header too long. */
enum nd_status nd_multipart_read(const char *content_type, const char *text,
                                 size_t length, struct nd_arena *arena,
                                 struct nd_error *error,
                                 struct nd_body_part *parts_r,
                                 size_t *count_r) ND_MUST_CHECK;

#endif
