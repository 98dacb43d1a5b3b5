/* SPDX-License-Identifier: Apache-2.0
 *
 * The encoding of a sample: a version byte, then a section a family, each with
 * its length in front, so that sections are walked, copied and merged without
 * a look inside. Inside, slots are gaps in Golomb-Rice code with the parameter
 * that is best for the section (R. Rice and J. Plaunt, 1971), and values
 * follow. docs/formats/sample.md is the specification; what a slot means is
 * not known here.
 */
#include "store/sample.h"

#include <math.h>
#include <string.h>

#include "store/bits.h"
#include "store/sample_value.h"

#define VERSION 2
#define OLDEST_VERSION 1 /* with longer mantissas: read, not written */
#define FAMILY_MASK 0x1f
#define FLAG_VALUES 0x20 /* values follow the slots */
#define FLAG_SIGNS 0x40  /* some of them are negative */
#define FLAG_ONES 0x80   /* the value 1 has a code of one bit */
#define FLAGS (FLAG_VALUES | FLAG_SIGNS | FLAG_ONES)
#define BITS_OF_ONE 12 /* without that, and without a sign */
#define SLOT_BITS 24
#define PARAMETER_BITS 5

/* ---- checks before writing ---- */

static enum nd_status check_slots(const struct nd_section *section,
                                  struct nd_error *error)
{
    for (uint32_t i = 0; i < section->count; i++) {
        if (section->slots[i] >> SLOT_BITS != 0 ||
            (i > 0 && section->slots[i] <= section->slots[i - 1]))
            return nd_fail(error, ND_DATA,
                           "family %u: slots must ascend and stay below 2^%d",
                           section->family, SLOT_BITS);
        if (section->values != NULL && !isfinite(section->values[i]))
            return nd_fail(error, ND_DATA, "family %u: a value is not finite",
                           section->family);
    }
    return ND_OK;
}

static enum nd_status check_sections(const struct nd_section *sections,
                                     size_t count, struct nd_error *error)
{
    if (count > ND_SAMPLE_MAX_SECTIONS)
        return nd_fail(error, ND_LIMIT, "%zu families: at most %d", count,
                       ND_SAMPLE_MAX_SECTIONS);
    for (size_t i = 0; i < count; i++) {
        const struct nd_section *section = &sections[i];
        if (section->count > ND_SAMPLE_MAX_ENTRIES)
            return nd_fail(
                error, ND_LIMIT, "family %u: %u features, at most %d",
                section->family, section->count, ND_SAMPLE_MAX_ENTRIES);
        if (section->family > FAMILY_MASK ||
            (i > 0 && section->family <= sections[i - 1].family))
            return nd_fail(error, ND_DATA, "families must ascend, up to %d",
                           FAMILY_MASK);
        enum nd_status status = check_slots(section, error);
        if (status != ND_OK)
            return status;
    }
    return ND_OK;
}

/* ---- writing ---- */

static uint32_t gap_at(const struct nd_section *section, uint32_t i)
{
    return i == 0 ? section->slots[0]
                  : section->slots[i] - section->slots[i - 1] - 1;
}

static uint64_t bits_with(const struct nd_section *section, unsigned parameter)
{
    uint64_t bits = (uint64_t)section->count * (parameter + 1);
    for (uint32_t i = 0; i < section->count; i++)
        bits += gap_at(section, i) >> parameter;
    return bits;
}

/* The parameter that takes the fewest bits. It lies near the logarithm of the
 * mean gap: from there, down and up as long as that helps. */
static unsigned best_parameter(const struct nd_section *section)
{
    uint32_t mean = section->slots[section->count - 1] / section->count;
    unsigned best = 31U - (unsigned)__builtin_clz(mean | 1);
    uint64_t least = bits_with(section, best);
    for (int step = -1; step <= 1; step += 2) {
        for (;;) {
            unsigned next = best + (unsigned)step;
            uint64_t bits =
                next < SLOT_BITS ? bits_with(section, next) : UINT64_MAX;
            if (bits >= least)
                break;
            least = bits;
            best = next;
        }
    }
    return best;
}

