/* SPDX-License-Identifier: Apache-2.0
 *
 * The row of a scope: change counter, lease, live pointer, training state, and
 * the tallies beside it. An operation loads what it needs, works on the
 * struct, and saves it; the transaction around it makes that safe. Tallies are
 * saved as differences, so that nothing else's are touched.
 */
#include <string.h>

#include "store/sqlite_core.h"

static void read_row(struct nd_sqlite *db, sqlite3_stmt *statement,
                     struct nd_sqlite_scope *row_r)
{
    row_r->id = sqlite3_column_int64(statement, 0);
    row_r->sequence = nd_sqlite_u64(statement, 1);
    row_r->attempted = nd_sqlite_u64(statement, 2);
    row_r->attempt_ms = sqlite3_column_int64(statement, 3);
    row_r->failures = (uint32_t)sqlite3_column_int64(statement, 4);
    row_r->token = nd_sqlite_u64(statement, 5);
    row_r->lease.token = nd_sqlite_u64(statement, 6);
    nd_sqlite_blob(db, statement, 7, row_r->lease.nonce, ND_NONCE_BYTES);
    nd_sqlite_text(statement, 8, row_r->lease.holder, ND_HOLDER_BYTES);
    row_r->lease.since_ms = sqlite3_column_int64(statement, 9);
    row_r->lease.until_ms = sqlite3_column_int64(statement, 10);
    row_r->lease_length_ms = sqlite3_column_int64(statement, 11);
    row_r->progress = nd_sqlite_u64(statement, 12);
    row_r->live = nd_sqlite_u64(statement, 13);
    row_r->revision = nd_sqlite_u64(statement, 14);
    row_r->pinned = sqlite3_column_int(statement, 15) != 0;
    nd_sqlite_blob(db, statement, 16, row_r->key_id, ND_KEY_ID_BYTES);
}

static void make_row(struct nd_sqlite *db, const struct nd_scope *scope,
                     struct nd_sqlite_scope *row_r)
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_SCOPE_MAKE);
    nd_sqlite_bind_text(statement, 1, scope->rule);
    nd_sqlite_bind_text(statement, 2, scope->settings);
    nd_sqlite_run(db, statement);
    if (db->failed == ND_OK)
        row_r->id = sqlite3_last_insert_rowid(db->handle);
}

void nd_sqlite_scope_load(struct nd_sqlite *db, const struct nd_scope *scope,
                          bool make, struct nd_sqlite_scope *row_r)
{
    memset(row_r, 0, sizeof(*row_r));
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_SCOPE_LOAD);
    nd_sqlite_bind_text(statement, 1, scope->rule);
    nd_sqlite_bind_text(statement, 2, scope->settings);
    if (nd_sqlite_row(db, statement))
        read_row(db, statement, row_r);
    else if (make)
        make_row(db, scope, row_r);
}

void nd_sqlite_scope_save(struct nd_sqlite *db,
                          const struct nd_sqlite_scope *row)
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_SCOPE_SAVE);
    (void)sqlite3_bind_int64(statement, 1, row->id);
    nd_sqlite_bind_u64(statement, 2, row->sequence);
    nd_sqlite_bind_u64(statement, 3, row->attempted);
    (void)sqlite3_bind_int64(statement, 4, row->attempt_ms);
    (void)sqlite3_bind_int64(statement, 5, row->failures);
    nd_sqlite_bind_u64(statement, 6, row->token);
    nd_sqlite_bind_u64(statement, 7, row->lease.token);
    nd_sqlite_bind_blob(statement, 8, row->lease.nonce, ND_NONCE_BYTES);
    nd_sqlite_bind_text(statement, 9, row->lease.holder);
    (void)sqlite3_bind_int64(statement, 10, row->lease.since_ms);
    (void)sqlite3_bind_int64(statement, 11, row->lease.until_ms);
    (void)sqlite3_bind_int64(statement, 12, row->lease_length_ms);
    nd_sqlite_bind_u64(statement, 13, row->progress);
    nd_sqlite_bind_u64(statement, 14, row->live);
    nd_sqlite_bind_u64(statement, 15, row->revision);
    (void)sqlite3_bind_int(statement, 16, row->pinned);
    nd_sqlite_bind_blob(statement, 17, row->key_id, ND_KEY_ID_BYTES);
    nd_sqlite_run(db, statement);
}

void nd_sqlite_tally_load(struct nd_sqlite *db, struct nd_sqlite_scope *row)
{
    memset(row->tally, 0, sizeof(row->tally));
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_TALLY_LOAD);
    (void)sqlite3_bind_int64(statement, 1, row->id);
    while (nd_sqlite_row(db, statement)) {
        int64_t kind = sqlite3_column_int64(statement, 0);
        if (kind >= 0 && kind < ND_TALLY_COUNT)
            row->tally[kind] = sqlite3_column_int64(statement, 1);
    }
    memcpy(row->tally_before, row->tally, sizeof(row->tally));
}

void nd_sqlite_tally_save(struct nd_sqlite *db,
                          const struct nd_sqlite_scope *row)
{
    for (int kind = 0; kind < ND_TALLY_COUNT; kind++) {
        int64_t change = row->tally[kind] - row->tally_before[kind];
        if (change == 0)
            continue;
        sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_TALLY_ADD);
        (void)sqlite3_bind_int64(statement, 1, row->id);
        (void)sqlite3_bind_int(statement, 2, kind);
        (void)sqlite3_bind_int64(statement, 3, change);
        nd_sqlite_run(db, statement);
    }
}

void nd_sqlite_counts(const struct nd_sqlite_scope *row, uint64_t count_r[2],
                      uint64_t sources_r[2][ND_SOURCE_COUNT])
{
    for (int label = 0; label < 2; label++) {
        count_r[label] = 0;
        for (int source = 0; source < ND_SOURCE_COUNT; source++) {
            int kind = ND_TALLY_PRESENT + label * ND_SOURCE_COUNT + source;
            uint64_t present = (uint64_t)row->tally[kind];
            count_r[label] += present;
            if (sources_r != NULL)
                sources_r[label][source] = present;
        }
    }
}
