/* SPDX-License-Identifier: Apache-2.0
 *
 * The store in Redis as records, and records into it. Reading asks for plain
 * values and takes the scripts' encodings apart (docs/formats/redis.md);
 * writing is one script, since buckets and counts must move together.
 */
#include "store/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "store/redis_operations.h"
#include "store/redis_record.h"
#include "store/redis_state.h"
#include "store/sample.h"

#define BUCKETS_AT_ONCE 64
#define MOST_ENTRIES 1000000

/* ---- reading ---- */

static enum nd_status read_scopes(struct nd_redis_store *redis,
                                  struct nd_arena *arena,
                                  struct nd_error *error,
                                  const struct nd_image_record **records_r,
                                  size_t *count_r)
{
    const char **rules;
    size_t rule_count, count = 0;
    struct nd_image_record *records = NULL;
    enum nd_status status =
        nd_redis_rules(redis, arena, error, &rules, &rule_count);
    for (size_t i = 0; status == ND_OK && i < rule_count; i++) {
        const char **settings;
        size_t more;
        status =
            nd_redis_settings(redis, rules[i], arena, error, &settings, &more);
        if (status != ND_OK)
            break;
        struct nd_image_record *grown =
            nd_arena_take(arena, (count + more) * sizeof(*grown));
        if (count > 0)
            memcpy(grown, records, count * sizeof(*grown));
        records = grown;
        for (size_t j = 0; j < more; j++)
            records[count++] = (struct nd_image_record){
                .kind = ND_IMAGE_SCOPE, .of.scope = {rules[i], settings[j]}};
    }
    if (status == ND_OK) {
        *records_r = records;
        *count_r = count;
    }
    return status;
}

/* The records of one bucket, appended. */
static enum nd_status read_bucket(const struct nd_redis_reply *bucket,
                                  struct nd_arena *arena,
                                  struct nd_error *error,
                                  struct nd_image_record *records,
                                  size_t *count)
{
    struct nd_reader reader;
    nd_reader_init(&reader, bucket->text, bucket->length);
    while (nd_reader_left(&reader) > 0) {
        uint64_t length = nd_reader_varint(&reader);
        const uint8_t *data = length <= nd_reader_left(&reader)
                                  ? nd_reader_bytes(&reader, (size_t)length)
                                  : NULL;
        struct nd_image_record *record = &records[*count];
        memset(record, 0, sizeof(*record));
        record->kind = ND_IMAGE_SAMPLE;
        if (data == NULL)
            return nd_fail(error, ND_DATA, "Redis: a bucket is damaged");
        enum nd_status status = nd_redis_record_image(
            data, (size_t)length, arena, error, &record->of.sample);
        if (status != ND_OK)
            return status;
        ++*count;
    }
    return ND_OK;
}

/* A record takes at least this many bytes. */
#define LEAST_RECORD_BYTES 20

static enum nd_status read_buckets(const struct nd_redis_reply *buckets,
                                   struct nd_arena *arena,
                                   struct nd_error *error,
                                   const struct nd_image_record **records_r,
                                   size_t *count_r)
{
    size_t bytes = 0, count = 0;
    for (size_t i = 0; i < buckets->length; i++)
        bytes += nd_redis_item(buckets, i)->type == ND_REDIS_STRING
                     ? nd_redis_item(buckets, i)->length
                     : 0;
    struct nd_image_record *records = nd_arena_take(
        arena, (bytes / LEAST_RECORD_BYTES + 1) * sizeof(*records));
    enum nd_status status = ND_OK;
    for (size_t i = 0; status == ND_OK && i < buckets->length; i++) {
        const struct nd_redis_reply *bucket = nd_redis_item(buckets, i);
        if (bucket->type == ND_REDIS_STRING)
            status = read_bucket(bucket, arena, error, records, &count);
    }
    if (status == ND_OK) {
        *records_r = records;
        *count_r = count;
    }
    return status;
}

static enum nd_status ask_buckets(struct nd_redis_store *redis,
                                  const struct nd_scope *scope, uint64_t first,
                                  struct nd_error *error,
                                  const struct nd_redis_reply **reply_r)
{
    char key[ND_REDIS_KEY_BYTES], numbers[BUCKETS_AT_ONCE][24];
    struct nd_redis_argument arguments[BUCKETS_AT_ONCE + 2];
    nd_redis_key(redis, 'p', scope, "", key);
    arguments[0] = (struct nd_redis_argument){"HMGET", 5};
    arguments[1] = (struct nd_redis_argument){key, strlen(key)};
    for (size_t i = 0; i < BUCKETS_AT_ONCE; i++) {
        unsigned long long number = first + i;
        (void)snprintf(numbers[i], sizeof(numbers[i]), "%llu", number);
        arguments[i + 2] =
            (struct nd_redis_argument){numbers[i], strlen(numbers[i])};
    }
    struct nd_redis_command command = {arguments, BUCKETS_AT_ONCE + 2};
    struct nd_redis_request request = {.commands = &command, .count = 1};
    return nd_redis_client_exchange(redis->client, &request, error, reply_r);
}

