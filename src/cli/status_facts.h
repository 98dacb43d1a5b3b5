/* SPDX-License-Identifier: Apache-2.0
 *
 * What a store says of one rule, gathered for status and doctor.
 */
#ifndef ND_CLI_STATUS_FACTS_H
#define ND_CLI_STATUS_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/session.h"
#include "store/store.h"

#define ND_STATUS_JOURNAL 5

struct nd_status_facts {
    struct nd_scope scope;
    const struct nd_rule *rule; /* NULL: not in the configuration */
    struct nd_engine *engine;   /* NULL likewise */
    struct nd_store_stats stats;
    struct nd_training_state training;
    bool leased;
    struct nd_lease lease;
    bool has_model;
    struct nd_model_pointer pointer;
    struct nd_model_info live; /* where has_model */
    struct nd_host_report *hosts;
    size_t host_count;
    const struct nd_journal_entry *journal;
    size_t journal_count;
    bool due;
    char due_words[256];
    int64_t now_ms; /* the store's clock */
    struct nd_arena *arena;
};

/* Gathers what the store has on scope. engine and rule may be NULL. Freed with
 * nd_status_facts_free, also after a failure. */
enum nd_status nd_status_facts_read(struct nd_store *store,
                                    struct nd_status_facts *facts,
                                    struct nd_error *error) ND_MUST_CHECK;
void nd_status_facts_free(struct nd_status_facts *facts);

#endif
