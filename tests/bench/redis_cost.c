/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sample costs in Redis, and how soon a new model is everywhere: one
 * part of tests/bench/bench_redis.py at a time, each a process of its own, its
 * figures one JSON object on standard output.
 *
 *     redis_cost learn URL FILE     samples of FILE's scan results, in batches
 *     redis_cost put URL FILE       as many others, one a round trip
 *     redis_cost more URL FILE      as many others, in batches
 *     redis_cost forget URL SHARE   every SHARE-th sample that is there
 *     redis_cost peer URL FILE      FILE's lines as rspamd stores its vectors
 *     redis_cost score URL          a host that tells when it took a model
 *     redis_cost train URL          a training, and when it published
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "learn/host.h"
#include "learn/trainer.h"
#include "store/redis.h"

#define LINE_BYTES 65536
#define PEER_LEVEL 1 /* rspamd's, of zstd */
#define BATCH 64

static int fail(const char *what, const struct nd_error *error)
{
    fprintf(stderr, "redis_cost: %s: %s\n", what, error->text);
    return 1;
}

static void set_rule(struct nd_rule *rule)
{
    nd_rule_init(rule);
    rule->families = ND_GROUP_SYMBOLS | ND_GROUP_METATOKENS;
    rule->seeds = 1;
}

/* ---- samples ---- */

struct cost {
    struct nd_store *store;
    struct nd_engine *engine;
    struct nd_rule rule;
    struct nd_scope scope;
};

static enum nd_status open_cost(struct cost *cost, const char *url,
                                struct nd_error *error)
{
    struct nd_store_options options = {.create = true};
    set_rule(&cost->rule);
    cost->scope = (struct nd_scope){cost->rule.name, cost->rule.settings};
    enum nd_status status = nd_store_open(url, &options, error, &cost->store);
    if (status == ND_OK)
        status = nd_engine_create(cost->store, &cost->rule, NULL, error,
                                  &cost->engine);
    return status;
}

static void close_cost(struct cost *cost)
{
    nd_engine_destroy(&cost->engine);
    nd_store_close(&cost->store);
    nd_rule_free(&cost->rule);
}

/* One line of scan results; "label" is looked for as the script writes it. */
static enum nd_status learn_line(struct cost *cost, const char *line,
                                 uint64_t number, struct nd_arena *arena,
                                 struct nd_error *error)
{
    struct nd_scan scan;
    const char *id;
    uint8_t digest[ND_DIGEST_BYTES];
    struct nd_lesson lesson = {
        .label = strstr(line, "\"label\": \"spam\"") != NULL ? ND_SPAM : ND_HAM,
        .source = ND_SOURCE_USER,
        .identity = digest};
    nd_digest(&number, sizeof(number), NULL, digest);
    enum nd_status status =
        nd_scan_read_json(line, strlen(line), arena, error, &scan, &id);
    if (status == ND_OK)
        status = nd_engine_learn(cost->engine, NULL, &scan, &lesson, NULL, NULL,
                                 error);
    return status;
}

/* first numbers the samples: other numbers, other messages. */
static int learn(const char *url, const char *path, uint64_t first,
                 bool one_by_one)
{
    static char line[LINE_BYTES];
    struct cost cost = {0};
    struct nd_error error = {""};
    struct nd_store_stats stats = {0};
    struct nd_arena *arena = nd_arena_create(0);
    FILE *file = fopen(path, "r");
    uint64_t count = 0;
    enum nd_status status =
        file == NULL ? ND_NO_INPUT : open_cost(&cost, url, &error);
    uint64_t trips = status == ND_OK ? nd_redis_trips(cost.store) : 0;
    int64_t start_us = nd_clock_monotonic_us();
    while (status == ND_OK && fgets(line, sizeof(line), file) != NULL) {
        nd_arena_reset(arena);
        status = learn_line(&cost, line, first + count++, arena, &error);
        if (status == ND_OK && one_by_one)
            status = nd_engine_flush(cost.engine, NULL, NULL, &error);
    }
    if (status == ND_OK)
        status = nd_engine_flush(cost.engine, NULL, NULL, &error);
    double seconds = (double)(nd_clock_monotonic_us() - start_us) / 1e6;
    trips = status == ND_OK ? nd_redis_trips(cost.store) - trips : 0;
    if (status == ND_OK)
        status = nd_store_stats(cost.store, &cost.scope, &error, &stats);
    if (status == ND_OK)
        printf("{\"samples\": %llu, \"present\": %llu, \"payload\": %llu, "
               "\"seconds\": %.3f, \"trips\": %llu}\n",
               (unsigned long long)count,
               (unsigned long long)(stats.count[0] + stats.count[1]),
               (unsigned long long)stats.payload_bytes, seconds,
               (unsigned long long)trips);
    close_cost(&cost);
    nd_arena_destroy(&arena);
    if (file != NULL)
        (void)fclose(file);
    return status == ND_OK ? 0 : fail(path, &error);
}

