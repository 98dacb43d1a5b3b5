/* SPDX-License-Identifier: Apache-2.0
 *
 * A model: a network with its calibration, its thresholds, the names of its
 * registered features, and its figures, as one blob (docs/formats/model.md).
 * The blob ends in a BLAKE2b of all before it, keyed where a key is set.
 */
#ifndef ND_NN_MODEL_H
#define ND_NN_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "nn/network.h"

#define ND_MODEL_VERSION 1

/* probability = logistic(slope * log_odds + offset) (Platt 1999). At or above
 * spam_threshold the verdict is spam, at or below ham_threshold ham. */
struct nd_calibration {
    double slope, offset;
    double spam_threshold, ham_threshold;
};

/* Fits slope and offset by Newton's method with Platt's smoothed targets
 * (Lin, Lin and Weng 2007) on log-odds that the network was not trained on.
 * slope is kept positive. ND_NOTHING where a class is missing. */
enum nd_status nd_calibrate(const double *log_odds, const uint8_t *labels,
                            size_t count, struct nd_error *error,
                            struct nd_calibration *calibration_r) ND_MUST_CHECK;

/* Shares that may be decided wrongly: of ham as spam, of spam as ham. */
struct nd_targets {
    double fpr, fnr;
};

/* Sets the thresholds of a fitted calibration from probabilities' ranks: spam
 * where the held-out false-positive rate stays at or below targets.fpr, with
 * the upper end of the ham's tail taken as a smooth fit rather than as its
 * single worst message, and with few samples more from the upper half of all
 * than from the tail; ham likewise with targets.fnr. spam_threshold is at
 * least 0.95 and ham_threshold at most 0.05: a verdict is never less sure. */
void nd_set_thresholds(const double *log_odds, const uint8_t *labels,
                       size_t count, struct nd_targets targets,
                       struct nd_calibration *calibration);

/* 0 to 1, from log-odds; monotone. */
double nd_probability(const struct nd_calibration *calibration,
                      double log_odds);

/* Facts kept in the model file, all of them known at training. Text fields
 * are NUL-terminated. */
struct nd_model_figures {
    uint64_t generation; /* the token of its grant; 0: not published */
    int64_t trained_ms;  /* wall clock */
    uint64_t seed;
    uint64_t spam, ham;                          /* samples trained on */
    uint64_t held_spam, held_ham;                /* samples judged on */
    double held_auc, held_log_loss, held_recall; /* recall at target_fpr */
    double target_fpr;
    uint64_t watermark; /* no sample with a higher sequence was seen */
    uint32_t epochs;
    uint32_t families; /* mask of feature families it reads */
};

/* Owns all that it points to. Immutable once loaded; threads may share it. */
struct nd_model {
    struct nd_network *network;
    struct nd_calibration calibration;
    struct nd_model_figures figures;
    bool has_key;
    uint8_t key_id[ND_KEY_ID_BYTES]; /* of the text features' key */
    uint32_t registry_length;        /* names below, in slot order */
    uint8_t registry_digest[ND_DIGEST_BYTES];
    char **names; /* registry_length strings */
    char *rule;   /* and settings, for people */
    char *settings;
    struct nd_buffer extra; /* bytes that features/ keeps here:
                               scaling of its families, say; nn does
                               not look into them */
};

/* Frees all that the model owns and clears *model; NULL is accepted. */
void nd_model_destroy(struct nd_model **model);

/* Appends the model file. key (may be NULL) keys the closing digest. */
void nd_model_write(const struct nd_model *model, const struct nd_key *key,
                    struct nd_buffer *buffer);

/* Reads a model file of this version or an earlier one. key as at writing.
 * ND_VERSION for a later version, ND_KEY where the key's id differs or it is
 * missing, ND_DATA for everything malformed, down to one flipped bit. Takes at
 * most a small multiple of length bytes. */
enum nd_status nd_model_read(const void *data, size_t length,
                             const struct nd_key *key, struct nd_error *error,
                             struct nd_model **model_r) ND_MUST_CHECK;

#endif
