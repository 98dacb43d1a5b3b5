/* SPDX-License-Identifier: Apache-2.0
 *
 * Learning: messages become samples. Lessons are gathered and stored in
 * batches: one question to the registry for all names that are new, one
 * durable step for all samples. What may not be stored is refused here, at the
 * door, with a counted reason. Whether there is room is the store's to say.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "learn/engine_private.h"
#include "learn/samples.h"

#define BATCH_LESSONS 256
#define BATCH_BYTES ((size_t)16 << 20)
#define PUT_ATTEMPTS 5
#define RETRY_PAUSE_NS 50000000L

struct lesson {
    const char *path;
    bool open; /* still to be put */
    struct nd_features features;
    struct nd_sample_put put;
    struct nd_put_result result;
};

struct nd_lesson_batch {
    struct nd_arena *arena;   /* what the lessons point to */
    struct nd_arena *scratch; /* of one extraction */
    struct lesson lessons[BATCH_LESSONS];
    size_t count;
    uint64_t refused[ND_REFUSAL_COUNT]; /* here, not by the store */
};

static struct nd_lesson_batch *batch_of(struct nd_engine *engine)
{
    if (engine->batch == NULL) {
        engine->batch = nd_calloc(1, sizeof *engine->batch);
        engine->batch->arena = nd_arena_create((size_t)1 << 20);
        engine->batch->scratch = nd_arena_create((size_t)1 << 18);
    }
    return engine->batch;
}

void nd_lesson_batch_destroy(struct nd_lesson_batch **batch)
{
    if (*batch != NULL) {
        nd_arena_destroy(&(*batch)->arena);
        nd_arena_destroy(&(*batch)->scratch);
        free(*batch);
        *batch = NULL;
    }
}

static void clear_batch(struct nd_lesson_batch *batch)
{
    nd_arena_reset(batch->arena);
    batch->count = 0;
    memset(batch->refused, 0, sizeof batch->refused);
}

/* ---- at the door ---- */

/* Skipping at random (S8), but the same message always the same way: a repeat
 * after a lost answer must not draw again. */
static bool is_skipped(const struct nd_engine *engine,
                       const uint8_t identity[ND_IDENTITY_BYTES])
{
    if (engine->rule.train_prob >= 1.0) {
        return false;
    }
    uint64_t draw = nd_keyed_hash(&engine->key, identity, ND_IDENTITY_BYTES);
    return (double)(draw >> 11) * 0x1p-53 >= engine->rule.train_prob;
}

/* S14: a value that is no number is refused before it is stored. */
static bool is_finite_scan(const struct nd_scan *scan)
{
    for (size_t i = 0; scan != NULL && i < scan->count; i++) {
        if (!isfinite(scan->symbols[i].score)) {
            return false;
        }
    }
    return true;
}

static enum nd_refusal check_at_door(const struct nd_engine *engine,
                                     const uint8_t identity[ND_IDENTITY_BYTES],
                                     const struct nd_scan *scan)
{
    if (is_skipped(engine, identity)) {
        return ND_REFUSED_TRAIN_PROB;
    }
    return is_finite_scan(scan) ? ND_REFUSED_NONE : ND_REFUSED_NOT_FINITE;
}

/* The store's time now, never the same twice within an engine's lessons about
 * one message: the newer label wins. */
static int64_t label_time(struct nd_engine *engine, bool must_rise)
{
    int64_t now_ms = nd_clock_wall_ms() + engine->clock_offset_ms;
    while (must_rise && now_ms <= engine->last_label_ms) {
        struct timespec pause = {0, 500000};
        (void)nanosleep(&pause, NULL);
        now_ms = nd_clock_wall_ms() + engine->clock_offset_ms;
    }
    engine->last_label_ms = now_ms;
    return now_ms;
}

/* An import is dated by its topmost Received, but never into the future. */
static int64_t message_time(const struct nd_engine *engine,
                            const struct nd_message *message,
                            const struct nd_lesson *lesson)
{
    int64_t now_ms = nd_clock_wall_ms() + engine->clock_offset_ms;
    return message != NULL && lesson->by_received_date &&
                   message->received_ms > 0 && message->received_ms <= now_ms
               ? message->received_ms
               : 0;
}

