/* SPDX-License-Identifier: Apache-2.0
 *
 * The facts of a rule as JSON.
 */
#include "learn/rule_facts.h"

#include <string.h>

void nd_host_reports_merge(struct nd_host_report *hosts, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        struct nd_host_report report = hosts[i];
        char *colon = strrchr(report.host, ':');
        size_t place = 0;
        if (colon != NULL) {
            *colon = '\0';
        }
        while (place < kept && strcmp(hosts[place].host, report.host) != 0) {
            place++;
        }
        if (place == kept) {
            hosts[kept++] = report;
        } else if (report.seen_ms > hosts[place].seen_ms) {
            hosts[place] = report;
        }
    }
    *count = kept;
}

static void write_samples(const struct nd_store_stats *stats,
                          struct nd_json *json)
{
    for (int label = ND_SPAM; label >= ND_HAM; label--) {
        nd_json_unsigned(json, nd_class_name((enum nd_class)label),
                         stats->count[label]);
    }
    nd_json_open(json, "sources", '{');
    for (int label = ND_SPAM; label >= ND_HAM; label--) {
        nd_json_open(json, nd_class_name((enum nd_class)label), '{');
        for (int source = 0; source < ND_SOURCE_COUNT; source++) {
            nd_json_unsigned(json, nd_source_name((enum nd_source)source),
                             stats->sources[label][source]);
        }
        nd_json_close(json, '}');
    }
    nd_json_close(json, '}');
    nd_json_open(json, "refused", '{');
    for (int i = 1; i < ND_REFUSAL_COUNT; i++) {
        if (stats->refused[i] > 0) {
            nd_json_unsigned(json, nd_refusal_name((enum nd_refusal)i),
                             stats->refused[i]);
        }
    }
    nd_json_close(json, '}');
}

static void write_accounts(const struct nd_store_stats *stats,
                           struct nd_json *json)
{
    nd_json_open(json, "accounts", '{');
    nd_json_unsigned(json, "stored", stats->put_stored);
    nd_json_unsigned(json, "relabelled", stats->put_relabelled);
    nd_json_unsigned(json, "merged", stats->put_merged);
    nd_json_unsigned(json, "duplicate", stats->put_duplicate);
    nd_json_unsigned(json, "replaced", stats->replaced);
    nd_json_unsigned(json, "forgotten", stats->forgotten);
    nd_json_unsigned(json, "consumed", stats->consumed);
    nd_json_close(json, '}');
    nd_json_unsigned(json, "payload_bytes", stats->payload_bytes);
    nd_json_unsigned(json, "registry_length", stats->registry_length);
    nd_json_unsigned(json, "store_bytes", stats->store_bytes);
}

static void write_training(const struct nd_rule_facts *facts,
                           struct nd_json *json)
{
    const struct nd_lease *lease = facts->lease;
    nd_json_text(json, "learn_mode", facts->learn_mode);
    nd_json_unsigned(json, "target", facts->target);
    nd_json_unsigned(json, "min_train", facts->min_train);
    nd_json_unsigned(json, "changes", facts->training->changes);
    nd_json_unsigned(json, "failures", facts->training->failures);
    nd_json_integer(json, "last_training_ms", facts->training->last_ms);
    nd_json_switch(json, "due", facts->due);
    nd_json_text(json, "due_words", facts->due_words);
    nd_json_text(json, "lease_holder", lease != NULL ? lease->holder : "");
    nd_json_integer(json, "lease_since_ms",
                    lease != NULL ? lease->since_ms : 0);
    nd_json_integer(json, "lease_until_ms",
                    lease != NULL ? lease->until_ms : 0);
}

static void write_model(const struct nd_rule_facts *facts, struct nd_json *json)
{
    const struct nd_model_info *live = facts->live;
    nd_json_unsigned(json, "generation", facts->pointer.generation);
    nd_json_switch(json, "pinned", facts->pointer.pinned);
    nd_json_integer(json, "published_ms",
                    live != NULL ? live->published_ms : 0);
    nd_json_text(json, "origin", live != NULL ? live->origin : "");
    nd_json_unsigned(json, "model_bytes", live != NULL ? live->size_bytes : 0);
    nd_json_text(json, "problem", facts->problem);
    nd_json_open(json, "hosts", '[');
    for (size_t i = 0; i < facts->host_count; i++) {
        nd_json_open(json, NULL, '{');
        nd_json_text(json, "host", facts->hosts[i].host);
        nd_json_unsigned(json, "generation", facts->hosts[i].generation);
        nd_json_integer(json, "seen_ms", facts->hosts[i].seen_ms);
        nd_json_close(json, '}');
    }
    nd_json_close(json, ']');
}

static void write_journal(const struct nd_rule_facts *facts,
                          struct nd_json *json)
{
    nd_json_open(json, "trainings", '[');
    for (size_t i = 0; i < facts->journal_count; i++) {
        const struct nd_journal_entry *entry = &facts->journal[i];
        nd_json_open(json, NULL, '{');
        nd_json_integer(json, "time_ms", entry->time_ms);
        nd_json_unsigned(json, "token", entry->token);
        nd_json_text(json, "decision", nd_decision_name(entry->decision));
        nd_json_text(json, "holder", entry->holder);
        nd_json_text(json, "reason", entry->reason);
        nd_json_text(json, "figures", entry->figures);
        nd_json_close(json, '}');
    }
    nd_json_close(json, ']');
}

void nd_rule_facts_json(const struct nd_rule_facts *facts, struct nd_json *json)
{
    nd_json_text(json, "rule", facts->rule);
    nd_json_text(json, "settings", facts->settings);
    nd_json_switch(json, "configured", facts->configured);
    write_samples(facts->stats, json);
    write_accounts(facts->stats, json);
    write_training(facts, json);
    write_model(facts, json);
    write_journal(facts, json);
}
