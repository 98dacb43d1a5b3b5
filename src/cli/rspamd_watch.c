/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald rspamd sync and watch: which rules, how often, and what is printed.
 * What a look does is in src/rspamd/watch.c.
 */
#include "cli/rspamd_watch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/random.h"
#include "cli/session.h"
#include "rspamd/watch.h"

/* The rules of one run with what watches for each. */
struct watches {
    struct nd_cli *cli;
    struct nd_session *session;
    struct nd_rspamd_watch **of;
    struct nd_rule *rules;
    size_t count;
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    stopped = number;
}

static bool goes_on(void *context)
{
    (void)context;
    return !stopped;
}

static enum nd_status choose_rules(struct watches *watches)
{
    struct nd_cli *cli = watches->cli;
    const struct nd_config *config = cli->config;
    const char *name = nd_arguments_value(cli->arguments, "rule");
    watches->rules = config->rules + config->rule_count;
    watches->count = config->rspamd_rule_count;
    for (size_t i = 0; name != NULL && i < config->rspamd_rule_count; i++) {
        if (strcmp(watches->rules[i].name, name) == 0) {
            watches->rules += i;
            watches->count = 1;
            return ND_OK;
        }
    }
    if (name != NULL || watches->count == 0) {
        return nd_fail(&cli->error, ND_USAGE,
                       "no rule%s%s of kind rspamd in the configuration "
                       "(docs/rspamd.md)",
                       name != NULL ? " " : "", name != NULL ? name : "");
    }
    return ND_OK;
}

static void close_watches(struct watches *watches)
{
    for (size_t i = 0; watches->of != NULL && i < watches->count; i++) {
        nd_rspamd_watch_destroy(&watches->of[i]);
    }
    free(watches->of);
    nd_session_close(&watches->session);
}

static enum nd_status open_watches(struct watches *watches)
{
    struct nd_cli *cli = watches->cli;
    enum nd_status status = choose_rules(watches);
    if (status == ND_OK) {
        status =
            nd_session_open_bare(cli, ND_SESSION_CREATE, &watches->session);
    }
    if (status != ND_OK) {
        return status;
    }
    watches->of = nd_calloc(watches->count, sizeof(struct nd_rspamd_watch *));
    for (size_t i = 0; status == ND_OK && i < watches->count; i++) {
        status =
            nd_rspamd_watch_create(watches->session->store, &watches->rules[i],
                                   &cli->error, &watches->of[i]);
        if (status == ND_OK) {
            nd_rspamd_watch_ask(watches->of[i], goes_on, NULL);
        }
    }
    return status;
}

/* ---- telling ---- */

static void tell_text(const struct nd_rule *rule,
                      const struct nd_rspamd_report *report)
{
    printf("%s: %s: %s; %llu vectors stored, %llu known, %llu refused, %llu "
           "malformed, %llu of another length\n",
           rule->name, nd_rspamd_outcome_name(report->outcome), report->text,
           (unsigned long long)report->collected.stored,
           (unsigned long long)report->collected.known,
           (unsigned long long)report->collected.refused,
           (unsigned long long)report->collected.malformed,
           (unsigned long long)report->collected.other_length);
    if (report->trained) {
        printf("%s: trained on %zu spam and %zu ham in %.2f s, held out: AUC "
               "%.4f, recall %.3f\n",
               rule->name, report->held_out.spam, report->held_out.ham,
               report->seconds, report->held_out.auc, report->held_out.recall);
    }
    if (report->compared) {
        printf("%s: on %zu vectors that neither has seen: AUC %.4f, the live "
               "one's %.4f\n",
               rule->name,
               report->judgement.candidate.spam +
                   report->judgement.candidate.ham,
               report->judgement.candidate.auc, report->judgement.live.auc);
    }
}

static enum nd_status tell_json(struct nd_cli *cli, const struct nd_rule *rule,
                                const struct nd_rspamd_report *report)
{
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    nd_json_text(&json, "rule", rule->name);
    nd_json_text(&json, "outcome", nd_rspamd_outcome_name(report->outcome));
    nd_json_text(&json, "text", report->text);
    nd_json_unsigned(&json, "version", report->version);
    nd_json_unsigned(&json, "stored", report->collected.stored);
    nd_json_unsigned(&json, "known", report->collected.known);
    nd_json_unsigned(&json, "refused", report->collected.refused);
    nd_json_unsigned(&json, "malformed", report->collected.malformed);
    nd_json_unsigned(&json, "other_length", report->collected.other_length);
    if (report->trained) {
        nd_json_number(&json, "seconds", report->seconds);
        nd_json_number(&json, "auc", report->held_out.auc);
        nd_json_number(&json, "recall", report->held_out.recall);
    }
    if (report->compared) {
        nd_json_number(&json, "live_auc", report->judgement.live.auc);
        nd_json_number(&json, "live_recall", report->judgement.live.recall);
        nd_json_number(&json, "loss_difference",
                       report->judgement.loss_difference);
    }
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, &cli->error);
    nd_json_free(&json);
    return status;
}

static enum nd_status look(struct watches *watches, size_t index)
{
    struct nd_cli *cli = watches->cli;
    struct nd_rspamd_report report;
    enum nd_status status = nd_rspamd_watch_look(
        watches->of[index], nd_arguments_flag(cli->arguments, "force"),
        &cli->error, &report);
    if (status != ND_OK) {
        return status;
    }
    if (cli->json) {
        return tell_json(cli, &watches->rules[index], &report);
    }
    tell_text(&watches->rules[index], &report);
    fflush(stdout);
    return ND_OK;
}

/* ---- the actions ---- */

enum nd_status nd_rspamd_run_sync(struct nd_cli *cli)
{
    struct watches watches = {.cli = cli};
    enum nd_status status = open_watches(&watches);
    for (size_t i = 0; status == ND_OK && i < watches.count; i++) {
        status = look(&watches, i);
    }
    close_watches(&watches);
    return status;
}

/* Sleeps for the shortest watch_interval, a little less or more, so that hosts
 * do not look all at once. A signal ends it. */
static void rest(const struct watches *watches)
{
    int64_t shortest_ms = INT64_MAX;
    uint8_t chance;
    for (size_t i = 0; i < watches->count; i++) {
        if (watches->rules[i].watch_interval_ms < shortest_ms) {
            shortest_ms = watches->rules[i].watch_interval_ms;
        }
    }
    nd_random_system(&chance, sizeof(chance));
    int64_t pause_ms = shortest_ms * (int64_t)(230 + chance / 5) / 256;
    struct timespec left = {pause_ms / 1000, (long)(pause_ms % 1000) * 1000000};
    while (!stopped && nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

enum nd_status nd_rspamd_run_watch(struct nd_cli *cli)
{
    struct watches watches = {.cli = cli};
    struct sigaction action = {.sa_handler = stop};
    stopped = 0;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    enum nd_status status = open_watches(&watches);
    while (status == ND_OK && !stopped) {
        for (size_t i = 0; i < watches.count && !stopped; i++) {
            if (look(&watches, i) != ND_OK) {
                nd_cli_remark(cli, "rule %s: %s", watches.rules[i].name,
                              cli->error.text);
            }
        }
        rest(&watches);
    }
    close_watches(&watches);
    return status;
}
