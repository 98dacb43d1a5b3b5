/* SPDX-License-Identifier: Apache-2.0
 *
 * The training loop: shuffles, cuts into mini-batches, watches the loss, tells
 * the caller how far it is, and keeps the best epoch where there is a held set.
 * The arithmetic of a step is in trainer.c.
 */
#include "nn/train.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "nn/trainer.h"

#define PROGRESS_US 200000
#define LARGEST_BATCH 65536

/* One run of nd_train. */
struct run {
    const struct nd_train_options *options;
    const struct nd_dataset *held;
    struct nd_trainer *trainer;
    struct nd_batch *batch;
    struct nd_batch_source source;
    uint32_t *order;
    size_t count;
    int64_t told_us;
    double loss, weight; /* sums over the epoch so far */
    double held_now;     /* held loss after the last epoch */
    struct nd_train_report report;
};

void nd_train_defaults(struct nd_train_options *options)
{
    *options = (struct nd_train_options){
        .epochs = 5,
        .weight_decay = 0.0005F,
        .seed = 1,
    };
}

/* What options leave open, by rules found on held-out mail. A narrow layer is
 * for many sparse columns, where a step a sample learns most from an epoch and
 * costs no more; a wide one is for few columns, where each step touches a large
 * part of the weights and pays only for many samples. The more units, the more
 * of them move the output at once, so the less each may move. */
static struct nd_train_options complete(const struct nd_train_options *options,
                                        const struct nd_network *network)
{
    struct nd_train_options full = *options;
    uint32_t units = network->first_units;
    if (full.batch == 0)
        full.batch = units < 20 ? 1 : units > 1280 ? 128 : units / 10;
    if (full.learning_rate == 0)
        full.learning_rate = units <= 100 ? 0.2F : 20.0F / (float)units;
    return full;
}

static bool is_share(float value, float below)
{
    return value >= 0 && value < below; /* false for NaN */
}

static enum nd_status check_options(const struct nd_train_options *options,
                                    struct nd_error *error)
{
    if (options->batch == 0 || options->batch > LARGEST_BATCH)
        return nd_fail(error, ND_USAGE, "a batch of %u samples (1 to %d)",
                       options->batch, LARGEST_BATCH);
    if (!(options->learning_rate > 0 && options->learning_rate <= 100))
        return nd_fail(error, ND_USAGE, "a learning rate of %g (up to 100)",
                       (double)options->learning_rate);
    if (!is_share(options->weight_decay * options->learning_rate, 1))
        return nd_fail(error, ND_USAGE, "a weight decay of %g is too much",
                       (double)options->weight_decay);
    if (options->groups.count > ND_MAX_GROUPS ||
        !is_share(options->groups.dropout, 0.95F))
        return nd_fail(error, ND_USAGE,
                       "%u groups of columns (up to %d) with a dropout of %g "
                       "(0 to 0.95)",
                       options->groups.count, ND_MAX_GROUPS,
                       (double)options->groups.dropout);
    if (!is_share(options->dropout, 0.95F) ||
        !is_share(options->input_dropout, 0.95F) ||
        !is_share(options->label_smoothing, 1))
        return nd_fail(error, ND_USAGE,
                       "dropout must be from 0 to 0.95, label smoothing from "
                       "0 to 1");
    return ND_OK;
}

static enum nd_status weigh_classes(struct run *run, struct nd_error *error)
{
    double totals[2] = {0, 0};
    for (size_t i = 0; i < run->count; i++)
        totals[nd_dataset_label(run->source.set, i)] +=
            (double)nd_dataset_weight(run->source.set, i);
    if (totals[0] <= 0 || totals[1] <= 0)
        return nd_fail(error, ND_NOTHING,
                       "there is no %s to learn from; samples of both classes "
                       "are needed",
                       totals[0] <= 0 ? "ham" : "spam");
    for (int label = 0; label < 2; label++)
        run->source.class_weight[label] =
            run->options->balance_classes
                ? (float)((totals[0] + totals[1]) / (2 * totals[label]))
                : 1;
    return ND_OK;
}

static bool tell(struct run *run, uint32_t epoch, size_t done)
{
    const struct nd_train_options *options = run->options;
    if (options->callback == NULL)
        return true;
    double share = (double)done / (double)run->count;
    struct nd_train_progress progress = {
        .epoch = epoch,
        .epochs = options->epochs,
        .done = (epoch + share) / options->epochs,
        .loss = run->weight > 0 ? run->loss / run->weight : 0,
        .held_loss = run->held_now};
    return options->callback(&progress, options->context);
}

static bool is_time_to_tell(struct run *run)
{
    if (run->options->callback == NULL)
        return false;
    int64_t now = nd_clock_monotonic_us();
    if (now - run->told_us < PROGRESS_US)
        return false;
    run->told_us = now;
    return true;
}

