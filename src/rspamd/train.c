/* SPDX-License-Identifier: Apache-2.0
 *
 * Training for rspamd: four networks of src/nn, each on three quarters of the
 * vectors, become one (compose.h). So every vector is held out of one of them,
 * which gives honest figures and a calibration, and yet all of them teach the
 * network that is used; the mean of four also errs less than each. A network
 * that fell into one class is thrown away and tried again from another seed.
 *
 * Which quarter a vector belongs to is decided by its bytes, so that equal
 * vectors are held out together and their order does not matter.
 */
#include "rspamd/train.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "nn/metrics.h"
#include "nn/model.h"
#include "nn/train.h"
#include "rspamd/compose.h"
#include "rspamd/encoding.h"

#define PARTS 4
#define UNITS 64
#define EPOCHS 5
#define TRIES 4          /* of one network, each from another seed */
#define JUDGED_RATE 0.01 /* of ham, for the recall */
#define TARGET_RATE 1e-3 /* of ham taken for spam, and of spam for ham */
/* Scores are kept below tanh of this, so that rspamd's single precision still
 * tells the surest messages apart. */
#define MOST_ARGUMENT 4

struct training {
    const struct nd_vectors *vectors;
    struct nd_encoding encoding;
    struct nd_network *networks[PARTS];
    uint8_t *parts;   /* of each vector */
    double *log_odds; /* of each vector, by the network that has not seen it,
                         calibrated */
    struct nd_line lines[PARTS];
    const struct nd_rspamd_train_options *options;
};

/* ---- parts ---- */

static bool each_part_has_both(const struct training *training)
{
    size_t counts[PARTS][2] = {{0}};
    for (size_t i = 0; i < training->vectors->count; i++)
        counts[training->parts[i]][training->vectors->labels[i]]++;
    for (size_t part = 0; part < PARTS; part++)
        if (counts[part][0] < 2 || counts[part][1] < 2)
            return false;
    return true;
}

static void divide(struct training *training)
{
    const struct nd_vectors *vectors = training->vectors;
    for (size_t i = 0; i < vectors->count; i++) {
        uint8_t digest[ND_DIGEST_BYTES];
        nd_digest(nd_vectors_row(vectors, i),
                  vectors->width * sizeof(*vectors->values), NULL, digest);
        training->parts[i] = digest[0] % PARTS;
    }
    size_t seen[2] = {0};
    if (!each_part_has_both(training)) /* few vectors: deal them out */
        for (size_t i = 0; i < vectors->count; i++)
            training->parts[i] = (uint8_t)(seen[vectors->labels[i]]++ % PARTS);
}

/* ---- one network ---- */

static enum nd_status fill_set(struct training *training,
                               struct nd_dataset *sets[PARTS],
                               struct nd_error *error)
{
    const struct nd_vectors *vectors = training->vectors;
    uint32_t width = training->encoding.inputs + training->encoding.step_count;
    uint32_t *columns = nd_calloc(width, sizeof(*columns));
    float *values = nd_calloc(width, sizeof(*values));
    enum nd_status status = ND_OK;
    for (size_t i = 0; status == ND_OK && i < vectors->count; i++) {
        struct nd_sparse sparse = nd_encoding_apply(
            &training->encoding, nd_vectors_row(vectors, i), columns, values);
        for (uint8_t part = 0; status == ND_OK && part < PARTS; part++)
            if (part != training->parts[i])
                status = nd_dataset_add(sets[part], &sparse, vectors->labels[i],
                                        1, error);
    }
    free(columns);
    free(values);
    return status;
}

/* A network of the four at work, for its progress. */
struct stage {
    const struct nd_rspamd_train_options *options;
    uint8_t part;
};

static bool tell(const struct nd_train_progress *progress, void *context)
{
    const struct stage *stage = context;
    return stage->options->progress == NULL ||
           stage->options->progress((stage->part + progress->done) / PARTS,
                                    progress->loss, stage->options->context);
}

