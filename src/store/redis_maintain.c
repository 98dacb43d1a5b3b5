/* SPDX-License-Identifier: Apache-2.0
 *
 * Upkeep of a store in Redis. Scope by scope, in pieces, scripts drop what is
 * past its time and count what is there. Then the server's keys under our
 * prefix are walked through, and those that the index does not reach are named
 * and dropped: the index is read after a key was seen, and every script puts a
 * name into the index before or with its first key, so a key that is in use is
 * never taken for a lost one.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "store/redis_operations.h"
#include "store/redis_policy.h"
#include "store/redis_state.h"

#define LITTLE_ROOM 0.9 /* of maxmemory: used */
#define BUCKETS_A_CALL 2048

struct upkeep {
    struct nd_redis_store *redis;
    int64_t keep_ms;
    bool dry_run;
    void (*report)(const char *line, void *context);
    void *context;
    struct nd_arena *arena;
    size_t defects;
};

static void say(const struct upkeep *upkeep, const char *format, ...)
    ND_PRINTF(2, 3);

static void say(const struct upkeep *upkeep, const char *format, ...)
{
    if (upkeep->report == NULL)
        return;
    char line[ND_REDIS_KEY_BYTES + 128];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    upkeep->report(line, upkeep->context);
}

/* ---- what is past its time ---- */

struct findings {
    uint64_t tombstones, blobs, hosts;
};

/* Samples counted in the buckets against the counts that are kept: only where
 * one script saw all of them. */
static void compare_counts(struct upkeep *upkeep, const struct nd_scope *scope,
                           const struct nd_redis_reply *counted,
                           const struct nd_redis_reply *kept)
{
    static const char *const names[] = {"ham", "spam", "payload bytes"};
    for (size_t i = 0; i < 3; i++) {
        int64_t there = nd_redis_number(nd_redis_item(counted, i));
        int64_t noted = nd_redis_number(nd_redis_item(kept, i));
        if (there == noted)
            continue;
        upkeep->defects++;
        say(upkeep, "%s/%s: the count of %s is %lld, found are %lld",
            scope->rule, scope->settings, names[i], (long long)noted,
            (long long)there);
    }
}

static enum nd_status clean_piece(struct upkeep *upkeep,
                                  const struct nd_scope *scope,
                                  struct nd_error *error,
                                  struct findings *findings, int64_t *bucket)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, &upkeep->redis->base, ND_REDIS_MAINTAIN, scope);
    call.looks = upkeep->dry_run;
    nd_redis_call_number(&call, upkeep->keep_ms);
    nd_redis_call_text(&call, upkeep->dry_run ? "1" : "0");
    nd_redis_call_number(&call, *bucket);
    nd_redis_call_number(&call, BUCKETS_A_CALL);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status != ND_OK)
        return status;
    int64_t next = nd_redis_number(nd_redis_item(reply, 0));
    const struct nd_redis_reply *old = nd_redis_item(reply, 1);
    if (reply->length != 4 || (next >= 0 && next <= *bucket))
        return nd_redis_strange(&call, error);
    findings->tombstones += nd_redis_count(nd_redis_item(old, 0));
    findings->blobs += nd_redis_count(nd_redis_item(old, 1));
    findings->hosts += nd_redis_count(nd_redis_item(old, 2));
    if (*bucket == 0 && next < 0)
        compare_counts(upkeep, scope, nd_redis_item(reply, 2),
                       nd_redis_item(reply, 3));
    *bucket = next;
    return ND_OK;
}

static void say_old(const struct upkeep *upkeep, const struct nd_scope *scope,
                    uint64_t count, const char *what)
{
    if (count > 0)
        say(upkeep, "%s/%s: %llu %s", scope->rule, scope->settings,
            (unsigned long long)count, what);
}

static enum nd_status clean_scope(struct upkeep *upkeep,
                                  const struct nd_scope *scope,
                                  struct nd_error *error)
{
    struct findings findings = {0};
    int64_t bucket = 0;
    while (bucket >= 0) {
        enum nd_status status =
            clean_piece(upkeep, scope, error, &findings, &bucket);
        if (status != ND_OK)
            return status;
    }
    say_old(upkeep, scope, findings.blobs, "models that nothing points to");
    say_old(upkeep, scope, findings.tombstones, "tombstones past their time");
    say_old(upkeep, scope, findings.hosts, "host reports past their time");
    return ND_OK;
}

