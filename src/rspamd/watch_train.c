/* SPDX-License-Identifier: Apache-2.0
 *
 * The second half of a look: from the vectors in our store to a network in
 * rspamd's Redis, or to a line in the journal that says why not. The network is
 * kept in our store, too, after rspamd has it: should that fail, the next look
 * finds one more network of rspamd's to judge itself beside.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/random.h"
#include "rspamd/child.h"
#include "rspamd/watch_private.h"

#define LEAST_STALE_S 10
#define PROFILE_OF_MODEL "rspamd profile"

/* ---- training and judging ---- */

/* The training goes on: so does the lease, unless we are to stop, or another
 * has it. A store that is away may be back in time. */
static enum nd_status tick(bool went_on, void *context, struct nd_error *error)
{
    struct nd_rspamd_look *look = context;
    struct nd_rspamd_watch *watch = look->watch;
    int64_t now_us = nd_clock_monotonic_us();
    if (watch->goes_on != NULL && !watch->goes_on(watch->context))
        return nd_fail(error, ND_CANCELLED, "the training was stopped");
    look->progress += went_on;
    if (!went_on || now_us - look->renewed_us < watch->rule->lease_ms * 250)
        return ND_OK;
    enum nd_status status =
        nd_store_lease_renew(watch->store, &watch->scope, &look->lease,
                             look->progress, watch->rule->lease_ms, error);
    if (status == ND_OK)
        look->renewed_us = now_us;
    look->leased = status != ND_LOST;
    return look->leased ? ND_OK : status;
}

static enum nd_status train(struct nd_rspamd_look *look, struct nd_error *error)
{
    const struct nd_rule *rule = look->watch->rule;
    struct nd_rspamd_child_options options = {
        .seed = rule->seed,
        .time_ms = rule->train_time_ms,
        .idle_ms = rule->lease_ms / 2,
        .memory_bytes = (uint64_t)rule->train_memory_bytes,
        .nice = rule->train_nice,
        .share = rule->train_share,
        .tick = tick,
        .context = look};
    if (options.seed == 0)
        nd_random_system(&options.seed, sizeof(options.seed));
    enum nd_status status =
        nd_rspamd_train_apart(&look->vectors, &options, error, &look->training);
    if (status == ND_OK) {
        look->report->trained = true;
        look->report->held_out = look->training.figures;
        look->report->seconds = look->training.seconds;
    }
    return status;
}

/* Scores of the vectors that are new to the live network: those of the
 * candidate into candidate_r, the labels into labels_r; answers how many. */
static size_t pick_unseen(const struct nd_rspamd_look *look,
                          struct nd_vectors *unseen, double *candidate_r)
{
    size_t count = 0;
    for (size_t i = 0; i < look->vectors.count; i++) {
        if (look->sequences[i] <= look->seen ||
            nd_vectors_add(unseen, nd_vectors_row(&look->vectors, i),
                           look->vectors.width, look->vectors.labels[i],
                           NULL) != ND_OK)
            continue;
        candidate_r[count++] = look->training.held_scores[i];
    }
    return count;
}

static enum nd_status judge(struct nd_rspamd_look *look, struct nd_error *error)
{
    if (look->live == NULL)
        return ND_OK;
    struct nd_vectors unseen = {0};
    double *candidate = nd_calloc(look->vectors.count, sizeof(*candidate));
    double *live = nd_calloc(look->vectors.count, sizeof(*live));
    size_t count = pick_unseen(look, &unseen, candidate);
    enum nd_status status =
        nd_rspamd_score(look->live_kann, &unseen, error, live);
    if (status == ND_OK) {
        struct nd_rspamd_contest contest = {candidate, live, unseen.labels,
                                            count};
        nd_rspamd_compare(&contest, &look->report->judgement);
        look->report->compared = true;
    }
    nd_vectors_free(&unseen);
    free(candidate);
    free(live);
    return status;
}

/* ---- ending ---- */

