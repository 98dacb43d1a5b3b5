/* SPDX-License-Identifier: Apache-2.0
 *
 * Storing, relabelling and forgetting in the Redis backend. A batch of puts is
 * one script, one round trip and one atomic step, up to a size beyond which it
 * would keep the server from its other clients. Only where a known sample lacks
 * families of the new one does it take a second trip: payloads are merged here,
 * since scripts do not know their encoding, and go back under the version that
 * they were made from.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "store/redis_operations.h"
#include "store/redis_script.h"
#include "store/sample.h"

#define MOST_A_CALL 512
#define MOST_BYTES_A_CALL (4U << 20)
#define MERGE_TRIES 8
#define NO_MERGE UINT32_MAX   /* these payloads cannot be merged */
#define BUCKETS_A_CALL 512    /* of a bulk forget */
#define ALL_BUCKETS INT32_MAX /* a dry run is one step */

/* Times beyond 2^52 are no times, and scripts count in doubles. */
static int64_t clamp_time(int64_t time_ms)
{
    const int64_t most = INT64_C(1) << 52;
    return time_ms > most ? most : time_ms < -most ? -most : time_ms;
}

/* ---- arguments ---- */

/* What a sample needs merged before it can be put. */
struct merge {
    uint32_t version; /* that the merged payload was made from; 0: none yet */
    struct nd_buffer payload;
};

static const uint8_t *pack_fixed(struct nd_arena *arena,
                                 const struct nd_sample_put *sample,
                                 uint32_t merge_version, size_t *length_r)
{
    struct nd_buffer fixed = {0};
    struct nd_error ignored;
    uint32_t families = 0;
    if (nd_sample_families(sample->payload, sample->payload_length, &ignored,
                           &families) != ND_OK)
        families = 0;
    nd_buffer_append(&fixed, sample->identity, ND_IDENTITY_BYTES);
    nd_buffer_append(&fixed, sample->key_id, ND_KEY_ID_BYTES);
    nd_buffer_append(&fixed, sample->registry_digest, ND_DIGEST_BYTES);
    nd_buffer_u8(&fixed, (uint8_t)sample->label);
    nd_buffer_u8(&fixed, (uint8_t)sample->source);
    nd_buffer_u64(&fixed, (uint64_t)clamp_time(sample->label_ms));
    nd_buffer_u64(&fixed, (uint64_t)clamp_time(sample->time_ms));
    nd_buffer_u32(&fixed, sample->registry_length);
    nd_buffer_u32(&fixed, families);
    nd_buffer_u32(&fixed, merge_version);
    uint8_t *copy = nd_arena_take(arena, fixed.length);
    memcpy(copy, fixed.data, fixed.length);
    *length_r = fixed.length;
    nd_buffer_free(&fixed);
    return copy;
}

static void add_sample(struct nd_redis_call *call,
                       const struct nd_sample_put *sample,
                       const struct merge *merge)
{
    size_t length;
    const uint8_t *fixed =
        pack_fixed(call->store->scratch, sample,
                   merge != NULL ? merge->version : 0, &length);
    nd_redis_call_bytes(call, fixed, length);
    nd_redis_call_bytes(call, sample->payload, sample->payload_length);
    if (merge != NULL)
        nd_redis_call_bytes(call, merge->payload.data, merge->payload.length);
    else
        nd_redis_call_text(call, "");
}

static void begin_put(struct nd_redis_call *call, struct nd_store *store,
                      const struct nd_scope *scope,
                      const struct nd_quota *quota)
{
    struct nd_redis_store *redis = (struct nd_redis_store *)store;
    nd_redis_call_begin(call, store, ND_REDIS_PUT, scope);
    nd_redis_call_text(call, scope->settings);
    nd_redis_call_text(call, quota->mode == ND_QUOTA_BALANCED ? "balanced"
                                                              : "reservoir");
    nd_redis_call_number(
        call, quota->limit > INT32_MAX ? INT32_MAX : (int64_t)quota->limit);
    nd_redis_call_number(call,
                         (int64_t)nd_random_below(&redis->random, INT32_MAX));
    nd_redis_call_bytes(call, redis->key_id,
                        redis->has_key ? ND_KEY_ID_BYTES : 0);
}

/* ---- results ---- */

static const char *const outcome_words[] = {
    [ND_PUT_STORED] = "stored",         [ND_PUT_REPLACED] = "replaced",
    [ND_PUT_RELABELLED] = "relabelled", [ND_PUT_MERGED] = "merged",
    [ND_PUT_DUPLICATE] = "duplicate",   [ND_PUT_REFUSED] = "refused",
};

