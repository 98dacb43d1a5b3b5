/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a daemon's status back into the facts that `neurald status` prints.
 * The members are those that learn/rule_facts.c writes.
 */
#include "cli/remote_status.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/remote.h"

/* Facts with what they point to. */
struct facts {
    struct nd_rule_facts shown;
    struct nd_store_stats stats;
    struct nd_training_state training;
    struct nd_lease lease;
    struct nd_model_info live;
    struct nd_arena *arena;
};

static uint64_t count_of(const json_t *object, const char *name)
{
    return (uint64_t)nd_remote_integer(object, name);
}

static void read_stats(const json_t *rule, struct nd_store_stats *stats)
{
    const json_t *sources = json_object_get(rule, "sources");
    const json_t *refused = json_object_get(rule, "refused");
    const json_t *accounts = json_object_get(rule, "accounts");
    for (int label = ND_HAM; label <= ND_SPAM; label++) {
        const char *name = nd_class_name((enum nd_class)label);
        const json_t *of_class = json_object_get(sources, name);
        stats->count[label] = count_of(rule, name);
        for (int source = 0; source < ND_SOURCE_COUNT; source++) {
            stats->sources[label][source] =
                count_of(of_class, nd_source_name((enum nd_source)source));
        }
    }
    for (int i = 0; i < ND_REFUSAL_COUNT; i++) {
        stats->refused[i] =
            count_of(refused, nd_refusal_name((enum nd_refusal)i));
    }
    stats->put_stored = count_of(accounts, "stored");
    stats->put_relabelled = count_of(accounts, "relabelled");
    stats->put_merged = count_of(accounts, "merged");
    stats->put_duplicate = count_of(accounts, "duplicate");
    stats->replaced = count_of(accounts, "replaced");
    stats->forgotten = count_of(accounts, "forgotten");
    stats->consumed = count_of(accounts, "consumed");
    stats->payload_bytes = count_of(rule, "payload_bytes");
    stats->registry_length = count_of(rule, "registry_length");
    stats->store_bytes = count_of(rule, "store_bytes");
}

static void read_training(const json_t *rule, struct facts *facts)
{
    const char *holder = nd_remote_text(rule, "lease_holder");
    facts->training.changes = count_of(rule, "changes");
    facts->training.failures = (uint32_t)nd_remote_integer(rule, "failures");
    facts->training.last_ms = nd_remote_integer(rule, "last_training_ms");
    facts->shown.learn_mode = nd_remote_text(rule, "learn_mode");
    facts->shown.target = count_of(rule, "target");
    facts->shown.min_train = count_of(rule, "min_train");
    facts->shown.due = json_is_true(json_object_get(rule, "due"));
    facts->shown.due_words = nd_remote_text(rule, "due_words");
    (void)snprintf(facts->lease.holder, sizeof(facts->lease.holder), "%s",
                   holder);
    facts->lease.since_ms = nd_remote_integer(rule, "lease_since_ms");
    facts->lease.until_ms = nd_remote_integer(rule, "lease_until_ms");
    facts->shown.lease = holder[0] != '\0' ? &facts->lease : NULL;
}

static void read_model(const json_t *rule, struct facts *facts)
{
    struct nd_rule_facts *shown = &facts->shown;
    shown->pointer.generation = count_of(rule, "generation");
    shown->pointer.pinned = json_is_true(json_object_get(rule, "pinned"));
    shown->problem = nd_remote_text(rule, "problem");
    facts->live.published_ms = nd_remote_integer(rule, "published_ms");
    facts->live.size_bytes = count_of(rule, "model_bytes");
    (void)snprintf(facts->live.origin, sizeof(facts->live.origin), "%s",
                   nd_remote_text(rule, "origin"));
    shown->live = shown->pointer.generation != 0 ? &facts->live : NULL;
}

