/* SPDX-License-Identifier: Apache-2.0
 *
 * What the features take from which header, as one table. Internal to
 * src/features.
 */
#ifndef ND_FEATURES_HEADER_TABLE_H
#define ND_FEATURES_HEADER_TABLE_H

#include <stdbool.h>

#include "mail/message.h"

/* What is taken from a header. */
struct nd_header_use {
    bool presence; /* that it is there, how it is written, and its place */
    bool words;    /* the words and 4-grams of its value */
    bool shape;    /* the form of its value, without its letters */
};

/* Of a header of any role; all false for those that are never a feature. */
struct nd_header_use nd_header_use(const struct nd_header *header);

#endif