static void extract(const struct nd_engine *engine,
                    const struct nd_message *message,
                    const struct nd_scan *scan, struct nd_lesson_batch *batch,
                    struct nd_features *features_r)
{
    struct nd_features features;
    struct nd_extract_options options = {.families = engine->rule.families};
    options.excluded =
        nd_engine_excluded(engine, nd_engine_findings(message, scan),
                           batch->scratch, &options.excluded_count);
    nd_features_extract(message, scan, &engine->key, &options, batch->scratch,
                        &features);
    nd_sample_copy_features(&features, batch->arena, features_r);
    nd_arena_reset(batch->scratch);
}

static void refuse(struct nd_lesson_batch *batch, struct lesson *lesson,
                   enum nd_refusal reason)
{
    lesson->open = false;
    lesson->result =
        (struct nd_put_result){.outcome = ND_PUT_REFUSED, .reason = reason};
    batch->refused[reason]++;
}

/* ---- storing a batch ---- */

/* Every name that the registry here lacks, once; also the profile's symbols. */
static const char **unknown_names(struct nd_engine *engine, size_t *count_r)
{
    struct nd_lesson_batch *batch = engine->batch;
    struct nd_registry *seen = nd_registry_create();
    size_t room = 0, count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        room +=
            batch->lessons[i].open ? batch->lessons[i].features.named_count : 0;
    }
    const char **names = nd_arena_take(batch->arena, room * sizeof *names);
    for (size_t i = 0; i < batch->count; i++) {
        const struct lesson *lesson = &batch->lessons[i];
        size_t named = lesson->open ? lesson->features.named_count : 0;
        for (size_t j = 0; j < named; j++) {
            const char *name = lesson->features.named[j].name;
            if (nd_registry_find(engine->registry, name) == ND_NO_SLOT &&
                nd_registry_find(seen, name) == ND_NO_SLOT) {
                (void)nd_registry_add(seen, name);
                names[count++] = name;
            }
        }
    }
    nd_registry_destroy(&seen);
    *count_r = count;
    return names;
}

/* Has the store give slots to new names, and learns them and those that other
 * processes added. Over max_symbols a name stays without: counted when the
 * samples are packed. */
static enum nd_status register_names(struct nd_engine *engine,
                                     struct nd_error *error)
{
    size_t count;
    const char **names = unknown_names(engine, &count);
    if (count == 0 ||
        nd_registry_length(engine->registry) >= engine->rule.max_symbols) {
        return ND_OK;
    }
    uint32_t *slots = nd_calloc(count, sizeof *slots);
    uint32_t length;
    uint8_t digest[ND_DIGEST_BYTES];
    enum nd_status status = ND_UNCERTAIN;
    for (int attempt = 0; attempt < PUT_ATTEMPTS && status == ND_UNCERTAIN;
         attempt++) {
        status = nd_store_registry_slots(engine->store, engine->rule.name,
                                         names, count, engine->rule.max_symbols,
                                         error, slots, &length, digest);
    }
    free(slots);
    return status == ND_OK ? nd_engine_update_registry(engine, error) : status;
}

/* New symbols make a new profile, created before the samples that showed them
 * are stored. */
static enum nd_status grow_profile(struct nd_engine *engine,
                                   struct nd_error *error)
{
    static const char prefix[] = "symbol:";
    const struct nd_lesson_batch *batch = engine->batch;
    for (size_t i = 0; i < batch->count; i++) {
        const struct lesson *lesson = &batch->lessons[i];
        size_t named = lesson->open ? lesson->features.named_count : 0;
        for (size_t j = 0; j < named; j++) {
            const char *name = lesson->features.named[j].name;
            if (strncmp(name, prefix, sizeof prefix - 1) == 0 &&
                engine->symbols.count < engine->rule.max_symbols &&
                nd_symbols_add(&engine->symbols, name + sizeof prefix - 1)) {
                engine->profile_is_stored = false;
            }
        }
    }
    return nd_engine_store_profile(engine, error);
}

