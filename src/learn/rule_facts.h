/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of one rule in the store, for people and programs: the command
 * line and the API show the same.
 */
#ifndef ND_LEARN_RULE_FACTS_H
#define ND_LEARN_RULE_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "store/store.h"

struct nd_rule_facts {
    const char *rule, *settings;
    bool configured; /* else only the store knows it */
    const struct nd_store_stats *stats;
    const struct nd_training_state *training;
    const char *learn_mode; /* "" where it is not configured */
    uint64_t target;        /* samples of a class that are aimed at */
    uint64_t min_train;
    bool due;
    const char *due_words;
    const struct nd_lease *lease; /* NULL: free */
    struct nd_model_pointer pointer;
    const struct nd_model_info *live; /* NULL: no model */
    const char *problem; /* why it is not in use, or what it goes without */
    const struct nd_host_report *hosts;
    size_t host_count;
    const struct nd_journal_entry *journal;
    size_t journal_count;
};

/* Hosts report as "name:process". Commands come and go, so of each name only
 * the newest report stays, under the name alone. */
void nd_host_reports_merge(struct nd_host_report *hosts, size_t *count);

/* Members of an open object: rule, settings, configured, spam, ham, sources,
 * refused, accounts, payload_bytes, registry_length, store_bytes, learn_mode,
 * target, min_train, changes, failures, last_training_ms, due, due_words,
 * lease_holder, lease_since_ms, lease_until_ms, generation, pinned,
 * published_ms, origin, model_bytes, problem, hosts, trainings. */
void nd_rule_facts_json(const struct nd_rule_facts *facts,
                        struct nd_json *json);

#endif
