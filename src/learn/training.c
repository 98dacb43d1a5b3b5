/* SPDX-License-Identifier: Apache-2.0
 *
 * A training from beginning to end: idle, leased, training, publishing, idle.
 * The lease is renewed on progress alone, a lost one stops the child and
 * publishes nothing, and there is one way out (conclude) that every end takes:
 * promoted, rejected, failed, cancelled or lost, the lease is given back, and
 * the child is collected.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "learn/trainer.h"
#include "learn/training.h"

/* ---- progress ---- */

enum nd_status nd_training_advance(struct nd_training *training,
                                   struct nd_error *error)
{
    struct nd_engine *engine = training->engine;
    int64_t now_us = nd_clock_monotonic_us();
    engine->progress++;
    if (now_us - training->renewed_us < engine->rule.lease_ms * 1000 / 4) {
        return ND_OK;
    }
    enum nd_status status =
        nd_store_lease_renew(engine->store, &engine->scope, &training->lease,
                             engine->progress, engine->rule.lease_ms, error);
    if (status == ND_OK) {
        training->renewed_us = now_us;
    }
    /* A store that is away may be back before the lease ends: the token, not
     * the time, decides whether this training may publish. */
    return status == ND_LOST ? status : ND_OK;
}

enum nd_status nd_training_tell(struct nd_training *training,
                                struct nd_error *error)
{
    if (training->progress != NULL &&
        !training->progress(training->done, training->loss, training->stage,
                            training->context)) {
        return nd_fail(error, ND_CANCELLED, "the training was stopped");
    }
    return ND_OK;
}

/* ---- the conversation with the child ---- */

/* Tells, and renews the lease where there is progress. */
static enum nd_status listen(const struct nd_child_progress *progress,
                             void *context, struct nd_error *error)
{
    struct nd_training *training = context;
    enum nd_status status = ND_OK;
    if (progress != NULL) {
        training->done = 0.1 + 0.85 * progress->done;
        training->loss = progress->loss;
        memcpy(training->child_stage, progress->stage, sizeof progress->stage);
        training->stage = training->child_stage;
        status = nd_training_advance(training, error);
    }
    return status == ND_OK ? nd_training_tell(training, error) : status;
}

static void judge(struct nd_training *training,
                  const struct nd_child_judged *judged)
{
    struct nd_evidence evidence = {
        .labels = training->labels,
        .candidate = judged->log_odds,
        .live = training->live_odds,
        .count = training->judged_count,
        .live_figures =
            training->live != NULL ? &training->live->model->figures : NULL,
        .target_fpr = training->engine->rule.target_fpr};
    nd_judge(&evidence, &training->judgement);
    training->seed = judged->seed;
    training->judged = true;
}

/* Candidates, judgement, refit, model. The frame's data stay valid until the
 * child is spoken to again. */
static enum nd_status converse(struct nd_training *training,
                               struct nd_error *error, struct nd_frame *model_r)
{
    struct nd_frame frame;
    struct nd_child_judged judged;
    enum nd_status status =
        nd_child_await(training->child, ND_FRAME_JUDGED, error, &frame);
    if (status == ND_OK) {
        status = nd_child_read_judged(&frame, training->judged_count, error,
                                      &judged);
    }
    if (status != ND_OK) {
        return status;
    }
    judge(training, &judged);
    free(judged.log_odds);
    if (!training->judgement.promote) {
        return ND_OK;
    }
    struct nd_buffer buffer = {0};
    size_t start = nd_frame_begin(&buffer, ND_FRAME_REFIT);
    nd_frame_end(&buffer, start);
    status = nd_child_send(training->child, &buffer, error);
    nd_buffer_free(&buffer);
    return status == ND_OK
               ? nd_child_await(training->child, ND_FRAME_MODEL, error, model_r)
               : status;
}

