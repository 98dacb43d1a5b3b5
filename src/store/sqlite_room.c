/* SPDX-License-Identifier: Apache-2.0
 *
 * Room in a full reservoir: a sample of the class, drawn uniformly, is dropped
 * for each one that comes. That leaves each sample's chance to be still there
 * falling exponentially with the number that came after it: C. Aggarwal, "On
 * Biased Reservoir Sampling in the Presence of Stream Evolution" (VLDB 2006).
 */
#include <string.h>

#include "store/sqlite_batch.h"

/* How often a sequence is guessed before the class is counted through. */
#define DRAW_ATTEMPTS 64
/* A limit that was lowered is reached step by step. */
#define VICTIMS_A_PUT 2

static bool take_identity(struct nd_sqlite *db, sqlite3_stmt *statement,
                          uint8_t identity_r[ND_IDENTITY_BYTES])
{
    if (!nd_sqlite_row(db, statement))
        return false;
    nd_sqlite_blob(db, statement, 0, identity_r, ND_IDENTITY_BYTES);
    (void)sqlite3_reset(statement);
    return true;
}

static bool draw_by_sequence(struct nd_sqlite_batch *batch, enum nd_class label,
                             uint8_t identity_r[ND_IDENTITY_BYTES])
{
    struct nd_sqlite *db = batch->db;
    sqlite3_stmt *bounds = nd_sqlite_statement(db, ND_SQL_CLASS_BOUNDS);
    (void)sqlite3_bind_int64(bounds, 1, batch->row.id);
    (void)sqlite3_bind_int(bounds, 2, (int)label);
    if (!nd_sqlite_row(db, bounds))
        return false;
    uint64_t lowest = nd_sqlite_u64(bounds, 0);
    uint64_t highest = nd_sqlite_u64(bounds, 1);
    (void)sqlite3_reset(bounds);
    for (int i = 0; i < DRAW_ATTEMPTS && db->failed == ND_OK; i++) {
        uint64_t guess =
            lowest + nd_random_below(&db->random, highest - lowest + 1);
        sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_CLASS_AT);
        (void)sqlite3_bind_int64(statement, 1, batch->row.id);
        (void)sqlite3_bind_int(statement, 2, (int)label);
        nd_sqlite_bind_u64(statement, 3, guess);
        if (take_identity(db, statement, identity_r))
            return true;
    }
    return false;
}

/* Draws one of the class uniformly. Guessing a sequence until a sample of the
 * class has it is uniform and takes few steps in a full reservoir; where the
 * class is too thin for that, the n-th is counted off, which is as uniform. */
static bool draw_victim(struct nd_sqlite_batch *batch, enum nd_class label,
                        uint64_t count, uint8_t identity_r[ND_IDENTITY_BYTES])
{
    if (draw_by_sequence(batch, label, identity_r))
        return true;
    struct nd_sqlite *db = batch->db;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_CLASS_NTH);
    (void)sqlite3_bind_int64(statement, 1, batch->row.id);
    (void)sqlite3_bind_int(statement, 2, (int)label);
    nd_sqlite_bind_u64(statement, 3, nd_random_below(&db->random, count));
    return take_identity(db, statement, identity_r);
}

bool nd_sqlite_make_room(struct nd_sqlite_batch *batch, enum nd_class label,
                         uint8_t identity_r[ND_IDENTITY_BYTES])
{
    bool dropped = false;
    for (int i = 0; i < VICTIMS_A_PUT; i++) {
        uint64_t count[2];
        struct nd_sqlite_sample victim;
        uint8_t identity[ND_IDENTITY_BYTES];
        nd_sqlite_counts(&batch->row, count, NULL);
        if (count[label] < batch->quota->limit)
            break;
        if (!draw_victim(batch, label, count[label], identity) ||
            !nd_sqlite_sample_find(batch->db, batch->row.id, identity, &victim))
            break;
        struct nd_sqlite_fate fate =
            nd_sqlite_fate_of(&victim.info, ND_FATE_REPLACED, batch->now_ms);
        nd_sqlite_sample_end(batch->db, &batch->row, &victim, &fate);
        if (!dropped)
            memcpy(identity_r, identity, ND_IDENTITY_BYTES);
        dropped = true;
    }
    return dropped;
}
