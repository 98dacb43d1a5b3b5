/* SPDX-License-Identifier: Apache-2.0
 *
 * The report of a training for `neurald train --json` and the API, which show
 * the same members.
 */
#include "learn/report_json.h"

#include <math.h>

void nd_report_json(const char *rule, const char *settings,
                    const struct nd_training_report *report,
                    struct nd_json *json)
{
    const struct nd_model_figures *figures = &report->candidate;
    nd_json_text(json, "rule", rule);
    nd_json_text(json, "settings", settings);
    nd_json_text(json, "decision", nd_decision_name(report->decision));
    nd_json_text(json, "reason", report->reason);
    nd_json_unsigned(json, "generation", report->generation);
    nd_json_unsigned(json, "spam", figures->spam);
    nd_json_unsigned(json, "ham", figures->ham);
    nd_json_unsigned(json, "held_spam", figures->held_spam);
    nd_json_unsigned(json, "held_ham", figures->held_ham);
    nd_json_number(json, "auc", figures->held_auc);
    nd_json_number(json, "log_loss", figures->held_log_loss);
    nd_json_number(json, "recall", figures->held_recall);
    nd_json_number(json, "target_fpr", figures->target_fpr);
    nd_json_number(json, "live_log_loss",
                   report->had_live ? report->live_log_loss : (double)NAN);
    nd_json_number(json, "live_recall",
                   report->had_live ? report->live_recall : (double)NAN);
    nd_json_number(json, "seconds", report->seconds);
    nd_json_unsigned(json, "seed", report->seed);
    nd_json_unsigned(json, "other_layout", report->other_layout);
}
