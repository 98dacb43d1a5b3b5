/* SPDX-License-Identifier: Apache-2.0
 *
 * What a subcommand is, and what it is given to work with.
 */
#ifndef ND_CLI_COMMAND_H
#define ND_CLI_COMMAND_H

#include <stdbool.h>

#include "base/status.h"
#include "cli/config.h"
#include "cli/options.h"
#include "cli/progress.h"

struct nd_cli {
    const struct nd_arguments *arguments;
    struct nd_config *config; /* NULL where it could not be read and the
                                 command goes on without */
    struct nd_error config_problem;
    struct nd_progress progress;
    struct nd_error error; /* filled by a command that fails */
    bool json;             /* results as JSON on standard output */
    bool quiet;            /* no progress, no remarks */
    int exit_status;       /* where a command succeeded and says more than 0 */
};

struct nd_command {
    const char *name;
    const char *usage;   /* behind the name: "[--dry-run] PATH..." */
    const char *summary; /* one line */
    const char *about;   /* paragraphs for --help, separated by '\n' */
    const struct nd_option *options;
    bool (*survives_config)(const struct nd_arguments *arguments);
    /* may be NULL; true: run even where the configuration is broken */
    bool knows_server; /* can ask a daemon instead (remote.h) */
    enum nd_status (*run)(struct nd_cli *cli);
};

/* All commands, in the order of --help; count_r gets how many. */
const struct nd_command *const *nd_commands(size_t *count_r);

/* The whole program but the trainer child: reads the command line, runs the
 * command, reports its error, and answers the exit status. */
int nd_cli_main(int argc, char **argv);

/* A remark on standard error, "neurald: ...", unless --quiet. */
void nd_cli_remark(struct nd_cli *cli, const char *format, ...) ND_PRINTF(2, 3);

/* The rules that the command is about: the one of --rule, or all. ND_USAGE
 * where --rule names none. The array is the configuration's. */
enum nd_status nd_cli_rules(struct nd_cli *cli, struct nd_rule **rules_r,
                            size_t *count_r) ND_MUST_CHECK;

/* ND_USAGE where words without an option were given and none are wanted. */
enum nd_status nd_cli_no_words(struct nd_cli *cli) ND_MUST_CHECK;

extern const struct nd_command nd_command_bench;
extern const struct nd_command nd_command_config;
extern const struct nd_command nd_command_doctor;
extern const struct nd_command nd_command_eval;
extern const struct nd_command nd_command_explain;
extern const struct nd_command nd_command_forget;
extern const struct nd_command nd_command_learn;
extern const struct nd_command nd_command_model;
extern const struct nd_command nd_command_relabel;
extern const struct nd_command nd_command_rspamd;
extern const struct nd_command nd_command_score;
extern const struct nd_command nd_command_serve;
extern const struct nd_command nd_command_status;
extern const struct nd_command nd_command_store;
extern const struct nd_command nd_command_train;
extern const struct nd_command nd_command_version;

#endif
