/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald forget: takes samples out of the store, by message or in bulk, for
 * every rule. Forgetting by source and time undoes a poisoning.
 */
#include "base/json.h"
#include "cli/command.h"
#include "cli/remote_learn.h"
#include "cli/selection.h"
#include "cli/session.h"

static const struct nd_option options[] = {ND_SELECTION_OPTIONS, {0}};

struct forgetting {
    struct nd_cli *cli;
    struct nd_session *session;
    struct nd_selection selection;
    const char *rule; /* under way */
    struct nd_named_samples samples;
    uint64_t forgotten, absent;
};

/* One sample, or (NULL) those of the selection. */
static enum nd_status forget(struct forgetting *run,
                             const struct nd_scope *scope,
                             const struct nd_named_sample *sample)
{
    struct nd_bulk bulk = {.identity = sample != NULL ? sample->identity : NULL,
                           .filter = run->selection.filter,
                           .label = -1,
                           .dry_run = run->selection.dry_run};
    struct nd_bulk_result result = {0};
    enum nd_status status = nd_bulk_change(run->session->store, scope, &bulk,
                                           &run->cli->error, &result);
    if (status == ND_OK && result.absent > 0 && sample != NULL) {
        nd_cli_remark(run->cli, "%s: no sample of rule %s", sample->name,
                      scope->rule);
    }
    run->forgotten += result.changed;
    run->absent += result.absent;
    return status;
}

static enum nd_status print_result(struct forgetting *run)
{
    enum nd_status status = ND_OK;
    if (run->cli->json) {
        struct nd_json json = {0};
        nd_json_open(&json, NULL, '{');
        nd_json_text(&json, "rule", run->rule);
        nd_json_unsigned(&json, "forgotten", run->forgotten);
        nd_json_unsigned(&json, "absent", run->absent);
        nd_json_switch(&json, "dry_run", run->selection.dry_run);
        nd_json_close(&json, '}');
        status = nd_json_line(&json, stdout, &run->cli->error);
        nd_json_free(&json);
        return status;
    }
    printf("%s: %llu sample%s %sforgotten", run->rule,
           (unsigned long long)run->forgotten, run->forgotten == 1 ? "" : "s",
           run->selection.dry_run ? "would be " : "");
    if (run->absent > 0) {
        printf(", %llu not there", (unsigned long long)run->absent);
    }
    putchar('\n');
    return ND_OK;
}

static enum nd_status forget_for_rule(struct forgetting *run,
                                      const struct nd_scope *scope)
{
    enum nd_status status = ND_OK;
    run->rule = scope->rule;
    run->forgotten = 0;
    run->absent = 0;
    if (run->selection.by_filter) {
        status = forget(run, scope, NULL);
    }
    for (size_t i = 0; i < run->samples.count && status == ND_OK; i++) {
        status = forget(run, scope, &run->samples.items[i]);
    }
    return status == ND_OK ? print_result(run) : status;
}

static enum nd_status check_usage(struct forgetting *run, size_t paths)
{
    bool named =
        paths > 0 || nd_arguments_flag(run->cli->arguments, "identity");
    if (named == run->selection.by_filter) {
        return nd_fail(&run->cli->error, ND_USAGE,
                       "say what to forget: either messages (PATH... or "
                       "--identity), or --source, --label, --since, --until");
    }
    return ND_OK;
}

static enum nd_status forget_there(struct forgetting *run)
{
    struct nd_remote_changes changes = {0};
    enum nd_status status = nd_remote_change(run->cli, &run->selection,
                                             &run->samples, -1, &changes);
    for (size_t i = 0; i < changes.count && status == ND_OK; i++) {
        run->rule = changes.of[i].rule;
        run->forgotten = changes.of[i].result.changed;
        run->absent = changes.of[i].result.absent;
        status = print_result(run);
    }
    nd_remote_changes_free(&changes);
    return status;
}

static enum nd_status forget_here(struct forgetting *run)
{
    enum nd_status status = nd_session_open_store(
        run->cli, run->selection.dry_run ? ND_SESSION_READ : ND_SESSION_WRITE,
        &run->session);
    for (size_t i = 0; status == ND_OK && i < run->session->count; i++) {
        struct nd_scope scope = nd_session_scope(&run->session->rules[i]);
        status = forget_for_rule(run, &scope);
    }
    nd_session_close(&run->session);
    return status;
}

static enum nd_status run(struct nd_cli *cli)
{
    struct forgetting run = {.cli = cli};
    size_t count;
    const char *const *paths = nd_arguments_words(cli->arguments, &count);
    enum nd_status status = nd_selection_read(cli, &run.selection);
    if (status == ND_OK) {
        status = check_usage(&run, count);
    }
    if (status == ND_OK) {
        status = nd_named_samples_read(cli, paths, count, &run.samples);
    }
    if (status == ND_OK) {
        status = nd_cli_is_remote(cli) ? forget_there(&run) : forget_here(&run);
    }
    nd_named_samples_free(&run.samples);
    return status;
}

const struct nd_command nd_command_forget = {
    .name = "forget",
    .usage = "PATH... | --identity HEX... | --source SOURCE [--since WHEN]",
    .summary = "take samples out of the store",
    .about =
        "Forgets the samples of messages, or all that match every one of "
        "--source, --label, --since and --until, for every rule (or the one "
        "of --rule). The next training goes without them; 'neurald train' "
        "trains at once.\n"
        "JSON, an object a rule: rule, forgotten, absent, dry_run.\n",
    .options = options,
    .knows_server = true,
    .run = run,
};
