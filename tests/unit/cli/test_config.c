/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration file: every key reaches its own field and no other, and
 * what is wrong is an error with file and line.
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
#include "cli/config.h"
#include "cli/config_keys.h"
#include "features/features.h"

static char path[] = "/tmp/neurald-config-XXXXXX";
static struct nd_error error;

static int make_file(void **state)
{
    (void)state;
    int file = mkstemp(path);
    return file < 0 ? -1 : close(file);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static enum nd_status load(const char *text, struct nd_config **config_r)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    error.text[0] = '\0';
    return nd_config_load(path, &error, config_r);
}

static struct nd_config *loaded(const char *text)
{
    struct nd_config *config = NULL;
    if (load(text, &config) != ND_OK) {
        fail_msg("%s", error.text);
    }
    return config;
}

/* The error names the line and says these words. */
static void refused(const char *text, int line, const char *words)
{
    struct nd_config *config = NULL;
    char *place = nd_sprintf("%s:%d: ", path, line);
    assert_int_equal(load(text, &config), ND_CONFIG);
    assert_null(config);
    if (strncmp(error.text, place, strlen(place)) != 0 ||
        strstr(error.text, words) == NULL) {
        fail_msg("'%s' is not line %d with '%s'", error.text, line, words);
    }
    free(place);
}

static void without_a_file_all_is_default(void **state)
{
    struct nd_config *config = NULL;
    (void)state;
    assert_int_equal(nd_config_load(NULL, &error, &config), ND_OK);
    assert_null(config->global.store);
    assert_int_equal(config->global.store_timeout_ms, 5000);
    assert_int_equal(config->limits.max_message, 4 << 20);
    assert_int_equal(config->rule_count, 1);
    assert_string_equal(config->rules[0].name, "default");
    assert_string_equal(config->rules[0].settings, "default");
    assert_int_equal(config->rules[0].families, ND_GROUP_ALL);
    nd_config_destroy(&config);
    assert_null(config);
}

/* The table of keys and the libraries' own defaults say the same. */
static void defaults_are_those_of_the_libraries(void **state)
{
    struct nd_config *config = NULL;
    struct nd_rule rule;
    struct nd_mail_limits limits;
    const void *bases[2] = {&limits, &rule};
    const enum nd_section_id ids[2] = {ND_SECTION_LIMITS, ND_SECTION_RULE};
    (void)state;
    assert_int_equal(nd_config_load(NULL, &error, &config), ND_OK);
    nd_mail_limits_default(&limits);
    nd_rule_init(&rule);
    for (size_t s = 0; s < 2; s++) {
        const struct nd_section_info *section = nd_config_section(ids[s]);
        const void *ours = s == 0 ? (const void *)&config->limits
                                  : (const void *)&config->rules[0];
        for (size_t i = 0; i < section->count; i++) {
            struct nd_buffer a = {0}, b = {0};
            nd_key_format(&section->keys[i], ours, &a);
            nd_key_format(&section->keys[i], bases[s], &b);
            assert_string_equal((char *)a.data, (char *)b.data);
            nd_buffer_free(&a);
            nd_buffer_free(&b);
        }
    }
    nd_rule_free(&rule);
    nd_config_destroy(&config);
}

/* ---- every key ---- */

/* A valid value that is not the default. */
static const char *other_value(const struct nd_key_info *key)
{
    switch (key->type) {
    case ND_KEY_TEXT:
        return "OTHER_TEXT";
    case ND_KEY_NAME:
        return "other";
    case ND_KEY_SWITCH:
        return "true";
    case ND_KEY_COUNT:
        return "7";
    case ND_KEY_NUMBER:
        return key->maximum > 0 ? "0.25" : "-0.25";
    case ND_KEY_OPTIONAL:
        return key->minimum < 0 ? "-3.5" : "0.25";
    case ND_KEY_DURATION:
        return "7m";
    case ND_KEY_SIZE:
        return "70KiB";
    case ND_KEY_CHOICE:
        return strrchr(key->choices, ' ') + 1;
    case ND_KEY_FAMILIES:
        return "symbols,urls";
    case ND_KEY_TRUST:
        return "X-Spam-Status mx.example.org";
    }
    return NULL;
}

/* Which rule is looked at: the one called "changed", else the first. */
static size_t rule_of(const struct nd_config *config)
{
    size_t count = config->rule_count + config->rspamd_rule_count;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(config->rules[i].name, "changed") == 0) {
            return i;
        }
    }
    return 0;
}

