/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald status: for each rule what is stored, what is missing, who trains,
 * what was decided, and what is live.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/status_facts.h"

static const struct nd_option options[] = {{0}};

/* ---- for people ---- */

static void print_date(int64_t wall_ms)
{
    char date[32];
    nd_clock_format(wall_ms, date, sizeof(date));
    fputs(date, stdout);
}

static void print_class(const struct nd_status_facts *facts,
                        enum nd_class label)
{
    printf("%llu %s", (unsigned long long)facts->stats.count[label],
           nd_class_name(label));
    const char *before = " (";
    for (int source = ND_SOURCE_COUNT - 1; source >= 0; source--) {
        uint64_t count = facts->stats.sources[label][source];
        if (count > 0) {
            printf("%s%s %llu", before, nd_source_name((enum nd_source)source),
                   (unsigned long long)count);
            before = ", ";
        }
    }
    fputs(strcmp(before, ", ") == 0 ? ")" : "", stdout);
}

static void print_samples(const struct nd_status_facts *facts)
{
    fputs("  samples    ", stdout);
    print_class(facts, ND_SPAM);
    fputs(", ", stdout);
    print_class(facts, ND_HAM);
    uint64_t all = facts->stats.count[0] + facts->stats.count[1];
    printf(
        "; %llu bytes on average\n",
        (unsigned long long)(all > 0 ? facts->stats.payload_bytes / all : 0));
}

static void print_refused(const struct nd_status_facts *facts)
{
    const char *before = "  refused    ";
    for (int i = 1; i < ND_REFUSAL_COUNT; i++) {
        if (facts->stats.refused[i] > 0) {
            printf("%s%s %llu", before, nd_refusal_name((enum nd_refusal)i),
                   (unsigned long long)facts->stats.refused[i]);
            before = ", ";
        }
    }
    fputs(strcmp(before, ", ") == 0 ? "\n" : "", stdout);
}

static void print_training(const struct nd_status_facts *facts)
{
    if (facts->engine != NULL) {
        printf("  training   %s: %s\n", facts->due ? "due" : "not due",
               facts->due_words);
    }
    if (facts->leased) {
        printf("  lease      held by %s since ", facts->lease.holder);
        print_date(facts->lease.since_ms);
        fputs(" until ", stdout);
        print_date(facts->lease.until_ms);
        fputs("\n", stdout);
    } else {
        puts("  lease      free");
    }
}

static void print_model(const struct nd_status_facts *facts)
{
    if (!facts->has_model) {
        puts("  model      none yet");
        return;
    }
    printf("  model      generation %llu, published ",
           (unsigned long long)facts->pointer.generation);
    print_date(facts->live.published_ms);
    printf(" by %s, %llu bytes%s\n", facts->live.origin,
           (unsigned long long)facts->live.size_bytes,
           facts->pointer.pinned ? ", pinned" : "");
    const char *problem =
        facts->engine != NULL ? nd_engine_model_problem(facts->engine) : NULL;
    if (problem != NULL && problem[0] != '\0') {
        printf("  problem    %s\n", problem);
    }
}

static void print_hosts(const struct nd_status_facts *facts)
{
    for (size_t i = 0; i < facts->host_count; i++) {
        printf("  host       %s: generation %llu, seen ", facts->hosts[i].host,
               (unsigned long long)facts->hosts[i].generation);
        print_date(facts->hosts[i].seen_ms);
        fputs("\n", stdout);
    }
}

static void print_journal(const struct nd_status_facts *facts)
{
    for (size_t i = 0; i < facts->journal_count; i++) {
        const struct nd_journal_entry *entry = &facts->journal[i];
        fputs("  trained    ", stdout);
        print_date(entry->time_ms);
        printf(" by %s: %s", entry->holder, nd_decision_name(entry->decision));
        printf("%s%s\n", entry->reason[0] != '\0' ? ": " : "", entry->reason);
    }
}

static void print_facts(const struct nd_status_facts *facts)
{
    printf("rule %s, settings %s%s\n", facts->scope.rule, facts->scope.settings,
           facts->rule == NULL ? " (not in the configuration)" : "");
    print_samples(facts);
    print_refused(facts);
    print_training(facts);
    print_model(facts);
    print_hosts(facts);
    print_journal(facts);
}

/* ---- JSON ---- */

static void json_samples(struct nd_json *json,
                         const struct nd_status_facts *facts)
{
    for (int label = ND_SPAM; label >= ND_HAM; label--) {
        nd_json_unsigned(json, nd_class_name((enum nd_class)label),
                         facts->stats.count[label]);
    }
    nd_json_open(json, "sources", '{');
    for (int label = ND_SPAM; label >= ND_HAM; label--) {
        nd_json_open(json, nd_class_name((enum nd_class)label), '{');
        for (int source = 0; source < ND_SOURCE_COUNT; source++) {
            nd_json_unsigned(json, nd_source_name((enum nd_source)source),
                             facts->stats.sources[label][source]);
        }
        nd_json_close(json, '}');
    }
    nd_json_close(json, '}');
    nd_json_open(json, "refused", '{');
    for (int i = 1; i < ND_REFUSAL_COUNT; i++) {
        if (facts->stats.refused[i] > 0) {
            nd_json_unsigned(json, nd_refusal_name((enum nd_refusal)i),
                             facts->stats.refused[i]);
        }
    }
    nd_json_close(json, '}');
}

