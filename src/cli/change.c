/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses samples and has them changed, rule by rule: those of a filter in one
 * step, those that are named one by one, so that each that is not there can be
 * told.
 */
#include "cli/change.h"

#include "cli/remote_learn.h"
#include "cli/session.h"

struct changing {
    struct nd_change *change;
    struct nd_session *session;
    struct nd_selection selection;
    struct nd_named_samples samples;
};

/* One sample, or (NULL) those of the selection; adds to sum. */
static enum nd_status change_one(struct changing *run,
                                 const struct nd_scope *scope,
                                 const struct nd_named_sample *sample,
                                 struct nd_bulk_result *sum)
{
    struct nd_cli *cli = run->change->cli;
    struct nd_bulk bulk = {.identity = sample != NULL ? sample->identity : NULL,
                           .filter = run->selection.filter,
                           .label = run->change->label,
                           .dry_run = run->selection.dry_run};
    struct nd_bulk_result result = {0};
    enum nd_status status =
        nd_bulk_change(run->session->store, scope, &bulk, &cli->error, &result);
    if (status == ND_OK && result.absent > 0 && sample != NULL) {
        nd_cli_remark(cli, "%s: no sample of rule %s%s", sample->name,
                      scope->rule, run->change->if_absent);
    }
    nd_bulk_sum(sum, &result);
    return status;
}

static enum nd_status change_rule(struct changing *run,
                                  const struct nd_scope *scope)
{
    struct nd_bulk_result sum = {0};
    enum nd_status status =
        run->selection.by_filter ? change_one(run, scope, NULL, &sum) : ND_OK;
    for (size_t i = 0; i < run->samples.count && status == ND_OK; i++) {
        status = change_one(run, scope, &run->samples.items[i], &sum);
    }
    return status == ND_OK ? run->change->print(run->change, scope->rule, &sum)
                           : status;
}

static enum nd_status change_here(struct changing *run)
{
    enum nd_status status = nd_session_open_store(
        run->change->cli,
        run->selection.dry_run ? ND_SESSION_READ : ND_SESSION_WRITE,
        &run->session);
    for (size_t i = 0; status == ND_OK && i < run->session->count; i++) {
        struct nd_scope scope = nd_session_scope(&run->session->rules[i]);
        status = change_rule(run, &scope);
    }
    nd_session_close(&run->session);
    return status;
}

static enum nd_status change_there(struct changing *run)
{
    struct nd_remote_changes changes = {0};
    enum nd_status status =
        nd_remote_change(run->change->cli, &run->selection, &run->samples,
                         run->change->label, &changes);
    for (size_t i = 0; i < changes.count && status == ND_OK; i++) {
        status = run->change->print(run->change, changes.of[i].rule,
                                    &changes.of[i].result);
    }
    nd_remote_changes_free(&changes);
    return status;
}

enum nd_status nd_change_run(struct nd_change *change)
{
    struct nd_cli *cli = change->cli;
    struct changing run = {.change = change};
    size_t count;
    const char *const *paths = nd_arguments_words(cli->arguments, &count);
    bool named = count > 0 || nd_arguments_flag(cli->arguments, "identity");
    enum nd_status status = nd_selection_read(cli, &run.selection);
    if (status == ND_OK && named == run.selection.by_filter) {
        status = nd_fail(&cli->error, ND_USAGE, "%s", change->usage);
    }
    if (status == ND_OK) {
        status = nd_named_samples_read(cli, paths, count, &run.samples);
    }
    if (status == ND_OK) {
        change->dry_run = run.selection.dry_run;
        status = nd_cli_is_remote(cli) ? change_there(&run) : change_here(&run);
    }
    nd_named_samples_free(&run.samples);
    return status;
}
