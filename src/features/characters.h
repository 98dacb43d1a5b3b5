/* SPDX-License-Identifier: Apache-2.0
 *
 * What a text is made of, byte by byte: cheap, and the same in any script.
 * Internal to src/features.
 */
#ifndef ND_FEATURES_CHARACTERS_H
#define ND_FEATURES_CHARACTERS_H

#include "mail/message.h"

/* Counts; words are runs of anything but blanks, long ones over 12 bytes. */
struct nd_characters {
    size_t upper, lower, digits, blanks, high, exclamations, money;
    size_t signs; /* all other ASCII; exclamations and money are among them */
    size_t words, long_words;
};

/* Counts the bytes of text by kind, and its words. Thread-safe. */
struct nd_characters nd_count_characters(struct nd_text text);

/* A message with its characters, counted once for all who ask. */
struct nd_counted_message {
    const struct nd_message *message;
    struct nd_characters text, subject;
};

#endif
