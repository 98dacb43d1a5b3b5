/* SPDX-License-Identifier: Apache-2.0
 *
 * From a message and a filter's findings to features.
 *
 * Named features (symbols and metatokens) have names that are stable for ever
 * and get slots from the registry. Text features are hashed with the
 * installation's key into a fixed number of slots a family and never enter
 * the registry. docs/features.md lists them all.
 */
#ifndef ND_FEATURES_FEATURES_H
#define ND_FEATURES_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "features/family_table.h"
#include "features/registry.h"
#include "mail/message.h"
#include "mail/scan.h"

enum nd_family {
#define ND_FAMILY_ENUM(family, number, ...) ND_FAMILY_##family = (number),
    ND_FAMILY_MAP(ND_FAMILY_ENUM)
#undef ND_FAMILY_ENUM
        ND_FAMILY_COUNT,
    ND_FAMILY_NONE = ND_FAMILY_COUNT
};

/* Masks of families: all numbers that are known, those of them that are no
 * longer extracted, and what is left. */
enum nd_family_kind { ND_FAMILY_NAMED, ND_FAMILY_TEXT, ND_FAMILY_RETIRED };
#define ND_RETIRED_BIT(family, number, name, layout, kind, ...) \
    | (ND_FAMILY_##kind == ND_FAMILY_RETIRED ? 1U << (number) : 0U)
#define ND_GROUP_KNOWN ((1U << ND_FAMILY_COUNT) - 1U)
#define ND_GROUP_RETIRED (0U ND_FAMILY_MAP(ND_RETIRED_BIT))
#define ND_GROUP_ALL (ND_GROUP_KNOWN & ~ND_GROUP_RETIRED)
#define ND_GROUP_SYMBOLS (1U << ND_FAMILY_SYMBOLS)
#define ND_GROUP_METATOKENS (1U << ND_FAMILY_METATOKENS)
#define ND_GROUP_HASHED \
    (ND_GROUP_KNOWN & ~(ND_GROUP_SYMBOLS | ND_GROUP_METATOKENS))
#define ND_GROUP_TEXT (ND_GROUP_HASHED & ~ND_GROUP_RETIRED)

/* Facts of a family: static, never NULL for a valid family. */
struct nd_family_info {
    const char *name; /* of a retired one: that of its successor */
    uint32_t layout;  /* tells the numbers of one name apart */
    enum nd_family_kind kind;
    bool is_text;          /* hashed, retired or not */
    uint32_t slot_bits;    /* text: slots are below 2^slot_bits */
    uint32_t max_features; /* a message; the first ones met are kept */
    enum nd_family wide;   /* of a retired one: see nd_families_sources */
};
const struct nd_family_info *nd_family(enum nd_family family);

/* The families to extract for these to be fed: for a retired one that which it
 * is the narrow form of, if there is such a one; else itself unless it is
 * retired. What the answer lacks cannot be fed from a message any more. */
uint32_t nd_families_sources(uint32_t families);

/* The retired families of a sample whose successors it lacks: what it says in
 * them is lost to a model that is trained now. */
uint32_t nd_families_outdated(uint32_t families);

/* Appends "words/1, pairs/2", name and layout of each known family of mask, and
 * "family 12" for one that is not known. */
void nd_families_describe(uint32_t families, struct nd_buffer *text);

/* Columns that the text families of mask take in a network that is fed these
 * families: first the text families in the order of their numbers, then the
 * registry, so that slot s of the registry has column this + s. */
uint32_t nd_text_columns(uint32_t families);

/* "symbols,metatokens,text", or single families, to a mask of those that are
 * extracted. ND_USAGE names the word that is none. */
enum nd_status nd_families_parse(const char *text, struct nd_error *error,
                                 uint32_t *mask_r) ND_MUST_CHECK;

/* A named feature before it has a slot. */
struct nd_named_feature {
    const char *name; /* "symbol:BAYES_99", "score:BAYES_99", "meta:size" */
    float value;      /* finite */
};

/* The family of a named feature, by its name: "meta:" begins a metatoken, all
 * else is a symbol's. */
enum nd_family nd_named_family(const char *name);

/* A text family's slots: ascending, unique; each is present (1). */
struct nd_slot_list {
    const uint32_t *slots;
    uint32_t count;
};

/* All features of one message. Memory is the arena's. */
struct nd_features {
    uint32_t families; /* mask of those looked for: a family can be looked for
                          and be empty */
    const struct nd_named_feature *named;
    size_t named_count;
    struct nd_slot_list text[ND_FAMILY_COUNT]; /* by family; not text: empty */
    uint8_t key_id[ND_KEY_ID_BYTES];
    /* with ND_EXTRACT_NAMES: what each slot of text[f] was, in its order;
     * the first one where several fell into one slot; else NULL */
    const char *const *text_names[ND_FAMILY_COUNT];
};

#define ND_EXTRACT_NAMES 1U

/* Extracts the families of mask. message may be NULL (findings alone: then
 * only symbols, and metatokens given by name in extra or scan); scan may be
 * NULL (message->scan is used if it has any). excluded (may be NULL) are symbol
 * names that are never learned from: our own. Thread-safe with an arena of its
 * own. Never fails on content. */
struct nd_extract_options {
    uint32_t families;
    uint32_t flags;
    const char *const *excluded;
    size_t excluded_count;
    const struct nd_named_feature *extra;
    size_t extra_count;
};
void nd_features_extract(const struct nd_message *message,
                         const struct nd_scan *scan, const struct nd_key *key,
                         const struct nd_extract_options *options,
                         struct nd_arena *arena,
                         struct nd_features *features_r);

/* A stored or fresh sample's features by slot: what the network's input is
 * built from. named slots are registry slots. */
struct nd_slotted {
    uint32_t families;
    uint32_t later; /* families that a later version stored: left out */
    const uint32_t *named_slots; /* ascending, unique */
    const float *named_values;
    const uint8_t *named_families; /* enum nd_family; NULL: all symbols */
    uint32_t named_count;
    struct nd_slot_list text[ND_FAMILY_COUNT];
};

/* Looks the named features up; unknown ones are left out and counted in
 * unknown_r (may be NULL). Memory is the arena's. Thread-safe. */
void nd_features_resolve(const struct nd_features *features,
                         const struct nd_registry *registry,
                         struct nd_arena *arena, struct nd_slotted *slotted_r,
                         size_t *unknown_r);

/* How families are brought together so that none drowns the others; kept in
 * the model's extra bytes, so that an old model is fed as it was trained. */
struct nd_scaling {
    float weight[ND_FAMILY_COUNT]; /* a text family's vector has this length;
                                      a named family's values are multiplied */
    uint32_t families;             /* families that are fed at all */
    uint32_t telling; /* of these: by what a model knows of them it can tell
                         how familiar a message is; 0 in older models */
    float usual; /* share of their features that it knows, on average over the
                    spam that it learned from, of each by the others; 0 to 1 */
};
void nd_scaling_default(uint32_t families, struct nd_scaling *scaling_r);
void nd_scaling_write(const struct nd_scaling *scaling,
                      struct nd_buffer *buffer);
/* ND_VERSION, with their numbers, where it feeds families of a later version;
 * ND_DATA where a family's slots are not those of its number here. */
enum nd_status nd_scaling_read(struct nd_reader *reader, struct nd_error *error,
                               struct nd_scaling *scaling_r) ND_MUST_CHECK;

/* A family's slots as slots of its narrow form of so many bits; ascending,
 * unique. The array is the arena's. */
struct nd_slot_list nd_slots_narrow(const struct nd_slot_list *list,
                                    uint32_t slot_bits, struct nd_arena *arena);

/* The network's input: columns with values. Arrays are the arena's. A retired
 * family takes the sample's own slots, else the narrow form of its source. */
struct nd_input {
    uint32_t count;
    uint32_t *columns;
    float *values;
};
void nd_features_input(const struct nd_slotted *slotted,
                       const struct nd_scaling *scaling, struct nd_arena *arena,
                       struct nd_input *input_r);

/* Of the features of each telling family the share whose columns a network
 * knows, on average over the families that have features; negative where there
 * is nothing to tell by. */
float nd_input_known(const struct nd_input *input,
                     const struct nd_scaling *scaling,
                     bool (*knows)(const void *context, uint32_t column),
                     const void *context);

/* How familiar a message is of which that share is known, in proportion to the
 * usual: from ND_FAMILIAR_LEAST, so that nobody hides behind noise, to 1, also
 * where there is nothing to tell by. What speaks for spam counts in this
 * proportion: a kind of mail that was never met is no spam for that. */
#define ND_FAMILIAR_LEAST 0.6F
float nd_familiar(const struct nd_scaling *scaling, float known);

/* Whose a column is, the inverse of nd_features_input, for explanations: the
 * text family and its slot; or ND_FAMILY_SYMBOLS and the slot in the registry,
 * whose name tells symbols ("symbol:", "score:") from metatokens ("meta:"). */
enum nd_family nd_input_place(const struct nd_scaling *scaling, uint32_t column,
                              uint32_t *slot_r);

#endif
