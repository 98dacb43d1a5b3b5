/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald eval: a corpus in, figures out. Reads the options, has eval.c do the
 * work, and prints.
 */
#include <stdlib.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/eval.h"
#include "cli/reading.h"
#include "cli/report.h"
#include "cli/values.h"
#include "nn/network.h"

static const struct nd_option options[] = {
    {"spam", ND_OPTION_LIST, "PATH", "spam: messages, mbox, Maildir, folders"},
    {"ham", ND_OPTION_LIST, "PATH", "ham"},
    {"split", ND_OPTION_VALUE, "SHARE",
     "share to test on, as 0.25 or 1/4 (the default): every file where the "
     "SHA-1 of its bare name, as an integer, is divisible by 4"},
    {"train-spam", ND_OPTION_LIST, "PATH",
     "train on this spam, and test on all of --spam and --ham"},
    {"train-ham", ND_OPTION_LIST, "PATH", "train on this ham"},
    {"index", ND_OPTION_VALUE, "FILE",
     "messages from an index: lines of 'spam PATH' or 'ham PATH' in order of "
     "time; a relative path is looked for beside the index, then in the "
     "current folder"},
    {"train-first", ND_OPTION_VALUE, "N",
     "train on the first N messages of the index, test on the others"},
    {"scan", ND_OPTION_VALUE, "FILE",
     "scan results by id (file name without .eml or .txt, with or without its "
     "folder in front joined by '-'): rspamd's JSON lines, plain or zstd"},
    {"families", ND_OPTION_VALUE, "LIST",
     "features to use: symbols,metatokens,text or single families of text "
     "(default: the rule's)"},
    {"seed", ND_OPTION_VALUE, "N",
     "of the training and of the features' key (1): the same seed gives the "
     "same figures"},
    {"report", ND_OPTION_VALUE, "FILE",
     "write an HTML report: ROC curve, histogram, calibration, worst mistakes"},
    {"peers", ND_OPTION_VALUE, "FILE",
     "figures of other systems on the same messages for the report's table: "
     "lines of NAME, AUC, recall at 0.1 %, 0.5 %, 1 %, separated by tabs"},
    {"scores", ND_OPTION_VALUE, "FILE",
     "write a JSON line for each tested message: path, label, probability, "
     "log_odds, verdict"},
    {0},
};

static void add_list(struct nd_cli *cli, const char *option, uint8_t label,
                     enum nd_eval_part part, struct nd_eval_plan *plan)
{
    size_t count;
    const char *const *paths =
        nd_arguments_list(cli->arguments, option, &count);
    for (size_t i = 0; i < count; i++) {
        nd_eval_plan_add(plan, paths[i], label, part);
    }
}

static enum nd_status wrong_usage(struct nd_cli *cli, const char *text)
{
    return nd_fail(&cli->error, ND_USAGE, "%s; see 'neurald eval --help'",
                   text);
}

/* Which of the three ways to name the parts was taken, and only one. */
static enum nd_status check_parts(struct nd_cli *cli)
{
    const struct nd_arguments *given = cli->arguments;
    bool split = nd_arguments_flag(given, "split");
    bool index = nd_arguments_flag(given, "index");
    bool first = nd_arguments_flag(given, "train-first");
    bool train = nd_arguments_flag(given, "train-spam") ||
                 nd_arguments_flag(given, "train-ham");
    bool both =
        nd_arguments_flag(given, "spam") && nd_arguments_flag(given, "ham");
    bool any =
        nd_arguments_flag(given, "spam") || nd_arguments_flag(given, "ham");

    if (index && (any || train)) {
        return wrong_usage(cli, "--index goes without --spam and --ham");
    }
    if (first && !index) {
        return wrong_usage(cli, "--train-first needs --index FILE");
    }
    if (split && (train || first)) {
        return wrong_usage(cli, "--split goes neither with --train-spam and "
                                "--train-ham nor with --train-first");
    }
    if (!index && !train && !both) {
        return wrong_usage(cli, "--spam PATH and --ham PATH are needed");
    }
    if (train && !(nd_arguments_flag(given, "train-spam") &&
                   nd_arguments_flag(given, "train-ham") && any)) {
        return wrong_usage(cli, "--train-spam and --train-ham go together, and "
                                "with --spam or --ham to test on");
    }
    return ND_OK;
}

static enum nd_status read_index(struct nd_cli *cli, struct nd_eval_plan *plan)
{
    const char *path = nd_arguments_value(cli->arguments, "index");
    uint64_t first = 0;
    enum nd_status status =
        nd_value_count(cli, "train-first", 1, INT64_MAX, &first);
    return status == ND_OK && path != NULL
               ? nd_eval_read_index(cli, path, first, plan)
               : status;
}

