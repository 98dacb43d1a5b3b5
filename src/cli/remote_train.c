/* SPDX-License-Identifier: Apache-2.0
 *
 * A training by a daemon: starts the job, asks for its progress until it has
 * ended, and tells its report as `neurald train` tells its own.
 */
#include "cli/remote_train.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "cli/remote.h"

#define POLL_US 200000

static double number_or_nan(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
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

static void read_figures(const json_t *from, struct nd_model_figures *figures)
{
    figures->spam = (uint64_t)nd_remote_integer(from, "spam");
    figures->ham = (uint64_t)nd_remote_integer(from, "ham");
    figures->held_spam = (uint64_t)nd_remote_integer(from, "held_spam");
    figures->held_ham = (uint64_t)nd_remote_integer(from, "held_ham");
    figures->held_auc = number_or_nan(from, "auc");
    figures->held_log_loss = number_or_nan(from, "log_loss");
    figures->held_recall = number_or_nan(from, "recall");
    figures->target_fpr = number_or_nan(from, "target_fpr");
}

static void read_report(const json_t *from, struct nd_training_report *report_r)
{
    *report_r = (struct nd_training_report){
        .decision = decision_of(nd_remote_text(from, "decision")),
        .generation = (uint64_t)nd_remote_integer(from, "generation"),
        .live_log_loss = number_or_nan(from, "live_log_loss"),
        .live_recall = number_or_nan(from, "live_recall"),
        .seconds = number_or_nan(from, "seconds"),
        .seed = (uint64_t)nd_remote_integer(from, "seed"),
        .other_layout = (uint64_t)nd_remote_integer(from, "other_layout"),
    };
    report_r->had_live = !isnan(report_r->live_log_loss);
    (void)snprintf(report_r->reason, sizeof(report_r->reason), "%s",
                   nd_remote_text(from, "reason"));
    read_figures(from, &report_r->candidate);
}

/* The status of a job that came to no report, in the daemon's words. */
static enum nd_status fail_job(struct nd_cli *cli, const json_t *job)
{
    const char *name = nd_remote_text(job, "status");
    enum nd_status status = ND_INTERNAL;
    for (int i = ND_OK + 1; i <= ND_KEY; i++) {
        status = strcmp(name, nd_status_name((enum nd_status)i)) == 0
                     ? (enum nd_status)i
                     : status;
    }
    return nd_fail(&cli->error, status, "%s", nd_remote_text(job, "detail"));
}

static enum nd_status tell_job(struct nd_cli *cli, const json_t *job)
{
    const json_t *from = json_object_get(job, "report");
    struct nd_training_report report;
    if (from == NULL) {
        return fail_job(cli, job);
    }
    read_report(from, &report);
    nd_progress_end(&cli->progress, NULL);
    struct nd_scope scope = {nd_remote_text(job, "rule"),
                             nd_remote_text(job, "settings")};
    return nd_train_tell(cli, &scope, &report);
}

/* Asks until the job has ended; the job's last state is the caller's. */
static enum nd_status wait_for(struct nd_cli *cli, struct nd_remote *remote,
                               int64_t id, json_t **job_r)
{
    char path[64];
    struct nd_remote_request request = {.path = path};
    (void)snprintf(path, sizeof(path), "/v1/jobs/%lld", (long long)id);
    for (;;) {
        json_t *job = NULL;
        enum nd_status status = nd_remote_ask(remote, &request, &job);
        if (status != ND_OK) {
            return status;
        }
        if (strcmp(nd_remote_text(job, "state"), "ended") == 0) {
            *job_r = job;
            return ND_OK;
        }
        bool go_on = nd_train_show(
            nd_remote_number(job, "done"), number_or_nan(job, "loss"),
            nd_remote_text(job, "stage"), &cli->progress);
        json_decref(job);
        if (!go_on) {
            return nd_fail(&cli->error, ND_CANCELLED,
                           "interrupted; the daemon trains on, as job %lld",
                           (long long)id);
        }
        (void)usleep(POLL_US);
    }
}

static enum nd_status train_one(struct nd_cli *cli, struct nd_remote *remote,
                                const char *rule, const char *settings)
{
    struct nd_buffer query = {0};
    struct nd_remote_request request = {
        .post = true, .path = "/v1/train", .query = &query};
    json_t *started = NULL, *job = NULL;
    nd_remote_add(&query, "rule", rule);
    nd_remote_add(&query, "settings", settings);
    nd_remote_add(&query, "force",
                  nd_arguments_flag(cli->arguments, "if-due") ? NULL : "1");
    nd_progress_stage(&cli->progress, "training");
    enum nd_status status = nd_remote_ask(remote, &request, &started);
    if (status == ND_OK) {
        status = wait_for(cli, remote, nd_remote_integer(started, "id"), &job);
    }
    if (status == ND_OK) {
        status = tell_job(cli, job);
    }
    json_decref(started);
    json_decref(job);
    nd_buffer_free(&query);
    return status;
}

/* Of the daemon's rules those that are meant. */
static enum nd_status train_rules(struct nd_cli *cli, struct nd_remote *remote,
                                  const char *rule, const json_t *rules)
{
    bool if_due = nd_arguments_flag(cli->arguments, "if-due");
    bool known = false;
    struct nd_train_outcome outcome = {.first = ND_OK};
    enum nd_status status = ND_OK;
    for (size_t i = 0; i < json_array_size(rules) && status == ND_OK; i++) {
        const json_t *one = json_array_get(rules, i);
        const char *name = nd_remote_text(one, "rule");
        if (rule != NULL && strcmp(rule, name) != 0) {
            continue;
        }
        known = true;
        if (if_due && !json_is_true(json_object_get(one, "due"))) {
            nd_cli_remark(cli, "%s: no training is due: %s", name,
                          nd_remote_text(one, "due_words"));
            continue;
        }
        status = nd_train_note(
            cli, train_one(cli, remote, name, nd_remote_text(one, "settings")),
            &outcome);
    }
    if (status == ND_OK && !known) {
        status = nd_fail(&cli->error, ND_USAGE,
                         "the daemon has no rule %s; 'neurald status' shows "
                         "which it has",
                         rule != NULL ? rule : "at all");
    }
    return nd_train_conclude(cli, status, &outcome);
}

enum nd_status nd_remote_train(struct nd_cli *cli, const char *rule)
{
    static const struct nd_remote_request request = {.path = "/v1/status"};
    struct nd_remote *remote = NULL;
    json_t *answer = NULL;
    if (rule == NULL) {
        rule = nd_arguments_value(cli->arguments, "rule");
    }
    enum nd_status status = nd_remote_open(cli, &remote);
    nd_train_catch_interrupts();
    if (status == ND_OK) {
        status = nd_remote_ask(remote, &request, &answer);
    }
    if (status == ND_OK) {
        status =
            train_rules(cli, remote, rule, json_object_get(answer, "rules"));
    }
    json_decref(answer);
    nd_remote_close(&remote);
    return status;
}
