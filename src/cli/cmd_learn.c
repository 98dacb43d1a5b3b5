/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald learn: stores samples from messages, for every rule, and says what
 * changed. A message is read once, whatever the number of rules.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/command.h"
#include "cli/identity_map.h"
#include "cli/reading.h"
#include "cli/remote_learn.h"
#include "cli/session.h"
#include "cli/tally.h"
#include "cli/values.h"

static const struct nd_option options[] = {
    {"spam", ND_OPTION_LIST, "PATH",
     "learn these as spam: messages, mbox, Maildir, folders; '-' or nothing: "
     "standard input"},
    {"ham", ND_OPTION_LIST, "PATH", "learn these as ham"},
    {"scan", ND_OPTION_VALUE, "FILE",
     "scan results by id: rspamd's JSON lines, plain or zstd"},
    {"families", ND_OPTION_VALUE, "LIST",
     "features to use: symbols,metatokens,text or single families of text "
     "(default: the rule's)"},
    {"source", ND_OPTION_VALUE, "SOURCE",
     "who says so: user (the default), trap, api, autolearn; a higher rank is "
     "believed over a lower one"},
    {"time", ND_OPTION_VALUE, "WHICH",
     "when the messages came: 'received' (their topmost Received date; the "
     "default for files) or 'now' (the default for standard input)"},
    {0},
};

struct learning {
    struct nd_cli *cli;
    struct nd_session *session; /* NULL: a daemon is asked */
    struct nd_remote *remote;
    struct nd_scan_file *scans;
    struct nd_identity_map *identities;
    struct nd_lesson lesson;
    struct nd_tallies tallies; /* by rule */
    char *conflict_example;
    uint64_t messages, skipped;
    struct label {
        struct nd_reading *reading; /* NULL: nothing is given */
        bool is_input;
    } labels[2]; /* by class */
};

/* The callback's context: one rule's tally, and the label under way. */
struct told {
    struct nd_tally *tally;
    enum nd_class label;
};

static void learned(const char *path, const struct nd_put_result *result,
                    void *context)
{
    struct told *told = context;
    (void)path;
    nd_tally_add(told->tally, told->label, result);
}

static enum nd_status learn_message(struct learning *run,
                                    const struct nd_item *item)
{
    const char *other =
        nd_identity_map_add(run->identities, item->message.identity,
                            (int)run->lesson.label, item->path);
    if (other != NULL && run->conflict_example == NULL) {
        run->conflict_example = nd_sprintf("%s and %s", other, item->path);
    }
    run->messages++;
    run->lesson.path = item->path;
    enum nd_status status = ND_OK;
    if (run->remote != NULL) {
        return nd_remote_learn(run->remote, item, &run->lesson, &run->tallies);
    }
    for (size_t i = 0; i < run->session->count && status == ND_OK; i++) {
        struct told told = {&run->tallies.of[i], run->lesson.label};
        status = nd_engine_learn(run->session->engines[i], &item->message,
                                 item->scan, &run->lesson, learned, &told,
                                 &run->cli->error);
    }
    return status;
}

static enum nd_status flush(struct learning *run)
{
    enum nd_status status = ND_OK;
    size_t count = run->session != NULL ? run->session->count : 0;
    for (size_t i = 0; i < count && status == ND_OK; i++) {
        struct told told = {&run->tallies.of[i], run->lesson.label};
        status = nd_engine_flush(run->session->engines[i], learned, &told,
                                 &run->cli->error);
    }
    return status;
}

/* The store with a tally for each rule, or the daemon, whose rules are known
 * by its first answer. Opened for the first message, so that nothing is made
 * for none. */
