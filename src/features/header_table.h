/* SPDX-License-Identifier: Apache-2.0
 *
 * What the features take from which header, as one table. Internal to
 * src/features.
 */
#ifndef ND_FEATURES_HEADER_TABLE_H
#define ND_FEATURES_HEADER_TABLE_H

#include "mail/message.h"

/* What is taken from a header. */
enum nd_header_use {
    ND_USE_NOTHING = 0,
    ND_USE_PRESENCE = 1, /* that it is there, how it is written, its place */
    ND_USE_WORDS = 2,    /* the words and 4-grams of its value */
    ND_USE_SHAPE = 4,    /* the form of its value, without its letters */
};

/* A mask of the above; ND_USE_NOTHING for headers that the sender did not
 * write. */
unsigned nd_header_use(const struct nd_header *header);

#endif
