/* SPDX-License-Identifier: Apache-2.0
 *
 * Training for rspamd in the trainer's child (learn/child.h): vectors come from
 * a peer's Redis, so what learns from them has neither store nor network, and
 * limits on time, memory and processor.
 */
#ifndef ND_RSPAMD_CHILD_H
#define ND_RSPAMD_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "rspamd/train.h"
#include "rspamd/vectors.h"

/* A program whose argv[1] is this calls nd_rspamd_child_main before anything
 * else and returns its answer. */
#define ND_RSPAMD_CHILD_ARGUMENT "--rspamd-trainer-child"

/* The child's whole life: reads settings and vectors from standard input,
 * writes frames to standard output. Answers the exit status. */
int nd_rspamd_child_main(void) ND_MUST_CHECK;

struct nd_rspamd_child_options {
    uint64_t seed;
    int64_t time_ms, idle_ms; /* as of struct nd_child_limits */
    double share;
    int nice;
    uint64_t memory_bytes; /* 0: no limit */
    /* Called each 100 ms at least, with true where the training went on since.
     * An answer other than ND_OK ends it, and is that of
     * nd_rspamd_train_apart. May be NULL. */
    enum nd_status (*tick)(bool went_on, void *context, struct nd_error *error);
    void *context;
};

/* As nd_rspamd_train, in a child that is collected however it ends. Beside its
 * failures those of nd_child_start, nd_child_send and nd_child_receive; what
 * the child answers is checked as what it was given. */
enum nd_status nd_rspamd_train_apart(
    const struct nd_vectors *vectors,
    const struct nd_rspamd_child_options *options, struct nd_error *error,
    struct nd_rspamd_training *training_r) ND_MUST_CHECK;

#endif