static enum nd_status open_target(struct learning *run)
{
    if (run->session != NULL || run->remote != NULL) {
        return ND_OK;
    }
    if (nd_cli_is_remote(run->cli)) {
        return nd_remote_open(run->cli, &run->remote);
    }
    enum nd_status status =
        nd_session_open(run->cli, ND_SESSION_CREATE, false, &run->session);
    for (size_t i = 0; status == ND_OK && i < run->session->count; i++) {
        (void)nd_tallies_find(&run->tallies, run->session->rules[i].name);
    }
    return status;
}

/* Opens the messages of one label before anything is made or stored: a path
 * that is missing stops the command. An option without words is standard
 * input. */
static enum nd_status open_label(struct learning *run, const char *option,
                                 enum nd_class label)
{
    static const char *const standard_input[] = {"-"};
    struct label *of = &run->labels[label];
    size_t count;
    const char *const *paths =
        nd_arguments_list(run->cli->arguments, option, &count);
    if (!nd_arguments_flag(run->cli->arguments, option)) {
        return ND_OK;
    }
    if (count == 0) {
        paths = standard_input;
        count = 1;
    }
    of->is_input = count == 1 && strcmp(paths[0], "-") == 0;
    return nd_reading_open(run->cli, paths, count, run->scans, &of->reading);
}

/* The messages of one label, if there are any. */
static enum nd_status learn_label(struct learning *run, enum nd_class label)
{
    struct nd_cli *cli = run->cli;
    const struct label *of = &run->labels[label];
    const char *when = nd_arguments_value(cli->arguments, "time");
    struct nd_item item;
    enum nd_status status = ND_OK;
    if (of->reading == NULL) {
        return ND_OK;
    }
    run->lesson.label = label;
    run->lesson.by_received_date =
        when != NULL ? strcmp(when, "received") == 0 : !of->is_input;
    nd_progress_stage(&cli->progress,
                      label == ND_SPAM ? "learning spam" : "learning ham");
    while (status == ND_OK) {
        status = nd_reading_next(of->reading, &item);
        if (status == ND_OK) {
            status = open_target(run);
        }
        if (status == ND_OK) {
            status = learn_message(run, &item);
            nd_progress_update(&cli->progress, nd_reading_done(of->reading),
                               NULL);
        }
    }
    if (status == ND_NOTHING) {
        status = flush(run);
    }
    run->skipped += nd_reading_skipped(of->reading);
    if (status == ND_OK) {
        nd_progress_end(&cli->progress, NULL);
    }
    return status;
}

/* ---- output ---- */

static enum nd_status print_rule(struct learning *run, size_t index)
{
    const char *rule = run->tallies.rules[index];
    enum nd_status status = ND_OK;
    if (run->cli->json) {
        struct nd_json json = {0};
        nd_json_open(&json, NULL, '{');
        nd_json_text(&json, "rule", rule);
        nd_json_unsigned(&json, "messages", run->messages);
        nd_tally_json(&run->tallies.of[index], &json);
        nd_json_unsigned(&json, "skipped", run->skipped);
        nd_json_unsigned(&json, "conflicts",
                         nd_identity_map_conflicts(run->identities));
        nd_json_close(&json, '}');
        status = nd_json_line(&json, stdout, &run->cli->error);
        nd_json_free(&json);
    } else {
        struct nd_buffer text = {0};
        nd_tally_words(&run->tallies.of[index], &text);
        printf("%s: %s\n", rule, (const char *)text.data);
        nd_buffer_free(&text);
    }
    return status;
}

static enum nd_status print_all(struct learning *run)
{
    size_t conflicts = nd_identity_map_conflicts(run->identities);
    enum nd_status status = ND_OK;
    if (conflicts > 0) {
        nd_cli_remark(run->cli,
                      "%zu message%s given both as spam and as ham (such as "
                      "%s); the label given last counts",
                      conflicts, conflicts == 1 ? " was" : "s were",
                      run->conflict_example);
    }
    for (size_t i = 0; i < run->tallies.count && status == ND_OK; i++) {
        status = print_rule(run, i);
    }
    return status;
}

/* ---- the whole ---- */

