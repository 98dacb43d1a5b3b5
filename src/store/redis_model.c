/* SPDX-License-Identifier: Apache-2.0
 *
 * Models in Redis: blobs named by their digest, which point nowhere until a
 * publish or an import names them, and the live pointer. A blob is read back
 * in pieces and compared before anyone is told that it is there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/redis_operations.h"
#include "store/redis_state.h"
#include "store/redis_training.h"

#define PIECE_BYTES (4U << 20)
#define HEX_BYTES (2 * ND_DIGEST_BYTES + 1)

/* ---- blobs ---- */

/* Calls take for each piece of the blob; ND_NO_INPUT where there is none. */
static enum nd_status read_blob(
    struct nd_redis_store *redis, const char *key, struct nd_error *error,
    void (*take)(const void *data, size_t length, void *context), void *context)
{
    size_t first = 0, got = PIECE_BYTES;
    while (got == PIECE_BYTES) {
        char from[24], to[24];
        (void)snprintf(from, sizeof(from), "%zu", first);
        (void)snprintf(to, sizeof(to), "%zu", first + PIECE_BYTES - 1);
        const char *words[] = {"GETRANGE", key, from, to, NULL};
        const struct nd_redis_reply *reply;
        enum nd_status status =
            nd_redis_client_ask(redis->client, words, false, error, &reply);
        if (status != ND_OK)
            return status;
        got = reply->type == ND_REDIS_STRING ? reply->length : 0;
        if (got > 0)
            take(reply->text, got, context);
        first += got;
    }
    return ND_OK;
}

static void take_digest(const void *data, size_t length, void *context)
{
    nd_digest_add(context, data, length);
}

static void take_bytes(const void *data, size_t length, void *context)
{
    nd_buffer_append(context, data, length);
}

static void blob_key(struct nd_store *store, const struct nd_scope *scope,
                     const uint8_t digest[ND_DIGEST_BYTES],
                     char key_r[ND_REDIS_KEY_BYTES])
{
    char hex[HEX_BYTES];
    nd_hex(digest, ND_DIGEST_BYTES, hex);
    nd_redis_key((struct nd_redis_store *)store, 'B', scope, hex, key_r);
}

static enum nd_status check_blob(struct nd_store *store, const char *key,
                                 const uint8_t digest[ND_DIGEST_BYTES],
                                 struct nd_error *error)
{
    struct nd_digest_state state;
    uint8_t stored[ND_DIGEST_BYTES];
    nd_digest_begin(&state, NULL, ND_DIGEST_BYTES);
    enum nd_status status = read_blob((struct nd_redis_store *)store, key,
                                      error, take_digest, &state);
    nd_digest_end(&state, stored, ND_DIGEST_BYTES);
    if (status == ND_OK && memcmp(stored, digest, ND_DIGEST_BYTES) != 0)
        status = nd_fail(error, ND_DATA,
                         "Redis: the uploaded model is not what was sent");
    return status;
}

enum nd_status nd_redis_model_upload(struct nd_store *store,
                                     const struct nd_scope *scope,
                                     const void *blob, size_t length,
                                     struct nd_error *error,
                                     uint8_t digest_r[ND_DIGEST_BYTES])
{
    uint8_t digest[ND_DIGEST_BYTES];
    char hex[HEX_BYTES], key[ND_REDIS_KEY_BYTES];
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_digest(blob, length, NULL, digest);
    nd_hex(digest, ND_DIGEST_BYTES, hex);
    nd_redis_call_begin_blob(&call, store, ND_REDIS_MODEL_UPLOAD, scope, hex);
    nd_redis_call_text(&call, scope->settings);
    nd_redis_call_text(&call, hex);
    nd_redis_call_bytes(&call, blob, length);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status == ND_OK) {
        blob_key(store, scope, digest, key);
        status = check_blob(store, key, digest, error);
    }
    if (status == ND_OK)
        memcpy(digest_r, digest, ND_DIGEST_BYTES);
    return status;
}

/* ---- publish and import ---- */

static enum nd_status read_outcome(struct nd_redis_call *call,
                                   const struct nd_scope *scope,
                                   const struct nd_redis_reply *reply,
                                   struct nd_error *error,
                                   uint64_t *generation_r)
{
    if (nd_redis_says(reply, "published")) {
        *generation_r = nd_redis_count(nd_redis_item(reply, 1));
        return ND_OK;
    }
    if (nd_redis_says(reply, "superseded"))
        return nd_fail(error, ND_SUPERSEDED,
                       "the live model of %s/%s was changed or pinned "
                       "meanwhile",
                       scope->rule, scope->settings);
    if (nd_redis_says(reply, "lost"))
        return nd_fail(error, ND_LOST,
                       "the lease of %s/%s is no longer ours: the model was "
                       "not published",
                       scope->rule, scope->settings);
    if (nd_redis_says(reply, "no blob"))
        return nd_fail(error, ND_NO_INPUT,
                       "no such model was uploaded to %s/%s: upload it first",
                       scope->rule, scope->settings);
    return nd_redis_strange(call, error);
}

