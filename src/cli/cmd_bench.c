/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald bench: the network alone, on vectors from svmlight files, so that it
 * can be measured beside others on the same vectors. One thread, no early
 * stopping, no calibration.
 */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/values.h"
#include "nn/dataset.h"
#include "nn/metrics.h"
#include "nn/network.h"
#include "nn/train.h"

/* Scoring is repeated until it took this long, since one pass over a small
 * file is over within the clock's noise. */
#define SCORING_US 200000

static const struct nd_option options[] = {
    {"svmlight", ND_OPTION_VALUE, "FILE", "vectors to train on"},
    {"test", ND_OPTION_VALUE, "FILE",
     "vectors to score (default: those trained on)"},
    {"hidden", ND_OPTION_VALUE, "N", "units of the hidden layer (32); 0: none"},
    {"epochs", ND_OPTION_VALUE, "N", "passes over the vectors (25)"},
    {"learning-rate", ND_OPTION_VALUE, "X", "step of the optimizer"},
    {"batch", ND_OPTION_VALUE, "N", "vectors a step"},
    {"seed", ND_OPTION_VALUE, "N", "of weights and order (1)"},
    {"wide", ND_OPTION_FLAG, NULL, "add the linear path past the hidden layer"},
    {0},
};

struct plan {
    uint64_t hidden, epochs, batch, seed;
    double learning_rate;
};

struct result {
    struct nd_train_report report;
    double auc, loss, score_us;
    size_t train, test;
};

static enum nd_status read_plan(struct nd_cli *cli, struct plan *plan)
{
    struct nd_train_options standard;
    nd_train_defaults(&standard);
    *plan = (struct plan){32, 25, standard.batch, 1,
                          (double)standard.learning_rate};
    enum nd_status status = nd_cli_no_words(cli);
    if (status == ND_OK) {
        status = nd_value_count(cli, "hidden", 0, ND_MAX_UNITS, &plan->hidden);
    }
    if (status == ND_OK) {
        status = nd_value_count(cli, "epochs", 1, 100000, &plan->epochs);
    }
    if (status == ND_OK) {
        status = nd_value_count(cli, "batch", 1, 65536, &plan->batch);
    }
    if (status == ND_OK) {
        status = nd_value_count(cli, "seed", 0, INT64_MAX, &plan->seed);
    }
    if (status == ND_OK) {
        status = nd_value_number(cli, "learning-rate", 1e-9, 10,
                                 &plan->learning_rate);
    }
    if (status == ND_OK &&
        nd_arguments_value(cli->arguments, "svmlight") == NULL) {
        status = nd_fail(&cli->error, ND_USAGE, "--svmlight FILE is missing");
    }
    return status;
}

static bool show_epoch(const struct nd_train_progress *progress, void *context)
{
    struct nd_progress *bar = context;
    char detail[64];
    snprintf(detail, sizeof(detail), "epoch %u of %u, loss %.4f",
             progress->epoch + 1, progress->epochs, progress->loss);
    nd_progress_update(bar, progress->done, detail);
    return true;
}

static enum nd_status train(struct nd_cli *cli, const struct plan *plan,
                            const struct nd_dataset *set,
                            struct nd_train_report *report,
                            struct nd_network **network_r)
{
    struct nd_network *network = NULL;
    struct nd_shape shape = {.inputs = nd_dataset_width(set),
                             .layers = plan->hidden > 0 ? 1 : 0,
                             .units = {(uint32_t)plan->hidden},
                             .wide = nd_arguments_flag(cli->arguments, "wide")};
    struct nd_train_options how;
    nd_train_defaults(&how);
    how.epochs = (uint32_t)plan->epochs;
    how.batch = (uint32_t)plan->batch;
    how.learning_rate = (float)plan->learning_rate;
    how.seed = plan->seed;
    how.patience = 0;
    how.callback = show_epoch;
    how.context = &cli->progress;

    enum nd_status status =
        nd_network_create(&shape, plan->seed, &cli->error, &network);
    if (status != ND_OK) {
        return status;
    }
    nd_progress_stage(&cli->progress, "training");
    status = nd_train(network, set, NULL, &how, &cli->error, report);
    if (status != ND_OK) {
        nd_network_destroy(&network);
        return status;
    }
    nd_progress_end(&cli->progress, NULL);
    *network_r = network;
    return ND_OK;
}

