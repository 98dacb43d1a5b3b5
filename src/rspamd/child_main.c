/* SPDX-License-Identifier: Apache-2.0
 *
 * The trainer's child where it trains for rspamd: reads settings and vectors,
 * trains, sends what each held-out vector scores, then the network. It confines
 * itself before it reads the first vector, and trains the parts of a network
 * one after the other, so that it can tell of each.
 */
#include <math.h>

#include "base/memory.h"
#include "learn/child_end.h"
#include "learn/confine.h"
#include "rspamd/child.h"
#include "rspamd/child_messages.h"

struct worker {
    struct nd_child_end end;
    struct nd_rspamd_child_settings settings;
    struct nd_vectors vectors;
};

static enum nd_status prepare(struct worker *worker, struct nd_error *error)
{
    struct nd_frame frame;
    const struct nd_rspamd_child_settings *settings = &worker->settings;
    enum nd_status status = nd_child_end_begin(&worker->end, error, &frame);
    if (status == ND_OK)
        status = nd_rspamd_read_settings(&frame, error, &worker->settings);
    if (status == ND_OK)
        status =
            nd_confine_limits(settings->memory_bytes, settings->cpu_seconds,
                              settings->nice, error);
    return status == ND_OK ? nd_confine_lock(error) : status;
}

static enum nd_status read_vectors(struct worker *worker,
                                   struct nd_error *error)
{
    const struct nd_rspamd_child_settings *settings = &worker->settings;
    struct nd_frame frame;
    enum nd_status status = ND_OK;
    nd_child_end_stage(&worker->end, "vectors");
    while (status == ND_OK && worker->vectors.count < settings->count) {
        status =
            nd_child_end_expect(&worker->end, ND_FRAME_SAMPLES, error, &frame);
        if (status == ND_OK)
            status =
                nd_rspamd_read_vectors(&frame, settings->width, settings->count,
                                       error, &worker->vectors);
        (void)nd_child_end_progress(&worker->end, 0, NAN);
    }
    return status == ND_OK ? nd_child_end_expect(&worker->end, ND_FRAME_TRAIN,
                                                 error, &frame)
                           : status;
}

static bool tell(double done, double loss, void *context)
{
    struct worker *worker = context;
    return nd_child_end_progress(&worker->end, done, loss);
}

static enum nd_status answer(struct worker *worker,
                             const struct nd_rspamd_training *training,
                             struct nd_error *error)
{
    struct nd_child_judged judged = {.seed = worker->settings.seed,
                                     .count = worker->settings.count,
                                     .log_odds = training->held_scores};
    struct nd_buffer *outgoing = &worker->end.outgoing;
    nd_rspamd_write_model(training->kann, training->thresholds, outgoing);
    if (outgoing->length > ND_FRAME_MAX_MODEL + ND_FRAME_HEADER_BYTES)
        return nd_fail(error, ND_LIMIT,
                       "a network of %u inputs has more than %u bytes",
                       worker->settings.width, ND_FRAME_MAX_MODEL);
    nd_buffer_clear(outgoing);
    nd_child_write_judged(&judged, outgoing);
    nd_rspamd_write_model(training->kann, training->thresholds, outgoing);
    return nd_child_end_send(&worker->end, error);
}

static enum nd_status work(struct worker *worker, struct nd_error *error)
{
    struct nd_rspamd_training training;
    enum nd_status status = read_vectors(worker, error);
    if (status != ND_OK)
        return status;
    struct nd_rspamd_train_options options = {
        .seed = worker->settings.seed, .progress = tell, .context = worker};
    nd_child_end_stage(&worker->end, "training");
    status = nd_rspamd_train(&worker->vectors, &options, error, &training);
    return status == ND_OK ? answer(worker, &training, error) : status;
}

int nd_rspamd_child_main(void)
{
    struct worker *worker = nd_calloc(1, sizeof(*worker));
    struct nd_error error = {""};
    enum nd_status status = prepare(worker, &error);
    if (status == ND_OK)
        status = work(worker, &error);
    nd_child_end_finish(&worker->end, status, &error);
}
