/* SPDX-License-Identifier: Apache-2.0
 *
 * What people look at in Redis: counts, scopes, hosts. Counts are kept by the
 * scripts as samples come and go, so asking for them reads one hash.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "store/redis_operations.h"
#include "store/redis_policy.h"
#include "store/redis_state.h"

/* ---- the state of a scope ---- */

enum nd_status nd_redis_state_read(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   struct nd_error *error,
                                   struct nd_redis_state *state_r)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_STATE, scope);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status != ND_OK)
        return status;
    state_r->pairs = nd_redis_item(reply, 0);
    state_r->registry_length = nd_redis_count(nd_redis_item(reply, 1));
    if (state_r->pairs->type != ND_REDIS_ARRAY)
        return nd_redis_strange(&call, error);
    return ND_OK;
}

const struct nd_redis_reply *nd_redis_state_get(
    const struct nd_redis_state *state, const char *name)
{
    size_t length = state->pairs->length;
    for (size_t i = 0; i + 1 < length; i += 2) {
        if (nd_redis_says(nd_redis_item(state->pairs, i), name))
            return nd_redis_item(state->pairs, i + 1);
    }
    return nd_redis_item(state->pairs, length);
}

uint64_t nd_redis_state_count(const struct nd_redis_state *state,
                              const char *name)
{
    return nd_redis_count(nd_redis_state_get(state, name));
}

void nd_redis_state_samples(const struct nd_redis_state *state,
                            uint64_t count_r[2],
                            uint64_t sources_r[2][ND_SOURCE_COUNT])
{
    for (int label = 0; label < 2; label++) {
        count_r[label] = 0;
        for (int source = 0; source < ND_SOURCE_COUNT; source++) {
            char name[40];
            (void)snprintf(name, sizeof(name), "present:%d:%d", label, source);
            sources_r[label][source] = nd_redis_state_count(state, name);
            count_r[label] += sources_r[label][source];
        }
    }
}

/* ---- counts ---- */

enum nd_status nd_redis_count_refused(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      enum nd_refusal reason, uint64_t add,
                                      struct nd_error *error)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_COUNT, scope);
    nd_redis_call_text(&call, scope->settings);
    nd_redis_call_text(&call, nd_refusal_name(reason));
    nd_redis_call_number(&call, (int64_t)add);
    return nd_redis_call_run(&call, error, &reply);
}

static void fill_stats(const struct nd_redis_state *state,
                       struct nd_store_stats *stats)
{
    nd_redis_state_samples(state, stats->count, stats->sources);
    for (int reason = 0; reason < ND_REFUSAL_COUNT; reason++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "refused:%s",
                       nd_refusal_name((enum nd_refusal)reason));
        stats->refused[reason] = nd_redis_state_count(state, name);
    }
    stats->put_stored = nd_redis_state_count(state, "stored");
    stats->put_relabelled = nd_redis_state_count(state, "relabelled");
    stats->put_merged = nd_redis_state_count(state, "merged");
    stats->put_duplicate = nd_redis_state_count(state, "duplicate");
    stats->replaced = nd_redis_state_count(state, "replaced");
    stats->forgotten = nd_redis_state_count(state, "forgotten");
    stats->consumed = nd_redis_state_count(state, "consumed");
    stats->payload_bytes = nd_redis_state_count(state, "bytes");
    stats->registry_length = state->registry_length;
}

enum nd_status nd_redis_stats(struct nd_store *store,
                              const struct nd_scope *scope,
                              struct nd_error *error,
                              struct nd_store_stats *stats_r)
{
    struct nd_redis_state state;
    struct nd_store_stats stats = {0};
    enum nd_status status = nd_redis_state_read(store, scope, error, &state);
    if (status != ND_OK)
        return status;
    fill_stats(&state, &stats);
    status = nd_redis_used_memory((struct nd_redis_store *)store, error,
                                  &stats.store_bytes);
    if (status == ND_OK)
        *stats_r = stats;
    return status;
}

/* ---- scopes ---- */

