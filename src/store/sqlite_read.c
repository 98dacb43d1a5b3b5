/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading samples from the SQLite file: the list of those present, their
 * payloads in pieces, and one by identity. A payload is handed out only under
 * the version that the list named, so a training never learns a label that a
 * sample no longer has.
 */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite_core.h"

static struct nd_sample_info *next_slot(struct nd_snapshot *snapshot,
                                        size_t *capacity)
{
    if (snapshot->count == *capacity) {
        *capacity = *capacity == 0 ? 256 : *capacity * 2;
        snapshot->samples = nd_realloc(snapshot->samples, *capacity,
                                       sizeof(*snapshot->samples));
    }
    return &snapshot->samples[snapshot->count++];
}

static void list_samples(struct nd_sqlite *db, int64_t scope,
                         struct nd_snapshot *snapshot)
{
    size_t capacity = 0;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_SAMPLE_LIST);
    (void)sqlite3_bind_int64(statement, 1, scope);
    while (nd_sqlite_row(db, statement)) {
        struct nd_sample_info *info = next_slot(snapshot, &capacity);
        info->sequence = nd_sqlite_u64(statement, 0);
        info->version = nd_sqlite_u64(statement, 1);
        info->label = sqlite3_column_int(statement, 2) != 0 ? ND_SPAM : ND_HAM;
        info->source = (enum nd_source)(sqlite3_column_int(statement, 3) %
                                        ND_SOURCE_COUNT);
        info->time_ms = sqlite3_column_int64(statement, 4);
        info->label_ms = sqlite3_column_int64(statement, 5);
        nd_sqlite_blob(db, statement, 6, info->identity, ND_IDENTITY_BYTES);
    }
}

enum nd_status nd_sqlite_snapshot(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  struct nd_error *error,
                                  struct nd_snapshot *snapshot_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    struct nd_snapshot snapshot = {0};
    nd_sqlite_begin(db, false);
    nd_sqlite_scope_load(db, scope, false, &row);
    list_samples(db, row.id, &snapshot);
    snapshot.watermark = row.sequence;
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK)
        *snapshot_r = snapshot;
    else
        free(snapshot.samples);
    return status;
}

static struct nd_payload read_payload(struct nd_sqlite *db, int64_t scope,
                                      const struct nd_sample_info *info,
                                      struct nd_arena *arena)
{
    struct nd_payload payload = {0};
    struct nd_sqlite_sample present;
    if (!nd_sqlite_sample_find(db, scope, info->identity, &present) ||
        present.info.version != info->version)
        return payload;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_PAYLOAD_GET);
    (void)sqlite3_bind_int64(
        statement, 1, nd_sqlite_payload_key(scope, present.info.sequence));
    if (!nd_sqlite_row(db, statement)) {
        nd_sqlite_damaged(db, "a sample without its payload");
        return payload;
    }
    const void *data = sqlite3_column_blob(statement, 0);
    size_t length = (size_t)sqlite3_column_bytes(statement, 0);
    payload.data = (const uint8_t *)nd_arena_strndup(
        arena, data == NULL ? "" : data, length);
    payload.length = length;
    (void)sqlite3_reset(statement);
    return payload;
}

enum nd_status nd_sqlite_read(struct nd_store *store,
                              const struct nd_scope *scope,
                              const struct nd_sample_info *samples,
                              size_t count, struct nd_arena *arena,
                              struct nd_error *error,
                              struct nd_payload *payloads_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    struct nd_payload *payloads = nd_calloc(count, sizeof(*payloads));
    nd_sqlite_begin(db, false);
    nd_sqlite_scope_load(db, scope, false, &row);
    for (size_t i = 0; i < count && db->failed == ND_OK; i++)
        payloads[i] = read_payload(db, row.id, &samples[i], arena);
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK && count > 0)
        memcpy(payloads_r, payloads, count * sizeof(*payloads));
    free(payloads);
    return status;
}

enum nd_status nd_sqlite_find(struct nd_store *store,
                              const struct nd_scope *scope,
                              const uint8_t identity[ND_IDENTITY_BYTES],
                              struct nd_error *error,
                              struct nd_sample_info *info_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    struct nd_sqlite_sample sample;
    nd_sqlite_begin(db, false);
    nd_sqlite_scope_load(db, scope, false, &row);
    enum nd_status outcome = ND_OK;
    if (!nd_sqlite_sample_find(db, row.id, identity, &sample))
        outcome = nd_fail(error, ND_NO_INPUT, "no such sample under %s/%s",
                          scope->rule, scope->settings);
    enum nd_status status = nd_sqlite_end(db, outcome, error);
    if (status == ND_OK)
        *info_r = sample.info;
    return status;
}
