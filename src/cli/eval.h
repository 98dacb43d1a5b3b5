/* SPDX-License-Identifier: Apache-2.0
 *
 * Evaluation: train on a part of a corpus in memory, score the other part, and
 * work out the figures. No store is involved.
 */
#ifndef ND_CLI_EVAL_H
#define ND_CLI_EVAL_H

#include <stddef.h>
#include <stdint.h>

#include "cli/command.h"
#include "features/features.h"
#include "learn/engine.h"
#include "learn/live.h"
#include "mail/scan.h"

enum nd_eval_part {
    ND_EVAL_TRAIN,
    ND_EVAL_TEST,
    ND_EVAL_BY_NAME, /* by the SHA-1 of each bare file name */
};

/* A path (message, mbox, Maildir, folder) with the label of what is in it. */
struct nd_eval_entry {
    char *path;
    uint8_t label; /* enum nd_class */
    enum nd_eval_part part;
};

/* What to evaluate. Entries are owned. */
struct nd_eval_plan {
    struct nd_eval_entry *entries;
    size_t count;
    uint32_t divisor;  /* ND_EVAL_BY_NAME: divisible by it is test */
    uint32_t families; /* mask */
    uint64_t seed;
};

/* One scored message of the test part. */
struct nd_eval_outcome {
    char *path;
    uint8_t label;
    double log_odds;    /* of the network, not calibrated */
    double probability; /* calibrated */
    enum nd_verdict_kind verdict;
};

struct nd_eval_figures {
    double auc, recall[3], accuracy, decided_right, unsure, brier, log_loss;
    double false_positives, false_negatives; /* wrong and decided, shares of
                                                ham and of spam */
};
/* The false-positive rates of recall[], as JSON keys. */
extern const char *const nd_eval_rates[3];

struct nd_eval_result {
    struct nd_live *live; /* the model */
    struct nd_key key;    /* text features were hashed with it */
    struct nd_eval_outcome *outcomes;
    size_t test, train, train_spam, test_spam;
    struct nd_eval_figures figures;
    double train_seconds; /* reading, features, and fit */
    double fit_seconds;   /* the fit alone */
    double test_seconds;  /* reading, features, and scoring */
    double sample_bytes;  /* on average, as a store would keep it */
    size_t model_bytes;
    uint64_t skipped, conflicts;
};

/* Adds what an index file names: lines of "spam PATH" or "ham PATH" in order
 * of time, the first train_first of them to train on, the rest to test, or all
 * by name where train_first is 0. A relative path is looked for beside the
 * index file, then in the current folder. Errors in cli->error. */
enum nd_status nd_eval_read_index(struct nd_cli *cli, const char *path,
                                  uint64_t train_first,
                                  struct nd_eval_plan *plan) ND_MUST_CHECK;
void nd_eval_plan_add(struct nd_eval_plan *plan, const char *path,
                      uint8_t label, enum nd_eval_part part);
void nd_eval_plan_free(struct nd_eval_plan *plan);

/* "0.25", "1/4" to 4. ND_USAGE where the share is not one of a whole number
 * of parts. */
enum nd_status nd_eval_parse_split(const char *text, struct nd_error *error,
                                   uint32_t *divisor_r) ND_MUST_CHECK;

/* Trains and scores. rule gives the network's settings, the targets and
 * min_train. ND_NOTHING where a class has too few messages to train on. */
enum nd_status nd_eval_run(struct nd_cli *cli, const struct nd_eval_plan *plan,
                           const struct nd_rule *rule,
                           const struct nd_scan_file *scans,
                           struct nd_eval_result *result_r) ND_MUST_CHECK;
void nd_eval_result_free(struct nd_eval_result *result);

/* The figures of count outcomes. */
void nd_eval_figures(const struct nd_eval_outcome *outcomes, size_t count,
                     struct nd_eval_figures *figures_r);

#endif