/* Which of the flags a section's values call for. */
static uint8_t flags_of(const struct nd_section *section)
{
    uint8_t flags = 0;
    uint32_t ones = 0;
    for (uint32_t i = 0; i < section->count && section->values != NULL; i++) {
        if (section->values[i] == 1.0F)
            ones++;
        else
            flags |= FLAG_VALUES;
        if (section->values[i] < 0)
            flags |= FLAG_SIGNS;
    }
    if (flags != 0 && (uint64_t)ones * BITS_OF_ONE > section->count)
        flags |= FLAG_ONES;
    return flags;
}

static struct nd_value_form form_of(uint8_t flags, uint8_t version)
{
    struct nd_value_form form = {.ones = (flags & FLAG_ONES) != 0,
                                 .signs = (flags & FLAG_SIGNS) != 0,
                                 .mantissa_bits = version == 1 ? 9 : 7};
    return form;
}

static void write_body(const struct nd_section *section, uint8_t flags,
                       struct nd_buffer *body)
{
    nd_buffer_varint(body, section->count);
    if (section->count == 0)
        return;
    struct nd_bit_writer writer = {.buffer = body};
    unsigned parameter = best_parameter(section);
    nd_bits_put(&writer, parameter, PARAMETER_BITS);
    for (uint32_t i = 0; i < section->count; i++)
        nd_bits_put_rice(&writer, gap_at(section, i), parameter);
    for (uint32_t i = 0; i < section->count && (flags & FLAG_VALUES); i++)
        nd_value_put(&writer, form_of(flags, VERSION), section->values[i]);
    nd_bits_flush(&writer);
}

enum nd_status nd_sample_encode(const struct nd_section *sections, size_t count,
                                struct nd_buffer *buffer,
                                struct nd_error *error)
{
    enum nd_status status = check_sections(sections, count, error);
    if (status != ND_OK)
        return status;
    size_t before = buffer->length;
    struct nd_buffer body = {0};
    nd_buffer_u8(buffer, VERSION);
    for (size_t i = 0; i < count; i++) {
        uint8_t flags = flags_of(&sections[i]);
        nd_buffer_clear(&body);
        write_body(&sections[i], flags, &body);
        nd_buffer_u8(buffer, (uint8_t)(sections[i].family | flags));
        nd_buffer_varint(buffer, body.length);
        nd_buffer_append(buffer, body.data, body.length);
    }
    nd_buffer_free(&body);
    if (buffer->length - before > ND_SAMPLE_MAX_BYTES) {
        buffer->length = before;
        return nd_fail(error, ND_LIMIT, "a sample of over %u bytes",
                       ND_SAMPLE_MAX_BYTES);
    }
    return ND_OK;
}

/* ---- walking ---- */

/* One section as it lies in the bytes. */
struct raw_section {
    uint8_t version, family, flags;
    const uint8_t *start; /* of the section, its head included */
    size_t size;
    const uint8_t *body;
    size_t body_length;
};

struct walk {
    struct nd_reader reader;
    int last_family;
    uint8_t version;
};

static enum nd_status begin_walk(struct walk *walk, const void *data,
                                 size_t length, struct nd_error *error)
{
    if (length > ND_SAMPLE_MAX_BYTES)
        return nd_fail(error, ND_LIMIT, "a sample of %zu bytes: at most %u",
                       length, ND_SAMPLE_MAX_BYTES);
    nd_reader_init(&walk->reader, data, length);
    walk->last_family = -1;
    uint8_t version = nd_reader_u8(&walk->reader);
    if (walk->reader.failed)
        return nd_fail(error, ND_DATA, "an empty sample");
    if (version < OLDEST_VERSION || version > VERSION)
        return nd_fail(error, ND_DATA,
                       "a sample of encoding %u, which is none of %d to %d",
                       version, OLDEST_VERSION, VERSION);
    walk->version = version;
    return ND_OK;
}

