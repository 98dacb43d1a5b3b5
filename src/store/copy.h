/* SPDX-License-Identifier: Apache-2.0
 *
 * A store copied into another one, of the same backend or not: key, registries,
 * profiles, samples with their sequences and versions, tombstones, models with
 * their generations and pins, journals and counters. Leases and reports of
 * hosts are of the moment and stay behind; the counter of lease tokens comes
 * along, so that no old grant becomes valid again.
 */
#ifndef ND_STORE_COPY_H
#define ND_STORE_COPY_H

#include "store/image.h"
#include "store/store.h"

/* What one side holds of a scope: how many records of each kind, and a digest
 * over them that does not depend on their order. */
struct nd_copy_sum {
    uint64_t count[ND_IMAGE_KIND_COUNT];
    uint64_t tombstones; /* of the samples */
    uint8_t digest[ND_DIGEST_BYTES];
};

/* Whether two sides hold the same, by counts and digest. */
bool nd_copy_sums_agree(const struct nd_copy_sum *one,
                        const struct nd_copy_sum *other);

/* A scope that has been copied, and what both sides hold of it once all was;
 * they differ where one of them changed meanwhile. false stops. */
typedef bool nd_copied_callback(const struct nd_scope *scope,
                                const struct nd_copy_sum *from,
                                const struct nd_copy_sum *to, void *context);

/* Copies all of from into to. resume goes on where an earlier copy broke off;
 * without it a target that holds anything is ND_USAGE. Each scope is told once
 * it was compared; ND_DATA where any differs in the end, or the source was
 * written to meanwhile, ND_KEY where the target has another key, ND_CANCELLED.
 * Nothing else may write to either. */
enum nd_status nd_store_copy(struct nd_store *from, struct nd_store *to,
                             bool resume, nd_copied_callback *copied,
                             void *context,
                             struct nd_error *error) ND_MUST_CHECK;

/* What a store holds of a scope. */
enum nd_status nd_store_sum(struct nd_store *store,
                            const struct nd_scope *scope,
                            struct nd_error *error,
                            struct nd_copy_sum *sum_r) ND_MUST_CHECK;

#endif
