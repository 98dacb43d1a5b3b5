/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps one connection to the master. Where it breaks, the next attempt waits
 * for a time that doubles, with jitter, so that a fleet does not come back in
 * one blow; short waits are sat out inside an exchange, long ones are answered
 * ND_UNAVAILABLE at once. Repeating a request is allowed because every
 * operation of the store may be repeated; after a reconnect the whole request
 * goes out again, since WAIT alone answers for nothing on a new connection.
 */
#include "store/redis_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "store/redis_sentinel.h"

#define MAX_TRIES 4 /* of one request */
#define MAX_HOPS 3  /* from replica to master */
#define MAX_WORDS 8
#define FIRST_PAUSE_MS 50
#define LONGEST_PAUSE_MS \
    1000                   /* well within a lease, however long it was away */
#define PATIENT_FAILURES 4 /* so many pauses are sat out in an exchange */

struct nd_redis_client {
    const struct nd_redis_options *options;
    struct nd_redis_connection *connection; /* NULL: none */
    struct nd_arena *places;                /* hosts learned on the way */
    struct nd_random random;
    int64_t timeout_ms;
    int64_t deadline_us;   /* of the exchange under way */
    int64_t not_before_us; /* of the next attempt to connect */
    unsigned failures;     /* attempts in a row */
    struct nd_error why;   /* the last one failed */
    size_t sentinel;       /* to ask first */
    uint64_t connects, trips;
};

struct nd_redis_client *nd_redis_client_create(
    const struct nd_redis_options *options, int64_t timeout_ms)
{
    struct nd_redis_client *client = nd_calloc(1, sizeof(*client));
    uint64_t seed;
    nd_random_system(&seed, sizeof(seed));
    nd_random_seed(&client->random, seed);
    client->options = options;
    client->timeout_ms = timeout_ms;
    client->places = nd_arena_create(1024);
    return client;
}

void nd_redis_client_destroy(struct nd_redis_client **client)
{
    if (client == NULL || *client == NULL)
        return;
    nd_redis_connection_close(&(*client)->connection);
    nd_arena_destroy(&(*client)->places);
    free(*client);
    *client = NULL;
}

uint64_t nd_redis_client_connects(const struct nd_redis_client *client)
{
    return client->connects;
}

uint64_t nd_redis_client_trips(const struct nd_redis_client *client)
{
    return client->trips;
}

/* ---- what error replies mean ---- */

struct meaning {
    const char *words; /* anywhere in the reply: scripts wrap errors */
    enum nd_status status;
    const char *advice;
};

static const struct meaning meanings[] = {
    {"NDVERSION", ND_VERSION, "upgrade neurald on this host"},
    {"READONLY", ND_UNAVAILABLE, "this server is a replica"},
    {"OOM command not allowed", ND_FULL,
     "raise maxmemory of Redis, or lower the reservoir; what was stored before "
     "stays, and reading still works"},
    {"MISCONF", ND_FULL, "Redis cannot write to its disk"},
    {"NOREPLICAS", ND_UNAVAILABLE, "Redis has too few replicas"},
    {"NOAUTH", ND_PERMISSION, "Redis asks for a password"},
    {"WRONGPASS", ND_PERMISSION, "wrong user or password"},
    {"NOPERM", ND_PERMISSION, "docs/redis.md lists the commands to allow"},
    {"MOVED ", ND_CONFIG, "this is a Redis Cluster, which is not supported"},
    {"ASK ", ND_CONFIG, "this is a Redis Cluster, which is not supported"},
    {"CROSSSLOT", ND_CONFIG, "this is a Redis Cluster, which is not supported"},
    {"CLUSTERDOWN", ND_CONFIG,
     "this is a Redis Cluster, which is not supported"},
    {"LOADING", ND_UNAVAILABLE, "Redis is still loading its data"},
    {"BUSY", ND_UNAVAILABLE, "Redis is busy with a script"},
    {"MASTERDOWN", ND_UNAVAILABLE, "a replica without its master"},
    {"WRONGTYPE", ND_DATA, "another program uses our keys; set a prefix"},
};

/* An error's words without the place in a script, which only we could read. */
static int length_of_words(const char *text)
{
    const char *place = strstr(text, " script: ");
    size_t length = place != NULL ? (size_t)(place - text) : strlen(text);
    while (length > 0 && text[length - 1] == '.')
        length--;
    return length < 200 ? (int)length : 200;
}