static void read_hosts(const json_t *rule, struct facts *facts)
{
    const json_t *list = json_object_get(rule, "hosts");
    size_t count = json_array_size(list);
    struct nd_host_report *hosts =
        nd_arena_take(facts->arena, count * sizeof(*hosts));
    for (size_t i = 0; i < count; i++) {
        const json_t *from = json_array_get(list, i);
        hosts[i] = (struct nd_host_report){
            .generation = count_of(from, "generation"),
            .seen_ms = nd_remote_integer(from, "seen_ms")};
        (void)snprintf(hosts[i].host, sizeof(hosts[i].host), "%s",
                       nd_remote_text(from, "host"));
    }
    facts->shown.hosts = hosts;
    facts->shown.host_count = count;
}

static enum nd_decision decision_of(const char *name)
{
    int decision = ND_DECISION_PROMOTED;
    while (decision < ND_DECISION_FAILED &&
           strcmp(nd_decision_name((enum nd_decision)decision), name) != 0) {
        decision++;
    }
    return (enum nd_decision)decision;
}

static void read_journal(const json_t *rule, struct facts *facts)
{
    const json_t *list = json_object_get(rule, "trainings");
    size_t count = json_array_size(list);
    struct nd_journal_entry *journal =
        nd_arena_take(facts->arena, count * sizeof(*journal));
    for (size_t i = 0; i < count; i++) {
        const json_t *from = json_array_get(list, i);
        journal[i] = (struct nd_journal_entry){
            .time_ms = nd_remote_integer(from, "time_ms"),
            .token = count_of(from, "token"),
            .decision = decision_of(nd_remote_text(from, "decision")),
            .holder = nd_remote_text(from, "holder"),
            .reason = nd_remote_text(from, "reason"),
            .figures = nd_remote_text(from, "figures")};
    }
    facts->shown.journal = journal;
    facts->shown.journal_count = count;
}

static enum nd_status show_rule(struct nd_cli *cli, const char *store,
                                const json_t *rule)
{
    struct facts facts = {.arena = nd_arena_create(0)};
    facts.shown = (struct nd_rule_facts){
        .rule = nd_remote_text(rule, "rule"),
        .settings = nd_remote_text(rule, "settings"),
        .configured = json_is_true(json_object_get(rule, "configured")),
        .stats = &facts.stats,
        .training = &facts.training};
    read_stats(rule, &facts.stats);
    read_training(rule, &facts);
    read_model(rule, &facts);
    read_hosts(rule, &facts);
    read_journal(rule, &facts);
    enum nd_status status = nd_status_print(cli, store, &facts.shown);
    nd_arena_destroy(&facts.arena);
    return status;
}

static enum nd_status show_rules(struct nd_cli *cli, const json_t *answer)
{
    const char *wanted = nd_arguments_value(cli->arguments, "rule");
    const char *store = nd_remote_text(answer, "store");
    const json_t *rules = json_object_get(answer, "rules");
    bool known = wanted == NULL;
    enum nd_status status = ND_OK;
    if (!cli->json) {
        printf("store %s\n", store);
    }
    for (size_t i = 0; i < json_array_size(rules) && status == ND_OK; i++) {
        const json_t *rule = json_array_get(rules, i);
        if (wanted == NULL ||
            strcmp(wanted, nd_remote_text(rule, "rule")) == 0) {
            known = true;
            status = show_rule(cli, store, rule);
        }
    }
    if (status == ND_OK && !known) {
        status =
            nd_fail(&cli->error, ND_USAGE, "the daemon has no rule %s", wanted);
    }
    return status;
}

enum nd_status nd_remote_status(struct nd_cli *cli)
{
    static const struct nd_remote_request request = {.path = "/v1/status"};
    struct nd_remote *remote = NULL;
    json_t *answer = NULL;
    enum nd_status status = nd_remote_open(cli, &remote);
    if (status == ND_OK) {
        status = nd_remote_ask(remote, &request, &answer);
    }
    if (status == ND_OK) {
        status = show_rules(cli, answer);
    }
    json_decref(answer);
    nd_remote_close(&remote);
    return status;
}