/* Encodes the lessons that are open with the registry as it is now. */
static void pack_lessons(struct nd_engine *engine)
{
    struct nd_lesson_batch *batch = engine->batch;
    struct nd_buffer payload = {0};
    uint32_t length = nd_registry_length(engine->registry);
    uint8_t digest[ND_DIGEST_BYTES];
    nd_registry_digest(engine->registry, length, digest);
    for (size_t i = 0; i < batch->count; i++) {
        struct lesson *lesson = &batch->lessons[i];
        if (!lesson->open) {
            continue;
        }
        size_t unknown = 0;
        nd_buffer_clear(&payload);
        enum nd_refusal reason =
            nd_sample_pack(&lesson->features, engine->registry, batch->scratch,
                           &payload, &unknown);
        nd_arena_reset(batch->scratch);
        if (reason != ND_REFUSED_NONE) {
            refuse(batch, lesson, reason);
            continue;
        }
        batch->refused[ND_REFUSED_SYMBOL_LIMIT] += unknown;
        lesson->put.payload = nd_arena_strndup(
            batch->arena, (const char *)payload.data, payload.length);
        lesson->put.payload_length = payload.length;
        lesson->put.registry_length = length;
        memcpy(lesson->put.registry_digest, digest, sizeof digest);
    }
    nd_buffer_free(&payload);
}

/* A repeat is safe as long as nothing in the put changes. */
static enum nd_status put_with_repeats(struct nd_engine *engine,
                                       const struct nd_sample_put *puts,
                                       size_t count, struct nd_error *error,
                                       struct nd_put_result *results)
{
    const struct nd_quota quota = {.mode = engine->rule.learn_mode,
                                   .limit = engine->rule.learn_mode ==
                                                    ND_QUOTA_BALANCED
                                                ? engine->rule.max_trains
                                                : engine->rule.reservoir};
    enum nd_status status = ND_UNCERTAIN;
    for (int attempt = 0; attempt < PUT_ATTEMPTS; attempt++) {
        status = nd_store_put_many(engine->store, &engine->scope, puts, count,
                                   &quota, error, results);
        if (status != ND_UNCERTAIN) {
            break;
        }
        struct timespec pause = {0, RETRY_PAUSE_NS << attempt};
        (void)nanosleep(&pause, NULL);
    }
    return status;
}

/* Puts the open lessons; those refused for the registry stay open. */
static enum nd_status put_lessons(struct nd_engine *engine,
                                  struct nd_error *error)
{
    struct nd_lesson_batch *batch = engine->batch;
    struct nd_sample_put *puts = nd_calloc(batch->count, sizeof *puts);
    struct nd_put_result *results = nd_calloc(batch->count, sizeof *results);
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->lessons[i].open) {
            puts[count++] = batch->lessons[i].put;
        }
    }
    enum nd_status status =
        count > 0 ? put_with_repeats(engine, puts, count, error, results)
                  : ND_OK;
    for (size_t i = 0, next = 0; status == ND_OK && i < batch->count; i++) {
        struct lesson *lesson = &batch->lessons[i];
        if (lesson->open) {
            lesson->result = results[next++];
            lesson->open = lesson->result.outcome == ND_PUT_REFUSED &&
                           lesson->result.reason == ND_REFUSED_REGISTRY;
        }
    }
    free(puts);
    free(results);
    return status;
}

static bool any_open(const struct nd_lesson_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->lessons[i].open) {
            return true;
        }
    }
    return false;
}

static enum nd_status store_batch(struct nd_engine *engine,
                                  struct nd_error *error)
{
    enum nd_status status = register_names(engine, error);
    if (status == ND_OK) {
        status = grow_profile(engine, error);
    }
    if (status != ND_OK) {
        return status;
    }
    pack_lessons(engine);
    status = put_lessons(engine, error);
    if (status == ND_OK && any_open(engine->batch)) {
        /* The store was replaced or lost names: encode anew, once. */
        status = nd_engine_reload_registry(engine, error);
        if (status == ND_OK) {
            status = register_names(engine, error);
        }
        if (status == ND_OK) {
            pack_lessons(engine);
            status = put_lessons(engine, error);
        }
    }
    return status;
}