static enum nd_status clean_rule(struct upkeep *upkeep, const char *rule,
                                 struct nd_error *error)
{
    const char **settings;
    size_t count;
    enum nd_status status = nd_redis_settings(
        upkeep->redis, rule, upkeep->arena, error, &settings, &count);
    for (size_t i = 0; status == ND_OK && i < count; i++) {
        struct nd_scope scope = {rule, settings[i]};
        status = clean_scope(upkeep, &scope, error);
    }
    return status;
}

/* ---- keys that nothing reaches ---- */

struct names {
    const char **items;
    size_t count, capacity;
};

static void add_name(struct names *names, const char *name)
{
    if (names->count == names->capacity) {
        names->capacity = names->capacity > 0 ? names->capacity * 2 : 64;
        names->items =
            nd_realloc(names->items, names->capacity, sizeof(*names->items));
    }
    names->items[names->count++] = name;
}

static enum nd_status list_keys(struct upkeep *upkeep, struct nd_error *error,
                                struct names *names)
{
    char pattern[ND_REDIS_KEY_BYTES], cursor[32] = "0";
    (void)snprintf(pattern, sizeof(pattern), "{%s:*",
                   upkeep->redis->options.prefix);
    do {
        const char *words[] = {"SCAN",  cursor, "MATCH", pattern,
                               "COUNT", "1000", NULL};
        const struct nd_redis_reply *reply;
        enum nd_status status = nd_redis_client_ask(
            upkeep->redis->client, words, false, error, &reply);
        if (status != ND_OK)
            return status;
        const struct nd_redis_reply *keys = nd_redis_item(reply, 1);
        for (size_t i = 0; keys->type == ND_REDIS_ARRAY && i < keys->length;
             i++) {
            const struct nd_redis_reply *key = nd_redis_item(keys, i);
            if (key->type == ND_REDIS_STRING)
                add_name(names, nd_arena_strndup(upkeep->arena, key->text,
                                                 key->length));
        }
        const struct nd_redis_reply *next = nd_redis_item(reply, 0);
        (void)snprintf(cursor, sizeof(cursor), "%s",
                       next->type == ND_REDIS_STRING ? next->text : "0");
    } while (strcmp(cursor, "0") != 0);
    return ND_OK;
}

/* Asks a question whose answer is 0 or 1. */
static enum nd_status is_member(struct upkeep *upkeep, const char *command,
                                const char *key, const char *member,
                                struct nd_error *error, bool *answer_r)
{
    const char *words[] = {command, key, member, NULL};
    const struct nd_redis_reply *reply;
    enum nd_status status =
        nd_redis_client_ask(upkeep->redis->client, words, false, error, &reply);
    if (status == ND_OK)
        *answer_r = nd_redis_number(reply) == 1;
    return status;
}

/* Whether name is the key that letter stands for in this scope. */
static bool is_key(const struct upkeep *upkeep, const char *name, char letter,
                   const struct nd_scope *scope)
{
    char key[ND_REDIS_KEY_BYTES];
    nd_redis_key(upkeep->redis, letter, scope, "", key);
    return strcmp(name, key) == 0;
}

static bool is_one_of(const struct upkeep *upkeep, const char *name,
                      const char *letters, const struct nd_scope *scope)
{
    for (; *letters != '\0'; letters++) {
        if (is_key(upkeep, name, *letters, scope))
            return true;
    }
    return false;
}

/* A scope's key: its settings are in the index, and a blob is in its own. */
static enum nd_status is_scope_key_reached(struct upkeep *upkeep,
                                           const char *name,
                                           const struct nd_scope *scope,
                                           struct nd_error *error,
                                           bool *reached_r)
{
    char key[ND_REDIS_KEY_BYTES];
    nd_redis_key(upkeep->redis, 'c', scope, "", key);
    enum nd_status status =
        is_member(upkeep, "SISMEMBER", key, scope->settings, error, reached_r);
    if (status != ND_OK || !*reached_r)
        return status;
    *reached_r = is_one_of(upkeep, name, "spmjehb", scope);
    nd_redis_key(upkeep->redis, 'B', scope, "", key);
    if (strncmp(name, key, strlen(key)) != 0)
        return ND_OK;
    const char *hex = name + strlen(key);
    nd_redis_key(upkeep->redis, 'b', scope, "", key);
    return is_member(upkeep, "HEXISTS", key, hex, error, reached_r);
}