static void score_all(const struct nd_network *network,
                      const struct nd_dataset *set, double *scores)
{
    size_t count = nd_dataset_count(set);
    for (size_t i = 0; i < count; i++) {
        struct nd_sparse row = nd_dataset_row(set, i);
        scores[i] = (double)nd_network_score(network, &row);
    }
}

static void measure(const struct nd_network *network,
                    const struct nd_dataset *set, struct result *result)
{
    size_t count = nd_dataset_count(set);
    double *scores = nd_calloc(count, sizeof(*scores));
    uint8_t *labels = nd_calloc(count, sizeof(*labels));
    score_all(network, set, scores);

    size_t passes = 0;
    int64_t began = nd_clock_monotonic_us();
    int64_t took;
    do {
        score_all(network, set, scores);
        passes++;
        took = nd_clock_monotonic_us() - began;
    } while (took < SCORING_US);
    result->score_us = (double)took / ((double)passes * (double)count);

    for (size_t i = 0; i < count; i++) {
        labels[i] = (uint8_t)nd_dataset_label(set, i);
    }
    result->test = count;
    result->auc = nd_auc(scores, labels, count);
    for (size_t i = 0; i < count; i++) {
        scores[i] = 1.0 / (1.0 + exp(-scores[i]));
    }
    result->loss = nd_log_loss(scores, labels, count, NULL);
    free(scores);
    free(labels);
}

static enum nd_status print_result(struct nd_cli *cli,
                                   const struct result *result)
{
    if (!cli->json) {
        printf("trained on %zu vectors in %.3f s (loss %.4f), kernel %s\n",
               result->train, result->report.seconds, result->report.loss,
               nd_kernel_name());
        printf("scored %zu vectors: AUC %.6f, loss %.5f, %.3g us a vector\n",
               result->test, result->auc, result->loss, result->score_us);
        return ND_OK;
    }
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    nd_json_number(&json, "seconds", result->report.seconds);
    nd_json_number(&json, "auc", result->auc);
    nd_json_number(&json, "loss", result->loss);
    nd_json_rounded(&json, "score_microseconds", result->score_us, 3);
    nd_json_unsigned(&json, "train", result->train);
    nd_json_unsigned(&json, "test", result->test);
    nd_json_unsigned(&json, "epochs", result->report.epochs);
    nd_json_number(&json, "train_loss", result->report.loss);
    nd_json_text(&json, "kernel", nd_kernel_name());
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, &cli->error);
    nd_json_free(&json);
    return status;
}

static enum nd_status run_with(struct nd_cli *cli, const struct plan *plan,
                               const struct nd_dataset *set,
                               const struct nd_dataset *test)
{
    struct result result = {.train = nd_dataset_count(set)};
    struct nd_network *network = NULL;
    enum nd_status status =
        nd_dataset_count(test) == 0
            ? nd_fail(&cli->error, ND_NOTHING, "there is no vector to score")
            : train(cli, plan, set, &result.report, &network);
    if (status == ND_OK) {
        measure(network, test, &result);
        status = print_result(cli, &result);
    }
    nd_network_destroy(&network);
    return status;
}

static enum nd_status run(struct nd_cli *cli)
{
    struct plan plan;
    struct nd_dataset *set = NULL, *test = NULL;
    const char *train_path = nd_arguments_value(cli->arguments, "svmlight");
    const char *test_path = nd_arguments_value(cli->arguments, "test");

    enum nd_status status = read_plan(cli, &plan);
    if (status == ND_OK) {
        status = nd_dataset_read_svmlight(train_path, &cli->error, &set);
    }
    if (status == ND_OK && test_path != NULL) {
        status = nd_dataset_read_svmlight(test_path, &cli->error, &test);
    }
    if (status == ND_OK) {
        status = run_with(cli, &plan, set, test != NULL ? test : set);
    }
    nd_dataset_destroy(&set);
    nd_dataset_destroy(&test);
    return status;
}

const struct nd_command nd_command_bench = {
    .name = "bench",
    .usage = "--svmlight FILE [--test FILE] [--hidden N] [--epochs N]",
    .summary = "measure the network alone on svmlight files",
    .about =
        "Trains a network on vectors (LABEL COLUMN:VALUE ... a line, columns "
        "from 1, a label above 0 is spam) and scores others, each by one call, "
        "in one thread. Prints the time of training alone, the area under the "
        "ROC curve, the mean cross-entropy of the scored vectors in nats, and "
        "the time to score one.\n"
        "JSON: seconds, auc, loss, score_microseconds (three significant "
        "digits); also train, test, epochs, train_loss, kernel.\n",
    .options = options,
    .run = run,
};