enum nd_status nd_redis_model_publish(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const struct nd_lease *lease,
                                      const struct nd_publish *publish,
                                      struct nd_error *error,
                                      uint64_t *generation_r)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_MODEL_PUBLISH, scope);
    nd_redis_call_text(&call, scope->settings);
    nd_redis_call_number(&call, (int64_t)lease->token);
    nd_redis_call_bytes(&call, lease->nonce, ND_NONCE_BYTES);
    nd_redis_call_bytes(&call, publish->digest, ND_DIGEST_BYTES);
    nd_redis_call_number(&call, (int64_t)publish->judged_revision);
    nd_redis_call_bytes(&call, publish->profile, ND_PROFILE_DIGEST_BYTES);
    nd_redis_call_entry(&call, publish->entry);
    nd_redis_call_consumed(&call, publish->consumed, publish->consumed_count);
    nd_redis_call_number(&call, (int64_t)publish->watermark);
    nd_redis_call_number(&call, publish->keep);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status == ND_OK)
        status = read_outcome(&call, scope, reply, error, generation_r);
    return status;
}

enum nd_status nd_redis_model_import(struct nd_store *store,
                                     const struct nd_scope *scope,
                                     const struct nd_publish *publish,
                                     struct nd_error *error,
                                     uint64_t *generation_r)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_MODEL_IMPORT, scope);
    nd_redis_call_text(&call, scope->settings);
    nd_redis_call_bytes(&call, publish->digest, ND_DIGEST_BYTES);
    nd_redis_call_bytes(&call, publish->profile, ND_PROFILE_DIGEST_BYTES);
    nd_redis_call_entry(&call, publish->entry);
    nd_redis_call_number(&call, publish->keep);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status == ND_OK)
        status = read_outcome(&call, scope, reply, error, generation_r);
    return status;
}

/* ---- the live pointer ---- */

/* 'pointer', generation, revision, pinned, digest */
static enum nd_status read_pointer(struct nd_redis_call *call,
                                   const struct nd_redis_reply *reply,
                                   struct nd_error *error,
                                   struct nd_model_pointer *pointer_r)
{
    struct nd_model_pointer pointer = {
        .generation = nd_redis_count(nd_redis_item(reply, 1)),
        .revision = nd_redis_count(nd_redis_item(reply, 2)),
        .pinned = nd_redis_number(nd_redis_item(reply, 3)) != 0};
    const struct nd_redis_reply *digest = nd_redis_item(reply, 4);
    if (!nd_redis_says(reply, "pointer"))
        return nd_redis_strange(call, error);
    if (pointer.generation != 0 && digest->length != ND_DIGEST_BYTES)
        return nd_fail(error, ND_DATA, "Redis: the live model is missing");
    if (pointer.generation != 0)
        memcpy(pointer.digest, digest->text, ND_DIGEST_BYTES);
    *pointer_r = pointer;
    return ND_OK;
}

enum nd_status nd_redis_model_current(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      struct nd_error *error,
                                      struct nd_model_pointer *pointer_r)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_MODEL_CURRENT, scope);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status == ND_OK)
        status = read_pointer(&call, reply, error, pointer_r);
    return status;
}

static enum nd_status fail_generation(const struct nd_scope *scope,
                                      struct nd_error *error)
{
    return nd_fail(error, ND_NO_INPUT,
                   "%s/%s has no such generation: `neurald model list` shows "
                   "those that are kept",
                   scope->rule, scope->settings);
}

enum nd_status nd_redis_model_pin(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  uint64_t generation, bool pin,
                                  struct nd_error *error,
                                  struct nd_model_pointer *pointer_r)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_MODEL_PIN, scope);
    nd_redis_call_number(&call, (int64_t)generation);
    nd_redis_call_text(&call, pin ? "1" : "0");
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status != ND_OK)
        return status;
    if (nd_redis_says(reply, "absent"))
        return fail_generation(scope, error);
    return read_pointer(&call, reply, error, pointer_r);
}

enum nd_status nd_redis_model_expire(struct nd_store *store,
                                     const struct nd_scope *scope,
                                     int64_t expire_ms, struct nd_error *error,
                                     uint64_t *count_r)
{
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    nd_redis_call_begin(&call, store, ND_REDIS_MODEL_EXPIRE, scope);
    nd_redis_call_number(&call, expire_ms);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    if (status != ND_OK)
        return status;
    if (!nd_redis_says(reply, "expired"))
        return nd_redis_strange(&call, error);
    *count_r = nd_redis_count(nd_redis_item(reply, 1));
    return ND_OK;
}