static enum nd_status run(struct nd_training *training, struct nd_error *error)
{
    const struct nd_rule *rule = &training->engine->rule;
    struct nd_child_limits limits = {.time_ms = rule->train_time_ms,
                                     .idle_ms = rule->lease_ms / 2,
                                     .share = rule->train_share,
                                     .nice = rule->train_nice};
    struct nd_frame model;
    enum nd_status status = nd_training_prepare(training, error);
    if (status == ND_OK) {
        status = nd_child_start(&limits, ND_TRAINER_ARGUMENT, error,
                                &training->child);
    }
    if (status == ND_OK) {
        nd_child_listen(training->child, listen, training);
        training->engine->stage = ND_STAGE_TRAINING;
        status = nd_training_send_samples(training, error);
    }
    if (status == ND_OK) {
        status = converse(training, error, &model);
    }
    if (status == ND_OK && training->judgement.promote) {
        training->engine->stage = ND_STAGE_PUBLISHING;
        training->done = 0.95;
        training->stage = "publishing";
        status = nd_training_tell(training, error);
        if (status == ND_OK) {
            status = nd_training_publish(training, &model, error);
        }
    }
    return status;
}

/* ---- beginning and end ---- */

static enum nd_status acquire(struct nd_training *training,
                              struct nd_error *error)
{
    struct nd_engine *engine = training->engine;
    enum nd_status status = ND_UNCERTAIN;
    for (int attempt = 0; attempt < 5 && status == ND_UNCERTAIN; attempt++) {
        status = nd_store_lease_acquire(
            engine->store, &engine->scope, engine->nonce, engine->holder,
            engine->rule.lease_ms, error, &training->lease);
    }
    if (status == ND_BUSY) {
        char since[32], until[32];
        nd_clock_format(training->lease.since_ms, since, sizeof since);
        nd_clock_format(training->lease.until_ms, until, sizeof until);
        return nd_fail(error, ND_BUSY,
                       "%s has been training this rule since %s; should it be "
                       "gone, its lease ends at %s",
                       training->lease.holder, since, until);
    }
    training->renewed_us = nd_clock_monotonic_us();
    return status;
}

/* A key file that is not the store's key: the samples here were hashed with
 * that one, and a model of them would be read under another. */
static enum nd_status check_key(struct nd_engine *engine,
                                struct nd_error *error)
{
    struct nd_key key;
    enum nd_status status = nd_store_key(engine->store, NULL, error, &key);
    if (status == ND_NO_INPUT) {
        return ND_OK; /* it is kept in files alone */
    }
    if (status == ND_OK && (!engine->has_key || memcmp(key.id, engine->key.id,
                                                       sizeof key.id) != 0)) {
        status = nd_fail(error, ND_KEY,
                         "the store's samples were made with another key than "
                         "the one of key_file");
    }
    nd_wipe(&key, sizeof key);
    return status;
}

/* A later version's model is not trained over: hosts of that version would lose
 * what it reads and this one does not know. */
static enum nd_status check_version(struct nd_engine *engine,
                                    const struct nd_model_pointer *pointer,
                                    struct nd_error *error)
{
    enum nd_status status = nd_engine_refresh(engine, error, NULL);
    if (status == ND_OK && nd_engine_is_outdated(engine, pointer)) {
        return nd_fail(error, ND_VERSION,
                       "generation %llu is of a later neurald, which trains "
                       "this rule from now on: upgrade this host",
                       (unsigned long long)pointer->generation);
    }
    return status;
}

/* What need not wait for the lease: too few samples, a pinned model, one of a
 * later version. */
