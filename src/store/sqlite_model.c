/* SPDX-License-Identifier: Apache-2.0
 *
 * Model blobs and the list of generations in the SQLite file. A blob is named
 * by its digest and points nowhere until a publish or an import names it; it
 * is read back and compared before anyone is told that it is there.
 */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite_core.h"

/* ---- upload ---- */

static void insert_blob(struct nd_sqlite *db, int64_t scope,
                        const uint8_t digest[ND_DIGEST_BYTES], const void *blob,
                        size_t length)
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_BLOB_INSERT);
    (void)sqlite3_bind_int64(statement, 1, scope);
    nd_sqlite_bind_blob(statement, 2, digest, ND_DIGEST_BYTES);
    (void)sqlite3_bind_int64(statement, 3, nd_sqlite_clock(db));
    nd_sqlite_bind_blob(statement, 4, blob, length);
    nd_sqlite_run(db, statement);
}

/* Appends the data of a row, straight from the pages to the buffer. */
static void read_blob(struct nd_sqlite *db, int64_t row,
                      struct nd_buffer *buffer)
{
    sqlite3_blob *blob = NULL;
    int code =
        sqlite3_blob_open(db->handle, "main", "blob", "data", row, 0, &blob);
    int length = code == SQLITE_OK ? sqlite3_blob_bytes(blob) : 0;
    if (length > 0) {
        uint8_t *end = nd_buffer_reserve(buffer, (size_t)length);
        code = sqlite3_blob_read(blob, end, length, 0);
        buffer->length += code == SQLITE_OK ? (size_t)length : 0;
    }
    if (code != SQLITE_OK)
        nd_sqlite_failed(db, code);
    (void)sqlite3_blob_close(blob);
}

/* Appends the blob; false where there is none. */
static bool load_blob(struct nd_sqlite *db, int64_t scope,
                      const uint8_t digest[ND_DIGEST_BYTES],
                      struct nd_buffer *buffer)
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_BLOB_FIND);
    (void)sqlite3_bind_int64(statement, 1, scope);
    nd_sqlite_bind_blob(statement, 2, digest, ND_DIGEST_BYTES);
    if (!nd_sqlite_row(db, statement))
        return false;
    int64_t row = sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement);
    read_blob(db, row, buffer);
    return true;
}

enum nd_status nd_sqlite_model_upload(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const void *blob, size_t length,
                                      struct nd_error *error,
                                      uint8_t digest_r[ND_DIGEST_BYTES])
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    uint8_t digest[ND_DIGEST_BYTES];
    nd_digest(blob, length, NULL, digest);
    nd_sqlite_begin(db, true);
    nd_sqlite_scope_load(db, scope, true, &row);
    insert_blob(db, row.id, digest, blob, length);
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status != ND_OK)
        return status;
    struct nd_buffer read = {0};
    nd_sqlite_begin(db, false);
    bool found = load_blob(db, row.id, digest, &read);
    bool same = found && read.length == length &&
                (length == 0 || memcmp(read.data, blob, length) == 0);
    if (!same)
        nd_sqlite_damaged(db, "an uploaded model is not what was stored");
    nd_buffer_free(&read);
    status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK)
        memcpy(digest_r, digest, ND_DIGEST_BYTES);
    return status;
}

/* ---- get and list ---- */

static bool find_model(struct nd_sqlite *db, int64_t scope, uint64_t generation,
                       uint8_t digest_r[ND_DIGEST_BYTES])
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_MODEL_FIND);
    (void)sqlite3_bind_int64(statement, 1, scope);
    nd_sqlite_bind_u64(statement, 2, generation);
    if (!nd_sqlite_row(db, statement))
        return false;
    nd_sqlite_blob(db, statement, 0, digest_r, ND_DIGEST_BYTES);
    (void)sqlite3_reset(statement);
    return true;
}

