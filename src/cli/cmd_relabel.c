/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald relabel: changes the label of samples that are stored, by message or
 * in bulk, for every rule. The features stay as they were.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
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
    struct nd_scope scope; /* of the rule under way */
    enum nd_class label;
    struct nd_named_samples samples;
    struct nd_tally tally;
    uint64_t absent, would;
};

static enum nd_status relabel_sample(struct relabelling *run,
                                     const uint8_t identity[ND_IDENTITY_BYTES])
{
    struct nd_claim claim = {run->label, ND_SOURCE_USER, 0};
    struct nd_put_result result;
    enum nd_status status =
        nd_store_relabel(run->session->store, &run->scope, identity, &claim,
                         &run->cli->error, &result);
    if (status == ND_OK) {
        nd_tally_add(&run->tally, run->label, &result);
    }
    return status;
}

static enum nd_status relabel_one(struct relabelling *run,
                                  const struct nd_named_sample *sample)
{
    const uint8_t *identity = sample->identity;
    struct nd_sample_info info;
    enum nd_status status = nd_store_find(run->session->store, &run->scope,
                                          identity, &run->cli->error, &info);
    if (status == ND_OK && run->selection.dry_run) {
        run->would += info.label != run->label;
        return ND_OK;
    }
    if (status == ND_OK) {
        status = relabel_sample(run, identity);
    }
    if (status == ND_NO_INPUT) {
        nd_cli_remark(run->cli,
                      "%s: no sample of rule %s; 'neurald learn' stores one",
                      sample->name, run->scope.rule);
        run->absent++;
        status = ND_OK;
    }
    return status;
}

static enum nd_status relabel_matching(struct relabelling *run)
{
    struct nd_snapshot snapshot;
    enum nd_status status = nd_store_snapshot(run->session->store, &run->scope,
                                              &run->cli->error, &snapshot);
    if (status != ND_OK) {
        return status;
    }
    for (size_t i = 0; i < snapshot.count && status == ND_OK; i++) {
        const struct nd_sample_info *sample = &snapshot.samples[i];
        if (sample->label == run->label ||
            !nd_selection_matches(&run->selection, sample)) {
            continue;
        }
        if (run->selection.dry_run) {
            run->would++;
            continue;
        }
        status = relabel_sample(run, sample->identity);
        /* It went in the meantime: nothing to relabel. */
        status = status == ND_NO_INPUT ? ND_OK : status;
    }
    free(snapshot.samples);
    return status;
}

static enum nd_status print_json(struct relabelling *run)
{
    struct nd_json json = {0};
    uint64_t changed = run->selection.dry_run
                           ? run->would
                           : run->tally.outcomes[ND_PUT_RELABELLED];
    nd_json_open(&json, NULL, '{');
    nd_json_text(&json, "rule", run->scope.rule);
    nd_json_unsigned(&json, "relabelled", changed);
    nd_json_unsigned(&json, "unchanged", run->tally.outcomes[ND_PUT_DUPLICATE]);
    nd_json_unsigned(&json, "refused", run->tally.outcomes[ND_PUT_REFUSED]);
    nd_json_unsigned(&json, "absent", run->absent);
    nd_json_switch(&json, "dry_run", run->selection.dry_run);
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, &run->cli->error);
    nd_json_free(&json);
    return status;
}

static enum nd_status print_result(struct relabelling *run)
{
    if (run->cli->json) {
        return print_json(run);
    }
    if (run->selection.dry_run) {
        printf("%s: %llu would be relabelled to %s", run->scope.rule,
               (unsigned long long)run->would, nd_class_name(run->label));
    } else {
        struct nd_buffer text = {0};
        nd_tally_words(&run->tally, &text);
        printf("%s: to %s: %s", run->scope.rule, nd_class_name(run->label),
               (const char *)text.data);
        nd_buffer_free(&text);
    }
    if (run->absent > 0) {
        printf(", %llu not there", (unsigned long long)run->absent);
    }
    putchar('\n');
    return ND_OK;
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
    run->label = (enum nd_class)label;
    return ND_OK;
}

static enum nd_status relabel_for_rule(struct relabelling *run)
{
    enum nd_status status = ND_OK;
    run->tally = (struct nd_tally){0};
    run->absent = 0;
    run->would = 0;
    if (run->selection.by_filter) {
        status = relabel_matching(run);
    }
    for (size_t i = 0; i < run->samples.count && status == ND_OK; i++) {
        status = relabel_one(run, &run->samples.items[i]);
    }
    return status == ND_OK ? print_result(run) : status;
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
        status = nd_session_open_store(
            cli, run.selection.dry_run ? ND_SESSION_READ : ND_SESSION_WRITE,
            &run.session);
    }
    for (size_t i = 0; status == ND_OK && i < run.session->count; i++) {
        run.scope = nd_session_scope(&run.session->rules[i]);
        status = relabel_for_rule(&run);
    }
    nd_session_close(&run.session);
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
    .run = run,
};
