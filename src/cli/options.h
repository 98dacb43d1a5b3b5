/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line: options from a table. Options of the program and of the
 * command stand in any order, before or after the command's name.
 */
#ifndef ND_CLI_OPTIONS_H
#define ND_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"

enum nd_option_kind {
    ND_OPTION_FLAG,  /* --json */
    ND_OPTION_VALUE, /* --store URL or --store=URL, once */
    ND_OPTION_LIST,  /* --spam PATH...: all words up to the next option; may
                        be given again, which adds */
};

/* A table of these ends with a NULL name. */
struct nd_option {
    const char *name; /* without the dashes */
    enum nd_option_kind kind;
    const char *argument; /* "URL"; NULL for a flag */
    const char *text;     /* one sentence for --help */
};

/* What was given. Strings are those of argv and are not owned. */
struct nd_arguments;

/* Reads argv[1..] by the options of the program and of its command. find
 * answers the command's table when its name, the first word that is no option
 * and no option's value, comes by; NULL makes it an error. ND_USAGE names the
 * unknown, repeated or incomplete option. */
struct nd_command_line {
    const struct nd_option *global;
    const struct nd_option *(*find)(const char *name, void *context);
    void *context;
};
enum nd_status nd_arguments_parse(
    const struct nd_command_line *line, int argc, char **argv,
    struct nd_error *error, struct nd_arguments **arguments_r) ND_MUST_CHECK;
void nd_arguments_destroy(struct nd_arguments **arguments);

/* The command's name; NULL without one. */
const char *nd_arguments_command(const struct nd_arguments *arguments);

/* Whether the command, or all of them, have an option of that name. */
bool nd_arguments_know(const struct nd_arguments *arguments, const char *name);
/* Asking for a name that is in neither table aborts: it is a slip in the
 * program. */
bool nd_arguments_flag(const struct nd_arguments *arguments, const char *name);
/* The value, or NULL where the option was not given. */
const char *nd_arguments_value(const struct nd_arguments *arguments,
                               const char *name);
/* The words of a list; count_r is 0 where it is empty or was not given, which
 * nd_arguments_flag tells apart. */
const char *const *nd_arguments_list(const struct nd_arguments *arguments,
                                     const char *name, size_t *count_r);
/* Words that belong to no option. */
const char *const *nd_arguments_words(const struct nd_arguments *arguments,
                                      size_t *count_r);

/* Writes a table as the lines of --help. */
void nd_options_print(const struct nd_option *options, FILE *out);

/* Writes text in lines of at most width columns, each after indent blanks, but
 * the first, which starts where the cursor stands (column indent). */
void nd_print_wrapped(const char *text, int indent, int width, FILE *out);

#endif