static int forget(const char *url, unsigned share)
{
    struct cost cost = {0};
    struct nd_error error = {""};
    struct nd_snapshot snapshot = {0};
    size_t forgotten = 0;
    bool existed;
    enum nd_status status = open_cost(&cost, url, &error);
    if (status == ND_OK)
        status = nd_store_snapshot(cost.store, &cost.scope, &error, &snapshot);
    for (size_t i = 0; status == ND_OK && i < snapshot.count; i += share) {
        status =
            nd_store_forget(cost.store, &cost.scope,
                            snapshot.samples[i].identity, 0, &error, &existed);
        forgotten++;
    }
    free(snapshot.samples);
    close_cost(&cost);
    printf("{\"forgotten\": %zu}\n", forgotten);
    return status == ND_OK ? 0 : fail("forget", &error);
}

/* ---- the peer ---- */

/* "LABEL TEXT": TEXT, compressed, becomes a member of the label's set. */
static size_t queue_vector(redisContext *redis, const char *line)
{
    char packed[LINE_BYTES];
    size_t length = strcspn(line + 2, "\n");
    size_t size =
        ZSTD_compress(packed, sizeof(packed), line + 2, length, PEER_LEVEL);
    if (ZSTD_isError(size))
        return 0;
    (void)redisAppendCommand(redis, "SADD rn_default_default_zr8i6hk3_0_%s %b",
                             line[0] == '1' ? "spam_set" : "ham_set", packed,
                             size);
    return size;
}

static int store_peer(const char *socket, const char *path)
{
    static char line[LINE_BYTES];
    redisContext *redis = redisConnectUnix(socket);
    FILE *file = fopen(path, "r");
    if (redis == NULL || redis->err != 0 || file == NULL)
        return 1;
    size_t bytes = 0, count = 0;
    int64_t start_us = nd_clock_monotonic_us();
    for (bool more = true; more;) {
        int queued = 0;
        while (queued < BATCH &&
               (more = fgets(line, sizeof(line), file) != NULL)) {
            bytes += queue_vector(redis, line);
            queued++;
        }
        for (; queued > 0; queued--, count++) {
            void *reply = NULL;
            if (redisGetReply(redis, &reply) != REDIS_OK)
                return 1;
            freeReplyObject(reply);
        }
    }
    printf("{\"samples\": %zu, \"payload\": %zu, \"seconds\": %.3f}\n", count,
           bytes, (double)(nd_clock_monotonic_us() - start_us) / 1e6);
    (void)fclose(file);
    redisFree(redis);
    return 0;
}

/* ---- publish to score ---- */

static void tell_model(const struct nd_host_event *event, void *context)
{
    if (event->kind != ND_HOST_MODEL_TAKEN)
        return;
    printf("%lld %llu\n", (long long)nd_clock_monotonic_us(),
           (unsigned long long)event->generation);
    (void)fflush(stdout);
}

/* Tells of each model until its standard input ends. */
static int score(const char *url)
{
    struct nd_rule rule;
    struct nd_host *host = NULL;
    struct nd_error error = {""};
    set_rule(&rule);
    struct nd_host_options options = {.store = url,
                                      .rules = &rule,
                                      .rule_count = 1,
                                      .roles = ND_ROLE_SCORE,
                                      .listener = tell_model};
    enum nd_status status = nd_host_create(&options, &error, &host);
    if (status != ND_OK)
        return fail(url, &error);
    printf("ready\n");
    (void)fflush(stdout);
    while (getchar() != EOF)
        ;
    nd_host_stop(&host);
    nd_rule_free(&rule);
    return 0;
}

static bool note_publishing(double done, double loss, const char *stage,
                            void *context)
{
    if (strcmp(stage, "publishing") == 0)
        *(int64_t *)context = nd_clock_monotonic_us();
    return true;
}

static int train(const char *url)
{
    struct cost cost = {0};
    struct nd_error error = {""};
    struct nd_training_report report = {0};
    int64_t published_us = 0;
    enum nd_status status = open_cost(&cost, url, &error);
    if (status == ND_OK)
        status = nd_engine_train(cost.engine, true, note_publishing,
                                 &published_us, &error, &report);
    close_cost(&cost);
    if (status != ND_OK)
        return fail(url, &error);
    printf("{\"decision\": \"%s\", \"generation\": %llu, \"at\": %lld}\n",
           nd_decision_name(report.decision),
           (unsigned long long)report.generation, (long long)published_us);
    return 0;
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], ND_TRAINER_ARGUMENT) == 0)
        return nd_trainer_child_main();
    struct nd_error error = {""};
    nd_log_set_level(ND_LOG_ERROR);
    if (count < 3 || nd_hash_init(&error) != ND_OK)
        return 64;
    const char *part = arguments[1], *url = arguments[2];
    if (strcmp(part, "score") == 0)
        return score(url);
    if (strcmp(part, "train") == 0)
        return train(url);
    if (count < 4)
        return 64;
    if (strcmp(part, "learn") == 0)
        return learn(url, arguments[3], 0, false);
    if (strcmp(part, "put") == 0)
        return learn(url, arguments[3], UINT64_C(1) << 32, true);
    if (strcmp(part, "more") == 0)
        return learn(url, arguments[3], UINT64_C(1) << 33, false);
    if (strcmp(part, "forget") == 0)
        return forget(url, (unsigned)atoi(arguments[3]));
    if (strcmp(part, "peer") == 0)
        return store_peer(url, arguments[3]);
    return 64;
}
