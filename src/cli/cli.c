/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame around the subcommands: finds the command, prints help, reads the
 * configuration, and turns a status into an error line and an exit status.
 * Knows nothing of what commands do.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "cli/command.h"
#include "cli/manual.h"
#include "cli/remote.h"

static const struct nd_option global_options[] = {
    {"config", ND_OPTION_VALUE, "FILE", "read the configuration from FILE"},
    {"store", ND_OPTION_VALUE, "URL",
     "where samples and models live: sqlite:PATH or redis://HOST; goes before "
     "the configuration's"},
    {"rule", ND_OPTION_VALUE, "NAME",
     "use this rule of the configuration (else all of them, or the first, as "
     "the command has it)"},
    {"server", ND_OPTION_VALUE, "URL",
     "ask a daemon instead of opening the store: unix:PATH or "
     "http://HOST:PORT (learn, forget, relabel, score, explain, train, "
     "status)"},
    {"token-file", ND_OPTION_VALUE, "FILE",
     "lines \"ROLE TOKEN\" (read, learn, admin): with --server the best of "
     "them is sent, with serve they are what opens the API"},
    {"json", ND_OPTION_FLAG, NULL,
     "results as JSON, one object a line, and nothing else on standard output"},
    {"quiet", ND_OPTION_FLAG, NULL, "no progress and no remarks"},
    {"help", ND_OPTION_FLAG, NULL, "print this and exit (also -h)"},
    {"version", ND_OPTION_FLAG, NULL, "print versions and exit"},
    {0},
};

static const struct nd_option help_options[] = {
    {"manual", ND_OPTION_FLAG, NULL,
     "print the manual page neurald(1) (scdoc)"},
    {0},
};

const struct nd_command *const *nd_commands(size_t *count_r)
{
    static const struct nd_command *const commands[] = {
        &nd_command_learn,   &nd_command_forget, &nd_command_relabel,
        &nd_command_train,   &nd_command_score,  &nd_command_explain,
        &nd_command_eval,    &nd_command_model,  &nd_command_status,
        &nd_command_serve,   &nd_command_store,  &nd_command_doctor,
        &nd_command_config,  &nd_command_rspamd, &nd_command_bench,
        &nd_command_version,
    };
    *count_r = sizeof(commands) / sizeof(commands[0]);
    return commands;
}

static const struct nd_command *find_command(const char *name)
{
    size_t count;
    const struct nd_command *const *commands = nd_commands(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static const struct nd_option *find_options(const char *name, void *context)
{
    (void)context;
    if (strcmp(name, "help") == 0) {
        return help_options;
    }
    const struct nd_command *command = find_command(name);
    return command != NULL ? command->options : NULL;
}

/* ---- help ---- */

static void print_program_help(FILE *out)
{
    size_t count;
    const struct nd_command *const *commands = nd_commands(&count);
    fputs("usage: neurald [OPTION...] COMMAND [ARGUMENT...]\n\n"
          "A neural network that learns to tell spam from ham, for any mail "
          "filter.\n\nCommands:\n",
          out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    }
    fputs("\nOptions of all commands, before or after the command:\n", out);
    nd_options_print(global_options, out);
    fputs("\n'neurald COMMAND --help' has the options of a command.\n", out);
}

static void print_command_help(const struct nd_command *command, FILE *out)
{
    int column = fprintf(out, "usage: neurald %s ", command->name);
    nd_print_wrapped(command->usage, column, 79, out);
    fputc('\n', out);
    const char *about = command->about;
    while (*about != '\0') {
        char paragraph[1024];
        size_t length = strcspn(about, "\n");
        snprintf(paragraph, sizeof(paragraph), "%.*s", (int)length, about);
        nd_print_wrapped(paragraph, 0, 79, out);
        about += length + (about[length] == '\n');
    }
    if (command->options[0].name != NULL) {
        fputs("\nOptions:\n", out);
        nd_options_print(command->options, out);
    }
    fputs("\nOptions of all commands:\n", out);
    nd_options_print(global_options, out);
    fputs("\nExit status unless said otherwise: 0 success, 1 nothing to do, 64 "
          "to 78 errors\nas in sysexits.h; neurald(1) lists them.\n",
          out);
}

static bool is_help(const struct nd_arguments *arguments)
{
    const char *name = nd_arguments_command(arguments);
    return name != NULL && strcmp(name, "help") == 0;
}

/* Also where only an earlier line could not be written. */
static enum nd_status flush_output(struct nd_error *error)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return ND_OK;
    }
    return nd_fail(error, ND_TEMPORARY,
                   "cannot write to standard output; is its disk full or its "
                   "reader gone?");
}

static enum nd_status run_help(const struct nd_arguments *arguments,
                               const struct nd_command *command,
                               struct nd_error *error)
{
    size_t count;
    const char *const *words = nd_arguments_words(arguments, &count);
    if (command == NULL && is_help(arguments) && count > 0) {
        command = find_command(words[0]);
        if (command == NULL) {
            return nd_fail(error, ND_USAGE,
                           "unknown command %s; 'neurald --help' lists them",
                           words[0]);
        }
    }
    if (command == NULL && is_help(arguments) &&
        nd_arguments_flag(arguments, "manual")) {
        nd_manual_program(global_options, stdout);
    } else if (command != NULL) {
        print_command_help(command, stdout);
    } else {
        print_program_help(stdout);
    }
    return flush_output(error);
}

