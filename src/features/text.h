/* SPDX-License-Identifier: Apache-2.0
 *
 * The extractors of text features. Internal to src/features; each adds what
 * it finds to a collector and never fails.
 */
#ifndef ND_FEATURES_TEXT_H
#define ND_FEATURES_TEXT_H

#include "features/characters.h"
#include "features/collect.h"

/* What running text becomes: the families that its words, pairs of words and
 * 4-grams go to (ND_NO_FAMILY: none), and what stands in front of their
 * names. Words under a mark are added a second time, marked, unless NULL. */
struct nd_text_plan {
    enum nd_family words, pairs, grams;
    const char *word_prefix, *pair_prefix, *gram_prefix;
    const char *mark;
    const char *const *silent; /* words left out, up to NULL; may be NULL */
};

/* Words, word pairs and character 4-grams of text. */
void nd_collect_text(struct nd_collector *collector,
                     const struct nd_text_plan *plan, struct nd_text text);

/* Words, pairs and 4-grams of the decoded subject and visible text. */
void nd_collect_content(struct nd_collector *collector,
                        const struct nd_message *message);
/* Content types, charsets, HTML, which headers there are, counts in steps. */
void nd_collect_structure(struct nd_collector *collector,
                          const struct nd_counted_message *counted);
/* Scheme, host labels, path words of the links. */
void nd_collect_urls(struct nd_collector *collector,
                     const struct nd_message *message);
/* Words and 4-grams of the sender's headers. */
void nd_collect_headers(struct nd_collector *collector,
                        const struct nd_message *message);

#endif
