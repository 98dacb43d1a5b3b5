/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands and the API do to samples beside learning them. The store
 * forgets in bulk by itself; it relabels one at a time, so relabelling many
 * walks over a snapshot. Everything has the time at which it was asked for, so
 * that a repeat after a lost answer, here or in the store's client, does what
 * the first try did and takes nothing that was labelled since.
 */
#include "learn/bulk.h"

#include <stdlib.h>
#include <string.h>

#define ATTEMPTS 5

bool nd_filter_matches(const struct nd_sample_filter *filter,
                       const struct nd_sample_info *sample)
{
    return (filter->source < 0 || sample->source == (unsigned)filter->source) &&
           (filter->label < 0 || sample->label == (unsigned)filter->label) &&
           (filter->since_ms == 0 || sample->label_ms >= filter->since_ms) &&
           (filter->until_ms == 0 || sample->label_ms < filter->until_ms) &&
           (filter->as_of_ms == 0 || sample->label_ms <= filter->as_of_ms);
}

void nd_bulk_add(struct nd_bulk_result *result, const struct nd_put_result *put)
{
    result->changed += put->outcome == ND_PUT_RELABELLED;
    result->unchanged += put->outcome == ND_PUT_DUPLICATE;
    result->refused += put->outcome == ND_PUT_REFUSED;
    result->reasons[put->reason] += put->outcome == ND_PUT_REFUSED;
    result->known = true;
    result->count[ND_HAM] = put->count[ND_HAM];
    result->count[ND_SPAM] = put->count[ND_SPAM];
}

void nd_bulk_sum(struct nd_bulk_result *sum,
                 const struct nd_bulk_result *result)
{
    sum->changed += result->changed;
    sum->unchanged += result->unchanged;
    sum->refused += result->refused;
    sum->absent += result->absent;
    for (int i = 0; i < ND_REFUSAL_COUNT; i++) {
        sum->reasons[i] += result->reasons[i];
    }
    if (result->known) {
        sum->known = true;
        memcpy(sum->count, result->count, sizeof(sum->count));
    }
}

static enum nd_status relabel_one(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  const struct nd_bulk *bulk,
                                  const struct nd_sample_info *sample,
                                  struct nd_error *error,
                                  struct nd_bulk_result *result)
{
    struct nd_claim claim = {(enum nd_class)bulk->label, ND_SOURCE_USER,
                             bulk->as_of_ms};
    struct nd_put_result put;
    if (bulk->dry_run) {
        result->changed += sample->label != claim.label;
        result->unchanged += sample->label == claim.label;
        return ND_OK;
    }
    enum nd_status status = ND_UNCERTAIN;
    for (int i = 0; i < ATTEMPTS && status == ND_UNCERTAIN; i++) {
        status = nd_store_relabel(store, scope, sample->identity, &claim, error,
                                  &put);
    }
    if (status == ND_OK) {
        /* a repeat finds it done */
        if (put.outcome == ND_PUT_DUPLICATE && sample->label != claim.label) {
            put.outcome = ND_PUT_RELABELLED;
        }
        nd_bulk_add(result, &put);
    }
    return status;
}

enum nd_status nd_forget_repeatably(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const uint8_t identity[ND_IDENTITY_BYTES],
                                    int64_t as_of_ms, struct nd_error *error,
                                    bool *existed_r)
{
    struct nd_sample_info sample;
    enum nd_status status =
        nd_store_find(store, scope, identity, error, &sample);
    if (status != ND_OK && status != ND_NO_INPUT) {
        return status;
    }
    if (status == ND_OK && sample.label_ms > as_of_ms) {
        as_of_ms = sample.label_ms;
    }
    status = ND_UNCERTAIN;
    for (int i = 0; i < ATTEMPTS && status == ND_UNCERTAIN; i++) {
        status =
            nd_store_forget(store, scope, identity, as_of_ms, error, existed_r);
    }
    return status;
}

static enum nd_status forget_many(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  const struct nd_bulk *bulk,
                                  struct nd_error *error, uint64_t *count_r)
{
    enum nd_status status = ND_UNCERTAIN;
    for (int i = 0; i < ATTEMPTS && status == ND_UNCERTAIN; i++) {
        status = nd_store_forget_matching(store, scope, &bulk->filter,
                                          bulk->dry_run, error, count_r);
    }
    return status;
}

static enum nd_status relabel_many(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   const struct nd_bulk *bulk,
                                   struct nd_error *error,
                                   struct nd_bulk_result *result)
{
    struct nd_snapshot snapshot;
    enum nd_status status = nd_store_snapshot(store, scope, error, &snapshot);
    if (status != ND_OK) {
        return status;
    }
    for (size_t i = 0; i < snapshot.count && status == ND_OK; i++) {
        const struct nd_sample_info *sample = &snapshot.samples[i];
        if (sample->label == (unsigned)bulk->label ||
            !nd_filter_matches(&bulk->filter, sample)) {
            continue;
        }
        status = relabel_one(store, scope, bulk, sample, error, result);
        /* It went in the meantime: nothing to relabel. */
        status = status == ND_NO_INPUT ? ND_OK : status;
    }
    free(snapshot.samples);
    return status;
}

static enum nd_status change_one(struct nd_store *store,
                                 const struct nd_scope *scope,
                                 const struct nd_bulk *bulk,
                                 struct nd_error *error,
                                 struct nd_bulk_result *result)
{
    struct nd_sample_info sample;
    bool existed = false;
    enum nd_status status;
    if (bulk->label < 0 && !bulk->dry_run) {
        status = nd_forget_repeatably(store, scope, bulk->identity,
                                      bulk->as_of_ms, error, &existed);
    } else {
        status = nd_store_find(store, scope, bulk->identity, error, &sample);
        if (status == ND_OK && bulk->label >= 0) {
            status = relabel_one(store, scope, bulk, &sample, error, result);
        }
        existed = status == ND_OK;
    }
    result->changed += bulk->label < 0 && existed;
    result->absent += !existed;
    return status == ND_NO_INPUT ? ND_OK : status;
}

enum nd_status nd_bulk_change(struct nd_store *store,
                              const struct nd_scope *scope,
                              const struct nd_bulk *bulk,
                              struct nd_error *error,
                              struct nd_bulk_result *result_r)
{
    struct nd_bulk own = *bulk;
    struct nd_bulk_result result = {0};
    enum nd_status status = ND_OK;
    if (own.as_of_ms == 0) {
        status = nd_store_now(store, error, &own.as_of_ms);
    }
    if (status != ND_OK) {
        return status;
    }
    own.filter.as_of_ms = own.as_of_ms;
    if (own.identity != NULL) {
        status = change_one(store, scope, &own, error, &result);
    } else if (own.label >= 0) {
        status = relabel_many(store, scope, &own, error, &result);
    } else {
        status = forget_many(store, scope, &own, error, &result.changed);
    }
    if (status == ND_OK) {
        *result_r = result;
    }
    return status;
}
