/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald train: trains now, through the store's lease, and tells the decision
 * with its figures. An interrupt stops the child and gives the lease back.
 */
#include <math.h>
#include <signal.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/remote.h"
#include "cli/remote_train.h"
#include "cli/session.h"
#include "learn/report_json.h"

static const struct nd_option options[] = {
    {"if-due", ND_OPTION_FLAG, NULL,
     "only where the rule's settings say that a training is due; where it is "
     "not, say what it waits for and exit with 0"},
    {0},
};

static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

void nd_train_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = note_interrupt};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool nd_train_show(double done, double loss, const char *stage, void *context)
{
    struct nd_progress *progress = context;
    char detail[128];
    if (isfinite(loss)) {
        snprintf(detail, sizeof(detail), "%s, loss %.4f", stage, loss);
    } else {
        snprintf(detail, sizeof(detail), "%s", stage);
    }
    nd_progress_update(progress, done, detail);
    return interrupted == 0;
}

static enum nd_status print_json(struct nd_cli *cli,
                                 const struct nd_scope *scope,
                                 const struct nd_training_report *report)
{
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    nd_report_json(scope->rule, scope->settings, report, &json);
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, &cli->error);
    nd_json_free(&json);
    return status;
}

static void print_text(const struct nd_scope *scope,
                       const struct nd_training_report *report)
{
    const struct nd_model_figures *figures = &report->candidate;
    printf("%s: %s", scope->rule, nd_decision_name(report->decision));
    if (report->decision == ND_DECISION_PROMOTED) {
        printf(" as generation %llu", (unsigned long long)report->generation);
    }
    printf("%s%s\n", report->reason[0] != '\0' ? ": " : "", report->reason);
    if (report->decision == ND_DECISION_FAILED) {
        return;
    }
    printf("  trained on %llu spam and %llu ham in %.1f s, judged on %llu spam "
           "and %llu ham\n",
           (unsigned long long)figures->spam, (unsigned long long)figures->ham,
           report->seconds, (unsigned long long)figures->held_spam,
           (unsigned long long)figures->held_ham);
    printf("  AUC %.5f, log-loss %.5f, recall %.4f at %g of the ham lost\n",
           figures->held_auc, figures->held_log_loss, figures->held_recall,
           figures->target_fpr);
    if (report->other_layout > 0) {
        printf("  %llu samples were used without families of another "
               "version\n",
               (unsigned long long)report->other_layout);
    }
    if (report->had_live) {
        printf("  the live model on the same: log-loss %.5f, recall %.4f\n",
               report->live_log_loss, report->live_recall);
    }
}

/* A failed training is a failure of the command; a candidate that proved no
 * better is not. */
enum nd_status nd_train_tell(struct nd_cli *cli, const struct nd_scope *scope,
                             const struct nd_training_report *report)
{
    enum nd_status status = ND_OK;
    if (cli->json) {
        status = print_json(cli, scope, report);
    } else {
        print_text(scope, report);
    }
    if (status == ND_OK && report->decision == ND_DECISION_FAILED) {
        status = nd_fail(&cli->error, ND_INTERNAL,
                         "the training of rule %s failed: %s", scope->rule,
                         report->reason);
    }
    return status;
}

static bool is_of_one_rule(enum nd_status status)
{
    return status == ND_NOTHING || status == ND_BUSY || status == ND_LOST ||
           status == ND_SUPERSEDED || status == ND_INTERNAL ||
           status == ND_LIMIT;
}

enum nd_status nd_train_note(struct nd_cli *cli, enum nd_status status,
                             struct nd_train_outcome *outcome)
{
    if (!is_of_one_rule(status)) {
        return status;
    }
    if (outcome->first == ND_OK) {
        outcome->first = status;
        outcome->error = cli->error;
    } else {
        nd_cli_remark(cli, "%s", cli->error.text);
    }
    return ND_OK;
}

enum nd_status nd_train_conclude(struct nd_cli *cli, enum nd_status status,
                                 const struct nd_train_outcome *outcome)
{
    if (status == ND_OK && outcome->first != ND_OK) {
        cli->error = outcome->error;
        return outcome->first;
    }
    return status;
}

