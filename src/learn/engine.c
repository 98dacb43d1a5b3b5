/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's life: making one on a store, its key and registry, its profile.
 * What it does stands in score.c, refresh.c, lessons.c, autolearn.c, due.c and
 * training.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "learn/engine_private.h"

/* The key that is stored, or made now. A store that may only be read and has
 * none is ND_NOTHING. */
static enum nd_status stored_key(struct nd_store *store, struct nd_error *error,
                                 struct nd_key *key_r)
{
    enum nd_status status = nd_store_key(store, NULL, error, key_r);
    if (status != ND_NO_INPUT) {
        return status;
    }
    struct nd_key candidate;
    nd_key_generate(&candidate);
    status = nd_store_key(store, &candidate, error, key_r);
    if (status == ND_UNCERTAIN) {
        status = nd_store_key(store, &candidate, error, key_r);
    }
    nd_wipe(&candidate, sizeof candidate);
    if (status == ND_PERMISSION || status == ND_FULL) {
        nd_log(ND_LOG_WARNING, "the store has no key and takes none: %s",
               error != NULL ? error->text : nd_status_text(status));
        return ND_NOTHING;
    }
    return status;
}

/* The installation's key: given, stored, or made now. Without any the engine
 * cannot have a model either, and scoring answers "no opinion". */
static enum nd_status find_key(struct nd_engine *engine,
                               const struct nd_key *key_file_key,
                               struct nd_error *error)
{
    struct nd_key key;
    enum nd_status status = ND_OK;
    if (key_file_key != NULL) {
        key = *key_file_key;
    } else {
        status = stored_key(engine->store, error, &key);
    }
    if (status == ND_OK && !engine->has_key) {
        engine->key = key;
        engine->has_key = true;
    } else if (status == ND_OK &&
               memcmp(key.id, engine->key.id, sizeof key.id) != 0) {
        status = nd_fail(error, ND_KEY,
                         "the store's key is not the one that it had");
    }
    nd_wipe(&key, sizeof key);
    return status == ND_NOTHING ? ND_OK : status;
}

enum nd_status nd_engine_update_registry(struct nd_engine *engine,
                                         struct nd_error *error)
{
    struct nd_arena *arena = nd_arena_create(0);
    const char *const *names;
    uint32_t count;
    enum nd_status status = nd_store_registry_read(
        engine->store, engine->rule.name, nd_registry_length(engine->registry),
        arena, error, &names, &count);
    if (status == ND_OK) {
        for (uint32_t i = 0; i < count; i++) {
            (void)nd_registry_add(engine->registry, names[i]);
        }
    }
    nd_arena_destroy(&arena);
    return status;
}

enum nd_status nd_engine_reload_registry(struct nd_engine *engine,
                                         struct nd_error *error)
{
    nd_registry_destroy(&engine->registry);
    engine->registry = nd_registry_create();
    return nd_engine_update_registry(engine, error);
}

static void note_stored(struct nd_engine *engine,
                        const uint8_t digest[ND_PROFILE_DIGEST_BYTES])
{
    engine->profile_is_stored = engine->was_stored = true;
    memcpy(engine->stored_digest, digest, sizeof engine->stored_digest);
}

/* Adds the symbols of the settings' newest profile: what other processes met
 * is met here too. */
static enum nd_status take_profile(struct nd_engine *engine,
                                   struct nd_error *error)
{
    struct nd_arena *arena = nd_arena_create(0);
    const struct nd_profile *profiles;
    size_t count;
    enum nd_status status = nd_store_profile_list(
        engine->store, engine->rule.name, arena, error, &profiles, &count);
    for (size_t i = 0; status == ND_OK && i < count; i++) {
        if (strcmp(profiles[i].settings, engine->rule.settings) == 0) {
            for (uint32_t j = 0; j < profiles[i].symbol_count; j++) {
                (void)nd_symbols_add(&engine->symbols, profiles[i].symbols[j]);
            }
            note_stored(engine, profiles[i].digest);
            engine->profile_is_stored =
                engine->symbols.count == profiles[i].symbol_count;
            break;
        }
    }
    nd_arena_destroy(&arena);
    return status;
}

static enum nd_status take_clock(struct nd_engine *engine,
                                 struct nd_error *error)
{
    int64_t now_ms;
    enum nd_status status = nd_store_now(engine->store, error, &now_ms);
    if (status == ND_OK) {
        engine->clock_offset_ms = now_ms - nd_clock_wall_ms();
    }
    return status;
}

/* A store that cannot be written to must not stop what goes on without. */
static bool is_refused_write(enum nd_status status)
{
    return status == ND_PERMISSION || status == ND_FULL;
}