static enum nd_status train_network(struct training *training, uint8_t part,
                                    const struct nd_dataset *set, uint64_t seed,
                                    struct nd_error *error)
{
    struct stage stage = {training->options, part};
    struct nd_network *network = NULL;
    struct nd_train_report report;
    struct nd_train_options options;
    struct nd_shape shape = {.inputs = training->encoding.inputs +
                                       training->encoding.step_count,
                             .layers = 1,
                             .units = {UNITS}};
    nd_train_defaults(&options);
    options.epochs = EPOCHS;
    options.weight_decay = 0; /* vectors to come are like these */
    options.patience = 0;
    options.seed = seed;
    options.callback = tell;
    options.context = &stage;
    enum nd_status status = nd_network_create(&shape, seed, error, &network);
    if (status == ND_OK)
        status = nd_train(network, set, NULL, &options, error, &report);
    if (status == ND_OK)
        training->networks[part] = network;
    else
        nd_network_destroy(&network);
    return status;
}

/* The vectors of one part as the network scores them that has not seen them. */
struct held_part {
    size_t count;
    size_t *rows; /* which vectors they are */
    double *scores;
    uint8_t *labels;
};

static struct held_part held_part_of(const struct training *training,
                                     uint8_t part)
{
    const struct nd_vectors *vectors = training->vectors;
    uint32_t width = training->encoding.inputs + training->encoding.step_count;
    uint32_t *columns = nd_calloc(width, sizeof(*columns));
    float *values = nd_calloc(width, sizeof(*values));
    struct held_part held = {
        .rows = nd_calloc(vectors->count, sizeof(*held.rows)),
        .scores = nd_calloc(vectors->count, sizeof(*held.scores)),
        .labels = nd_calloc(vectors->count, 1)};
    for (size_t i = 0; i < vectors->count; i++) {
        if (training->parts[i] != part)
            continue;
        struct nd_sparse sparse = nd_encoding_apply(
            &training->encoding, nd_vectors_row(vectors, i), columns, values);
        held.rows[held.count] = i;
        held.labels[held.count] = vectors->labels[i];
        held.scores[held.count++] =
            (double)nd_network_score(training->networks[part], &sparse);
    }
    free(columns);
    free(values);
    return held;
}

static void held_part_free(struct held_part *held)
{
    free(held->rows);
    free(held->scores);
    free(held->labels);
}

/* Calibrates a network on the part that it has not seen, since four networks
 * can be averaged only where their log-odds mean the same; false where it does
 * not tell the classes apart. */
static bool calibrate_part(struct training *training, uint8_t part)
{
    struct nd_calibration calibration;
    struct held_part held = held_part_of(training, part);
    bool good = nd_auc(held.scores, held.labels, held.count) > 0.5 &&
                nd_calibrate(held.scores, held.labels, held.count, NULL,
                             &calibration) == ND_OK;
    for (size_t i = 0; good && i < held.count; i++) {
        double z = calibration.slope * held.scores[i] + calibration.offset;
        training->log_odds[held.rows[i]] = z;
        good = isfinite(z);
    }
    if (good)
        training->lines[part] =
            (struct nd_line){calibration.slope, calibration.offset};
    held_part_free(&held);
    return good;
}

static enum nd_status train_part(struct training *training, uint8_t part,
                                 const struct nd_dataset *set,
                                 struct nd_error *error)
{
    for (uint64_t attempt = 0; attempt < TRIES; attempt++) {
        uint64_t seed = training->options->seed + part + attempt * PARTS;
        enum nd_status status = train_network(training, part, set, seed, error);
        if (status == ND_OK && calibrate_part(training, part))
            return ND_OK;
        nd_network_destroy(&training->networks[part]);
        if (status != ND_OK && status != ND_DATA)
            return status;
    }
    return nd_fail(error, ND_NOTHING,
                   "no network could be trained on these vectors that tells "
                   "spam from ham; are their labels right?");
}