/* ---- get and list ---- */

/* digest, size, time of publishing, profile, origin */
static bool read_model(const struct nd_redis_reply *generation,
                       const struct nd_redis_reply *value,
                       struct nd_model_info *model_r)
{
    struct nd_reader reader;
    nd_reader_init(&reader, value->text, value->length);
    memset(model_r, 0, sizeof(*model_r));
    model_r->generation = nd_redis_count(generation);
    const uint8_t *digest = nd_reader_bytes(&reader, ND_DIGEST_BYTES);
    model_r->size_bytes = nd_reader_u64(&reader);
    model_r->published_ms = (int64_t)nd_reader_u64(&reader);
    const uint8_t *profile = nd_reader_bytes(&reader, ND_PROFILE_DIGEST_BYTES);
    if (reader.failed)
        return false;
    memcpy(model_r->digest, digest, ND_DIGEST_BYTES);
    memcpy(model_r->profile, profile, ND_PROFILE_DIGEST_BYTES);
    size_t length = nd_reader_left(&reader);
    if (length > ND_HOLDER_BYTES - 1)
        length = ND_HOLDER_BYTES - 1;
    memcpy(model_r->origin, value->text + reader.position, length);
    return true;
}

enum nd_status nd_redis_model_get(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  uint64_t generation, struct nd_error *error,
                                  struct nd_buffer *blob,
                                  uint8_t digest_r[ND_DIGEST_BYTES])
{
    struct nd_redis_store *redis = (struct nd_redis_store *)store;
    char models[ND_REDIS_KEY_BYTES], number[24], key[ND_REDIS_KEY_BYTES];
    nd_redis_key(redis, 'm', scope, "", models);
    (void)snprintf(number, sizeof(number), "%llu",
                   (unsigned long long)generation);
    const char *words[] = {"HGET", models, number, NULL};
    const struct nd_redis_reply *reply;
    enum nd_status status =
        nd_redis_client_ask(redis->client, words, false, error, &reply);
    if (status != ND_OK)
        return status;
    struct nd_model_info model;
    if (reply->type != ND_REDIS_STRING ||
        !read_model(nd_redis_item(reply, 0), reply, &model))
        return fail_generation(scope, error);
    blob_key(store, scope, model.digest, key);
    struct nd_buffer bytes = {0};
    status = read_blob(redis, key, error, take_bytes, &bytes);
    if (status == ND_OK && bytes.length < model.size_bytes)
        status = fail_generation(scope, error); /* dropped meanwhile */
    if (status == ND_OK) {
        nd_buffer_append(blob, bytes.data, bytes.length);
        memcpy(digest_r, model.digest, ND_DIGEST_BYTES);
    }
    nd_buffer_free(&bytes);
    return status;
}

static int newest_first(const void *one, const void *other)
{
    const struct nd_model_info *a = one, *b = other;
    return (a->generation < b->generation) - (a->generation > b->generation);
}

enum nd_status nd_redis_model_list(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   struct nd_error *error,
                                   struct nd_model_info **models_r,
                                   size_t *count_r)
{
    struct nd_redis_store *redis = (struct nd_redis_store *)store;
    struct nd_model_pointer pointer = {0};
    enum nd_status status =
        nd_redis_model_current(store, scope, error, &pointer);
    if (status != ND_OK)
        return status;
    char key[ND_REDIS_KEY_BYTES];
    nd_redis_key(redis, 'm', scope, "", key);
    const char *words[] = {"HGETALL", key, NULL};
    const struct nd_redis_reply *reply;
    status = nd_redis_client_ask(redis->client, words, false, error, &reply);
    if (status != ND_OK)
        return status;
    size_t count = reply->type == ND_REDIS_ARRAY ? reply->length / 2 : 0;
    struct nd_model_info *models = nd_calloc(count, sizeof(*models));
    for (size_t i = 0; status == ND_OK && i < count; i++) {
        if (!read_model(nd_redis_item(reply, 2 * i),
                        nd_redis_item(reply, 2 * i + 1), &models[i]))
            status = nd_fail(error, ND_DATA, "Redis: %s is damaged", key);
        models[i].live = models[i].generation == pointer.generation;
        models[i].pinned = models[i].live && pointer.pinned;
    }
    if (status != ND_OK) {
        free(models);
        return status;
    }
    if (count > 0)
        qsort(models, count, sizeof(*models), newest_first);
    *models_r = models;
    *count_r = count;
    return ND_OK;
}
