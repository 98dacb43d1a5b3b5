/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking up models. The pointer in the store says which generation is live; a
 * host reloads when its revision or digest is another (and not only when a
 * number is higher: a rollback goes down). The new model is read, checked and
 * made ready beside the old one and then takes its place; a model that cannot
 * be used is refused and the old one stays.
 *
 * Settings without a model of their own are served by the nearest profile of
 * the rule that has one (S17, S21), until they have.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "learn/engine_private.h"

struct nd_live *nd_engine_take_live(struct nd_engine *engine)
{
    (void)pthread_mutex_lock(&engine->live_lock);
    struct nd_live *live =
        engine->live != NULL ? nd_live_hold(engine->live) : NULL;
    (void)pthread_mutex_unlock(&engine->live_lock);
    return live;
}

static void note_blind(struct nd_engine *engine, const struct nd_live *live)
{
    uint32_t blind = nd_live_blind(live);
    engine->note[0] = '\0';
    if (blind == 0) {
        return;
    }
    struct nd_buffer text = {0};
    nd_families_describe(blind, &text);
    (void)snprintf(engine->note, sizeof engine->note,
                   "generation %llu goes without %s: this neurald gives them "
                   "another layout",
                   (unsigned long long)live->generation,
                   (const char *)text.data);
    nd_buffer_free(&text);
    nd_log(ND_LOG_WARNING, "rule %s, settings %s: %s", engine->rule.name,
           engine->rule.settings, engine->note);
}

static void replace_live(struct nd_engine *engine, struct nd_live *live)
{
    note_blind(engine, live);
    (void)pthread_mutex_lock(&engine->live_lock);
    struct nd_live *old = engine->live;
    engine->live = live;
    (void)pthread_mutex_unlock(&engine->live_lock);
    nd_live_release(&old);
}

const struct nd_model *nd_engine_model(const struct nd_engine *engine)
{
    return engine->live != NULL ? engine->live->model : NULL;
}

const char *nd_engine_model_problem(const struct nd_engine *engine)
{
    return engine->problem[0] != '\0' ? engine->problem : NULL;
}

const char *nd_engine_model_note(const struct nd_engine *engine)
{
    return engine->note[0] != '\0' ? engine->note : NULL;
}

/* The nearest profile with a model. Its settings are empty where there is
 * none. */
static enum nd_status find_nearest(struct nd_engine *engine,
                                   struct nd_error *error,
                                   struct nd_borrowed *borrowed_r)
{
    struct nd_arena *arena = nd_arena_create(0);
    const struct nd_profile *profiles;
    size_t count;
    struct nd_borrowed borrowed = {0};
    enum nd_status status = nd_store_profile_list(
        engine->store, engine->rule.name, arena, error, &profiles, &count);
    if (status == ND_OK) {
        const struct nd_profile *nearest = nd_profile_nearest(
            &engine->symbols, profiles, count, engine->rule.settings);
        if (nearest != NULL) {
            memcpy(borrowed.settings, nearest->settings,
                   sizeof borrowed.settings);
            memcpy(borrowed.digest, nearest->digest, sizeof borrowed.digest);
        }
        *borrowed_r = borrowed;
    }
    nd_arena_destroy(&arena);
    return status;
}

/* Where the model to serve is: the own scope, else the nearest one's. */
static enum nd_status find_pointer(struct nd_engine *engine,
                                   struct nd_error *error,
                                   struct nd_borrowed *borrowed_r,
                                   struct nd_model_pointer *pointer_r)
{
    *borrowed_r = (struct nd_borrowed){0};
    enum nd_status status =
        nd_store_model_current(engine->store, &engine->scope, error, pointer_r);
    if (status == ND_OK && pointer_r->generation == 0) {
        status = find_nearest(engine, error, borrowed_r);
        if (status == ND_OK && borrowed_r->settings[0] != '\0') {
            struct nd_scope scope = {engine->rule.name, borrowed_r->settings};
            status =
                nd_store_model_current(engine->store, &scope, error, pointer_r);
        }
    }
    return status;
}

static struct nd_scope scope_of(const struct nd_engine *engine,
                                const struct nd_borrowed *borrowed)
{
    struct nd_scope scope = engine->scope;
    if (borrowed->settings[0] != '\0') {
        scope.settings = borrowed->settings;
    }
    return scope;
}

/* Reads a generation and makes it ready to score. */
static enum nd_status load(struct nd_engine *engine,
                           const struct nd_borrowed *borrowed,
                           uint64_t generation, struct nd_error *error,
                           struct nd_live **live_r)
{
    struct nd_buffer blob = {0};
    struct nd_model *model = NULL;
    struct nd_scope scope = scope_of(engine, borrowed);
    enum nd_status status =
        nd_store_model_fetch(engine->store, &scope, generation, error, &blob);
    if (status == ND_OK) {
        status =
            nd_model_read(blob.data, blob.length,
                          engine->has_key ? &engine->key : NULL, error, &model);
    }
    if (status == ND_OK) {
        status = nd_live_create(model, generation, error, live_r);
    }
    nd_buffer_free(&blob);
    return status;
}

/* Whether a failure lies in the model and not in the way to it. */
static bool is_models_fault(enum nd_status status)
{
    return status == ND_DATA || status == ND_VERSION || status == ND_KEY ||
           status == ND_LIMIT;
}