/* The four parts at work, each in a thread of its own: they share only what
 * none of them changes. */
struct worker {
    pthread_t thread;
    bool started;
    struct training *training;
    uint8_t part;
    struct nd_dataset *set;
    enum nd_status status;
    struct nd_error error;
};

static void *work(void *context)
{
    struct worker *worker = context;
    worker->status =
        train_part(worker->training, worker->part, worker->set, &worker->error);
    return NULL;
}

/* A part that gets no thread is trained in this one. */
static void work_all(struct worker workers[PARTS])
{
    (void)
        nd_kernel_name(); /* chosen at the first call, so before the threads */
    bool alone = workers[0].training->options->progress != NULL;
    for (size_t part = 1; part < PARTS && !alone; part++)
        workers[part].started = pthread_create(&workers[part].thread, NULL,
                                               work, &workers[part]) == 0;
    for (size_t part = 0; part < PARTS; part++)
        if (!workers[part].started)
            (void)work(&workers[part]);
    for (size_t part = 0; part < PARTS; part++)
        if (workers[part].started)
            (void)pthread_join(workers[part].thread, NULL);
}

static enum nd_status train_all(struct training *training,
                                struct nd_error *error)
{
    struct worker workers[PARTS] = {0};
    struct nd_dataset *sets[PARTS];
    for (uint8_t part = 0; part < PARTS; part++) {
        sets[part] = nd_dataset_create();
        workers[part] = (struct worker){
            .training = training, .part = part, .set = sets[part]};
    }
    enum nd_status status = fill_set(training, sets, error);
    if (status == ND_OK)
        work_all(workers);
    for (size_t part = 0; status == ND_OK && part < PARTS; part++)
        if (workers[part].status != ND_OK)
            status = nd_fail(error, workers[part].status, "%s",
                             workers[part].error.text);
    for (size_t part = 0; part < PARTS; part++)
        nd_dataset_destroy(&sets[part]);
    return status;
}

/* ---- the whole ---- */

/* What log-odds are multiplied by before their tanh is taken. tanh(z / 2) is
 * 2 p - 1, p being the probability of spam; less than a half where the score
 * would saturate. */
static double squeeze(const struct training *training)
{
    double most = 0;
    for (size_t i = 0; i < training->vectors->count; i++)
        most = fmax(most, fabs(training->log_odds[i]));
    return fmin(0.5, MOST_ARGUMENT / most);
}

static double log_odds_of(double probability)
{
    return log(probability / (1 - probability));
}

static enum nd_status compose(struct training *training, double half,
                              struct nd_error *error, struct nd_kann **kann_r)
{
    struct nd_composition composition = {
        &training->encoding, training->networks, training->lines, PARTS};
    for (size_t part = 0; part < PARTS; part++) {
        training->lines[part].slope *= half;
        training->lines[part].offset *= half;
    }
    return nd_compose(&composition, error, kann_r);
}

static enum nd_status finish(struct training *training, struct nd_error *error,
                             struct nd_rspamd_training *result)
{
    const struct nd_vectors *vectors = training->vectors;
    struct nd_calibration calibration = {.slope = 1}; /* already calibrated */
    double half = squeeze(training);
    enum nd_status status = compose(training, half, error, &result->kann);
    if (status != ND_OK)
        return status;
    nd_set_thresholds(training->log_odds, vectors->labels, vectors->count,
                      (struct nd_targets){TARGET_RATE, TARGET_RATE},
                      &calibration);
    result->thresholds[0] =
        tanh(half * log_odds_of(calibration.spam_threshold));
    result->thresholds[1] =
        -tanh(half * log_odds_of(calibration.ham_threshold));
    for (size_t i = 0; i < vectors->count; i++)
        result->held_scores[i] = tanh(half * training->log_odds[i]);
    nd_rspamd_judge(result->held_scores, vectors->labels, vectors->count,
                    &result->figures);
    return ND_OK;
}

