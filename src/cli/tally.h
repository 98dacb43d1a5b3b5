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
