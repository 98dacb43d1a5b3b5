/* SPDX-License-Identifier: Apache-2.0
 *
 * Scoring for any number of threads: each takes a reference to the rules, and
 * each engine one to its model; nothing else is shared, nobody is waited for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "learn/host_private.h"

static const char *keep(const char *text, struct nd_arena *arena)
{
    return nd_arena_strndup(arena, text, strlen(text));
}

static bool is_blind(struct nd_host *host)
{
    (void)pthread_mutex_lock(&host->rules_lock);
    bool blind = host->blind;
    (void)pthread_mutex_unlock(&host->rules_lock);
    return blind;
}

static void score(struct nd_host *host, struct nd_engine *engine,
                  const struct nd_host_mail *mail, size_t reasons,
                  struct nd_arena *arena, struct nd_host_verdict *verdict_r)
{
    struct nd_host_verdict verdict = {
        .rule = keep(engine->rule.name, arena),
        .settings = keep(engine->rule.settings, arena),
        .verdict = {.probability = 0.5, .kind = ND_UNSURE, .symbol = ""}};
    if (is_blind(host))
        ;
    else if (reasons > 0)
        nd_engine_explain(engine, mail->message, mail->scan, reasons, arena,
                          &verdict.verdict, &verdict.reasons,
                          &verdict.reason_count);
    else
        nd_engine_score(engine, mail->message, mail->scan, arena,
                        &verdict.verdict);
    /* the rule that the symbol belongs to may go with a reload */
    verdict.verdict.symbol = keep(verdict.verdict.symbol, arena);
    nd_host_count(host, ND_HOST_AT(scored) + verdict.verdict.kind, 1);
    if (verdict.verdict.generation == 0)
        nd_host_count(host, ND_HOST_AT(scored_blind), 1);
    *verdict_r = verdict;
}

enum nd_status nd_host_score(struct nd_host *host,
                             const struct nd_host_mail *mail, size_t reasons,
                             struct nd_arena *arena, struct nd_error *error,
                             const struct nd_host_verdict **verdicts_r,
                             size_t *count_r)
{
    if ((host->roles & ND_ROLE_SCORE) == 0)
        return nd_fail(error, ND_PERMISSION,
                       "this host has not the role to score");
    struct nd_host_rules *rules = nd_host_take_rules(host);
    size_t *chosen = nd_arena_take(arena, rules->count * sizeof *chosen);
    size_t count;
    bool unknown;
    enum nd_status status = nd_host_rules_choose(rules, &mail->choice, error,
                                                 chosen, &count, &unknown);
    if (status == ND_OK) {
        struct nd_host_verdict *verdicts =
            nd_arena_take(arena, count * sizeof *verdicts);
        nd_host_count(host, ND_HOST_AT(settings_unknown), unknown);
        for (size_t i = 0; i < count; i++)
            score(host, rules->engines[chosen[i]], mail, reasons, arena,
                  &verdicts[i]);
        *verdicts_r = verdicts;
        *count_r = count;
    }
    nd_host_rules_release(&rules);
    return status;
}

enum nd_status nd_host_autolearn(struct nd_host *host,
                                 const struct nd_host_mail *mail,
                                 struct nd_error *error,
                                 struct nd_lesson *lesson_r,
                                 enum nd_refusal *reason_r)
{
    struct nd_host_rules *rules = nd_host_take_rules(host);
    size_t *chosen = nd_calloc(rules->count, sizeof *chosen);
    size_t count;
    bool unknown;
    enum nd_status status = nd_host_rules_choose(rules, &mail->choice, error,
                                                 chosen, &count, &unknown);
    if (status == ND_OK) {
        status = nd_engine_autolearn(rules->engines[chosen[0]], mail->message,
                                     mail->scan, lesson_r, reason_r);
        if (status == ND_NOTHING && *reason_r != ND_REFUSED_NONE)
            nd_host_count(host, ND_HOST_AT(refused) + *reason_r, 1);
    }
    free(chosen);
    nd_host_rules_release(&rules);
    return status;
}
