/* SPDX-License-Identifier: Apache-2.0
 *
 * Forgetting in the SQLite backend. A forgotten identity keeps a tombstone,
 * also one that never came, so that a put that was given before stays out
 * whenever it arrives. A sample that was labelled after the moment of the
 * forgetting is not touched: a forget repeated late must not act twice.
 */
#include <string.h>

#include "store/sqlite_core.h"

/* Samples forgotten in one transaction of a bulk forget. */
#define PIECE 1000

static int64_t later(int64_t one_ms, int64_t other_ms)
{
    return one_ms > other_ms ? one_ms : other_ms;
}

static void forget_present(struct nd_sqlite *db, struct nd_sqlite_scope *row,
                           const struct nd_sqlite_sample *sample,
                           int64_t label_ms, int64_t now_ms)
{
    struct nd_sqlite_fate fate =
        nd_sqlite_fate_of(&sample->info, ND_FATE_FORGOTTEN, now_ms);
    fate.known.label_ms = label_ms;
    nd_sqlite_sample_end(db, row, sample, &fate);
    row->sequence++;
}

/* A sample that was used up counts as a change, since the live model knows
 * it; forgetting one that never came, or once more, changes nothing. Answers
 * whether this repeats the forget that ended it. */
static bool forget_absent(struct nd_sqlite *db, struct nd_sqlite_scope *row,
                          const uint8_t identity[ND_IDENTITY_BYTES],
                          int64_t label_ms, int64_t now_ms)
{
    struct nd_sqlite_fate fate;
    nd_sqlite_fate_find(db, row->id, identity, &fate);
    struct nd_known *known = &fate.known;
    bool repeated =
        known->fate == ND_FATE_FORGOTTEN && known->label_ms == label_ms;
    if (known->fate == ND_FATE_UNKNOWN) {
        known->fate = ND_FATE_FORGOTTEN_ABSENT;
        known->label_ms = label_ms;
    } else if (known->fate == ND_FATE_CONSUMED ||
               known->fate == ND_FATE_REPLACED) {
        if (known->label_ms > label_ms)
            return false;
        known->fate = ND_FATE_FORGOTTEN_ABSENT;
        known->label_ms = label_ms;
        row->sequence++;
    } else {
        known->label_ms = later(known->label_ms, label_ms);
    }
    fate.ended_ms = now_ms;
    nd_sqlite_fate_put(db, row->id, identity, &fate);
    return repeated;
}

/* Without a time of its own a forget means now, and whatever is there. */
static bool forget_one(struct nd_sqlite *db, struct nd_sqlite_scope *row,
                       const uint8_t identity[ND_IDENTITY_BYTES],
                       int64_t given_ms, int64_t now_ms)
{
    int64_t label_ms = nd_rules_label_time(given_ms, now_ms);
    struct nd_sqlite_sample sample;
    if (!nd_sqlite_sample_find(db, row->id, identity, &sample))
        return forget_absent(db, row, identity, label_ms, now_ms);
    if (given_ms > 0 && sample.info.label_ms > label_ms)
        return false;
    forget_present(db, row, &sample, later(label_ms, sample.info.label_ms),
                   now_ms);
    return true;
}

enum nd_status nd_sqlite_forget(struct nd_store *store,
                                const struct nd_scope *scope,
                                const uint8_t identity[ND_IDENTITY_BYTES],
                                int64_t label_ms, struct nd_error *error,
                                bool *existed_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    nd_sqlite_begin(db, true);
    nd_sqlite_scope_load(db, scope, true, &row);
    nd_sqlite_tally_load(db, &row);
    bool existed =
        forget_one(db, &row, identity, label_ms, nd_sqlite_clock(db));
    nd_sqlite_tally_save(db, &row);
    nd_sqlite_scope_save(db, &row);
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK)
        *existed_r = existed;
    return status;
}

/* ---- many ---- */

/* The first label time that a filter does not mean any more. */
static int64_t end_of(const struct nd_sample_filter *filter)
{
    int64_t end_ms = filter->until_ms == 0 ? INT64_MAX : filter->until_ms;
    bool bounded = filter->as_of_ms != 0 && filter->as_of_ms < end_ms;
    return bounded ? filter->as_of_ms + 1 : end_ms;
}

