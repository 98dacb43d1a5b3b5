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
#include "cli/remote.h"
#include "cli/remote_status.h"
#include "cli/status_facts.h"

static const struct nd_option options[] = {{0}};

/* ---- for people ---- */

static void print_date(int64_t wall_ms)
{
    char date[32];
    nd_clock_format(wall_ms, date, sizeof(date));
    fputs(date, stdout);
}

static void print_class(const struct nd_rule_facts *facts, enum nd_class label)
{
    printf("%llu %s", (unsigned long long)facts->stats->count[label],
           nd_class_name(label));
    const char *before = " (";
    for (int source = ND_SOURCE_COUNT - 1; source >= 0; source--) {
        uint64_t count = facts->stats->sources[label][source];
        if (count > 0) {
            printf("%s%s %llu", before, nd_source_name((enum nd_source)source),
                   (unsigned long long)count);
            before = ", ";
        }
    }
    fputs(strcmp(before, ", ") == 0 ? ")" : "", stdout);
}

static void print_samples(const struct nd_rule_facts *facts)
{
    fputs("  samples    ", stdout);
    print_class(facts, ND_SPAM);
    fputs(", ", stdout);
    print_class(facts, ND_HAM);
    uint64_t all = facts->stats->count[0] + facts->stats->count[1];
    printf(
        "; %llu bytes on average\n",
        (unsigned long long)(all > 0 ? facts->stats->payload_bytes / all : 0));
}

static void print_target(const struct nd_rule_facts *facts)
{
    if (facts->learn_mode[0] != '\0') {
        printf("  target     %llu of each class (%s), at least %llu to train\n",
               (unsigned long long)facts->target, facts->learn_mode,
               (unsigned long long)facts->min_train);
    }
}

/* What became of samples that are not there any more, or not as they came. */
static void print_accounts(const struct nd_rule_facts *facts)
{
    const struct nd_store_stats *stats = facts->stats;
    const struct {
        const char *words;
        uint64_t count;
    } accounts[] = {
        {"relabelled", stats->put_relabelled}, {"merged", stats->put_merged},
        {"duplicate", stats->put_duplicate},   {"replaced", stats->replaced},
        {"forgotten", stats->forgotten},       {"consumed", stats->consumed},
    };
    printf("  accounts   %llu stored", (unsigned long long)stats->put_stored);
    for (size_t i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++) {
        if (accounts[i].count > 0) {
            printf(", %llu %s", (unsigned long long)accounts[i].count,
                   accounts[i].words);
        }
    }
    fputs("\n", stdout);
}

static void print_refused(const struct nd_rule_facts *facts)
{
    const char *before = "  refused    ";
    for (int i = 1; i < ND_REFUSAL_COUNT; i++) {
        if (facts->stats->refused[i] > 0) {
            printf("%s%s %llu", before, nd_refusal_name((enum nd_refusal)i),
                   (unsigned long long)facts->stats->refused[i]);
            before = ", ";
        }
    }
    fputs(strcmp(before, ", ") == 0 ? "\n" : "", stdout);
}

static void print_training(const struct nd_rule_facts *facts)
{
    if (facts->configured) {
        printf("  training   %s: %s\n", facts->due ? "due" : "not due",
               facts->due_words);
    }
    if (facts->lease != NULL) {
        printf("  lease      held by %s since ", facts->lease->holder);
        print_date(facts->lease->since_ms);
        fputs(" until ", stdout);
        print_date(facts->lease->until_ms);
        puts(facts->lease->until_ms < nd_clock_wall_ms()
                 ? ", left behind: the next training takes it over"
                 : "");
    } else {
        puts("  lease      free");
    }
}

static void print_model(const struct nd_rule_facts *facts)
{
    if (facts->live == NULL) {
        puts("  model      none yet");
        return;
    }
    printf("  model      generation %llu, published ",
           (unsigned long long)facts->pointer.generation);
    print_date(facts->live->published_ms);
    printf(" by %s, %llu bytes%s\n", facts->live->origin,
           (unsigned long long)facts->live->size_bytes,
           facts->pointer.pinned ? ", pinned" : "");
    if (facts->problem[0] != '\0') {
        printf("  problem    %s\n", facts->problem);
    }
}

static void print_hosts(const struct nd_rule_facts *facts)
{
    for (size_t i = 0; i < facts->host_count; i++) {
        printf("  host       %s: generation %llu, seen ", facts->hosts[i].host,
               (unsigned long long)facts->hosts[i].generation);
        print_date(facts->hosts[i].seen_ms);
        fputs("\n", stdout);
    }
}

/* Those of a training's figures that people ask for, as far as it has them: a
 * network of rspamd's has fewer. */
