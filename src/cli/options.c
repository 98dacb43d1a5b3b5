/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the command line by tables of options. getopt_long is not used: it
 * knows neither lists of words behind an option nor options of the program
 * behind the command, and it takes abbreviations, which later options break.
 * Checks only the form; what values mean is the commands' business.
 */
#include "cli/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* One option that was given, with its values. */
struct given {
    const struct nd_option *option;
    const char **values;
    size_t count;
};

struct nd_arguments {
    const struct nd_option *global;
    const struct nd_option *local; /* NULL until the command is known */
    const char *command;
    struct given *given;
    size_t given_count;
    const char **words;
    size_t word_count;
};

/* Options may stand before the command whose table they are in, so the command
 * is looked for first. */
struct cursor {
    int argc;
    char **argv;
    int position;
    struct given *open_list; /* words go here; NULL: to the command */
    bool options_ended;      /* by "--" */
};

static const struct nd_option *find_in(const struct nd_option *table,
                                       const char *name, size_t length)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (strlen(table->name) == length &&
            memcmp(table->name, name, length) == 0) {
            return table;
        }
    }
    return NULL;
}

static const struct nd_option *find_option(const struct nd_arguments *arguments,
                                           const char *name, size_t length)
{
    const struct nd_option *found = find_in(arguments->local, name, length);
    return found != NULL ? found : find_in(arguments->global, name, length);
}

static struct given *find_given(const struct nd_arguments *arguments,
                                const struct nd_option *option)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (arguments->given[i].option == option) {
            return &arguments->given[i];
        }
    }
    return NULL;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

static void add_word(const char ***words, size_t *count, const char *word)
{
    *words = nd_realloc(*words, *count + 1, sizeof(**words));
    (*words)[(*count)++] = word;
}

static enum nd_status take_value(struct given *given, struct cursor *cursor,
                                 const char *attached, struct nd_error *error)
{
    const struct nd_option *option = given->option;
    if (option->kind == ND_OPTION_FLAG) {
        if (attached != NULL) {
            return nd_fail(error, ND_USAGE, "--%s takes no value",
                           option->name);
        }
        return ND_OK;
    }
    if (attached == NULL && option->kind == ND_OPTION_VALUE) {
        if (cursor->position + 1 >= cursor->argc) {
            return nd_fail(error, ND_USAGE, "--%s needs %s behind it",
                           option->name, option->argument);
        }
        attached = cursor->argv[++cursor->position];
    }
    if (attached != NULL) {
        add_word(&given->values, &given->count, attached);
    }
    return ND_OK;
}

static struct given *new_given(struct nd_arguments *arguments,
                               const struct nd_option *option)
{
    struct given *given = find_given(arguments, option);
    if (given == NULL) {
        arguments->given =
            nd_realloc(arguments->given, arguments->given_count + 1,
                       sizeof(*arguments->given));
        given = &arguments->given[arguments->given_count++];
        *given = (struct given){.option = option};
    }
    return given;
}

static enum nd_status take_option(struct nd_arguments *arguments,
                                  struct cursor *cursor, struct nd_error *error)
{
    const char *word = cursor->argv[cursor->position];
    const char *name = word + (word[1] == '-' ? 2 : 1);
    size_t length = strcspn(name, "=");
    const char *attached = name[length] == '=' ? name + length + 1 : NULL;
    const struct nd_option *option = NULL;
    if (strcmp(word, "-h") == 0) {
        option = find_option(arguments, "help", 4);
    } else if (word[1] == '-') {
        option = find_option(arguments, name, length);
    }
    if (option == NULL) {
        return nd_fail(error, ND_USAGE,
                       "unknown option %s; 'neurald %s%s--help' lists them",
                       word, arguments->command ? arguments->command : "",
                       arguments->command ? " " : "");
    }
    if (option->kind == ND_OPTION_VALUE &&
        find_given(arguments, option) != NULL) {
        return nd_fail(error, ND_USAGE, "--%s was given twice", option->name);
    }
    struct given *given = new_given(arguments, option);
    cursor->open_list = option->kind == ND_OPTION_LIST ? given : NULL;
    return take_value(given, cursor, attached, error);
}

/* The command is the first word that no option claims. Options behind it that
 * only its own table knows do not matter here. */
static const char *find_command(const struct nd_command_line *line, int argc,
                                char **argv, int *position_r)
{
    for (int i = 1; i < argc; i++) {
        if (!is_option(argv[i])) {
            *position_r = i;
            return argv[i];
        }
        size_t length = strcspn(argv[i], "=");
        const struct nd_option *option =
            length > 2 ? find_in(line->global, argv[i] + 2, length - 2) : NULL;
        if (option != NULL && option->kind == ND_OPTION_VALUE &&
            argv[i][length] == '\0') {
            i++;
        }
    }
    return NULL;
}

