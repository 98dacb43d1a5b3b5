/* SPDX-License-Identifier: Apache-2.0
 *
 * Gathering a message's text features: sets of slots, one a family, filled by
 * the extractors of this folder. Internal to src/features.
 */
#ifndef ND_FEATURES_COLLECT_H
#define ND_FEATURES_COLLECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/memory.h"
#include "features/features.h"

/* A feature's name while it is put together. Longer names are cut: what is
 * hashed is what fits, so the size is part of every stored sample. */
#define ND_TOKEN_BYTES 96
struct nd_token {
    char text[ND_TOKEN_BYTES];
    size_t length;
};

/* Starts a name over with a prefix. */
void nd_token_start(struct nd_token *token, const char *prefix);
/* Appends bytes as they are. */
void nd_token_add(struct nd_token *token, const char *data, size_t length);
void nd_token_add_text(struct nd_token *token, const char *text);
/* Appends a code point above 0x7F as UTF-8, or nothing where it does not fit.
 */
void nd_token_add_wide(struct nd_token *token, uint32_t code);
/* Appends any code point as UTF-8, or nothing where it does not fit. */
static inline void nd_token_add_code(struct nd_token *token, uint32_t code)
{
    if (code >= 0x80)
        nd_token_add_wide(token, code);
    else if (token->length < sizeof token->text)
        token->text[token->length++] = (char)code;
}
/* Appends text with each code point folded (see unicode.h). */
void nd_token_add_folded(struct nd_token *token, const char *data,
                         size_t length);
/* Appends a count's step: 0, 1, 2, 3, 4, then powers of two. */
void nd_token_add_step(struct nd_token *token, uint64_t count);

#define ND_NO_FAMILY ND_FAMILY_COUNT

/* What was met of one family. */
struct nd_slot_set {
    uint64_t *bits;
    uint64_t *filled; /* a bit for each 64 bits above that are not all 0 */
    uint32_t mask;    /* slots - 1 */
    uint32_t count;
    uint32_t limit;             /* 0: the family is not looked for */
    struct nd_slot_name *names; /* with ND_EXTRACT_NAMES, in order met */
};

/* Secret numbers for nd_collect_mix. */
struct nd_mixers {
    uint64_t numbers[3];
};

struct nd_collector {
    const struct nd_key *key;
    struct nd_mixers mixers;
    struct nd_arena *arena;
    bool wants_names;
    uint64_t nothing[1]; /* the bits of families that are not looked for */
    struct nd_slot_set sets[ND_FAMILY_COUNT + 1]; /* the last: no family */
};

/* Memory comes from arena. */
void nd_collect_begin(struct nd_collector *collector, const struct nd_key *key,
                      const struct nd_extract_options *options,
                      struct nd_arena *arena);

/* Whether a family is looked for and not yet full. */
static inline bool nd_collect_wants(const struct nd_collector *collector,
                                    enum nd_family family)
{
    const struct nd_slot_set *set = &collector->sets[family];
    return set->count < set->limit;
}

/* The keyed hash of a name. */
uint64_t nd_collect_hash(const struct nd_collector *collector,
                         const struct nd_token *token);

/* A keyed hash of one number, cheaper than SipHash and enough to hide which
 * of a few hundred thousand n-grams a slot stands for. */
static inline uint64_t nd_collect_mix(const struct nd_mixers *mixers,
                                      uint64_t number)
{
    number = (number ^ mixers->numbers[0]) * mixers->numbers[1];
    number = (number ^ number >> 32) * mixers->numbers[2];
    return number ^ number >> 32;
}

/* Makes room for the name of the feature with this hash, added last. */
void nd_collect_unnamed(struct nd_collector *collector, enum nd_family family,
                        uint64_t hash);

/* Sets the slot of a hash; true if it is new. Whether it was there already is
 * anybody's guess, so no branch depends on it here. */
static inline bool nd_slot_set_add(struct nd_slot_set *set, uint64_t hash)
{
    uint32_t slot = (uint32_t)hash & set->mask;
    if (set->count >= set->limit)
        return false;
    uint64_t *word = &set->bits[slot / 64];
    uint64_t before = *word;
    *word = before | (uint64_t)1 << slot % 64;
    set->filled[slot / 4096] |= (uint64_t)1 << slot / 64 % 64;
    bool is_new = (before >> slot % 64 & 1U) == 0;
    set->count += is_new;
    return is_new;
}

/* Adds the feature with this hash. True if it is new and names are wanted:
 * then the caller says its name with nd_collect_name. */
static inline bool nd_collect_add(struct nd_collector *collector,
                                  enum nd_family family, uint64_t hash)
{
    bool is_new = nd_slot_set_add(&collector->sets[family], hash);
    if (!collector->wants_names || !is_new)
        return false;
    nd_collect_unnamed(collector, family, hash);
    return true;
}

/* Names the feature that nd_collect_add has just answered true for; token is
 * copied. */
void nd_collect_name(struct nd_collector *collector, enum nd_family family,
                     const struct nd_token *token);

/* Hashes, adds and names in one go. */
void nd_collect_token(struct nd_collector *collector, enum nd_family family,
                      const struct nd_token *token);

/* Writes out the text families, ascending. */
void nd_collect_end(struct nd_collector *collector,
                    struct nd_features *features);

#endif
