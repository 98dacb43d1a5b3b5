/* SPDX-License-Identifier: Apache-2.0
 *
 * Joins transport and parser: formats commands by hiredis, sends them in one
 * go, and reads replies until a deadline that holds for the whole reply, so
 * that a server that sends a byte now and then cannot hold us.
 */
#include "store/redis_connection.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/hash.h"
#include "store/redis_transport.h"

#define RECEIVE_BYTES (64U * 1024U)
#define MAX_WORDS 8

struct nd_redis_connection {
    struct nd_redis_transport *transport;
    struct nd_redis_parser *parser;
    struct nd_arena *arena;
    struct nd_buffer output;
    char *input; /* RECEIVE_BYTES */
};

void nd_redis_connection_queue(struct nd_redis_connection *connection,
                               const struct nd_redis_argument *arguments,
                               size_t count)
{
    const char **texts = nd_calloc(count, sizeof(*texts));
    size_t *lengths = nd_calloc(count, sizeof(*lengths));
    for (size_t i = 0; i < count; i++) {
        texts[i] = arguments[i].data != NULL ? arguments[i].data : "";
        lengths[i] = arguments[i].length;
    }
    char *command = NULL;
    int length = redisFormatCommandArgv(&command, (int)count, texts, lengths);
    if (length < 0)
        abort(); /* out of memory, as in base/memory.h */
    nd_buffer_append(&connection->output, command, (size_t)length);
    free(command);
    free(lengths);
    free(texts);
}

enum nd_status nd_redis_connection_flush(struct nd_redis_connection *connection,
                                         int64_t deadline_us,
                                         struct nd_error *error)
{
    enum nd_status status =
        nd_redis_transport_send(connection->transport, connection->output.data,
                                connection->output.length, deadline_us, error);
    /* a large command should not keep its memory, nor a password stay */
    nd_wipe(connection->output.data, connection->output.length);
    if (connection->output.capacity > RECEIVE_BYTES)
        nd_buffer_free(&connection->output);
    else
        nd_buffer_clear(&connection->output);
    return status;
}

enum nd_status nd_redis_connection_receive(
    struct nd_redis_connection *connection, int64_t deadline_us,
    struct nd_error *error, const struct nd_redis_reply **reply_r)
{
    const struct nd_redis_reply *reply = NULL;
    for (;;) {
        enum nd_status status =
            nd_redis_parser_next(connection->parser, error, &reply);
        if (status != ND_OK)
            return status;
        if (reply != NULL)
            break;
        if (nd_clock_monotonic_us() >= deadline_us)
            return nd_fail(error, ND_UNAVAILABLE,
                           "Redis: the reply did not end in time");
        size_t got = 0;
        status =
            nd_redis_transport_receive(connection->transport, connection->input,
                                       RECEIVE_BYTES, deadline_us, error, &got);
        if (status == ND_OK)
            status = nd_redis_parser_feed(connection->parser, connection->input,
                                          got, error);
        if (status != ND_OK)
            return status;
    }
    *reply_r = reply;
    return ND_OK;
}

void nd_redis_connection_forget(struct nd_redis_connection *connection)
{
    nd_arena_reset(connection->arena);
}

enum nd_status nd_redis_connection_call(struct nd_redis_connection *connection,
                                        const char *const *words,
                                        int64_t deadline_us,
                                        struct nd_error *error,
                                        const struct nd_redis_reply **reply_r)
{
    struct nd_redis_argument arguments[MAX_WORDS];
    size_t count = 0;
    for (; count < MAX_WORDS && words[count] != NULL; count++)
        arguments[count] =
            (struct nd_redis_argument){words[count], strlen(words[count])};
    nd_redis_connection_queue(connection, arguments, count);
    enum nd_status status =
        nd_redis_connection_flush(connection, deadline_us, error);
    if (status == ND_OK)
        status = nd_redis_connection_receive(connection, deadline_us, error,
                                             reply_r);
    return status;
}

/* ---- opening ---- */

static enum nd_status expect_ok(const struct nd_redis_reply *reply,
                                const char *what, struct nd_error *error)
{
    if (reply->type != ND_REDIS_ERROR)
        return ND_OK;
    if (nd_redis_is_error(reply, "LOADING"))
        return nd_fail(error, ND_UNAVAILABLE,
                       "Redis is still loading its data");
    return nd_fail(error, ND_PERMISSION, "Redis refuses the %s: %s", what,
                   reply->text);
}

