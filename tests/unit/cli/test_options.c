/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line: options before and behind the command, lists, mistakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/options.h"

static const struct nd_option global[] = {
    {"store", ND_OPTION_VALUE, "URL", "where"},
    {"json", ND_OPTION_FLAG, NULL, "as JSON"},
    {"help", ND_OPTION_FLAG, NULL, "help"},
    {0},
};
static const struct nd_option local[] = {
    {"spam", ND_OPTION_LIST, "PATH", "spam"},
    {"ham", ND_OPTION_LIST, "PATH", "ham"},
    {"split", ND_OPTION_VALUE, "SHARE", "share"},
    {0},
};

static const struct nd_option *find(const char *name, void *context)
{
    (void)context;
    return strcmp(name, "learn") == 0 ? local : NULL;
}

#define MOST 16
static struct nd_error error;

/* Parses words separated by single blanks. */
static enum nd_status parse(const char *line, struct nd_arguments **arguments_r)
{
    static char text[256];
    char *argv[MOST + 1] = {"neurald"};
    int argc = 1;
    snprintf(text, sizeof(text), "%s", line);
    for (char *word = strtok(text, " "); word != NULL && argc < MOST;
         word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    struct nd_command_line how = {global, find, NULL};
    error.text[0] = '\0';
    return nd_arguments_parse(&how, argc, argv, &error, arguments_r);
}

static struct nd_arguments *parsed(const char *line)
{
    struct nd_arguments *arguments = NULL;
    assert_int_equal(parse(line, &arguments), ND_OK);
    return arguments;
}

static void refused(const char *line, const char *named)
{
    struct nd_arguments *arguments = NULL;
    assert_int_equal(parse(line, &arguments), ND_USAGE);
    assert_null(arguments);
    if (strstr(error.text, named) == NULL) {
        fail_msg("'%s' does not name %s", error.text, named);
    }
}

static void global_options_stand_on_both_sides(void **state)
{
    static const char *const lines[] = {
        "--store x --json learn --split 0.5",
        "learn --store x --split 0.5 --json",
        "--json learn --split=0.5 --store=x",
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct nd_arguments *arguments = parsed(lines[i]);
        assert_string_equal(nd_arguments_command(arguments), "learn");
        assert_string_equal(nd_arguments_value(arguments, "store"), "x");
        assert_string_equal(nd_arguments_value(arguments, "split"), "0.5");
        assert_true(nd_arguments_flag(arguments, "json"));
        assert_false(nd_arguments_flag(arguments, "help"));
        nd_arguments_destroy(&arguments);
        assert_null(arguments);
    }
}

static void a_list_ends_at_the_next_option(void **state)
{
    size_t count;
    (void)state;
    struct nd_arguments *arguments =
        parsed("learn --spam a b --json --ham c - --spam d");
    const char *const *spam = nd_arguments_list(arguments, "spam", &count);
    assert_int_equal(count, 3);
    assert_string_equal(spam[0], "a");
    assert_string_equal(spam[1], "b");
    assert_string_equal(spam[2], "d");
    const char *const *ham = nd_arguments_list(arguments, "ham", &count);
    assert_int_equal(count, 2);
    assert_string_equal(ham[1], "-");
    nd_arguments_words(arguments, &count);
    assert_int_equal(count, 0);
    nd_arguments_destroy(&arguments);
}

static void an_empty_list_was_still_given(void **state)
{
    size_t count = 7;
    (void)state;
    struct nd_arguments *arguments = parsed("learn --spam");
    nd_arguments_list(arguments, "spam", &count);
    assert_int_equal(count, 0);
    assert_true(nd_arguments_flag(arguments, "spam"));
    assert_false(nd_arguments_flag(arguments, "ham"));
    nd_arguments_destroy(&arguments);
}

static void two_dashes_end_the_options(void **state)
{
    size_t count;
    (void)state;
    struct nd_arguments *arguments = parsed("learn a -- --json -b");
    const char *const *words = nd_arguments_words(arguments, &count);
    assert_int_equal(count, 3);
    assert_string_equal(words[1], "--json");
    assert_string_equal(words[2], "-b");
    assert_false(nd_arguments_flag(arguments, "json"));
    nd_arguments_destroy(&arguments);
}

static void a_value_may_look_like_an_option(void **state)
{
    (void)state;
    struct nd_arguments *arguments = parsed("learn --split -1");
    assert_string_equal(nd_arguments_value(arguments, "split"), "-1");
    nd_arguments_destroy(&arguments);
}

static void help_has_a_short_form(void **state)
{
    (void)state;
    struct nd_arguments *arguments = parsed("learn -h");
    assert_true(nd_arguments_flag(arguments, "help"));
    nd_arguments_destroy(&arguments);
}

static void no_command_is_no_error_here(void **state)
{
    (void)state;
    struct nd_arguments *arguments = parsed("--json");
    assert_null(nd_arguments_command(arguments));
    assert_true(nd_arguments_flag(arguments, "json"));
    nd_arguments_destroy(&arguments);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    refused("learn --spma a", "--spma");
    refused("--jsn learn", "--jsn");
    refused("learn -x", "-x");
    refused("lern --spam a", "lern");
    refused("--stroe a learn", "--stroe");
    refused("--json lern", "unknown command lern; ");
    refused("learn --json=yes", "--json");
    refused("learn --split", "--split");
    refused("learn --split 1 --split 2", "--split");
    refused("--store a learn --store b", "--store");
    /* Abbreviations would change their meaning with the next option. */
    refused("learn --spl 0.5", "--spl");
}

static void help_wraps_at_the_width(void **state)
{
    char *text = NULL;
    size_t length = 0;
    (void)state;
    FILE *file = open_memstream(&text, &length);
    nd_print_wrapped("one two three four", 4, 12, file);
    fclose(file);
    assert_string_equal(text, "one two\n    three\n    four\n");
    free(text);
}

static void help_shows_every_option(void **state)
{
    char *text = NULL;
    size_t length = 0;
    (void)state;
    FILE *file = open_memstream(&text, &length);
    nd_options_print(local, file);
    fclose(file);
    assert_non_null(strstr(text, "--spam PATH..."));
    assert_non_null(strstr(text, "--split SHARE "));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(global_options_stand_on_both_sides),
        cmocka_unit_test(a_list_ends_at_the_next_option),
        cmocka_unit_test(an_empty_list_was_still_given),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(a_value_may_look_like_an_option),
        cmocka_unit_test(help_has_a_short_form),
        cmocka_unit_test(no_command_is_no_error_here),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(help_wraps_at_the_width),
        cmocka_unit_test(help_shows_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
