/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks the store everything that status and doctor tell about a rule. Only
 * reads.
 */
#include "cli/status_facts.h"

#include <stdlib.h>

#include "base/memory.h"
#include "learn/rule_facts.h"

static enum nd_status read_lease(struct nd_store *store,
                                 struct nd_status_facts *facts,
                                 struct nd_error *error)
{
    enum nd_status status =
        nd_store_lease_show(store, &facts->scope, error, &facts->lease);
    facts->leased = status == ND_OK;
    return status == ND_NOTHING ? ND_OK : status;
}

static enum nd_status read_model(struct nd_store *store,
                                 struct nd_status_facts *facts,
                                 struct nd_error *error)
{
    struct nd_model_info *models = NULL;
    size_t count = 0;
    enum nd_status status =
        nd_store_model_current(store, &facts->scope, error, &facts->pointer);
    if (status == ND_NOTHING) {
        return ND_OK;
    }
    if (status == ND_OK) {
        status =
            nd_store_model_list(store, &facts->scope, error, &models, &count);
    }
    for (size_t i = 0; i < count && status == ND_OK; i++) {
        if (models[i].live) {
            facts->live = models[i];
            facts->has_model = true;
        }
    }
    free(models);
    return status;
}

static enum nd_status read_due(struct nd_status_facts *facts,
                               struct nd_error *error)
{
    if (facts->engine == NULL) {
        return ND_OK;
    }
    return nd_engine_due(facts->engine, error, &facts->due, facts->due_words,
                         sizeof(facts->due_words));
}

enum nd_status nd_status_facts_read(struct nd_store *store,
                                    struct nd_status_facts *facts,
                                    struct nd_error *error)
{
    facts->arena = nd_arena_create(0);
    enum nd_status status = nd_store_now(store, error, &facts->now_ms);
    if (status == ND_OK) {
        status = nd_store_stats(store, &facts->scope, error, &facts->stats);
    }
    if (status == ND_OK) {
        status = nd_store_training_state(store, &facts->scope, error,
                                         &facts->training);
    }
    if (status == ND_OK) {
        status = read_lease(store, facts, error);
    }
    if (status == ND_OK) {
        status = read_model(store, facts, error);
    }
    if (status == ND_OK) {
        status = nd_store_host_list(store, &facts->scope, error, &facts->hosts,
                                    &facts->host_count);
    }
    if (status == ND_OK) {
        nd_host_reports_merge(facts->hosts, &facts->host_count);
    }
    if (status == ND_OK) {
        status = nd_store_journal(store, &facts->scope, ND_STATUS_JOURNAL,
                                  facts->arena, error, &facts->journal,
                                  &facts->journal_count);
    }
    return status == ND_OK ? read_due(facts, error) : status;
}

void nd_status_facts_free(struct nd_status_facts *facts)
{
    free(facts->hosts);
    nd_arena_destroy(&facts->arena);
    facts->hosts = NULL;
}
