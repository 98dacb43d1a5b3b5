/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples that wait on this machine while the store is away: an SQLite file
 * that takes them durably and hands them on when the store is back. Since the
 * store knows a put that it has seen before, each sample ends in it once,
 * however often the handing over breaks off.
 */
#ifndef ND_STORE_SPOOL_H
#define ND_STORE_SPOOL_H

#include <stdint.h>

#include "base/status.h"
#include "store/store.h"

/* One owner at a time; processes each open their own handle. */
struct nd_spool;

struct nd_spool_options {
    uint64_t most_bytes; /* 0: 64 MiB */
    int64_t most_age_ms; /* 0: 7 days. Must be below the time for which the
                            store keeps tombstones: an older sample might be
                            one that was forgotten, so it is not delivered */
};

struct nd_spool_counts {
    uint64_t samples, bytes; /* that wait */
};

/* What a delivery did. */
struct nd_spool_delivery {
    uint64_t delivered; /* the store has answered for them, whatever it said */
    uint64_t late;      /* dropped: older than most_age_ms */
};

/* Opens the spool in the file path, which is made if need be (mode 0600; its
 * folder is not). ND_DATA where it is something else or damaged, ND_VERSION,
 * ND_PERMISSION, ND_FULL, ND_IO. */
enum nd_status nd_spool_open(const char *path,
                             const struct nd_spool_options *options,
                             struct nd_error *error,
                             struct nd_spool **spool_r) ND_MUST_CHECK;
/* Accepts NULL, and clears *spool. */
void nd_spool_close(struct nd_spool **spool);

/* Takes count samples for scope, all or none; on ND_OK they survive a crash.
 * Times of 0 become this machine's time. ND_FULL over most_bytes; ND_DATA,
 * ND_LIMIT and ND_USAGE for what no store would take. */
enum nd_status nd_spool_add(struct nd_spool *spool,
                            const struct nd_scope *scope,
                            const struct nd_sample_put *samples, size_t count,
                            const struct nd_quota *quota,
                            struct nd_error *error) ND_MUST_CHECK;

/* Puts what waits into store, oldest first, until nothing is left or the store
 * fails: then its status, and what it did not answer for waits on. Late samples
 * are counted in the store under ND_REFUSED_STORE, once each unless that answer
 * is lost. */
enum nd_status nd_spool_deliver(
    struct nd_spool *spool, struct nd_store *store, struct nd_error *error,
    struct nd_spool_delivery *delivery_r) ND_MUST_CHECK;

/* How much waits. */
enum nd_status nd_spool_counts(struct nd_spool *spool, struct nd_error *error,
                               struct nd_spool_counts *counts_r) ND_MUST_CHECK;

#endif
