/* SPDX-License-Identifier: Apache-2.0
 *
 * Training: mini-batches, an adaptive optimizer with lazy sparse updates,
 * dropout, weight decay, class weights, early stopping. The loss is the mean
 * weighted cross-entropy of the logistic output.
 */
#ifndef ND_NN_TRAIN_H
#define ND_NN_TRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "nn/dataset.h"
#include "nn/network.h"

/* Told after every epoch and about every 200 ms within one. Returns false to
 * cancel. */
struct nd_train_progress {
    uint32_t epoch;   /* from 0 */
    uint32_t epochs;  /* planned */
    double done;      /* 0 to 1, never falls */
    double loss;      /* running mean training loss */
    double held_loss; /* of the last epoch on the held set; NaN without one */
};
typedef bool nd_train_callback(const struct nd_train_progress *progress,
                               void *context);

#define ND_MAX_GROUPS 32

/* Groups of neighbouring columns that are left out of a sample together, so
 * that the network learns to do without any of them. Group g has the columns
 * below ends[g] that belong to no earlier group; columns beyond the last end
 * are never left out. A sample never loses all groups; what is left is scaled
 * up for what is lost. */
struct nd_train_groups {
    const uint32_t *ends; /* rising */
    uint32_t count;       /* up to ND_MAX_GROUPS; 0: none */
    float dropout;        /* chance of each group to be left out */
};

struct nd_train_options {
    uint32_t epochs;
    uint32_t batch;      /* samples a step; 0: one for each ten units of the
                            first layer, 1 to 128 */
    float learning_rate; /* of row-wise AdaGrad, constant; 0: 20 over the first
                            layer's units, 0.2 at most */
    float weight_decay;  /* decoupled (Loshchilov and Hutter 2019): each time a
                            row is updated, its weights are multiplied by
                            1 - learning_rate * weight_decay first */
    float dropout;       /* share of hidden units left out, 0 to 0.9 */
    float input_dropout; /* share of inputs left out of each sample */
    struct nd_train_groups groups;
    float label_smoothing; /* targets become s/2 and 1 - s/2 */
    bool balance_classes;  /* weight classes to equal totals */
    uint32_t patience;     /* stop after so many epochs without improvement on
                              the held set and keep the best; 0: never */
    uint64_t seed;         /* order and dropout */
    nd_train_callback *callback; /* may be NULL */
    void *context;
};

/* What a general set of sparse samples wants; callers change what they know
 * better. Found on mail held out: no weights for classes (two ham to one spam),
 * a constant rate, no dropout, a slight decay, which costs little on mail of
 * the same kind and gains much on mail of another. */
void nd_train_defaults(struct nd_train_options *options_r);

/* Figures of a finished training. */
struct nd_train_report {
    uint32_t epochs; /* run */
    uint32_t best_epoch;
    double loss;      /* training loss of the last epoch */
    double held_loss; /* best; NaN without a held set */
    double seconds;   /* wall-clock, monotonic */
};

/* Trains network in place on set; held (may be NULL) is for early stopping
 * alone. One thread. The same inputs, seed and kernel give the same weights.
 * ND_NOTHING when a class is missing, ND_CANCELLED by the callback, ND_DATA
 * when the loss stops being finite; the network is then not to be used. */
enum nd_status nd_train(struct nd_network *network,
                        const struct nd_dataset *set,
                        const struct nd_dataset *held,
                        const struct nd_train_options *options,
                        struct nd_error *error,
                        struct nd_train_report *report_r) ND_MUST_CHECK;

#endif
