/* SPDX-License-Identifier: Apache-2.0
 *
 * The lease, and how trainings end, in Redis: each a script that checks token
 * and nonce by the server's clock. What the scripts answer becomes a status
 * here; nothing is decided on this side.
 */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "store/redis_operations.h"
#include "store/redis_record.h"
#include "store/redis_state.h"
#include "store/redis_training.h"

/* ---- the lease ---- */

/* token, nonce, holder, since, until */
static struct nd_lease read_lease(const struct nd_redis_reply *reply)
{
    struct nd_lease lease = {.token = nd_redis_count(nd_redis_item(reply, 0))};
    const struct nd_redis_reply *nonce = nd_redis_item(reply, 1);
    const struct nd_redis_reply *holder = nd_redis_item(reply, 2);
    if (nonce->length == ND_NONCE_BYTES)
        memcpy(lease.nonce, nonce->text, ND_NONCE_BYTES);
    size_t length =
        holder->length < ND_HOLDER_BYTES ? holder->length : ND_HOLDER_BYTES - 1;
    if (holder->type == ND_REDIS_STRING)
        memcpy(lease.holder, holder->text, length);
    lease.since_ms = nd_redis_number(nd_redis_item(reply, 3));
    lease.until_ms = nd_redis_number(nd_redis_item(reply, 4));
    return lease;
}

enum nd_status nd_redis_lease_acquire(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const uint8_t nonce[ND_NONCE_BYTES],
                                      const char *holder, int64_t length_ms,
                                      struct nd_error *error,
                                      struct nd_lease *lease_r)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_LEASE_ACQUIRE, scope);
    nd_redis_call_text(&call, scope->settings);
    nd_redis_call_bytes(&call, nonce, ND_NONCE_BYTES);
    nd_redis_call_bytes(&call, holder, strnlen(holder, ND_HOLDER_BYTES - 1));
    nd_redis_call_number(&call, length_ms);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status != ND_OK)
        return status;
    struct nd_lease lease = read_lease(nd_redis_item(reply, 1));
    if (lease.token == 0)
        return nd_redis_strange(&call, error);
    *lease_r = lease;
    if (nd_redis_says(reply, "granted"))
        return ND_OK;
    return nd_fail(error, ND_BUSY, "%s/%s is being trained by %s", scope->rule,
                   scope->settings, lease.holder);
}

static enum nd_status fail_lost(const struct nd_scope *scope,
                                struct nd_error *error)
{
    return nd_fail(error, ND_LOST, "the lease of %s/%s is no longer ours",
                   scope->rule, scope->settings);
}

enum nd_status nd_redis_lease_renew(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const struct nd_lease *lease,
                                    uint64_t progress, int64_t length_ms,
                                    struct nd_error *error)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_LEASE_RENEW, scope);
    nd_redis_call_number(&call, (int64_t)lease->token);
    nd_redis_call_bytes(&call, lease->nonce, ND_NONCE_BYTES);
    nd_redis_call_number(&call, (int64_t)progress);
    nd_redis_call_number(&call, length_ms);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status != ND_OK || nd_redis_says(reply, "done"))
        return status;
    if (nd_redis_says(reply, "idle"))
        return nd_fail(error, ND_LOST,
                       "the lease of %s/%s is not renewed without progress",
                       scope->rule, scope->settings);
    return fail_lost(scope, error);
}

enum nd_status nd_redis_lease_release(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const struct nd_lease *lease,
                                      struct nd_error *error)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_LEASE_RELEASE, scope);
    nd_redis_call_number(&call, (int64_t)lease->token);
    nd_redis_call_bytes(&call, lease->nonce, ND_NONCE_BYTES);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status == ND_OK && !nd_redis_says(reply, "done"))
        status = fail_lost(scope, error);
    return status;
}

enum nd_status nd_redis_lease_show(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   struct nd_error *error,
                                   struct nd_lease *lease_r)
{
    struct nd_redis_state state;
    enum nd_status status = nd_redis_state_read(store, scope, error, &state);
    if (status != ND_OK)
        return status;
    struct nd_redis_reply items[] = {
        *nd_redis_state_get(&state, "lease_token"),
        *nd_redis_state_get(&state, "lease_nonce"),
        *nd_redis_state_get(&state, "lease_holder"),
        *nd_redis_state_get(&state, "lease_since"),
        *nd_redis_state_get(&state, "lease_until"),
    };
    struct nd_redis_reply *places[] = {&items[0], &items[1], &items[2],
                                       &items[3], &items[4]};
    struct nd_redis_reply list = {
        .type = ND_REDIS_ARRAY, .length = 5, .items = places};
    struct nd_lease lease = read_lease(&list);
    if (lease.token == 0)
        return nd_fail(error, ND_NOTHING, "nobody trains %s/%s", scope->rule,
                       scope->settings);
    *lease_r = lease;
    return ND_OK;
}

/* ---- how trainings end ---- */