/* ND_NOTHING at the end. */
static enum nd_status next_section(struct walk *walk, struct nd_error *error,
                                   struct raw_section *section_r)
{
    struct nd_reader *reader = &walk->reader;
    if (nd_reader_left(reader) == 0)
        return ND_NOTHING;
    size_t start = reader->position;
    uint8_t head = nd_reader_u8(reader);
    uint64_t length = nd_reader_varint(reader);
    if (reader->failed || length > nd_reader_left(reader))
        return nd_fail(error, ND_DATA, "a sample is cut off at byte %zu",
                       start);
    if (((head & FLAGS) != 0 && (head & FLAG_VALUES) == 0) ||
        (head & FAMILY_MASK) <= walk->last_family)
        return nd_fail(error, ND_DATA,
                       "a sample's section at byte %zu is malformed", start);
    walk->last_family = head & FAMILY_MASK;
    section_r->version = walk->version;
    section_r->family = head & FAMILY_MASK;
    section_r->flags = head & FLAGS;
    section_r->start = reader->data + start;
    section_r->body = nd_reader_bytes(reader, (size_t)length);
    section_r->body_length = (size_t)length;
    section_r->size = reader->position - start;
    return ND_OK;
}

enum nd_status nd_sample_families(const void *data, size_t length,
                                  struct nd_error *error, uint32_t *families_r)
{
    struct walk walk = {0};
    struct raw_section section = {0};
    uint32_t families = 0;
    enum nd_status status = begin_walk(&walk, data, length, error);
    while (status == ND_OK) {
        status = next_section(&walk, error, &section);
        if (status == ND_OK)
            families |= UINT32_C(1) << section.family;
    }
    if (status != ND_NOTHING)
        return status;
    *families_r = families;
    return ND_OK;
}

/* ---- reading ---- */

static enum nd_status fail_section(const struct raw_section *raw,
                                   struct nd_error *error)
{
    return nd_fail(error, ND_DATA, "family %u of a sample is malformed",
                   raw->family);
}

/* A slot takes at least one bit and parameter bits, so a count that the body
 * cannot hold is refused before memory is taken. */
static bool fits(uint64_t count, unsigned parameter, size_t bytes, bool values)
{
    return count <= ND_SAMPLE_MAX_ENTRIES &&
           count * (parameter + 1 + (values ? 1 : 0)) <= (uint64_t)bytes * 8;
}

static bool read_slots(struct nd_bit_reader *bits, unsigned parameter,
                       uint32_t count, uint32_t *slots)
{
    uint64_t next = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t slot = next + nd_bits_get_rice(bits, parameter);
        if (bits->failed || slot >> SLOT_BITS != 0)
            return false;
        slots[i] = (uint32_t)slot;
        next = slot + 1;
    }
    return true;
}

static enum nd_status read_section(const struct raw_section *raw,
                                   struct nd_arena *arena,
                                   struct nd_error *error,
                                   struct nd_section *section_r)
{
    *section_r = (struct nd_section){.family = raw->family};
    struct nd_reader reader;
    nd_reader_init(&reader, raw->body, raw->body_length);
    uint64_t count = nd_reader_varint(&reader);
    if (reader.failed)
        return fail_section(raw, error);
    if (count == 0)
        return nd_reader_left(&reader) == 0 && raw->flags == 0
                   ? ND_OK
                   : fail_section(raw, error);
    struct nd_bit_reader bits;
    size_t left = nd_reader_left(&reader);
    nd_bits_init(&bits, reader.data + reader.position, left);
    unsigned parameter = nd_bits_get(&bits, PARAMETER_BITS);
    bool has_values = (raw->flags & FLAG_VALUES) != 0;
    if (bits.failed || parameter >= SLOT_BITS ||
        !fits(count, parameter, left, has_values))
        return fail_section(raw, error);
    uint32_t *slots = nd_arena_take(arena, (size_t)count * sizeof(*slots));
    if (!read_slots(&bits, parameter, (uint32_t)count, slots))
        return fail_section(raw, error);
    section_r->count = (uint32_t)count;
    section_r->slots = slots;
    if (has_values) {
        float *values = nd_arena_take(arena, (size_t)count * sizeof(*values));
        for (uint32_t i = 0; i < count; i++)
            values[i] = nd_value_get(&bits, form_of(raw->flags, raw->version));
        section_r->values = values;
    }
    return nd_bits_at_end(&bits) ? ND_OK : fail_section(raw, error);
}

