/* SPDX-License-Identifier: Apache-2.0
 *
 * Arguments that scripts ending a training share. Private to the Redis
 * backend.
 */
#ifndef ND_STORE_REDIS_TRAINING_H
#define ND_STORE_REDIS_TRAINING_H

#include "store/redis_script.h"

/* Adds decision, holder, reason and figures. */
void nd_redis_call_entry(struct nd_redis_call *call,
                         const struct nd_journal_entry *entry);

/* Adds the list of samples used up. */
void nd_redis_call_consumed(struct nd_redis_call *call,
                            const struct nd_sample_info *samples, size_t count);

#endif
