/* SPDX-License-Identifier: Apache-2.0
 *
 * The machinery under the SQLite backend: transactions, prepared statements,
 * values, and SQLite's error codes in words. The first failure of a
 * transaction is kept and everything after it is skipped, so that the
 * operations above need no error path of their own. No table is named here.
 */
#include "store/sqlite_core.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

static const char *const statement_texts[ND_SQL_COUNT] = {
#define STATEMENT_TEXT(name, text) [ND_SQL_##name] = (text),
    ND_SQL_MAP(STATEMENT_TEXT)
#undef STATEMENT_TEXT
};

int64_t nd_sqlite_clock(const struct nd_sqlite *db)
{
    if (db->options.clock_ms != NULL)
        return db->options.clock_ms(db->options.clock_context);
    return nd_clock_wall_ms();
}

/* ---- failures ---- */

static enum nd_status explain_full(struct nd_sqlite *db, struct nd_error *error)
{
    return nd_fail(error, ND_FULL,
                   "%s: no room left for the store: free space on its disk or "
                   "raise its limit; what was stored before stays, and reading "
                   "still works",
                   db->path);
}

static enum nd_status explain_readonly(struct nd_sqlite *db,
                                       struct nd_error *error)
{
    if (db->read_only)
        return nd_fail(error, ND_PERMISSION,
                       "%s: the store was opened for reading only", db->path);
    return nd_fail(error, ND_PERMISSION,
                   "%s: the store cannot be written: make the file and its "
                   "folder writable for this user",
                   db->path);
}

static enum nd_status explain_io(struct nd_sqlite *db, struct nd_error *error)
{
    int number = sqlite3_system_errno(db->handle);
    if (number == ENOSPC || number == EDQUOT)
        return explain_full(db, error);
    if (number == EACCES || number == EPERM || number == EROFS)
        return explain_readonly(db, error);
    return nd_fail(error, ND_IO, "%s: the store's disk failed: %s%s%s",
                   db->path, sqlite3_errmsg(db->handle),
                   number == 0 ? "" : ": ",
                   number == 0 ? "" : strerror(number));
}

static enum nd_status explain_damage(struct nd_sqlite *db, const char *what,
                                     struct nd_error *error)
{
    return nd_fail(error, ND_DATA,
                   "%s: the store is damaged (%s): restore it from a backup, "
                   "or move it away and learn again",
                   db->path, what);
}

enum nd_status nd_sqlite_explain(struct nd_sqlite *db, int code,
                                 struct nd_error *error)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return nd_fail(error, ND_UNAVAILABLE,
                       "%s: another process held the store for more than "
                       "%lld ms: try again",
                       db->path, (long long)db->timeout_ms);
    case SQLITE_INTERRUPT:
        return nd_fail(error, ND_UNAVAILABLE,
                       "%s: the store is not waited for any longer", db->path);
    case SQLITE_FULL:
        return explain_full(db, error);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return explain_readonly(db, error);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return explain_io(db, error);
    case SQLITE_NOTADB:
        return nd_fail(error, ND_DATA,
                       "%s: not a neurald store: name another file, or move "
                       "this one away",
                       db->path);
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:      /* our words are right, so the tables are not */
    case SQLITE_CONSTRAINT: /* what is there contradicts itself */
    case SQLITE_MISMATCH:
        return explain_damage(db, sqlite3_errmsg(db->handle), error);
    case SQLITE_TOOBIG:
        return nd_fail(error, ND_LIMIT, "%s: a value is too large to store",
                       db->path);
    default:
        return nd_fail(error, ND_INTERNAL, "%s: SQLite: %s (code %d)", db->path,
                       sqlite3_errmsg(db->handle), code);
    }
}

void nd_sqlite_failed(struct nd_sqlite *db, int code)
{
    if (db->failed == ND_OK)
        db->failed = nd_sqlite_explain(db, code, &db->failure);
}

void nd_sqlite_damaged(struct nd_sqlite *db, const char *what)
{
    if (db->failed == ND_OK)
        db->failed = explain_damage(db, what, &db->failure);
}

/* ---- statements ---- */

sqlite3_stmt *nd_sqlite_statement(struct nd_sqlite *db, enum nd_sql which)
{
    if (db->failed != ND_OK)
        return NULL;
    sqlite3_stmt **statement = &db->statements[which];
    if (*statement != NULL) {
        (void)sqlite3_reset(*statement);
        (void)sqlite3_clear_bindings(*statement);
        return *statement;
    }
    int code = sqlite3_prepare_v3(db->handle, statement_texts[which], -1,
                                  SQLITE_PREPARE_PERSISTENT, statement, NULL);
    if (code != SQLITE_OK)
        nd_sqlite_failed(db, code);
    return *statement;
}