static enum nd_refusal reason_of(const struct nd_redis_reply *reply)
{
    for (int reason = 0; reason < ND_REFUSAL_COUNT; reason++) {
        if (nd_redis_says(reply, nd_refusal_name((enum nd_refusal)reason)))
            return (enum nd_refusal)reason;
    }
    return ND_REFUSED_STORE;
}

/* outcome, reason, old label, identity replaced, ham, spam */
static bool read_result(const struct nd_redis_reply *reply,
                        struct nd_put_result *result_r)
{
    struct nd_put_result result = {0};
    const struct nd_redis_reply *replaced = nd_redis_item(reply, 3);
    int outcome = ND_PUT_STORED;
    while (outcome <= ND_PUT_REFUSED &&
           !nd_redis_says(reply, outcome_words[outcome]))
        outcome++;
    if (outcome > ND_PUT_REFUSED)
        return false;
    result.outcome = (enum nd_put_outcome)outcome;
    if (outcome == ND_PUT_REFUSED)
        result.reason = reason_of(nd_redis_item(reply, 1));
    if (outcome != ND_PUT_STORED && outcome != ND_PUT_REPLACED)
        result.old_label =
            nd_redis_number(nd_redis_item(reply, 2)) != 0 ? ND_SPAM : ND_HAM;
    if (outcome == ND_PUT_REPLACED && replaced->length == ND_IDENTITY_BYTES)
        memcpy(result.replaced, replaced->text, ND_IDENTITY_BYTES);
    result.count[ND_HAM] = nd_redis_count(nd_redis_item(reply, 4));
    result.count[ND_SPAM] = nd_redis_count(nd_redis_item(reply, 5));
    *result_r = result;
    return true;
}

/* ---- merging ---- */

/* Merges what the reply says is stored with the sample's families. */
static void prepare_merge(const struct nd_redis_reply *reply,
                          const struct nd_sample_put *sample,
                          struct merge *merge)
{
    const struct nd_redis_reply *old = nd_redis_item(reply, 3);
    struct nd_error ignored;
    nd_buffer_clear(&merge->payload);
    merge->version = (uint32_t)nd_redis_count(nd_redis_item(reply, 2));
    enum nd_status status = nd_sample_merge(
        old->text != NULL ? old->text : "", old->length, sample->payload,
        sample->payload_length, &merge->payload, &ignored);
    if (status != ND_OK || merge->payload.length > ND_SAMPLE_MAX_BYTES)
        merge->version = NO_MERGE;
}

/* Puts one sample that met another with fewer families: again with the two
 * merged, until nobody changed it in between. */
static enum nd_status put_merging(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  const struct nd_sample_put *sample,
                                  const struct nd_quota *quota,
                                  struct nd_error *error,
                                  struct nd_put_result *result_r)
{
    struct merge merge = {0};
    enum nd_status status = ND_OK;
    bool done = false;
    for (int tries = 0; status == ND_OK && !done && tries < MERGE_TRIES;
         tries++) {
        struct nd_redis_call call;
        const struct nd_redis_reply *reply;
        begin_put(&call, store, scope, quota);
        add_sample(&call, sample, &merge);
        status = nd_redis_call_run(&call, error, &reply);
        if (status != ND_OK)
            break;
        const struct nd_redis_reply *item = nd_redis_item(reply, 0);
        done = read_result(item, result_r);
        if (!done && nd_redis_says(item, "merge"))
            prepare_merge(item, sample, &merge);
        else if (!done)
            status = nd_redis_strange(&call, error);
    }
    nd_buffer_free(&merge.payload);
    if (status == ND_OK && !done)
        return nd_fail(error, ND_UNCERTAIN,
                       "a sample is being changed by many at once; repeat it");
    return status;
}

/* ---- put ---- */

struct batch {
    struct nd_store *store;
    const struct nd_scope *scope;
    const struct nd_quota *quota;
    const struct nd_sample_put *samples;
    struct nd_put_result *results;
    size_t count;
    bool *needs_merge;
};

/* How many samples from first on go into one call. */
static size_t piece_length(const struct batch *batch, size_t first)
{
    size_t length = 0, bytes = 0;
    while (first + length < batch->count && length < MOST_A_CALL) {
        bytes += batch->samples[first + length].payload_length;
        if (length > 0 && bytes > MOST_BYTES_A_CALL)
            break;
        length++;
    }
    return length;
}

static enum nd_status put_piece(const struct batch *batch, size_t first,
                                size_t length, struct nd_error *error)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    begin_put(&call, batch->store, batch->scope, batch->quota);
    for (size_t i = 0; i < length; i++)
        add_sample(&call, &batch->samples[first + i], NULL);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    for (size_t i = 0; status == ND_OK && i < length; i++) {
        const struct nd_redis_reply *item = nd_redis_item(reply, i);
        batch->needs_merge[first + i] = nd_redis_says(item, "merge");
        if (!batch->needs_merge[first + i] &&
            !read_result(item, &batch->results[first + i]))
            status = nd_redis_strange(&call, error);
    }
    return status;
}

