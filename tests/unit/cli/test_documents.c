/* SPDX-License-Identifier: Apache-2.0
 *
 * What is printed from the table of keys: complete, and readable again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "cli/config_document.h"
#include "cli/config_keys.h"

static struct nd_error error;

static char *print_with(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    print(file);
    fclose(file);
    return text;
}

static char *print_values(const struct nd_config *config)
{
    static char *text; /* static: GCC takes it for dangling otherwise */
    size_t length = 0;
    text = NULL;
    FILE *file = open_memstream(&text, &length);
    nd_config_write_values(config, file);
    fclose(file);
    return text;
}

static struct nd_config *load_text(const char *text)
{
    char path[] = "/tmp/neurald-documents-XXXXXX";
    struct nd_config *config = NULL;
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (int)strlen(text));
    close(file);
    if (nd_config_load(path, &error, &config) != ND_OK) {
        fail_msg("%s", error.text);
    }
    unlink(path);
    return config;
}

/* Values without the comments that say where they came from. */
static void strip_comments(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (from[0] == ' ' && from[1] == '#') {
            from += strcspn(from, "\n");
        }
        if (*from != ' ') {
            *to++ = *from;
        }
    }
    *to = '\0';
}

static void the_example_is_the_default(void **state)
{
    struct nd_config *standard = NULL;
    (void)state;
    char *example = print_with(nd_config_write_example);
    struct nd_config *config = load_text(example);
    assert_int_equal(nd_config_load(NULL, &error, &standard), ND_OK);
    char *a = print_values(config), *b = print_values(standard);
    strip_comments(a);
    strip_comments(b);
    assert_string_equal(a, b);
    free(a);
    free(b);
    free(example);
    nd_config_destroy(&config);
    nd_config_destroy(&standard);
}

static void values_read_back_as_they_were(void **state)
{
    (void)state;
    struct nd_config *config =
        load_text("store = \"sqlite:/a \\\"b\\\" c\"\nstore_timeout = 1500ms\n"
                  "trusted_headers = {\"A b\", \"C d\"}\n"
                  "limits { max_message = 1536KiB }\n"
                  "rule a { spam_score = 7.25\n families = \"text\"\n"
                  " ham_weight = -0.5\n learn_mode = balanced }\n"
                  "rule b { ann_expire = 36h }\n");
    char *a = print_values(config);
    struct nd_config *again = load_text(a);
    char *b = print_values(again);
    assert_non_null(strstr(a, "store_timeout = 1500ms"));
    assert_non_null(strstr(a, "max_message = 1536KiB"));
    assert_non_null(strstr(a, "families = \"text\""));
    strip_comments(a);
    strip_comments(b);
    assert_string_equal(a, b);
    free(a);
    free(b);
    nd_config_destroy(&config);
    nd_config_destroy(&again);
}

static void origins_are_shown(void **state)
{
    (void)state;
    struct nd_config *config = load_text("\nkey_file = /a\n");
    nd_config_set_store(config, "sqlite:b", "--store");
    char *text = print_values(config);
    char *key = strstr(text, "key_file = \"/a\"");
    assert_non_null(key);
    size_t length = strcspn(key, "\n");
    assert_memory_equal(key + length - 2, ":2", 2);
    assert_non_null(strstr(text, "# --store\n"));
    assert_non_null(strstr(text, "# default\n"));
    free(text);
    nd_config_destroy(&config);
}

/* Each page has each key. */
static void no_key_is_missing_anywhere(void **state)
{
    static void (*const pages[])(FILE *) = {nd_config_write_example,
                                            nd_config_write_reference,
                                            nd_config_write_manual};
    static const char *const shapes[] = {"%s = ", "| `%s` |", "*%s* = "};
    (void)state;
    for (size_t p = 0; p < 3; p++) {
        char *page = print_with(pages[p]);
        for (int s = 0; s < ND_SECTION_COUNT_OF_THEM; s++) {
            const struct nd_section_info *section =
                nd_config_section((enum nd_section_id)s);
            for (size_t i = 0; i < section->count; i++) {
                char wanted[64];
                snprintf(wanted, sizeof(wanted), shapes[p],
                         section->keys[i].name);
                if (strstr(page, wanted) == NULL) {
                    fail_msg("page %zu lacks %s", p, section->keys[i].name);
                }
            }
        }
        free(page);
    }
}

static void no_line_of_the_example_is_too_long(void **state)
{
    (void)state;
    char *example = print_with(nd_config_write_example);
    for (char *line = strtok(example, "\n"); line != NULL;
         line = strtok(NULL, "\n")) {
        if (strlen(line) > 80) {
            fail_msg("%s", line);
        }
    }
    free(example);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_is_the_default),
        cmocka_unit_test(values_read_back_as_they_were),
        cmocka_unit_test(origins_are_shown),
        cmocka_unit_test(no_key_is_missing_anywhere),
        cmocka_unit_test(no_line_of_the_example_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
