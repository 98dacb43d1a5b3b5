/* SPDX-License-Identifier: Apache-2.0
 *
 * The contents of the frames between a training for rspamd and its child, where
 * they are not those of learn/child_messages.h. Every field is checked on
 * reading.
 */
#ifndef ND_RSPAMD_CHILD_MESSAGES_H
#define ND_RSPAMD_CHILD_MESSAGES_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "learn/frame.h"
#include "rspamd/kann.h"
#include "rspamd/vectors.h"

/* What the child is to do, and what it may use. */
struct nd_rspamd_child_settings {
    uint32_t count, width; /* of the vectors */
    uint64_t seed;
    uint64_t memory_bytes, cpu_seconds; /* 0: no limit */
    int32_t nice;
};
void nd_rspamd_write_settings(const struct nd_rspamd_child_settings *settings,
                              struct nd_buffer *buffer);
enum nd_status nd_rspamd_read_settings(
    const struct nd_frame *frame, struct nd_error *error,
    struct nd_rspamd_child_settings *settings_r) ND_MUST_CHECK;

/* A SAMPLES frame with vectors from first on, as many as it holds; answers the
 * first that it does not. first < vectors->count. */
size_t nd_rspamd_write_vectors(const struct nd_vectors *vectors, size_t first,
                               struct nd_buffer *buffer);
/* Adds those of a frame, width numbers each. ND_DATA where one is cut off, not
 * finite, of no class, or more than most in all. */
enum nd_status nd_rspamd_read_vectors(const struct nd_frame *frame,
                                      uint32_t width, size_t most,
                                      struct nd_error *error,
                                      struct nd_vectors *vectors) ND_MUST_CHECK;

/* A MODEL frame: the network and its thresholds. Reading refuses a network of
 * another width and thresholds that are no scores. The caller owns *kann_r. */
void nd_rspamd_write_model(const struct nd_kann *kann,
                           const double thresholds[2],
                           struct nd_buffer *buffer);
enum nd_status nd_rspamd_read_model(const struct nd_frame *frame,
                                    uint32_t width, struct nd_error *error,
                                    struct nd_kann **kann_r,
                                    double thresholds_r[2]) ND_MUST_CHECK;

#endif