enum nd_status nd_sample_decode(const void *data, size_t length,
                                struct nd_arena *arena, struct nd_error *error,
                                struct nd_section *sections_r, size_t *count_r)
{
    struct walk walk = {0};
    struct raw_section raw = {0};
    struct nd_section sections[ND_SAMPLE_MAX_SECTIONS];
    size_t count = 0;
    enum nd_status status = begin_walk(&walk, data, length, error);
    while (status == ND_OK) {
        status = next_section(&walk, error, &raw);
        if (status == ND_OK)
            status = read_section(&raw, arena, error, &sections[count++]);
    }
    if (status != ND_NOTHING)
        return status;
    if (count > 0)
        memcpy(sections_r, sections, count * sizeof(*sections));
    *count_r = count;
    return ND_OK;
}

/* ---- merging ---- */

/* Copies the section of the lower family; of two of the same, old's. */
static enum nd_status merge_sections(struct walk *old, struct walk *added,
                                     struct nd_buffer *merged,
                                     struct nd_error *error)
{
    struct raw_section mine = {0}, theirs = {0};
    enum nd_status has_mine = next_section(old, error, &mine);
    enum nd_status has_theirs = next_section(added, error, &theirs);
    while (has_mine == ND_OK || has_theirs == ND_OK) {
        bool take_mine = has_mine == ND_OK &&
                         (has_theirs != ND_OK || mine.family <= theirs.family);
        bool drop_theirs =
            has_theirs == ND_OK && (!take_mine || mine.family == theirs.family);
        const struct raw_section *taken = take_mine ? &mine : &theirs;
        nd_buffer_append(merged, taken->start, taken->size);
        if (take_mine)
            has_mine = next_section(old, error, &mine);
        if (drop_theirs)
            has_theirs = next_section(added, error, &theirs);
    }
    return has_mine != ND_NOTHING ? has_mine : has_theirs;
}

/* Writes a sample anew, in the version of today. */
static enum nd_status renew(const void *data, size_t length,
                            struct nd_buffer *renewed, struct nd_error *error)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_section sections[ND_SAMPLE_MAX_SECTIONS];
    size_t count;
    enum nd_status status =
        nd_sample_decode(data, length, arena, error, sections, &count);
    if (status == ND_OK)
        status = nd_sample_encode(sections, count, renewed, error);
    nd_arena_destroy(&arena);
    return status;
}

/* Appends what both hold; sections are copied, so both are of one version. */
static enum nd_status merge_walks(struct walk *mine, struct walk *theirs,
                                  struct nd_buffer *merged,
                                  struct nd_error *error)
{
    size_t before = merged->length;
    nd_buffer_u8(merged, mine->version);
    enum nd_status status = merge_sections(mine, theirs, merged, error);
    if (status == ND_NOTHING && merged->length - before > ND_SAMPLE_MAX_BYTES)
        status = nd_fail(error, ND_LIMIT, "a merged sample of over %u bytes",
                         ND_SAMPLE_MAX_BYTES);
    if (status == ND_NOTHING)
        return ND_OK;
    merged->length = before;
    return status;
}

static enum nd_status merge_renewed(const void *old, size_t old_length,
                                    const void *added, size_t added_length,
                                    struct nd_buffer *merged,
                                    struct nd_error *error)
{
    struct walk mine = {0}, theirs = {0};
    struct nd_buffer old_anew = {0}, added_anew = {0};
    enum nd_status status = renew(old, old_length, &old_anew, error);
    if (status == ND_OK)
        status = renew(added, added_length, &added_anew, error);
    if (status == ND_OK)
        status = begin_walk(&mine, old_anew.data, old_anew.length, error);
    if (status == ND_OK)
        status = begin_walk(&theirs, added_anew.data, added_anew.length, error);
    if (status == ND_OK)
        status = merge_walks(&mine, &theirs, merged, error);
    nd_buffer_free(&old_anew);
    nd_buffer_free(&added_anew);
    return status;
}

enum nd_status nd_sample_merge(const void *old, size_t old_length,
                               const void *added, size_t added_length,
                               struct nd_buffer *merged, struct nd_error *error)
{
    struct walk mine = {0}, theirs = {0};
    enum nd_status status = begin_walk(&mine, old, old_length, error);
    if (status == ND_OK)
        status = begin_walk(&theirs, added, added_length, error);
    if (status != ND_OK)
        return status;
    return mine.version == theirs.version
               ? merge_walks(&mine, &theirs, merged, error)
               : merge_renewed(old, old_length, added, added_length, merged,
                               error);
}