static enum nd_status check_ready(struct nd_engine *engine, bool force,
                                  struct nd_error *error)
{
    struct nd_training_state state;
    struct nd_model_pointer pointer;
    uint64_t least = nd_training_least(&engine->rule, force);
    enum nd_status status =
        nd_store_training_state(engine->store, &engine->scope, error, &state);
    if (status == ND_OK) {
        status = nd_store_model_current(engine->store, &engine->scope, error,
                                        &pointer);
    }
    if (status != ND_OK) {
        return status;
    }
    if (pointer.pinned) {
        return nd_fail(error, ND_NOTHING,
                       "generation %llu is pinned; unpin it to train",
                       (unsigned long long)pointer.generation);
    }
    if (state.count[ND_SPAM] < least || state.count[ND_HAM] < least) {
        return nd_fail(
            error, ND_NOTHING,
            "%llu spam and %llu ham to learn from: %llu of each are needed",
            (unsigned long long)state.count[ND_SPAM],
            (unsigned long long)state.count[ND_HAM], (unsigned long long)least);
    }
    return check_version(engine, &pointer, error);
}

/* Statuses that say something about the store and not about the training. */
static bool is_stores_fault(enum nd_status status)
{
    return status == ND_UNAVAILABLE || status == ND_UNCERTAIN ||
           status == ND_FULL || status == ND_PERMISSION || status == ND_VERSION;
}

static enum nd_status release(struct nd_training *training)
{
    struct nd_engine *engine = training->engine;
    struct nd_error ignored;
    enum nd_status status = ND_UNCERTAIN;
    for (int attempt = 0; attempt < 5 && status == ND_UNCERTAIN; attempt++) {
        status = nd_store_lease_release(engine->store, &engine->scope,
                                        &training->lease, &ignored);
    }
    return status;
}

/* A training that failed: recorded, so that it is seen and backed off from. A
 * failure of the child is then no failure of the call. */
static enum nd_status conclude_failure(struct nd_training *training,
                                       enum nd_status status,
                                       struct nd_error *error,
                                       struct nd_training_report *report)
{
    struct nd_error second;
    report->decision = ND_DECISION_FAILED;
    (void)snprintf(report->reason, sizeof report->reason, "%.255s",
                   error->text);
    nd_log(ND_LOG_WARNING, "rule %s, settings %s: training failed: %s",
           training->engine->rule.name, training->engine->rule.settings,
           error->text);
    enum nd_status finished = nd_training_finish(training, ND_DECISION_FAILED,
                                                 report->reason, &second);
    if (finished != ND_OK) {
        nd_log(ND_LOG_WARNING, "its end could not be recorded: %s",
               second.text);
    }
    if (status == ND_NOTHING || is_stores_fault(status)) {
        return status;
    }
    return finished == ND_OK ? ND_OK : finished;
}

static enum nd_status conclude_success(struct nd_training *training,
                                       struct nd_error *error,
                                       struct nd_training_report *report)
{
    struct nd_engine *engine = training->engine;
    (void)snprintf(report->reason, sizeof report->reason, "%s",
                   training->judgement.reason);
    if (!training->judgement.promote) {
        report->decision = ND_DECISION_REJECTED;
        return nd_training_finish(training, ND_DECISION_REJECTED,
                                  report->reason, error);
    }
    report->decision = ND_DECISION_PROMOTED;
    report->generation = training->lease.token;
    /* It is used from here on only, now that it is known to be saved. */
    struct nd_error ignored;
    if (nd_engine_refresh(engine, &ignored, NULL) != ND_OK) {
        nd_log(ND_LOG_WARNING,
               "generation %llu is published but not loaded "
               "here yet: %s",
               (unsigned long long)report->generation, ignored.text);
    }
    return ND_OK;
}

static enum nd_status conclude(struct nd_training *training,
                               enum nd_status status, struct nd_error *error,
                               struct nd_training_report *report)
{
    nd_child_stop(&training->child);
    switch (status) {
    case ND_OK:
        return conclude_success(training, error, report);
    case ND_CANCELLED:
        (void)release(training);
        break;
    case ND_LOST:
    case ND_SUPERSEDED: /* no lease is left to give back */
        break;
    default:
        return conclude_failure(training, status, error, report);
    }
    report->decision = ND_DECISION_FAILED;
    (void)snprintf(report->reason, sizeof report->reason, "%.255s",
                   error->text);
    return status;
}

