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
#include "cli/remote.h"
#include "cli/session.h"
#include "cli/values.h"
#include "cli/verdict.h"
#include "learn/verdict.h"

#define BAR 24

static const struct nd_option options[] = {
    {"limit", ND_OPTION_VALUE, "N", "features shown of each message (20)"},
    {"scan", ND_OPTION_VALUE, "FILE",
     "scan results by id: rspamd's JSON lines, plain or zstd"},
    {"families", ND_OPTION_VALUE, "LIST",
     "features to use: symbols,metatokens,text or single families of text "
     "(default: the rule's)"},
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

/* Who explains: the session, or where that is NULL the daemon. */
struct explaining {
    struct nd_cli *cli;
    struct nd_session *session;
    struct nd_remote *remote;
    uint64_t limit;
};

static enum nd_family family_of(const char *name)
{
    int family = 0;
    while (family < ND_FAMILY_COUNT - 1 &&
           strcmp(nd_family((enum nd_family)family)->name, name) != 0) {
        family++;
    }
    return (enum nd_family)family;
}

static void read_reasons(const json_t *answer, struct nd_arena *arena,
                         struct explanation *what)
{
    const json_t *list = json_object_get(answer, "reasons");
    what->count = json_array_size(list);
    struct nd_reason *reasons =
        nd_arena_take(arena, what->count * sizeof(*reasons));
    for (size_t i = 0; i < what->count; i++) {
        const json_t *from = json_array_get(list, i);
        reasons[i] = (struct nd_reason){
            .name = nd_remote_text(from, "name"),
            .family = family_of(nd_remote_text(from, "family")),
            .change = nd_remote_number(from, "change")};
    }
    what->reasons = reasons;
}

static enum nd_status tell(struct explaining *run,
                           const struct explanation *what)
{
    if (what->verdict.generation == 0) {
        const char *problem =
            run->session != NULL
                ? nd_engine_model_problem(run->session->engines[0])
                : NULL;
        return nd_fail(
            &run->cli->error, ND_NOTHING, "there is nothing to explain: %s",
            problem != NULL && problem[0] != '\0' ? problem
                                                  : "no model was trained yet");
    }
    if (run->cli->json) {
        return print_json(run->cli, what);
    }
    print_text(what);
    return ND_OK;
}

static enum nd_status explain_item(struct explaining *run,
                                   const struct nd_item *item)
{
    struct explanation what = {.path = item->path};
    json_t *answer = NULL;
    enum nd_status status = ND_OK;
    if (run->remote != NULL) {
        status = nd_remote_score(run->remote, item, run->limit, &answer,
                                 &what.verdict);
        read_reasons(answer, item->arena, &what);
    } else {
        nd_engine_explain(run->session->engines[0], &item->message, item->scan,
                          (size_t)run->limit, item->arena, &what.verdict,
                          &what.reasons, &what.count);
    }
    if (status == ND_OK) {
        status = tell(run, &what);
    }
    json_decref(answer);
    return status;
}

static enum nd_status explain_paths(struct explaining *run,
                                    const struct nd_scan_file *scans)
{
    struct nd_cli *cli = run->cli;
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
            status = explain_item(run, &item);
        }
    }
    nd_reading_close(&reading);
    return status;
}

static enum nd_status run_explain(struct nd_cli *cli)
{
    struct explaining run = {.cli = cli, .limit = 20};
    struct nd_scan_file *scans = NULL;
    bool remote = nd_cli_is_remote(cli);
    enum nd_status status =
        nd_value_count(cli, "limit", 1, remote ? 1000 : 100000, &run.limit);
    if (status == ND_OK) {
        status = nd_reading_scans(cli, &scans);
    }
    if (status == ND_OK) {
        status =
            remote ? nd_remote_open(cli, &run.remote)
                   : nd_session_open(cli, ND_SESSION_READ, true, &run.session);
    }
    if (status == ND_OK) {
        status = explain_paths(&run, scans);
    }
    nd_remote_close(&run.remote);
    nd_session_close(&run.session);
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
    .knows_server = true,
    .run = run_explain,
};
