/* SPDX-License-Identifier: Apache-2.0
 *
 * Features to payloads and back. A payload has one section for each family
 * that was looked for, also when nothing was found: "no findings" and "not
 * looked" are different facts. Named families share the registry's slots, so
 * their two sections become one list again when a sample is read.
 */
#include "learn/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/sample.h"

struct slot_value {
    uint32_t slot;
    float value;
    uint8_t family;
};

enum nd_family nd_sample_family_of(const char *name)
{
    return nd_named_family(name);
}

void nd_sample_copy_features(const struct nd_features *features,
                             struct nd_arena *arena, struct nd_features *copy_r)
{
    *copy_r = *features;
    struct nd_named_feature *named =
        nd_arena_take(arena, features->named_count * sizeof *named);
    for (size_t i = 0; i < features->named_count; i++) {
        const char *name = features->named[i].name;
        named[i].name = nd_arena_strndup(arena, name, strlen(name));
        named[i].value = features->named[i].value;
    }
    copy_r->named = named;
    for (size_t family = 0; family < ND_FAMILY_COUNT; family++) {
        size_t size = features->text[family].count * sizeof(uint32_t);
        uint32_t *slots = nd_arena_take(arena, size);
        if (size > 0) {
            memcpy(slots, features->text[family].slots, size);
        }
        copy_r->text[family].slots = slots;
        copy_r->text_names[family] = NULL;
    }
}

static int by_slot(const void *first, const void *second)
{
    uint32_t a = ((const struct slot_value *)first)->slot;
    uint32_t b = ((const struct slot_value *)second)->slot;
    return (a > b) - (a < b);
}

/* Sorts found and writes it as slots, each once, with their values, and their
 * families unless families is NULL. */
static uint32_t write_unique(struct slot_value *found, size_t count,
                             uint32_t *slots, float *values, uint8_t *families)
{
    uint32_t unique = 0;
    if (count > 0) {
        qsort(found, count, sizeof *found, by_slot);
    }
    for (size_t i = 0; i < count; i++) {
        if (unique == 0 || found[i].slot != slots[unique - 1]) {
            slots[unique] = found[i].slot;
            if (families != NULL) {
                families[unique] = found[i].family;
            }
            values[unique++] = found[i].value;
        }
    }
    return unique;
}

/* A named family's features that have a slot, ascending and unique, as a
 * section. */
static struct nd_section named_section(const struct nd_features *features,
                                       enum nd_family family,
                                       const struct nd_registry *registry,
                                       struct nd_arena *arena,
                                       size_t *unknown_r)
{
    size_t room = features->named_count;
    struct slot_value *found = nd_arena_take(arena, room * sizeof *found);
    uint32_t *slots = nd_arena_take(arena, room * sizeof *slots);
    float *values = nd_arena_take(arena, room * sizeof *values);
    size_t count = 0;
    for (size_t i = 0; i < room; i++) {
        const struct nd_named_feature *feature = &features->named[i];
        if (nd_sample_family_of(feature->name) != family) {
            continue;
        }
        uint32_t slot = nd_registry_find(registry, feature->name);
        if (slot == ND_NO_SLOT) {
            (*unknown_r)++;
            continue;
        }
        found[count++] =
            (struct slot_value){slot, feature->value, (uint8_t)family};
    }
    uint32_t unique = write_unique(found, count, slots, values, NULL);
    return (struct nd_section){(uint8_t)family, unique, slots, values};
}

static bool all_finite(const struct nd_features *features)
{
    for (size_t i = 0; i < features->named_count; i++) {
        if (!isfinite(features->named[i].value)) {
            return false;
        }
    }
    return true;
}

enum nd_refusal nd_sample_pack(const struct nd_features *features,
                               const struct nd_registry *registry,
                               struct nd_arena *arena,
                               struct nd_buffer *payload, size_t *unknown_r)
{
    if (!all_finite(features)) {
        return ND_REFUSED_NOT_FINITE;
    }
    struct nd_section sections[ND_FAMILY_COUNT];
    size_t count = 0, unknown = 0;
    for (enum nd_family family = 0; family < ND_FAMILY_COUNT; family++) {
        if ((features->families >> family & 1U) == 0) {
            continue;
        }
        sections[count++] =
            nd_family(family)->is_text
                ? (struct nd_section){(uint8_t)family,
                                      features->text[family].count,
                                      features->text[family].slots, NULL}
                : named_section(features, family, registry, arena, &unknown);
    }
    struct nd_error error;
    enum nd_status status = nd_sample_encode(sections, count, payload, &error);
    if (status == ND_LIMIT) {
        return ND_REFUSED_TOO_LARGE;
    }
    if (status != ND_OK) {
        return ND_REFUSED_MALFORMED;
    }
    *unknown_r = unknown;
    return ND_REFUSED_NONE;
}

