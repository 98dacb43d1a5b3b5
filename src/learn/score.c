/* SPDX-License-Identifier: Apache-2.0
 *
 * Scoring and explaining. A message's features become the input of the live
 * model, its answer a probability, a verdict with a zone of no opinion, and a
 * weight. Everything comes from the referenced model; the store is not asked
 * and nothing can fail: what is missing ends in "no opinion".
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learn/engine_private.h"
#include "learn/reasons.h"
#include "learn/samples.h"

#define OWN_PREFIX "NEURALD_"

const char *nd_verdict_name(enum nd_verdict_kind kind)
{
    switch (kind) {
    case ND_VERDICT_SPAM:
        return "spam";
    case ND_VERDICT_HAM:
        return "ham";
    case ND_UNSURE:
    default:
        return "unsure";
    }
}

bool nd_rule_is_own_symbol(const struct nd_rule *rule, const char *name)
{
    return strncmp(name, OWN_PREFIX, strlen(OWN_PREFIX)) == 0 ||
           strcmp(name, rule->symbol_spam) == 0 ||
           strcmp(name, rule->symbol_ham) == 0;
}

const struct nd_scan *nd_engine_findings(const struct nd_message *message,
                                         const struct nd_scan *scan)
{
    if (scan != NULL) {
        return scan;
    }
    return message != NULL ? &message->scan : NULL;
}

const char *const *nd_rule_excluded(const struct nd_rule *rule,
                                    const struct nd_scan *scan,
                                    struct nd_arena *arena, size_t *count_r)
{
    size_t room = scan != NULL ? scan->count : 0, count = 0;
    const char **names = nd_arena_take(arena, room * sizeof *names);
    for (size_t i = 0; i < room; i++) {
        if (nd_rule_is_own_symbol(rule, scan->symbols[i].name)) {
            names[count++] = scan->symbols[i].name;
        }
    }
    *count_r = count;
    return names;
}

/* A message on its way through one model. */
struct passage {
    const struct nd_message *message;
    const struct nd_scan *scan;
    uint32_t flags; /* of the extraction */
    struct nd_arena *arena;
    struct nd_features features;
    struct nd_slotted slotted;
};

static bool extract(const struct nd_engine *engine, const struct nd_live *live,
                    struct passage *passage)
{
    struct nd_extract_options options = {
        .families =
            nd_families_sources(live->scaling.families) & engine->rule.families,
        .flags = passage->flags};
    if (!engine->has_key) {
        options.families &= ~ND_GROUP_TEXT;
    }
    options.excluded = nd_rule_excluded(
        &engine->rule, nd_engine_findings(passage->message, passage->scan),
        passage->arena, &options.excluded_count);
    nd_features_extract(passage->message, passage->scan, &engine->key, &options,
                        passage->arena, &passage->features);
    nd_features_resolve(&passage->features, live->names, passage->arena,
                        &passage->slotted, NULL);
    return nd_live_reads(live, passage->slotted.families);
}

static double logit(double probability)
{
    double inside = fmin(fmax(probability, 1e-7), 1 - 1e-7);
    return log(inside / (1 - inside));
}

/* How much of the weight: 0 at the threshold, then 1 - exp(-d), where d is how
 * far the log-odds lie beyond those of the threshold: smooth, 63 % one unit
 * beyond it, 95 % three units. */
static double share_of_weight(double log_odds, double threshold)
{
    return -expm1(-fabs(log_odds - logit(threshold)));
}

static void judge(const struct nd_engine *engine, const struct nd_live *live,
                  double log_odds, struct nd_verdict *verdict)
{
    const struct nd_calibration *calibration = &live->model->calibration;
    const struct nd_rule *rule = &engine->rule;
    double threshold, weight;
    verdict->log_odds = log_odds;
    verdict->probability = 1 / (1 + exp(-log_odds));
    if (verdict->probability >= calibration->spam_threshold) {
        verdict->kind = ND_VERDICT_SPAM;
        verdict->symbol = rule->symbol_spam;
        threshold = calibration->spam_threshold;
        weight = rule->spam_weight;
    } else if (verdict->probability <= calibration->ham_threshold) {
        verdict->kind = ND_VERDICT_HAM;
        verdict->symbol = rule->symbol_ham;
        threshold = calibration->ham_threshold;
        weight = rule->ham_weight;
    } else {
        return;
    }
    if (rule->mode != ND_MODE_OBSERVE) {
        verdict->weight = weight * share_of_weight(log_odds, threshold);
    }
}

static void no_opinion(const struct nd_live *live, struct nd_verdict *verdict_r)
{
    *verdict_r =
        (struct nd_verdict){.probability = 0.5,
                            .kind = ND_UNSURE,
                            .symbol = "",
                            .generation = live != NULL ? live->generation : 0};
}

void nd_engine_score(struct nd_engine *engine, const struct nd_message *message,
                     const struct nd_scan *scan, struct nd_arena *arena,
                     struct nd_verdict *verdict_r)
{
    struct nd_live *live = nd_engine_take_live(engine);
    struct passage passage = {.message = message, .scan = scan, .arena = arena};
    no_opinion(live, verdict_r);
    if (live != NULL && extract(engine, live, &passage)) {
        double log_odds = nd_live_log_odds(live, &passage.slotted, arena);
        if (isfinite(log_odds)) {
            judge(engine, live, log_odds, verdict_r);
        }
    }
    nd_live_release(&live);
}

/* ---- explaining ---- */

void nd_engine_explain(struct nd_engine *engine,
                       const struct nd_message *message,
                       const struct nd_scan *scan, size_t limit,
                       struct nd_arena *arena, struct nd_verdict *verdict_r,
                       const struct nd_reason **reasons_r, size_t *count_r)
{
    struct nd_live *live = nd_engine_take_live(engine);
    struct passage passage = {.message = message,
                              .scan = scan,
                              .flags = ND_EXTRACT_NAMES,
                              .arena = arena};
    struct nd_reason *reasons = NULL;
    size_t count = 0;
    no_opinion(live, verdict_r);
    if (live != NULL && extract(engine, live, &passage)) {
        double log_odds = nd_live_log_odds(live, &passage.slotted, arena);
        if (isfinite(log_odds)) {
            judge(engine, live, log_odds, verdict_r);
        }
        reasons = nd_live_reasons(live, &passage.features, &passage.slotted,
                                  arena, &count);
    }
    count = count < limit ? count : limit;
    for (size_t i = 0; i < count; i++) {
        reasons[i].name =
            nd_arena_strndup(arena, reasons[i].name, strlen(reasons[i].name));
    }
    nd_live_release(&live);
    *reasons_r = reasons;
    *count_r = count;
}
