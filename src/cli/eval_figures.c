/* SPDX-License-Identifier: Apache-2.0
 *
 * The figures of an evaluation, from the scored messages.
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cli/eval.h"
#include "nn/metrics.h"

const char *const nd_eval_rates[3] = {"0.001", "0.005", "0.01"};

struct columns {
    double *log_odds, *probabilities;
    uint8_t *labels;
};

static struct columns split_columns(const struct nd_eval_outcome *outcomes,
                                    size_t count)
{
    struct columns columns = {
        nd_calloc(count, sizeof(*columns.log_odds)),
        nd_calloc(count, sizeof(*columns.probabilities)),
        nd_calloc(count, sizeof(*columns.labels)),
    };
    for (size_t i = 0; i < count; i++) {
        columns.log_odds[i] = outcomes[i].log_odds;
        columns.probabilities[i] = outcomes[i].probability;
        columns.labels[i] = outcomes[i].label;
    }
    return columns;
}

static double share(size_t part, size_t whole)
{
    return whole == 0 ? (double)NAN : (double)part / (double)whole;
}

/* Counts, and the shares made of them. decided_right is of all messages, so
 * that deciding only easy ones does not look good. */
static void count_verdicts(const struct nd_eval_outcome *outcomes, size_t count,
                           struct nd_eval_figures *figures)
{
    size_t right_at_half = 0, decided_right = 0, unsure = 0;
    size_t wrong[2] = {0}, present[2] = {0};
    for (size_t i = 0; i < count; i++) {
        bool spam = outcomes[i].label == ND_SPAM;
        bool says_spam = outcomes[i].verdict == ND_VERDICT_SPAM;
        present[outcomes[i].label]++;
        right_at_half += (outcomes[i].probability >= 0.5) == spam;
        if (outcomes[i].verdict == ND_UNSURE) {
            unsure++;
        } else if (says_spam == spam) {
            decided_right++;
        } else {
            wrong[outcomes[i].label]++;
        }
    }
    figures->accuracy = share(right_at_half, count);
    figures->decided_right = share(decided_right, count);
    figures->unsure = share(unsure, count);
    figures->false_positives = share(wrong[ND_HAM], present[ND_HAM]);
    figures->false_negatives = share(wrong[ND_SPAM], present[ND_SPAM]);
}

void nd_eval_figures(const struct nd_eval_outcome *outcomes, size_t count,
                     struct nd_eval_figures *figures_r)
{
    struct columns columns = split_columns(outcomes, count);
    figures_r->auc = nd_auc(columns.log_odds, columns.labels, count);
    for (size_t i = 0; i < 3; i++) {
        figures_r->recall[i] =
            nd_recall_at_fpr(columns.log_odds, columns.labels, count,
                             strtod(nd_eval_rates[i], NULL), NULL);
    }
    figures_r->brier = nd_brier(columns.probabilities, columns.labels, count);
    figures_r->log_loss =
        nd_log_loss(columns.probabilities, columns.labels, count, NULL);
    count_verdicts(outcomes, count, figures_r);
    free(columns.log_odds);
    free(columns.probabilities);
    free(columns.labels);
}
