/* SPDX-License-Identifier: Apache-2.0
 *
 * A queue in an SQLite file. A row is deleted only after the store has
 * answered for it, so a crash or a lost answer leads to a repeat, which the
 * store recognises; nothing is ever lost in between. It decides nothing about
 * samples, reads no payload, and knows no store: handing over is the owner's.
 */
#include "store/spool.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/check.h"

#define DEFAULT_BYTES (UINT64_C(64) << 20)
#define DEFAULT_AGE_MS (INT64_C(7) * 24 * 60 * 60 * 1000)
#define ROW_BYTES 160             /* what a record takes besides its payload */
#define PEEK_BYTES (1U << 20)     /* of payload at once */
#define APPLICATION_ID 0x4e447370 /* "NDsp" */
#define VERSION 1
#define BUSY_MS 5000

struct nd_spool {
    sqlite3 *handle;
    char *path;
    uint64_t most_bytes;
    int64_t most_age_ms;
};

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS waiting("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, spooled_ms INTEGER NOT NULL,"
    " rule TEXT NOT NULL, settings TEXT NOT NULL, kind INTEGER NOT NULL,"
    " identity BLOB NOT NULL, label INTEGER NOT NULL,"
    " source INTEGER NOT NULL, label_ms INTEGER NOT NULL,"
    " time_ms INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;"
    "CREATE INDEX IF NOT EXISTS by_scope ON waiting(rule, settings, id);"
    "CREATE TABLE IF NOT EXISTS tally("
    " one INTEGER PRIMARY KEY CHECK(one = 1), samples INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL) STRICT;"
    "INSERT OR IGNORE INTO tally VALUES(1, 0, 0);"
    "CREATE TABLE IF NOT EXISTS secret("
    " one INTEGER PRIMARY KEY CHECK(one = 1), key BLOB NOT NULL) STRICT;"
    "PRAGMA application_id = 1313108848;" /* 0x4e447370 */
    "PRAGMA user_version = 1;"
    "COMMIT;";

static enum nd_status fail(struct nd_spool *spool, struct nd_error *error)
{
    enum nd_status status = ND_IO;
    switch (sqlite3_errcode(spool->handle)) {
    case SQLITE_FULL:
        status = ND_FULL;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        status = ND_TEMPORARY;
        break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        status = ND_PERMISSION;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        status = ND_DATA;
        break;
    default:
        break;
    }
    return nd_fail(error, status, "spool %s: %s", spool->path,
                   sqlite3_errmsg(spool->handle));
}

static enum nd_status run(struct nd_spool *spool, const char *sql,
                          struct nd_error *error)
{
    if (sqlite3_exec(spool->handle, sql, NULL, NULL, NULL) == SQLITE_OK)
        return ND_OK;
    enum nd_status status = fail(spool, error);
    if (sqlite3_get_autocommit(spool->handle) == 0)
        (void)sqlite3_exec(spool->handle, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static enum nd_status prepare(struct nd_spool *spool, const char *sql,
                              struct nd_error *error, sqlite3_stmt **query_r)
{
    if (sqlite3_prepare_v2(spool->handle, sql, -1, query_r, NULL) == SQLITE_OK)
        return ND_OK;
    return fail(spool, error);
}

static enum nd_status ask_number(struct nd_spool *spool, const char *sql,
                                 struct nd_error *error, int64_t *number_r)
{
    sqlite3_stmt *query;
    enum nd_status status = prepare(spool, sql, error, &query);
    if (status != ND_OK)
        return status;
    if (sqlite3_step(query) == SQLITE_ROW)
        *number_r = sqlite3_column_int64(query, 0);
    else
        status = fail(spool, error);
    (void)sqlite3_finalize(query);
    return status;
}

/* ---- opening ---- */

static enum nd_status check_file(struct nd_spool *spool, struct nd_error *error)
{
    int64_t application = 0, version = 0;
    enum nd_status status =
        ask_number(spool, "PRAGMA application_id", error, &application);
    if (status == ND_OK)
        status = ask_number(spool, "PRAGMA user_version", error, &version);
    if (status != ND_OK)
        return status;
    if (application == APPLICATION_ID && version > VERSION)
        return nd_fail(error, ND_VERSION, "spool %s: made by a later neurald",
                       spool->path);
    if (application == APPLICATION_ID)
        return ND_OK;
    int64_t tables = 0;
    status =
        ask_number(spool, "SELECT count(*) FROM sqlite_schema", error, &tables);
    if (status == ND_OK && (application != 0 || tables != 0))
        status = nd_fail(error, ND_DATA, "%s is not a spool", spool->path);
    return status;
}

/* The file is made by us, so that nobody else can read it. */
static enum nd_status make_file(const char *path, struct nd_error *error)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return nd_fail_errno(error, "spool %s", path);
    (void)close(file);
    return ND_OK;
}

static enum nd_status set_up(struct nd_spool *spool, struct nd_error *error)
{
    enum nd_status status = make_file(spool->path, error);
    if (status != ND_OK)
        return status;
    if (sqlite3_open_v2(spool->path, &spool->handle, SQLITE_OPEN_READWRITE,
                        NULL) != SQLITE_OK)
        return fail(spool, error);
    (void)sqlite3_busy_timeout(spool->handle, BUSY_MS);
    status = check_file(spool, error);
    if (status == ND_OK)
        status =
            run(spool, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
                error);
    if (status == ND_OK)
        status = run(spool, schema, error);
    return status;
}

enum nd_status nd_spool_open(const char *path,
                             const struct nd_spool_options *options,
                             struct nd_error *error, struct nd_spool **spool_r)
{
    static const struct nd_spool_options none;
    if (options == NULL)
        options = &none;
    struct nd_spool *spool = nd_calloc(1, sizeof(*spool));
    spool->path = nd_strdup(path);
    spool->most_bytes =
        options->most_bytes > 0 ? options->most_bytes : DEFAULT_BYTES;
    spool->most_age_ms =
        options->most_age_ms > 0 ? options->most_age_ms : DEFAULT_AGE_MS;
    enum nd_status status = set_up(spool, error);
    if (status == ND_OK)
        *spool_r = spool;
    else
        nd_spool_close(&spool);
    return status;
}

void nd_spool_close(struct nd_spool **spool)
{
    if (spool == NULL || *spool == NULL)
        return;
    (void)sqlite3_close((*spool)->handle);
    free((*spool)->path);
    free(*spool);
    *spool = NULL;
}

/* ---- transactions ---- */

static enum nd_status begin(struct nd_spool *spool, struct nd_error *error)
{
    return run(spool, "BEGIN IMMEDIATE", error);
}

static enum nd_status end(struct nd_spool *spool, enum nd_status status,
                          struct nd_error *error)
{
    if (status == ND_OK)
        return run(spool, "COMMIT", error);
    (void)sqlite3_exec(spool->handle, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* Runs query to its end and frees it. */
static enum nd_status finish(struct nd_spool *spool, sqlite3_stmt *query,
                             struct nd_error *error)
{
    enum nd_status status =
        sqlite3_step(query) == SQLITE_DONE ? ND_OK : fail(spool, error);
    (void)sqlite3_finalize(query);
    return status;
}

static enum nd_status tally(struct nd_spool *spool, int64_t samples,
                            int64_t bytes, struct nd_error *error)
{
    sqlite3_stmt *query;
    enum nd_status status = prepare(
        spool, "UPDATE tally SET samples = samples + ?1, bytes = bytes + ?2",
        error, &query);
    if (status != ND_OK)
        return status;
    (void)sqlite3_bind_int64(query, 1, samples);
    (void)sqlite3_bind_int64(query, 2, bytes);
    return finish(spool, query, error);
}

enum nd_status nd_spool_counts(struct nd_spool *spool, struct nd_error *error,
                               struct nd_spool_counts *counts_r)
{
    sqlite3_stmt *query;
    enum nd_status status =
        prepare(spool, "SELECT samples, bytes FROM tally", error, &query);
    if (status != ND_OK)
        return status;
    if (sqlite3_step(query) == SQLITE_ROW) {
        counts_r->samples = (uint64_t)sqlite3_column_int64(query, 0);
        counts_r->bytes = (uint64_t)sqlite3_column_int64(query, 1);
    } else {
        status = fail(spool, error);
    }
    (void)sqlite3_finalize(query);
    return status;
}

/* ---- taking ---- */

static void bind_blob(sqlite3_stmt *query, int place, const void *data,
                      size_t length)
{
    /* a NULL pointer would bind NULL, also with length 0 */
    (void)sqlite3_bind_blob64(query, place, length > 0 ? data : "", length,
                              SQLITE_STATIC);
}

/* What the store would never take must not block the queue. */
static enum nd_status check(const struct nd_spool_record *record,
                            struct nd_error *error)
{
    enum nd_status status = nd_check_scope(&record->scope, error);
    if (status == ND_OK)
        status = nd_check_label(record->label, record->source, error);
    if (status == ND_OK && (unsigned)record->kind > ND_SPOOL_RELABEL)
        status = nd_fail(error, ND_USAGE, "no such kind of record: %u",
                         (unsigned)record->kind);
    if (status == ND_OK && record->payload_length > ND_SPOOL_MOST_PAYLOAD)
        status = nd_fail(error, ND_LIMIT,
                         "a lesson of %zu bytes: at most %u are spooled",
                         record->payload_length, ND_SPOOL_MOST_PAYLOAD);
    return status;
}

static enum nd_status insert(struct nd_spool *spool, sqlite3_stmt *query,
                             const struct nd_spool_record *record,
                             struct nd_error *error)
{
    (void)sqlite3_bind_int64(query, 1, nd_clock_wall_ms());
    (void)sqlite3_bind_text(query, 2, record->scope.rule, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(query, 3, record->scope.settings, -1,
                            SQLITE_STATIC);
    (void)sqlite3_bind_int(query, 4, (int)record->kind);
    bind_blob(query, 5, record->identity, ND_IDENTITY_BYTES);
    (void)sqlite3_bind_int(query, 6, (int)record->label);
    (void)sqlite3_bind_int(query, 7, (int)record->source);
    (void)sqlite3_bind_int64(query, 8, record->label_ms);
    (void)sqlite3_bind_int64(query, 9, record->time_ms);
    bind_blob(query, 10, record->payload, record->payload_length);
    enum nd_status status =
        sqlite3_step(query) == SQLITE_DONE ? ND_OK : fail(spool, error);
    (void)sqlite3_reset(query);
    return status;
}

static enum nd_status insert_all(struct nd_spool *spool,
                                 const struct nd_spool_record *records,
                                 size_t count, struct nd_error *error)
{
    sqlite3_stmt *query;
    enum nd_status status =
        prepare(spool,
                "INSERT INTO waiting(spooled_ms, rule, settings, kind,"
                " identity, label, source, label_ms, time_ms, payload)"
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                error, &query);
    if (status != ND_OK)
        return status;
    for (size_t i = 0; status == ND_OK && i < count; i++)
        status = insert(spool, query, &records[i], error);
    (void)sqlite3_finalize(query);
    return status;
}

/* Within the transaction, so that two processes do not both find room. */
static enum nd_status take_room(struct nd_spool *spool,
                                const struct nd_spool_record *records,
                                size_t count, struct nd_error *error)
{
    struct nd_spool_counts counts;
    uint64_t bytes = 0;
    enum nd_status status = nd_spool_counts(spool, error, &counts);
    if (status != ND_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        bytes += ROW_BYTES + records[i].payload_length;
    if (counts.bytes + bytes > spool->most_bytes)
        return nd_fail(error, ND_FULL,
                       "spool %s: %llu samples wait for the store, no more "
                       "fit",
                       spool->path, (unsigned long long)counts.samples);
    return tally(spool, (int64_t)count, (int64_t)bytes, error);
}

enum nd_status nd_spool_add(struct nd_spool *spool,
                            const struct nd_spool_record *records, size_t count,
                            struct nd_error *error)
{
    enum nd_status status = ND_OK;
    for (size_t i = 0; status == ND_OK && i < count; i++)
        status = check(&records[i], error);
    if (status == ND_OK)
        status = begin(spool, error);
    if (status != ND_OK)
        return status;
    status = take_room(spool, records, count, error);
    if (status == ND_OK)
        status = insert_all(spool, records, count, error);
    return end(spool, status, error);
}

/* ---- handing over ---- */

static const char *read_text(sqlite3_stmt *query, int column,
                             struct nd_arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(query, column);
    return nd_arena_strndup(arena, text != NULL ? text : "",
                            text != NULL ? strlen(text) : 0);
}

/* False for a row that we did not write. */
static bool read_record(const struct nd_spool *spool, sqlite3_stmt *query,
                        struct nd_arena *arena,
                        struct nd_spool_record *record_r)
{
    int kind = sqlite3_column_int(query, 4);
    int label = sqlite3_column_int(query, 6);
    int source = sqlite3_column_int(query, 7);
    const void *identity = sqlite3_column_blob(query, 5);
    const void *payload = sqlite3_column_blob(query, 10);
    struct nd_spool_record record = {
        .kind = (enum nd_spool_kind)kind,
        .scope = {read_text(query, 2, arena), read_text(query, 3, arena)},
        .label = (enum nd_class)label,
        .source = (enum nd_source)source,
        .label_ms = sqlite3_column_int64(query, 8),
        .time_ms = sqlite3_column_int64(query, 9),
        .payload_length = (size_t)sqlite3_column_bytes(query, 10),
        .id = sqlite3_column_int64(query, 0),
        .late = nd_clock_wall_ms() - sqlite3_column_int64(query, 1) >
                spool->most_age_ms,
    };
    if (identity == NULL ||
        sqlite3_column_bytes(query, 5) != ND_IDENTITY_BYTES ||
        check(&record, NULL) != ND_OK)
        return false;
    memcpy(record.identity, identity, ND_IDENTITY_BYTES);
    record.payload = nd_arena_strndup(arena, payload != NULL ? payload : "",
                                      record.payload_length);
    *record_r = record;
    return true;
}

static enum nd_status select_rows(struct nd_spool *spool,
                                  const struct nd_scope *scope, size_t limit,
                                  struct nd_error *error,
                                  sqlite3_stmt **query_r)
{
    enum nd_status status =
        scope != NULL
            ? prepare(spool,
                      "SELECT * FROM waiting WHERE rule = ?1 AND settings = ?2 "
                      "ORDER BY id LIMIT ?3",
                      error, query_r)
            : prepare(spool, "SELECT * FROM waiting ORDER BY id LIMIT ?3",
                      error, query_r);
    if (status != ND_OK)
        return status;
    (void)sqlite3_bind_int64(*query_r, 3, (int64_t)limit);
    if (scope != NULL) {
        (void)sqlite3_bind_text(*query_r, 1, scope->rule, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(*query_r, 2, scope->settings, -1,
                                SQLITE_STATIC);
    }
    return ND_OK;
}

enum nd_status nd_spool_peek(struct nd_spool *spool,
                             const struct nd_scope *scope, size_t limit,
                             struct nd_arena *arena, struct nd_error *error,
                             const struct nd_spool_record **records_r,
                             size_t *count_r)
{
    sqlite3_stmt *query;
    enum nd_status status = select_rows(spool, scope, limit, error, &query);
    if (status != ND_OK)
        return status;
    struct nd_spool_record *records =
        nd_arena_take(arena, limit * sizeof(*records));
    size_t count = 0, bytes = 0;
    int code = SQLITE_DONE;
    while (status == ND_OK && count < limit && bytes < PEEK_BYTES &&
           (code = sqlite3_step(query)) == SQLITE_ROW) {
        struct nd_spool_record *record = &records[count];
        if (!read_record(spool, query, arena, record))
            status = nd_fail(error, ND_DATA, "spool %s: a record is damaged",
                             spool->path);
        else if (scope == NULL && !record->late)
            break; /* those behind it came later */
        else
            bytes += records[count++].payload_length;
    }
    if (status == ND_OK && code != SQLITE_DONE && code != SQLITE_ROW)
        status = fail(spool, error);
    (void)sqlite3_finalize(query);
    if (status == ND_OK) {
        *records_r = records;
        *count_r = count;
    }
    return status;
}

static enum nd_status delete_all(struct nd_spool *spool,
                                 const struct nd_spool_record *records,
                                 size_t count, struct nd_error *error)
{
    sqlite3_stmt *query;
    int64_t samples = 0, bytes = 0;
    enum nd_status status =
        prepare(spool, "DELETE FROM waiting WHERE id = ?1", error, &query);
    if (status != ND_OK)
        return status;
    for (size_t i = 0; status == ND_OK && i < count; i++) {
        (void)sqlite3_bind_int64(query, 1, records[i].id);
        if (sqlite3_step(query) != SQLITE_DONE) {
            status = fail(spool, error);
        } else if (sqlite3_changes(spool->handle) > 0) {
            samples++;
            bytes += (int64_t)(ROW_BYTES + records[i].payload_length);
        }
        (void)sqlite3_reset(query);
    }
    (void)sqlite3_finalize(query);
    return status == ND_OK ? tally(spool, -samples, -bytes, error) : status;
}

enum nd_status nd_spool_remove(struct nd_spool *spool,
                               const struct nd_spool_record *records,
                               size_t count, struct nd_error *error)
{
    enum nd_status status = begin(spool, error);
    if (status != ND_OK)
        return status;
    return end(spool, delete_all(spool, records, count, error), error);
}

/* ---- the key ---- */

enum nd_status nd_spool_key(struct nd_spool *spool, struct nd_error *error,
                            struct nd_key *key_r)
{
    sqlite3_stmt *query;
    enum nd_status status =
        prepare(spool, "SELECT key FROM secret", error, &query);
    if (status != ND_OK)
        return status;
    if (sqlite3_step(query) == SQLITE_ROW &&
        sqlite3_column_bytes(query, 0) == ND_KEY_BYTES)
        nd_key_from_secret(sqlite3_column_blob(query, 0), key_r);
    else
        status = nd_fail(error, ND_NO_INPUT, "spool %s: no key was kept",
                         spool->path);
    (void)sqlite3_finalize(query);
    return status;
}

enum nd_status nd_spool_keep_key(struct nd_spool *spool,
                                 const struct nd_key *key,
                                 struct nd_error *error)
{
    sqlite3_stmt *query;
    enum nd_status status = prepare(
        spool, "INSERT OR REPLACE INTO secret VALUES(1, ?1)", error, &query);
    if (status != ND_OK)
        return status;
    bind_blob(query, 1, key->secret, ND_KEY_BYTES);
    return finish(spool, query, error);
}
