/* SPDX-License-Identifier: Apache-2.0
 *
 * Storing and relabelling samples. A batch is one write transaction: the
 * scope's row and tallies are loaded once, every sample is decided against
 * them in turn (rules.h), and they are saved at the end, so that a duplicate
 * inside a batch is met like any other. The lease is never looked at.
 */
#include <stdlib.h>
#include <string.h>

#include "store/sample.h"
#include "store/sqlite_batch.h"

/* ---- writing ---- */

static void insert_sample(struct nd_sqlite_batch *batch,
                          const struct nd_sample_put *sample, uint64_t version,
                          int64_t label_ms)
{
    struct nd_sqlite *db = batch->db;
    uint64_t sequence = ++batch->row.sequence;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_SAMPLE_INSERT);
    (void)sqlite3_bind_int64(statement, 1, batch->row.id);
    nd_sqlite_bind_blob(statement, 2, sample->identity, ND_IDENTITY_BYTES);
    nd_sqlite_bind_u64(statement, 3, sequence);
    nd_sqlite_bind_u64(statement, 4, version);
    (void)sqlite3_bind_int(statement, 5, (int)sample->label);
    (void)sqlite3_bind_int(statement, 6, (int)sample->source);
    (void)sqlite3_bind_int64(
        statement, 7, sample->time_ms != 0 ? sample->time_ms : batch->now_ms);
    (void)sqlite3_bind_int64(statement, 8, label_ms);
    nd_sqlite_bind_u64(statement, 9, sample->payload_length);
    nd_sqlite_run(db, statement);
    statement = nd_sqlite_statement(db, ND_SQL_PAYLOAD_INSERT);
    (void)sqlite3_bind_int64(statement, 1,
                             nd_sqlite_payload_key(batch->row.id, sequence));
    nd_sqlite_bind_blob(statement, 2, sample->payload, sample->payload_length);
    nd_sqlite_run(db, statement);
}

static void update_sample(struct nd_sqlite_batch *batch,
                          const struct nd_sqlite_sample *sample)
{
    struct nd_sqlite *db = batch->db;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_SAMPLE_UPDATE);
    (void)sqlite3_bind_int64(statement, 1, batch->row.id);
    nd_sqlite_bind_blob(statement, 2, sample->info.identity, ND_IDENTITY_BYTES);
    nd_sqlite_bind_u64(statement, 3, sample->info.version);
    (void)sqlite3_bind_int(statement, 4, (int)sample->info.label);
    (void)sqlite3_bind_int(statement, 5, (int)sample->info.source);
    (void)sqlite3_bind_int64(statement, 6, sample->info.label_ms);
    (void)sqlite3_bind_int64(statement, 7, sample->bytes);
    nd_sqlite_run(db, statement);
}

static void tally_present(struct nd_sqlite_batch *batch,
                          const struct nd_sample_info *info, int64_t change)
{
    int kind = (int)info->label * ND_SOURCE_COUNT + (int)info->source;
    batch->row.tally[ND_TALLY_PRESENT + kind] += change;
}

static void delete_fate(struct nd_sqlite_batch *batch,
                        const uint8_t identity[ND_IDENTITY_BYTES])
{
    sqlite3_stmt *statement =
        nd_sqlite_statement(batch->db, ND_SQL_FATE_DELETE);
    (void)sqlite3_bind_int64(statement, 1, batch->row.id);
    nd_sqlite_bind_blob(statement, 2, identity, ND_IDENTITY_BYTES);
    nd_sqlite_run(batch->db, statement);
}

/* ---- outcomes ---- */

static void refuse(struct nd_sqlite_batch *batch, enum nd_refusal reason,
                   struct nd_put_result *result)
{
    result->outcome = ND_PUT_REFUSED;
    result->reason = reason;
    batch->row.tally[ND_TALLY_REFUSED + (int)reason]++;
}

/* The version goes on where a tombstone left it, so that (identity, version)
 * never means two samples. */
static void store_new(struct nd_sqlite_batch *batch,
                      const struct nd_sample_put *sample,
                      const struct nd_sqlite_fate *fate,
                      const struct nd_claim *claim,
                      struct nd_put_result *result)
{
    uint64_t count[2];
    nd_sqlite_counts(&batch->row, count, NULL);
    bool replaced = false;
    if (batch->quota->mode == ND_QUOTA_BALANCED) {
        if (!nd_rules_balanced(batch->quota->limit, count, claim->label)) {
            refuse(batch, ND_REFUSED_QUOTA, result);
            return;
        }
    } else {
        replaced = nd_sqlite_make_room(batch, claim->label, result->replaced);
    }
    if (fate->known.fate != ND_FATE_UNKNOWN)
        delete_fate(batch, sample->identity);
    insert_sample(batch, sample, fate->version + 1, claim->label_ms);
    struct nd_sample_info info = {.label = claim->label,
                                  .source = claim->source};
    tally_present(batch, &info, 1);
    batch->row.tally[ND_TALLY_BYTES] += (int64_t)sample->payload_length;
    batch->row.tally[ND_TALLY_STORED]++;
    nd_sqlite_note_key(batch, sample);
    result->outcome = replaced ? ND_PUT_REPLACED : ND_PUT_STORED;
}