enum nd_status nd_redis_reply_status(const struct nd_redis_reply *reply,
                                     struct nd_error *error)
{
    if (reply->type != ND_REDIS_ERROR)
        return ND_OK;
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (strstr(reply->text, meanings[i].words) != NULL)
            return nd_fail(error, meanings[i].status, "Redis: %.*s (%s)",
                           length_of_words(reply->text), reply->text,
                           meanings[i].advice);
    }
    return nd_fail(error, ND_INTERNAL, "Redis: %.300s", reply->text);
}

/* ---- connecting ---- */

static int64_t time_left_us(const struct nd_redis_client *client)
{
    return client->deadline_us - nd_clock_monotonic_us();
}

static void drop_connection(struct nd_redis_client *client)
{
    nd_redis_connection_close(&client->connection);
}

/* Where a Sentinel led was no good: it may be cut off from the others and name
 * an old master for as long, so the next one is asked first. */
static void pass_over_sentinel(struct nd_redis_client *client)
{
    client->sentinel++;
}

static void note_failure(struct nd_redis_client *client)
{
    unsigned doublings = client->failures < 5 ? client->failures : 5;
    int64_t pause_ms = (int64_t)FIRST_PAUSE_MS << doublings;
    if (pause_ms > LONGEST_PAUSE_MS)
        pause_ms = LONGEST_PAUSE_MS;
    uint64_t half_us = (uint64_t)pause_ms * 500;
    client->failures++;
    client->not_before_us =
        nd_clock_monotonic_us() + (int64_t)half_us +
        (int64_t)nd_random_below(&client->random, half_us + 1);
}

