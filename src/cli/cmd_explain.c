/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald explain: the features of a message that weighed most, by name, each
 * with the change in log-odds that removing it alone would undo.
 */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/reading.h"
#include "cli/session.h"
#include "cli/values.h"
#include "cli/verdict.h"
#include "learn/verdict.h"

#define BAR 24

static const struct nd_option options[] = {
    {"limit", ND_OPTION_VALUE, "N", "features shown of each message (20)"},
    {"scan", ND_OPTION_VALUE, "FILE",
     "scan results by id: rspamd's JSON lines, plain or zstd"},
    {0},
};

struct explanation {
    const char *path;
    struct nd_verdict verdict;
    const struct nd_reason *reasons;
    size_t count;
};

static enum nd_status print_json(struct nd_cli *cli,
                                 const struct explanation *what)
{
    struct nd_json json = {0};
    nd_json_open(&json, NULL, '{');
    nd_verdict_json(what->path, &what->verdict, &json);
    nd_json_open(&json, "reasons", '[');
    for (size_t i = 0; i < what->count; i++) {
        nd_json_open(&json, NULL, '{');
        nd_json_text(&json, "name", what->reasons[i].name);
        nd_json_text(&json, "family", nd_family(what->reasons[i].family)->name);
        nd_json_number(&json, "change", what->reasons[i].change);
        nd_json_close(&json, '}');
    }
    nd_json_close(&json, ']');
    nd_json_close(&json, '}');
    enum nd_status status = nd_json_line(&json, stdout, &cli->error);
    nd_json_free(&json);
    return status;
}

static void print_bar(double share)
{
    int length = (int)lround(fabs(share) * BAR);
    for (int i = 0; i < BAR; i++) {
        putchar(i < length ? (share > 0 ? '+' : '-') : ' ');
    }
}

static void print_text(const struct explanation *what)
{
    nd_verdict_print(what->path, &what->verdict, stdout);
    printf("  log-odds %+.2f (%s); what each feature alone changed:\n",
           what->verdict.log_odds,
           what->verdict.log_odds > 0 ? "towards spam" : "towards ham");
    double highest =
        what->count > 0 ? fabs(what->reasons[0].change) + 1e-12 : 1;
    for (size_t i = 0; i < what->count; i++) {
        const struct nd_reason *reason = &what->reasons[i];
        printf("  %+7.3f  ", reason->change);
        print_bar(reason->change / highest);
        printf("  ");
        nd_print_safely(reason->name, stdout);
        putchar('\n');
    }
}

static enum nd_status explain_item(struct nd_cli *cli,
                                   struct nd_session *session,
                                   const struct nd_item *item, size_t limit)
{
    struct explanation what = {.path = item->path};
    nd_engine_explain(session->engines[0], &item->message, item->scan, limit,
                      item->arena, &what.verdict, &what.reasons, &what.count);
    if (what.verdict.generation == 0) {
        const char *problem = nd_engine_model_problem(session->engines[0]);
        return nd_fail(
            &cli->error, ND_NOTHING, "there is nothing to explain: %s",
            problem != NULL && problem[0] != '\0' ? problem
                                                  : "no model was trained yet");
    }
    if (cli->json) {
        return print_json(cli, &what);
    }
    print_text(&what);
    return ND_OK;
}

static enum nd_status explain_paths(struct nd_cli *cli,
                                    struct nd_session *session,
                                    const struct nd_scan_file *scans,
                                    uint64_t limit)
{
    static const char *const standard_input[] = {"-"};
    struct nd_reading *reading = NULL;
    struct nd_item item;
    size_t count;
    const char *const *paths = nd_arguments_words(cli->arguments, &count);
    enum nd_status status =
        nd_reading_open(cli, count > 0 ? paths : standard_input,
                        count > 0 ? count : 1, scans, &reading);
    if (status != ND_OK) {
        return status;
    }
    bool any = false;
    while (status == ND_OK) {
        status = nd_reading_next(reading, &item);
        if (status == ND_NOTHING && any) {
            status = ND_OK;
            break;
        }
        if (status == ND_NOTHING) {
            status = nd_fail(&cli->error, ND_DATA,
                             "no message was found to explain");
        } else if (status == ND_OK) {
            any = true;
            status = explain_item(cli, session, &item, (size_t)limit);
        }
    }
    nd_reading_close(&reading);
    return status;
}

static enum nd_status run(struct nd_cli *cli)
{
    struct nd_session *session = NULL;
    struct nd_scan_file *scans = NULL;
    uint64_t limit = 20;
    enum nd_status status = nd_value_count(cli, "limit", 1, 100000, &limit);
    if (status == ND_OK) {
        status = nd_reading_scans(cli, &scans);
    }
    if (status == ND_OK) {
        status = nd_session_open(cli, ND_SESSION_READ, true, &session);
    }
    if (status == ND_OK) {
        status = explain_paths(cli, session, scans, limit);
    }
    nd_session_close(&session);
    nd_scan_file_close(&scans);
    return status;
}

const struct nd_command nd_command_explain = {
    .name = "explain",
    .usage = "PATH...",
    .summary = "show which features of a message weighed most",
    .about =
        "Prints the verdict and the features that weighed most, each with the "
        "change in log-odds that it alone makes: above 0 towards spam. The "
        "network works it out by leaving the feature out, so the changes need "
        "not add up. Names of text features come from the message itself; "
        "neither store nor model keep them.\n"
        "JSON, a line a message: path, probability, verdict, symbol, weight, "
        "generation, log_odds, reasons (a list of name, family, change).\n",
    .options = options,
    .run = run,
};
