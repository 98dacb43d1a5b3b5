/* SPDX-License-Identifier: Apache-2.0
 *
 * rspamd's vectors in our store: each number by its name, so that they outlive
 * a change of rspamd's symbols, and the set that publishing empties.
 */
#ifndef ND_RSPAMD_COLLECT_H
#define ND_RSPAMD_COLLECT_H

#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "learn/rule.h"
#include "rspamd/profile.h"
#include "rspamd/vectors.h"
#include "store/store.h"

/* Takes the vectors of one profile. One owner at a time. */
struct nd_rspamd_collector;

struct nd_rspamd_collected {
    uint64_t stored;       /* new in the store */
    uint64_t known;        /* there already, or were once */
    uint64_t refused;      /* by the store */
    uint64_t malformed;    /* cannot be decompressed or read */
    uint64_t other_length; /* than most, or fewer numbers than symbols */
    uint32_t width;        /* numbers of those that were taken; 0: none were */
};

/* Adds what of counted; the width is the later one. */
void nd_rspamd_collected_add(struct nd_rspamd_collected *sum,
                             const struct nd_rspamd_collected *of);

/* store, rule and profile are borrowed. */
struct nd_rspamd_collector *nd_rspamd_collector_create(
    struct nd_store *store, const struct nd_rule *rule,
    const struct nd_rspamd_profile *profile) ND_MUST_CHECK;
void nd_rspamd_collector_destroy(struct nd_rspamd_collector **collector);

/* Takes one vector as rspamd's text (NULL: it could not be decompressed);
 * context is the collector. How many numbers a vector of the profile has is
 * what most of the first 1,024 have (rspamd's own trainer fails on a set where
 * one differs), so those wait; what is stored is durable after
 * nd_rspamd_collector_flush. Fits nd_rspamd_remote_vectors. */
enum nd_status nd_rspamd_collector_take(const char *text, size_t length,
                                        int label, void *context,
                                        struct nd_error *error) ND_MUST_CHECK;
enum nd_status nd_rspamd_collector_flush(
    struct nd_rspamd_collector *collector, struct nd_error *error,
    struct nd_rspamd_collected *collected_r) ND_MUST_CHECK;

/* Metatokens that the profile's vectors have before their symbols; 0 as long
 * as none was taken. */
uint32_t nd_rspamd_collector_metatokens(
    const struct nd_rspamd_collector *collector);

/* All vectors of the rule that are in the store, with metatokens numbers and
 * then the profile's symbols; symbols that it has not are left out. sequences_r
 * gets the sequence of each, watermark_r the highest in the store. The caller
 * frees vectors_r and *sequences_r. */
enum nd_status nd_rspamd_collected_read(
    struct nd_store *store, const struct nd_rule *rule,
    const struct nd_rspamd_profile *profile, uint32_t metatokens,
    struct nd_error *error, struct nd_vectors *vectors_r,
    uint64_t **sequences_r, uint64_t *watermark_r) ND_MUST_CHECK;

#endif
