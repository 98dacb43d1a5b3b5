/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the table of keys in its several shapes. A test compares the files in
 * docs/ with what comes out of here, so none of them is edited by hand.
 */
#include "cli/config_document.h"

#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "cli/config_keys.h"
#include "cli/manual.h"
#include "cli/options.h"

static const char *type_words(const struct nd_key_info *key)
{
    static const char *const words[] = {
        [ND_KEY_TEXT] = "text",
        [ND_KEY_NAME] = "name",
        [ND_KEY_SWITCH] = "true or false",
        [ND_KEY_COUNT] = "whole number",
        [ND_KEY_NUMBER] = "number",
        [ND_KEY_OPTIONAL] = "number or empty",
        [ND_KEY_DURATION] = "duration",
        [ND_KEY_SIZE] = "size",
        [ND_KEY_CHOICE] = "one of",
        [ND_KEY_FAMILIES] = "families of features",
        [ND_KEY_TRUST] = "list of text",
    };
    return words[key->type];
}

/* The default as nd_key_format writes it: through a value of its own. */
static void format_default(const struct nd_key_info *key,
                           struct nd_buffer *text)
{
    if (key->type == ND_KEY_TRUST) {
        nd_buffer_append_text(text, "{}");
    } else if (key->type == ND_KEY_TEXT || key->type == ND_KEY_NAME ||
               key->type == ND_KEY_FAMILIES || key->standard[0] == '\0') {
        nd_buffer_printf(text, "\"%s\"", key->standard);
    } else {
        nd_buffer_append_text(text, key->standard);
    }
}

static bool has_range(const struct nd_key_info *key)
{
    return key->maximum > key->minimum && key->type != ND_KEY_OPTIONAL;
}

static void format_bound(const struct nd_key_info *key, double bound,
                         struct nd_buffer *text)
{
    if (key->type == ND_KEY_DURATION || key->type == ND_KEY_SIZE) {
        int64_t value = (int64_t)bound;
        struct nd_key_info alone = *key;
        alone.offset = 0;
        alone.size = sizeof(value);
        nd_key_format(&alone, &value, text);
    } else {
        nd_buffer_printf(text, "%.16g", bound);
    }
}

/* "whole number, 1 to 1000", "one of: active, observe" */
static void format_type(const struct nd_key_info *key, struct nd_buffer *text)
{
    nd_buffer_append_text(text, type_words(key));
    if (key->type == ND_KEY_CHOICE) {
        nd_buffer_append_text(text, ": ");
        for (const char *c = key->choices; *c != '\0'; c++) {
            nd_buffer_append_text(text, *c == ' ' ? ", " : "");
            nd_buffer_append(text, c, *c == ' ' ? 0 : 1);
        }
    } else if (has_range(key)) {
        nd_buffer_append_text(text, ", ");
        format_bound(key, key->minimum, text);
        nd_buffer_append_text(text, " to ");
        format_bound(key, key->maximum, text);
    }
}

static void print_comment(const char *text, const char *indent, FILE *out)
{
    char line[512];
    snprintf(line, sizeof(line), "%s", text);
    size_t start = 0;
    size_t width = 77 - strlen(indent);
    size_t length = strlen(line);
    while (start < length) {
        size_t end = length - start <= width ? length : start + width;
        while (end < length && line[end] != ' ') {
            end--;
        }
        fprintf(out, "%s# %.*s\n", indent, (int)(end - start), line + start);
        start = end + 1;
    }
}

static void print_example_key(const struct nd_key_info *key, const char *indent,
                              FILE *out)
{
    struct nd_buffer text = {0};
    print_comment(key->text, indent, out);
    nd_buffer_append_text(&text, "(");
    format_type(key, &text);
    nd_buffer_append_text(&text, ")");
    print_comment((const char *)text.data, indent, out);
    nd_buffer_clear(&text);
    format_default(key, &text);
    fprintf(out, "%s%s = %s\n", indent, key->name, (const char *)text.data);
    nd_buffer_free(&text);
}

