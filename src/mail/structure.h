/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a message, found in its raw bytes.
 */
#ifndef ND_MAIL_STRUCTURE_H
#define ND_MAIL_STRUCTURE_H

#include "mail/field.h"
#include "mail/message.h"

struct nd_entity {
    struct nd_part part;
    struct nd_span boundary; /* of a multipart; length 0 if none */
    struct nd_span body;     /* raw: still encoded */
    bool is_text;            /* its body is to be read as text */
};

struct nd_structure {
    struct nd_entity *entities; /* depth first */
    size_t count;
    size_t unread_bytes; /* bodies that a limit left out */
    uint32_t cut_parts, cut_depth;
    uint32_t defects;
};

/* Finds the parts of the message at data, header included. Takes time linear
 * in its length and memory bounded by limits->max_parts, whatever the bytes
 * are. Memory from arena. */
void nd_structure_read(struct nd_span message,
                       const struct nd_mail_limits *limits,
                       struct nd_arena *arena, struct nd_structure *structure);

/* How a part is read. */
struct nd_entity_rules {
    const struct nd_mail_limits *limits;
    const char *default_type; /* where it does not say its type */
    struct nd_arena *arena;
};

/* Reads the fields that say what a part is, from header, where it begins, and
 * answers where its body begins. The entity gets all but body, raw_bytes and
 * depth; what is broken is added to defects. */
const char *nd_entity_header(struct nd_span header,
                             const struct nd_entity_rules *rules,
                             struct nd_entity *entity, uint32_t *defects);

#endif
