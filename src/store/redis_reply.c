/* SPDX-License-Identifier: Apache-2.0
 *
 * hiredis's reader does the parsing and no input or output; the objects that
 * it builds are ours, so that they come from an arena and that the memory they
 * take is bounded by what was really received: an array's length is a promise
 * of the server, and its elements are counted before memory is taken.
 */
#include "store/redis_reply.h"

#include <hiredis/read.h>
#include <stdlib.h>
#include <string.h>

struct nd_redis_parser {
    redisReader *reader;
    struct nd_arena *arena;
    size_t most_bytes;
    size_t pending_bytes; /* fed since the last whole reply */
    size_t elements;      /* of the reply being built */
    bool too_large;
};

static const struct nd_redis_reply nothing = {.type = ND_REDIS_NIL};

static struct nd_redis_parser *parser_of(const redisReadTask *task)
{
    return task->privdata;
}

/* Puts a reply into the array that it is an item of. */
static void *attach(const redisReadTask *task, struct nd_redis_reply *reply)
{
    if (task->parent != NULL) {
        struct nd_redis_reply *parent = task->parent->obj;
        parent->items[task->idx] = reply;
    }
    return reply;
}

static struct nd_redis_reply *make(const redisReadTask *task,
                                   enum nd_redis_reply_type type)
{
    struct nd_redis_reply *reply =
        nd_arena_take(parser_of(task)->arena, sizeof(*reply));
    *reply = (struct nd_redis_reply){.type = type};
    return reply;
}

static void *create_string(const redisReadTask *task, char *text, size_t length)
{
    struct nd_redis_reply *reply =
        make(task, task->type == REDIS_REPLY_ERROR ? ND_REDIS_ERROR
                                                   : ND_REDIS_STRING);
    reply->text = nd_arena_strndup(parser_of(task)->arena, text, length);
    reply->length = length;
    return attach(task, reply);
}

static void *create_array(const redisReadTask *task, int count)
{
    struct nd_redis_parser *parser = parser_of(task);
    if (count < 0 ||
        (size_t)count > ND_REDIS_MAX_REPLY_ELEMENTS - parser->elements) {
        parser->too_large = true;
        return NULL;
    }
    parser->elements += (size_t)count;
    struct nd_redis_reply *reply = make(task, ND_REDIS_ARRAY);
    reply->length = (size_t)count;
    reply->items =
        nd_arena_take(parser->arena, (size_t)count * sizeof(*reply->items) + 1);
    for (int i = 0; i < count; i++)
        reply->items[i] = NULL;
    return attach(task, reply);
}

static void *create_integer(const redisReadTask *task, long long value)
{
    struct nd_redis_reply *reply = make(task, ND_REDIS_INTEGER);
    reply->integer = value;
    return attach(task, reply);
}

static void *create_nil(const redisReadTask *task)
{
    return attach(task, make(task, ND_REDIS_NIL));
}

static void free_nothing(void *reply)
{
    /* the arena owns it */
}

static redisReplyObjectFunctions builders = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_nothing,
};

struct nd_redis_parser *nd_redis_parser_create(struct nd_arena *arena,
                                               size_t most_bytes)
{
    struct nd_redis_parser *parser = nd_calloc(1, sizeof(*parser));
    parser->arena = arena;
    parser->most_bytes = most_bytes > 0 ? most_bytes : ND_REDIS_MAX_REPLY_BYTES;
    parser->reader = redisReaderCreateWithFunctions(&builders);
    if (parser->reader == NULL)
        abort(); /* out of memory, as in base/memory.h */
    parser->reader->privdata = parser;
    return parser;
}

void nd_redis_parser_destroy(struct nd_redis_parser **parser)
{
    if (parser == NULL || *parser == NULL)
        return;
    redisReaderFree((*parser)->reader);
    free(*parser);
    *parser = NULL;
}

static enum nd_status too_large(const struct nd_redis_parser *parser,
                                struct nd_error *error)
{
    return nd_fail(error, ND_LIMIT,
                   "Redis: a reply over the limit of %zu bytes or %u elements",
                   parser->most_bytes, ND_REDIS_MAX_REPLY_ELEMENTS);
}

enum nd_status nd_redis_parser_feed(struct nd_redis_parser *parser,
                                    const void *data, size_t length,
                                    struct nd_error *error)
{
    if (length > parser->most_bytes - parser->pending_bytes)
        return too_large(parser, error);
    parser->pending_bytes += length;
    if (redisReaderFeed(parser->reader, data, length) != REDIS_OK)
        return nd_fail(error, ND_DATA, "Redis: %s", parser->reader->errstr);
    return ND_OK;
}

enum nd_status nd_redis_parser_next(struct nd_redis_parser *parser,
                                    struct nd_error *error,
                                    const struct nd_redis_reply **reply_r)
{
    void *reply = NULL;
    if (redisReaderGetReply(parser->reader, &reply) != REDIS_OK) {
        if (parser->too_large)
            return too_large(parser, error);
        return nd_fail(error, ND_DATA, "Redis: malformed reply: %s",
                       parser->reader->errstr);
    }
    if (reply != NULL) {
        parser->elements = 0;
        parser->pending_bytes = parser->reader->len - parser->reader->pos;
    }
    *reply_r = reply;
    return ND_OK;
}

bool nd_redis_is_error(const struct nd_redis_reply *reply, const char *code)
{
    size_t length = strlen(code);
    return reply->type == ND_REDIS_ERROR && reply->length >= length &&
           memcmp(reply->text, code, length) == 0 &&
           (reply->text[length] == ' ' || reply->text[length] == '\0');
}

const struct nd_redis_reply *nd_redis_item(const struct nd_redis_reply *reply,
                                           size_t index)
{
    if (reply->type != ND_REDIS_ARRAY || index >= reply->length ||
        reply->items[index] == NULL)
        return &nothing;
    return reply->items[index];
}

int64_t nd_redis_number(const struct nd_redis_reply *reply)
{
    if (reply->type == ND_REDIS_INTEGER)
        return reply->integer;
    if (reply->type != ND_REDIS_STRING)
        return 0;
    return strtoll(reply->text, NULL, 10);
}

uint64_t nd_redis_count(const struct nd_redis_reply *reply)
{
    int64_t number = nd_redis_number(reply);
    return number > 0 ? (uint64_t)number : 0;
}