static void print_section_head(enum nd_section_id id, const char *rule,
                               FILE *out)
{
    bool is_rule = id == ND_SECTION_RULE;
    fprintf(out, "%s%s%s {\n", nd_config_section(id)->name, is_rule ? " " : "",
            is_rule ? rule : "");
}

void nd_config_write_example(FILE *out)
{
    fputs("# neurald's configuration: every key with its default. Written by\n"
          "# 'neurald config --example'; 'neurald config --test-config' "
          "checks a file.\n"
          "# Durations: 500ms, 30s, 10m, 6h, 2d, 1w. Sizes: 512, 4KiB, 4MiB, "
          "1GiB.\n",
          out);
    for (int id = 0; id < ND_SECTION_COUNT_OF_THEM; id++) {
        const struct nd_section_info *section =
            nd_config_section((enum nd_section_id)id);
        bool global = id == ND_SECTION_GLOBAL;
        fputc('\n', out);
        if (!global) {
            print_comment(section->text, "", out);
            print_section_head((enum nd_section_id)id, "default", out);
        }
        for (size_t i = 0; i < section->count; i++) {
            fputs(i > 0 ? "\n" : "", out);
            print_example_key(&section->keys[i], global ? "" : "    ", out);
        }
        fputs(global ? "" : "}\n", out);
    }
}

static void print_reference_key(const struct nd_key_info *key, FILE *out)
{
    struct nd_buffer type = {0}, standard = {0};
    format_type(key, &type);
    format_default(key, &standard);
    fprintf(out, "| `%s` | %s | `%s` | %s |\n", key->name,
            (const char *)type.data, (const char *)standard.data, key->text);
    nd_buffer_free(&type);
    nd_buffer_free(&standard);
}

void nd_config_write_reference(FILE *out)
{
    fputs("# Configuration\n\n"
          "`neurald --config FILE` reads a file in libconfuse's syntax: "
          "`key = value`, sections\nin braces, comments behind `#`, and "
          "`${NAME}` for a variable of the environment.\n"
          "An unknown key, a repeated one, and a value out of its range are "
          "errors that name\nfile and line. `neurald config` prints the "
          "effective values and where each came\nfrom; `neurald config "
          "--test-config` only checks.\n\n"
          "Durations are written `500ms`, `30s`, `10m`, `6h`, `2d`, `1w`; "
          "sizes `512`, `4KiB`,\n`4MiB`, `1GiB` (powers of 1024) or `4kB`, "
          "`4MB` (of 1000).\n\n"
          "This page is made from the program's table of keys "
          "(`neurald config --reference`).\n",
          out);
    for (int id = 0; id < ND_SECTION_COUNT_OF_THEM; id++) {
        const struct nd_section_info *section =
            nd_config_section((enum nd_section_id)id);
        fprintf(out, "\n## %s\n\n%s\n\n",
                section->name[0] == '\0' ? "Global" : section->name,
                section->text);
        fputs("| key | type | default | what it does |\n"
              "| --- | --- | --- | --- |\n",
              out);
        for (size_t i = 0; i < section->count; i++) {
            print_reference_key(&section->keys[i], out);
        }
    }
}

static void print_manual_key(const struct nd_key_info *key, FILE *out)
{
    struct nd_buffer text = {0};
    fprintf(out, "*%s* = ", key->name);
    format_type(key, &text);
    nd_buffer_append_text(&text, " (default ");
    format_default(key, &text);
    nd_buffer_append_text(&text, ")");
    nd_manual_text((const char *)text.data, out);
    fputs("\n\t", out);
    nd_manual_text(key->text, out);
    fputs("\n\n", out);
    nd_buffer_free(&text);
}

