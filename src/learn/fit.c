/* SPDX-License-Identifier: Apache-2.0
 *
 * Fitting a model to samples in memory, as a cross-validated committee
 * (Parmanto, Munro and Doyle 1996). The samples are dealt into folds, each
 * class for itself; for every fold a network, a member, learns the others, but
 * for a few next to it in turn, and judges what it left out. So every sample
 * gets log-odds from networks that have not seen it, which give calibration and
 * thresholds, and the members, joined into one network that answers their mean,
 * are the model: nothing is trained twice. Few members err more than the mean
 * of all, so calibration and thresholds err on the side of caution.
 *
 * How a network learns is in fit_plan.c. This knows nothing of stores and
 * leases, and makes no decision: whether the model is better than another is
 * the caller's to say.
 */
#include "learn/fit.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/random.h"
#include "learn/fit_plan.h"
#include "nn/dataset.h"
#include "nn/metrics.h"

#define ND_FIT_THREADS 15 /* beside the caller's, at most */

struct fit {
    const struct nd_fit_options *options;
    size_t count;
    struct nd_fit_plan plan;
    struct nd_dataset *set;      /* all samples, in order */
    struct nd_network **members; /* [plan.members] */
    uint8_t *fold_of;            /* [count] */
    uint8_t *labels;             /* [count] */
    double *judged;              /* [left_out][count]: log-odds of those that
                                    left a sample out */
    double *log_odds;            /* [count]: their mean, weighed */
    pthread_mutex_t lock;        /* of all below */
    uint32_t next;               /* member to be trained next */
    double done;                 /* members, and shares of those under way */
    uint32_t epochs;             /* that a member ran */
    enum nd_status status;       /* of the member that failed first */
    struct nd_error error;
};

/* A member under training. */
struct training {
    struct fit *fit;
    uint32_t member;
    double done;
};

static size_t count_spam(const struct fit *fit)
{
    size_t spam = 0;
    for (size_t i = 0; i < fit->count; i++)
        spam += fit->labels[i];
    return spam;
}

/* ---- folds ---- */

/* Deals the samples of one class round, in random order. */
static void deal_class(struct fit *fit, int label, struct nd_random *random)
{
    uint32_t *members = nd_calloc(fit->count, sizeof(*members));
    size_t count = 0;
    for (size_t i = 0; i < fit->count; i++)
        if (fit->labels[i] == label)
            members[count++] = (uint32_t)i;
    nd_random_shuffle(random, members, count);
    for (size_t i = 0; i < count; i++)
        fit->fold_of[members[i]] = (uint8_t)(i % fit->plan.members);
    free(members);
}

static void deal(struct fit *fit)
{
    struct nd_random random;
    nd_random_seed(&random, fit->options->seed);
    deal_class(fit, 0, &random);
    deal_class(fit, 1, &random);
}

/* How many folds before a member's own the sample's fold is, round. The first
 * left_out of these are left out by the member. */
static uint32_t folds_behind(const struct fit *fit, uint32_t member,
                             size_t sample)
{
    uint32_t folds = fit->plan.members;
    return (fit->fold_of[sample] + folds - member) % folds;
}

/* The samples that a member learns. */
static struct nd_dataset *leave_out(const struct fit *fit, uint32_t member)
{
    uint32_t *rows = nd_calloc(fit->count, sizeof(*rows));
    size_t count = 0;
    for (size_t i = 0; i < fit->count; i++)
        if (folds_behind(fit, member, i) >= fit->plan.left_out)
            rows[count++] = (uint32_t)i;
    struct nd_dataset *set = nd_dataset_select(fit->set, rows, count);
    free(rows);
    return set;
}

/* A failure of one member ends the others here. */
static bool tell(const struct nd_train_progress *progress, void *context)
{
    struct training *training = context;
    struct fit *fit = training->fit;
    const struct nd_fit_options *options = fit->options;
    (void)pthread_mutex_lock(&fit->lock);
    fit->done += progress->done - training->done;
    training->done = progress->done;
    bool go_on = fit->status == ND_OK;
    double done = fmin(fit->done / fit->plan.members, 1); /* rounding */
    if (go_on && options->progress != NULL)
        go_on = options->progress(done, progress->loss, "training",
                                  options->context);
    (void)pthread_mutex_unlock(&fit->lock);
    return go_on;
}

