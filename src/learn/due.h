/* SPDX-License-Identifier: Apache-2.0
 *
 * When a training starts, decided from what the store knows.
 */
#ifndef ND_LEARN_DUE_H
#define ND_LEARN_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "learn/rule.h"
#include "store/store.h"

/* Whether a training is due by the rule's settings (design, point 4) at now_ms
 * of the store's clock. why_r (at least 128 bytes) says why or why not. */
bool nd_training_due(const struct nd_rule *rule,
                     const struct nd_training_state *state, int64_t now_ms,
                     char *why_r, size_t why_size);

#endif