static enum nd_status train_rule(struct nd_cli *cli, struct nd_session *session,
                                 size_t index)
{
    const struct nd_rule *rule = &session->rules[index];
    struct nd_engine *engine = session->engines[index];
    struct nd_training_report report;
    bool force = !nd_arguments_flag(cli->arguments, "if-due");

    if (!force) {
        bool due = false;
        char why[256];
        enum nd_status status =
            nd_engine_due(engine, &cli->error, &due, why, sizeof(why));
        if (status != ND_OK) {
            return status;
        }
        if (!due) {
            nd_cli_remark(cli, "%s: no training is due: %s", rule->name, why);
            return ND_OK;
        }
    }
    nd_progress_stage(&cli->progress, "training");
    enum nd_status status = nd_engine_train(
        engine, force, nd_train_show, &cli->progress, &cli->error, &report);
    if (status != ND_OK) {
        return status;
    }
    nd_progress_end(&cli->progress, NULL);
    struct nd_scope scope = nd_session_scope(rule);
    return nd_train_tell(cli, &scope, &report);
}

/* The word behind the command is short for --rule. */
static enum nd_status find_rule(struct nd_cli *cli, const char **name_r)
{
    size_t count;
    const char *const *words = nd_arguments_words(cli->arguments, &count);
    *name_r = count > 0 ? words[0] : NULL;
    if (count > 1) {
        return nd_fail(&cli->error, ND_USAGE,
                       "one rule at a time: %s is one too many", words[1]);
    }
    if (count == 1 && nd_arguments_flag(cli->arguments, "rule")) {
        return nd_fail(&cli->error, ND_USAGE,
                       "give the rule once: as --rule or behind the command");
    }
    if (count == 1 && !nd_cli_is_remote(cli) &&
        nd_config_rule(cli->config, words[0]) == NULL) {
        return nd_fail(&cli->error, ND_USAGE,
                       "no rule %s in the configuration; 'neurald config' "
                       "shows which there are",
                       words[0]);
    }
    return ND_OK;
}

static enum nd_status run(struct nd_cli *cli)
{
    struct nd_session *session = NULL;
    struct nd_train_outcome outcome = {.first = ND_OK};
    const char *name;
    enum nd_status status = find_rule(cli, &name);
    if (status == ND_OK && nd_cli_is_remote(cli)) {
        return nd_remote_train(cli, name);
    }
    if (status == ND_OK) {
        status = nd_session_open(cli, ND_SESSION_WRITE, false, &session);
    }
    if (status != ND_OK) {
        return status;
    }
    nd_train_catch_interrupts();
    for (size_t i = 0; i < session->count && status == ND_OK; i++) {
        if (name == NULL ||
            nd_config_rule(cli->config, name) == &session->rules[i]) {
            status = nd_train_note(cli, train_rule(cli, session, i), &outcome);
        }
    }
    nd_session_close(&session);
    return nd_train_conclude(cli, status, &outcome);
}

const struct nd_command nd_command_train = {
    .name = "train",
    .usage = "[RULE]",
    .summary = "train now, and publish the model if it proves better",
    .about =
        "Takes the lease, trains a candidate in a child process, judges it on "
        "held-out samples beside the live model, and publishes it if it is not "
        "worse. Without RULE all rules are trained, one after the other.\n"
        "The exit status is 0 for a promoted and for a rejected candidate, and "
        "with --if-due also where no training is due; 1 with the reason where "
        "there is nothing to train (too few of a class, a pinned model), 70 "
        "where the training failed, 75 where another host holds the lease or "
        "an interrupt came, 76 where a later neurald made the live model. Of "
        "several rules it is that of the first that was not trained; the "
        "others are trained all the same.\n"
        "JSON, an object a rule: rule, settings, decision (promoted, rejected, "
        "failed), reason, generation, spam, ham, held_spam, held_ham, auc, "
        "log_loss, recall, target_fpr, live_log_loss, live_recall, seconds, "
        "seed, other_layout (samples used without families of another "
        "version).\n",
    .options = options,
    .knows_server = true,
    .run = run,
};
