/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald forget: takes samples out of the store, by message or in bulk, for
 * every rule. Forgetting by source and time undoes a poisoning.
 */
#include "base/json.h"
#include "cli/change.h"
#include "cli/command.h"

static const struct nd_option options[] = {ND_SELECTION_OPTIONS, {0}};

static enum nd_status print_result(const struct nd_change *change,
                                   const char *rule,
                                   const struct nd_bulk_result *result)
{
    if (change->cli->json) {
        struct nd_json json = {0};
        nd_json_open(&json, NULL, '{');
        nd_json_text(&json, "rule", rule);
        nd_json_unsigned(&json, "forgotten", result->changed);
        nd_json_unsigned(&json, "absent", result->absent);
        nd_json_switch(&json, "dry_run", change->dry_run);
        nd_json_close(&json, '}');
        enum nd_status status =
            nd_json_line(&json, stdout, &change->cli->error);
        nd_json_free(&json);
        return status;
    }
    printf("%s: %llu sample%s %sforgotten", rule,
           (unsigned long long)result->changed, result->changed == 1 ? "" : "s",
           change->dry_run ? "would be " : "");
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
        .usage = "say what to forget: either messages (PATH... or --identity), "
                 "or --source, --label, --since, --until",
        .if_absent = "",
        .print = print_result};
    return nd_change_run(&change);
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
