/* SPDX-License-Identifier: Apache-2.0
 *
 * Vectors become samples of the rule: their numbers' names are in its registry,
 * zeros are left out. A vector's identity is the digest of its text and class,
 * as rspamd's sets know it by its bytes, so each is stored once however often
 * the sets are walked.
 */
#include "rspamd/collect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sample.h"

#define BATCH 256
#define PIECE 512
/* Vectors that wait until the length of most is known, and their bytes. */
#define MOST_WAITING 1024
#define MOST_WAITING_BYTES ((size_t)8 << 20)
#define FAMILY                                                    \
    0 /* the only one: nothing but src/rspamd reads these samples \
       */
#define NAME_PREFIX "rspamd:"
#define SLOT_NONE UINT32_MAX

/* A vector that waits. */
struct waiting {
    char *text;
    size_t length;
    uint32_t width;
    int label;
};

struct nd_rspamd_collector {
    struct nd_store *store;
    const struct nd_rule *rule;
    const struct nd_rspamd_profile *profile;
    struct nd_arena *arena; /* of the batch */
    float *numbers;         /* of one vector */
    uint32_t width;         /* of all vectors; 0: not known yet */
    uint32_t *slots;        /* of each number, ND_STORE_NO_SLOT: none */
    uint32_t *order;        /* numbers by rising slot */
    uint32_t registry_length;
    uint8_t registry_digest[ND_DIGEST_BYTES];
    struct nd_sample_put batch[BATCH];
    size_t count;
    struct nd_arena *waiting_arena;
    struct waiting *waiting;
    size_t waiting_count;
    struct nd_rspamd_collected collected;
};

struct nd_rspamd_collector *nd_rspamd_collector_create(
    struct nd_store *store, const struct nd_rule *rule,
    const struct nd_rspamd_profile *profile)
{
    struct nd_rspamd_collector *collector = nd_calloc(1, sizeof(*collector));
    collector->store = store;
    collector->rule = rule;
    collector->profile = profile;
    collector->arena = nd_arena_create(0);
    collector->waiting_arena = nd_arena_create(0);
    collector->waiting = nd_calloc(MOST_WAITING, sizeof(*collector->waiting));
    collector->numbers =
        nd_calloc(ND_VECTORS_MAX_WIDTH, sizeof(*collector->numbers));
    return collector;
}

void nd_rspamd_collector_destroy(struct nd_rspamd_collector **collector)
{
    if (collector == NULL || *collector == NULL)
        return;
    nd_arena_destroy(&(*collector)->arena);
    nd_arena_destroy(&(*collector)->waiting_arena);
    free((*collector)->waiting);
    free((*collector)->numbers);
    free((*collector)->slots);
    free((*collector)->order);
    free(*collector);
    *collector = NULL;
}

void nd_rspamd_collected_add(struct nd_rspamd_collected *sum,
                             const struct nd_rspamd_collected *of)
{
    sum->stored += of->stored;
    sum->known += of->known;
    sum->refused += of->refused;
    sum->malformed += of->malformed;
    sum->other_length += of->other_length;
    sum->width = of->width != 0 ? of->width : sum->width;
}

uint32_t nd_rspamd_collector_metatokens(
    const struct nd_rspamd_collector *collector)
{
    return collector->width == 0
               ? 0
               : collector->width - collector->profile->symbol_count;
}

static struct nd_scope scope_of(const struct nd_rule *rule)
{
    return (struct nd_scope){rule->name, rule->settings};
}

/* ---- names ---- */

/* The names of a vector's numbers, in the arena. */
static const char *const *names_of(const struct nd_rspamd_profile *profile,
                                   uint32_t metatokens, struct nd_arena *arena)
{
    size_t count = metatokens + (size_t)profile->symbol_count;
    const char **names = nd_arena_take(arena, (count + 1) * sizeof(*names));
    for (uint32_t i = 0; i < metatokens; i++) {
        char text[64], version[16] = "";
        if (profile->metatokens_version > 1)
            (void)snprintf(version, sizeof(version),
                           "v%u:", profile->metatokens_version);
        (void)snprintf(text, sizeof(text), NAME_PREFIX "metatoken:%s%u",
                       version, i + 1);
        names[i] = nd_arena_strndup(arena, text, strlen(text));
    }
    for (uint32_t i = 0; i < profile->symbol_count; i++) {
        size_t room = strlen(profile->symbols[i]) + 32;
        char *text = nd_arena_take(arena, room);
        (void)snprintf(text, room, NAME_PREFIX "symbol:%s",
                       profile->symbols[i]);
        names[metatokens + i] = text;
    }
    return names;
}

