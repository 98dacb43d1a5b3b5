/* SPDX-License-Identifier: Apache-2.0
 *
 * The parent's side of a training for rspamd: sends vectors, listens, and
 * believes nothing that comes back: a network must be one that can be read
 * (kann.h), a score one from -1 to 1, and the figures are made here.
 */
#include "rspamd/child.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "learn/child.h"
#include "rspamd/child_messages.h"

struct conversation {
    struct nd_child *child;
    const struct nd_vectors *vectors;
    const struct nd_rspamd_child_options *options;
};

static enum nd_status tick(const struct conversation *conversation,
                           bool went_on, struct nd_error *error)
{
    const struct nd_rspamd_child_options *options = conversation->options;
    return options->tick != NULL
               ? options->tick(went_on, options->context, error)
               : ND_OK;
}

static enum nd_status listen(const struct nd_child_progress *progress,
                             void *context, struct nd_error *error)
{
    return tick(context, progress != NULL, error);
}

/* ---- sending ---- */

static void write_settings(const struct conversation *conversation,
                           struct nd_buffer *buffer)
{
    const struct nd_rspamd_child_options *options = conversation->options;
    struct nd_rspamd_child_settings settings = {
        .count = (uint32_t)conversation->vectors->count,
        .width = conversation->vectors->width,
        .seed = options->seed,
        .memory_bytes = options->memory_bytes,
        .cpu_seconds = (uint64_t)(options->time_ms + 999) / 1000,
        .nice = options->nice};
    nd_rspamd_write_settings(&settings, buffer);
}

static enum nd_status send_all(const struct conversation *conversation,
                               struct nd_error *error)
{
    struct nd_buffer buffer = {0};
    const struct nd_vectors *vectors = conversation->vectors;
    write_settings(conversation, &buffer);
    enum nd_status status = nd_child_send(conversation->child, &buffer, error);
    for (size_t row = 0; status == ND_OK && row < vectors->count;) {
        nd_buffer_clear(&buffer);
        row = nd_rspamd_write_vectors(vectors, row, &buffer);
        status = nd_child_send(conversation->child, &buffer, error);
        if (status == ND_OK)
            status = tick(conversation, true, error);
    }
    if (status == ND_OK) {
        nd_buffer_clear(&buffer);
        size_t start = nd_frame_begin(&buffer, ND_FRAME_TRAIN);
        nd_frame_end(&buffer, start);
        status = nd_child_send(conversation->child, &buffer, error);
    }
    nd_buffer_free(&buffer);
    return status;
}

/* ---- hearing ---- */

static enum nd_status take_scores(const struct nd_frame *frame,
                                  const struct nd_vectors *vectors,
                                  struct nd_error *error,
                                  struct nd_rspamd_training *training)
{
    struct nd_child_judged judged;
    enum nd_status status =
        nd_child_read_judged(frame, vectors->count, error, &judged);
    if (status != ND_OK)
        return status;
    training->held_scores = judged.log_odds;
    for (size_t i = 0; i < vectors->count; i++)
        if (fabs(training->held_scores[i]) > 1)
            return nd_fail(error, ND_DATA,
                           "the trainer child answered a score beyond 1");
    nd_rspamd_judge(training->held_scores, vectors->labels, vectors->count,
                    &training->figures);
    return ND_OK;
}

static enum nd_status hear(const struct conversation *conversation,
                           struct nd_error *error,
                           struct nd_rspamd_training *training)
{
    struct nd_frame frame;
    const struct nd_vectors *vectors = conversation->vectors;
    enum nd_status status =
        nd_child_await(conversation->child, ND_FRAME_JUDGED, error, &frame);
    if (status == ND_OK)
        status = take_scores(&frame, vectors, error, training);
    if (status == ND_OK)
        status =
            nd_child_await(conversation->child, ND_FRAME_MODEL, error, &frame);
    return status == ND_OK
               ? nd_rspamd_read_model(&frame, vectors->width, error,
                                      &training->kann, training->thresholds)
               : status;
}

enum nd_status nd_rspamd_train_apart(
    const struct nd_vectors *vectors,
    const struct nd_rspamd_child_options *options, struct nd_error *error,
    struct nd_rspamd_training *training_r)
{
    int64_t began = nd_clock_monotonic_us();
    struct conversation conversation = {.vectors = vectors, .options = options};
    struct nd_rspamd_training training = {0};
    struct nd_child_limits limits = {.time_ms = options->time_ms,
                                     .idle_ms = options->idle_ms,
                                     .share = options->share,
                                     .nice = options->nice};
    enum nd_status status = nd_rspamd_check_enough(vectors, error);
    if (status == ND_OK)
        status = nd_child_start(&limits, ND_RSPAMD_CHILD_ARGUMENT, error,
                                &conversation.child);
    if (status == ND_OK) {
        nd_child_listen(conversation.child, listen, &conversation);
        status = send_all(&conversation, error);
    }
    if (status == ND_OK)
        status = hear(&conversation, error, &training);
    nd_child_stop(&conversation.child);
    training.seconds = (double)(nd_clock_monotonic_us() - began) / 1e6;
    if (status == ND_OK)
        *training_r = training;
    else
        nd_rspamd_training_free(&training);
    return status;
}
