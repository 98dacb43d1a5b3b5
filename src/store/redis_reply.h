/* SPDX-License-Identifier: Apache-2.0
 *
 * Replies of a Redis server: hiredis's parser, building replies in an arena
 * and within limits, since a server may be hostile or broken.
 */
#ifndef ND_STORE_REDIS_REPLY_H
#define ND_STORE_REDIS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

#define ND_REDIS_MAX_REPLY_BYTES (256U << 20)
#define ND_REDIS_MAX_REPLY_ELEMENTS (1U << 20) /* of one reply, all arrays */

enum nd_redis_reply_type {
    ND_REDIS_NIL,
    ND_REDIS_INTEGER,
    ND_REDIS_STRING, /* also a status ("OK") */
    ND_REDIS_ERROR,  /* text: "CODE words" */
    ND_REDIS_ARRAY,
};

struct nd_redis_reply {
    enum nd_redis_reply_type type;
    int64_t integer;
    const char *text; /* strings and errors; a NUL follows */
    size_t length;    /* of text, or of items */
    struct nd_redis_reply **items;
};

struct nd_redis_parser;

/* Replies are built in arena, which must outlive them; most_bytes (0: the
 * limit above) bounds one reply. */
struct nd_redis_parser *nd_redis_parser_create(struct nd_arena *arena,
                                               size_t most_bytes) ND_MUST_CHECK;
void nd_redis_parser_destroy(struct nd_redis_parser **parser);

/* Bytes that arrived. ND_DATA where they cannot be a reply, ND_LIMIT where it
 * grows too large; the parser is then of no more use. */
enum nd_status nd_redis_parser_feed(struct nd_redis_parser *parser,
                                    const void *data, size_t length,
                                    struct nd_error *error) ND_MUST_CHECK;

/* The next whole reply; *reply_r is NULL where more bytes are needed. */
enum nd_status nd_redis_parser_next(
    struct nd_redis_parser *parser, struct nd_error *error,
    const struct nd_redis_reply **reply_r) ND_MUST_CHECK;

/* Whether reply is an error whose code is code ("NOSCRIPT"). */
bool nd_redis_is_error(const struct nd_redis_reply *reply, const char *code);

/* Item index of an array; an empty nil for one that is not there, so that a
 * reader of a malformed reply needs no checks of its own. Never NULL. */
const struct nd_redis_reply *nd_redis_item(const struct nd_redis_reply *reply,
                                           size_t index);

/* A number, given as an integer or as decimal text; 0 for anything else. */
int64_t nd_redis_number(const struct nd_redis_reply *reply);
uint64_t nd_redis_count(const struct nd_redis_reply *reply); /* not below 0 */

#endif