/* The member's network, trained on set. */
static enum nd_status train(struct training *training,
                            const struct nd_dataset *set,
                            struct nd_error *error,
                            struct nd_network **network_r)
{
    struct fit *fit = training->fit;
    struct nd_train_options options = fit->plan.training;
    struct nd_shape shape = nd_fit_plan_shape(&fit->plan, training->member);
    struct nd_train_report report;
    struct nd_network *network = NULL;
    /* Far from the next candidate's seed, which is this one's plus one. */
    options.seed = fit->options->seed + training->member * (uint64_t)1000003;
    options.callback = tell;
    options.context = training;
    enum nd_status status =
        nd_network_create(&shape, options.seed, error, &network);
    if (status == ND_OK)
        status = nd_train(network, set, NULL, &options, error, &report);
    if (status != ND_OK) {
        nd_network_destroy(&network);
        return status;
    }
    (void)pthread_mutex_lock(&fit->lock);
    fit->epochs = report.epochs;
    (void)pthread_mutex_unlock(&fit->lock);
    *network_r = network;
    return ND_OK;
}

/* Trains a member and lets it judge what it left out. */
static enum nd_status fit_member(struct fit *fit, uint32_t member,
                                 struct nd_error *error)
{
    struct training training = {.fit = fit, .member = member};
    struct nd_dataset *set = leave_out(fit, member);
    enum nd_status status = train(&training, set, error, &fit->members[member]);
    nd_dataset_destroy(&set);
    if (status != ND_OK)
        return status;
    for (size_t i = 0; i < fit->count; i++) {
        uint32_t behind = folds_behind(fit, member, i);
        if (behind >= fit->plan.left_out)
            continue;
        struct nd_sparse row = nd_dataset_row(fit->set, i);
        fit->judged[behind * fit->count + i] =
            (double)nd_network_score(fit->members[member], &row);
    }
    return ND_OK;
}

/* The next member's number; false where none is left, or one has failed. */
static bool take_member(struct fit *fit, uint32_t *member_r)
{
    (void)pthread_mutex_lock(&fit->lock);
    bool taken = fit->status == ND_OK && fit->next < fit->plan.members;
    if (taken)
        *member_r = fit->next++;
    (void)pthread_mutex_unlock(&fit->lock);
    return taken;
}

static void note_failure(struct fit *fit, enum nd_status status,
                         const struct nd_error *error)
{
    (void)pthread_mutex_lock(&fit->lock);
    if (fit->status == ND_OK) {
        fit->status = status;
        fit->error = *error;
    }
    (void)pthread_mutex_unlock(&fit->lock);
}

/* Trains members for as long as there are some. */
static void *work(void *context)
{
    struct fit *fit = context;
    uint32_t member;
    while (take_member(fit, &member)) {
        struct nd_error error = {""};
        enum nd_status status = fit_member(fit, member, &error);
        if (status != ND_OK)
            note_failure(fit, status, &error);
    }
    return NULL;
}

/* Members know nothing of each other, so each thread takes the next. Where
 * fewer threads can be had, these do the work. */
static enum nd_status fit_members(struct fit *fit, struct nd_error *error)
{
    pthread_t threads[ND_FIT_THREADS];
    uint32_t count = 0;
    uint32_t wanted = fit->options->threads < fit->plan.members
                          ? fit->options->threads
                          : fit->plan.members;
    fit->members = nd_calloc(fit->plan.members, sizeof(*fit->members));
    fit->judged =
        nd_calloc(fit->plan.left_out * fit->count, sizeof(*fit->judged));
    deal(fit);
    while (count + 1 < wanted && count < ND_FIT_THREADS &&
           pthread_create(&threads[count], NULL, work, fit) == 0)
        count++;
    (void)work(fit);
    while (count > 0)
        (void)pthread_join(threads[--count], NULL);
    if (fit->status != ND_OK)
        return nd_fail(error, fit->status, "%s", fit->error.text);
    return ND_OK;
}

/* ---- the model ---- */

