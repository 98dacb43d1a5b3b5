/* SPDX-License-Identifier: Apache-2.0
 *
 * Upkeep by the hosts that train: what nothing points to, models that have not
 * been in use for ann_expire, profiles over max_profiles. Each host does it at
 * times of its own; twice does no harm. The live model and pinned ones stay
 * whatever their age.
 */
#include "base/log.h"
#include "base/memory.h"
#include "learn/host_private.h"

/* Longer than the spool keeps a lesson: a tombstone must outlive it. */
#define KEEP_MS (INT64_C(30) * 24 * 60 * 60 * 1000)

static void log_line(const char *line, void *context)
{
    (void)context;
    nd_log(ND_LOG_INFO, "upkeep: %s", line);
}

static enum nd_status clean_rule(struct nd_store *store,
                                 const struct nd_rule *rule,
                                 struct nd_error *error, uint64_t *count_r)
{
    struct nd_scope scope = {rule->name, rule->settings};
    struct nd_arena *arena = nd_arena_create(0);
    const struct nd_profile *dropped;
    size_t profiles = 0;
    uint64_t models = 0;
    enum nd_status status = nd_store_model_expire(
        store, &scope, rule->ann_expire_ms, error, &models);
    if (status == ND_OK)
        status = nd_store_profile_trim(store, rule->name, rule->max_profiles,
                                       rule->watch_interval_ms, arena, error,
                                       &dropped, &profiles);
    nd_arena_destroy(&arena);
    *count_r = models + profiles;
    return status;
}

static void tell(struct nd_host *host, const struct nd_rule *rule,
                 uint64_t count)
{
    struct nd_host_event event = {.kind = ND_HOST_MAINTAINED,
                                  .rule = rule->name,
                                  .settings = rule->settings,
                                  .count = count,
                                  .text = "old models and profiles dropped"};
    if (count > 0)
        nd_host_tell(host, &event);
}

void nd_host_maintain(struct nd_host_line *line,
                      const struct nd_host_rules *rules)
{
    struct nd_error error = {""};
    enum nd_status status = nd_host_line_open(line, &error);
    if (status == ND_OK)
        status = nd_store_maintain(line->store, KEEP_MS, false, log_line, NULL,
                                   &error);
    /* that Redis may evict keys, or is full, is said by now */
    if (status == ND_CONFIG || status == ND_FULL)
        status = ND_OK;
    for (size_t i = 0; status == ND_OK && i < rules->count; i++) {
        const struct nd_rule *rule = &rules->engines[i]->rule;
        uint64_t count = 0;
        status = clean_rule(line->store, rule, &error, &count);
        tell(line->host, rule, count);
    }
    if (nd_host_is_away(status) || status == ND_VERSION)
        (void)nd_host_line_note(line, status, &error);
    if (status == ND_OK)
        nd_host_count(line->host, ND_HOST_AT(maintained), 1);
    else
        nd_log(ND_LOG_WARNING, "upkeep of the store: %s", error.text);
}