enum nd_status nd_engine_store_profile(struct nd_engine *engine,
                                       struct nd_error *error)
{
    if (engine->profile_is_stored) {
        return ND_OK;
    }
    struct nd_profile profile = {.symbols =
                                     (const char *const *)engine->symbols.names,
                                 .symbol_count = engine->symbols.count};
    (void)snprintf(profile.settings, sizeof profile.settings, "%s",
                   engine->rule.settings);
    nd_symbols_digest(&engine->symbols, profile.digest);
    if (engine->was_stored && memcmp(engine->stored_digest, profile.digest,
                                     sizeof profile.digest) != 0) {
        profile.grown_from = engine->stored_digest;
    }
    bool created;
    enum nd_status status = nd_store_profile_register(
        engine->store, engine->rule.name, &profile, error, &created);
    if (status == ND_UNCERTAIN) {
        status = nd_store_profile_register(engine->store, engine->rule.name,
                                           &profile, error, &created);
    }
    if (status != ND_OK) {
        return status;
    }
    note_stored(engine, profile.digest);
    struct nd_arena *arena = nd_arena_create(0);
    const struct nd_profile *dropped;
    size_t count;
    status = nd_store_profile_trim(
        engine->store, engine->rule.name, engine->rule.max_profiles,
        engine->rule.watch_interval_ms, arena, error, &dropped, &count);
    if (status == ND_OK && count > 0) {
        nd_log(ND_LOG_INFO, "rule %s: dropped %zu old profiles",
               engine->rule.name, count);
    }
    nd_arena_destroy(&arena);
    return is_refused_write(status) ? ND_OK : status;
}

enum nd_status nd_engine_update_profile(struct nd_engine *engine,
                                        struct nd_error *error)
{
    enum nd_status status = take_profile(engine, error);
    return status == ND_OK ? nd_engine_store_profile(engine, error) : status;
}

static void copy_rule(struct nd_engine *engine, const struct nd_rule *rule)
{
    engine->rule = *rule;
    engine->rule.symbol_spam = nd_strdup(rule->symbol_spam);
    engine->rule.symbol_ham = nd_strdup(rule->symbol_ham);
    engine->rule.rspamd_redis = NULL; /* not an engine's business */
    engine->scope = (struct nd_scope){engine->rule.name, engine->rule.settings};
}

static void name_incarnation(struct nd_engine *engine)
{
    char host[ND_HOLDER_BYTES - 24] = "";
    if (gethostname(host, sizeof host) != 0 || host[0] == '\0') {
        (void)snprintf(host, sizeof host, "unknown");
    }
    host[sizeof host - 1] = '\0';
    (void)snprintf(engine->holder, sizeof engine->holder, "%s:%ld", host,
                   (long)getpid());
    nd_random_system(engine->nonce, sizeof engine->nonce);
}

struct nd_engine *nd_engine_prepare(const struct nd_rule *rule)
{
    struct nd_engine *engine = nd_calloc(1, sizeof *engine);
    engine->registry = nd_registry_create();
    engine->due_after_ms = -1;
    (void)pthread_mutex_init(&engine->live_lock, NULL);
    copy_rule(engine, rule);
    name_incarnation(engine);
    return engine;
}

enum nd_status nd_engine_connect(struct nd_engine *engine,
                                 struct nd_store *store,
                                 const struct nd_key *key_file_key,
                                 uint32_t duties, struct nd_error *error)
{
    engine->store = store;
    engine->duties = duties;
    enum nd_status status = find_key(engine, key_file_key, error);
    if (status == ND_OK) {
        status = nd_engine_update_registry(engine, error);
    }
    if (status == ND_OK) {
        status = take_clock(engine, error);
    }
    if (status == ND_OK) {
        status = take_profile(engine, error);
    }
    if (status == ND_OK && (duties & ND_ENGINE_SERVES)) {
        status = nd_engine_refresh(engine, error, NULL);
    }
    return status;
}

void nd_engine_adopt(struct nd_engine *engine, struct nd_engine *old)
{
    struct nd_live *live = nd_engine_take_live(old);
    if (live == NULL) {
        return;
    }
    /* what has a model has had its key before, and keeps it */
    engine->key = old->key;
    engine->has_key = old->has_key;
    (void)pthread_mutex_lock(&engine->live_lock);
    engine->live = live;
    (void)pthread_mutex_unlock(&engine->live_lock);
}

enum nd_status nd_engine_create(struct nd_store *store,
                                const struct nd_rule *rule,
                                const struct nd_key *key_file_key,
                                struct nd_error *error,
                                struct nd_engine **engine_r)
{
    enum nd_status status = nd_hash_init(error);
    if (status != ND_OK) {
        return status;
    }
    struct nd_engine *engine = nd_engine_prepare(rule);
    status = nd_engine_connect(engine, store, key_file_key,
                               ND_ENGINE_SERVES | ND_ENGINE_MARKS, error);
    if (status != ND_OK) {
        nd_engine_destroy(&engine);
        return status;
    }
    *engine_r = engine;
    return ND_OK;
}

void nd_engine_destroy(struct nd_engine **engine)
{
    if (engine == NULL || *engine == NULL) {
        return;
    }
    struct nd_engine *old = *engine;
    nd_lesson_batch_destroy(&old->batch);
    nd_live_release(&old->live);
    nd_registry_destroy(&old->registry);
    nd_symbols_free(&old->symbols);
    nd_rule_free(&old->rule);
    (void)pthread_mutex_destroy(&old->live_lock);
    nd_wipe(&old->key, sizeof old->key);
    free(old);
    *engine = NULL;
}
