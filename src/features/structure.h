/* SPDX-License-Identifier: Apache-2.0
 *
 * The two halves of the structure family. Internal to src/features.
 */
#ifndef ND_FEATURES_STRUCTURE_H
#define ND_FEATURES_STRUCTURE_H

#include "features/collect.h"
#include "mail/message.h"

/* Adds prefix and folded value as one feature of the structure family. */
void nd_structure_add(struct nd_collector *collector, const char *prefix,
                      struct nd_text value);
/* Adds prefix and the step of count. */
void nd_structure_add_step(struct nd_collector *collector, const char *prefix,
                           uint64_t count);

/* Which headers there are, their spelling, order and form, and which of their
 * addresses agree. */
void nd_collect_header_structure(struct nd_collector *collector,
                                 const struct nd_message *message);

#endif