static sqlite3_stmt *bind_filter(struct nd_sqlite *db, enum nd_sql which,
                                 int64_t scope,
                                 const struct nd_sample_filter *filter)
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, which);
    (void)sqlite3_bind_int64(statement, 1, scope);
    (void)sqlite3_bind_int(statement, 2, filter->label);
    (void)sqlite3_bind_int(statement, 3, filter->source);
    (void)sqlite3_bind_int64(statement, 4, filter->since_ms);
    (void)sqlite3_bind_int64(statement, 5, end_of(filter));
    return statement;
}

/* What a forgetting of the same time ended, whose answer was lost. */
static uint64_t count_done(struct nd_sqlite *db, int64_t scope,
                           const struct nd_sample_filter *filter)
{
    if (filter->as_of_ms == 0)
        return 0;
    sqlite3_stmt *statement =
        nd_sqlite_statement(db, ND_SQL_FATE_COUNT_FORGOTTEN);
    (void)sqlite3_bind_int64(statement, 1, scope);
    (void)sqlite3_bind_int(statement, 2, filter->label);
    (void)sqlite3_bind_int(statement, 3, filter->source);
    (void)sqlite3_bind_int64(statement, 4, filter->as_of_ms);
    (void)sqlite3_bind_int(statement, 5, ND_FATE_FORGOTTEN);
    return nd_sqlite_row(db, statement) ? nd_sqlite_u64(statement, 0) : 0;
}

static enum nd_status count_matching(struct nd_sqlite *db,
                                     const struct nd_scope *scope,
                                     const struct nd_sample_filter *filter,
                                     struct nd_error *error, uint64_t *count_r)
{
    struct nd_sqlite_scope row;
    nd_sqlite_begin(db, false);
    nd_sqlite_scope_load(db, scope, false, &row);
    sqlite3_stmt *statement =
        bind_filter(db, ND_SQL_SAMPLE_COUNT_MATCH, row.id, filter);
    uint64_t count =
        nd_sqlite_row(db, statement) ? nd_sqlite_u64(statement, 0) : 0;
    count += count_done(db, row.id, filter);
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK)
        *count_r = count;
    return status;
}

static size_t list_matching(struct nd_sqlite *db, int64_t scope,
                            const struct nd_sample_filter *filter,
                            uint8_t identities_r[PIECE][ND_IDENTITY_BYTES])
{
    sqlite3_stmt *statement =
        bind_filter(db, ND_SQL_SAMPLE_MATCH, scope, filter);
    (void)sqlite3_bind_int(statement, 6, PIECE);
    size_t count = 0;
    while (nd_sqlite_row(db, statement) && count < PIECE)
        nd_sqlite_blob(db, statement, 0, identities_r[count++],
                       ND_IDENTITY_BYTES);
    return count;
}

/* Adds to total. The first piece also counts what was done before. */
static enum nd_status forget_piece(struct nd_sqlite *db,
                                   const struct nd_scope *scope,
                                   const struct nd_sample_filter *filter,
                                   bool first, struct nd_error *error,
                                   uint64_t *total, bool *more_r)
{
    static _Thread_local uint8_t identities[PIECE][ND_IDENTITY_BYTES];
    struct nd_sqlite_scope row;
    nd_sqlite_begin(db, true);
    int64_t now_ms = nd_sqlite_clock(db);
    nd_sqlite_scope_load(db, scope, false, &row);
    nd_sqlite_tally_load(db, &row);
    uint64_t done = first ? count_done(db, row.id, filter) : 0;
    size_t count = list_matching(db, row.id, filter, identities);
    for (size_t i = 0; i < count && db->failed == ND_OK; i++)
        (void)forget_one(db, &row, identities[i], filter->as_of_ms, now_ms);
    if (count > 0) {
        nd_sqlite_tally_save(db, &row);
        nd_sqlite_scope_save(db, &row);
    }
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK) {
        *total += count + done;
        *more_r = count == PIECE;
    }
    return status;
}

enum nd_status nd_sqlite_forget_matching(struct nd_store *store,
                                         const struct nd_scope *scope,
                                         const struct nd_sample_filter *filter,
                                         bool dry_run, struct nd_error *error,
                                         uint64_t *count_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    if (dry_run)
        return count_matching(db, scope, filter, error, count_r);
    uint64_t total = 0;
    bool more = true;
    for (bool first = true; more; first = false) {
        enum nd_status status =
            forget_piece(db, scope, filter, first, error, &total, &more);
        if (status != ND_OK)
            return status;
    }
    *count_r = total;
    return ND_OK;
}
