/* SPDX-License-Identifier: Apache-2.0
 *
 * The families of features, each with the layout of its slots. A number stands
 * for a family in one layout: it is what samples and models are marked with, so
 * it never changes its meaning. Whoever changes what a slot means retires the
 * number and gives the family the next one (docs/formats/layout.md has the
 * steps); tests/unit/features/test_layout.c fails until that is done.
 */
#ifndef ND_FEATURES_FAMILY_TABLE_H
#define ND_FEATURES_FAMILY_TABLE_H

/* Family, number, name, layout (1 and up under one name), kind, bits of a slot,
 * most features of a message, and for a retired number the family that it is
 * the narrow form of: slots here are the lowest bits of slots there; else NONE.
 * Kinds: NAMED by the registry, TEXT hashed, RETIRED hashed and no longer
 * extracted. Numbers ascend. */
#define ND_FAMILY_MAP(X)                                   \
    X(SYMBOLS, 0, "symbols", 1, NAMED, 0, 4000, NONE)      \
    X(METATOKENS, 1, "metatokens", 1, NAMED, 0, 128, NONE) \
    X(WORDS, 2, "words", 1, TEXT, 17, 1000, NONE)          \
    X(PAIRS, 3, "pairs", 1, TEXT, 18, 1000, NONE)          \
    X(GRAMS, 4, "grams", 1, TEXT, 18, 2000, NONE)          \
    X(STRUCTURE, 5, "structure", 1, TEXT, 13, 300, NONE)   \
    X(URLS, 6, "urls", 1, TEXT, 17, 300, NONE)             \
    X(HEADERS, 7, "headers", 1, TEXT, 16, 300, NONE)       \
    X(HEADER_GRAMS, 8, "header_grams", 1, TEXT, 17, 1000, NONE)

#endif
