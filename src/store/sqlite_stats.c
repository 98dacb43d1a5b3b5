/* SPDX-License-Identifier: Apache-2.0
 *
 * What people look at in the SQLite file: counts, scopes, and which generation
 * each host has loaded. Counts are kept as samples come and go, so asking for
 * them reads a few rows however many samples there are.
 */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite_core.h"

enum nd_status nd_sqlite_now(struct nd_store *store, struct nd_error *error,
                             int64_t *now_ms_r)
{
    (void)error;
    *now_ms_r = nd_sqlite_clock((struct nd_sqlite *)store);
    return ND_OK;
}

enum nd_status nd_sqlite_count(struct nd_store *store,
                               const struct nd_scope *scope,
                               enum nd_refusal reason, uint64_t add,
                               struct nd_error *error)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    nd_sqlite_begin(db, true);
    nd_sqlite_scope_load(db, scope, true, &row);
    row.tally[ND_TALLY_REFUSED + (int)reason] = (int64_t)add;
    nd_sqlite_tally_save(db, &row);
    return nd_sqlite_end(db, ND_OK, error);
}

static void fill_stats(const struct nd_sqlite_scope *row,
                       struct nd_store_stats *stats)
{
    nd_sqlite_counts(row, stats->count, stats->sources);
    for (int reason = 0; reason < ND_REFUSAL_COUNT; reason++)
        stats->refused[reason] =
            (uint64_t)row->tally[ND_TALLY_REFUSED + reason];
    stats->put_stored = (uint64_t)row->tally[ND_TALLY_STORED];
    stats->put_relabelled = (uint64_t)row->tally[ND_TALLY_RELABELLED];
    stats->put_merged = (uint64_t)row->tally[ND_TALLY_MERGED];
    stats->put_duplicate = (uint64_t)row->tally[ND_TALLY_DUPLICATE];
    stats->replaced = (uint64_t)row->tally[ND_TALLY_REPLACED];
    stats->forgotten = (uint64_t)row->tally[ND_TALLY_FORGOTTEN];
    stats->consumed = (uint64_t)row->tally[ND_TALLY_CONSUMED];
    stats->payload_bytes = (uint64_t)row->tally[ND_TALLY_BYTES];
}

enum nd_status nd_sqlite_stats(struct nd_store *store,
                               const struct nd_scope *scope,
                               struct nd_error *error,
                               struct nd_store_stats *stats_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    struct nd_store_stats stats = {0};
    nd_sqlite_begin(db, false);
    nd_sqlite_scope_load(db, scope, false, &row);
    nd_sqlite_tally_load(db, &row);
    fill_stats(&row, &stats);
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_REGISTRY_END);
    nd_sqlite_bind_text(statement, 1, scope->rule);
    if (nd_sqlite_row(db, statement))
        stats.registry_length = nd_sqlite_u64(statement, 0) + 1;
    statement = nd_sqlite_statement(db, ND_SQL_FILE_BYTES);
    if (nd_sqlite_row(db, statement))
        stats.store_bytes = nd_sqlite_u64(statement, 0);
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK)
        *stats_r = stats;
    return status;
}

/* ---- scopes ---- */

static void append_column(sqlite3_stmt *statement, int column,
                          struct nd_buffer *words)
{
    char name[ND_NAME_BYTES];
    nd_sqlite_text(statement, column, name, sizeof(name));
    nd_buffer_append(words, name, strlen(name) + 1);
}

enum nd_status nd_sqlite_scopes(struct nd_store *store, struct nd_error *error,
                                struct nd_scope **scopes_r, size_t *count_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_buffer words = {0};
    size_t count = 0;
    nd_sqlite_begin(db, false);
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_SCOPE_LIST);
    for (; nd_sqlite_row(db, statement); count++) {
        append_column(statement, 0, &words);
        append_column(statement, 1, &words);
    }
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK) {
        *scopes_r = nd_scopes_pack(&words, count);
        *count_r = count;
    }
    nd_buffer_free(&words);
    return status;
}

/* ---- hosts ---- */

enum nd_status nd_sqlite_host_report(struct nd_store *store,
                                     const struct nd_scope *scope,
                                     const char *host, uint64_t generation,
                                     struct nd_error *error)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    nd_sqlite_begin(db, true);
    nd_sqlite_scope_load(db, scope, true, &row);
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_HOST_REPORT);
    (void)sqlite3_bind_int64(statement, 1, row.id);
    nd_sqlite_bind_text(statement, 2, host);
    nd_sqlite_bind_u64(statement, 3, generation);
    (void)sqlite3_bind_int64(statement, 4, nd_sqlite_clock(db));
    nd_sqlite_run(db, statement);
    return nd_sqlite_end(db, ND_OK, error);
}

enum nd_status nd_sqlite_host_list(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   struct nd_error *error,
                                   struct nd_host_report **hosts_r,
                                   size_t *count_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    struct nd_host_report *hosts = NULL;
    size_t count = 0;
    nd_sqlite_begin(db, false);
    nd_sqlite_scope_load(db, scope, false, &row);
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_HOST_LIST);
    (void)sqlite3_bind_int64(statement, 1, row.id);
    while (nd_sqlite_row(db, statement)) {
        hosts = nd_realloc(hosts, count + 1, sizeof(*hosts));
        struct nd_host_report *report = &hosts[count++];
        nd_sqlite_text(statement, 0, report->host, ND_HOLDER_BYTES);
        report->generation = nd_sqlite_u64(statement, 1);
        report->seen_ms = sqlite3_column_int64(statement, 2);
    }
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK) {
        *hosts_r = hosts;
        *count_r = count;
    } else {
        free(hosts);
    }
    return status;
}