static enum nd_status is_reached(struct upkeep *upkeep, const char *name,
                                 struct nd_error *error, bool *reached_r)
{
    char rule[ND_NAME_BYTES], settings[ND_NAME_BYTES] = "";
    const char *from = name + strlen(upkeep->redis->options.prefix) + 2;
    size_t length = strcspn(from, "}");
    *reached_r = false;
    if (from[length] == '\0' || length == 0 || length >= sizeof(rule))
        return ND_OK;
    memcpy(rule, from, length);
    rule[length] = '\0';
    char index[ND_REDIS_KEY_BYTES];
    nd_redis_store_key(upkeep->redis, "rules", index);
    enum nd_status status =
        is_member(upkeep, "SISMEMBER", index, rule, error, reached_r);
    if (status != ND_OK || !*reached_r)
        return status;
    struct nd_scope scope = {rule, settings};
    const char *rest = from + length + 1;
    if (strncmp(rest, ":s:", 3) != 0) {
        *reached_r = is_one_of(upkeep, name, "rnlfc", &scope);
        return ND_OK;
    }
    length = strcspn(rest + 3, ":");
    *reached_r = length > 0 && length < sizeof(settings);
    if (!*reached_r)
        return ND_OK;
    memcpy(settings, rest + 3, length);
    settings[length] = '\0';
    return is_scope_key_reached(upkeep, name, &scope, error, reached_r);
}

static enum nd_status drop_unreached(struct upkeep *upkeep,
                                     struct nd_error *error)
{
    struct names names = {0};
    enum nd_status status = list_keys(upkeep, error, &names);
    for (size_t i = 0; status == ND_OK && i < names.count; i++) {
        bool reached = true;
        status = is_reached(upkeep, names.items[i], error, &reached);
        if (status != ND_OK || reached)
            continue;
        say(upkeep, "key %s: nothing reaches it", names.items[i]);
        if (upkeep->dry_run)
            continue;
        const char *words[] = {"UNLINK", names.items[i], NULL};
        const struct nd_redis_reply *reply;
        status = nd_redis_client_ask(upkeep->redis->client, words, true, error,
                                     &reply);
    }
    free(names.items);
    return status;
}

/* ---- all of it ---- */

/* Last, when all that can be dropped is. */
static enum nd_status check_room(struct upkeep *upkeep, struct nd_error *error)
{
    double share;
    enum nd_status status = nd_redis_memory_share(upkeep->redis, error, &share);
    if (status != ND_OK || share < LITTLE_ROOM)
        return status;
    const char *words = share < 1 ? "" : " and stores nothing more";
    say(upkeep, "Redis uses %.0f %% of its maxmemory%s", 100 * share, words);
    return share < 1 ? ND_OK
                     : nd_fail(error, ND_FULL,
                               "Redis uses %.0f %% of its maxmemory%s",
                               100 * share, words);
}

static enum nd_status maintain(struct upkeep *upkeep, struct nd_error *error)
{
    const char **rules;
    size_t count;
    enum nd_status status =
        nd_redis_rules(upkeep->redis, upkeep->arena, error, &rules, &count);
    for (size_t i = 0; status == ND_OK && i < count; i++)
        status = clean_rule(upkeep, rules[i], error);
    if (status == ND_OK)
        status = drop_unreached(upkeep, error);
    if (status != ND_OK)
        return status;
    if (upkeep->defects > 0)
        return nd_fail(error, ND_DATA,
                       "the store in Redis is damaged (%zu defects): restore "
                       "it from a backup, or learn again under a new prefix",
                       upkeep->defects);
    status = nd_redis_check_policy(upkeep->redis, error);
    if (status == ND_CONFIG && error != NULL)
        say(upkeep, "%s", error->text);
    return status == ND_OK ? check_room(upkeep, error) : status;
}

enum nd_status nd_redis_maintain(struct nd_store *store, int64_t keep_ms,
                                 bool dry_run,
                                 void (*report)(const char *line,
                                                void *context),
                                 void *context, struct nd_error *error)
{
    struct upkeep upkeep = {.redis = (struct nd_redis_store *)store,
                            .keep_ms = keep_ms,
                            .report = report,
                            .context = context,
                            .arena = nd_arena_create(0)};
    upkeep.dry_run = dry_run || upkeep.redis->read_only;
    enum nd_status status = maintain(&upkeep, error);
    nd_arena_destroy(&upkeep.arena);
    return status;
}