/* The figures are those of the samples judged out of fold. */
static void set_figures(const struct fit *fit, struct nd_model *model)
{
    struct nd_model_figures *figures = &model->figures;
    double *probabilities = nd_calloc(fit->count, sizeof(*probabilities));
    for (size_t i = 0; i < fit->count; i++)
        probabilities[i] =
            nd_probability(&model->calibration, fit->log_odds[i]);
    figures->trained_ms = nd_clock_wall_ms();
    figures->seed = fit->options->seed;
    figures->spam = figures->held_spam = count_spam(fit);
    figures->ham = figures->held_ham = fit->count - figures->spam;
    figures->held_auc = nd_auc(fit->log_odds, fit->labels, fit->count);
    figures->held_log_loss =
        nd_log_loss(probabilities, fit->labels, fit->count, NULL);
    figures->held_recall = nd_recall_at_fpr(
        fit->log_odds, fit->labels, fit->count, fit->options->target_fpr, NULL);
    figures->target_fpr = fit->options->target_fpr;
    figures->epochs = fit->epochs;
    figures->families = fit->plan.scaling.families;
    free(probabilities);
}

/* As scoring will answer: what speaks for spam by how familiar it is. */
static void average_judgements(struct fit *fit)
{
    for (size_t i = 0; i < fit->count; i++) {
        double sum = 0;
        for (uint32_t k = 0; k < fit->plan.left_out; k++)
            sum += fit->judged[k * fit->count + i];
        fit->log_odds[i] = sum / fit->plan.left_out;
        if (sum > 0)
            fit->log_odds[i] *=
                (double)nd_familiar(&fit->plan.scaling, fit->plan.known[i]);
    }
}

static enum nd_status build(struct fit *fit, struct nd_error *error,
                            struct nd_model **model_r)
{
    struct nd_calibration calibration;
    struct nd_network *network;
    average_judgements(fit);
    enum nd_status status = nd_calibrate(fit->log_odds, fit->labels, fit->count,
                                         error, &calibration);
    if (status != ND_OK)
        return status;
    nd_set_thresholds(
        fit->log_odds, fit->labels, fit->count,
        (struct nd_targets){fit->options->target_fpr, fit->options->target_fnr},
        &calibration);
    status = nd_network_join((const struct nd_network *const *)fit->members,
                             fit->plan.members, fit->plan.columns,
                             fit->plan.inputs, error, &network);
    if (status != ND_OK)
        return status;
    struct nd_model *model = nd_calloc(1, sizeof(*model));
    model->network = network;
    model->calibration = calibration;
    set_figures(fit, model);
    nd_scaling_write(&fit->plan.scaling, &model->extra);
    *model_r = model;
    return ND_OK;
}

static enum nd_status check_classes(const struct fit *fit,
                                    struct nd_error *error)
{
    size_t spam = count_spam(fit);
    size_t ham = fit->count - spam;
    size_t fewest = spam < ham ? spam : ham;
    if (fewest < 2)
        return nd_fail(error, ND_NOTHING,
                       "%zu spam and %zu ham to learn from: at least 2 of "
                       "each are needed",
                       spam, ham);
    return ND_OK;
}

static void free_fit(struct fit *fit)
{
    for (uint32_t i = 0; fit->members != NULL && i < fit->plan.members; i++)
        nd_network_destroy(&fit->members[i]);
    free(fit->members);
    nd_fit_plan_free(&fit->plan);
    nd_dataset_destroy(&fit->set);
    free(fit->fold_of);
    free(fit->labels);
    free(fit->judged);
    free(fit->log_odds);
}

enum nd_status nd_fit(const struct nd_fit_sample *samples, size_t count,
                      const struct nd_fit_options *options,
                      struct nd_error *error, struct nd_model **model_r)
{
    struct fit fit = {
        .options = options, .count = count, .lock = PTHREAD_MUTEX_INITIALIZER};
    fit.fold_of = nd_calloc(count, sizeof(*fit.fold_of));
    fit.labels = nd_calloc(count, sizeof(*fit.labels));
    fit.log_odds = nd_calloc(count, sizeof(*fit.log_odds));
    for (size_t i = 0; i < count; i++)
        fit.labels[i] = samples[i].label != 0;
    enum nd_status status = check_classes(&fit, error);
    if (status == ND_OK) {
        nd_fit_plan_make(samples, count, options, &fit.plan);
        status = nd_fit_plan_inputs(&fit.plan, samples, count, error, &fit.set);
    }
    if (status == ND_OK)
        status = fit_members(&fit, error);
    if (status == ND_OK)
        status = build(&fit, error, model_r);
    free_fit(&fit);
    return status;
}