static void training_free(struct training *training)
{
    for (size_t part = 0; part < PARTS; part++)
        nd_network_destroy(&training->networks[part]);
    nd_encoding_free(&training->encoding);
    free(training->parts);
    free(training->log_odds);
}

enum nd_status nd_rspamd_check_enough(const struct nd_vectors *vectors,
                                      struct nd_error *error)
{
    size_t spam = nd_vectors_of(vectors, 1), ham = vectors->count - spam;
    if (spam < ND_RSPAMD_MIN_TRAIN || ham < ND_RSPAMD_MIN_TRAIN)
        return nd_fail(error, ND_NOTHING,
                       "%zu vectors of spam and %zu of ham are too few to "
                       "train on; %d of each are the least",
                       spam, ham, ND_RSPAMD_MIN_TRAIN);
    return ND_OK;
}

enum nd_status nd_rspamd_train(const struct nd_vectors *vectors,
                               const struct nd_rspamd_train_options *options,
                               struct nd_error *error,
                               struct nd_rspamd_training *training_r)
{
    int64_t began = nd_clock_monotonic_us();
    struct training training = {.vectors = vectors, .options = options};
    struct nd_rspamd_training result = {0};
    enum nd_status status = nd_rspamd_check_enough(vectors, error);
    if (status != ND_OK)
        return status;
    training.parts = nd_calloc(vectors->count, 1);
    training.log_odds = nd_calloc(vectors->count, sizeof(double));
    result.held_scores = nd_calloc(vectors->count, sizeof(double));
    nd_encoding_plan(vectors, &training.encoding);
    divide(&training);
    status = train_all(&training, error);
    if (status == ND_OK)
        status = finish(&training, error, &result);
    training_free(&training);
    result.seconds = (double)(nd_clock_monotonic_us() - began) / 1e6;
    if (status == ND_OK)
        *training_r = result;
    else
        nd_rspamd_training_free(&result);
    return status;
}

void nd_rspamd_training_free(struct nd_rspamd_training *training)
{
    nd_kann_destroy(&training->kann);
    free(training->held_scores);
    *training = (struct nd_rspamd_training){0};
}

/* ---- judging ---- */

void nd_rspamd_judge(const double *scores, const uint8_t *labels, size_t count,
                     struct nd_rspamd_figures *figures_r)
{
    struct nd_rspamd_figures figures = {0};
    double *probabilities = nd_calloc(count, sizeof(*probabilities));
    for (size_t i = 0; i < count; i++) {
        probabilities[i] = (scores[i] + 1) / 2;
        figures.spam += labels[i] != 0;
        figures.ham += labels[i] == 0;
    }
    figures.auc = nd_auc(scores, labels, count);
    figures.recall = nd_recall_at_fpr(scores, labels, count, JUDGED_RATE, NULL);
    figures.log_loss =
        nd_log_loss(probabilities, labels, count, &figures.loss_error);
    free(probabilities);
    *figures_r = figures;
}

enum nd_status nd_rspamd_score(const struct nd_kann *kann,
                               const struct nd_vectors *vectors,
                               struct nd_error *error, double *scores_r)
{
    if (vectors->count > 0 && nd_kann_inputs(kann) != vectors->width)
        return nd_fail(error, ND_DATA,
                       "the network takes %u numbers, and the vectors have %u",
                       nd_kann_inputs(kann), vectors->width);
    float *workspace =
        nd_calloc(nd_kann_workspace(kann) + 1, sizeof(*workspace));
    uint32_t last = nd_kann_outputs(kann) - 1;
    for (size_t i = 0; i < vectors->count; i++)
        scores_r[i] = (double)nd_kann_evaluate(kann, nd_vectors_row(vectors, i),
                                               workspace)[last];
    free(workspace);
    return ND_OK;
}
