/* SPDX-License-Identifier: Apache-2.0
 *
 * The families as a next version may have them, in place of
 * src/features/family_table.h: words have gained a bit of slot and nothing
 * else, 4-grams are cut otherwise. Structure, links and the rest stay. The
 * program that is built with it is what tests/system/test_layout.py upgrades
 * to.
 */
#ifndef ND_FEATURES_FAMILY_TABLE_H
#define ND_FEATURES_FAMILY_TABLE_H

#define ND_FAMILY_MAP(X)                                        \
    X(SYMBOLS, 0, "symbols", 1, NAMED, 0, 4000, NONE)           \
    X(METATOKENS, 1, "metatokens", 1, NAMED, 0, 128, NONE)      \
    X(WORDS_1, 2, "words", 1, RETIRED, 17, 1000, WORDS)         \
    X(PAIRS, 3, "pairs", 1, TEXT, 18, 1000, NONE)               \
    X(GRAMS_1, 4, "grams", 1, RETIRED, 18, 2000, NONE)          \
    X(STRUCTURE, 5, "structure", 1, TEXT, 13, 300, NONE)        \
    X(URLS, 6, "urls", 1, TEXT, 17, 300, NONE)                  \
    X(HEADERS, 7, "headers", 1, TEXT, 16, 300, NONE)            \
    X(HEADER_GRAMS, 8, "header_grams", 1, TEXT, 17, 1000, NONE) \
    X(WORDS, 9, "words", 2, TEXT, 18, 1000, NONE)               \
    X(GRAMS, 10, "grams", 2, TEXT, 18, 2000, NONE)

#endif
