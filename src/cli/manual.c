/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the manual pages. What the program does is said once, in the tables
 * that --help prints; only what belongs to no table is written here.
 */
#include "cli/manual.h"

#include <ctype.h>
#include <string.h>

#include "cli/command.h"
#include "cli/config_document.h"

static const char program_head[] =
    "neurald(1)\n\n"
    "# NAME\n\n"
    "neurald - a neural network that learns to tell spam from ham\n\n"
    "# SYNOPSIS\n\n"
    "*neurald* [_OPTION_...] _COMMAND_ [_ARGUMENT_...]\n\n"
    "# DESCRIPTION\n\n"
    "neurald learns from mail that people sorted, and gives any mail filter a "
    "verdict on new mail: a probability, a symbol with a weight, and why. "
    "Samples and models are kept in a store. It holds hashed features, not "
    "mail.\n\n"
    "A first session:\n\n"
    "```\n"
    "neurald learn --spam ~/Maildir/.Junk --ham ~/Maildir/cur\n"
    "neurald train\n"
    "neurald score message.eml\n"
    "neurald explain message.eml\n"
    "```\n\n"
    "_PATH_ is a message, an mbox, a Maildir, a folder of any of these, or "
    "*-* for standard input. A folder is walked in the order of its names; "
    "hidden files, compressed ones, and links to folders, are left out. Of "
    "a Maildir cur and new are read.\n\n"
    "Options of all commands stand before or after the command.\n\n";

static const char program_tail[] =
    "# EXIT STATUS\n\n"
    "*0*\n\tSuccess; *score*: any verdict; *train*: also a candidate that "
    "proved no better than the live model; *train --if-due*: also where none "
    "is "
    "due; *doctor*: also with warnings.\n\n"
    "*1*\n\tThere is nothing to do: no messages, too few samples, no model. "
    "*score --exit-code*: ham.\n\n"
    "*2*\n\t*score --exit-code*: unsure.\n\n"
    "*64*\n\tWrong usage.\n\n"
    "*65*\n\tMalformed data, or a limit was exceeded; *store copy*: the copy "
    "differs.\n\n"
    "*66*\n\tSomething is not there: a file, a store.\n\n"
    "*69*\n\tThe store cannot be reached; *doctor*: a check failed.\n\n"
    "*70*, *71*\n\tA training failed, or another internal error; an error of "
    "the operating "
    "system.\n\n"
    "*73*, *74*\n\tA file cannot be created; input, output, or a full disk.\n\n"
    "*75*\n\tTry again later: another host trains, an interrupt came, the "
    "outcome "
    "is unknown, or standard output could not be written (*score --headers*: "
    "the message).\n\n"
    "*76*\n\tA later version of neurald made this store or model.\n\n"
    "*77*\n\tPermission denied.\n\n"
    "*78*\n\tThe configuration is wrong, or the key is another one.\n\n"
    "# ENVIRONMENT\n\n"
    "*XDG_STATE_HOME*\n\tThe default store is neurald/neurald.db in this "
    "folder; without it in ~/.local/state.\n\n"
    "*NEURALD_KERNEL*\n\tUse this set of kernels (scalar, avx2, avx512, neon) "
    "instead of the best that the processor has.\n\n"
    "# SEE ALSO\n\n"
    "*neurald.conf*(5)\n";

static const char config_head[] =
    "neurald.conf(5)\n\n"
    "# NAME\n\n"
    "neurald.conf - configuration of neurald\n\n"
    "# DESCRIPTION\n\n"
    "The file that *neurald --config* names. It holds _key_ = _value_, "
    "sections in braces, and comments behind #. A value with blanks is put in "
    "double quotes; ${NAME} in it is a variable of the environment. Lists are "
    "{\"one\", \"another\"}.\n\n"
    "An unknown key, a repeated one, and a value out of its range are errors "
    "that name file and line. *neurald config* prints the effective values and "
    "where each came from, *neurald config --example* a file with every "
    "key.\n\n"
    "Durations are 500ms, 30s, 10m, 6h, 2d, 1w; sizes are 512, 4KiB, 4MiB, "
    "1GiB (powers of 1024), 4kB, 4MB (of 1000).\n\n";

static const char config_tail[] =
    "# EXAMPLE\n\n"
    "```\n"
    "store = \"sqlite:/var/lib/neurald/neurald.db\"\n"
    "trusted_headers = {\"X-Spam-Status mx.example.org\"}\n"
    "rule default {\n"
    "    target_fpr = 0.0005\n"
    "}\n"
    "```\n\n"
    "# SEE ALSO\n\n"
    "*neurald*(1)\n";

void nd_manual_text(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        if (strchr("_*\\<>#", *text) != NULL) {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

static void print_options(const struct nd_option *options, FILE *out)
{
    for (; options->name != NULL; options++) {
        fprintf(out, "*--%s*", options->name);
        if (options->argument != NULL) {
            fputs(" _", out);
            nd_manual_text(options->argument, out);
            fputs(options->kind == ND_OPTION_LIST ? "_..." : "_", out);
        }
        fputs("\n\t", out);
        nd_manual_text(options->text, out);
        fputs("\n\n", out);
    }
}

static void print_command(const struct nd_command *command, FILE *out)
{
    /* scdoc takes no escapes in a heading. */
    fprintf(out, "## %s\n\n*neurald %s* ", command->name, command->name);
    nd_manual_text(command->usage, out);
    fputs("\n\n", out);
    const char *about = command->about;
    while (*about != '\0') {
        char paragraph[1024];
        size_t length = strcspn(about, "\n");
        snprintf(paragraph, sizeof(paragraph), "%.*s", (int)length, about);
        nd_manual_text(paragraph, out);
        fputs("\n\n", out);
        about += length + (about[length] == '\n');
    }
    print_options(command->options, out);
}

void nd_manual_program(const struct nd_option *global, FILE *out)
{
    size_t count;
    const struct nd_command *const *commands = nd_commands(&count);
    fputs(program_head, out);
    print_options(global, out);
    fputs("# COMMANDS\n\n", out);
    for (size_t i = 0; i < count; i++) {
        print_command(commands[i], out);
    }
    fputs(program_tail, out);
}

void nd_manual_config(FILE *out)
{
    fputs(config_head, out);
    nd_config_write_manual(out);
    fputs(config_tail, out);
}
