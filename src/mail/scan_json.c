/* SPDX-License-Identifier: Apache-2.0
 *
 * Findings from rspamd's JSON: the answer of /checkv2, and exported lines. Both
 * are the same object with more or fewer members; what is not known is passed
 * over. jansson reads the syntax, with a limit on the text, since its objects
 * take many times the memory of what they were read from.
 */
#include "mail/scan_object.h"

#include <math.h>
#include <string.h>

#include "mail/scan_builder.h"

#define MAX_JSON_BYTES (4U << 20)

static bool number(const json_t *value, double *number_r)
{
    if (!json_is_number(value) || !isfinite(json_number_value(value)))
        return false;
    *number_r = json_number_value(value);
    return true;
}

static void add_symbol(struct nd_scan_builder *builder, const char *name,
                       const json_t *value)
{
    double score;
    if (number(value, &score) ||
        number(json_object_get(value, "score"), &score))
        nd_scan_builder_add(builder, name, strlen(name), &score);
    else if (json_is_object(value) || json_is_null(value) ||
             json_is_true(value))
        nd_scan_builder_add(builder, name, strlen(name), NULL);
    else
        builder->dropped++;
}

/* rspamd before 2.0 and some exports name symbols in an array. */
static void add_symbols(struct nd_scan_builder *builder, json_t *symbols)
{
    const char *name;
    json_t *value;
    size_t index;
    json_object_foreach(symbols, name, value) add_symbol(builder, name, value);
    json_array_foreach(symbols, index, value)
    {
        const char *text = json_string_value(value);
        if (text == NULL)
            text = json_string_value(json_object_get(value, "name"));
        if (text == NULL)
            builder->dropped++;
        else
            add_symbol(builder, text,
                       json_is_object(value) ? value : json_null());
    }
}

static void add_metatokens(struct nd_scan_builder *builder, json_t *metatokens)
{
    const char *name;
    json_t *value;
    json_object_foreach(metatokens, name, value)
    {
        double fact;
        if (!number(value, &fact)) {
            builder->dropped++;
            continue;
        }
        fact = fmin(fmax(fact, 0.0), 1.0);
        nd_scan_builder_add(builder, name, strlen(name), &fact);
    }
}

static void read_metatokens(const json_t *root, struct nd_arena *arena,
                            struct nd_scan *scan)
{
    json_t *metatokens = json_object_get(root, "metatokens");
    if (!json_is_object(metatokens))
        return;
    struct nd_scan facts = {.dropped = scan->dropped};
    struct nd_scan_builder builder;
    nd_scan_builder_begin(&builder, &facts, arena);
    add_metatokens(&builder, metatokens);
    nd_scan_builder_end(&builder, &facts);
    scan->metatokens = facts.symbols;
    scan->metatoken_count = facts.count;
    scan->dropped = facts.dropped;
}

static enum nd_scan_verdict verdict_of_action(const char *action)
{
    static const char *const spam[] = {"reject", "add header",
                                       "rewrite subject", "quarantine"};
    for (size_t i = 0; i < sizeof spam / sizeof *spam; i++)
        if (strcmp(action, spam[i]) == 0)
            return ND_SCAN_SPAM;
    return strcmp(action, "no action") == 0 ? ND_SCAN_HAM : ND_SCAN_UNKNOWN;
}

static void read_totals(const json_t *root, struct nd_scan *scan)
{
    scan->has_score = number(json_object_get(root, "score"), &scan->score);
    if (!number(json_object_get(root, "required_score"), &scan->required))
        scan->required = 0;
    const char *action = json_string_value(json_object_get(root, "action"));
    if (action != NULL)
        scan->verdict = verdict_of_action(action);
    else if (scan->has_score && scan->required > 0)
        scan->verdict =
            scan->score >= scan->required ? ND_SCAN_SPAM : ND_SCAN_HAM;
}

static const char *read_id(const json_t *root, struct nd_arena *arena)
{
    const json_t *id = json_object_get(root, "id");
    if (!json_is_string(id))
        id = json_object_get(root, "message-id");
    if (!json_is_string(id))
        return NULL;
    return nd_arena_strndup(arena, json_string_value(id),
                            json_string_length(id));
}

static enum nd_status load(const char *text, size_t length,
                           struct nd_error *error, json_t **root_r)
{
    json_error_t defect;
    if (length > MAX_JSON_BYTES)
        return nd_fail(error, ND_LIMIT,
                       "scan result of %zu bytes, at most %u are read", length,
                       MAX_JSON_BYTES);
    json_t *root = json_loadb(text, length, JSON_ALLOW_NUL, &defect);
    if (root == NULL)
        return nd_fail(error, ND_DATA,
                       "scan result is not JSON: %s at line %d, column %d",
                       defect.text, defect.line, defect.column);
    if (!json_is_object(root)) {
        json_decref(root);
        return nd_fail(error, ND_DATA,
                       "scan result is not a JSON object at line 1, column 1");
    }
    *root_r = root;
    return ND_OK;
}

enum nd_status nd_scan_read_object(const json_t *root, struct nd_arena *arena,
                                   struct nd_error *error,
                                   struct nd_scan *scan_r)
{
    json_t *symbols = json_object_get(root, "symbols");
    if (symbols != NULL && !json_is_object(symbols) &&
        !json_is_array(symbols)) {
        return nd_fail(error, ND_DATA,
                       "\"symbols\" in the scan result is neither an object "
                       "nor an array");
    }
    struct nd_scan scan = {0};
    struct nd_scan_builder builder;
    nd_scan_builder_begin(&builder, &scan, arena);
    add_symbols(&builder, symbols);
    nd_scan_builder_end(&builder, &scan);
    read_metatokens(root, arena, &scan);
    read_totals(root, &scan);
    *scan_r = scan;
    return ND_OK;
}

enum nd_status nd_scan_read_json(const char *text, size_t length,
                                 struct nd_arena *arena, struct nd_error *error,
                                 struct nd_scan *scan_r, const char **id_r)
{
    json_t *root = NULL;
    enum nd_status status = load(text, length, error, &root);
    if (status != ND_OK)
        return status;
    status = nd_scan_read_object(root, arena, error, scan_r);
    if (status == ND_OK && id_r != NULL)
        *id_r = read_id(root, arena);
    json_decref(root);
    return status;
}