static enum nd_status put_all(const struct batch *batch, struct nd_error *error)
{
    enum nd_status status = ND_OK;
    size_t acted = 0;
    for (size_t first = 0; status == ND_OK && first < batch->count;) {
        size_t length = piece_length(batch, first);
        status = put_piece(batch, first, length, error);
        first += length;
        acted += status == ND_OK;
    }
    for (size_t i = 0; status == ND_OK && i < batch->count; i++) {
        if (batch->needs_merge[i])
            status = put_merging(batch->store, batch->scope, &batch->samples[i],
                                 batch->quota, error, &batch->results[i]);
    }
    /* some of it is done: all of it is to be repeated */
    return status != ND_OK && acted > 0 ? ND_UNCERTAIN : status;
}

enum nd_status nd_redis_put_many(struct nd_store *store,
                                 const struct nd_scope *scope,
                                 const struct nd_sample_put *samples,
                                 size_t count, const struct nd_quota *quota,
                                 struct nd_error *error,
                                 struct nd_put_result *results_r)
{
    struct batch batch = {store, scope, quota, samples, NULL, count, NULL};
    batch.results = nd_calloc(count, sizeof(*batch.results));
    batch.needs_merge = nd_calloc(count, sizeof(*batch.needs_merge));
    enum nd_status status = put_all(&batch, error);
    if (status == ND_OK && count > 0)
        memcpy(results_r, batch.results, count * sizeof(*results_r));
    free(batch.needs_merge);
    free(batch.results);
    return status;
}

/* ---- relabel and forget ---- */

enum nd_status nd_redis_relabel(struct nd_store *store,
                                const struct nd_scope *scope,
                                const uint8_t identity[ND_IDENTITY_BYTES],
                                const struct nd_claim *claim,
                                struct nd_error *error,
                                struct nd_put_result *result_r)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_RELABEL, scope);
    nd_redis_call_bytes(&call, identity, ND_IDENTITY_BYTES);
    nd_redis_call_number(&call, claim->label);
    nd_redis_call_number(&call, claim->source);
    nd_redis_call_number(&call, clamp_time(claim->label_ms));
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status != ND_OK)
        return status;
    if (nd_redis_says(reply, "absent"))
        return nd_fail(error, ND_NO_INPUT,
                       "no such sample under %s/%s: only one that is stored "
                       "can be relabelled",
                       scope->rule, scope->settings);
    return read_result(reply, result_r) ? ND_OK
                                        : nd_redis_strange(&call, error);
}

enum nd_status nd_redis_forget(struct nd_store *store,
                               const struct nd_scope *scope,
                               const uint8_t identity[ND_IDENTITY_BYTES],
                               int64_t label_ms, struct nd_error *error,
                               bool *existed_r)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_FORGET, scope);
    nd_redis_call_text(&call, scope->settings);
    nd_redis_call_bytes(&call, identity, ND_IDENTITY_BYTES);
    nd_redis_call_number(&call, clamp_time(label_ms));
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status == ND_OK)
        *existed_r = nd_redis_number(reply) != 0;
    return status;
}

enum nd_status nd_redis_forget_matching(struct nd_store *store,
                                        const struct nd_scope *scope,
                                        const struct nd_sample_filter *filter,
                                        bool dry_run, struct nd_error *error,
                                        uint64_t *count_r)
{
    uint64_t total = 0;
    int64_t bucket = 0;
    while (bucket >= 0) {
        struct nd_redis_call call;
        const struct nd_redis_reply *reply;
        nd_redis_call_begin(&call, store, ND_REDIS_FORGET_MATCHING, scope);
        nd_redis_call_number(&call, filter->source);
        nd_redis_call_number(&call, filter->label);
        nd_redis_call_number(&call, clamp_time(filter->since_ms));
        nd_redis_call_number(&call, clamp_time(filter->until_ms));
        nd_redis_call_number(&call, bucket);
        nd_redis_call_number(&call, dry_run ? ALL_BUCKETS : BUCKETS_A_CALL);
        nd_redis_call_text(&call, dry_run ? "1" : "0");
        nd_redis_call_number(&call, clamp_time(filter->as_of_ms));
        enum nd_status status = nd_redis_call_run(&call, error, &reply);
        if (status != ND_OK)
            return status;
        total += nd_redis_count(nd_redis_item(reply, 0));
        int64_t next = nd_redis_number(nd_redis_item(reply, 1));
        if (next >= 0 && next <= bucket)
            return nd_redis_strange(&call, error);
        bucket = next;
    }
    *count_r = total;
    return ND_OK;
}
