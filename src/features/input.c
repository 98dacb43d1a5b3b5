/* SPDX-License-Identifier: Apache-2.0
 *
 * From features by slot to the network's input. Every text family is a vector
 * of ones; it is scaled to the length that its weight says, so that a family
 * of a thousand 4-grams does not drown one of forty header words. Named
 * features are multiplied by a weight of their own, since their values mean
 * something. Columns: the text families that are fed, then the registry.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "features/features.h"

#define SCALING_VERSION 3U

struct resolved {
    uint32_t slot;
    float value;
    uint8_t family;
};

static int compare_resolved(const void *left, const void *right)
{
    const struct resolved *a = left;
    const struct resolved *b = right;
    return (a->slot > b->slot) - (a->slot < b->slot);
}

/* Sorts, and keeps the first of those with one slot. */
static uint32_t settle(struct resolved *items, uint32_t count,
                       uint32_t *slots_r, float *values_r, uint8_t *families_r)
{
    uint32_t kept = 0;
    qsort(items, count, sizeof *items, compare_resolved);
    for (uint32_t i = 0; i < count; i++) {
        if (kept > 0 && slots_r[kept - 1] == items[i].slot) {
            continue;
        }
        slots_r[kept] = items[i].slot;
        values_r[kept] = items[i].value;
        families_r[kept] = items[i].family;
        kept++;
    }
    return kept;
}

void nd_features_resolve(const struct nd_features *features,
                         const struct nd_registry *registry,
                         struct nd_arena *arena, struct nd_slotted *slotted_r,
                         size_t *unknown_r)
{
    size_t total = features->named_count;
    struct resolved *items = nd_arena_take(arena, total * sizeof *items);
    uint32_t *slots = nd_arena_take(arena, total * sizeof *slots);
    float *values = nd_arena_take(arena, total * sizeof *values);
    uint8_t *families = nd_arena_take(arena, total);
    uint32_t count = 0;
    for (size_t i = 0; i < total; i++) {
        const struct nd_named_feature *feature = &features->named[i];
        uint32_t slot = nd_registry_find(registry, feature->name);
        if (slot != ND_NO_SLOT)
            items[count++] = (struct resolved){
                slot, feature->value, (uint8_t)nd_named_family(feature->name)};
    }
    memset(slotted_r, 0, sizeof *slotted_r);
    slotted_r->families = features->families;
    slotted_r->named_slots = slots;
    slotted_r->named_values = values;
    slotted_r->named_families = families;
    slotted_r->named_count = settle(items, count, slots, values, families);
    memcpy(slotted_r->text, features->text, sizeof slotted_r->text);
    if (unknown_r != NULL) {
        *unknown_r = total - count;
    }
}

/* Weights beside text, measured with folders of the SpamAssassin corpus left
 * out in turn (docs/decisions). Metatokens say little there that structure
 * does not say in steps, and carry over badly. Without text, named features
 * stand for themselves. */
#define SYMBOLS_BESIDE_TEXT 0.25F
#define METATOKENS_BESIDE_TEXT 0.05F

/* Single words and 4-grams of them are known from whatever mail; phrases,
 * links and what senders write into headers are not (docs/decisions). */
#define TELLING                                                               \
    (1U << ND_FAMILY_PAIRS | 1U << ND_FAMILY_URLS | 1U << ND_FAMILY_HEADERS | \
     1U << ND_FAMILY_HEADER_GRAMS)

/* What a message says carries over better than how it is built. */
#define TEXT_WEIGHT 2.0F
#define STRUCTURE_WEIGHT 0.8F
#define HEADER_GRAMS_WEIGHT 2.8F

void nd_scaling_default(uint32_t families, struct nd_scaling *scaling_r)
{
    memset(scaling_r, 0, sizeof *scaling_r);
    scaling_r->families = families & ND_GROUP_ALL;
    scaling_r->telling = scaling_r->families & TELLING;
    scaling_r->usual = 1;
    for (size_t family = 0; family < ND_FAMILY_COUNT; family++)
        scaling_r->weight[family] =
            nd_family((enum nd_family)family)->is_text ? TEXT_WEIGHT : 1.0F;
    if (families & ND_GROUP_TEXT) {
        scaling_r->weight[ND_FAMILY_SYMBOLS] = SYMBOLS_BESIDE_TEXT;
        scaling_r->weight[ND_FAMILY_METATOKENS] = METATOKENS_BESIDE_TEXT;
    }
    scaling_r->weight[ND_FAMILY_STRUCTURE] = STRUCTURE_WEIGHT;
    scaling_r->weight[ND_FAMILY_HEADER_GRAMS] = HEADER_GRAMS_WEIGHT;
}