/* ---- running a command ---- */

static enum nd_status load_config(struct nd_cli *cli,
                                  const struct nd_command *command)
{
    const char *path = nd_arguments_value(cli->arguments, "config");
    const char *store = nd_arguments_value(cli->arguments, "store");
    enum nd_status status =
        nd_config_load(path, &cli->config_problem, &cli->config);
    if (status == ND_OK) {
        if (store != NULL) {
            nd_config_set_store(cli->config, store, "--store");
        }
        return ND_OK;
    }
    if (command->survives_config != NULL &&
        command->survives_config(cli->arguments)) {
        return ND_OK;
    }
    cli->error = cli->config_problem;
    return status;
}

static enum nd_status run_command(struct nd_cli *cli,
                                  const struct nd_command *command)
{
    cli->json = nd_arguments_flag(cli->arguments, "json");
    cli->quiet = nd_arguments_flag(cli->arguments, "quiet");
    nd_progress_init(&cli->progress, cli->quiet);
    enum nd_status status = nd_hash_init(&cli->error);
    if (status == ND_OK) {
        status = load_config(cli, command);
    }
    if (status == ND_OK) {
        status = nd_cli_check_server(cli, command);
    }
    if (status == ND_OK) {
        status = command->run(cli);
    }
    nd_progress_break(&cli->progress);
    return status == ND_OK ? flush_output(&cli->error) : status;
}

/* What the command line asks for. */
static enum nd_status dispatch(struct nd_cli *cli)
{
    const char *name = nd_arguments_command(cli->arguments);
    const struct nd_command *command = name ? find_command(name) : NULL;
    bool help =
        nd_arguments_flag(cli->arguments, "help") || is_help(cli->arguments);

    if (help) {
        return run_help(cli->arguments, command, &cli->error);
    }
    if (command == NULL && nd_arguments_flag(cli->arguments, "version")) {
        command = &nd_command_version;
    }
    if (command == NULL) {
        print_program_help(stderr);
        return nd_fail(&cli->error, ND_USAGE, "a command is missing");
    }
    return run_command(cli, command);
}

static int report(const struct nd_cli *cli, enum nd_status status)
{
    if (status == ND_OK) {
        return cli->exit_status;
    }
    const char *text =
        cli->error.text[0] != '\0' ? cli->error.text : nd_status_text(status);
    fprintf(stderr, "neurald: %s\n", text);
    return nd_status_exit(status);
}

int nd_cli_main(int argc, char **argv)
{
    struct nd_cli cli = {0};
    struct nd_arguments *arguments = NULL;
    struct nd_command_line line = {global_options, find_options, NULL};

    /* A reader that goes away is an error of a write, not the end. */
    signal(SIGPIPE, SIG_IGN);
    /* So is a limit on the size of files, and what was begun is removed. */
    signal(SIGXFSZ, SIG_IGN);
    enum nd_status status =
        nd_arguments_parse(&line, argc, argv, &cli.error, &arguments);
    if (status == ND_OK) {
        cli.arguments = arguments;
        status = dispatch(&cli);
    }
    int exit_status = report(&cli, status);
    nd_config_destroy(&cli.config);
    nd_arguments_destroy(&arguments);
    return exit_status;
}

/* ---- for the commands ---- */

void nd_cli_remark(struct nd_cli *cli, const char *format, ...)
{
    if (cli->quiet) {
        return;
    }
    va_list list;
    va_start(list, format);
    char text[1024];
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    for (char *c = text; *c != '\0'; c++) {
        *c = (unsigned char)*c < ' ' || *c == 127 ? '?' : *c;
    }
    if (cli->progress.open && cli->progress.terminal) {
        fputs("\r\033[K", stderr);
    }
    fprintf(stderr, "neurald: %s\n", text);
}

enum nd_status nd_cli_rules(struct nd_cli *cli, struct nd_rule **rules_r,
                            size_t *count_r)
{
    const char *name = nd_arguments_value(cli->arguments, "rule");
    if (name == NULL) {
        *rules_r = cli->config->rules;
        *count_r = cli->config->rule_count;
        return ND_OK;
    }
    struct nd_rule *rule = nd_config_rule(cli->config, name);
    if (rule == NULL) {
        return nd_fail(&cli->error, ND_USAGE,
                       "no rule %s in the configuration; 'neurald config' "
                       "shows which there are",
                       name);
    }
    *rules_r = rule;
    *count_r = 1;
    return ND_OK;
}

enum nd_status nd_cli_no_words(struct nd_cli *cli)
{
    size_t count;
    const char *const *words = nd_arguments_words(cli->arguments, &count);
    if (count > 0) {
        return nd_fail(&cli->error, ND_USAGE,
                       "%s belongs to no option; see 'neurald %s --help'",
                       words[0], nd_arguments_command(cli->arguments));
    }
    return ND_OK;
}