static enum nd_status read_samples(struct nd_redis_store *redis,
                                   const struct nd_scope *scope,
                                   uint64_t *cursor, struct nd_arena *arena,
                                   struct nd_error *error,
                                   const struct nd_image_record **records_r,
                                   size_t *count_r)
{
    struct nd_redis_state state;
    const struct nd_redis_reply *reply;
    enum nd_status status =
        nd_redis_state_read(&redis->base, scope, error, &state);
    if (status != ND_OK)
        return status;
    uint64_t level = nd_redis_state_count(&state, "level");
    uint64_t split = nd_redis_state_count(&state, "split");
    if (level > 40)
        return nd_fail(error, ND_DATA, "Redis: a scope's state is damaged");
    status = ask_buckets(redis, scope, *cursor, error, &reply);
    if (status == ND_OK && reply->type != ND_REDIS_ARRAY)
        status = nd_fail(error, ND_DATA, "Redis: no buckets in the answer");
    if (status == ND_OK)
        status = read_buckets(reply, arena, error, records_r, count_r);
    if (status == ND_OK) {
        *cursor += BUCKETS_AT_ONCE;
        if (*cursor >= (UINT64_C(1) << level) + split)
            *cursor = ND_IMAGE_END;
    }
    return status;
}

/* The ending of each entry's token: kind and digest. */
static enum nd_status read_endings(struct nd_redis_store *redis,
                                   const struct nd_scope *scope,
                                   struct nd_error *error,
                                   struct nd_image_record *records,
                                   size_t count)
{
    char key[ND_REDIS_KEY_BYTES], token[24];
    nd_redis_key(redis, 'e', scope, "", key);
    for (size_t i = 0; i < count; i++) {
        struct nd_image_entry *entry = &records[i].of.entry;
        (void)snprintf(token, sizeof(token), "%llu",
                       (unsigned long long)entry->entry.token);
        const char *words[] = {"HGET", key, token, NULL};
        const struct nd_redis_reply *reply;
        enum nd_status status =
            nd_redis_client_ask(redis->client, words, false, error, &reply);
        if (status != ND_OK)
            return status;
        if (reply->type == ND_REDIS_STRING &&
            reply->length == 1 + ND_DIGEST_BYTES) {
            entry->ending = (uint8_t)reply->text[0];
            memcpy(entry->digest, reply->text + 1, ND_DIGEST_BYTES);
        }
    }
    return ND_OK;
}

static enum nd_status read_journal(struct nd_redis_store *redis,
                                   const struct nd_scope *scope,
                                   struct nd_arena *arena,
                                   struct nd_error *error,
                                   const struct nd_image_record **records_r,
                                   size_t *count_r)
{
    const struct nd_journal_entry *entries;
    size_t count;
    enum nd_status status = nd_store_journal(&redis->base, scope, MOST_ENTRIES,
                                             arena, error, &entries, &count);
    if (status != ND_OK)
        return status;
    struct nd_image_record *records =
        nd_arena_take(arena, count * sizeof(*records));
    for (size_t i = 0; i < count; i++) {
        memset(&records[i], 0, sizeof(records[i]));
        records[i].kind = ND_IMAGE_JOURNAL;
        records[i].of.entry.entry = entries[count - 1 - i];
    }
    status = read_endings(redis, scope, error, records, count);
    if (status == ND_OK) {
        *records_r = records;
        *count_r = count;
    }
    return status;
}