/* Adds the families that a present sample lacks; true if there were any. */
static bool merge_payload(struct nd_sqlite_batch *batch,
                          const struct nd_sample_put *sample,
                          struct nd_sqlite_sample *present)
{
    struct nd_sqlite *db = batch->db;
    int64_t key = nd_sqlite_payload_key(batch->row.id, present->info.sequence);
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_PAYLOAD_GET);
    (void)sqlite3_bind_int64(statement, 1, key);
    if (!nd_sqlite_row(db, statement)) {
        nd_sqlite_damaged(db, "a sample without its payload");
        return false;
    }
    struct nd_buffer merged = {0};
    struct nd_error error;
    const void *old = sqlite3_column_blob(statement, 0);
    size_t old_length = (size_t)sqlite3_column_bytes(statement, 0);
    bool grown =
        nd_sample_merge(old, old_length, sample->payload,
                        sample->payload_length, &merged, &error) == ND_OK &&
        merged.length > old_length;
    (void)sqlite3_reset(statement);
    if (grown) {
        statement = nd_sqlite_statement(db, ND_SQL_PAYLOAD_UPDATE);
        (void)sqlite3_bind_int64(statement, 1, key);
        nd_sqlite_bind_blob(statement, 2, merged.data, merged.length);
        nd_sqlite_run(db, statement);
        batch->row.tally[ND_TALLY_BYTES] +=
            (int64_t)merged.length - present->bytes;
        present->bytes = (int64_t)merged.length;
        nd_sqlite_note_key(batch, sample);
    }
    nd_buffer_free(&merged);
    return grown;
}

static void take_label(struct nd_sqlite_batch *batch,
                       struct nd_sample_info *info,
                       const struct nd_claim *claim)
{
    tally_present(batch, info, -1);
    info->label = claim->label;
    info->source = claim->source;
    info->label_ms = claim->label_ms;
    tally_present(batch, info, 1);
}

/* The claim is believed or says nothing new: takes what it adds. */
static void change_present(struct nd_sqlite_batch *batch,
                           const struct nd_sample_put *sample,
                           const struct nd_claim *claim,
                           struct nd_sqlite_sample *present,
                           struct nd_put_result *result)
{
    struct nd_sample_info *info = &present->info;
    const struct nd_sample_info before = *info;
    bool merged =
        sample->payload_length > 0 && merge_payload(batch, sample, present);
    bool relabelled =
        claim->label != before.label || claim->source > before.source;
    result->old_label = before.label;
    if (relabelled)
        take_label(batch, info, claim);
    else if (claim->source == before.source &&
             claim->label_ms > before.label_ms)
        info->label_ms = claim->label_ms;
    if (relabelled || merged) {
        info->version++;
        batch->row.sequence++;
    }
    if (relabelled || merged || info->label_ms != before.label_ms)
        update_sample(batch, present);
    result->outcome = relabelled ? ND_PUT_RELABELLED
                      : merged   ? ND_PUT_MERGED
                                 : ND_PUT_DUPLICATE;
    batch->row.tally[relabelled ? ND_TALLY_RELABELLED
                     : merged   ? ND_TALLY_MERGED
                                : ND_TALLY_DUPLICATE]++;
}

/* A tombstone that already says what the claim says keeps the better source
 * and the newer time. */
static void keep_fate(struct nd_sqlite_batch *batch,
                      const struct nd_sample_put *sample,
                      struct nd_sqlite_fate *fate, const struct nd_claim *claim,
                      struct nd_put_result *result)
{
    struct nd_known *known = &fate->known;
    if (claim->source > known->source ||
        (claim->source == known->source && claim->label_ms > known->label_ms)) {
        known->source = claim->source;
        known->label_ms = claim->label_ms;
        nd_sqlite_fate_put(batch->db, batch->row.id, sample->identity, fate);
    }
    result->outcome = ND_PUT_DUPLICATE;
    batch->row.tally[ND_TALLY_DUPLICATE]++;
}

