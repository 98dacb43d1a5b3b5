/* SPDX-License-Identifier: Apache-2.0
 *
 * What trainings leave in the SQLite file: the journal, and the state that the
 * next one starts from. How each grant ended stands in the journal under its
 * token, which is how a repeated call is recognised after a lost answer.
 */
#include <string.h>

#include "store/sqlite_training.h"

/* Entries of the journal kept for a scope, and thereby how many grants back a
 * repeat is recognised. */
#define JOURNAL_KEPT 1000

void nd_sqlite_journal_add(struct nd_sqlite *db,
                           const struct nd_sqlite_scope *row,
                           const struct nd_sqlite_ending *ending,
                           const struct nd_journal_entry *entry)
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_JOURNAL_ADD);
    (void)sqlite3_bind_int64(statement, 1, row->id);
    (void)sqlite3_bind_int64(statement, 2, nd_sqlite_clock(db));
    nd_sqlite_bind_u64(statement, 3, ending->token);
    (void)sqlite3_bind_int(statement, 4, (int)ending->kind);
    (void)sqlite3_bind_int(statement, 5, (int)entry->decision);
    nd_sqlite_bind_text(statement, 6, entry->holder);
    nd_sqlite_bind_text(statement, 7, entry->reason);
    nd_sqlite_bind_text(statement, 8, entry->figures);
    nd_sqlite_bind_blob(statement, 9, ending->digest, ND_DIGEST_BYTES);
    nd_sqlite_run(db, statement);
    statement = nd_sqlite_statement(db, ND_SQL_JOURNAL_CUT);
    (void)sqlite3_bind_int64(statement, 1, row->id);
    (void)sqlite3_bind_int(statement, 2, JOURNAL_KEPT);
    nd_sqlite_run(db, statement);
}

void nd_sqlite_ending_find(struct nd_sqlite *db, int64_t scope, uint64_t token,
                           struct nd_sqlite_ending *ending_r)
{
    memset(ending_r, 0, sizeof(*ending_r));
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_JOURNAL_ENDING);
    (void)sqlite3_bind_int64(statement, 1, scope);
    nd_sqlite_bind_u64(statement, 2, token);
    if (!nd_sqlite_row(db, statement))
        return;
    ending_r->token = token;
    ending_r->kind = (enum nd_ending)sqlite3_column_int(statement, 0);
    nd_sqlite_blob(db, statement, 1, ending_r->digest, ND_DIGEST_BYTES);
    (void)sqlite3_reset(statement);
}

void nd_sqlite_attempt_end(struct nd_sqlite *db, struct nd_sqlite_scope *row,
                           bool promoted, uint64_t watermark)
{
    row->failures = promoted ? 0 : row->failures + 1;
    row->attempt_ms = nd_sqlite_clock(db);
    if (watermark > row->sequence)
        watermark = row->sequence;
    if (watermark > row->attempted)
        row->attempted = watermark;
    memset(&row->lease, 0, sizeof(row->lease));
}

enum nd_status nd_sqlite_training_finish(struct nd_store *store,
                                         const struct nd_scope *scope,
                                         const struct nd_lease *lease,
                                         const struct nd_finish *finish,
                                         struct nd_error *error)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    struct nd_sqlite_ending ending;
    nd_sqlite_begin(db, true);
    nd_sqlite_scope_load(db, scope, false, &row);
    nd_sqlite_ending_find(db, row.id, lease->token, &ending);
    enum nd_status outcome = ND_OK;
    if (ending.kind == ND_ENDING_NONE &&
        nd_rules_lease_held(&row.lease, lease)) {
        ending.kind = ND_ENDING_FINISHED;
        ending.token = lease->token;
        nd_sqlite_tally_load(db, &row);
        struct nd_sqlite_used used = {finish->consumed, finish->consumed_count,
                                      lease->token};
        nd_sqlite_consume(db, &row, &used);
        nd_sqlite_journal_add(db, &row, &ending, finish->entry);
        nd_sqlite_attempt_end(db, &row, false, finish->watermark);
        nd_sqlite_tally_save(db, &row);
        nd_sqlite_scope_save(db, &row);
    } else if (ending.kind != ND_ENDING_FINISHED) {
        outcome = nd_fail(error, ND_LOST,
                          "the lease of %s/%s is no longer ours: the training "
                          "was not recorded",
                          scope->rule, scope->settings);
    }
    return nd_sqlite_end(db, outcome, error);
}

enum nd_status nd_sqlite_training_state(struct nd_store *store,
                                        const struct nd_scope *scope,
                                        struct nd_error *error,
                                        struct nd_training_state *state_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    struct nd_training_state state = {0};
    nd_sqlite_begin(db, false);
    nd_sqlite_scope_load(db, scope, false, &row);
    nd_sqlite_tally_load(db, &row);
    state.changes = row.sequence - row.attempted;
    state.last_ms = row.attempt_ms;
    state.failures = row.failures;
    nd_sqlite_counts(&row, state.count, state.sources);
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK)
        *state_r = state;
    return status;
}

/* ---- the journal ---- */

static const char *copy_text(sqlite3_stmt *statement, int column,
                             struct nd_arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    if (text == NULL)
        text = "";
    return nd_arena_strndup(arena, text, strlen(text));
}

static void read_entry(sqlite3_stmt *statement, struct nd_arena *arena,
                       struct nd_journal_entry *entry_r)
{
    entry_r->time_ms = sqlite3_column_int64(statement, 0);
    entry_r->token = nd_sqlite_u64(statement, 1);
    entry_r->decision =
        (enum nd_decision)(sqlite3_column_int(statement, 2) & 3);
    entry_r->holder = copy_text(statement, 3, arena);
    entry_r->reason = copy_text(statement, 4, arena);
    entry_r->figures = copy_text(statement, 5, arena);
}

enum nd_status nd_sqlite_journal(struct nd_store *store,
                                 const struct nd_scope *scope, size_t limit,
                                 struct nd_arena *arena, struct nd_error *error,
                                 const struct nd_journal_entry **entries_r,
                                 size_t *count_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    size_t most = limit < JOURNAL_KEPT ? limit : JOURNAL_KEPT;
    struct nd_journal_entry *entries =
        nd_arena_take(arena, (most + 1) * sizeof(*entries));
    size_t count = 0;
    nd_sqlite_begin(db, false);
    nd_sqlite_scope_load(db, scope, false, &row);
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_JOURNAL_LIST);
    (void)sqlite3_bind_int64(statement, 1, row.id);
    nd_sqlite_bind_u64(statement, 2, most);
    while (count < most && nd_sqlite_row(db, statement))
        read_entry(statement, arena, &entries[count++]);
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK) {
        *entries_r = entries;
        *count_r = count;
    }
    return status;
}