static enum nd_status make_plan(struct nd_cli *cli, const struct nd_rule *rule,
                                struct nd_eval_plan *plan)
{
    const char *split = nd_arguments_value(cli->arguments, "split");
    bool train = nd_arguments_flag(cli->arguments, "train-spam");
    enum nd_eval_part part = train ? ND_EVAL_TEST : ND_EVAL_BY_NAME;
    plan->divisor = 4;
    plan->families = rule->families;
    plan->seed = 1;

    enum nd_status status = check_parts(cli);
    if (status == ND_OK && split != NULL) {
        status = nd_eval_parse_split(split, &cli->error, &plan->divisor);
    }
    if (status == ND_OK) {
        status = nd_value_families(cli, "families", &plan->families);
    }
    if (status == ND_OK) {
        status = nd_value_count(cli, "seed", 0, INT64_MAX, &plan->seed);
    }
    if (status == ND_OK) {
        add_list(cli, "train-spam", ND_SPAM, ND_EVAL_TRAIN, plan);
        add_list(cli, "train-ham", ND_HAM, ND_EVAL_TRAIN, plan);
        add_list(cli, "spam", ND_SPAM, part, plan);
        add_list(cli, "ham", ND_HAM, part, plan);
        status = read_index(cli, plan);
    }
    return status;
}

/* ---- output ---- */

static double messages_per_second(const struct nd_eval_result *result)
{
    return result->test_seconds > 0
               ? (double)result->test / result->test_seconds
               : 0.0;
}

static enum nd_status print_json(struct nd_cli *cli,
                                 const struct nd_eval_plan *plan,
                                 const struct nd_eval_result *result)
{
    const struct nd_eval_figures *figures = &result->figures;
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    nd_json_unsigned(&json, "train", result->train);
    nd_json_unsigned(&json, "test", result->test);
    nd_json_number(&json, "auc", figures->auc);
    nd_json_open(&json, "recall_at_fpr", '{');
    for (size_t i = 0; i < 3; i++) {
        nd_json_number(&json, nd_eval_rates[i], figures->recall[i]);
    }
    nd_json_close(&json, '}');
    nd_json_number(&json, "accuracy", figures->accuracy);
    nd_json_number(&json, "decided_right", figures->decided_right);
    nd_json_number(&json, "unsure", figures->unsure);
    nd_json_number(&json, "brier", figures->brier);
    nd_json_number(&json, "train_seconds", result->train_seconds);
    nd_json_number(&json, "messages_per_second", messages_per_second(result));
    nd_json_unsigned(&json, "model_bytes", result->model_bytes);
    nd_json_number(&json, "sample_bytes", result->sample_bytes);

    nd_json_number(&json, "log_loss", figures->log_loss);
    nd_json_number(&json, "false_positives", figures->false_positives);
    nd_json_number(&json, "false_negatives", figures->false_negatives);
    nd_json_number(&json, "fit_seconds", result->fit_seconds);
    nd_json_number(&json, "test_seconds", result->test_seconds);
    nd_json_unsigned(&json, "skipped", result->skipped);
    nd_json_unsigned(&json, "conflicts", result->conflicts);
    nd_json_unsigned(&json, "seed", plan->seed);
    nd_json_text(&json, "kernel", nd_kernel_name());
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, &cli->error);
    nd_json_free(&json);
    return status;
}

static void print_text(const struct nd_eval_plan *plan,
                       const struct nd_eval_result *result)
{
    const struct nd_eval_figures *figures = &result->figures;
    printf("trained on      %zu messages (%zu spam, %zu ham)\n", result->train,
           result->train_spam, result->train - result->train_spam);
    printf("tested on       %zu messages (%zu spam, %zu ham)\n", result->test,
           result->test_spam, result->test - result->test_spam);
    printf("AUC             %.5f\n", figures->auc);
    printf("recall          %.4f at 0.1 %% of the ham lost, %.4f at 0.5 %%, "
           "%.4f at 1 %%\n",
           figures->recall[0], figures->recall[1], figures->recall[2]);
    printf("accuracy        %.4f at probability 0.5\n", figures->accuracy);
    printf("verdicts        %.4f decided and right, %.4f unsure; %.4f of the "
           "ham called spam, %.4f of the spam called ham\n",
           figures->decided_right, figures->unsure, figures->false_positives,
           figures->false_negatives);
    printf("calibration     Brier %.5f, log-loss %.5f\n", figures->brier,
           figures->log_loss);
    printf("training        %.2f s, of which %.2f s to fit\n",
           result->train_seconds, result->fit_seconds);
    printf("scoring         %.0f messages a second, from raw mail\n",
           messages_per_second(result));
    printf("model           %zu bytes; a sample %.0f bytes on average\n",
           result->model_bytes, result->sample_bytes);
    printf("seed            %llu, kernel %s\n", (unsigned long long)plan->seed,
           nd_kernel_name());
}