static enum nd_status read_state(struct nd_redis_store *redis,
                                 const struct nd_scope *scope,
                                 struct nd_error *error,
                                 struct nd_image_state *image)
{
    struct nd_redis_state state;
    char name[64];
    enum nd_status status =
        nd_redis_state_read(&redis->base, scope, error, &state);
    if (status != ND_OK)
        return status;
    image->sequence = nd_redis_state_count(&state, "sequence");
    image->attempted = nd_redis_state_count(&state, "attempted");
    image->failures = nd_redis_state_count(&state, "failures");
    image->token = nd_redis_state_count(&state, "token");
    image->live = nd_redis_state_count(&state, "live");
    image->revision = nd_redis_state_count(&state, "revision");
    image->pinned = nd_redis_state_count(&state, "pinned") != 0;
    image->attempt_ms = (int64_t)nd_redis_state_count(&state, "attempt_ms");
    const struct nd_redis_reply *key_id = nd_redis_state_get(&state, "key_id");
    if (key_id->type == ND_REDIS_STRING && key_id->length == ND_KEY_ID_BYTES)
        memcpy(image->key_id, key_id->text, ND_KEY_ID_BYTES);
    for (size_t i = 0; i < ND_IMAGE_EVENTS; i++)
        image->events[i] = nd_redis_state_count(&state, nd_image_event_name(i));
    for (int i = 0; i < ND_REFUSAL_COUNT; i++) {
        (void)snprintf(name, sizeof(name), "refused:%s",
                       nd_refusal_name((enum nd_refusal)i));
        image->refused[i] = nd_redis_state_count(&state, name);
    }
    return ND_OK;
}

enum nd_status nd_redis_image_read(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   enum nd_image_kind kind, uint64_t *cursor,
                                   struct nd_arena *arena,
                                   struct nd_error *error,
                                   const struct nd_image_record **records_r,
                                   size_t *count_r)
{
    struct nd_redis_store *redis = (struct nd_redis_store *)store;
    enum nd_status status;
    if (kind == ND_IMAGE_MODEL || kind == ND_IMAGE_PROFILE)
        return nd_image_read_lists(store, scope, kind, cursor, arena, error,
                                   records_r, count_r);
    if (kind == ND_IMAGE_SAMPLE)
        return read_samples(redis, scope, cursor, arena, error, records_r,
                            count_r);
    if (kind == ND_IMAGE_SCOPE) {
        status = read_scopes(redis, arena, error, records_r, count_r);
    } else if (kind == ND_IMAGE_JOURNAL) {
        status = read_journal(redis, scope, arena, error, records_r, count_r);
    } else {
        struct nd_image_record *record = nd_arena_take(arena, sizeof(*record));
        memset(record, 0, sizeof(*record));
        record->kind = ND_IMAGE_STATE;
        status = read_state(redis, scope, error, &record->of.state);
        *records_r = record;
        *count_r = 1;
    }
    if (status == ND_OK)
        *cursor = ND_IMAGE_END;
    return status;
}

/* ---- writing: three arguments a record ---- */

struct writing {
    struct nd_redis_call call;
    struct nd_arena *arena; /* of what the arguments point to */
};

static void put(struct writing *work, const char *kind,
                const struct nd_buffer *head, const void *body, size_t length)
{
    const char *copy = nd_arena_strndup(
        work->arena, head->length > 0 ? (const char *)head->data : "",
        head->length);
    nd_redis_call_text(&work->call, kind);
    nd_redis_call_bytes(&work->call, copy, head->length);
    nd_redis_call_bytes(
        &work->call,
        nd_arena_strndup(work->arena, length > 0 ? body : "", length), length);
}

static void put_sample(struct writing *work,
                       const struct nd_image_sample *sample)
{
    const struct nd_sample_info *info = &sample->info;
    struct nd_buffer head = {0};
    uint32_t families = 0;
    if (sample->fate == ND_FATE_PRESENT &&
        nd_sample_families(sample->payload, sample->payload_length, NULL,
                           &families) != ND_OK)
        families = 0; /* checked by the caller */
    nd_buffer_append(&head, info->identity, ND_IDENTITY_BYTES);
    nd_buffer_u8(&head, (uint8_t)sample->fate);
    nd_buffer_u8(&head, (uint8_t)info->label);
    nd_buffer_u8(&head, (uint8_t)info->source);
    nd_buffer_u64(&head, (uint64_t)info->label_ms);
    nd_buffer_u64(&head, (uint64_t)info->time_ms);
    nd_buffer_u64(&head, info->version);
    nd_buffer_u64(&head, info->sequence);
    nd_buffer_u64(&head, (uint64_t)sample->ended_ms);
    nd_buffer_u32(&head, families);
    put(work, "sample", &head, sample->payload, sample->payload_length);
    nd_buffer_free(&head);
}

static void put_model(struct writing *work, const struct nd_model_info *model)
{
    struct nd_buffer head = {0}, body = {0};
    nd_buffer_printf(&head, "%llu", (unsigned long long)model->generation);
    nd_buffer_append(&body, model->digest, ND_DIGEST_BYTES);
    nd_buffer_u64(&body, model->size_bytes);
    nd_buffer_u64(&body, (uint64_t)model->published_ms);
    nd_buffer_append(&body, model->profile, ND_PROFILE_DIGEST_BYTES);
    nd_buffer_append_text(&body, model->origin);
    put(work, "model", &head, body.data, body.length);
    nd_buffer_free(&head);
    nd_buffer_free(&body);
}

