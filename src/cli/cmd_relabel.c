/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald relabel: changes the label of samples that are stored, by message or
 * in bulk, for every rule. The features stay as they were.
 */
#include <string.h>

#include "base/json.h"
#include "cli/change.h"
#include "cli/command.h"
#include "cli/tally.h"
#include "cli/values.h"

static const struct nd_option options[] = {
    {"to", ND_OPTION_VALUE, "CLASS", "the new label: spam or ham"},
    ND_SELECTION_OPTIONS,
    {0},
};

static enum nd_status print_json(const struct nd_change *change,
                                 const char *rule,
                                 const struct nd_bulk_result *result)
{
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    nd_json_text(&json, "rule", rule);
    nd_json_unsigned(&json, "relabelled", result->changed);
    nd_json_unsigned(&json, "unchanged", result->unchanged);
    nd_json_unsigned(&json, "refused", result->refused);
    nd_json_unsigned(&json, "absent", result->absent);
    nd_json_switch(&json, "dry_run", change->dry_run);
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, &change->cli->error);
    nd_json_free(&json);
    return status;
}

static void print_words(const struct nd_change *change,
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
    printf("to %s: %s", nd_class_name((enum nd_class)change->label),
           (const char *)text.data);
    nd_buffer_free(&text);
}

static enum nd_status print_result(const struct nd_change *change,
                                   const char *rule,
                                   const struct nd_bulk_result *result)
{
    if (change->cli->json) {
        return print_json(change, rule, result);
    }
    printf("%s: ", rule);
    if (change->dry_run) {
        printf("%llu would be relabelled to %s",
               (unsigned long long)result->changed,
               nd_class_name((enum nd_class)change->label));
    } else {
        print_words(change, result);
    }
    if (result->absent > 0) {
        printf(", %llu not there", (unsigned long long)result->absent);
    }
    putchar('\n');
    return ND_OK;
}

static enum nd_status run(struct nd_cli *cli)
{
    struct nd_change change = {
        .cli = cli,
        .label = -1,
        .usage = "say --to spam or --to ham, and what to relabel: either "
                 "messages (PATH... or --identity), or --source, --label, "
                 "--since, --until",
        .if_absent = "; 'neurald learn' stores one",
        .print = print_result};
    enum nd_status status = nd_value_class(cli, "to", &change.label);
    if (status == ND_OK && change.label < 0) {
        status = nd_fail(&cli->error, ND_USAGE, "%s", change.usage);
    }
    return status == ND_OK ? nd_change_run(&change) : status;
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