static const void *base_of(const struct nd_config *config,
                           enum nd_section_id id)
{
    return id == ND_SECTION_RULE ? &config->rules[rule_of(config)]
                                 : nd_config_base(config, id);
}

static const struct nd_origins *origins_of(const struct nd_config *config,
                                           enum nd_section_id id)
{
    return id == ND_SECTION_RULE ? &config->rule_origins[rule_of(config)]
                                 : &config->origins[id];
}

/* Fields of changed that differ from standard, and that of the key alone. */
static void expect_only(const struct nd_config *standard,
                        const struct nd_config *changed, enum nd_section_id at,
                        size_t index)
{
    for (int s = 0; s < ND_SECTION_COUNT_OF_THEM; s++) {
        enum nd_section_id id = (enum nd_section_id)s;
        const struct nd_section_info *section = nd_config_section(id);
        for (size_t i = 0; i < section->count; i++) {
            struct nd_buffer a = {0}, b = {0};
            nd_key_format(&section->keys[i], base_of(standard, id), &a);
            nd_key_format(&section->keys[i], base_of(changed, id), &b);
            bool same = strcmp((char *)a.data, (char *)b.data) == 0;
            bool meant = id == at && i == index;
            if (same == meant) {
                fail_msg("%s: %s", section->keys[i].name,
                         meant ? "did not change" : "changed with another key");
            }
            assert_int_equal(origins_of(changed, id)->of[i] != NULL, meant);
            nd_buffer_free(&a);
            nd_buffer_free(&b);
        }
    }
}

static const char *large_enough(const struct nd_key_info *key)
{
    static const char *const sizes[] = {"70KiB", "70MiB"};
    static const char *const counts[] = {"7", "77"};
    static const char *const times[] = {"7m", "7h"};
    const char *value = other_value(key);
    if (key->type == ND_KEY_SIZE) {
        return sizes[key->minimum > 70 * 1024];
    }
    if (key->type == ND_KEY_COUNT) {
        return counts[key->minimum > 7];
    }
    if (key->type == ND_KEY_DURATION) {
        return times[key->minimum > 7 * 60000];
    }
    return value;
}

/* The section's first line. */
static const char *head_of(enum nd_section_id id)
{
    static char line[64];
    (void)snprintf(line, sizeof(line), "%s%s\n", nd_config_section(id)->name,
                   id == ND_SECTION_GLOBAL ? ""
                   : id == ND_SECTION_RULE ? " changed {"
                                           : " {");
    return line;
}

static void every_key_reaches_its_own_field(void **state)
{
    struct nd_config *standard = NULL;
    (void)state;
    assert_int_equal(nd_config_load(NULL, &error, &standard), ND_OK);
    for (int s = 0; s < ND_SECTION_COUNT_OF_THEM; s++) {
        const struct nd_section_info *section =
            nd_config_section((enum nd_section_id)s);
        for (size_t i = 0; i < section->count; i++) {
            const struct nd_key_info *key = &section->keys[i];
            bool list = key->type == ND_KEY_TRUST;
            char *text = nd_sprintf(
                "%s%s = %s\"%s\"%s\n%s", head_of((enum nd_section_id)s),
                key->name, list ? "{" : "",
                key->type == ND_KEY_DURATION && key->maximum < 7 * 60000
                    ? "7s"
                    : large_enough(key),
                list ? "}" : "", s == ND_SECTION_GLOBAL ? "" : "}\n");
            struct nd_config *changed = loaded(text);
            expect_only(standard, changed, (enum nd_section_id)s, i);
            char *origin = nd_sprintf("%s:2", path);
            assert_string_equal(
                origins_of(changed, (enum nd_section_id)s)->of[i], origin);
            nd_config_destroy(&changed);
            free(origin);
            free(text);
        }
    }
    nd_config_destroy(&standard);
}

static void every_bound_is_checked(void **state)
{
    (void)state;
    for (int s = 0; s < ND_SECTION_COUNT_OF_THEM; s++) {
        const struct nd_section_info *section =
            nd_config_section((enum nd_section_id)s);
        for (size_t i = 0; i < section->count; i++) {
            const struct nd_key_info *key = &section->keys[i];
            if (key->maximum <= key->minimum || key->maximum > 1e15) {
                continue;
            }
            const char *unit = key->type == ND_KEY_DURATION ? "ms" : "";
            double step = key->type == ND_KEY_NUMBER ? 0.001 : 1;
            const char *open = head_of((enum nd_section_id)s);
            for (int side = 0; side < 2; side++) {
                double value =
                    side == 0 ? key->minimum - step : key->maximum + step;
                char *text =
                    nd_sprintf("%s%s = %.16g%s\n%s\n", open, key->name, value,
                               unit, s == ND_SECTION_GLOBAL ? "" : "}");
                refused(text, 2, key->name);
                free(text);
            }
        }
    }
}

