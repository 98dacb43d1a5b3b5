/* SPDX-License-Identifier: Apache-2.0
 *
 * Forgetting and relabelling samples that are stored, one by its identity or
 * all that match a filter.
 */
#ifndef ND_LEARN_BULK_H
#define ND_LEARN_BULK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "store/store.h"

struct nd_bulk {
    const uint8_t *identity; /* NULL: all that match filter */
    struct nd_sample_filter filter;
    int label;        /* the new one, as the user's word; -1: forget them */
    bool dry_run;     /* only count */
    int64_t as_of_ms; /* when it was asked for; 0: the store's now */
};

struct nd_bulk_result {
    uint64_t changed, unchanged, refused, absent;
    uint64_t reasons[ND_REFUSAL_COUNT]; /* of the refused */
    bool known;                         /* count is: samples now, by class */
    uint64_t count[2];
};

/* Adds what a relabelling of one sample came to. */
void nd_bulk_add(struct nd_bulk_result *result,
                 const struct nd_put_result *put);

/* Adds up; the newer count of samples stays. */
void nd_bulk_sum(struct nd_bulk_result *sum,
                 const struct nd_bulk_result *result);

/* Whether a sample matches the filter, by the store's own rules. */
bool nd_filter_matches(const struct nd_sample_filter *filter,
                       const struct nd_sample_info *sample);

/* Forgets one sample, whatever its label's time, as nd_store_forget; repeated
 * after a lost answer it leaves alone what was labelled since. as_of_ms is the
 * store's time at which it was asked for. */
enum nd_status nd_forget_repeatably(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const uint8_t identity[ND_IDENTITY_BYTES],
                                    int64_t as_of_ms, struct nd_error *error,
                                    bool *existed_r) ND_MUST_CHECK;

/* Does it, and counts. Many are changed one after the other: what was changed
 * before a failure stays so. What is repeated after a lost answer has the time
 * of the first try, so that it leaves alone what was labelled since. The
 * thread that owns the store's handle. */
enum nd_status nd_bulk_change(struct nd_store *store,
                              const struct nd_scope *scope,
                              const struct nd_bulk *bulk,
                              struct nd_error *error,
                              struct nd_bulk_result *result_r) ND_MUST_CHECK;

#endif
