/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of an evaluation share: the run under way.
 */
#ifndef ND_CLI_EVAL_PARTS_H
#define ND_CLI_EVAL_PARTS_H

#include "base/memory.h"
#include "cli/eval.h"
#include "cli/identity_map.h"
#include "cli/reading.h"
#include "learn/fit.h"

/* A message of the test part that was met while the training part was read. */
struct nd_eval_pending {
    char *path;
    void *data; /* of a message inside an mbox; NULL: read the file again */
    size_t length;
    uint8_t label;
};

struct nd_evaluation {
    struct nd_cli *cli;
    const struct nd_eval_plan *plan;
    const struct nd_rule *rule;
    const struct nd_scan_file *scans;
    struct nd_eval_result *result;
    struct nd_registry *registry;
    struct nd_identity_map *identities;
    char *conflict_example;

    struct nd_arena *arena; /* of the samples */
    struct nd_fit_sample *samples;
    size_t sample_count, sample_room;
    uint64_t sample_bytes;
    uint64_t feature_count; /* in all samples */
    uint64_t count[2];      /* trained on, by class */

    struct nd_eval_pending *pending;
    size_t pending_count, pending_room;
    size_t outcome_room;
};

/* Reads the training part into samples, and notes what is of the test part. */
enum nd_status nd_eval_read_training(struct nd_evaluation *run) ND_MUST_CHECK;

/* Scores the test part with the model of the result. */
enum nd_status nd_eval_test_all(struct nd_evaluation *run) ND_MUST_CHECK;

/* Seconds on the monotonic clock. */
double nd_eval_seconds_since(int64_t began_us);

/* Room for one more in an array of count elements of size bytes: it is doubled
 * where it is full. */
void *nd_eval_make_room(void *array, size_t count, size_t *room, size_t size);

/* Looks for messages that are there under both labels. */
void nd_eval_note_identity(struct nd_evaluation *run,
                           const struct nd_item *item, uint8_t label);

/* The item's features; memory is its arena's. */
void nd_eval_extract(const struct nd_evaluation *run,
                     const struct nd_item *item,
                     struct nd_features *features_r);

#endif
