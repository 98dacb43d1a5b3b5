/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald score: a verdict for each message, as a line, as JSON, or as a header
 * on the message itself.
 */
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/reading.h"
#include "cli/remote.h"
#include "cli/score_headers.h"
#include "cli/session.h"
#include "cli/verdict.h"
#include "learn/verdict.h"

static const struct nd_option options[] = {
    {"headers", ND_OPTION_FLAG, NULL,
     "write the message (one PATH, or standard input) with an X-Neurald "
     "header; whatever fails, the message comes through"},
    {"exit-code", ND_OPTION_FLAG, NULL,
     "exit with 0 for spam, 1 for ham, 2 for unsure; of several messages: 0 "
     "where any is spam, else 2 where any is unsure, else 1"},
    {"scan", ND_OPTION_VALUE, "FILE",
     "scan results by id: rspamd's JSON lines, plain or zstd"},
    {"families", ND_OPTION_VALUE, "LIST",
     "features to use: symbols,metatokens,text or single families of text "
     "(default: the rule's)"},
    {0},
};

struct scoring {
    struct nd_cli *cli;
    struct nd_session *session; /* NULL: a daemon is asked */
    struct nd_remote *remote;
    uint64_t verdicts[3]; /* by exit status */
    bool told_no_model;
};

static void tell_no_model(struct scoring *run)
{
    const char *problem =
        run->session != NULL ? nd_engine_model_problem(run->session->engines[0])
                             : NULL;
    if (run->told_no_model) {
        return;
    }
    run->told_no_model = true;
    if (problem != NULL && problem[0] != '\0') {
        nd_cli_remark(run->cli, "no opinion: %s", problem);
    } else {
        nd_cli_remark(run->cli, "no opinion: there is no model yet; 'neurald "
                                "status' says what is missing");
    }
}

static enum nd_status tell_verdict(const char *path, const void *result,
                                   void *context)
{
    struct scoring *run = context;
    const struct nd_verdict *verdict = result;
    enum nd_status status = ND_OK;
    run->verdicts[nd_verdict_exit(verdict->kind)]++;
    if (verdict->generation == 0) {
        tell_no_model(run);
    }
    if (run->cli->json) {
        struct nd_json json = {0};
        nd_json_open(&json, NULL, '{');
        nd_verdict_json(path, verdict, &json);
        nd_json_close(&json, '}');
        status = nd_json_line(&json, stdout, &run->cli->error);
        nd_json_free(&json);
    } else {
        nd_verdict_print(path, verdict, stdout);
    }
    return status;
}

static void score_item(const struct nd_item *item, void *result, void *context)
{
    const struct scoring *run = context;
    nd_engine_score(run->session->engines[0], &item->message, item->scan,
                    item->arena, result);
}

/* A daemon is asked about one after the other, over one connection. */
static enum nd_status ask_each(struct scoring *run, struct nd_reading *reading,
                               uint64_t *scored_r)
{
    struct nd_item item;
    enum nd_status status = ND_OK;
    while (status == ND_OK &&
           (status = nd_reading_next(reading, &item)) == ND_OK) {
        struct nd_verdict verdict;
        json_t *answer = NULL;
        status = nd_remote_score(run->remote, &item, 0, &answer, &verdict);
        if (status == ND_OK) {
            status = tell_verdict(item.path, &verdict, run);
        }
        json_decref(answer);
        (*scored_r)++;
    }
    return status;
}

static enum nd_status score_each(struct scoring *run,
                                 struct nd_reading *reading, uint64_t *scored_r)
{
    struct nd_reading_work work = {.result_size = sizeof(struct nd_verdict),
                                   .work = score_item,
                                   .tell = tell_verdict,
                                   .context = run};
    return nd_reading_each(reading, &work, scored_r);
}

static enum nd_status score_paths(struct scoring *run, const char *const *paths,
                                  size_t count,
                                  const struct nd_scan_file *scans)
{
    struct nd_reading *reading = NULL;
    uint64_t scored = 0;
    enum nd_status status =
        nd_reading_open(run->cli, paths, count, scans, &reading);
    if (status != ND_OK) {
        /* An exit status of 1 would say ham. */
        return status == ND_NOTHING ? ND_DATA : status;
    }
    status = run->remote != NULL ? ask_each(run, reading, &scored)
                                 : score_each(run, reading, &scored);
    nd_reading_close(&reading);
    if (status == ND_NOTHING && scored > 0) {
        return ND_OK;
    }
    return status == ND_NOTHING ? nd_fail(&run->cli->error, ND_DATA,
                                          "no message was found to score")
                                : status;
}

static int worst_exit(const uint64_t verdicts[3])
{
    return verdicts[0] > 0 ? 0 : verdicts[2] > 0 ? 2 : 1;
}

static enum nd_status run_lines(struct nd_cli *cli, const char *const *paths,
                                size_t count)
{
    struct scoring run = {.cli = cli};
    struct nd_scan_file *scans = NULL;
    enum nd_status status = nd_reading_scans(cli, &scans);
    if (status == ND_OK) {
        status = nd_cli_is_remote(cli) ? nd_remote_open(cli, &run.remote)
                                       : nd_session_open(cli, ND_SESSION_READ,
                                                         true, &run.session);
    }
    if (status == ND_OK) {
        status = score_paths(&run, paths, count, scans);
    }
    if (status == ND_OK && nd_arguments_flag(cli->arguments, "exit-code")) {
        cli->exit_status = worst_exit(run.verdicts);
    }
    nd_remote_close(&run.remote);
    nd_session_close(&run.session);
    nd_scan_file_close(&scans);
    return status;
}

static enum nd_status run_headers(struct nd_cli *cli, const char *const *paths,
                                  size_t count)
{
    int verdict = 2;
    if (count > 1 || cli->json) {
        return nd_fail(&cli->error, ND_USAGE,
                       "--headers takes one message, and goes without --json");
    }
    enum nd_status status = nd_score_headers(cli, paths[0], &verdict);
    if (status == ND_OK && nd_arguments_flag(cli->arguments, "exit-code")) {
        cli->exit_status = verdict;
    }
    return status;
}

static enum nd_status run(struct nd_cli *cli)
{
    static const char *const standard_input[] = {"-"};
    size_t count;
    const char *const *paths = nd_arguments_words(cli->arguments, &count);
    if (count == 0) {
        paths = standard_input;
        count = 1;
    }
    return nd_arguments_flag(cli->arguments, "headers")
               ? run_headers(cli, paths, count)
               : run_lines(cli, paths, count);
}

static bool survives_config(const struct nd_arguments *arguments)
{
    return nd_arguments_flag(arguments, "headers");
}

const struct nd_command nd_command_score = {
    .name = "score",
    .usage = "[PATH...]",
    .summary = "give a verdict for each message",
    .about =
        "Scores messages, mbox, Maildir, folders, or standard input with the "
        "live model of the first rule (or the one of --rule). The store is "
        "only read.\n"
        "The exit status is 0 for any verdict, unless --exit-code is given. "
        "With --headers the message comes out byte for byte but for the "
        "X-Neurald header, on top of it; one that came with the message is "
        "removed. Where store, model or configuration fail, the header says "
        "why and the exit status is 0 (with --exit-code 2); it is 75 only "
        "where the message cannot be written.\n"
        "JSON, a line a message: path, probability, verdict (spam, ham, "
        "unsure), symbol, weight, generation; also log_odds (calibrated).\n",
    .options = options,
    .knows_server = true,
    .survives_config = survives_config,
    .run = run,
};