static int by_slot(const void *first, const void *second, void *context)
{
    const uint32_t *slots = context;
    uint32_t a = slots[*(const uint32_t *)first];
    uint32_t b = slots[*(const uint32_t *)second];
    return (a > b) - (a < b);
}

/* How wide all are says how many metatokens there are; then every number has a
 * slot. */
static enum nd_status learn_width(struct nd_rspamd_collector *collector,
                                  uint32_t width, struct nd_error *error)
{
    uint32_t metatokens = width - collector->profile->symbol_count;
    const char *const *names =
        names_of(collector->profile, metatokens, collector->arena);
    collector->slots = nd_calloc(width, sizeof(*collector->slots));
    collector->order = nd_calloc(width, sizeof(*collector->order));
    enum nd_status status = nd_store_registry_slots(
        collector->store, collector->rule->name, names, width,
        collector->rule->max_symbols, error, collector->slots,
        &collector->registry_length, collector->registry_digest);
    if (status != ND_OK)
        return status;
    for (uint32_t i = 0; i < width; i++)
        collector->order[i] = i;
    qsort_r(collector->order, width, sizeof(*collector->order), by_slot,
            collector->slots);
    collector->width = width;
    return ND_OK;
}

/* ---- taking ---- */

static enum nd_status put_batch(struct nd_rspamd_collector *collector,
                                struct nd_error *error)
{
    struct nd_scope scope = scope_of(collector->rule);
    struct nd_quota quota = {ND_QUOTA_RESERVOIR, collector->rule->reservoir};
    struct nd_put_result results[BATCH];
    if (collector->count == 0)
        return ND_OK;
    enum nd_status status =
        nd_store_put_many(collector->store, &scope, collector->batch,
                          collector->count, &quota, error, results);
    for (size_t i = 0; status == ND_OK && i < collector->count; i++) {
        enum nd_put_outcome outcome = results[i].outcome;
        if (outcome == ND_PUT_STORED || outcome == ND_PUT_REPLACED)
            collector->collected.stored++;
        else if (outcome == ND_PUT_REFUSED)
            collector->collected.refused++;
        else
            collector->collected.known++;
    }
    if (status == ND_OK) {
        collector->count = 0;
        nd_arena_reset(collector->arena);
    }
    return status;
}

/* Numbers that are not 0, by slot, encoded into the arena. */
static enum nd_status encode(struct nd_rspamd_collector *collector,
                             struct nd_sample_put *put, struct nd_error *error)
{
    struct nd_arena *arena = collector->arena;
    uint32_t width = collector->width, count = 0;
    uint32_t *slots = nd_arena_take(arena, width * sizeof(*slots));
    float *values = nd_arena_take(arena, width * sizeof(*values));
    for (uint32_t i = 0; i < width; i++) {
        uint32_t number = collector->order[i];
        if (collector->slots[number] == ND_STORE_NO_SLOT ||
            collector->numbers[number] == 0)
            continue;
        slots[count] = collector->slots[number];
        values[count++] = collector->numbers[number];
    }
    struct nd_buffer payload = {0};
    struct nd_section section = {FAMILY, count, slots, values};
    enum nd_status status = nd_sample_encode(&section, 1, &payload, error);
    if (status == ND_OK) {
        put->payload =
            nd_arena_strndup(arena, (const char *)payload.data, payload.length);
        put->payload_length = payload.length;
    }
    nd_buffer_free(&payload);
    return status;
}

static void identify(const char *text, size_t length, int label,
                     uint8_t identity_r[ND_IDENTITY_BYTES])
{
    struct nd_digest_state state;
    const char *name = label ? "rspamd spam\n" : "rspamd ham\n";
    nd_digest_begin(&state, NULL, ND_IDENTITY_BYTES);
    nd_digest_add(&state, name, strlen(name));
    nd_digest_add(&state, text, length);
    nd_digest_end(&state, identity_r, ND_IDENTITY_BYTES);
}

/* One vector, whose numbers are in collector->numbers, of the right width. */
static enum nd_status take(struct nd_rspamd_collector *collector,
                           const char *text, size_t length, int label,
                           struct nd_error *error)
{
    /* The same label time for all: a walk that meets a vector again says
     * nothing new. */
    struct nd_sample_put *put = &collector->batch[collector->count];
    *put =
        (struct nd_sample_put){.label = label ? ND_SPAM : ND_HAM,
                               .source = ND_SOURCE_AUTOLEARN,
                               .label_ms = 1,
                               .registry_length = collector->registry_length};
    memcpy(put->registry_digest, collector->registry_digest, ND_DIGEST_BYTES);
    identify(text, length, label, put->identity);
    if (encode(collector, put, NULL) != ND_OK) {
        collector->collected.malformed++;
        return ND_OK;
    }
    collector->count++;
    return collector->count == BATCH ? put_batch(collector, error) : ND_OK;
}