static bool section_is_sound(const struct nd_section *section,
                             uint32_t registry_length)
{
    const struct nd_family_info *family = nd_family(section->family);
    uint32_t bound =
        family->is_text ? 1U << family->slot_bits : registry_length;
    if (section->count > 0 && section->slots[section->count - 1] >= bound) {
        return false;
    }
    if (section->values == NULL) {
        return true;
    }
    for (uint32_t i = 0; i < section->count; i++) {
        if (!isfinite(section->values[i])) {
            return false;
        }
    }
    return true;
}

/* Brings two ascending lists of named slots together. */
static void merge_named(const struct nd_section *first,
                        const struct nd_section *second, struct nd_arena *arena,
                        struct nd_slotted *slotted)
{
    uint32_t room = first->count + second->count;
    uint32_t *slots = nd_arena_take(arena, room * sizeof *slots);
    float *values = nd_arena_take(arena, room * sizeof *values);
    uint8_t *families = nd_arena_take(arena, room);
    uint32_t i = 0, j = 0, count = 0;
    while (i < first->count || j < second->count) {
        bool from_first =
            j == second->count ||
            (i < first->count && first->slots[i] <= second->slots[j]);
        const struct nd_section *from = from_first ? first : second;
        uint32_t at = from_first ? i++ : j++;
        if (count > 0 && slots[count - 1] == from->slots[at]) {
            continue;
        }
        slots[count] = from->slots[at];
        families[count] = from_first ? ND_FAMILY_SYMBOLS : ND_FAMILY_METATOKENS;
        values[count++] = from->values != NULL ? from->values[at] : 1.0F;
    }
    slotted->named_slots = slots;
    slotted->named_values = values;
    slotted->named_families = families;
    slotted->named_count = count;
}

enum nd_status nd_sample_unpack(const struct nd_payload *payload,
                                uint32_t registry_length,
                                struct nd_arena *arena, struct nd_error *error,
                                struct nd_slotted *slotted_r)
{
    struct nd_section sections[ND_SAMPLE_MAX_SECTIONS];
    size_t count;
    enum nd_status status = nd_sample_decode(payload->data, payload->length,
                                             arena, error, sections, &count);
    if (status != ND_OK) {
        return status;
    }
    struct nd_section named[2] = {{0}, {0}};
    struct nd_slotted slotted = {0};
    for (size_t i = 0; i < count; i++) {
        const struct nd_section *section = &sections[i];
        if (section->family >= ND_FAMILY_COUNT) {
            slotted.later |= 1U << section->family;
            continue;
        }
        if (!section_is_sound(section, registry_length)) {
            return nd_fail(error, ND_DATA,
                           "a sample has a slot or a value that cannot be");
        }
        slotted.families |= 1U << section->family;
        if (nd_family(section->family)->is_text) {
            slotted.text[section->family] =
                (struct nd_slot_list){section->slots, section->count};
        } else {
            named[section->family == ND_FAMILY_METATOKENS] = *section;
        }
    }
    merge_named(&named[0], &named[1], arena, &slotted);
    *slotted_r = slotted;
    return ND_OK;
}

void nd_sample_translate(const struct nd_slotted *slotted, const uint32_t *map,
                         uint32_t count, struct nd_arena *arena,
                         struct nd_slotted *translated_r)
{
    size_t room = slotted->named_count, found_count = 0;
    struct slot_value *found = nd_arena_take(arena, room * sizeof *found);
    uint32_t *slots = nd_arena_take(arena, room * sizeof *slots);
    float *values = nd_arena_take(arena, room * sizeof *values);
    uint8_t *families = nd_arena_take(arena, room);
    for (size_t i = 0; i < room; i++) {
        uint32_t slot = slotted->named_slots[i];
        if (slot < count && map[slot] != ND_NO_SLOT) {
            found[found_count++] = (struct slot_value){
                map[slot], slotted->named_values[i],
                slotted->named_families != NULL ? slotted->named_families[i]
                                                : ND_FAMILY_SYMBOLS};
        }
    }
    *translated_r = *slotted;
    translated_r->named_count =
        write_unique(found, found_count, slots, values, families);
    translated_r->named_slots = slots;
    translated_r->named_values = values;
    translated_r->named_families = families;
}