enum nd_status nd_sqlite_model_get(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   uint64_t generation, struct nd_error *error,
                                   struct nd_buffer *blob,
                                   uint8_t digest_r[ND_DIGEST_BYTES])
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    uint8_t digest[ND_DIGEST_BYTES] = {0};
    size_t before = blob->length;
    enum nd_status outcome = ND_OK;
    nd_sqlite_begin(db, false);
    nd_sqlite_scope_load(db, scope, false, &row);
    if (!find_model(db, row.id, generation, digest))
        outcome = nd_fail(error, ND_NO_INPUT, "%s/%s has no generation %llu",
                          scope->rule, scope->settings,
                          (unsigned long long)generation);
    else if (!load_blob(db, row.id, digest, blob))
        nd_sqlite_damaged(db, "a model without its blob");
    enum nd_status status = nd_sqlite_end(db, outcome, error);
    if (status == ND_OK)
        memcpy(digest_r, digest, ND_DIGEST_BYTES);
    else
        blob->length = before;
    return status;
}

static void read_model(struct nd_sqlite *db, sqlite3_stmt *statement,
                       const struct nd_sqlite_scope *row,
                       struct nd_model_info *model_r)
{
    memset(model_r, 0, sizeof(*model_r));
    model_r->generation = nd_sqlite_u64(statement, 0);
    nd_sqlite_blob(db, statement, 1, model_r->digest, ND_DIGEST_BYTES);
    model_r->size_bytes = nd_sqlite_u64(statement, 2);
    model_r->published_ms = sqlite3_column_int64(statement, 3);
    nd_sqlite_blob(db, statement, 4, model_r->profile, ND_PROFILE_DIGEST_BYTES);
    nd_sqlite_text(statement, 5, model_r->origin, ND_HOLDER_BYTES);
    model_r->live = model_r->generation == row->live;
    model_r->pinned = model_r->live && row->pinned;
}

enum nd_status nd_sqlite_model_list(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    struct nd_error *error,
                                    struct nd_model_info **models_r,
                                    size_t *count_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    struct nd_model_info *models = NULL;
    size_t count = 0;
    nd_sqlite_begin(db, false);
    nd_sqlite_scope_load(db, scope, false, &row);
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_MODEL_LIST);
    (void)sqlite3_bind_int64(statement, 1, row.id);
    while (nd_sqlite_row(db, statement)) {
        models = nd_realloc(models, count + 1, sizeof(*models));
        read_model(db, statement, &row, &models[count++]);
    }
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK) {
        *models_r = models;
        *count_r = count;
    } else {
        free(models);
    }
    return status;
}

/* ---- the live pointer ---- */

static void read_pointer(struct nd_sqlite *db,
                         const struct nd_sqlite_scope *row,
                         struct nd_model_pointer *pointer_r)
{
    memset(pointer_r, 0, sizeof(*pointer_r));
    pointer_r->generation = row->live;
    pointer_r->revision = row->revision;
    pointer_r->pinned = row->pinned;
    if (row->live != 0 &&
        !find_model(db, row->id, row->live, pointer_r->digest))
        nd_sqlite_damaged(db, "the live model is missing");
}

enum nd_status nd_sqlite_model_current(struct nd_store *store,
                                       const struct nd_scope *scope,
                                       struct nd_error *error,
                                       struct nd_model_pointer *pointer_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    struct nd_model_pointer pointer;
    nd_sqlite_begin(db, false);
    nd_sqlite_scope_load(db, scope, false, &row);
    read_pointer(db, &row, &pointer);
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK)
        *pointer_r = pointer;
    return status;
}

/* generation 0 stands for the live one. */
enum nd_status nd_sqlite_model_pin(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   uint64_t generation, bool pin,
                                   struct nd_error *error,
                                   struct nd_model_pointer *pointer_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    struct nd_model_pointer pointer;
    uint8_t digest[ND_DIGEST_BYTES];
    enum nd_status outcome = ND_OK;
    nd_sqlite_begin(db, true);
    nd_sqlite_scope_load(db, scope, false, &row);
    uint64_t wanted = generation != 0 ? generation : row.live;
    bool exists = wanted != 0 && find_model(db, row.id, wanted, digest);
    if (!exists && (generation != 0 || pin))
        outcome = nd_fail(error, ND_NO_INPUT,
                          "%s/%s has no such generation: "
                          "`neurald model list` shows those that are kept",
                          scope->rule, scope->settings);
    else if (wanted != row.live || pin != row.pinned) {
        row.live = wanted;
        row.pinned = pin;
        row.revision++;
        nd_sqlite_scope_save(db, &row);
    }
    read_pointer(db, &row, &pointer);
    enum nd_status status = nd_sqlite_end(db, outcome, error);
    if (status == ND_OK)
        *pointer_r = pointer;
    return status;
}