static enum nd_status run_epoch(struct run *run, uint32_t epoch,
                                struct nd_error *error)
{
    run->loss = run->weight = 0;
    nd_random_shuffle(&run->trainer->random, run->order, run->count);
    for (size_t start = 0; start < run->count;) {
        size_t left = run->count - start;
        uint32_t size =
            left < run->options->batch ? (uint32_t)left : run->options->batch;
        double weight;
        nd_batch_fill(run->batch, &run->source, run->order + start, size,
                      &run->trainer->random);
        run->loss += nd_trainer_forward(run->trainer, run->batch, &weight);
        run->weight += weight;
        if (!isfinite(run->loss))
            return nd_fail(error, ND_DATA,
                           "the loss stopped being a finite number in epoch "
                           "%u; lower the learning rate",
                           epoch + 1);
        nd_trainer_backward(run->trainer, run->batch);
        start += size;
        if (is_time_to_tell(run) && !tell(run, epoch, start))
            return nd_fail(error, ND_CANCELLED, "training was cancelled");
    }
    return ND_OK;
}

/* Mean loss of the held set, classes weighted as in training. */
static double held_loss(struct run *run)
{
    struct nd_batch_source source = {.set = run->held};
    size_t count = nd_dataset_count(run->held);
    uint32_t *samples = nd_calloc(run->options->batch, sizeof(*samples));
    double loss = 0, weights = 0;
    source.class_weight[0] = run->source.class_weight[0];
    source.class_weight[1] = run->source.class_weight[1];
    run->trainer->dropout = 0;
    for (size_t start = 0; start < count;) {
        uint32_t size = 0;
        double weight;
        while (size < run->options->batch && start < count)
            samples[size++] = (uint32_t)start++;
        nd_batch_fill(run->batch, &source, samples, size,
                      &run->trainer->random);
        loss += nd_trainer_forward(run->trainer, run->batch, &weight);
        weights += weight;
    }
    run->trainer->dropout = run->options->dropout;
    free(samples);
    return loss / weights;
}

/* Whether to go on after epoch; the network gets the weights of the best. */
static bool judge_epoch(struct run *run, uint32_t epoch)
{
    struct nd_train_report *report = &run->report;
    if (run->held == NULL || nd_dataset_count(run->held) == 0)
        return true;
    run->held_now = held_loss(run);
    if (!(run->held_now >= report->held_loss)) {
        report->held_loss = run->held_now;
        report->best_epoch = epoch;
        if (run->options->patience > 0)
            nd_trainer_keep(run->trainer);
    }
    return run->options->patience == 0 ||
           epoch - report->best_epoch < run->options->patience;
}

static enum nd_status run_epochs(struct run *run, struct nd_error *error)
{
    enum nd_status status = ND_OK;
    bool go_on = true;
    for (uint32_t epoch = 0; go_on && epoch < run->options->epochs; epoch++) {
        status = run_epoch(run, epoch, error);
        if (status != ND_OK)
            return status;
        run->report.epochs = epoch + 1;
        run->report.loss = run->loss / run->weight;
        go_on = judge_epoch(run, epoch);
        if (!tell(run, epoch, run->count))
            return nd_fail(error, ND_CANCELLED, "training was cancelled");
    }
    return ND_OK;
}

static void open_run(struct run *run, struct nd_network *network)
{
    run->trainer = nd_trainer_create(network, run->source.set, run->options);
    run->batch = nd_batch_create(run->options->batch, network->shape.inputs);
    run->order = nd_calloc(run->count, sizeof(*run->order));
    for (size_t i = 0; i < run->count; i++)
        run->order[i] = (uint32_t)i;
    run->told_us = nd_clock_monotonic_us();
}

static void close_run(struct run *run)
{
    nd_trainer_destroy(&run->trainer);
    nd_batch_destroy(&run->batch);
    free(run->order);
}

enum nd_status nd_train(struct nd_network *network,
                        const struct nd_dataset *set,
                        const struct nd_dataset *held,
                        const struct nd_train_options *options,
                        struct nd_error *error,
                        struct nd_train_report *report_r)
{
    struct nd_train_options full = complete(options, network);
    struct run run = {.options = &full,
                      .held = held,
                      .held_now = NAN,
                      .count = nd_dataset_count(set),
                      .source = {.set = set,
                                 .input_dropout = options->input_dropout,
                                 .groups = options->groups,
                                 .label_smoothing = options->label_smoothing},
                      .report = {.held_loss = NAN}};
    int64_t start_us = nd_clock_monotonic_us();
    enum nd_status status = check_options(&full, error);
    if (status == ND_OK)
        status = weigh_classes(&run, error);
    if (status != ND_OK)
        return status;
    open_run(&run, network);
    status = run_epochs(&run, error);
    nd_trainer_restore(run.trainer);
    network->trained = true;
    close_run(&run);
    run.report.seconds = (double)(nd_clock_monotonic_us() - start_us) / 1e6;
    if (status == ND_OK)
        *report_r = run.report;
    return status;
}
