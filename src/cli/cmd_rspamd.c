/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald rspamd: what has to do with the networks of rspamd's own neural
 * module. This file reads the words and does what works on files alone.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/rspamd_watch.h"
#include "cli/values.h"
#include "rspamd/kann.h"
#include "rspamd/train.h"
#include "rspamd/vectors.h"

#define MOST_MODEL_BYTES ((size_t)1 << 28)

static const struct nd_option options[] = {
    {"model", ND_OPTION_VALUE, "FILE", "eval: the network, a plain KANN file"},
    {"vectors", ND_OPTION_VALUE, "FILE",
     "lines of LABEL NUMBER NUMBER ...; 1 is spam, 0 or -1 ham"},
    {"out", ND_OPTION_VALUE, "FILE", "train: where the KANN file goes"},
    {"seed", ND_OPTION_VALUE, "N", "train: of weights and order (1)"},
    {"force", ND_OPTION_FLAG, NULL,
     "sync: train whenever there are enough vectors"},
    {0},
};

static enum nd_status needed(struct nd_cli *cli, const char *name,
                             const char **value_r)
{
    const char *value = nd_arguments_value(cli->arguments, name);
    if (value == NULL) {
        return nd_fail(&cli->error, ND_USAGE, "--%s FILE is missing", name);
    }
    *value_r = value;
    return ND_OK;
}

/* ---- eval ---- */

static enum nd_status read_model(struct nd_cli *cli, const char *path,
                                 struct nd_kann **kann_r)
{
    struct nd_buffer bytes = {0};
    struct nd_error why;
    enum nd_status status =
        nd_file_read(path, MOST_MODEL_BYTES, &cli->error, &bytes);
    if (status == ND_OK) {
        status = nd_kann_read(bytes.data, bytes.length, &why, kann_r);
        if (status != ND_OK) {
            status = nd_fail(&cli->error, status, "%s: %s", path, why.text);
        }
    }
    nd_buffer_free(&bytes);
    return status;
}

static enum nd_status run_eval(struct nd_cli *cli)
{
    const char *model = NULL, *path = NULL;
    struct nd_kann *kann = NULL;
    struct nd_vectors vectors = {0};
    double *scores = NULL;
    enum nd_status status = needed(cli, "model", &model);
    if (status == ND_OK) {
        status = needed(cli, "vectors", &path);
    }
    if (status == ND_OK) {
        status = read_model(cli, model, &kann);
    }
    if (status == ND_OK) {
        status = nd_vectors_read(&vectors, path, &cli->error);
    }
    if (status == ND_OK) {
        scores = nd_calloc(vectors.count, sizeof(*scores));
        status = nd_rspamd_score(kann, &vectors, &cli->error, scores);
    }
    for (size_t i = 0; status == ND_OK && i < vectors.count; i++) {
        printf("%d %.9g\n", vectors.labels[i], scores[i]);
    }
    free(scores);
    nd_vectors_free(&vectors);
    nd_kann_destroy(&kann);
    return status;
}

/* ---- train ---- */

static enum nd_status print_training(struct nd_cli *cli,
                                     const struct nd_rspamd_training *training)
{
    const struct nd_rspamd_figures *figures = &training->figures;
    if (!cli->json) {
        printf("trained on %zu spam and %zu ham in %.3f s; held out: AUC "
               "%.4f, recall %.3f at 1 %% of ham lost\n",
               figures->spam, figures->ham, training->seconds, figures->auc,
               figures->recall);
        return ND_OK;
    }
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    nd_json_unsigned(&json, "spam", figures->spam);
    nd_json_unsigned(&json, "ham", figures->ham);
    nd_json_number(&json, "seconds", training->seconds);
    nd_json_number(&json, "auc", figures->auc);
    nd_json_number(&json, "recall", figures->recall);
    nd_json_number(&json, "log_loss", figures->log_loss);
    nd_json_number(&json, "spam_threshold", training->thresholds[0]);
    nd_json_number(&json, "ham_threshold", training->thresholds[1]);
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, &cli->error);
    nd_json_free(&json);
    return status;
}

static enum nd_status train_into(struct nd_cli *cli,
                                 const struct nd_vectors *vectors,
                                 const char *path)
{
    struct nd_rspamd_train_options how = {.seed = 1};
    struct nd_rspamd_training training = {0};
    struct nd_buffer file = {0};
    enum nd_status status =
        nd_value_count(cli, "seed", 0, INT64_MAX, &how.seed);
    if (status == ND_OK) {
        status = nd_rspamd_train(vectors, &how, &cli->error, &training);
    }
    if (status == ND_OK) {
        nd_kann_write(training.kann, &file);
        status = nd_file_replace(path, file.data, file.length, &cli->error);
    }
    if (status == ND_OK) {
        status = print_training(cli, &training);
    }
    nd_buffer_free(&file);
    nd_rspamd_training_free(&training);
    return status;
}

static enum nd_status run_train(struct nd_cli *cli)
{
    const char *path = NULL, *out = NULL;
    struct nd_vectors vectors = {0};
    enum nd_status status = needed(cli, "vectors", &path);
    if (status == ND_OK) {
        status = needed(cli, "out", &out);
    }
    if (status == ND_OK) {
        status = nd_vectors_read(&vectors, path, &cli->error);
    }
    if (status == ND_OK) {
        status = train_into(cli, &vectors, out);
    }
    nd_vectors_free(&vectors);
    return status;
}

/* ---- the command ---- */

static const struct action {
    const char *name;
    enum nd_status (*run)(struct nd_cli *cli);
} actions[] = {
    {"eval", run_eval},
    {"train", run_train},
    {"sync", nd_rspamd_run_sync},
    {"watch", nd_rspamd_run_watch},
};

static enum nd_status run(struct nd_cli *cli)
{
    size_t count;
    const char *const *words = nd_arguments_words(cli->arguments, &count);
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (count == 1 && strcmp(words[0], actions[i].name) == 0) {
            return actions[i].run(cli);
        }
    }
    return nd_fail(&cli->error, ND_USAGE,
                   "say what to do about rspamd: eval, train, sync or watch");
}

const struct nd_command nd_command_rspamd = {
    .name = "rspamd",
    .usage = "eval --model FILE --vectors FILE | train --vectors FILE --out "
             "FILE | sync [--force] | watch",
    .summary = "evaluate and train networks of rspamd's neural module",
    .about =
        "eval: prints a line for each vector: its label, and what the network "
        "in a plain (not compressed) KANN file answers, from -1 to 1.\n"
        "train: trains a network from vectors and writes it as a KANN file "
        "that rspamd loads. Every vector is held out of a part of it, for the "
        "figures.\n"
        "sync: one look at rspamd's Redis, for each rule of kind rspamd (or "
        "the one of --rule): takes new vectors into the store, and where a "
        "training is due trains a network, judges it beside the live one, and "
        "puts it in its place if it is not worse. watch: the same again and "
        "again, each watch_interval, until it is stopped.\n"
        "JSON: sync and watch give an object a look: rule, outcome (waiting, "
        "published, rejected, left, busy, failed), text, version, stored, "
        "known, "
        "refused, malformed, other_length, and of a training seconds, auc, "
        "recall, live_auc, "
        "live_recall, loss_difference; train gives spam, ham, "
        "seconds, auc, recall, log_loss, "
        "spam_threshold, ham_threshold.\n",
    .options = options,
    .run = run,
};
