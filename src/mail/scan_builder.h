/* SPDX-License-Identifier: Apache-2.0
 *
 * Symbols as they are read, with unique names, within the limits of scan.h.
 */
#ifndef ND_MAIL_SCAN_BUILDER_H
#define ND_MAIL_SCAN_BUILDER_H

#include <stdint.h>

#include "mail/scan.h"

struct nd_scan_builder {
    struct nd_scan_symbol *symbols;
    size_t count;
    size_t capacity;
    size_t dropped;
    uint16_t *slots; /* open addressing: index + 1 into symbols */
    size_t slot_count;
    struct nd_arena *arena;
};

/* Begins with the symbols that scan has. Memory is the arena's. */
void nd_scan_builder_begin(struct nd_scan_builder *builder,
                           const struct nd_scan *scan, struct nd_arena *arena);

/* Adds a symbol, or the score of one that is known without; a name or score
 * that scan.h does not allow, or one too many, is counted as dropped. */
void nd_scan_builder_add(struct nd_scan_builder *builder, const char *name,
                         size_t length, const double *score);

/* Hands the symbols over to scan. */
void nd_scan_builder_end(const struct nd_scan_builder *builder,
                         struct nd_scan *scan);

/* Whether the name may stand for a symbol: printable ASCII without blanks, not
 * too long. */
bool nd_scan_is_name(const char *name, size_t length);

#endif
