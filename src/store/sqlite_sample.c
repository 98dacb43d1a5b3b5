/* SPDX-License-Identifier: Apache-2.0
 *
 * One sample in the SQLite file: its row, its payload in a table of its own
 * (so that a snapshot reads no payloads), and its tombstone once it has ended.
 * An identity is either present or has a tombstone, never both. What to do
 * with a sample is decided elsewhere.
 */
#include <string.h>

#include "store/sqlite_core.h"

int64_t nd_sqlite_payload_key(int64_t scope, uint64_t sequence)
{
    return (int64_t)((uint64_t)scope << 40 | sequence);
}

bool nd_sqlite_sample_find(struct nd_sqlite *db, int64_t scope,
                           const uint8_t identity[ND_IDENTITY_BYTES],
                           struct nd_sqlite_sample *sample_r)
{
    memset(sample_r, 0, sizeof(*sample_r));
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_SAMPLE_FIND);
    (void)sqlite3_bind_int64(statement, 1, scope);
    nd_sqlite_bind_blob(statement, 2, identity, ND_IDENTITY_BYTES);
    if (!nd_sqlite_row(db, statement))
        return false;
    struct nd_sample_info *info = &sample_r->info;
    memcpy(info->identity, identity, ND_IDENTITY_BYTES);
    info->sequence = nd_sqlite_u64(statement, 0);
    info->version = nd_sqlite_u64(statement, 1);
    info->label = sqlite3_column_int(statement, 2) != 0 ? ND_SPAM : ND_HAM;
    info->source =
        (enum nd_source)(sqlite3_column_int(statement, 3) % ND_SOURCE_COUNT);
    info->time_ms = sqlite3_column_int64(statement, 4);
    info->label_ms = sqlite3_column_int64(statement, 5);
    sample_r->bytes = sqlite3_column_int64(statement, 6);
    (void)sqlite3_reset(statement);
    return true;
}

static void delete_sample(struct nd_sqlite *db, int64_t scope,
                          const struct nd_sample_info *info)
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_SAMPLE_DELETE);
    (void)sqlite3_bind_int64(statement, 1, scope);
    nd_sqlite_bind_blob(statement, 2, info->identity, ND_IDENTITY_BYTES);
    nd_sqlite_run(db, statement);
    statement = nd_sqlite_statement(db, ND_SQL_PAYLOAD_DELETE);
    (void)sqlite3_bind_int64(statement, 1,
                             nd_sqlite_payload_key(scope, info->sequence));
    nd_sqlite_run(db, statement);
}

static void tally_end(struct nd_sqlite_scope *row,
                      const struct nd_sqlite_sample *sample, enum nd_fate fate)
{
    int kind = (int)sample->info.label * ND_SOURCE_COUNT;
    row->tally[ND_TALLY_PRESENT + kind + (int)sample->info.source]--;
    row->tally[ND_TALLY_BYTES] -= sample->bytes;
    if (fate == ND_FATE_CONSUMED)
        row->tally[ND_TALLY_CONSUMED]++;
    else if (fate == ND_FATE_REPLACED)
        row->tally[ND_TALLY_REPLACED]++;
    else
        row->tally[ND_TALLY_FORGOTTEN]++;
}

void nd_sqlite_fate_put(struct nd_sqlite *db, int64_t scope,
                        const uint8_t identity[ND_IDENTITY_BYTES],
                        const struct nd_sqlite_fate *fate)
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_FATE_PUT);
    (void)sqlite3_bind_int64(statement, 1, scope);
    nd_sqlite_bind_blob(statement, 2, identity, ND_IDENTITY_BYTES);
    (void)sqlite3_bind_int(statement, 3, (int)fate->known.fate);
    nd_sqlite_bind_u64(statement, 4, fate->version);
    (void)sqlite3_bind_int(statement, 5, (int)fate->known.label);
    (void)sqlite3_bind_int(statement, 6, (int)fate->known.source);
    (void)sqlite3_bind_int64(statement, 7, fate->known.label_ms);
    (void)sqlite3_bind_int64(statement, 8, fate->ended_ms);
    nd_sqlite_bind_u64(statement, 9, fate->generation);
    nd_sqlite_run(db, statement);
}

void nd_sqlite_fate_find(struct nd_sqlite *db, int64_t scope,
                         const uint8_t identity[ND_IDENTITY_BYTES],
                         struct nd_sqlite_fate *fate_r)
{
    memset(fate_r, 0, sizeof(*fate_r));
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_FATE_FIND);
    (void)sqlite3_bind_int64(statement, 1, scope);
    nd_sqlite_bind_blob(statement, 2, identity, ND_IDENTITY_BYTES);
    if (!nd_sqlite_row(db, statement))
        return;
    fate_r->known.fate = (enum nd_fate)sqlite3_column_int(statement, 0);
    fate_r->version = nd_sqlite_u64(statement, 1);
    fate_r->known.label =
        sqlite3_column_int(statement, 2) != 0 ? ND_SPAM : ND_HAM;
    fate_r->known.source =
        (enum nd_source)(sqlite3_column_int(statement, 3) % ND_SOURCE_COUNT);
    fate_r->known.label_ms = sqlite3_column_int64(statement, 4);
    fate_r->ended_ms = sqlite3_column_int64(statement, 5);
    fate_r->generation = nd_sqlite_u64(statement, 6);
    (void)sqlite3_reset(statement);
}

void nd_sqlite_sample_end(struct nd_sqlite *db, struct nd_sqlite_scope *row,
                          const struct nd_sqlite_sample *sample,
                          const struct nd_sqlite_fate *fate)
{
    delete_sample(db, row->id, &sample->info);
    nd_sqlite_fate_put(db, row->id, sample->info.identity, fate);
    tally_end(row, sample, fate->known.fate);
}

struct nd_sqlite_fate nd_sqlite_fate_of(const struct nd_sample_info *info,
                                        enum nd_fate fate, int64_t now_ms)
{
    struct nd_sqlite_fate ended = {
        .known = {.fate = fate,
                  .label = info->label,
                  .source = info->source,
                  .label_ms = info->label_ms},
        .version = info->version,
        .ended_ms = now_ms,
    };
    return ended;
}

void nd_sqlite_consume(struct nd_sqlite *db, struct nd_sqlite_scope *row,
                       const struct nd_sqlite_used *used)
{
    int64_t now_ms = nd_sqlite_clock(db);
    struct nd_sqlite_sample present;
    for (size_t i = 0; i < used->count && db->failed == ND_OK; i++) {
        const struct nd_sample_info *sample = &used->samples[i];
        if (!nd_sqlite_sample_find(db, row->id, sample->identity, &present) ||
            present.info.version != sample->version)
            continue;
        struct nd_sqlite_fate fate =
            nd_sqlite_fate_of(&present.info, ND_FATE_CONSUMED, now_ms);
        fate.generation = used->generation;
        nd_sqlite_sample_end(db, row, &present, &fate);
    }
}
