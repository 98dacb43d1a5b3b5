/* SPDX-License-Identifier: Apache-2.0
 *
 * Trains a network for rspamd from its vectors.
 */
#ifndef ND_RSPAMD_TRAIN_H
#define ND_RSPAMD_TRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "rspamd/kann.h"
#include "rspamd/vectors.h"

/* Vectors of each class below which nothing is trained. */
#define ND_RSPAMD_MIN_TRAIN 20

/* Figures of scores from -1 to 1 on vectors that what scored them had not
 * seen. */
struct nd_rspamd_figures {
    size_t spam, ham;
    double auc;
    double recall;     /* of spam, where 1 % of ham is lost */
    double log_loss;   /* nats, (score + 1) / 2 being the probability */
    double loss_error; /* standard error of log_loss */
};

/* A trained network. */
struct nd_rspamd_training {
    struct nd_kann *kann;
    struct nd_rspamd_figures figures; /* held out */
    double *held_scores;  /* of each vector, by a part of the network that has
                             not seen it; -1 to 1 */
    double thresholds[2]; /* as rspamd keeps them: a score from the first on is
                             spam, one from minus the second down is ham */
    double seconds;
};

struct nd_rspamd_train_options {
    uint64_t seed;
    /* Told, about every 200 ms, how much of all is done (0 to 1) and the
     * training loss; false ends it, ND_CANCELLED. With one all work is done in
     * the calling thread, without one in a few of its own. May be NULL. */
    bool (*progress)(double done, double loss, void *context);
    void *context;
};

/* ND_NOTHING where a class has fewer than ND_RSPAMD_MIN_TRAIN vectors. */
enum nd_status nd_rspamd_check_enough(const struct nd_vectors *vectors,
                                      struct nd_error *error) ND_MUST_CHECK;

/* Trains on vectors. ND_NOTHING where a class has too few of them, or where
 * nothing could be learned from them. *training_r is freed with
 * nd_rspamd_training_free. */
enum nd_status nd_rspamd_train(
    const struct nd_vectors *vectors,
    const struct nd_rspamd_train_options *options, struct nd_error *error,
    struct nd_rspamd_training *training_r) ND_MUST_CHECK;
void nd_rspamd_training_free(struct nd_rspamd_training *training);

/* Figures of count scores with their labels. */
void nd_rspamd_judge(const double *scores, const uint8_t *labels, size_t count,
                     struct nd_rspamd_figures *figures_r);

/* What kann answers for each of vectors, its last output, into scores_r.
 * ND_DATA where it takes another number of inputs. */
enum nd_status nd_rspamd_score(const struct nd_kann *kann,
                               const struct nd_vectors *vectors,
                               struct nd_error *error,
                               double *scores_r) ND_MUST_CHECK;

#endif