static uint32_t read_numbers(struct nd_rspamd_collector *collector,
                             const char *text, size_t length)
{
    return nd_vectors_parse_numbers(text, length, ';', ND_VECTORS_MAX_WIDTH,
                                    collector->numbers);
}

/* ---- the length of most ---- */

static int by_width(const void *first, const void *second)
{
    uint32_t a = *(const uint32_t *)first, b = *(const uint32_t *)second;
    return (a > b) - (a < b);
}

/* The width that most of those waiting have; of equally many the largest, since
 * what was cut off is shorter. */
static uint32_t usual_width(const struct nd_rspamd_collector *collector)
{
    uint32_t usual = 0;
    size_t count = collector->waiting_count, most = 0;
    uint32_t *widths = nd_calloc(count, sizeof(*widths));
    for (size_t i = 0; i < count; i++)
        widths[i] = collector->waiting[i].width;
    qsort(widths, count, sizeof(*widths), by_width);
    for (size_t first = 0, i = 1; i <= count; i++) {
        if (i < count && widths[i] == widths[first])
            continue;
        if (i - first >= most) {
            most = i - first;
            usual = widths[first];
        }
        first = i;
    }
    free(widths);
    return usual;
}

/* Takes those that waited. */
static enum nd_status settle(struct nd_rspamd_collector *collector,
                             struct nd_error *error)
{
    if (collector->waiting_count == 0)
        return ND_OK;
    enum nd_status status =
        learn_width(collector, usual_width(collector), error);
    for (size_t i = 0; status == ND_OK && i < collector->waiting_count; i++) {
        const struct waiting *waiting = &collector->waiting[i];
        if (waiting->width != collector->width) {
            collector->collected.other_length++;
            continue;
        }
        (void)read_numbers(collector, waiting->text, waiting->length);
        status = take(collector, waiting->text, waiting->length, waiting->label,
                      error);
    }
    collector->waiting_count = 0;
    nd_arena_reset(collector->waiting_arena);
    return status;
}

enum nd_status nd_rspamd_collector_take(const char *text, size_t length,
                                        int label, void *context,
                                        struct nd_error *error)
{
    struct nd_rspamd_collector *collector = context;
    uint32_t width = text == NULL ? 0 : read_numbers(collector, text, length);
    if (width == 0) {
        collector->collected.malformed++;
        return ND_OK;
    }
    if (width < collector->profile->symbol_count ||
        (collector->width != 0 && width != collector->width)) {
        collector->collected.other_length++;
        return ND_OK;
    }
    if (collector->width != 0)
        return take(collector, text, length, label, error);
    collector->waiting[collector->waiting_count++] = (struct waiting){
        nd_arena_strndup(collector->waiting_arena, text, length), length, width,
        label};
    return collector->waiting_count == MOST_WAITING ||
                   nd_arena_used(collector->waiting_arena) > MOST_WAITING_BYTES
               ? settle(collector, error)
               : ND_OK;
}

enum nd_status nd_rspamd_collector_flush(
    struct nd_rspamd_collector *collector, struct nd_error *error,
    struct nd_rspamd_collected *collected_r)
{
    enum nd_status status = settle(collector, error);
    if (status == ND_OK)
        status = put_batch(collector, error);
    if (status != ND_OK)
        return status;
    collector->collected.width = collector->width;
    *collected_r = collector->collected;
    return ND_OK;
}

/* ---- reading ---- */

/* Where in a vector the number of each slot goes. */
struct places {
    uint32_t count;
    uint32_t *of; /* SLOT_NONE: nowhere */
};

struct name_place {
    const char *name;
    uint32_t place;
};

static int by_name(const void *first, const void *second)
{
    return strcmp(((const struct name_place *)first)->name,
                  ((const struct name_place *)second)->name);
}