static enum nd_status log_in(struct nd_redis_connection *connection,
                             const struct nd_redis_login *login,
                             int64_t deadline_us, struct nd_error *error)
{
    char secret[ND_REDIS_SECRET_BYTES];
    enum nd_status status = nd_redis_login_password(login, error, secret);
    if (status != ND_OK)
        return status;
    if (secret[0] == '\0' && login->user == NULL)
        return ND_OK;
    const char *with_user[] = {"AUTH", login->user, secret, NULL};
    const char *without[] = {"AUTH", secret, NULL};
    const struct nd_redis_reply *reply;
    status = nd_redis_connection_call(connection,
                                      login->user != NULL ? with_user : without,
                                      deadline_us, error, &reply);
    nd_wipe(secret, sizeof(secret));
    return status == ND_OK ? expect_ok(reply, "login", error) : status;
}

static enum nd_status select_database(struct nd_redis_connection *connection,
                                      uint32_t database, int64_t deadline_us,
                                      struct nd_error *error)
{
    char number[16];
    (void)snprintf(number, sizeof(number), "%u", database);
    const char *words[] = {"SELECT", number, NULL};
    const struct nd_redis_reply *reply;
    enum nd_status status =
        nd_redis_connection_call(connection, words, deadline_us, error, &reply);
    return status == ND_OK ? expect_ok(reply, "database", error) : status;
}

enum nd_status nd_redis_connection_open(
    const struct nd_redis_endpoint *endpoint,
    const struct nd_redis_options *options, const struct nd_redis_login *login,
    bool select, int64_t deadline_us, struct nd_error *error,
    struct nd_redis_connection **connection_r)
{
    struct nd_redis_connection *connection = nd_calloc(1, sizeof(*connection));
    connection->arena = nd_arena_create(0);
    connection->parser = nd_redis_parser_create(connection->arena, 0);
    connection->input = nd_calloc(1, RECEIVE_BYTES);
    enum nd_status status = nd_redis_transport_open(
        endpoint, options, deadline_us, error, &connection->transport);
    if (status == ND_OK)
        status = log_in(connection, login, deadline_us, error);
    if (status == ND_OK && select && options->database != 0)
        status =
            select_database(connection, options->database, deadline_us, error);
    if (status == ND_OK)
        *connection_r = connection;
    else
        nd_redis_connection_close(&connection);
    return status;
}

void nd_redis_connection_close(struct nd_redis_connection **connection)
{
    if (connection == NULL || *connection == NULL)
        return;
    nd_redis_transport_close(&(*connection)->transport);
    nd_redis_parser_destroy(&(*connection)->parser);
    nd_arena_destroy(&(*connection)->arena);
    nd_buffer_free(&(*connection)->output);
    free((*connection)->input);
    free(*connection);
    *connection = NULL;
}

static bool text_is(const struct nd_redis_reply *reply, const char *text)
{
    return reply->type == ND_REDIS_STRING && strcmp(reply->text, text) == 0;
}

enum nd_status nd_redis_connection_role(struct nd_redis_connection *connection,
                                        int64_t deadline_us,
                                        struct nd_arena *arena,
                                        struct nd_error *error,
                                        enum nd_redis_role *role_r,
                                        struct nd_redis_endpoint *master_r)
{
    const char *words[] = {"ROLE", NULL};
    const struct nd_redis_reply *reply;
    enum nd_status status =
        nd_redis_connection_call(connection, words, deadline_us, error, &reply);
    if (status == ND_OK)
        status = expect_ok(reply, "question for its role", error);
    if (status != ND_OK)
        return status;
    *role_r = ND_REDIS_OTHER;
    if (text_is(nd_redis_item(reply, 0), "master"))
        *role_r = ND_REDIS_MASTER;
    const struct nd_redis_reply *host = nd_redis_item(reply, 1);
    int64_t port = nd_redis_number(nd_redis_item(reply, 2));
    if (text_is(nd_redis_item(reply, 0), "slave") &&
        host->type == ND_REDIS_STRING && port > 0 && port <= UINT16_MAX) {
        *role_r = ND_REDIS_REPLICA;
        *master_r = (struct nd_redis_endpoint){
            .host = nd_arena_strndup(arena, host->text, host->length),
            .port = (uint16_t)port};
    }
    return ND_OK;
}