static void print_figures(const char *figures)
{
    static const struct {
        const char *name, *format;
    } shown[] = {
        {"spam", "%.0f spam"},
        {"ham", "%.0f ham"},
        {"seconds", "%.1f s"},
        {"other_layout", "%.0f without families of another version"},
        {"held_spam", "judged on %.0f spam"},
        {"held_ham", "%.0f ham"},
        {"auc", "AUC %.5f"},
        {"log_loss", "log-loss %.5f"},
        {"live_log_loss", "live %.5f"},
        {"recall", "recall %.4f"},
        {"live_recall", "live %.4f"},
        {"target_fpr", "at %g of the ham lost"},
    };
    json_t *object = json_loads(figures, 0, NULL);
    const char *before = "             ";
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        const json_t *value = json_object_get(object, shown[i].name);
        if (json_is_number(value)) {
            fputs(before, stdout);
            printf(shown[i].format, json_number_value(value));
            before = ", ";
        }
    }
    fputs(strcmp(before, ", ") == 0 ? "\n" : "", stdout);
    json_decref(object);
}

static void print_journal(const struct nd_rule_facts *facts)
{
    for (size_t i = 0; i < facts->journal_count; i++) {
        const struct nd_journal_entry *entry = &facts->journal[i];
        fputs("  trained    ", stdout);
        print_date(entry->time_ms);
        printf(" by %s: %s", entry->holder, nd_decision_name(entry->decision));
        printf("%s%s\n", entry->reason[0] != '\0' ? ": " : "", entry->reason);
        print_figures(entry->figures);
    }
}

static void print_facts(const struct nd_rule_facts *facts)
{
    printf("rule %s, settings %s%s\n", facts->rule, facts->settings,
           !facts->configured ? " (not in the configuration)" : "");
    print_samples(facts);
    print_target(facts);
    print_accounts(facts);
    print_refused(facts);
    print_training(facts);
    print_model(facts);
    print_hosts(facts);
    print_journal(facts);
}

/* ---- JSON ---- */

static enum nd_status print_json(struct nd_cli *cli, const char *store,
                                 const struct nd_rule_facts *facts)
{
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    nd_json_text(&json, "store", store);
    nd_rule_facts_json(facts, &json);
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, &cli->error);
    nd_json_free(&json);
    return status;
}

/* ---- the whole ---- */

enum nd_status nd_status_print(struct nd_cli *cli, const char *store,
                               const struct nd_rule_facts *facts)
{
    if (cli->json) {
        return print_json(cli, store, facts);
    }
    print_facts(facts);
    return ND_OK;
}

static struct nd_rule_facts shown_facts(const struct nd_status_facts *facts)
{
    const char *problem =
        facts->engine != NULL ? nd_engine_model_problem(facts->engine) : NULL;
    if (problem == NULL && facts->engine != NULL) {
        problem = nd_engine_model_note(facts->engine);
    }
    struct nd_quota quota = {0};
    if (facts->rule != NULL) {
        quota = nd_rule_quota(facts->rule);
    }
    return (struct nd_rule_facts){
        .rule = facts->scope.rule,
        .settings = facts->scope.settings,
        .configured = facts->rule != NULL,
        .stats = &facts->stats,
        .training = &facts->training,
        .learn_mode = facts->rule != NULL ? nd_quota_name(quota.mode) : "",
        .target = quota.limit,
        .min_train = facts->rule != NULL ? facts->rule->min_train : 0,
        .due = facts->due,
        .due_words = facts->due_words,
        .lease = facts->leased ? &facts->lease : NULL,
        .pointer = facts->pointer,
        .live = facts->has_model ? &facts->live : NULL,
        .problem = problem != NULL ? problem : "",
        .hosts = facts->hosts,
        .host_count = facts->host_count,
        .journal = facts->journal,
        .journal_count = facts->journal_count,
    };
}

static enum nd_status show(struct nd_cli *cli, struct nd_session *session,
                           struct nd_status_facts *facts)
{
    enum nd_status status =
        nd_status_facts_read(session->store, facts, &cli->error);
    if (status == ND_OK) {
        struct nd_rule_facts shown = shown_facts(facts);
        char *store = nd_session_shown_url(session->url);
        status = nd_status_print(cli, store, &shown);
        free(store);
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
    if (status == ND_OK && nd_cli_is_remote(cli)) {
        return nd_remote_status(cli);
    }
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
        "Shows for each rule: samples by class and source, how many are aimed "
        "at, what became of the others, what was refused and why, whether a "
        "training is due and what it waits for, who holds "
        "the lease, the live generation here and on other hosts, and the last "
        "trainings with their decisions and figures. The store is only read.\n"
        "JSON, an object a rule: store, rule, settings, configured, spam, ham, "
        "sources, refused, accounts (what became of all samples), "
        "payload_bytes, registry_length, store_bytes, learn_mode, target, "
        "min_train, changes, failures, last_training_ms, due, due_words, "
        "lease_holder, "
        "lease_since_ms, lease_until_ms, generation, pinned, published_ms, "
        "origin, model_bytes, problem, hosts, trainings.\n",
    .options = options,
    .knows_server = true,
    .run = run,
};