static enum nd_status write_score(const struct nd_eval_outcome *outcome,
                                  struct nd_json *json, FILE *file,
                                  struct nd_error *error)
{
    nd_json_open(json, NULL, '{');
    nd_json_text(json, "path", outcome->path);
    nd_json_text(json, "label", outcome->label == ND_SPAM ? "spam" : "ham");
    nd_json_number(json, "probability", outcome->probability);
    nd_json_number(json, "log_odds", outcome->log_odds);
    nd_json_text(json, "verdict", nd_verdict_name(outcome->verdict));
    nd_json_close(json, '}');
    return nd_json_line(json, file, error);
}

static enum nd_status write_scores(struct nd_cli *cli,
                                   const struct nd_eval_result *result)
{
    const char *path = nd_arguments_value(cli->arguments, "scores");
    if (path == NULL) {
        return ND_OK;
    }
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return nd_fail_errno(&cli->error, "cannot create %s", path);
    }
    struct nd_json json = {0};
    enum nd_status status = ND_OK;
    for (size_t i = 0; i < result->test && status == ND_OK; i++) {
        status = write_score(&result->outcomes[i], &json, file, &cli->error);
    }
    nd_json_free(&json);
    if (fclose(file) != 0 && status == ND_OK) {
        status = nd_fail_errno(&cli->error, "cannot write %s", path);
    }
    return status;
}

static enum nd_status print_all(struct nd_cli *cli,
                                const struct nd_eval_plan *plan,
                                const struct nd_eval_result *result,
                                const struct nd_scan_file *scans)
{
    const char *report = nd_arguments_value(cli->arguments, "report");
    enum nd_status status = write_scores(cli, result);
    if (status == ND_OK && report != NULL) {
        struct nd_report_input input = {
            .plan = plan,
            .result = result,
            .scans = scans,
            .peers = nd_arguments_value(cli->arguments, "peers")};
        status = nd_report_write(cli, report, &input);
    }
    if (status == ND_OK && cli->json) {
        status = print_json(cli, plan, result);
    } else if (status == ND_OK) {
        print_text(plan, result);
    }
    return status;
}

static enum nd_status run(struct nd_cli *cli)
{
    struct nd_rule *rules;
    size_t rule_count;
    struct nd_eval_plan plan = {0};
    struct nd_eval_result result = {0};
    struct nd_scan_file *scans = NULL;

    enum nd_status status = nd_cli_no_words(cli);
    if (status == ND_OK) {
        status = nd_cli_rules(cli, &rules, &rule_count);
    }
    if (status == ND_OK) {
        status = make_plan(cli, &rules[0], &plan);
    }
    if (status == ND_OK) {
        status = nd_reading_scans(cli, &scans);
    }
    if (status == ND_OK) {
        status = nd_eval_run(cli, &plan, &rules[0], scans, &result);
    }
    if (status == ND_OK) {
        status = print_all(cli, &plan, &result, scans);
    }
    nd_eval_result_free(&result);
    nd_eval_plan_free(&plan);
    nd_scan_file_close(&scans);
    return status;
}

const struct nd_command nd_command_eval = {
    .name = "eval",
    .usage = "--spam PATH... --ham PATH... [--split SHARE] [OPTION...]",
    .summary = "train on one part of a corpus, test on the other, in memory",
    .about =
        "Trains on a part of the messages and scores the others; no store is "
        "read or written. The parts come from the file names (--split), from "
        "two corpora (--train-spam, --train-ham), or from the order of an "
        "index (--index, --train-first).\n"
        "JSON: train, test, auc, recall_at_fpr, accuracy (at probability 0.5), "
        "decided_right and unsure (shares of all tested messages, at the "
        "model's own thresholds), brier, train_seconds (from raw mail to the "
        "model), messages_per_second (from raw mail to the verdict, one "
        "thread), model_bytes, sample_bytes; also log_loss, false_positives "
        "and false_negatives (ham called spam and spam called ham, shares of "
        "their class), fit_seconds, test_seconds, skipped, conflicts (messages "
        "under both labels), seed, kernel.\n",
    .options = options,
    .run = run,
};
