/* SPDX-License-Identifier: Apache-2.0
 *
 * Features to bytes and back. Names are written whole and slots as gaps; the
 * reader believes nothing: a spool is a file, and files get damaged.
 */
#include "learn/features_record.h"

#include <math.h>
#include <string.h>

#define VERSION 1
#define MOST_NAMED 65536
#define MOST_NAME 1024

void nd_features_record_write(const struct nd_features *features,
                              struct nd_buffer *buffer)
{
    nd_buffer_u8(buffer, VERSION);
    nd_buffer_u32(buffer, features->families);
    nd_buffer_append(buffer, features->key_id, sizeof features->key_id);
    nd_buffer_varint(buffer, features->named_count);
    for (size_t i = 0; i < features->named_count; i++) {
        const struct nd_named_feature *named = &features->named[i];
        nd_buffer_varint(buffer, strlen(named->name));
        nd_buffer_append_text(buffer, named->name);
        nd_buffer_f32(buffer, named->value);
    }
    for (enum nd_family family = 0; family < ND_FAMILY_COUNT; family++) {
        const struct nd_slot_list *list = &features->text[family];
        if (!nd_family(family)->is_text ||
            (features->families >> family & 1U) == 0) {
            continue;
        }
        uint32_t before = 0;
        nd_buffer_varint(buffer, list->count);
        for (uint32_t i = 0; i < list->count; i++) {
            nd_buffer_varint(buffer, list->slots[i] - before);
            before = list->slots[i];
        }
    }
}

static enum nd_status malformed(struct nd_error *error)
{
    return nd_fail(error, ND_DATA, "features are malformed");
}

/* One name, not yet copied; NULL where it cannot be one. */
static const uint8_t *read_name(struct nd_reader *reader, size_t *length_r)
{
    uint64_t length = nd_reader_varint(reader);
    if (reader->failed || length == 0 || length > MOST_NAME) {
        return NULL;
    }
    const uint8_t *name = nd_reader_bytes(reader, (size_t)length);
    *length_r = (size_t)length;
    return name != NULL && memchr(name, '\0', (size_t)length) == NULL ? name
                                                                      : NULL;
}

static enum nd_status read_named(struct nd_reader *reader,
                                 struct nd_arena *arena, struct nd_error *error,
                                 struct nd_features *features)
{
    uint64_t count = nd_reader_varint(reader);
    /* the shortest takes six bytes */
    if (reader->failed || count > MOST_NAMED ||
        count > nd_reader_left(reader) / 6) {
        return malformed(error);
    }
    struct nd_named_feature *named =
        nd_arena_take(arena, (size_t)count * sizeof *named);
    for (uint64_t i = 0; i < count; i++) {
        size_t length;
        const uint8_t *name = read_name(reader, &length);
        float value = nd_reader_f32(reader);
        if (name == NULL || reader->failed || !isfinite(value)) {
            return malformed(error);
        }
        named[i].name = nd_arena_strndup(arena, (const char *)name, length);
        named[i].value = value;
    }
    features->named = named;
    features->named_count = (size_t)count;
    return ND_OK;
}

static enum nd_status read_slots(struct nd_reader *reader,
                                 const struct nd_family_info *family,
                                 struct nd_arena *arena, struct nd_error *error,
                                 struct nd_slot_list *list_r)
{
    uint64_t count = nd_reader_varint(reader), slot = 0;
    if (reader->failed || count > family->max_features ||
        count > nd_reader_left(reader)) {
        return malformed(error);
    }
    uint32_t *slots = nd_arena_take(arena, (size_t)count * sizeof *slots);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t gap = nd_reader_varint(reader);
        slot += gap;
        if (reader->failed || (gap == 0 && i > 0) || gap >> 32 != 0 ||
            slot >> family->slot_bits != 0) {
            return malformed(error);
        }
        slots[i] = (uint32_t)slot;
    }
    *list_r = (struct nd_slot_list){slots, (uint32_t)count};
    return ND_OK;
}

static enum nd_status read_head(struct nd_reader *reader,
                                struct nd_error *error,
                                struct nd_features *features)
{
    uint8_t version = nd_reader_u8(reader);
    if (!reader->failed && version > VERSION) {
        return nd_fail(error, ND_VERSION,
                       "features were written by a later neurald");
    }
    features->families = nd_reader_u32(reader);
    const uint8_t *key_id = nd_reader_bytes(reader, sizeof features->key_id);
    if (key_id == NULL || version != VERSION) {
        return malformed(error);
    }
    if ((features->families & ~ND_GROUP_KNOWN) != 0) {
        return nd_fail(error, ND_VERSION,
                       "a later neurald wrote these features, with families "
                       "that this one does not know");
    }
    memcpy(features->key_id, key_id, sizeof features->key_id);
    return ND_OK;
}

enum nd_status nd_features_record_read(const void *data, size_t length,
                                       struct nd_arena *arena,
                                       struct nd_error *error,
                                       struct nd_features *features_r)
{
    struct nd_reader reader;
    struct nd_features features = {0};
    nd_reader_init(&reader, data, length);
    enum nd_status status = read_head(&reader, error, &features);
    if (status == ND_OK) {
        status = read_named(&reader, arena, error, &features);
    }
    for (enum nd_family family = 0; status == ND_OK && family < ND_FAMILY_COUNT;
         family++) {
        const struct nd_family_info *info = nd_family(family);
        if (info->is_text && features.families >> family & 1U) {
            status =
                read_slots(&reader, info, arena, error, &features.text[family]);
        }
    }
    if (status == ND_OK && nd_reader_left(&reader) > 0) {
        status = malformed(error);
    }
    if (status == ND_OK) {
        *features_r = features;
    }
    return status;
}
