/* SPDX-License-Identifier: Apache-2.0
 *
 * Which features of a message weighed most under a model.
 */
#ifndef ND_LEARN_REASONS_H
#define ND_LEARN_REASONS_H

#include <stddef.h>

#include "learn/engine.h"
#include "learn/live.h"

/* Every feature of the message that changed the verdict, the weightiest first.
 * features come with ND_EXTRACT_NAMES, slotted is what they resolve to in
 * live->names. The array is the arena's; names are the arena's or live's, so
 * copy those that outlive it. Thread-safe with an arena of its own. */
struct nd_reason *nd_live_reasons(const struct nd_live *live,
                                  const struct nd_features *features,
                                  const struct nd_slotted *slotted,
                                  struct nd_arena *arena, size_t *count_r);

#endif