static void json_accounts(struct nd_json *json,
                          const struct nd_store_stats *stats)
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

static void json_training(struct nd_json *json,
                          const struct nd_status_facts *facts)
{
    const struct nd_training_state *state = &facts->training;
    nd_json_unsigned(json, "min_train",
                     facts->rule != NULL ? facts->rule->min_train : 0);
    nd_json_unsigned(json, "changes", state->changes);
    nd_json_unsigned(json, "failures", state->failures);
    nd_json_integer(json, "last_training_ms", state->last_ms);
    nd_json_switch(json, "due", facts->due);
    nd_json_text(json, "due_words", facts->due_words);
    nd_json_text(json, "lease_holder",
                 facts->leased ? facts->lease.holder : "");
    nd_json_integer(json, "lease_since_ms",
                    facts->leased ? facts->lease.since_ms : 0);
    nd_json_integer(json, "lease_until_ms",
                    facts->leased ? facts->lease.until_ms : 0);
}

static void json_model(struct nd_json *json,
                       const struct nd_status_facts *facts)
{
    const char *problem =
        facts->engine != NULL ? nd_engine_model_problem(facts->engine) : NULL;
    nd_json_unsigned(json, "generation", facts->pointer.generation);
    nd_json_switch(json, "pinned", facts->pointer.pinned);
    nd_json_integer(json, "published_ms",
                    facts->has_model ? facts->live.published_ms : 0);
    nd_json_text(json, "problem", problem != NULL ? problem : "");
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

static void json_journal(struct nd_json *json,
                         const struct nd_status_facts *facts)
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

static enum nd_status print_json(struct nd_cli *cli, const char *url,
                                 const struct nd_status_facts *facts)
{
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    char *shown = nd_session_shown_url(url);
    nd_json_text(&json, "store", shown);
    free(shown);
    nd_json_text(&json, "rule", facts->scope.rule);
    nd_json_text(&json, "settings", facts->scope.settings);
    nd_json_switch(&json, "configured", facts->rule != NULL);
    json_samples(&json, facts);
    json_accounts(&json, &facts->stats);
    json_training(&json, facts);
    json_model(&json, facts);
    json_journal(&json, facts);
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, &cli->error);
    nd_json_free(&json);
    return status;
}

/* ---- the whole ---- */

static enum nd_status show(struct nd_cli *cli, struct nd_session *session,
                           struct nd_status_facts *facts)
{
    enum nd_status status =
        nd_status_facts_read(session->store, facts, &cli->error);
    if (status == ND_OK && cli->json) {
        status = print_json(cli, session->url, facts);
    } else if (status == ND_OK) {
        print_facts(facts);
    }
    nd_status_facts_free(facts);
    return status;
}

static bool is_configured(const struct nd_session *session,
                          const struct nd_scope *scope)
{
    for (size_t i = 0; i < session->count; i++) {
        if (strcmp(session->rules[i].name, scope->rule) == 0 &&
            strcmp(session->rules[i].settings, scope->settings) == 0) {
            return true;
        }
    }
    return false;
}

/* What the store holds beside the rules of the configuration. */
static enum nd_status show_others(struct nd_cli *cli,
                                  struct nd_session *session)
{
    struct nd_scope *scopes = NULL;
    size_t count = 0;
    enum nd_status status =
        nd_store_scopes(session->store, &cli->error, &scopes, &count);
    for (size_t i = 0; i < count && status == ND_OK; i++) {
        struct nd_status_facts facts = {.scope = scopes[i]};
        if (!is_configured(session, &scopes[i])) {
            status = show(cli, session, &facts);
        }
    }
    free(scopes);
    return status;
}

static enum nd_status run(struct nd_cli *cli)
{
    struct nd_session *session = NULL;
    enum nd_status status = nd_cli_no_words(cli);
    if (status == ND_OK) {
        status = nd_session_open(cli, ND_SESSION_READ, false, &session);
    }
    if (status == ND_OK && !cli->json) {
        char *shown = nd_session_shown_url(session->url);
        printf("store %s\n", shown);
        free(shown);
    }
    for (size_t i = 0; status == ND_OK && i < session->count; i++) {
        struct nd_status_facts facts = {
            .scope = nd_session_scope(&session->rules[i]),
            .rule = &session->rules[i],
            .engine = session->engines[i]};
        status = show(cli, session, &facts);
    }
    if (status == ND_OK && !nd_arguments_flag(cli->arguments, "rule")) {
        status = show_others(cli, session);
    }
    nd_session_close(&session);
    return status;
}

const struct nd_command nd_command_status = {
    .name = "status",
    .usage = "",
    .summary = "show samples, trainings, models and hosts of each rule",
    .about =
        "Shows for each rule: samples by class and source, what was refused "
        "and why, whether a training is due and what it waits for, who holds "
        "the lease, the live generation here and on other hosts, and the last "
        "trainings with their decisions. The store is only read.\n"
        "JSON, an object a rule: store, rule, settings, configured, spam, ham, "
        "sources, refused, accounts (what became of all samples), "
        "payload_bytes, registry_length, store_bytes, min_train, changes, "
        "failures, last_training_ms, due, due_words, lease_holder, "
        "lease_since_ms, lease_until_ms, generation, pinned, published_ms, "
        "problem, hosts, trainings.\n",
    .options = options,
    .run = run,
};
