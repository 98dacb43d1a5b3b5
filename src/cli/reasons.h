/* SPDX-License-Identifier: Apache-2.0
 *
 * Why a model that was trained here, without a store, judged a message as it
 * did.
 */
#ifndef ND_CLI_REASONS_H
#define ND_CLI_REASONS_H

#include <stddef.h>

#include "cli/reading.h"
#include "learn/engine.h"
#include "learn/live.h"

/* The features of the message that weighed most under model, by absolute
 * change; at most limit. Memory from item->arena. */
void nd_reasons_find(const struct nd_live *live, const struct nd_key *key,
                     uint32_t families, const struct nd_item *item,
                     size_t limit, const struct nd_reason **reasons_r,
                     size_t *count_r);

#endif
