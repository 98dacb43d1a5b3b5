/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's trainer for rspamd's own networks: a thread that looks at them
 * by the rules of kind rspamd (rspamd/watch.h).
 */
#ifndef ND_SERVE_RSPAMD_TRAINER_H
#define ND_SERVE_RSPAMD_TRAINER_H

#include <stddef.h>

#include "base/status.h"
#include "learn/rule.h"
#include "store/store.h"

struct nd_rspamd_trainer;

struct nd_rspamd_trainer_options {
    const char *store; /* URL; the thread opens a handle of its own */
    struct nd_store_options store_options;
    const struct nd_rule *rules; /* of kind rspamd; copied */
    size_t count;
};

/* Starts the thread; NULL where there is no rule. Neither store nor Redis need
 * be reachable: what fails is logged and tried again at the next look.
 * ND_CONFIG where a rule does not say where rspamd's Redis is. */
enum nd_status nd_rspamd_trainer_start(
    const struct nd_rspamd_trainer_options *options, struct nd_error *error,
    struct nd_rspamd_trainer **trainer_r) ND_MUST_CHECK;

/* Stops it in at most 2 s, and a training that is under way: a look that takes
 * longer, because its Redis hangs, is left behind to end by itself. NULL and a
 * pointer to NULL are accepted. */
void nd_rspamd_trainer_stop(struct nd_rspamd_trainer **trainer);

#endif