static char *figures_of(const struct nd_rspamd_report *report)
{
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    nd_json_unsigned(&json, "spam", report->held_out.spam);
    nd_json_unsigned(&json, "ham", report->held_out.ham);
    nd_json_number(&json, "auc", report->held_out.auc);
    nd_json_number(&json, "recall", report->held_out.recall);
    nd_json_number(&json, "seconds", report->seconds);
    if (report->compared) {
        nd_json_number(&json, "loss_difference",
                       report->judgement.loss_difference);
        nd_json_number(&json, "candidate_recall",
                       report->judgement.candidate.recall);
        nd_json_number(&json, "live_recall", report->judgement.live.recall);
        nd_json_number(&json, "live_auc", report->judgement.live.auc);
    }
    nd_json_close(&json, '}');
    char *text = nd_strndup((const char *)json.buffer.data, json.buffer.length);
    nd_json_free(&json);
    return text;
}

static enum nd_status finish(struct nd_rspamd_look *look,
                             enum nd_decision decision, struct nd_error *error)
{
    struct nd_rspamd_watch *watch = look->watch;
    char *figures = figures_of(look->report);
    struct nd_journal_entry entry = {.token = look->lease.token,
                                     .decision = decision,
                                     .holder = watch->holder,
                                     .reason = look->report->text,
                                     .figures = figures};
    struct nd_finish finish = {.entry = &entry, .watermark = look->watermark};
    enum nd_status status = nd_store_training_finish(
        watch->store, &watch->scope, &look->lease, &finish, error);
    look->leased = look->leased && status != ND_OK;
    free(figures);
    return status;
}

/* The same network in our store: the journal, and what to go back to. */
static enum nd_status keep(struct nd_rspamd_look *look,
                           const struct nd_buffer *file, struct nd_error *error)
{
    struct nd_rspamd_watch *watch = look->watch;
    struct nd_model_pointer pointer = {0};
    uint64_t generation;
    uint8_t digest[ND_DIGEST_BYTES];
    struct nd_publish publish = {.watermark = look->watermark,
                                 .keep = watch->rule->keep_models};
    enum nd_status status =
        nd_store_model_upload(watch->store, &watch->scope, file->data,
                              file->length, error, publish.digest);
    if (status == ND_OK)
        status = nd_store_model_current(watch->store, &watch->scope, error,
                                        &pointer);
    if (status != ND_OK)
        return status;
    char *figures = figures_of(look->report);
    struct nd_journal_entry entry = {.token = look->lease.token,
                                     .decision = ND_DECISION_PROMOTED,
                                     .holder = watch->holder,
                                     .reason = look->report->text,
                                     .figures = figures};
    nd_digest(PROFILE_OF_MODEL, strlen(PROFILE_OF_MODEL), NULL, digest);
    memcpy(publish.profile, digest, sizeof(publish.profile));
    publish.judged_revision = pointer.revision;
    publish.entry = &entry;
    status = nd_store_model_publish(watch->store, &watch->scope, &look->lease,
                                    &publish, error, &generation);
    look->leased = look->leased && status != ND_OK;
    free(figures);
    return status;
}

/* ---- publishing ---- */

static int64_t stale_seconds(const struct nd_rule *rule)
{
    int64_t twice = 2 * rule->rspamd_watch_interval_ms / 1000;
    return twice > LEAST_STALE_S ? twice : LEAST_STALE_S;
}

