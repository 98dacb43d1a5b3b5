/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the engine share; nothing outside src/learn includes it.
 */
#ifndef ND_LEARN_ENGINE_PRIVATE_H
#define ND_LEARN_ENGINE_PRIVATE_H

#include <pthread.h>

#include "learn/engine.h"
#include "learn/live.h"
#include "learn/profile.h"

/* Where a training stands. One at a time (S16). */
enum nd_training_stage {
    ND_STAGE_IDLE,
    ND_STAGE_LEASED,
    ND_STAGE_TRAINING,
    ND_STAGE_PUBLISHING,
};

struct nd_lesson_batch; /* lessons not yet stored (lessons.c) */

struct nd_engine {
    struct nd_store *store; /* NULL: not connected yet */
    uint32_t duties;        /* ND_ENGINE_* */
    struct nd_rule rule;
    struct nd_scope scope; /* points into rule */
    struct nd_key key;
    bool has_key;
    uint8_t nonce[ND_NONCE_BYTES]; /* of this incarnation */
    char holder[ND_HOLDER_BYTES];  /* "host:process" */

    /* For learning and training: the store's registry as far as it is known
     * here, and the symbols of the own profile. Only the thread that owns the
     * store's handle looks at them. */
    struct nd_registry *registry;
    struct nd_symbols symbols;
    bool profile_is_stored;
    bool was_stored; /* once, with fewer symbols perhaps, under this digest */
    uint8_t stored_digest[ND_PROFILE_DIGEST_BYTES];
    struct nd_lesson_batch *batch;
    int64_t clock_offset_ms; /* the store's wall clock minus ours */
    int64_t last_label_ms;

    /* For scoring, from any thread: the lock is held while a reference is
     * taken, never longer. */
    pthread_mutex_t live_lock;
    struct nd_live *live;

    /* What the live model was loaded from, and what was refused. */
    struct nd_model_pointer pointer;
    uint8_t refused[ND_DIGEST_BYTES];
    bool refused_later; /* it was made by a later version */
    char problem[ND_ERROR_BYTES];
    char note[ND_ERROR_BYTES]; /* what the live model goes without */
    int64_t touched_us; /* when the profile was last marked used; 0 never */
    /* The profile whose model serves here, while that is another settings'
     * (settings is empty otherwise). */
    struct nd_borrowed {
        char settings[ND_NAME_BYTES];
        uint8_t digest[ND_PROFILE_DIGEST_BYTES];
    } borrowed;

    enum nd_training_stage stage;
    /* Steps of real progress, over all trainings of this incarnation: a lease
     * that could not be given back is taken up again by the next one, and the
     * store expects more than it was told before. */
    uint64_t progress;
    /* When the attempt ended before the one that was found due; -1: none was.
     * Another host may train between that and our grant. */
    int64_t due_after_ms;
};

/* A reference to the live model for as long as the caller needs it, or NULL.
 * Thread-safe. */
struct nd_live *nd_engine_take_live(struct nd_engine *engine);

/* What an engine does besides learning and training, for hosts that have one
 * for each thread. */
#define ND_ENGINE_SERVES 1U  /* loads the live model */
#define ND_ENGINE_MARKS 2U   /* marks profiles as used, looks at the clock */
#define ND_ENGINE_REPORTS 4U /* stays, and says in the store what it serves */

/* An engine without a store: it scores with the model that it is given, or
 * "unsure". Destroyed with nd_engine_destroy. */
struct nd_engine *nd_engine_prepare(const struct nd_rule *rule) ND_MUST_CHECK;

/* Brings it to a store, as of nd_engine_create; after a failure it may be
 * tried again. ND_KEY where the engine has a key already, and the store
 * another. Scoring may go on meanwhile. */
enum nd_status nd_engine_connect(struct nd_engine *engine,
                                 struct nd_store *store,
                                 const struct nd_key *key_file_key,
                                 uint32_t duties,
                                 struct nd_error *error) ND_MUST_CHECK;

/* Takes over what another engine scores with, and its key, if it has any.
 * engine is new; old may be at work in other threads. */
void nd_engine_adopt(struct nd_engine *engine, struct nd_engine *old);

/* Whether the model there was refused since a later version made it: then this
 * host is to publish none over it. The thread that owns the store's handle. */
bool nd_engine_is_outdated(const struct nd_engine *engine,
                           const struct nd_model_pointer *pointer);

/* Brings the engine's copy of the registry up to the store's. */
enum nd_status nd_engine_update_registry(struct nd_engine *engine,
                                         struct nd_error *error) ND_MUST_CHECK;

/* Empties the copy and reads it anew: the store's is another one. */
enum nd_status nd_engine_reload_registry(struct nd_engine *engine,
                                         struct nd_error *error) ND_MUST_CHECK;

/* Registers the own profile in the store if its symbols are new, and drops
 * those over max_profiles. */
enum nd_status nd_engine_store_profile(struct nd_engine *engine,
                                       struct nd_error *error) ND_MUST_CHECK;

/* Takes up the symbols that other processes met since, and has the store know
 * the profile of all of them. */
enum nd_status nd_engine_update_profile(struct nd_engine *engine,
                                        struct nd_error *error) ND_MUST_CHECK;

/* Names of a scan that are our own: never learned from, and taken off the
 * filter's score. Memory is the arena's. */
const char *const *nd_rule_excluded(const struct nd_rule *rule,
                                    const struct nd_scan *scan,
                                    struct nd_arena *arena, size_t *count_r);
bool nd_rule_is_own_symbol(const struct nd_rule *rule, const char *name);

/* The findings to use: scan, else what the message carries, else NULL. */
const struct nd_scan *nd_engine_findings(const struct nd_message *message,
                                         const struct nd_scan *scan);

/* Frees the batch with what was not stored; NULL inside is accepted. */
void nd_lesson_batch_destroy(struct nd_lesson_batch **batch);

#endif