static enum nd_status find_places(struct nd_store *store, const char *rule,
                                  const char *const *names, uint32_t width,
                                  struct nd_arena *arena,
                                  struct nd_error *error,
                                  struct places *places_r)
{
    const char *const *registry;
    struct places places;
    enum nd_status status = nd_store_registry_read(store, rule, 0, arena, error,
                                                   &registry, &places.count);
    if (status != ND_OK)
        return status;
    struct name_place *sorted = nd_arena_take(arena, width * sizeof(*sorted));
    for (uint32_t i = 0; i < width; i++)
        sorted[i] = (struct name_place){names[i], i};
    qsort(sorted, width, sizeof(*sorted), by_name);
    places.of =
        nd_arena_take(arena, (places.count + (size_t)1) * sizeof(*places.of));
    for (uint32_t i = 0; i < places.count; i++) {
        struct name_place wanted = {registry[i], 0};
        const struct name_place *found =
            bsearch(&wanted, sorted, width, sizeof(*sorted), by_name);
        places.of[i] = found == NULL ? SLOT_NONE : found->place;
    }
    *places_r = places;
    return ND_OK;
}

/* One sample as a vector; false where it cannot be decoded. */
static bool unpack(const struct nd_payload *payload,
                   const struct places *places, uint32_t width,
                   struct nd_arena *arena, float *numbers_r)
{
    struct nd_section sections[ND_SAMPLE_MAX_SECTIONS];
    size_t count;
    if (payload->data == NULL ||
        nd_sample_decode(payload->data, payload->length, arena, NULL, sections,
                         &count) != ND_OK)
        return false;
    memset(numbers_r, 0, width * sizeof(*numbers_r));
    for (size_t s = 0; s < count; s++)
        for (uint32_t i = 0; i < sections[s].count; i++) {
            uint32_t slot = sections[s].slots[i];
            uint32_t place =
                slot < places->count ? places->of[slot] : SLOT_NONE;
            if (place != SLOT_NONE)
                numbers_r[place] =
                    sections[s].values == NULL ? 1 : sections[s].values[i];
        }
    return true;
}

/* What a reading makes. */
struct reading {
    struct nd_store *store;
    struct nd_scope scope;
    const struct places *places;
    uint32_t width;
    struct nd_vectors vectors;
    uint64_t *sequences;
};

static enum nd_status read_piece(struct reading *reading,
                                 const struct nd_sample_info *samples,
                                 size_t count, struct nd_arena *arena,
                                 struct nd_error *error)
{
    struct nd_payload payloads[PIECE];
    float *numbers = nd_arena_take(arena, reading->width * sizeof(*numbers));
    enum nd_status status =
        nd_store_read(reading->store, &reading->scope, samples, count, arena,
                      error, payloads);
    for (size_t i = 0; status == ND_OK && i < count; i++) {
        if (!unpack(&payloads[i], reading->places, reading->width, arena,
                    numbers))
            continue;
        reading->sequences[reading->vectors.count] = samples[i].sequence;
        status = nd_vectors_add(&reading->vectors, numbers, reading->width,
                                samples[i].label == ND_SPAM, error);
    }
    return status;
}

static enum nd_status read_snapshot(struct reading *reading,
                                    struct nd_error *error,
                                    uint64_t *watermark_r)
{
    struct nd_snapshot snapshot = {0};
    enum nd_status status =
        nd_store_snapshot(reading->store, &reading->scope, error, &snapshot);
    if (status != ND_OK)
        return status;
    struct nd_arena *arena = nd_arena_create(1 << 20);
    reading->sequences = nd_calloc(snapshot.count, sizeof(*reading->sequences));
    for (size_t at = 0; status == ND_OK && at < snapshot.count; at += PIECE) {
        size_t left = snapshot.count - at;
        nd_arena_reset(arena);
        status = read_piece(reading, snapshot.samples + at,
                            left < PIECE ? left : PIECE, arena, error);
    }
    *watermark_r = snapshot.watermark;
    nd_arena_destroy(&arena);
    free(snapshot.samples);
    return status;
}

enum nd_status nd_rspamd_collected_read(
    struct nd_store *store, const struct nd_rule *rule,
    const struct nd_rspamd_profile *profile, uint32_t metatokens,
    struct nd_error *error, struct nd_vectors *vectors_r,
    uint64_t **sequences_r, uint64_t *watermark_r)
{
    struct places places;
    struct reading reading = {.store = store,
                              .scope = scope_of(rule),
                              .places = &places,
                              .width = metatokens + profile->symbol_count};
    struct nd_arena *arena = nd_arena_create(0);
    const char *const *names = names_of(profile, metatokens, arena);
    enum nd_status status = find_places(store, rule->name, names, reading.width,
                                        arena, error, &places);
    if (status == ND_OK)
        status = read_snapshot(&reading, error, watermark_r);
    nd_arena_destroy(&arena);
    if (status != ND_OK) {
        nd_vectors_free(&reading.vectors);
        free(reading.sequences);
        return status;
    }
    *vectors_r = reading.vectors;
    *sequences_r = reading.sequences;
    return ND_OK;
}