static enum nd_status put_in_place(struct nd_rspamd_look *look,
                                   const struct nd_buffer *file,
                                   struct nd_error *error)
{
    char mark[32];
    struct nd_rspamd_profile next;
    struct nd_error why = {{0}};
    struct nd_rspamd_watch *watch = look->watch;
    nd_rspamd_profile_next(look->newest, look->arena, &next);
    (void)snprintf(mark, sizeof(mark), "%llu",
                   (unsigned long long)look->watermark);
    struct nd_rspamd_release release = {
        .old = look->newest,
        .next = &next,
        .file = file->data,
        .file_length = file->length,
        .thresholds = {look->training.thresholds[0],
                       look->training.thresholds[1]},
        .stale_s = stale_seconds(watch->rule),
        .mark = mark,
        .expire_s = watch->rule->ann_expire_ms / 1000};
    enum nd_status status =
        nd_rspamd_remote_publish(watch->remote, &release, &why);
    if (status == ND_UNCERTAIN) /* once more, which finds its own network */
        status = nd_rspamd_remote_publish(watch->remote, &release, &why);
    if (status == ND_BUSY || status == ND_SUPERSEDED)
        return nd_rspamd_end(look, ND_RSPAMD_BUSY, "%.200s", why.text);
    if (status != ND_OK)
        return nd_fail(error, status, "%s", why.text);
    look->report->version = next.version;
    return ND_OK;
}

/* Copies the vectors that came meanwhile; of the others it was told before. */
static enum nd_status copy_rest(struct nd_rspamd_look *look,
                                struct nd_error *error)
{
    struct nd_rspamd_collected told = look->report->collected;
    enum nd_status status = nd_rspamd_copy(look, look->newest, error);
    told.stored = look->report->collected.stored;
    look->report->collected = told;
    return status;
}

/* After the network is in its place the vectors are copied that came while it
 * was trained, though they stay there for ten minutes more. */
static enum nd_status publish(struct nd_rspamd_look *look,
                              struct nd_error *error)
{
    struct nd_buffer file = {0};
    nd_kann_write(look->training.kann, &file);
    enum nd_status status = put_in_place(look, &file, error);
    if (status == ND_OK) {
        look->report->outcome = ND_RSPAMD_PUBLISHED;
        (void)snprintf(look->report->text, sizeof(look->report->text),
                       "version %llu took the place of %llu",
                       (unsigned long long)look->report->version,
                       (unsigned long long)look->newest->version);
        status = keep(look, &file, error);
    }
    if (status == ND_OK)
        status = copy_rest(look, error);
    nd_buffer_free(&file);
    return status;
}

/* Why a candidate was refused, or ND_OK where it was not. */
static enum nd_status decide(struct nd_rspamd_look *look,
                             struct nd_error *error)
{
    const struct nd_rspamd_judgement *judgement = &look->report->judgement;
    if (!look->report->compared || judgement->better)
        return publish(look, error);
    look->report->outcome = ND_RSPAMD_REJECTED;
    (void)snprintf(look->report->text, sizeof(look->report->text),
                   "not better than version %llu: log-loss %+.4f (standard "
                   "error %.4f), recall %.3f (of the live one %.3f, %.3f at "
                   "least)",
                   (unsigned long long)look->live->version,
                   judgement->loss_difference, judgement->difference_error,
                   judgement->candidate.recall, judgement->live.recall,
                   judgement->live_recall_low);
    return finish(look, ND_DECISION_REJECTED, error);
}

/* No network, whyever: the journal says so, and the next attempt waits. */
static enum nd_status give_up(struct nd_rspamd_look *look, const char *why,
                              struct nd_error *error)
{
    enum nd_status ended = nd_rspamd_end(look, ND_RSPAMD_FAILED, "%s", why);
    enum nd_status status = finish(look, ND_DECISION_FAILED, error);
    return status == ND_OK ? ended : status;
}

enum nd_status nd_rspamd_train_and_decide(struct nd_rspamd_look *look,
                                          struct nd_error *error)
{
    struct nd_error why = {{0}};
    enum nd_status status = train(look, &why);
    if (status == ND_CANCELLED)
        return nd_rspamd_end(look, ND_RSPAMD_WAITING, "%s", why.text);
    if (status == ND_LOST)
        return nd_rspamd_end(look, ND_RSPAMD_BUSY, "%s", why.text);
    if (status != ND_OK)
        return give_up(look, why.text, error);
    status = judge(look, error);
    if (status == ND_OK)
        status = decide(look, error);
    return status;
}
