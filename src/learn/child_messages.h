/* SPDX-License-Identifier: Apache-2.0
 *
 * The contents of the trainer's frames (frame.h): writing them, and reading
 * them with every length checked.
 */
#ifndef ND_LEARN_CHILD_MESSAGES_H
#define ND_LEARN_CHILD_MESSAGES_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "learn/frame.h"

/* Samples of one training; more are not sent. */
#define ND_CHILD_MAX_SAMPLES 2000000U
#define ND_CHILD_MAX_FOLDS 10U

/* What the child is to do, and what it may use. */
struct nd_child_settings {
    uint32_t sample_count;
    uint32_t families, registry_length;
    uint32_t hidden_units, epochs; /* 0: the network's defaults */
    double learning_rate;          /* 0: the network's default */
    uint64_t seed;
    uint32_t seeds; /* candidates: seed, seed + 1, ... */
    uint32_t folds; /* 1: hold-out; more: cross-validation */
    double target_fpr, target_fnr;
    uint64_t memory_bytes, cpu_seconds; /* 0: no limit */
    int32_t nice;
    uint32_t threads; /* 1 and more */
};
void nd_child_write_settings(const struct nd_child_settings *settings,
                             struct nd_buffer *buffer);
enum nd_status nd_child_read_settings(
    const struct nd_frame *frame, struct nd_error *error,
    struct nd_child_settings *settings_r) ND_MUST_CHECK;

/* One sample. fold 0: never judged; f > 0: judged by the candidate that was
 * fitted on all samples of other folds. */
struct nd_child_sample {
    uint8_t label, fold;
    int64_t time_ms;
    const void *payload; /* nd_sample_encode */
    uint32_t length;
};
/* Appends to a SAMPLES frame that nd_frame_begin has started. */
void nd_child_write_sample(const struct nd_child_sample *sample,
                           struct nd_buffer *buffer);
/* The next sample of a frame's contents; payload points into it. ND_NOTHING at
 * the end, ND_DATA where a field is out of range. */
enum nd_status nd_child_read_sample(
    struct nd_reader *reader, uint32_t folds, struct nd_error *error,
    struct nd_child_sample *sample_r) ND_MUST_CHECK;

#define ND_CHILD_STAGE_BYTES 64
struct nd_child_progress {
    uint64_t counter; /* strictly rising */
    double done;      /* 0 to 1 */
    double loss;      /* NaN where there is none yet */
    char stage[ND_CHILD_STAGE_BYTES];
};
/* A PROGRESS frame; reading makes stage printable and refuses done outside 0
 * to 1. */
void nd_child_write_progress(const struct nd_child_progress *progress,
                             struct nd_buffer *buffer);
enum nd_status nd_child_read_progress(
    const struct nd_frame *frame, struct nd_error *error,
    struct nd_child_progress *progress_r) ND_MUST_CHECK;

/* The best candidate's calibrated log-odds of spam for each judged sample, in
 * the order in which they were sent. */
struct nd_child_judged {
    uint64_t seed;        /* of the best candidate */
    uint32_t thrown_away; /* candidates not finite or of one class */
    uint32_t count;
    double *log_odds; /* count; freed by the reader of the frame */
};
void nd_child_write_judged(const struct nd_child_judged *judged,
                           struct nd_buffer *buffer);
/* expected is the number of samples that were sent to be judged; another
 * number, or log-odds that are not finite, are ND_DATA. */
enum nd_status nd_child_read_judged(
    const struct nd_frame *frame, size_t expected, struct nd_error *error,
    struct nd_child_judged *judged_r) ND_MUST_CHECK;

/* A FAILURE frame: why there is no model. */
void nd_child_write_failure(enum nd_status status, const char *text,
                            struct nd_buffer *buffer);
/* Leaves the child's text in error and answers its status (ND_INTERNAL where
 * that is none of a failure, ND_DATA for ND_NOTHING, which is silence). */
enum nd_status nd_child_read_failure(const struct nd_frame *frame,
                                     struct nd_error *error) ND_MUST_CHECK;

#endif
