/* SPDX-License-Identifier: Apache-2.0
 *
 * What became of samples that were learned or relabelled: counted by outcome
 * and by reason, and said in words or as JSON.
 */
#ifndef ND_CLI_TALLY_H
#define ND_CLI_TALLY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/json.h"
#include "store/store.h"

#define ND_PUT_OUTCOME_COUNT 6

struct nd_tally {
    uint64_t stored[2]; /* new samples, by class; replaced ones too */
    uint64_t outcomes[ND_PUT_OUTCOME_COUNT];
    uint64_t refused[ND_REFUSAL_COUNT];
    bool known; /* count is */
    uint64_t count[2];
};

/* A tally for each rule, in the order in which they were met. Zero-initialise;
 * freed with nd_tallies_free. */
struct nd_tallies {
    struct nd_tally *of;
    char **rules;
    size_t count;
};
/* The tally of a rule, a new one where there is none; valid until another is
 * asked for. */
struct nd_tally *nd_tallies_find(struct nd_tallies *tallies, const char *rule);
/* Frees and clears them. */
void nd_tallies_free(struct nd_tallies *tallies);

/* Adds one result of a put of that label. */
void nd_tally_add(struct nd_tally *tally, enum nd_class label,
                  const struct nd_put_result *result);

/* "+1 spam sample, now 37 spam, 12 ham", and what else there was. */
void nd_tally_words(const struct nd_tally *tally, struct nd_buffer *text);

/* Keys stored_spam, stored_ham, replaced, relabelled, merged, duplicate,
 * refused (an object: reason to number), and spam and ham, the samples present
 * now. */
void nd_tally_json(const struct nd_tally *tally, struct nd_json *json);

#endif
