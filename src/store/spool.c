/* SPDX-License-Identifier: Apache-2.0
 *
 * A queue in an SQLite file. A row is deleted only after the store has
 * answered for it, so a crash or a lost answer leads to a repeat, which the
 * store recognises; nothing is ever lost in between. It decides nothing about
 * samples and reads no payload.
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
#define ROW_BYTES 160             /* what a sample takes besides its payload */
#define APPLICATION_ID 0x4e447370 /* "NDsp" */
#define VERSION 1
#define BUSY_MS 5000
#define ROWS_A_BATCH 256

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
    " rule TEXT NOT NULL, settings TEXT NOT NULL, mode INTEGER NOT NULL,"
    " quota INTEGER NOT NULL, identity BLOB NOT NULL, label INTEGER NOT NULL,"
    " source INTEGER NOT NULL, label_ms INTEGER NOT NULL,"
    " time_ms INTEGER NOT NULL, key_id BLOB NOT NULL,"
    " registry_length INTEGER NOT NULL, registry_digest BLOB NOT NULL,"
    " payload BLOB NOT NULL) STRICT;"
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

/* ---- taking ---- */

enum nd_status nd_spool_counts(struct nd_spool *spool, struct nd_error *error,
                               struct nd_spool_counts *counts_r)
{
    int64_t samples = 0, bytes = 0;
    enum nd_status status =
        ask_number(spool, "SELECT count(*) FROM waiting", error, &samples);
    if (status == ND_OK)
        status = ask_number(
            spool, "SELECT coalesce(sum(length(payload)), 0) FROM waiting",
            error, &bytes);
    if (status == ND_OK) {
        counts_r->samples = (uint64_t)samples;
        counts_r->bytes = (uint64_t)bytes + (uint64_t)samples * ROW_BYTES;
    }
    return status;
}