static int by_text(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* The members of a set, sorted, in arena. */
static enum nd_status read_set(struct nd_redis_store *redis, const char *key,
                               struct nd_arena *arena, struct nd_error *error,
                               const char ***names_r, size_t *count_r)
{
    const char *words[] = {"SMEMBERS", key, NULL};
    const struct nd_redis_reply *reply;
    enum nd_status status =
        nd_redis_client_ask(redis->client, words, false, error, &reply);
    if (status != ND_OK)
        return status;
    const char **names =
        nd_arena_take(arena, (reply->length + 1) * sizeof(*names));
    size_t count = 0;
    for (size_t i = 0; reply->type == ND_REDIS_ARRAY && i < reply->length;
         i++) {
        const struct nd_redis_reply *item = nd_redis_item(reply, i);
        if (item->type == ND_REDIS_STRING && item->length < ND_NAME_BYTES)
            names[count++] = nd_arena_strndup(arena, item->text, item->length);
    }
    if (count > 0)
        qsort(names, count, sizeof(*names), by_text);
    *names_r = names;
    *count_r = count;
    return ND_OK;
}

enum nd_status nd_redis_rules(struct nd_redis_store *redis,
                              struct nd_arena *arena, struct nd_error *error,
                              const char ***rules_r, size_t *count_r)
{
    char key[ND_REDIS_KEY_BYTES];
    nd_redis_store_key(redis, "rules", key);
    return read_set(redis, key, arena, error, rules_r, count_r);
}

enum nd_status nd_redis_settings(struct nd_redis_store *redis, const char *rule,
                                 struct nd_arena *arena, struct nd_error *error,
                                 const char ***settings_r, size_t *count_r)
{
    struct nd_scope scope = {rule, ""};
    char key[ND_REDIS_KEY_BYTES];
    nd_redis_key(redis, 'c', &scope, "", key);
    return read_set(redis, key, arena, error, settings_r, count_r);
}

/* Whether a scope has samples or models: others were only ever asked for. */
static enum nd_status is_used(struct nd_redis_store *redis,
                              const struct nd_scope *scope,
                              struct nd_error *error, bool *used_r)
{
    struct nd_redis_state state;
    uint64_t count[2], sources[2][ND_SOURCE_COUNT];
    enum nd_status status =
        nd_redis_state_read(&redis->base, scope, error, &state);
    if (status != ND_OK)
        return status;
    nd_redis_state_samples(&state, count, sources);
    *used_r =
        count[0] + count[1] > 0 || nd_redis_state_count(&state, "live") != 0;
    return ND_OK;
}

static enum nd_status add_scopes(struct nd_redis_store *redis, const char *rule,
                                 struct nd_arena *arena, struct nd_error *error,
                                 struct nd_buffer *words, size_t *count)
{
    const char **settings;
    size_t settings_count;
    enum nd_status status = nd_redis_settings(redis, rule, arena, error,
                                              &settings, &settings_count);
    for (size_t i = 0; status == ND_OK && i < settings_count; i++) {
        struct nd_scope scope = {rule, settings[i]};
        bool used = false;
        status = is_used(redis, &scope, error, &used);
        if (status != ND_OK || !used)
            continue;
        nd_buffer_append(words, rule, strlen(rule) + 1);
        nd_buffer_append(words, settings[i], strlen(settings[i]) + 1);
        *count += 1;
    }
    return status;
}

enum nd_status nd_redis_scopes(struct nd_store *store, struct nd_error *error,
                               struct nd_scope **scopes_r, size_t *count_r)
{
    struct nd_redis_store *redis = (struct nd_redis_store *)store;
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_buffer words = {0};
    const char **rules;
    size_t rule_count, count = 0;
    enum nd_status status =
        nd_redis_rules(redis, arena, error, &rules, &rule_count);
    for (size_t i = 0; status == ND_OK && i < rule_count; i++)
        status = add_scopes(redis, rules[i], arena, error, &words, &count);
    if (status == ND_OK) {
        *scopes_r = nd_scopes_pack(&words, count);
        *count_r = count;
    }
    nd_buffer_free(&words);
    nd_arena_destroy(&arena);
    return status;
}

/* ---- hosts ---- */

enum nd_status nd_redis_host_report(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const char *host, uint64_t generation,
                                    struct nd_error *error)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_HOST_REPORT, scope);
    nd_redis_call_text(&call, scope->settings);
    nd_redis_call_text(&call, host);
    nd_redis_call_number(&call, (int64_t)generation);
    return nd_redis_call_run(&call, error, &reply);
}

static int by_host(const void *one, const void *other)
{
    return strcmp(((const struct nd_host_report *)one)->host,
                  ((const struct nd_host_report *)other)->host);
}

static void read_host(const struct nd_redis_reply *name,
                      const struct nd_redis_reply *value,
                      struct nd_host_report *report)
{
    struct nd_reader reader;
    nd_reader_init(&reader, value->text, value->length);
    report->generation = nd_reader_u64(&reader);
    report->seen_ms = (int64_t)nd_reader_u64(&reader);
    size_t length =
        name->length < ND_HOLDER_BYTES ? name->length : ND_HOLDER_BYTES - 1;
    if (length > 0)
        memcpy(report->host, name->text, length);
}

enum nd_status nd_redis_host_list(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  struct nd_error *error,
                                  struct nd_host_report **hosts_r,
                                  size_t *count_r)
{
    struct nd_redis_store *redis = (struct nd_redis_store *)store;
    char key[ND_REDIS_KEY_BYTES];
    nd_redis_key(redis, 'h', scope, "", key);
    const char *words[] = {"HGETALL", key, NULL};
    const struct nd_redis_reply *reply;
    enum nd_status status =
        nd_redis_client_ask(redis->client, words, false, error, &reply);
    if (status != ND_OK)
        return status;
    size_t count = reply->type == ND_REDIS_ARRAY ? reply->length / 2 : 0;
    struct nd_host_report *hosts = nd_calloc(count, sizeof(*hosts));
    for (size_t i = 0; i < count; i++)
        read_host(nd_redis_item(reply, 2 * i), nd_redis_item(reply, 2 * i + 1),
                  &hosts[i]);
    if (count > 0)
        qsort(hosts, count, sizeof(*hosts), by_host);
    *hosts_r = hosts;
    *count_r = count;
    return ND_OK;
}
