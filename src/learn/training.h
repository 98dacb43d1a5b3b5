/* SPDX-License-Identifier: Apache-2.0
 *
 * One training under way, as the files training*.c share it.
 */
#ifndef ND_LEARN_TRAINING_H
#define ND_LEARN_TRAINING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "learn/child.h"
#include "learn/engine_private.h"
#include "learn/judge.h"

struct nd_training {
    struct nd_engine *engine;
    bool force;
    uint64_t seed;
    nd_training_progress *progress; /* may be NULL */
    void *context;

    /* The right to train, and proof of life. */
    struct nd_lease lease;
    int64_t started_us, renewed_us; /* monotonic */
    double done, loss;              /* as last told */
    const char *stage;
    char child_stage[ND_CHILD_STAGE_BYTES];

    /* What is trained on, and judged against. */
    struct nd_model_pointer pointer; /* of the own scope, before the snapshot */
    struct nd_live *live;            /* NULL: none */
    uint64_t live_watermark;
    uint32_t *live_slots; /* registry slot to the live model's; NULL: same */
    struct nd_snapshot snapshot;
    struct nd_sample_info *used; /* those that were sent, in order */
    size_t used_count, class_count[2];
    uint8_t *folds; /* by place in the snapshot */
    uint32_t fold_count;
    uint64_t malformed, foreign; /* left out: unreadable; wholly of another
                                    version's families */
    uint64_t other_layout;       /* used without some of their families */
    uint32_t other_families;     /* these */

    /* The judged ones, in the order in which they were sent. */
    uint8_t *labels;
    double *live_odds; /* NaN: none, or trained on */
    size_t judged_count;

    /* A few judged samples for the last check of the winner. */
    struct nd_arena *check_arena;
    struct nd_payload *check;
    size_t check_count[2];

    struct nd_child *child;
    struct nd_judgement judgement;
    bool judged;
};

/* Real progress: counts, and renews the lease when a quarter of it has gone.
 * ND_LOST: stop at once and publish nothing. */
enum nd_status nd_training_advance(struct nd_training *training,
                                   struct nd_error *error) ND_MUST_CHECK;

/* Tells the caller where it stands; ND_CANCELLED when it says stop. */
enum nd_status nd_training_tell(struct nd_training *training,
                                struct nd_error *error) ND_MUST_CHECK;

/* Takes snapshot, live model and folds (training_samples.c). */
enum nd_status nd_training_prepare(struct nd_training *training,
                                   struct nd_error *error) ND_MUST_CHECK;

/* The fewest samples of a class that a training takes: under balanced, unless
 * it is forced, half of max_trains (S13). */
uint64_t nd_training_least(const struct nd_rule *rule, bool force);

/* Sends settings and samples to the child. ND_NOTHING where too few are left
 * that can be used. */
enum nd_status nd_training_send_samples(struct nd_training *training,
                                        struct nd_error *error) ND_MUST_CHECK;

/* Completes the model file that the child sent, checks it, and publishes it
 * (training_publish.c). */
enum nd_status nd_training_publish(struct nd_training *training,
                                   const struct nd_frame *frame,
                                   struct nd_error *error) ND_MUST_CHECK;

/* Ends a rejected or failed training in the store: journal, release,
 * back-off. */
enum nd_status nd_training_finish(struct nd_training *training,
                                  enum nd_decision decision, const char *reason,
                                  struct nd_error *error) ND_MUST_CHECK;

#endif