void nd_config_write_manual(FILE *out)
{
    for (int id = 0; id < ND_SECTION_COUNT_OF_THEM; id++) {
        const struct nd_section_info *section =
            nd_config_section((enum nd_section_id)id);
        const char *name = section->name[0] == '\0' ? "global" : section->name;
        fputs("# ", out);
        for (const char *c = name; *c != '\0'; c++) {
            fputc(toupper((unsigned char)*c), out);
        }
        fputs(" KEYS\n\n", out);
        nd_manual_text(section->text, out);
        fputs("\n\n", out);
        for (size_t i = 0; i < section->count; i++) {
            print_manual_key(&section->keys[i], out);
        }
    }
}

/* ---- effective values ---- */

struct visit {
    enum nd_section_id id;
    const void *base;
    const struct nd_origins *origins;
    const char *rule; /* NULL outside of rules */
};

static const char *origin_of(const struct visit *visit, size_t key)
{
    const char *origin = visit->origins->of[key];
    return origin != NULL ? origin : "default";
}

static void visit_section(const struct nd_config *config, size_t index,
                          struct visit *visit_r)
{
    if (index < ND_SECTION_RULE) {
        enum nd_section_id id = (enum nd_section_id)index;
        *visit_r = (struct visit){id, nd_config_base(config, id),
                                  &config->origins[id], NULL};
        return;
    }
    index -= ND_SECTION_RULE;
    *visit_r =
        (struct visit){ND_SECTION_RULE, &config->rules[index],
                       &config->rule_origins[index], config->rules[index].name};
}

static void print_values(const struct visit *visit, FILE *out)
{
    const struct nd_section_info *section = nd_config_section(visit->id);
    const char *indent = visit->id == ND_SECTION_GLOBAL ? "" : "    ";
    struct nd_buffer text = {0};
    if (visit->id != ND_SECTION_GLOBAL) {
        fputc('\n', out);
        print_section_head(visit->id, visit->rule, out);
    }
    for (size_t i = 0; i < section->count; i++) {
        nd_buffer_clear(&text);
        nd_key_format(&section->keys[i], visit->base, &text);
        int column = fprintf(out, "%s%s = %s", indent, section->keys[i].name,
                             (const char *)text.data);
        fprintf(out, "%*s# %s\n", column < 40 ? 40 - column : 2, "",
                origin_of(visit, i));
    }
    fputs(visit->id == ND_SECTION_GLOBAL ? "" : "}\n", out);
    nd_buffer_free(&text);
}

/* Those there is one of, and the rules of both kinds. */
static size_t count_sections(const struct nd_config *config)
{
    return ND_SECTION_RULE + config->rule_count + config->rspamd_rule_count;
}

void nd_config_write_values(const struct nd_config *config, FILE *out)
{
    for (size_t i = 0; i < count_sections(config); i++) {
        struct visit visit;
        visit_section(config, i, &visit);
        print_values(&visit, out);
    }
}

static enum nd_status print_json_values(const struct visit *visit, FILE *out,
                                        struct nd_error *error)
{
    const struct nd_section_info *section = nd_config_section(visit->id);
    struct nd_json json = {0};
    struct nd_buffer text = {0};
    enum nd_status status = ND_OK;
    for (size_t i = 0; i < section->count && status == ND_OK; i++) {
        nd_buffer_clear(&text);
        nd_key_format(&section->keys[i], visit->base, &text);
        nd_json_open(&json, NULL, '{');
        nd_json_text(&json, "section", section->name);
        nd_json_text(&json, "rule", visit->rule ? visit->rule : "");
        nd_json_text(&json, "key", section->keys[i].name);
        nd_json_text(&json, "value", (const char *)text.data);
        nd_json_text(&json, "origin", origin_of(visit, i));
        nd_json_close(&json, '}');
        status = nd_json_line(&json, out, error);
    }
    nd_buffer_free(&text);
    nd_json_free(&json);
    return status;
}

enum nd_status nd_config_write_json(const struct nd_config *config, FILE *out,
                                    struct nd_error *error)
{
    enum nd_status status = ND_OK;
    for (size_t i = 0; i < count_sections(config) && status == ND_OK; i++) {
        struct visit visit;
        visit_section(config, i, &visit);
        status = print_json_values(&visit, out, error);
    }
    return status;
}