bool nd_sqlite_row(struct nd_sqlite *db, sqlite3_stmt *statement)
{
    if (db->failed != ND_OK)
        return false;
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        nd_sqlite_failed(db, code);
    (void)sqlite3_reset(statement);
    return false;
}

void nd_sqlite_run(struct nd_sqlite *db, sqlite3_stmt *statement)
{
    while (nd_sqlite_row(db, statement))
        ;
}

/* ---- transactions ---- */

/* A later neurald may have brought the file up to its own version while this
 * process had it open. */
static void check_version(struct nd_sqlite *db)
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_USER_VERSION);
    if (!nd_sqlite_row(db, statement))
        return;
    int64_t version = sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement);
    if (version > ND_STORE_VERSION)
        db->failed = nd_fail(
            &db->failure, ND_VERSION,
            "%s: the store has become version %lld, this neurald knows %d: "
            "start the later neurald",
            db->path, (long long)version, ND_STORE_VERSION);
}

/* What is written to a file that has lost its name is lost with the process,
 * and was acknowledged. */
static void check_place(struct nd_sqlite *db)
{
    int moved = 0;
    (void)sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED,
                               &moved);
    if (moved != 0)
        db->failed = nd_fail(&db->failure, ND_UNAVAILABLE,
                             "%s: the store was moved, removed or replaced "
                             "while it was open: put it back, or start "
                             "neurald anew to use what is there now",
                             db->path);
}

void nd_sqlite_begin(struct nd_sqlite *db, bool write)
{
    db->failed = ND_OK;
    if (!db->immutable) /* else a newer file is taken up below */
        check_place(db);
    if (db->failed == ND_OK && write && db->read_only) {
        nd_sqlite_failed(db, SQLITE_READONLY);
        return;
    }
    if (db->immutable && write)
        nd_sqlite_regain(db);
    else if (db->immutable)
        nd_sqlite_refresh(db);
    nd_sqlite_run(db, nd_sqlite_statement(db, write ? ND_SQL_BEGIN_WRITE
                                                    : ND_SQL_BEGIN_READ));
    db->in_transaction = db->failed == ND_OK;
    check_version(db);
}

static void reset_statements(struct nd_sqlite *db)
{
    for (size_t i = 0; i < ND_SQL_COUNT; i++)
        (void)sqlite3_reset(db->statements[i]);
}

/* A commit that failed for want of room or of the lock has not happened. One
 * that failed in mid-writing may survive a restart: nobody knows. */
static enum nd_status commit_failure(struct nd_sqlite *db,
                                     struct nd_error *error)
{
    if (db->failed == ND_IO)
        return nd_fail(error, ND_UNCERTAIN,
                       "%s: the disk failed while the store was written: "
                       "repeat the operation to know",
                       db->path);
    if (error != NULL)
        *error = db->failure;
    return db->failed;
}

enum nd_status nd_sqlite_end(struct nd_sqlite *db, enum nd_status outcome,
                             struct nd_error *error)
{
    reset_statements(db);
    enum nd_status status = outcome;
    if (db->failed != ND_OK) {
        status = db->failed;
        if (error != NULL)
            *error = db->failure;
    } else {
        nd_sqlite_run(db, nd_sqlite_statement(db, ND_SQL_COMMIT));
        if (db->failed != ND_OK)
            status = commit_failure(db, error);
    }
    if (db->failed != ND_OK && db->in_transaction &&
        sqlite3_get_autocommit(db->handle) == 0)
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    db->in_transaction = false;
    return status;
}

/* ---- values ---- */

void nd_sqlite_bind_blob(sqlite3_stmt *statement, int index, const void *data,
                         size_t length)
{
    /* a NULL pointer would bind NULL, not the empty blob */
    (void)sqlite3_bind_blob64(statement, index, length == 0 ? "" : data,
                              (sqlite3_uint64)length, SQLITE_STATIC);
}

void nd_sqlite_bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    (void)sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

void nd_sqlite_bind_u64(sqlite3_stmt *statement, int index, uint64_t value)
{
    (void)sqlite3_bind_int64(statement, index, (sqlite3_int64)value);
}

uint64_t nd_sqlite_u64(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

void nd_sqlite_blob(struct nd_sqlite *db, sqlite3_stmt *statement, int column,
                    void *data_r, size_t length)
{
    const void *data = sqlite3_column_blob(statement, column);
    if (data != NULL &&
        (size_t)sqlite3_column_bytes(statement, column) == length) {
        memcpy(data_r, data, length);
        return;
    }
    memset(data_r, 0, length);
    nd_sqlite_damaged(db, "a field of the wrong length");
}

void nd_sqlite_text(sqlite3_stmt *statement, int column, char *text_r,
                    size_t size)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    size_t length = text == NULL ? 0 : strlen(text);
    if (length >= size)
        length = size - 1;
    memcpy(text_r, text == NULL ? "" : text, length);
    text_r[length] = '\0';
}
