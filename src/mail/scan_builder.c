/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing list of symbols with an index by name, all in an arena. The index
 * is there because a sender can write thousands of symbols.
 */
#include "mail/scan_builder.h"

#include <math.h>
#include <string.h>

#include "mail/fnv.h"

#define FIRST_CAPACITY 64

bool nd_scan_is_name(const char *name, size_t length)
{
    if (length == 0 || length > ND_MAX_SYMBOL_NAME)
        return false;
    for (size_t i = 0; i < length; i++)
        if (name[i] <= ' ' || name[i] > '~')
            return false;
    return true;
}

/* The slot where name is, or where it would go. */
static uint16_t *find_slot(const struct nd_scan_builder *builder,
                           const char *name, size_t length)
{
    size_t mask = builder->slot_count - 1;
    size_t at = nd_fnv(name, length) & mask;
    for (; builder->slots[at] != 0; at = (at + 1) & mask) {
        const char *known = builder->symbols[builder->slots[at] - 1].name;
        if (strncmp(known, name, length) == 0 && known[length] == '\0')
            break;
    }
    return &builder->slots[at];
}

static void resize(struct nd_scan_builder *builder, size_t capacity)
{
    struct nd_scan_symbol *symbols =
        nd_arena_take(builder->arena, capacity * sizeof *symbols);
    if (builder->count > 0)
        memcpy(symbols, builder->symbols, builder->count * sizeof *symbols);
    builder->symbols = symbols;
    builder->capacity = capacity;
    builder->slot_count = capacity * 2;
    size_t bytes = builder->slot_count * sizeof *builder->slots;
    builder->slots = nd_arena_take(builder->arena, bytes);
    memset(builder->slots, 0, bytes);
    for (size_t i = 0; i < builder->count; i++)
        *find_slot(builder, symbols[i].name, strlen(symbols[i].name)) =
            (uint16_t)(i + 1);
}

void nd_scan_builder_begin(struct nd_scan_builder *builder,
                           const struct nd_scan *scan, struct nd_arena *arena)
{
    *builder =
        (struct nd_scan_builder){.dropped = scan->dropped, .arena = arena};
    size_t capacity = FIRST_CAPACITY;
    while (capacity < scan->count)
        capacity *= 2;
    resize(builder, capacity);
    for (size_t i = 0; i < scan->count; i++) {
        const struct nd_scan_symbol *symbol = &scan->symbols[i];
        nd_scan_builder_add(builder, symbol->name, strlen(symbol->name),
                            symbol->has_score ? &symbol->score : NULL);
    }
}

static void set_score(struct nd_scan_symbol *symbol, const double *score)
{
    if (score == NULL || symbol->has_score)
        return;
    symbol->score = *score;
    symbol->has_score = true;
}

void nd_scan_builder_add(struct nd_scan_builder *builder, const char *name,
                         size_t length, const double *score)
{
    if (!nd_scan_is_name(name, length) ||
        (score != NULL && !isfinite(*score))) {
        builder->dropped++;
        return;
    }
    uint16_t *slot = find_slot(builder, name, length);
    if (*slot != 0) {
        set_score(&builder->symbols[*slot - 1], score);
        return;
    }
    if (builder->count == ND_MAX_SCAN_SYMBOLS) {
        builder->dropped++;
        return;
    }
    if (builder->count == builder->capacity) {
        resize(builder, builder->capacity * 2);
        slot = find_slot(builder, name, length);
    }
    struct nd_scan_symbol *symbol = &builder->symbols[builder->count++];
    *symbol = (struct nd_scan_symbol){
        .name = nd_arena_strndup(builder->arena, name, length)};
    set_score(symbol, score);
    *slot = (uint16_t)builder->count;
}

void nd_scan_builder_end(const struct nd_scan_builder *builder,
                         struct nd_scan *scan)
{
    scan->symbols = builder->symbols;
    scan->count = builder->count;
    scan->dropped = builder->dropped;
}