static void count_refused(struct nd_engine *engine)
{
    struct nd_error ignored;
    for (enum nd_refusal reason = 0; reason < ND_REFUSAL_COUNT; reason++) {
        uint64_t count = engine->batch->refused[reason];
        if (count > 0) {
            (void)nd_store_count(engine->store, &engine->scope, reason, count,
                                 &ignored);
        }
    }
}

enum nd_status nd_engine_flush(struct nd_engine *engine,
                               nd_learned_callback *callback, void *context,
                               struct nd_error *error)
{
    struct nd_lesson_batch *batch = engine->batch;
    if (batch == NULL || batch->count == 0) {
        return ND_OK;
    }
    enum nd_status status =
        any_open(batch) ? store_batch(engine, error) : ND_OK;
    if (status == ND_OK) {
        count_refused(engine);
    }
    for (size_t i = 0; i < batch->count; i++) {
        struct lesson *lesson = &batch->lessons[i];
        if (status != ND_OK && lesson->open) {
            lesson->result = (struct nd_put_result){.outcome = ND_PUT_REFUSED,
                                                    .reason = ND_REFUSED_STORE};
        }
        if (callback != NULL) {
            callback(lesson->path, &lesson->result, context);
        }
    }
    clear_batch(batch);
    return status;
}

static bool is_waiting(const struct nd_lesson_batch *batch,
                       const uint8_t identity[ND_IDENTITY_BYTES])
{
    for (size_t i = 0; i < batch->count; i++) {
        if (memcmp(batch->lessons[i].put.identity, identity,
                   ND_IDENTITY_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

enum nd_status nd_engine_learn(struct nd_engine *engine,
                               const struct nd_message *message,
                               const struct nd_scan *scan,
                               const struct nd_lesson *lesson,
                               nd_learned_callback *callback, void *context,
                               struct nd_error *error)
{
    if (!engine->has_key) {
        return nd_fail(error, ND_PERMISSION,
                       "the store has no key and cannot be written to");
    }
    if (message == NULL && lesson->identity == NULL) {
        return nd_fail(error, ND_USAGE,
                       "findings alone have no identity: give one along");
    }
    const uint8_t *identity =
        lesson->identity != NULL ? lesson->identity : message->identity;
    struct nd_lesson_batch *batch = batch_of(engine);
    bool again = is_waiting(batch, identity);
    if (again || batch->count == BATCH_LESSONS ||
        nd_arena_used(batch->arena) > BATCH_BYTES) {
        enum nd_status status =
            nd_engine_flush(engine, callback, context, error);
        if (status != ND_OK) {
            return status;
        }
    }
    struct lesson *slot = &batch->lessons[batch->count++];
    *slot = (struct lesson){.open = true};
    const char *path = lesson->path != NULL ? lesson->path : "";
    slot->path = nd_arena_strndup(batch->arena, path, strlen(path));
    memcpy(slot->put.identity, identity, sizeof slot->put.identity);
    slot->put.label = lesson->label;
    slot->put.source = lesson->source;
    slot->put.label_ms =
        lesson->label_ms != 0 ? lesson->label_ms : label_time(engine, again);
    slot->put.time_ms = message_time(engine, message, lesson);
    enum nd_refusal reason =
        check_at_door(engine, identity, nd_engine_findings(message, scan));
    if (reason != ND_REFUSED_NONE) {
        refuse(batch, slot, reason);
        return ND_OK;
    }
    extract(engine, message, scan, batch, &slot->features);
    if (slot->features.families & ND_GROUP_TEXT) {
        memcpy(slot->put.key_id, engine->key.id, sizeof slot->put.key_id);
    }
    return ND_OK;
}