void nd_redis_call_entry(struct nd_redis_call *call,
                         const struct nd_journal_entry *entry)
{
    nd_redis_call_number(call, entry->decision);
    nd_redis_call_text(call, entry->holder);
    nd_redis_call_text(call, entry->reason);
    nd_redis_call_text(call, entry->figures);
}

void nd_redis_call_consumed(struct nd_redis_call *call,
                            const struct nd_sample_info *samples, size_t count)
{
    size_t length = count * ND_REDIS_MENTION_BYTES;
    uint8_t *list = nd_arena_take(call->store->scratch, length + 1);
    for (size_t i = 0; i < count; i++)
        nd_redis_mention(&samples[i], list + i * ND_REDIS_MENTION_BYTES);
    nd_redis_call_bytes(call, list, length);
}

enum nd_status nd_redis_training_finish(struct nd_store *store,
                                        const struct nd_scope *scope,
                                        const struct nd_lease *lease,
                                        const struct nd_finish *finish,
                                        struct nd_error *error)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_FINISH, scope);
    nd_redis_call_number(&call, (int64_t)lease->token);
    nd_redis_call_bytes(&call, lease->nonce, ND_NONCE_BYTES);
    nd_redis_call_entry(&call, finish->entry);
    nd_redis_call_consumed(&call, finish->consumed, finish->consumed_count);
    nd_redis_call_number(&call, (int64_t)finish->watermark);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status == ND_OK && !nd_redis_says(reply, "done"))
        status = nd_fail(error, ND_LOST,
                         "the lease of %s/%s is no longer ours: the training "
                         "was not recorded",
                         scope->rule, scope->settings);
    return status;
}

enum nd_status nd_redis_training_state(struct nd_store *store,
                                       const struct nd_scope *scope,
                                       struct nd_error *error,
                                       struct nd_training_state *state_r)
{
    struct nd_redis_state state;
    struct nd_training_state training = {0};
    enum nd_status status = nd_redis_state_read(store, scope, error, &state);
    if (status != ND_OK)
        return status;
    training.changes = nd_redis_state_count(&state, "sequence") -
                       nd_redis_state_count(&state, "attempted");
    training.last_ms = (int64_t)nd_redis_state_count(&state, "attempt_ms");
    training.failures = (uint32_t)nd_redis_state_count(&state, "failures");
    nd_redis_state_samples(&state, training.count, training.sources);
    *state_r = training;
    return ND_OK;
}

/* ---- the journal ---- */

static const char *read_text(struct nd_reader *reader, struct nd_arena *arena)
{
    size_t length = nd_reader_u32(reader);
    const uint8_t *text = nd_reader_bytes(reader, length);
    if (text == NULL)
        return "";
    return nd_arena_strndup(arena, (const char *)text, length);
}

static bool read_entry(const struct nd_redis_reply *reply,
                       struct nd_arena *arena, struct nd_journal_entry *entry_r)
{
    struct nd_reader reader;
    nd_reader_init(&reader, reply->text, reply->length);
    entry_r->time_ms = (int64_t)nd_reader_u64(&reader);
    entry_r->token = nd_reader_u64(&reader);
    uint8_t decision = nd_reader_u8(&reader);
    entry_r->decision = decision <= ND_DECISION_FAILED
                            ? (enum nd_decision)decision
                            : ND_DECISION_FAILED;
    entry_r->holder = read_text(&reader, arena);
    entry_r->reason = read_text(&reader, arena);
    entry_r->figures = read_text(&reader, arena);
    return !reader.failed;
}

enum nd_status nd_redis_journal(struct nd_store *store,
                                const struct nd_scope *scope, size_t limit,
                                struct nd_arena *arena, struct nd_error *error,
                                const struct nd_journal_entry **entries_r,
                                size_t *count_r)
{
    struct nd_redis_store *redis = (struct nd_redis_store *)store;
    char key[ND_REDIS_KEY_BYTES], first[24];
    nd_redis_key(redis, 'j', scope, "", key);
    if (limit == 0 || limit > INT32_MAX)
        limit = limit == 0 ? 0 : INT32_MAX;
    (void)snprintf(first, sizeof(first), "-%zu", limit);
    const char *words[] = {"LRANGE", key, limit == 0 ? "1" : first,
                           limit == 0 ? "0" : "-1", NULL};
    const struct nd_redis_reply *reply;
    enum nd_status status =
        nd_redis_client_ask(redis->client, words, false, error, &reply);
    if (status != ND_OK)
        return status;
    size_t count = reply->type == ND_REDIS_ARRAY ? reply->length : 0;
    struct nd_journal_entry *entries =
        nd_arena_take(arena, (count + 1) * sizeof(*entries));
    for (size_t i = 0; i < count; i++) {
        if (!read_entry(nd_redis_item(reply, count - 1 - i), arena,
                        &entries[i]))
            return nd_fail(error, ND_DATA, "Redis: %s is damaged", key);
    }
    *entries_r = entries;
    *count_r = count;
    return ND_OK;
}
