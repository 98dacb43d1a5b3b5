/* SPDX-License-Identifier: Apache-2.0
 *
 * A filter's findings to named features: each symbol as present, and its score
 * beside that, damped. Presence is a feature of its own because most symbols
 * of rspamd score 0 and SpamAssassin's headers often name no score: by score
 * alone they would vanish.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "features/named.h"

enum nd_family nd_named_family(const char *name)
{
    return strncmp(name, "meta:", 5) == 0 ? ND_FAMILY_METATOKENS
                                          : ND_FAMILY_SYMBOLS;
}

void nd_named_add(struct nd_named_list *list, const char *name, double value)
{
    if (!isfinite(value)) {
        return;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        struct nd_named_feature *items =
            nd_arena_take(list->arena, capacity * sizeof *items);
        if (list->count > 0) {
            memcpy(items, list->items, list->count * sizeof *items);
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] =
        (struct nd_named_feature){.name = name, .value = (float)value};
}

static bool is_excluded(const struct nd_extract_options *options,
                        const char *name)
{
    for (size_t i = 0; i < options->excluded_count; i++) {
        if (strcmp(options->excluded[i], name) == 0) {
            return true;
        }
    }
    return false;
}

const char *nd_named_prefixed(struct nd_arena *arena, const char *prefix,
                              const char *name)
{
    size_t prefix_length = strlen(prefix);
    size_t name_length = strlen(name);
    char *text = nd_arena_take(arena, prefix_length + name_length + 1);
    char *end = mempcpy(text, prefix, prefix_length);
    end = mempcpy(end, name, name_length);
    *end = '\0';
    return text;
}

/* 1 for a score of 10, and slower and slower beyond it. */
static double damped(double score)
{
    return copysign(log1p(fabs(score)) / log1p(10.0), score);
}

void nd_collect_symbols(struct nd_named_list *list, const struct nd_scan *scan,
                        const struct nd_extract_options *options)
{
    for (size_t i = 0; i < scan->count; i++) {
        const struct nd_scan_symbol *symbol = &scan->symbols[i];
        if (is_excluded(options, symbol->name)) {
            continue;
        }
        nd_named_add(
            list, nd_named_prefixed(list->arena, "symbol:", symbol->name), 1);
        if (symbol->has_score && symbol->score != 0) {
            nd_named_add(list,
                         nd_named_prefixed(list->arena, "score:", symbol->name),
                         damped(symbol->score));
        }
    }
}