static void sleep_us(int64_t time_us)
{
    struct timespec left = {.tv_sec = time_us / 1000000,
                            .tv_nsec = time_us % 1000000 * 1000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

static bool is_interrupted(const struct nd_redis_client *client)
{
    return client->options->interrupt != NULL &&
           atomic_load(client->options->interrupt);
}

static enum nd_status sit_out_pause(struct nd_redis_client *client,
                                    struct nd_error *error)
{
    int64_t pause_us = client->not_before_us - nd_clock_monotonic_us();
    if (client->failures == 0 || pause_us <= 0)
        return ND_OK;
    if (client->failures > PATIENT_FAILURES ||
        pause_us > time_left_us(client) || is_interrupted(client))
        return nd_fail(error, ND_UNAVAILABLE,
                       "%.400s (%u attempts; the next one in %lld ms)",
                       client->why.text[0] != '\0' ? client->why.text
                                                   : "Redis cannot be reached",
                       client->failures, (long long)pause_us / 1000 + 1);
    sleep_us(pause_us);
    return ND_OK;
}

static enum nd_status find_place(struct nd_redis_client *client,
                                 struct nd_error *error,
                                 struct nd_redis_endpoint *place_r)
{
    nd_arena_reset(client->places);
    if (client->options->sentinel_count == 0) {
        *place_r = client->options->endpoint;
        return ND_OK;
    }
    return nd_redis_sentinel_find(client->options, client->deadline_us,
                                  client->places, error, &client->sentinel,
                                  place_r);
}

/* Connects to place and keeps the connection where it is the master's;
 * otherwise place becomes the master that the server names. */
static enum nd_status try_place(struct nd_redis_client *client,
                                struct nd_error *error,
                                struct nd_redis_endpoint *place)
{
    enum nd_redis_role role = ND_REDIS_OTHER;
    enum nd_status status = nd_redis_connection_open(
        place, client->options, &client->options->login, true,
        client->deadline_us, error, &client->connection);
    if (status != ND_OK)
        return status;
    status = nd_redis_connection_role(client->connection, client->deadline_us,
                                      client->places, error, &role, place);
    if (status == ND_OK && role == ND_REDIS_MASTER)
        return ND_OK;
    drop_connection(client);
    if (status != ND_OK)
        return status;
    if (role == ND_REDIS_REPLICA) {
        (void)nd_fail(error, ND_UNAVAILABLE,
                      "Redis: only replicas were found, no master");
        return ND_SUPERSEDED;
    }
    return nd_fail(error, ND_CONFIG,
                   "Redis: the server is a Sentinel; write "
                   "redis+sentinel://HOST/MASTER");
}

static enum nd_status connect_once(struct nd_redis_client *client,
                                   struct nd_error *error)
{
    struct nd_redis_endpoint place;
    enum nd_status status = find_place(client, error, &place);
    bool found = status == ND_OK;
    for (int hop = 0; status == ND_OK && hop < MAX_HOPS; hop++) {
        status = try_place(client, error, &place);
        if (status == ND_OK)
            break;
        /* what Sentinels say goes before what a replica says */
        if (status == ND_SUPERSEDED)
            status = client->options->sentinel_count == 0 && hop + 1 < MAX_HOPS
                         ? ND_OK
                         : ND_UNAVAILABLE;
    }
    if (found && status != ND_OK)
        pass_over_sentinel(client);
    return status;
}

static enum nd_status connect_client(struct nd_redis_client *client,
                                     struct nd_error *error)
{
    enum nd_status status = ND_UNAVAILABLE;
    while (client->connection == NULL) {
        status = sit_out_pause(client, error);
        if (status != ND_OK)
            return status;
        status = connect_once(client, &client->why);
        if (status == ND_OK)
            break;
        note_failure(client);
        (void)nd_fail(error, status, "%s", client->why.text);
        if (status != ND_UNAVAILABLE || time_left_us(client) <= 0)
            return status;
    }
    if (status == ND_OK)
        client->connects++;
    return ND_OK;
}

/* ---- exchanging ---- */

static void queue_wait(struct nd_redis_client *client)
{
    char replicas[16], wait_ms[24];
    int64_t left_ms = time_left_us(client) / 1000;
    (void)snprintf(replicas, sizeof(replicas), "%u",
                   client->options->wait_replicas);
    /* the answer must be here before our own deadline, and Redis looks at the
     * time every 100 ms; 0 would mean for ever */
    int64_t margin_ms = left_ms > 1000 ? 300 : left_ms / 2;
    (void)snprintf(wait_ms, sizeof(wait_ms), "%lld",
                   (long long)(left_ms > 20 ? left_ms - margin_ms : 10));
    struct nd_redis_argument arguments[] = {
        {"WAIT", 4}, {replicas, strlen(replicas)}, {wait_ms, strlen(wait_ms)}};
    nd_redis_connection_queue(client->connection, arguments, 3);
}

static bool wants_wait(const struct nd_redis_client *client,
                       const struct nd_redis_request *request)
{
    return request->durable && client->options->wait_replicas > 0;
}

/* One attempt; sent_r becomes true once bytes may have gone out. */
static enum nd_status attempt(struct nd_redis_client *client,
                              const struct nd_redis_request *request,
                              struct nd_error *error, bool *sent_r,
                              const struct nd_redis_reply **replies)
{
    enum nd_status status = connect_client(client, error);
    if (status != ND_OK)
        return status;
    nd_redis_connection_forget(client->connection);
    for (size_t i = 0; i < request->count; i++)
        nd_redis_connection_queue(client->connection,
                                  request->commands[i].arguments,
                                  request->commands[i].count);
    size_t count = request->count;
    if (wants_wait(client, request)) {
        queue_wait(client);
        count++;
    }
    *sent_r = true;
    client->trips++;
    status = nd_redis_connection_flush(client->connection, client->deadline_us,
                                       error);
    for (size_t i = 0; status == ND_OK && i < count; i++)
        status = nd_redis_connection_receive(
            client->connection, client->deadline_us, error, &replies[i]);
    if (status != ND_OK)
        drop_connection(client);
    return status;
}

static bool from_replica(const struct nd_redis_request *request,
                         const struct nd_redis_reply *const *replies)
{
    for (size_t i = 0; i < request->count; i++) {
        if (replies[i]->type == ND_REDIS_ERROR &&
            strstr(replies[i]->text, "READONLY") != NULL)
            return true;
    }
    return false;
}

static enum nd_status check_replies(struct nd_redis_client *client,
                                    const struct nd_redis_request *request,
                                    struct nd_error *error,
                                    const struct nd_redis_reply *const *replies)
{
    for (size_t i = 0; i < request->count; i++) {
        if (nd_redis_is_error(replies[i], "NOSCRIPT"))
            return ND_OK; /* it did not act; the caller sends the source */
        enum nd_status status = nd_redis_reply_status(replies[i], error);
        bool forgiven = status == ND_FULL && request->lenient && i == 0;
        if (status != ND_OK && !forgiven)
            return status;
    }
    if (!wants_wait(client, request))
        return ND_OK;
    uint64_t reached = nd_redis_count(replies[request->count]);
    if (reached >= client->options->wait_replicas)
        return ND_OK;
    /* perhaps this master was deposed: look again before the repeat */
    drop_connection(client);
    pass_over_sentinel(client);
    return nd_fail(error, ND_UNCERTAIN,
                   "Redis: %llu of %u replicas have the write; repeat it",
                   (unsigned long long)reached, client->options->wait_replicas);
}

/* Whether another try may do better. */
static bool worth_repeating(struct nd_redis_client *client,
                            const struct nd_redis_request *request,
                            enum nd_status status)
{
    return status == ND_UNAVAILABLE && time_left_us(client) > 0 &&
           !(request->uncertain && request->once);
}

/* One try and what came of it; ND_UNAVAILABLE also for a replica. */
static enum nd_status try_request(struct nd_redis_client *client,
                                  struct nd_redis_request *request,
                                  struct nd_error *error,
                                  const struct nd_redis_reply **replies)
{
    bool sent = false;
    enum nd_status status = attempt(client, request, error, &sent, replies);
    if (status != ND_OK) {
        request->uncertain = request->uncertain || (sent && request->writes);
        return status;
    }
    if (from_replica(request, replies))
        status = nd_fail(error, ND_UNAVAILABLE,
                         "Redis: the server is a read-only replica, and no "
                         "master was found");
    else
        status = check_replies(client, request, error, replies);
    if (status == ND_UNAVAILABLE) { /* it loads, or is no master any more */
        drop_connection(client);
        pass_over_sentinel(client);
        note_failure(client);
        client->why = error != NULL ? *error : (struct nd_error){""};
    } else {
        client->failures = 0;
    }
    return status;
}

enum nd_status nd_redis_client_exchange(struct nd_redis_client *client,
                                        struct nd_redis_request *request,
                                        struct nd_error *error,
                                        const struct nd_redis_reply **replies_r)
{
    const struct nd_redis_reply *replies[ND_REDIS_MAX_COMMANDS + 1];
    client->deadline_us = nd_clock_monotonic_us() + client->timeout_ms * 1000;
    enum nd_status status = ND_UNAVAILABLE;
    for (int tries = 0; tries < MAX_TRIES; tries++) {
        status = try_request(client, request, error, replies);
        if (!worth_repeating(client, request, status))
            break;
    }
    if (status == ND_OK)
        memcpy(replies_r, replies, request->count * sizeof(*replies));
    else if (request->uncertain)
        status = ND_UNCERTAIN;
    return status;
}

enum nd_status nd_redis_client_ask(struct nd_redis_client *client,
                                   const char *const *words, bool writes,
                                   struct nd_error *error,
                                   const struct nd_redis_reply **reply_r)
{
    struct nd_redis_argument arguments[MAX_WORDS];
    size_t count = 0;
    for (; count < MAX_WORDS && words[count] != NULL; count++)
        arguments[count] =
            (struct nd_redis_argument){words[count], strlen(words[count])};
    struct nd_redis_command command = {arguments, count};
    struct nd_redis_request request = {
        .commands = &command, .count = 1, .writes = writes};
    return nd_redis_client_exchange(client, &request, error, reply_r);
}

/* ---- subscriptions ---- */

bool nd_redis_client_is_connected(const struct nd_redis_client *client)
{
    return client->connection != NULL;
}

enum nd_status nd_redis_client_await(struct nd_redis_client *client,
                                     int64_t timeout_ms, struct nd_error *error)
{
    const struct nd_redis_reply *message;
    if (client->connection == NULL)
        return nd_fail(error, ND_UNAVAILABLE, "Redis: not connected");
    client->deadline_us = nd_clock_monotonic_us() + timeout_ms * 1000;
    enum nd_status status = nd_redis_connection_receive(
        client->connection, client->deadline_us, error, &message);
    if (status == ND_OK) {
        nd_redis_connection_forget(client->connection);
        return ND_OK;
    }
    /* half a message may be there: the parser keeps it */
    if (status == ND_UNAVAILABLE && time_left_us(client) <= 0)
        return nd_fail(error, ND_NOTHING, "nothing was published");
    drop_connection(client);
    return status;
}