void nd_scaling_write(const struct nd_scaling *scaling,
                      struct nd_buffer *buffer)
{
    nd_buffer_u8(buffer, SCALING_VERSION);
    nd_buffer_u8(buffer, ND_FAMILY_COUNT);
    nd_buffer_u32(buffer, scaling->families);
    for (size_t family = 0; family < ND_FAMILY_COUNT; family++) {
        nd_buffer_f32(buffer, scaling->weight[family]);
    }
    for (size_t family = 0; family < ND_FAMILY_COUNT; family++) {
        nd_buffer_u8(buffer,
                     (uint8_t)nd_family((enum nd_family)family)->slot_bits);
    }
    nd_buffer_u32(buffer, scaling->telling);
    nd_buffer_f32(buffer, scaling->usual);
}

static enum nd_status fail_scaling(struct nd_error *error)
{
    return nd_fail(error, ND_DATA,
                   "the model's scaling of families is malformed: fetch "
                   "or train the model again");
}

static enum nd_status fail_later(uint32_t families, struct nd_error *error)
{
    struct nd_buffer text = {0};
    nd_families_describe(families, &text);
    enum nd_status status = nd_fail(
        error, ND_VERSION,
        "the model reads features of a later neurald (%s): upgrade this one",
        (const char *)text.data);
    nd_buffer_free(&text);
    return status;
}

/* How many bits a slot has stands in the model so that nobody has to trust the
 * table to be the one that it was trained with. */
static enum nd_status read_slot_bits(struct nd_reader *reader, uint32_t count,
                                     uint32_t families, struct nd_error *error)
{
    for (uint32_t family = 0; family < count; family++) {
        uint32_t bits = nd_reader_u8(reader);
        if (reader->failed || family >= ND_FAMILY_COUNT ||
            (families >> family & 1U) == 0) {
            continue;
        }
        const struct nd_family_info *info = nd_family((enum nd_family)family);
        if (bits != info->slot_bits) {
            return nd_fail(error, ND_DATA,
                           "the model has %s of %u bits a slot, this program "
                           "%u: train a model with this one",
                           info->name, (unsigned)bits,
                           (unsigned)info->slot_bits);
        }
    }
    return ND_OK;
}

enum nd_status nd_scaling_read(struct nd_reader *reader, struct nd_error *error,
                               struct nd_scaling *scaling_r)
{
    struct nd_scaling scaling = {0};
    uint8_t version = nd_reader_u8(reader);
    uint32_t count = nd_reader_u8(reader);
    scaling.families = nd_reader_u32(reader);
    if (!reader->failed && version > SCALING_VERSION) {
        return nd_fail(error, ND_VERSION,
                       "the model's scaling of families has version %u, this "
                       "program reads up to %u: upgrade it",
                       version, SCALING_VERSION);
    }
    for (uint32_t family = 0; !reader->failed && family < count; family++) {
        float weight = nd_reader_f32(reader);
        if (!isfinite(weight)) {
            reader->failed = true;
        } else if (family < ND_FAMILY_COUNT) {
            scaling.weight[family] = weight;
        }
    }
    enum nd_status status = ND_OK;
    if (version > 1) {
        status = read_slot_bits(reader, count, scaling.families, error);
    }
    if (version > 2) {
        scaling.telling = nd_reader_u32(reader);
        scaling.usual = nd_reader_f32(reader);
    }
    if (reader->failed || version == 0 || count > 32 ||
        (count < 32 && scaling.families >> count != 0) ||
        (scaling.telling & ~scaling.families) != 0 ||
        !(scaling.usual >= 0 && scaling.usual <= 1)) {
        return fail_scaling(error);
    }
    uint32_t later = scaling.families & ~ND_GROUP_KNOWN;
    if (later != 0) {
        return fail_later(later, error);
    }
    if (status == ND_OK) {
        *scaling_r = scaling;
    }
    return status;
}

static bool is_fed(const struct nd_scaling *scaling, enum nd_family family)
{
    return (scaling->families >> family & 1U) != 0;
}

static void feed_text(const struct nd_slot_list *list, uint32_t base,
                      float weight, struct nd_input *input)
{
    if (list->count == 0) {
        return;
    }
    float value = weight / sqrtf((float)list->count);
    for (uint32_t i = 0; i < list->count; i++) {
        input->columns[input->count] = base + list->slots[i];
        input->values[input->count] = value;
        input->count++;
    }
}

