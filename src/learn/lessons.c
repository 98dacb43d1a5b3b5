/* SPDX-License-Identifier: Apache-2.0
 *
 * Learning: messages become samples. Lessons are gathered and stored in
 * batches: one question to the registry for all names that are new, one
 * durable step for all samples. What may not be stored was refused at the door
 * (lesson.c). Whether there is room is the store's to say.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "learn/engine_private.h"
#include "learn/lesson.h"
#include "learn/samples.h"

#define BATCH_LESSONS ND_LESSON_BATCH
#define BATCH_BYTES ((size_t)16 << 20)
#define PUT_ATTEMPTS 5
#define RETRY_PAUSE_NS 50000000L
#define PATIENCE_US INT64_C(5000000) /* no repeat begins after it */

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

/* The store's time now; within an engine's lessons about one message it rises,
 * also where the clock does not or jumps back: the newer label wins. */
static int64_t label_time(struct nd_engine *engine, bool must_rise)
{
    int64_t now_ms = nd_clock_wall_ms() + engine->clock_offset_ms;
    if (must_rise && now_ms <= engine->last_label_ms) {
        now_ms = engine->last_label_ms + 1;
    }
    engine->last_label_ms = now_ms;
    return now_ms;
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
    const struct nd_quota quota = nd_rule_quota(&engine->rule);
    enum nd_status status = ND_UNCERTAIN;
    int64_t end_us = nd_clock_monotonic_us() + PATIENCE_US;
    for (int attempt = 0; attempt < PUT_ATTEMPTS; attempt++) {
        status = nd_store_put_many(engine->store, &engine->scope, puts, count,
                                   &quota, error, results);
        if (status != ND_UNCERTAIN || nd_clock_monotonic_us() > end_us) {
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

/* Makes room in the batch: it is full, or holds this message already. */
static enum nd_status make_room(struct nd_engine *engine, bool again,
                                nd_learned_callback *callback, void *context,
                                struct nd_error *error)
{
    const struct nd_lesson_batch *batch = batch_of(engine);
    if (!engine->has_key) {
        return nd_fail(error, ND_PERMISSION,
                       "the store has no key and cannot be written to");
    }
    if (again || batch->count == BATCH_LESSONS ||
        nd_arena_used(batch->arena) > BATCH_BYTES) {
        return nd_engine_flush(engine, callback, context, error);
    }
    return ND_OK;
}

/* Takes the next place of the batch, which is not full. */
static void add(struct nd_engine *engine, const char *path,
                const struct nd_prepared_lesson *prepared)
{
    struct nd_lesson_batch *batch = engine->batch;
    struct lesson *slot = &batch->lessons[batch->count++];
    *slot = (struct lesson){.open = true, .features = prepared->features};
    slot->path = nd_arena_strndup(batch->arena, path, strlen(path));
    memcpy(slot->put.identity, prepared->identity, sizeof slot->put.identity);
    slot->put.label = prepared->label;
    slot->put.source = prepared->source;
    slot->put.label_ms = prepared->label_ms;
    slot->put.time_ms = prepared->time_ms;
    if (prepared->refusal != ND_REFUSED_NONE) {
        refuse(batch, slot, prepared->refusal);
    } else if (slot->features.families & ND_GROUP_HASHED) {
        memcpy(slot->put.key_id, slot->features.key_id,
               sizeof slot->put.key_id);
    }
}

enum nd_status nd_engine_learn_prepared(
    struct nd_engine *engine, const struct nd_prepared_lesson *prepared,
    nd_learned_callback *callback, void *context, struct nd_error *error)
{
    bool again = is_waiting(batch_of(engine), prepared->identity);
    enum nd_status status = make_room(engine, again, callback, context, error);
    if (status == ND_OK) {
        add(engine, "", prepared);
    }
    return status;
}

enum nd_status nd_engine_learn(struct nd_engine *engine,
                               const struct nd_message *message,
                               const struct nd_scan *scan,
                               const struct nd_lesson *lesson,
                               nd_learned_callback *callback, void *context,
                               struct nd_error *error)
{
    const uint8_t *identity = nd_lesson_identity(message, lesson);
    if (identity == NULL) {
        return nd_fail(error, ND_USAGE,
                       "findings alone have no identity: give one along");
    }
    bool again = is_waiting(batch_of(engine), identity);
    enum nd_status status = make_room(engine, again, callback, context, error);
    if (status != ND_OK) {
        return status;
    }
    struct nd_prepared_lesson prepared;
    struct nd_lesson_matter matter = {&engine->rule, &engine->key, message,
                                      scan, lesson};
    nd_lesson_prepare(&matter, engine->batch->scratch, engine->batch->arena,
                      &prepared);
    nd_arena_reset(engine->batch->scratch);
    prepared.label_ms =
        lesson->label_ms != 0 ? lesson->label_ms : label_time(engine, again);
    prepared.time_ms = nd_lesson_message_time(
        message, lesson, nd_clock_wall_ms() + engine->clock_offset_ms);
    add(engine, lesson->path != NULL ? lesson->path : "", &prepared);
    return ND_OK;
}