static enum nd_status check_room(struct nd_spool *spool,
                                 const struct nd_sample_put *samples,
                                 size_t count, struct nd_error *error)
{
    struct nd_spool_counts counts;
    enum nd_status status = nd_spool_counts(spool, error, &counts);
    if (status != ND_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        counts.bytes += ROW_BYTES + samples[i].payload_length;
    if (counts.bytes > spool->most_bytes)
        return nd_fail(error, ND_FULL,
                       "spool %s: %llu samples wait for the store, no more "
                       "fit",
                       spool->path, (unsigned long long)counts.samples);
    return ND_OK;
}

static void bind_blob(sqlite3_stmt *insert, int place, const void *data,
                      size_t length)
{
    /* a NULL pointer would bind NULL, also with length 0 */
    (void)sqlite3_bind_blob64(insert, place, data != NULL ? data : "", length,
                              SQLITE_STATIC);
}

static void bind_sample(sqlite3_stmt *insert,
                        const struct nd_sample_put *sample, int64_t now_ms)
{
    bind_blob(insert, 6, sample->identity, ND_IDENTITY_BYTES);
    (void)sqlite3_bind_int(insert, 7, (int)sample->label);
    (void)sqlite3_bind_int(insert, 8, (int)sample->source);
    (void)sqlite3_bind_int64(insert, 9,
                             sample->label_ms > 0 ? sample->label_ms : now_ms);
    (void)sqlite3_bind_int64(insert, 10,
                             sample->time_ms != 0 ? sample->time_ms : now_ms);
    bind_blob(insert, 11, sample->key_id, ND_KEY_ID_BYTES);
    (void)sqlite3_bind_int64(insert, 12, sample->registry_length);
    bind_blob(insert, 13, sample->registry_digest, ND_DIGEST_BYTES);
    bind_blob(insert, 14, sample->payload, sample->payload_length);
}

static enum nd_status insert_samples(struct nd_spool *spool,
                                     const struct nd_scope *scope,
                                     const struct nd_sample_put *samples,
                                     size_t count, const struct nd_quota *quota,
                                     struct nd_error *error)
{
    sqlite3_stmt *insert;
    enum nd_status status = prepare(
        spool,
        "INSERT INTO waiting(spooled_ms, rule, settings, mode, quota, identity,"
        " label, source, label_ms, time_ms, key_id, registry_length,"
        " registry_digest, payload)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        error, &insert);
    if (status != ND_OK)
        return status;
    int64_t now_ms = nd_clock_wall_ms();
    (void)sqlite3_bind_int64(insert, 1, now_ms);
    (void)sqlite3_bind_text(insert, 2, scope->rule, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(insert, 3, scope->settings, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int(insert, 4, (int)quota->mode);
    (void)sqlite3_bind_int64(insert, 5, (int64_t)(quota->limit & INT64_MAX));
    for (size_t i = 0; status == ND_OK && i < count; i++) {
        bind_sample(insert, &samples[i], now_ms);
        if (sqlite3_step(insert) != SQLITE_DONE)
            status = fail(spool, error);
        (void)sqlite3_reset(insert);
    }
    (void)sqlite3_finalize(insert);
    return status;
}

enum nd_status nd_spool_add(struct nd_spool *spool,
                            const struct nd_scope *scope,
                            const struct nd_sample_put *samples, size_t count,
                            const struct nd_quota *quota,
                            struct nd_error *error)
{
    /* what the store would never take must not block the queue */
    enum nd_status status = nd_check_scope(scope, error);
    if (status == ND_OK)
        status = nd_check_puts(samples, count, quota, error);
    if (status == ND_OK)
        status = run(spool, "BEGIN IMMEDIATE", error);
    if (status != ND_OK)
        return status;
    status = check_room(spool, samples, count, error);
    if (status == ND_OK)
        status = insert_samples(spool, scope, samples, count, quota, error);
    if (status == ND_OK)
        return run(spool, "COMMIT", error);
    (void)sqlite3_exec(spool->handle, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* ---- delivering ---- */

/* The oldest samples that share a scope and a quota. */
struct batch {
    struct nd_arena *arena;
    const char *rule, *settings;
    struct nd_quota quota;
    struct nd_sample_put samples[ROWS_A_BATCH];
    int64_t ids[ROWS_A_BATCH];
    bool late[ROWS_A_BATCH];
    size_t count;
};

static const char *read_text(sqlite3_stmt *query, int column,
                             struct nd_arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(query, column);
    return nd_arena_strndup(arena, text != NULL ? text : "",
                            text != NULL ? strlen(text) : 0);
}

static bool read_fixed(sqlite3_stmt *query, int column, void *data_r,
                       size_t length)
{
    const void *data = sqlite3_column_blob(query, column);
    if (data == NULL || (size_t)sqlite3_column_bytes(query, column) != length)
        return false;
    memcpy(data_r, data, length);
    return true;
}

static bool read_sample(sqlite3_stmt *query, struct nd_arena *arena,
                        struct nd_sample_put *sample_r)
{
    struct nd_sample_put sample = {
        .label = sqlite3_column_int(query, 7) != 0 ? ND_SPAM : ND_HAM,
        .source =
            (enum nd_source)(sqlite3_column_int(query, 8) % ND_SOURCE_COUNT),
        .label_ms = sqlite3_column_int64(query, 9),
        .time_ms = sqlite3_column_int64(query, 10),
        .registry_length = (uint32_t)sqlite3_column_int64(query, 12),
    };
    const void *payload = sqlite3_column_blob(query, 14);
    sample.payload_length = (size_t)sqlite3_column_bytes(query, 14);
    sample.payload = nd_arena_strndup(arena, payload != NULL ? payload : "",
                                      sample.payload_length);
    *sample_r = sample;
    return read_fixed(query, 6, sample_r->identity, ND_IDENTITY_BYTES) &&
           read_fixed(query, 11, sample_r->key_id, ND_KEY_ID_BYTES) &&
           read_fixed(query, 13, sample_r->registry_digest, ND_DIGEST_BYTES);
}

/* False at the first row of another scope or quota. */
static bool belongs(struct batch *batch, sqlite3_stmt *query)
{
    const char *rule = read_text(query, 2, batch->arena);
    const char *settings = read_text(query, 3, batch->arena);
    struct nd_quota quota = {.mode = sqlite3_column_int(query, 4) != 0
                                         ? ND_QUOTA_BALANCED
                                         : ND_QUOTA_RESERVOIR,
                             .limit = (uint64_t)sqlite3_column_int64(query, 5)};
    if (batch->count == 0) {
        batch->rule = rule;
        batch->settings = settings;
        batch->quota = quota;
        return true;
    }
    return strcmp(rule, batch->rule) == 0 &&
           strcmp(settings, batch->settings) == 0 &&
           quota.mode == batch->quota.mode && quota.limit == batch->quota.limit;
}

static enum nd_status read_rows(struct nd_spool *spool, sqlite3_stmt *query,
                                struct batch *batch, struct nd_error *error)
{
    int64_t now_ms = nd_clock_wall_ms();
    int code = SQLITE_DONE;
    while (batch->count < ROWS_A_BATCH &&
           (code = sqlite3_step(query)) == SQLITE_ROW) {
        size_t next = batch->count;
        if (!belongs(batch, query))
            return ND_OK;
        if (!read_sample(query, batch->arena, &batch->samples[next]))
            return nd_fail(error, ND_DATA, "spool %s: a sample is damaged",
                           spool->path);
        batch->ids[next] = sqlite3_column_int64(query, 0);
        batch->late[next] =
            now_ms - sqlite3_column_int64(query, 1) > spool->most_age_ms;
        batch->count++;
    }
    return code == SQLITE_DONE || code == SQLITE_ROW ? ND_OK
                                                     : fail(spool, error);
}

static enum nd_status read_batch(struct nd_spool *spool, struct batch *batch,
                                 struct nd_error *error)
{
    sqlite3_stmt *query;
    enum nd_status status =
        prepare(spool, "SELECT * FROM waiting ORDER BY id", error, &query);
    if (status != ND_OK)
        return status;
    nd_arena_reset(batch->arena);
    batch->count = 0;
    status = read_rows(spool, query, batch, error);
    (void)sqlite3_finalize(query);
    return status;
}

static enum nd_status delete_rows(struct nd_spool *spool,
                                  const struct batch *batch,
                                  struct nd_error *error)
{
    sqlite3_stmt *query;
    enum nd_status status = run(spool, "BEGIN IMMEDIATE", error);
    if (status == ND_OK)
        status =
            prepare(spool, "DELETE FROM waiting WHERE id = ?1", error, &query);
    if (status != ND_OK)
        return status;
    for (size_t i = 0; status == ND_OK && i < batch->count; i++) {
        (void)sqlite3_bind_int64(query, 1, batch->ids[i]);
        if (sqlite3_step(query) != SQLITE_DONE)
            status = fail(spool, error);
        (void)sqlite3_reset(query);
    }
    (void)sqlite3_finalize(query);
    if (status == ND_OK)
        return run(spool, "COMMIT", error);
    (void)sqlite3_exec(spool->handle, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* Puts those that are not late, in one step. */
static enum nd_status put_batch(const struct batch *batch,
                                struct nd_store *store, struct nd_error *error,
                                struct nd_spool_delivery *delivery)
{
    struct nd_scope scope = {batch->rule, batch->settings};
    struct nd_sample_put samples[ROWS_A_BATCH];
    struct nd_put_result results[ROWS_A_BATCH];
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (!batch->late[i])
            samples[count++] = batch->samples[i];
    }
    enum nd_status status = ND_OK;
    if (count > 0)
        status = nd_store_put_many(store, &scope, samples, count, &batch->quota,
                                   error, results);
    if (status == ND_OK && count < batch->count)
        status = nd_store_count(store, &scope, ND_REFUSED_STORE,
                                batch->count - count, error);
    if (status == ND_OK) {
        delivery->delivered += count;
        delivery->late += batch->count - count;
    }
    return status;
}

enum nd_status nd_spool_deliver(struct nd_spool *spool, struct nd_store *store,
                                struct nd_error *error,
                                struct nd_spool_delivery *delivery_r)
{
    struct batch *batch = nd_calloc(1, sizeof(*batch));
    struct nd_spool_delivery delivery = {0};
    batch->arena = nd_arena_create(0);
    enum nd_status status = ND_OK;
    do {
        status = read_batch(spool, batch, error);
        if (status == ND_OK && batch->count > 0)
            status = put_batch(batch, store, error, &delivery);
        if (status == ND_OK && batch->count > 0)
            status = delete_rows(spool, batch, error);
    } while (status == ND_OK && batch->count > 0);
    nd_arena_destroy(&batch->arena);
    free(batch);
    *delivery_r = delivery;
    return status;
}