static enum nd_status take_word(struct nd_arguments *arguments,
                                struct cursor *cursor, struct nd_error *error)
{
    const char *word = cursor->argv[cursor->position];
    if (!cursor->options_ended && strcmp(word, "--") == 0) {
        cursor->options_ended = true;
        return ND_OK;
    }
    if (!cursor->options_ended && is_option(word)) {
        return take_option(arguments, cursor, error);
    }
    if (cursor->open_list != NULL) {
        add_word(&cursor->open_list->values, &cursor->open_list->count, word);
    } else {
        add_word(&arguments->words, &arguments->word_count, word);
    }
    return ND_OK;
}

static enum nd_status take_all(struct nd_arguments *arguments, int argc,
                               char **argv, int command_position,
                               struct nd_error *error)
{
    struct cursor cursor = {.argc = argc, .argv = argv, .position = 1};
    for (; cursor.position < argc; cursor.position++) {
        if (cursor.position == command_position) {
            cursor.open_list = NULL;
            continue;
        }
        enum nd_status status = take_word(arguments, &cursor, error);
        if (status != ND_OK) {
            return status;
        }
    }
    return ND_OK;
}

/* A misspelt option of the program makes its value look like the command. */
static enum nd_status unknown_command(const struct nd_command_line *line,
                                      char **argv, int position,
                                      struct nd_error *error)
{
    const char *before = argv[position - 1];
    size_t length = strlen(before);
    if (position == 1 || !is_option(before) ||
        (length > 2 && find_in(line->global, before + 2, length - 2) != NULL)) {
        return nd_fail(error, ND_USAGE,
                       "unknown command %s; 'neurald --help' lists them",
                       argv[position]);
    }
    return nd_fail(error, ND_USAGE,
                   "unknown option %s, or unknown command %s; 'neurald --help' "
                   "lists both",
                   before, argv[position]);
}

enum nd_status nd_arguments_parse(const struct nd_command_line *line, int argc,
                                  char **argv, struct nd_error *error,
                                  struct nd_arguments **arguments_r)
{
    struct nd_arguments *arguments = nd_calloc(1, sizeof(*arguments));
    enum nd_status status = ND_OK;
    int position = 0;

    arguments->global = line->global;
    arguments->command = find_command(line, argc, argv, &position);
    if (arguments->command != NULL) {
        arguments->local = line->find(arguments->command, line->context);
        if (arguments->local == NULL) {
            status = unknown_command(line, argv, position, error);
        }
    }
    if (status == ND_OK) {
        status = take_all(arguments, argc, argv, position, error);
    }
    if (status != ND_OK) {
        nd_arguments_destroy(&arguments);
        return status;
    }
    *arguments_r = arguments;
    return ND_OK;
}

void nd_arguments_destroy(struct nd_arguments **arguments)
{
    if (arguments == NULL || *arguments == NULL) {
        return;
    }
    for (size_t i = 0; i < (*arguments)->given_count; i++) {
        free((*arguments)->given[i].values);
    }
    free((*arguments)->given);
    free((*arguments)->words);
    free(*arguments);
    *arguments = NULL;
}

const char *nd_arguments_command(const struct nd_arguments *arguments)
{
    return arguments->command;
}

static const struct given *look_up(const struct nd_arguments *arguments,
                                   const char *name)
{
    const struct nd_option *option = find_option(arguments, name, strlen(name));
    if (option == NULL) {
        fprintf(stderr, "neurald: no option --%s in the tables\n", name);
        abort();
    }
    return find_given(arguments, option);
}

bool nd_arguments_know(const struct nd_arguments *arguments, const char *name)
{
    return find_option(arguments, name, strlen(name)) != NULL;
}

bool nd_arguments_flag(const struct nd_arguments *arguments, const char *name)
{
    return look_up(arguments, name) != NULL;
}

const char *nd_arguments_value(const struct nd_arguments *arguments,
                               const char *name)
{
    const struct given *given = look_up(arguments, name);
    return given != NULL && given->count > 0 ? given->values[0] : NULL;
}

const char *const *nd_arguments_list(const struct nd_arguments *arguments,
                                     const char *name, size_t *count_r)
{
    const struct given *given = look_up(arguments, name);
    *count_r = given != NULL ? given->count : 0;
    return given != NULL ? given->values : NULL;
}

const char *const *nd_arguments_words(const struct nd_arguments *arguments,
                                      size_t *count_r)
{
    *count_r = arguments->word_count;
    return arguments->words;
}

void nd_print_wrapped(const char *text, int indent, int width, FILE *out)
{
    int column = indent;
    bool first = true;
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (!first && column + 1 + length > width) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (!first) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", length, text);
        column += length;
        text += length;
        text += strspn(text, " ");
        first = false;
    }
    fputc('\n', out);
}

void nd_options_print(const struct nd_option *options, FILE *out)
{
    for (; options->name != NULL; options++) {
        int column = fprintf(out, "  --%s%s%s%s", options->name,
                             options->argument ? " " : "",
                             options->argument ? options->argument : "",
                             options->kind == ND_OPTION_LIST ? "..." : "");
        if (column >= 27) {
            fputc('\n', out);
            column = 0;
        }
        fprintf(out, "%*s", 28 - column, "");
        nd_print_wrapped(options->text, 28, 79, out);
    }
}
