/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a network may take another's place.
 */
#ifndef ND_RSPAMD_COMPARE_H
#define ND_RSPAMD_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rspamd/train.h"

/* Vectors of each class that a comparison needs. */
#define ND_RSPAMD_LEAST_JUDGED 10

/* Scores, from -1 to 1, of the same vectors, which neither network has seen. */
struct nd_rspamd_contest {
    const double *candidate, *live;
    const uint8_t *labels;
    size_t count;
};

struct nd_rspamd_judgement {
    bool better; /* not worse, to be exact */
    struct nd_rspamd_figures candidate, live;
    double loss_difference, difference_error; /* candidate less live */
    double live_recall_low; /* lower end of the interval of its recall */
};

/* The candidate is not worse where its log-loss is not above the live
 * network's by more than one standard error, and its recall at 1 % of ham lost
 * not below the lower end of the live one's 95 % interval. Log-losses are of
 * probabilities that are fitted to each network's scores alike, since the two
 * scales differ. Both classes must be there. */
void nd_rspamd_compare(const struct nd_rspamd_contest *contest,
                       struct nd_rspamd_judgement *judgement_r);

#endif
