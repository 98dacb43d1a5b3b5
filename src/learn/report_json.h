/* SPDX-License-Identifier: Apache-2.0
 *
 * How a training ended, as JSON.
 */
#ifndef ND_LEARN_REPORT_JSON_H
#define ND_LEARN_REPORT_JSON_H

#include "base/json.h"
#include "learn/engine.h"

/* Members of an open object: rule, settings, decision, reason, generation,
 * spam, ham, held_spam, held_ham, auc, log_loss, recall, target_fpr,
 * live_log_loss, live_recall, seconds, seed, other_layout. */
void nd_report_json(const char *rule, const char *settings,
                    const struct nd_training_report *report,
                    struct nd_json *json);

#endif