/* ---- rules ---- */

static void rules_are_apart(void **state)
{
    (void)state;
    struct nd_config *config =
        loaded("rule short { max_trains = 50 }\n"
               "rule long { max_trains = 5000\n settings = inbound }\n"
               "rule plain {}\n");
    assert_int_equal(config->rule_count, 3);
    assert_int_equal(nd_config_rule(config, "short")->max_trains, 50);
    assert_int_equal(nd_config_rule(config, "long")->max_trains, 5000);
    assert_string_equal(nd_config_rule(config, "long")->settings, "inbound");
    assert_int_equal(nd_config_rule(config, "plain")->max_trains, 1000);
    assert_null(nd_config_rule(config, "default"));
    nd_config_destroy(&config);
}

static void trusted_headers_are_pairs(void **state)
{
    (void)state;
    struct nd_config *config =
        loaded("trusted_headers = {\"X-Spam-Status mx.example.org\",\n"
               "  \"Authentication-Results  auth.example.org\"}\n");
    const struct nd_mail_trust *trust = &config->global.trust;
    assert_int_equal(trust->count, 2);
    assert_string_equal(trust->headers[0].header, "X-Spam-Status");
    assert_string_equal(trust->headers[0].host, "mx.example.org");
    assert_string_equal(trust->headers[1].host, "auth.example.org");
    nd_config_destroy(&config);
}

static void a_score_of_zero_is_set(void **state)
{
    (void)state;
    struct nd_config *config =
        loaded("rule r { spam_score = 0\n ham_score = \"\" }\n");
    assert_true(config->rules[0].has_spam_score);
    assert_false(config->rules[0].has_ham_score);
    nd_config_destroy(&config);
}

static void the_option_goes_before_the_file(void **state)
{
    (void)state;
    struct nd_config *config = loaded("store = \"sqlite:a\"\n");
    nd_config_set_store(config, "sqlite:b", "--store");
    assert_string_equal(config->global.store, "sqlite:b");
    assert_string_equal(config->origins[ND_SECTION_GLOBAL].of[0], "--store");
    nd_config_destroy(&config);
}

/* ---- mistakes ---- */

static void unknown_keys_are_errors(void **state)
{
    (void)state;
    refused("\n\nstoer = a\n", 3, "stoer");
    refused("rule r {\n  max_train = 5\n}\n", 2, "max_train");
    refused("limits {\n\n max_part = 5 }\n", 3, "max_part");
    refused("rules r {\n}\n", 1, "rules");
    /* A key of another section is unknown here. */
    refused("max_parts = 5\n", 1, "max_parts");
}

static void repeated_keys_are_errors(void **state)
{
    (void)state;
    refused("store = a\nstore = b\n", 2, "line 1");
    refused("store = a\n\nstore = a\n", 3, "store");
    refused("rule r {\n seeds = 2\n seeds = 2\n}\n", 3, "seeds");
    refused("limits { max_parts = 5 }\nlimits { max_urls = 5 }\n", 2, "limits");
    refused("limits {}\nlimits {}\n", 2, "limits");
    refused("rule r {}\nrule s {}\nrule r {}\n", 3, "r");
    refused("trusted_headers = {\"A b\"}\ntrusted_headers = {\"C d\"}\n", 2,
            "trusted_headers");
    refused("trusted_headers = {\"A b\"}\ntrusted_headers += {\"C d\"}\n", 2,
            "trusted_headers");
    refused("trusted_headers = \"A b\"\ntrusted_headers = \"C d\"\n", 2,
            "trusted_headers");
    refused(
        "trusted_headers = {\"A b\",\"C d\"}\n\ntrusted_headers = {\"A b\"}\n",
        3, "trusted_headers");
}

static void the_same_key_in_two_rules_is_none(void **state)
{
    (void)state;
    struct nd_config *config =
        loaded("rule r { seeds = 3 }\nrule s { seeds = 4 }\n");
    assert_int_equal(config->rules[1].seeds, 4);
    nd_config_destroy(&config);
}

