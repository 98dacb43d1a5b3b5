/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes of a Redis server, fed in pieces whose sizes come from the input.
 * Whatever is accepted must be readable to its end, and take memory only in
 * proportion to what was sent.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/redis_reply.h"

static size_t walk(const struct nd_redis_reply *reply)
{
    size_t bytes = sizeof(*reply);
    if (reply->type == ND_REDIS_STRING || reply->type == ND_REDIS_ERROR) {
        if (reply->text[reply->length] != '\0')
            abort();
        bytes += reply->length;
    }
    for (size_t i = 0; reply->type == ND_REDIS_ARRAY && i < reply->length; i++)
        bytes += walk(nd_redis_item(reply, i));
    (void)nd_redis_number(reply);
    (void)nd_redis_is_error(reply, "NOSCRIPT");
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_redis_parser *parser = nd_redis_parser_create(arena, 1U << 16);
    struct nd_error error;
    size_t piece = size > 0 ? data[0] % 64 + 1U : 1;
    enum nd_status status = ND_OK;
    for (size_t at = 1; at < size && status == ND_OK; at += piece) {
        size_t length = size - at < piece ? size - at : piece;
        const struct nd_redis_reply *reply = NULL;
        status = nd_redis_parser_feed(parser, data + at, length, &error);
        do {
            reply = NULL;
            if (status == ND_OK)
                status = nd_redis_parser_next(parser, &error, &reply);
            if (status == ND_OK && reply != NULL)
                (void)walk(reply);
        } while (status == ND_OK && reply != NULL);
    }
    if (nd_arena_used(arena) >
        64 * size + (ND_REDIS_MAX_REPLY_ELEMENTS + 1) * 8)
        abort();
    nd_redis_parser_destroy(&parser);
    nd_arena_destroy(&arena);
    return 0;
}