static void feed_named(const struct nd_slotted *slotted, uint32_t base,
                       const struct nd_scaling *scaling, struct nd_input *input)
{
    for (uint32_t i = 0; i < slotted->named_count; i++) {
        uint8_t family = slotted->named_families != NULL
                             ? slotted->named_families[i]
                             : ND_FAMILY_SYMBOLS;
        if (!is_fed(scaling, family))
            continue;
        input->columns[input->count] = base + slotted->named_slots[i];
        input->values[input->count] =
            scaling->weight[family] * slotted->named_values[i];
        input->count++;
    }
}

static int compare_slots(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

struct nd_slot_list nd_slots_narrow(const struct nd_slot_list *list,
                                    uint32_t slot_bits, struct nd_arena *arena)
{
    uint32_t *slots = nd_arena_take(arena, list->count * sizeof *slots);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        slots[i] = list->slots[i] & ((1U << slot_bits) - 1U);
    }
    if (list->count > 0) {
        qsort(slots, list->count, sizeof *slots, compare_slots);
    }
    for (uint32_t i = 0; i < list->count; i++) {
        if (kept == 0 || slots[i] != slots[kept - 1]) {
            slots[kept++] = slots[i];
        }
    }
    return (struct nd_slot_list){slots, kept};
}

/* What a fed text family takes from a sample. */
static struct nd_slot_list slots_of(const struct nd_slotted *slotted,
                                    enum nd_family family,
                                    struct nd_arena *arena)
{
    const struct nd_family_info *info = nd_family(family);
    if (info->wide == ND_FAMILY_NONE || (slotted->families >> family & 1U)) {
        return slotted->text[family];
    }
    return nd_slots_narrow(&slotted->text[info->wide], info->slot_bits, arena);
}

void nd_features_input(const struct nd_slotted *slotted,
                       const struct nd_scaling *scaling, struct nd_arena *arena,
                       struct nd_input *input_r)
{
    struct nd_slot_list lists[ND_FAMILY_COUNT] = {{0}};
    size_t room = slotted->named_count;
    for (enum nd_family family = 0; family < ND_FAMILY_COUNT; family++) {
        if (nd_family(family)->is_text && is_fed(scaling, family)) {
            lists[family] = slots_of(slotted, family, arena);
            room += lists[family].count;
        }
    }
    struct nd_input input = {
        .columns = nd_arena_take(arena, room * sizeof *input.columns),
        .values = nd_arena_take(arena, room * sizeof *input.values),
    };
    uint32_t base = 0;
    for (enum nd_family family = 0; family < ND_FAMILY_COUNT; family++) {
        if (nd_family(family)->is_text && is_fed(scaling, family)) {
            feed_text(&lists[family], base, scaling->weight[family], &input);
            base += 1U << nd_family(family)->slot_bits;
        }
    }
    feed_named(slotted, base, scaling, &input);
    *input_r = input;
}

float nd_input_known(const struct nd_input *input,
                     const struct nd_scaling *scaling,
                     bool (*knows)(const void *context, uint32_t column),
                     const void *context)
{
    float shares = 0;
    uint32_t telling = 0, end = 0, i = 0;
    for (enum nd_family family = 0; family < ND_FAMILY_COUNT; family++) {
        if (!nd_family(family)->is_text || !is_fed(scaling, family))
            continue;
        uint32_t known = 0, first = i;
        bool tells = (scaling->telling >> family & 1U) != 0;
        end += 1U << nd_family(family)->slot_bits;
        for (; i < input->count && input->columns[i] < end; i++)
            known += tells && knows(context, input->columns[i]);
        if (tells && i > first) {
            shares += (float)known / (float)(i - first);
            telling++;
        }
    }
    return telling > 0 ? shares / (float)telling : -1;
}

float nd_familiar(const struct nd_scaling *scaling, float known)
{
    if (known < 0 || known >= scaling->usual)
        return 1;
    return fmaxf(known / scaling->usual, ND_FAMILIAR_LEAST);
}

enum nd_family nd_input_place(const struct nd_scaling *scaling, uint32_t column,
                              uint32_t *slot_r)
{
    for (enum nd_family family = 0; family < ND_FAMILY_COUNT; family++) {
        if (!nd_family(family)->is_text || !is_fed(scaling, family)) {
            continue;
        }
        uint32_t slots = 1U << nd_family(family)->slot_bits;
        if (column < slots) {
            *slot_r = column;
            return family;
        }
        column -= slots;
    }
    *slot_r = column;
    return ND_FAMILY_SYMBOLS;
}
