/* SPDX-License-Identifier: Apache-2.0
 *
 * One training step on a mini-batch: forward, backward, update. Works on the
 * network's own weights and adds the optimizer's state to them. Not for other
 * folders; train.h is the interface.
 */
#ifndef ND_NN_TRAINER_H
#define ND_NN_TRAINER_H

#include "nn/batch.h"
#include "nn/kernels/kernels.h"
#include "nn/network_internal.h"
#include "nn/train.h"

/* Trainable rows: data[row][width], of which units are not padding. The data is
 * the network's, the sums of squared gradients, one a row, are the trainer's.
 */
struct nd_rows {
    size_t count, width, units;
    float *data;
    float *squares;
};

struct nd_trainer {
    struct nd_network *network;
    const struct nd_kernels *kernels;
    struct nd_random random;
    float rate, keep; /* of a step, see nd_step */
    float dropout;
    struct nd_rows first, first_bias;
    struct nd_rows dense[ND_MAX_LAYERS - 1], dense_bias[ND_MAX_LAYERS - 1];
    struct nd_rows out;
    float out_square;              /* of the output's bias */
    float *outputs[ND_MAX_LAYERS]; /* [batch][width of the layer] */
    float *deltas[ND_MAX_LAYERS];  /* the same: of the pre-activations */
    float *masks[ND_MAX_LAYERS];   /* the same, with dropout; else NULL */
    float *wide;                   /* [batch]: the wide path's part */
    float *errors;                 /* [batch]: of the log-odds */
    float *column;                 /* [batch]: one unit over all samples */
    float *gradient;               /* one row's, of any layer */
    struct nd_network *best;       /* weights kept by nd_trainer_keep */
};

/* Makes the network, which stays the caller's, ready for training on set. In
 * one that was never trained, rows of columns that the set lacks become 0
 * first. */
struct nd_trainer *nd_trainer_create(
    struct nd_network *network, const struct nd_dataset *set,
    const struct nd_train_options *options) ND_MUST_CHECK;

/* Frees the trainer; the network keeps the weights that it has. */
void nd_trainer_destroy(struct nd_trainer **trainer);

/* Keeps a copy of the weights as they are, in place of the last one. */
void nd_trainer_keep(struct nd_trainer *trainer);

/* Gives the network the weights that were kept; none: leaves it alone. */
void nd_trainer_restore(struct nd_trainer *trainer);

/* Log-odds of the batch and the error of each, (p - target) * weight / count,
 * into trainer->errors: not divided by the sum of weights, which would take the
 * weights' effect away from a batch of one. Returns the batch's weighted loss,
 * a sum; weight_r gets the sum of weights. */
double nd_trainer_forward(struct nd_trainer *trainer,
                          const struct nd_batch *batch, double *weight_r);

/* Gradients from the errors, and the update. Call after nd_trainer_forward on
 * the same batch. */
void nd_trainer_backward(struct nd_trainer *trainer,
                         const struct nd_batch *batch);

#endif
