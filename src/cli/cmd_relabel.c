/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald relabel: changes the label of samples that are stored, by message or
 * in bulk, for every rule. The features stay as they were.
 */
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/remote_learn.h"
#include "cli/selection.h"
#include "cli/session.h"
#include "cli/tally.h"
#include "cli/values.h"

static const struct nd_option options[] = {
    {"to", ND_OPTION_VALUE, "CLASS", "the new label: spam or ham"},
    ND_SELECTION_OPTIONS,
    {0},
};

struct relabelling {
    struct nd_cli *cli;
    struct nd_session *session;
    struct nd_selection selection;
    int label;
    struct nd_named_samples samples;
};

/* ---- output ---- */

static enum nd_status print_json(struct relabelling *run, const char *rule,
                                 const struct nd_bulk_result *result)
{
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    nd_json_text(&json, "rule", rule);
    nd_json_unsigned(&json, "relabelled", result->changed);
    nd_json_unsigned(&json, "unchanged", result->unchanged);
    nd_json_unsigned(&json, "refused", result->refused);
    nd_json_unsigned(&json, "absent", result->absent);
    nd_json_switch(&json, "dry_run", run->selection.dry_run);
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, &run->cli->error);
    nd_json_free(&json);
    return status;
}

static void print_words(const struct relabelling *run,
                        const struct nd_bulk_result *result)
{
    struct nd_buffer text = {0};
    struct nd_tally tally = {.known = result->known};
    tally.outcomes[ND_PUT_RELABELLED] = result->changed;
    tally.outcomes[ND_PUT_DUPLICATE] = result->unchanged;
    tally.outcomes[ND_PUT_REFUSED] = result->refused;
    memcpy(tally.refused, result->reasons, sizeof(tally.refused));
    memcpy(tally.count, result->count, sizeof(tally.count));
    nd_tally_words(&tally, &text);
    printf("to %s: %s", nd_class_name((enum nd_class)run->label),
           (const char *)text.data);
    nd_buffer_free(&text);
}

static enum nd_status print_result(struct relabelling *run, const char *rule,
                                   const struct nd_bulk_result *result)
{
    if (run->cli->json) {
        return print_json(run, rule, result);
    }
    printf("%s: ", rule);
    if (run->selection.dry_run) {
        printf("%llu would be relabelled to %s",
               (unsigned long long)result->changed,
               nd_class_name((enum nd_class)run->label));
    } else {
        print_words(run, result);
    }
    if (result->absent > 0) {
        printf(", %llu not there", (unsigned long long)result->absent);
    }
    putchar('\n');
    return ND_OK;
}

/* ---- the work ---- */

/* One sample, or (NULL) those of the selection; adds to sum. */
static enum nd_status relabel(struct relabelling *run,
                              const struct nd_scope *scope,
                              const struct nd_named_sample *sample,
                              struct nd_bulk_result *sum)
{
    struct nd_bulk bulk = {.identity = sample != NULL ? sample->identity : NULL,
                           .filter = run->selection.filter,
                           .label = run->label,
                           .dry_run = run->selection.dry_run};
    struct nd_bulk_result result = {0};
    enum nd_status status = nd_bulk_change(run->session->store, scope, &bulk,
                                           &run->cli->error, &result);
    if (status == ND_OK && result.absent > 0 && sample != NULL) {
        nd_cli_remark(run->cli,
                      "%s: no sample of rule %s; 'neurald learn' stores one",
                      sample->name, scope->rule);
    }
    nd_bulk_sum(sum, &result);
    return status;
}

static enum nd_status relabel_for_rule(struct relabelling *run,
                                       const struct nd_scope *scope)
{
    struct nd_bulk_result sum = {0};
    enum nd_status status =
        run->selection.by_filter ? relabel(run, scope, NULL, &sum) : ND_OK;
    for (size_t i = 0; i < run->samples.count && status == ND_OK; i++) {
        status = relabel(run, scope, &run->samples.items[i], &sum);
    }
    return status == ND_OK ? print_result(run, scope->rule, &sum) : status;
}

static enum nd_status relabel_there(struct relabelling *run)
{
    struct nd_remote_changes changes = {0};
    enum nd_status status = nd_remote_change(
        run->cli, &run->selection, &run->samples, run->label, &changes);
    for (size_t i = 0; i < changes.count && status == ND_OK; i++) {
        status = print_result(run, changes.of[i].rule, &changes.of[i].result);
    }
    nd_remote_changes_free(&changes);
    return status;
}

static enum nd_status relabel_here(struct relabelling *run)
{
    enum nd_status status = nd_session_open_store(
        run->cli, run->selection.dry_run ? ND_SESSION_READ : ND_SESSION_WRITE,
        &run->session);
    for (size_t i = 0; status == ND_OK && i < run->session->count; i++) {
        struct nd_scope scope = nd_session_scope(&run->session->rules[i]);
        status = relabel_for_rule(run, &scope);
    }
    nd_session_close(&run->session);
    return status;
}

static enum nd_status check_usage(struct relabelling *run, size_t paths)
{
    int label = -1;
    enum nd_status status = nd_value_class(run->cli, "to", &label);
    if (status != ND_OK) {
        return status;
    }
    bool named =
        paths > 0 || nd_arguments_flag(run->cli->arguments, "identity");
    if (label < 0 || named == run->selection.by_filter) {
        return nd_fail(&run->cli->error, ND_USAGE,
                       "say --to spam or --to ham, and what to relabel: either "
                       "messages (PATH... or --identity), or --source, "
                       "--label, --since, --until");
    }
    run->label = label;
    return ND_OK;
}

static enum nd_status run(struct nd_cli *cli)
{
    struct relabelling run = {.cli = cli};
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
        status =
            nd_cli_is_remote(cli) ? relabel_there(&run) : relabel_here(&run);
    }
    nd_named_samples_free(&run.samples);
    return status;
}

const struct nd_command nd_command_relabel = {
    .name = "relabel",
    .usage = "--to CLASS PATH... | --to CLASS --source SOURCE [--since WHEN]",
    .summary = "change the label of samples that are stored",
    .about =
        "Gives samples another label, as the user's word: those of messages, "
        "or all that match every one of --source, --label, --since and "
        "--until, for every rule (or the one of --rule). The next training "
        "uses them so.\n"
        "JSON, an object a rule: rule, relabelled, unchanged, refused, absent, "
        "dry_run.\n",
    .options = options,
    .knows_server = true,
    .run = run,
};