static void refuse(struct nd_engine *engine,
                   const struct nd_model_pointer *pointer,
                   enum nd_status status, const struct nd_error *error)
{
    engine->refused_later = status == ND_VERSION;
    (void)snprintf(engine->problem, sizeof engine->problem,
                   "generation %llu cannot be used: %.400s",
                   (unsigned long long)pointer->generation, error->text);
    memcpy(engine->refused, pointer->digest, sizeof engine->refused);
    nd_log(ND_LOG_WARNING, "rule %s, settings %s: %s", engine->rule.name,
           engine->rule.settings, engine->problem);
}

/* A host that starts where a later version has published takes the newest kept
 * generation that it can read, as it would still have it had it not been
 * started anew. The pointer stays unset: the refused one is what is live. */
static bool fall_back(struct nd_engine *engine,
                      const struct nd_borrowed *borrowed, uint64_t refused)
{
    struct nd_model_info *models = NULL;
    struct nd_live *live = NULL;
    struct nd_error ignored;
    size_t count = 0;
    struct nd_scope scope = scope_of(engine, borrowed);
    if (nd_store_model_list(engine->store, &scope, &ignored, &models, &count) !=
        ND_OK) {
        return false;
    }
    for (size_t i = 0; live == NULL && i < count; i++) {
        if (models[i].generation < refused &&
            load(engine, borrowed, models[i].generation, &ignored, &live) !=
                ND_OK) {
            live = NULL;
        }
    }
    free(models);
    if (live == NULL) {
        return false;
    }
    nd_log(ND_LOG_WARNING,
           "rule %s, settings %s: generation %llu serves until this host is "
           "upgraded",
           engine->rule.name, engine->rule.settings,
           (unsigned long long)live->generation);
    replace_live(engine, live);
    engine->borrowed = *borrowed;
    engine->touched_us = 0;
    return true;
}

bool nd_engine_is_outdated(const struct nd_engine *engine,
                           const struct nd_model_pointer *pointer)
{
    return engine->refused_later && pointer->generation != 0 &&
           memcmp(engine->refused, pointer->digest, sizeof pointer->digest) ==
               0;
}

/* Marks the own profile as used, and the one whose model serves here: a model
 * in use is not trimmed (S17). */
static void touch_profiles(struct nd_engine *engine)
{
    struct nd_error ignored;
    uint8_t digest[ND_PROFILE_DIGEST_BYTES];
    const struct nd_borrowed *borrowed = &engine->borrowed;
    if (engine->profile_is_stored) {
        nd_symbols_digest(&engine->symbols, digest);
        if (nd_store_profile_touch(engine->store, engine->rule.name,
                                   engine->rule.settings, digest,
                                   &ignored) == ND_NO_INPUT) {
            engine->profile_is_stored = false;
        }
    }
    if (borrowed->settings[0] != '\0') {
        enum nd_status status = nd_store_profile_touch(
            engine->store, engine->rule.name, borrowed->settings,
            borrowed->digest, &ignored);
        (void)status;
    }
}

/* Others see what this host serves, the profiles count as used, and the store's
 * clock is looked at again. None of it matters to scoring: a store that cannot
 * be written to is no failure. */
static void report(struct nd_engine *engine)
{
    struct nd_error ignored;
    int64_t now_us = nd_clock_monotonic_us();
    if ((engine->duties & (ND_ENGINE_MARKS | ND_ENGINE_REPORTS)) == 0) {
        return;
    }
    if (engine->touched_us != 0 &&
        now_us - engine->touched_us < engine->rule.watch_interval_ms * 1000) {
        return;
    }
    engine->touched_us = now_us;
    touch_profiles(engine);
    int64_t now_ms;
    if (nd_store_now(engine->store, &ignored, &now_ms) == ND_OK) {
        engine->clock_offset_ms = now_ms - nd_clock_wall_ms();
    }
    if (engine->duties & ND_ENGINE_REPORTS) {
        enum nd_status status = nd_store_host_report(
            engine->store, &engine->scope, engine->holder,
            engine->live != NULL ? engine->live->generation : 0, &ignored);
        (void)status;
    }
}

static bool is_same(const struct nd_engine *engine,
                    const struct nd_model_pointer *pointer)
{
    return engine->live != NULL &&
           engine->pointer.generation == pointer->generation &&
           memcmp(engine->pointer.digest, pointer->digest,
                  sizeof pointer->digest) == 0;
}

enum nd_status nd_engine_refresh(struct nd_engine *engine,
                                 struct nd_error *error, bool *changed_r)
{
    struct nd_borrowed borrowed;
    struct nd_model_pointer pointer;
    struct nd_error reason = {""};
    bool changed = false;
    enum nd_status status = find_pointer(engine, error, &borrowed, &pointer);
    if (status != ND_OK) {
        return status;
    }
    bool is_refused =
        memcmp(engine->refused, pointer.digest, sizeof pointer.digest) == 0;
    if (is_same(engine, &pointer)) {
        engine->pointer = pointer;
        engine->problem[0] = '\0';
    } else if (pointer.generation != 0 &&
               !(is_refused && engine->problem[0] != '\0')) {
        struct nd_live *live;
        status = load(engine, &borrowed, pointer.generation, &reason, &live);
        if (status == ND_OK) {
            replace_live(engine, live);
            engine->pointer = pointer;
            engine->borrowed = borrowed;
            engine->problem[0] = '\0';
            engine->touched_us = 0;
            changed = true;
        } else if (is_models_fault(status)) {
            refuse(engine, &pointer, status, &reason);
            changed = status == ND_VERSION && engine->live == NULL &&
                      fall_back(engine, &borrowed, pointer.generation);
        } else {
            return nd_fail(error, status, "%s", reason.text);
        }
    }
    report(engine);
    if (changed_r != NULL) {
        *changed_r = changed;
    }
    return ND_OK;
}
