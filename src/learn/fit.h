/* SPDX-License-Identifier: Apache-2.0
 *
 * Fitting: from samples in memory to a model with calibration and thresholds,
 * without store, lease or child. eval calls it directly, the trainer child
 * calls it on what its parent sent.
 */
#ifndef ND_LEARN_FIT_H
#define ND_LEARN_FIT_H

#include <stdbool.h>
#include <stdint.h>

#include "features/features.h"
#include "nn/model.h"
#include "nn/train.h"

/* One sample to fit: its features by slot, label, time. Arrays are not owned
 * and stay valid for the call. */
struct nd_fit_sample {
    struct nd_slotted features;
    uint8_t label; /* enum nd_class */
    int64_t time_ms;
    bool held; /* part of the held-out set: judged, not trained on at first */
};

struct nd_fit_options {
    uint32_t families;        /* fed to the network, of those present */
    uint32_t registry_length; /* named slots */
    uint32_t hidden_units;    /* of the whole network; 0: default */
    uint32_t epochs;          /* 0: default */
    double learning_rate;     /* 0: default */
    uint64_t seed;
    double target_fpr, target_fnr;
    uint32_t threads; /* that train, the caller's among them; 0: one */
    /* Progress over the whole fit, 0 to 1; false cancels. May be NULL. Comes
     * from any of the threads, from one at a time. */
    bool (*progress)(double done, double loss, const char *stage,
                     void *context);
    void *context;
};

/* Fits a model on all samples: a committee of networks, each of which learns
 * all but one of as many stratified folds, with few samples all but a quarter;
 * calibration and thresholds come from the log-odds of those that did not learn
 * a sample. The model's names, rule and key id are the caller's to fill. The
 * same comes out with any number of threads. ND_NOTHING where a class has fewer
 * than 2 samples. Memory: nd_dataset of the samples, plus the networks, and for
 * each thread the optimizer's state. */
enum nd_status nd_fit(const struct nd_fit_sample *samples, size_t count,
                      const struct nd_fit_options *options,
                      struct nd_error *error,
                      struct nd_model **model_r) ND_MUST_CHECK;

/* Log-odds of a model for one sample's features, for spam in proportion to how
 * familiar these are to it (nd_familiar); scaling comes from the
 * model's extra bytes and is parsed once into a scorer. Thread-safe. */
struct nd_scorer;
enum nd_status nd_scorer_create(const struct nd_model *model,
                                struct nd_error *error,
                                struct nd_scorer **scorer_r) ND_MUST_CHECK;
void nd_scorer_destroy(struct nd_scorer **scorer);
double nd_scorer_log_odds(const struct nd_scorer *scorer,
                          const struct nd_slotted *features,
                          struct nd_arena *arena);

#endif
