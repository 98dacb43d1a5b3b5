/* SPDX-License-Identifier: Apache-2.0
 *
 * The lease of a scope in the SQLite file. Token and nonce decide who holds
 * it; the clock, read under the write lock, only decides whether another may
 * take it over. So a holder that was slow but not replaced goes on, and one
 * that was replaced is refused whatever its clock says.
 */
#include <stdio.h>
#include <string.h>

#include "store/sqlite_core.h"

static void grant(struct nd_sqlite_scope *row,
                  const uint8_t nonce[ND_NONCE_BYTES], const char *holder,
                  int64_t now_ms)
{
    row->lease.token = ++row->token;
    memcpy(row->lease.nonce, nonce, ND_NONCE_BYTES);
    (void)snprintf(row->lease.holder, ND_HOLDER_BYTES, "%s", holder);
    row->lease.since_ms = now_ms;
    row->progress = 0;
}

enum nd_status nd_sqlite_lease_acquire(struct nd_store *store,
                                       const struct nd_scope *scope,
                                       const uint8_t nonce[ND_NONCE_BYTES],
                                       const char *holder, int64_t length_ms,
                                       struct nd_error *error,
                                       struct nd_lease *lease_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    nd_sqlite_begin(db, true);
    int64_t now_ms = nd_sqlite_clock(db);
    nd_sqlite_scope_load(db, scope, true, &row);
    bool own = row.lease.token != 0 &&
               memcmp(row.lease.nonce, nonce, ND_NONCE_BYTES) == 0;
    enum nd_status outcome = ND_OK;
    if (!own && !nd_rules_lease_open(&row.lease, row.lease_length_ms, now_ms)) {
        outcome = nd_fail(error, ND_BUSY, "%s/%s is being trained by %s",
                          scope->rule, scope->settings, row.lease.holder);
    } else {
        if (!own)
            grant(&row, nonce, holder, now_ms);
        row.lease.until_ms = now_ms + length_ms;
        row.lease_length_ms = length_ms;
        nd_sqlite_scope_save(db, &row);
    }
    enum nd_status status = nd_sqlite_end(db, outcome, error);
    if (status == ND_OK || status == ND_BUSY)
        *lease_r = row.lease;
    return status;
}

static enum nd_status fail_lost(const struct nd_scope *scope,
                                struct nd_error *error)
{
    return nd_fail(error, ND_LOST, "the lease of %s/%s is no longer ours",
                   scope->rule, scope->settings);
}

/* The progress that was reported last is a repeat of that renewal: it holds,
 * but extends nothing, so that only progress keeps a lease alive. */
enum nd_status nd_sqlite_lease_renew(struct nd_store *store,
                                     const struct nd_scope *scope,
                                     const struct nd_lease *lease,
                                     uint64_t progress, int64_t length_ms,
                                     struct nd_error *error)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    nd_sqlite_begin(db, true);
    nd_sqlite_scope_load(db, scope, false, &row);
    enum nd_status outcome = ND_OK;
    if (!nd_rules_lease_held(&row.lease, lease)) {
        outcome = fail_lost(scope, error);
    } else if (progress < row.progress || progress == 0) {
        outcome = nd_fail(error, ND_LOST,
                          "the lease of %s/%s is not renewed without progress",
                          scope->rule, scope->settings);
    } else if (progress > row.progress) {
        row.progress = progress;
        row.lease.until_ms = nd_sqlite_clock(db) + length_ms;
        row.lease_length_ms = length_ms;
        nd_sqlite_scope_save(db, &row);
    }
    return nd_sqlite_end(db, outcome, error);
}

enum nd_status nd_sqlite_lease_release(struct nd_store *store,
                                       const struct nd_scope *scope,
                                       const struct nd_lease *lease,
                                       struct nd_error *error)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    nd_sqlite_begin(db, true);
    nd_sqlite_scope_load(db, scope, false, &row);
    enum nd_status outcome = ND_OK;
    if (nd_rules_lease_held(&row.lease, lease)) {
        memset(&row.lease, 0, sizeof(row.lease));
        nd_sqlite_scope_save(db, &row);
    } else {
        outcome = fail_lost(scope, error);
    }
    return nd_sqlite_end(db, outcome, error);
}

enum nd_status nd_sqlite_lease_show(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    struct nd_error *error,
                                    struct nd_lease *lease_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    nd_sqlite_begin(db, false);
    nd_sqlite_scope_load(db, scope, false, &row);
    enum nd_status outcome = row.lease.token == 0 ? ND_NOTHING : ND_OK;
    enum nd_status status = nd_sqlite_end(db, outcome, error);
    if (status == ND_OK)
        *lease_r = row.lease;
    return status;
}