static void put_known(struct nd_sqlite_batch *batch,
                      const struct nd_sample_put *sample,
                      const struct nd_claim *claim,
                      struct nd_sqlite_sample *present,
                      struct nd_put_result *result)
{
    struct nd_known known = {.fate = ND_FATE_PRESENT,
                             .label = present->info.label,
                             .source = present->info.source,
                             .label_ms = present->info.label_ms};
    enum nd_refusal reason = ND_REFUSED_NONE;
    if (nd_rules_claim(&known, claim, &reason) == ND_ACTION_REFUSE)
        refuse(batch, reason, result);
    else
        change_present(batch, sample, claim, present, result);
}

static void put_unknown(struct nd_sqlite_batch *batch,
                        const struct nd_sample_put *sample,
                        const struct nd_claim *claim,
                        struct nd_put_result *result)
{
    struct nd_sqlite_fate fate;
    nd_sqlite_fate_find(batch->db, batch->row.id, sample->identity, &fate);
    enum nd_refusal reason = ND_REFUSED_NONE;
    switch (nd_rules_claim(&fate.known, claim, &reason)) {
    case ND_ACTION_STORE:
        store_new(batch, sample, &fate, claim, result);
        break;
    case ND_ACTION_REFUSE:
        refuse(batch, reason, result);
        break;
    case ND_ACTION_KEEP:
    case ND_ACTION_RELABEL:
        keep_fate(batch, sample, &fate, claim, result);
        break;
    }
}

static void put_one(struct nd_sqlite_batch *batch,
                    const struct nd_sample_put *sample,
                    struct nd_put_result *result_r)
{
    memset(result_r, 0, sizeof(*result_r));
    struct nd_claim claim = {
        .label = sample->label,
        .source = sample->source,
        .label_ms = nd_rules_label_time(sample->label_ms, batch->now_ms)};
    enum nd_refusal reason = nd_sqlite_admit(batch, sample);
    struct nd_sqlite_sample present;
    if (reason != ND_REFUSED_NONE)
        refuse(batch, reason, result_r);
    else if (nd_sqlite_sample_find(batch->db, batch->row.id, sample->identity,
                                   &present))
        put_known(batch, sample, &claim, &present, result_r);
    else
        put_unknown(batch, sample, &claim, result_r);
    nd_sqlite_counts(&batch->row, result_r->count, NULL);
}

static void begin_batch(struct nd_sqlite_batch *batch, struct nd_sqlite *db,
                        const struct nd_scope *scope, bool make)
{
    memset(batch, 0, sizeof(*batch));
    batch->db = db;
    batch->rule = scope->rule;
    nd_sqlite_begin(db, true);
    batch->now_ms = nd_sqlite_clock(db);
    nd_sqlite_scope_load(db, scope, make, &batch->row);
    nd_sqlite_tally_load(db, &batch->row);
}

static enum nd_status end_batch(struct nd_sqlite_batch *batch,
                                struct nd_error *error)
{
    nd_sqlite_tally_save(batch->db, &batch->row);
    nd_sqlite_scope_save(batch->db, &batch->row);
    return nd_sqlite_end(batch->db, ND_OK, error);
}

enum nd_status nd_sqlite_put_many(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  const struct nd_sample_put *samples,
                                  size_t count, const struct nd_quota *quota,
                                  struct nd_error *error,
                                  struct nd_put_result *results_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_batch batch;
    begin_batch(&batch, db, scope, true);
    batch.quota = quota;
    nd_sqlite_admit_prepare(&batch);
    struct nd_put_result *results = nd_calloc(count, sizeof(*results));
    for (size_t i = 0; i < count && db->failed == ND_OK; i++)
        put_one(&batch, &samples[i], &results[i]);
    enum nd_status status = end_batch(&batch, error);
    if (status == ND_OK && count > 0)
        memcpy(results_r, results, count * sizeof(*results));
    free(results);
    return status;
}

enum nd_status nd_sqlite_relabel(struct nd_store *store,
                                 const struct nd_scope *scope,
                                 const uint8_t identity[ND_IDENTITY_BYTES],
                                 const struct nd_claim *claim,
                                 struct nd_error *error,
                                 struct nd_put_result *result_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_batch batch;
    begin_batch(&batch, db, scope, false);
    struct nd_put_result result = {0};
    struct nd_sqlite_sample present;
    if (!nd_sqlite_sample_find(db, batch.row.id, identity, &present))
        return nd_sqlite_end(db,
                             nd_fail(error, ND_NO_INPUT,
                                     "no such sample under %s/%s: only one "
                                     "that is stored can be relabelled",
                                     scope->rule, scope->settings),
                             error);
    struct nd_sample_put sample = {0};
    struct nd_claim timed = *claim;
    timed.label_ms = nd_rules_label_time(claim->label_ms, batch.now_ms);
    put_known(&batch, &sample, &timed, &present, &result);
    nd_sqlite_counts(&batch.row, result.count, NULL);
    enum nd_status status = end_batch(&batch, error);
    if (status == ND_OK)
        *result_r = result;
    return status;
}