static enum nd_status check_usage(struct nd_cli *cli, int *source)
{
    const char *when = nd_arguments_value(cli->arguments, "time");
    size_t spam, ham;
    nd_arguments_list(cli->arguments, "spam", &spam);
    nd_arguments_list(cli->arguments, "ham", &ham);
    bool has_spam = nd_arguments_flag(cli->arguments, "spam");
    bool has_ham = nd_arguments_flag(cli->arguments, "ham");
    if (!has_spam && !has_ham) {
        return nd_fail(&cli->error, ND_USAGE,
                       "say what to learn: --spam PATH... or --ham PATH...");
    }
    if (has_spam && has_ham && spam + ham == 0) {
        return nd_fail(&cli->error, ND_USAGE,
                       "standard input cannot be both spam and ham");
    }
    if (when != NULL && strcmp(when, "now") != 0 &&
        strcmp(when, "received") != 0) {
        return nd_fail(&cli->error, ND_USAGE,
                       "--time %s is neither now nor received", when);
    }
    enum nd_status status = nd_value_source(cli, "source", source);
    return status == ND_OK ? nd_cli_no_words(cli) : status;
}

/* What was stored before a failure is stored: say so beside the error. */
static void tell_partial(struct learning *run)
{
    for (size_t i = 0; i < run->tallies.count; i++) {
        if (run->tallies.of[i].known) {
            struct nd_buffer text = {0};
            nd_tally_words(&run->tallies.of[i], &text);
            nd_cli_remark(run->cli, "stored before the failure: %s: %s",
                          run->tallies.rules[i], (const char *)text.data);
            nd_buffer_free(&text);
        }
    }
}

static enum nd_status learn_all(struct learning *run)
{
    enum nd_status status = learn_label(run, ND_SPAM);
    if (status == ND_OK) {
        status = learn_label(run, ND_HAM);
    }
    if (status == ND_OK && run->messages == 0) {
        status = nd_fail(&run->cli->error, ND_NOTHING,
                         "no message was found to learn from");
    }
    if (status != ND_OK) {
        tell_partial(run);
        return status;
    }
    return print_all(run);
}

static enum nd_status run(struct nd_cli *cli)
{
    struct learning run = {.cli = cli};
    int source = ND_SOURCE_USER;
    enum nd_status status = check_usage(cli, &source);
    if (status == ND_OK) {
        status = nd_reading_scans(cli, &run.scans);
    }
    if (status == ND_OK) {
        status = open_label(&run, "spam", ND_SPAM);
    }
    if (status == ND_OK) {
        status = open_label(&run, "ham", ND_HAM);
    }
    if (status == ND_OK) {
        run.lesson.source = (enum nd_source)source;
        run.identities = nd_identity_map_create();
        status = learn_all(&run);
    }
    nd_tallies_free(&run.tallies);
    free(run.conflict_example);
    nd_identity_map_destroy(&run.identities);
    nd_remote_close(&run.remote);
    nd_session_close(&run.session);
    nd_reading_close(&run.labels[ND_SPAM].reading);
    nd_reading_close(&run.labels[ND_HAM].reading);
    nd_scan_file_close(&run.scans);
    return status;
}

const struct nd_command nd_command_learn = {
    .name = "learn",
    .usage = "--spam PATH... --ham PATH... [OPTION...]",
    .summary = "store samples from messages",
    .about =
        "Stores a sample of each message for every rule (or the one of "
        "--rule) and says what changed. Makes the store where there is none. "
        "A message that is known already changes label and source if the new "
        "ones weigh as much, and is never counted twice. What was stored "
        "stays stored, also when a later message cannot be read.\n"
        "JSON, an object a rule: rule, messages, stored_spam, stored_ham, "
        "replaced, relabelled, merged, duplicate, refused (reason to number), "
        "spam, ham (samples now), skipped, conflicts.\n",
    .options = options,
    .knows_server = true,
    .run = run,
};