static void wrong_values_are_errors(void **state)
{
    (void)state;
    refused("store_timeout = fast\n", 1, "store_timeout");
    refused("store_timeout = 1x\n", 1, "store_timeout");
    refused("limits { max_message = 4XB }\n", 1, "max_message");
    refused("rule r { seeds = two }\n", 1, "seeds");
    refused("rule r { seeds = 2.5 }\n", 1, "seeds");
    refused("rule r { autolearn = maybe }\n", 1, "autolearn");
    refused("rule r { mode = idle }\n", 1, "active observe");
    refused("rule r { learn_mode = balance }\n", 1, "learn_mode");
    refused("rule r { families = \"words,wrods\" }\n", 1, "wrods");
    refused("rule r { train_prob = nan }\n", 1, "train_prob");
    refused("rule r { symbol_spam = \"A B\" }\n", 1, "symbol_spam");
    refused("rule r { symbol_ham = \"\" }\n", 1, "symbol_ham");
    refused("rule r { settings = \"a/b\" }\n", 1, "settings");
    refused("rule \"a b\" { }\n", 1, "a b");
    refused("trusted_headers = {\"X-Spam-Status\"}\n", 1, "X-Spam-Status");
    refused("trusted_headers = {\"A b c\"}\n", 1, "A b c");
}

static void broken_syntax_is_an_error(void **state)
{
    struct nd_config *config = NULL;
    static const char *const texts[] = {"store = \"a\n",
                                        "rule r {\n",
                                        "limits {",
                                        "rule r { seeds = 2",
                                        "# c\nrule r {} rule s {",
                                        "= 5\n",
                                        "store\n",
                                        "}\n",
                                        "{"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (load(texts[i], &config) != ND_CONFIG) {
            fail_msg("accepted: %s", texts[i]);
        }
        assert_non_null(strstr(error.text, path));
    }
}

static void files_that_are_none_are_errors(void **state)
{
    struct nd_config *config = NULL;
    (void)state;
    assert_int_equal(nd_config_load("/nonexistent/x", &error, &config),
                     ND_NO_INPUT);
    assert_non_null(strstr(error.text, "/nonexistent/x"));
    assert_int_equal(nd_config_load("/tmp", &error, &config), ND_CONFIG);
    assert_int_equal(nd_config_load("/dev/zero", &error, &config), ND_CONFIG);
}

static void an_empty_file_is_the_default(void **state)
{
    (void)state;
    struct nd_config *config = loaded("");
    assert_int_equal(config->rule_count, 1);
    nd_config_destroy(&config);
    config = loaded("# only a comment");
    assert_int_equal(config->rule_count, 1);
    nd_config_destroy(&config);
}

/* Comments of that many bytes, and a key behind them. */
static char *key_behind(size_t length)
{
    char *text = nd_calloc(length + 64, 1);
    for (size_t i = 0; i < length; i++) {
        text[i] = i % 64 == 0 ? '#' : i % 64 == 63 ? '\n' : 'x';
    }
    strcat(text, "\nrule last {\n}\n");
    return text;
}

static void a_long_file_is_read_to_its_end_and_a_larger_one_refused(
    void **state)
{
    struct nd_config *config = NULL;
    (void)state;
    for (size_t length = 16320; length <= 16384 * 9; length += 16384) {
        char *text = key_behind(length);
        config = loaded(text);
        assert_string_equal(config->rules[0].name, "last");
        nd_config_destroy(&config);
        free(text);
    }
    char *text = key_behind((size_t)1 << 20);
    assert_int_equal(load(text, &config), ND_CONFIG);
    assert_non_null(strstr(error.text, "larger than 1048576 bytes"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_file_all_is_default),
        cmocka_unit_test(defaults_are_those_of_the_libraries),
        cmocka_unit_test(every_key_reaches_its_own_field),
        cmocka_unit_test(every_bound_is_checked),
        cmocka_unit_test(rules_are_apart),
        cmocka_unit_test(trusted_headers_are_pairs),
        cmocka_unit_test(a_score_of_zero_is_set),
        cmocka_unit_test(the_option_goes_before_the_file),
        cmocka_unit_test(unknown_keys_are_errors),
        cmocka_unit_test(repeated_keys_are_errors),
        cmocka_unit_test(the_same_key_in_two_rules_is_none),
        cmocka_unit_test(wrong_values_are_errors),
        cmocka_unit_test(broken_syntax_is_an_error),
        cmocka_unit_test(files_that_are_none_are_errors),
        cmocka_unit_test(an_empty_file_is_the_default),
        cmocka_unit_test(
            a_long_file_is_read_to_its_end_and_a_larger_one_refused),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
