/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading samples from Redis: the list of those present, taken by one script
 * and sorted here, and their payloads in pieces. A payload is handed out only
 * under the version that the list named.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/redis_operations.h"
#include "store/redis_record.h"
#include "store/redis_script.h"

#define PAYLOADS_A_CALL 1024

static int by_time(const void *one, const void *other)
{
    const struct nd_sample_info *a = one, *b = other;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

/* Reads the list: a byte of length and a record's beginning each. */
static enum nd_status read_list(const struct nd_redis_reply *list,
                                struct nd_error *error,
                                struct nd_snapshot *snapshot)
{
    const uint8_t *data = (const uint8_t *)list->text;
    size_t capacity = 0;
    for (size_t at = 0; at < list->length;) {
        size_t length = data[at++];
        if (length > list->length - at)
            return nd_fail(error, ND_DATA, "Redis: a snapshot is cut off");
        if (snapshot->count == capacity) {
            capacity = capacity > 0 ? capacity * 2 : 256;
            snapshot->samples = nd_realloc(snapshot->samples, capacity,
                                           sizeof(*snapshot->samples));
        }
        enum nd_status status = nd_redis_record_read(
            data + at, length, error, &snapshot->samples[snapshot->count]);
        if (status != ND_OK)
            return status;
        snapshot->count++;
        at += length;
    }
    return ND_OK;
}

enum nd_status nd_redis_snapshot(struct nd_store *store,
                                 const struct nd_scope *scope,
                                 struct nd_error *error,
                                 struct nd_snapshot *snapshot_r)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_SNAPSHOT, scope);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status != ND_OK)
        return status;
    const struct nd_redis_reply *list = nd_redis_item(reply, 1);
    if (list->type != ND_REDIS_STRING)
        return nd_redis_strange(&call, error);
    struct nd_snapshot snapshot = {.watermark =
                                       nd_redis_count(nd_redis_item(reply, 0))};
    status = read_list(list, error, &snapshot);
    if (status != ND_OK) {
        free(snapshot.samples);
        return status;
    }
    if (snapshot.count > 0)
        qsort(snapshot.samples, snapshot.count, sizeof(*snapshot.samples),
              by_time);
    *snapshot_r = snapshot;
    return ND_OK;
}

struct reading {
    struct nd_store *store;
    const struct nd_scope *scope;
    const struct nd_sample_info *samples;
    size_t count, done;
    struct nd_arena *arena;
    struct nd_payload *payloads;
};

/* Reads the payloads of the next samples, as many as one answer holds. */
static enum nd_status read_piece(struct reading *reading,
                                 struct nd_error *error)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    size_t count = reading->count - reading->done;
    if (count > PAYLOADS_A_CALL)
        count = PAYLOADS_A_CALL;
    nd_redis_call_begin(&call, reading->store, ND_REDIS_READ, reading->scope);
    uint8_t *list =
        nd_arena_take(call.store->scratch, count * ND_REDIS_MENTION_BYTES);
    for (size_t i = 0; i < count; i++)
        nd_redis_mention(&reading->samples[reading->done + i],
                         list + i * ND_REDIS_MENTION_BYTES);
    nd_redis_call_bytes(&call, list, count * ND_REDIS_MENTION_BYTES);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status != ND_OK)
        return status;
    if (reply->type != ND_REDIS_ARRAY || reply->length == 0 ||
        reply->length > count)
        return nd_redis_strange(&call, error);
    for (size_t i = 0; i < reply->length; i++) {
        const struct nd_redis_reply *item = nd_redis_item(reply, i);
        struct nd_payload *payload = &reading->payloads[reading->done + i];
        if (item->type != ND_REDIS_STRING)
            continue;
        payload->data = (const uint8_t *)nd_arena_strndup(
            reading->arena, item->text, item->length);
        payload->length = item->length;
    }
    reading->done += reply->length;
    return ND_OK;
}

enum nd_status nd_redis_read(struct nd_store *store,
                             const struct nd_scope *scope,
                             const struct nd_sample_info *samples, size_t count,
                             struct nd_arena *arena, struct nd_error *error,
                             struct nd_payload *payloads_r)
{
    struct reading reading = {.store = store,
                              .scope = scope,
                              .samples = samples,
                              .count = count,
                              .arena = arena};
    reading.payloads = nd_calloc(count, sizeof(*reading.payloads));
    enum nd_status status = ND_OK;
    while (status == ND_OK && reading.done < count)
        status = read_piece(&reading, error);
    if (status == ND_OK && count > 0)
        memcpy(payloads_r, reading.payloads, count * sizeof(*payloads_r));
    free(reading.payloads);
    return status;
}

enum nd_status nd_redis_find(struct nd_store *store,
                             const struct nd_scope *scope,
                             const uint8_t identity[ND_IDENTITY_BYTES],
                             struct nd_error *error,
                             struct nd_sample_info *info_r)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_FIND, scope);
    nd_redis_call_bytes(&call, identity, ND_IDENTITY_BYTES);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status != ND_OK)
        return status;
    if (reply->type != ND_REDIS_STRING)
        return nd_fail(error, ND_NO_INPUT, "no such sample under %s/%s",
                       scope->rule, scope->settings);
    return nd_redis_record_read(reply->text, reply->length, error, info_r);
}