static void put_profile(struct writing *work, const struct nd_profile *profile)
{
    struct nd_buffer head = {0}, body = {0};
    nd_buffer_printf(&head, "%s:", profile->settings);
    nd_buffer_append(&head, profile->digest, ND_PROFILE_DIGEST_BYTES);
    nd_buffer_u64(&body, (uint64_t)profile->used_ms);
    nd_buffer_u64(&body, profile->generation);
    for (uint32_t i = 0; i < profile->symbol_count; i++)
        nd_buffer_append(&body, profile->symbols[i],
                         strlen(profile->symbols[i]) + 1);
    put(work, "profile", &head, body.data, body.length);
    nd_buffer_free(&head);
    nd_buffer_free(&body);
}

static void put_text(struct nd_buffer *body, const char *text)
{
    nd_buffer_u32(body, (uint32_t)strlen(text));
    nd_buffer_append_text(body, text);
}

static void put_entry(struct writing *work, const struct nd_image_entry *entry)
{
    struct nd_buffer head = {0}, body = {0};
    nd_buffer_u64(&head, entry->entry.token);
    nd_buffer_u8(&head, entry->ending);
    nd_buffer_append(&head, entry->digest, ND_DIGEST_BYTES);
    nd_buffer_u64(&body, (uint64_t)entry->entry.time_ms);
    nd_buffer_u64(&body, entry->entry.token);
    nd_buffer_u8(&body, (uint8_t)entry->entry.decision);
    put_text(&body, entry->entry.holder);
    put_text(&body, entry->entry.reason);
    put_text(&body, entry->entry.figures);
    put(work, "entry", &head, body.data, body.length);
    nd_buffer_free(&head);
    nd_buffer_free(&body);
}

static void put_number(struct writing *work, const char *name, uint64_t value)
{
    struct nd_buffer head = {0};
    char digits[24];
    nd_buffer_append_text(&head, name);
    (void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    put(work, "value", &head, digits, strlen(digits));
    nd_buffer_free(&head);
}

static void put_state(struct writing *work, const struct nd_image_state *state)
{
    struct nd_buffer head = {0};
    char name[64];
    put_number(work, "sequence", state->sequence);
    put_number(work, "attempted", state->attempted);
    put_number(work, "failures", state->failures);
    put_number(work, "token", state->token);
    put_number(work, "live", state->live);
    put_number(work, "revision", state->revision);
    put_number(work, "pinned", state->pinned);
    put_number(work, "attempt_ms", (uint64_t)state->attempt_ms);
    for (size_t i = 0; i < ND_IMAGE_EVENTS; i++)
        put_number(work, nd_image_event_name(i), state->events[i]);
    for (int i = 0; i < ND_REFUSAL_COUNT; i++) {
        (void)snprintf(name, sizeof(name), "refused:%s",
                       nd_refusal_name((enum nd_refusal)i));
        if (state->refused[i] > 0)
            put_number(work, name, state->refused[i]);
    }
    nd_buffer_append_text(&head, "key_id");
    put(work, "value", &head, state->key_id, ND_KEY_ID_BYTES);
    nd_buffer_free(&head);
}

enum nd_status nd_redis_image_write(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const struct nd_image_record *records,
                                    size_t count, struct nd_error *error)
{
    struct writing work = {.arena = nd_arena_create(0)};
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&work.call, store, ND_REDIS_IMAGE_WRITE, scope);
    nd_redis_call_text(&work.call, scope->settings);
    for (size_t i = 0; i < count; i++) {
        const struct nd_image_record *record = &records[i];
        if (record->kind == ND_IMAGE_PROFILE)
            put_profile(&work, &record->of.profile);
        else if (record->kind == ND_IMAGE_SAMPLE)
            put_sample(&work, &record->of.sample);
        else if (record->kind == ND_IMAGE_MODEL)
            put_model(&work, &record->of.model);
        else if (record->kind == ND_IMAGE_JOURNAL)
            put_entry(&work, &record->of.entry);
        else if (record->kind == ND_IMAGE_STATE)
            put_state(&work, &record->of.state);
    }
    enum nd_status status = nd_redis_call_run(&work.call, error, &reply);
    if (status == ND_OK && nd_redis_says(reply, "no blob"))
        status = nd_fail(error, ND_NO_INPUT,
                         "a model's blob must be uploaded before it");
    else if (status == ND_OK && !nd_redis_says(reply, "written"))
        status = nd_redis_strange(&work.call, error);
    nd_arena_destroy(&work.arena);
    return status;
}
