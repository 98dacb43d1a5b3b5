/* SPDX-License-Identifier: Apache-2.0
 *
 * Slot sets as bitmaps: adding a feature is one bit, a feature met again costs
 * a test, and reading the bits in order gives the ascending list that samples
 * and networks want, without a sort. All families together are 124 KB, which
 * stay in the processor's cache. Knows nothing of mail.
 */
#include "features/collect.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "features/unicode.h"

struct nd_slot_name {
    uint32_t slot;
    const char *name;
};

void nd_token_start(struct nd_token *token, const char *prefix)
{
    token->length = 0;
    nd_token_add_text(token, prefix);
}

void nd_token_add(struct nd_token *token, const char *data, size_t length)
{
    size_t room = sizeof token->text - token->length;
    size_t taken = length < room ? length : room;
    memcpy(token->text + token->length, data, taken);
    token->length += taken;
}

void nd_token_add_text(struct nd_token *token, const char *text)
{
    nd_token_add(token, text, strlen(text));
}

void nd_token_add_wide(struct nd_token *token, uint32_t code)
{
    if (token->length + 4 <= sizeof token->text) {
        token->length += nd_utf8_encode(code, token->text + token->length);
    }
}

void nd_token_add_folded(struct nd_token *token, const char *data,
                         size_t length)
{
    const char *end = data + length;
    while (data < end && token->length + 4 <= sizeof token->text) {
        enum nd_char_class class;
        uint32_t code = nd_next_folded(&data, end, &class);
        if (class != ND_CHAR_IGNORED) {
            nd_token_add_code(token, code);
        }
    }
}

void nd_token_add_step(struct nd_token *token, uint64_t count)
{
    uint64_t step = count;
    if (count > 4) {
        for (step = 4; step < UINT64_MAX / 2 && step * 2 <= count; step *= 2) {
        }
    }
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + step % 10);
        step /= 10;
    } while (step > 0);
    nd_token_add(token, digits + at, sizeof digits - at);
}

static void begin_set(struct nd_collector *collector, enum nd_family family)
{
    const struct nd_family_info *info = nd_family(family);
    struct nd_slot_set *set = &collector->sets[family];
    size_t words = ((size_t)1 << info->slot_bits) / 64;
    size_t bytes = (words + (words + 63) / 64) * sizeof *set->bits;
    set->bits = nd_arena_take(collector->arena, bytes);
    memset(set->bits, 0, bytes);
    set->filled = set->bits + words;
    set->mask = (1U << info->slot_bits) - 1U;
    set->limit = info->max_features;
}

static void set_mixers(struct nd_collector *collector)
{
    static const char *const seeds[] = {"neurald mixer 0", "neurald mixer 1",
                                        "neurald mixer 2"};
    for (size_t i = 0; i < 3; i++) {
        collector->mixers.numbers[i] =
            nd_keyed_hash(collector->key, seeds[i], strlen(seeds[i])) | 1U;
    }
}

void nd_collect_begin(struct nd_collector *collector, const struct nd_key *key,
                      const struct nd_extract_options *options,
                      struct nd_arena *arena)
{
    memset(collector, 0, sizeof *collector);
    collector->key = key;
    collector->arena = arena;
    collector->wants_names = (options->flags & ND_EXTRACT_NAMES) != 0;
    set_mixers(collector);
    for (enum nd_family family = 0; family <= ND_NO_FAMILY; family++) {
        collector->sets[family].bits = collector->nothing;
        if (family < ND_NO_FAMILY && nd_family(family)->is_text &&
            (options->families >> family & 1U))
            begin_set(collector, family);
    }
}

uint64_t nd_collect_hash(const struct nd_collector *collector,
                         const struct nd_token *token)
{
    return nd_keyed_hash(collector->key, token->text, token->length);
}

void nd_collect_unnamed(struct nd_collector *collector, enum nd_family family,
                        uint64_t hash)
{
    struct nd_slot_set *set = &collector->sets[family];
    uint32_t slot = (uint32_t)hash & set->mask;
    if (set->names == NULL)
        set->names =
            nd_arena_take(collector->arena, set->limit * sizeof *set->names);
    set->names[set->count - 1] = (struct nd_slot_name){slot, ""};
}

void nd_collect_name(struct nd_collector *collector, enum nd_family family,
                     const struct nd_token *token)
{
    struct nd_slot_set *set = &collector->sets[family];
    set->names[set->count - 1].name =
        nd_arena_strndup(collector->arena, token->text, token->length);
}

void nd_collect_token(struct nd_collector *collector, enum nd_family family,
                      const struct nd_token *token)
{
    if (!nd_collect_wants(collector, family)) {
        return;
    }
    if (nd_collect_add(collector, family, nd_collect_hash(collector, token))) {
        nd_collect_name(collector, family, token);
    }
}

static uint32_t list_word(uint32_t word, uint64_t bits, uint32_t *slots_r)
{
    uint32_t count = 0;
    for (; bits != 0; bits &= bits - 1)
        slots_r[count++] = word * 64 + (uint32_t)__builtin_ctzll(bits);
    return count;
}

static void list_slots(const struct nd_slot_set *set, uint32_t *slots_r)
{
    uint32_t count = 0;
    for (uint32_t block = 0; block <= set->mask / 4096; block++) {
        uint64_t filled = set->filled[block];
        for (; filled != 0; filled &= filled - 1) {
            uint32_t word = block * 64 + (uint32_t)__builtin_ctzll(filled);
            count += list_word(word, set->bits[word], slots_r + count);
        }
    }
}

static int compare_names(const void *left, const void *right)
{
    const struct nd_slot_name *a = left;
    const struct nd_slot_name *b = right;
    return (a->slot > b->slot) - (a->slot < b->slot);
}

static const char *const *list_names(const struct nd_collector *collector,
                                     const struct nd_slot_set *set)
{
    const char **names =
        nd_arena_take(collector->arena, set->count * sizeof *names);
    qsort(set->names, set->count, sizeof *set->names, compare_names);
    for (uint32_t i = 0; i < set->count; i++) {
        names[i] = set->names[i].name;
    }
    return names;
}

void nd_collect_end(struct nd_collector *collector,
                    struct nd_features *features)
{
    for (enum nd_family family = 0; family < ND_FAMILY_COUNT; family++) {
        const struct nd_slot_set *set = &collector->sets[family];
        if (set->count == 0) {
            continue;
        }
        uint32_t *slots =
            nd_arena_take(collector->arena, set->count * sizeof *slots);
        list_slots(set, slots);
        features->text[family] = (struct nd_slot_list){slots, set->count};
        if (collector->wants_names) {
            features->text_names[family] = list_names(collector, set);
        }
    }
}
