/* SPDX-License-Identifier: Apache-2.0
 *
 * Learning from the filter's own verdict (S9). The score that counts is the
 * filter's without our part of it, or a network would teach itself; and mail
 * that an own user sent under authentication teaches nothing about mail that
 * comes in. Where our part cannot be told from the rest, nothing is learned.
 */
#include <math.h>

#include "learn/engine_private.h"

/* The filter's score without the symbols that are ours. False where it cannot
 * be known: no score, or one of ours is named without its score. */
static bool foreign_score(const struct nd_engine *engine,
                          const struct nd_scan *scan, double *score_r)
{
    double score = scan->score;
    if (!scan->has_score) {
        return false;
    }
    for (size_t i = 0; i < scan->count; i++) {
        const struct nd_scan_symbol *symbol = &scan->symbols[i];
        if (!nd_rule_is_own_symbol(&engine->rule, symbol->name)) {
            continue;
        }
        if (!symbol->has_score) {
            return false;
        }
        score -= symbol->score;
    }
    *score_r = score;
    return true;
}

static bool has_own_symbol(const struct nd_engine *engine,
                           const struct nd_scan *scan)
{
    for (size_t i = 0; i < scan->count; i++) {
        if (nd_rule_is_own_symbol(&engine->rule, scan->symbols[i].name)) {
            return true;
        }
    }
    return false;
}

/* Without a limit of its own the rule takes the filter's verdict: spam where it
 * stays spam without our part; ham only below 0, since "not quite spam" is no
 * example of ham. */
static bool is_spam(const struct nd_rule *rule, const struct nd_scan *scan,
                    double score)
{
    if (rule->has_spam_score) {
        return score >= rule->spam_score;
    }
    return scan->verdict == ND_SCAN_SPAM &&
           (scan->required <= 0 || score >= scan->required);
}

static bool is_ham(const struct nd_rule *rule, const struct nd_scan *scan,
                   double score)
{
    if (rule->has_ham_score) {
        return score <= rule->ham_score;
    }
    return scan->verdict != ND_SCAN_SPAM && score < 0;
}

static enum nd_refusal choose(const struct nd_engine *engine,
                              const struct nd_scan *scan,
                              enum nd_class *label_r)
{
    const struct nd_rule *rule = &engine->rule;
    double score;
    if (foreign_score(engine, scan, &score)) {
        if (!isfinite(score)) {
            return ND_REFUSED_NOT_FINITE;
        }
        bool spam = is_spam(rule, scan, score);
        if (spam == is_ham(rule, scan, score)) {
            return ND_REFUSED_NO_VERDICT;
        }
        *label_r = spam ? ND_SPAM : ND_HAM;
        return ND_REFUSED_NONE;
    }
    /* A verdict without a score is good enough for spam, if it is not ours. */
    if (!scan->has_score && !rule->has_spam_score &&
        scan->verdict == ND_SCAN_SPAM && !has_own_symbol(engine, scan)) {
        *label_r = ND_SPAM;
        return ND_REFUSED_NONE;
    }
    return ND_REFUSED_NO_VERDICT;
}

enum nd_status nd_engine_autolearn(const struct nd_engine *engine,
                                   const struct nd_message *message,
                                   const struct nd_scan *scan,
                                   struct nd_lesson *lesson_r,
                                   enum nd_refusal *reason_r)
{
    const struct nd_scan *findings = nd_engine_findings(message, scan);
    enum nd_class label = ND_HAM;
    enum nd_refusal reason = ND_REFUSED_NO_VERDICT;
    if (!engine->rule.autolearn) {
        *reason_r = ND_REFUSED_NONE;
        return ND_NOTHING;
    }
    if (message != NULL && message->authenticated_user) {
        reason = ND_REFUSED_AUTHENTICATED;
    } else if (findings != NULL) {
        reason = choose(engine, findings, &label);
    }
    if (reason != ND_REFUSED_NONE) {
        *reason_r = reason;
        return ND_NOTHING;
    }
    *lesson_r =
        (struct nd_lesson){.label = label, .source = ND_SOURCE_AUTOLEARN};
    *reason_r = ND_REFUSED_NONE;
    return ND_OK;
}