static void fill_report(const struct nd_training *training,
                        struct nd_training_report *report)
{
    report->seed = training->seed;
    report->other_layout = training->other_layout;
    report->candidate = training->judgement.figures;
    report->candidate.spam = training->class_count[ND_SPAM];
    report->candidate.ham = training->class_count[ND_HAM];
    report->had_live = training->live != NULL;
    report->live_log_loss = training->judgement.live_log_loss;
    report->live_recall = training->judgement.live_recall;
    report->seconds =
        (double)(nd_clock_monotonic_us() - training->started_us) / 1e6;
}

static void free_training(struct nd_training *training)
{
    nd_child_stop(&training->child);
    nd_live_release(&training->live);
    nd_arena_destroy(&training->check_arena);
    free(training->live_slots);
    free(training->snapshot.samples);
    free(training->used);
    free(training->folds);
    free(training->labels);
    free(training->live_odds);
    free(training->check);
    free(training);
}

static struct nd_training *create_training(struct nd_engine *engine)
{
    struct nd_training *training = nd_calloc(1, sizeof *training);
    training->engine = engine;
    training->started_us = nd_clock_monotonic_us();
    training->loss = NAN;
    training->stage = "";
    training->judgement.live_log_loss = NAN;
    training->judgement.live_recall = NAN;
    training->seed = engine->rule.seed;
    if (training->seed == 0) {
        uint32_t drawn;
        nd_random_system(&drawn, sizeof drawn);
        training->seed = (uint64_t)drawn + 1;
    }
    return training;
}

/* With the lease held: everything from here to its end. */
static enum nd_status train_leased(struct nd_training *training,
                                   struct nd_error *error,
                                   struct nd_training_report *report_r)
{
    struct nd_training_report report = {0};
    training->engine->stage = ND_STAGE_LEASED;
    enum nd_status status = run(training, error);
    status = conclude(training, status, error, &report);
    fill_report(training, &report);
    *report_r = report;
    training->engine->stage = ND_STAGE_IDLE;
    return status;
}

/* With the lease held: whether nobody has trained since this was found due. */
static enum nd_status check_still_due(struct nd_training *training,
                                      int64_t due_after_ms,
                                      struct nd_error *error)
{
    struct nd_engine *engine = training->engine;
    struct nd_training_state state;
    if (training->force || due_after_ms < 0) {
        return ND_OK;
    }
    enum nd_status status =
        nd_store_training_state(engine->store, &engine->scope, error, &state);
    if (status == ND_OK && state.last_ms != due_after_ms) {
        status = nd_fail(error, ND_NOTHING,
                         "another training of this rule has just ended");
    }
    if (status != ND_OK) {
        (void)release(training);
    }
    return status;
}

enum nd_status nd_engine_train(struct nd_engine *engine, bool force,
                               nd_training_progress *progress, void *context,
                               struct nd_error *error,
                               struct nd_training_report *report_r)
{
    struct nd_error own = {""};
    if (engine->stage != ND_STAGE_IDLE) {
        return nd_fail(error, ND_BUSY, "this rule is being trained here");
    }
    enum nd_status status = check_key(engine, error);
    if (status == ND_OK) {
        status = check_ready(engine, force, error);
    }
    if (status != ND_OK) {
        return status;
    }
    int64_t due_after_ms = engine->due_after_ms;
    engine->due_after_ms = -1;
    struct nd_training *training = create_training(engine);
    training->force = force;
    training->progress = progress;
    training->context = context;
    status = acquire(training, &own);
    if (status == ND_OK) {
        status = check_still_due(training, due_after_ms, &own);
    }
    if (status == ND_OK) {
        status = train_leased(training, &own, report_r);
    }
    free_training(training);
    return status == ND_OK ? ND_OK : nd_fail(error, status, "%s", own.text);
}
