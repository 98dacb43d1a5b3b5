/* SPDX-License-Identifier: Apache-2.0
 *
 * The SQLite file as records, and records into it. Lists are read page by page
 * in the order of their keys; what is written twice is written once.
 */
#include <stdlib.h>
#include <string.h>

#include "store/image.h"
#include "store/sqlite_training.h"

#define PAGE 256
/* cursors from here on are tombstones */
#define TOMBSTONES (UINT64_C(1) << 48)

struct reading {
    struct nd_sqlite *db;
    struct nd_sqlite_scope row;
    const struct nd_scope *scope;
    struct nd_arena *arena;
    struct nd_image_record *records;
    size_t count, room;
};

static struct nd_image_record *next(struct reading *work,
                                    enum nd_image_kind kind)
{
    if (work->count == work->room) {
        size_t room = work->room > 0 ? work->room * 2 : PAGE;
        struct nd_image_record *grown =
            nd_arena_take(work->arena, room * sizeof(*grown));
        if (work->count > 0)
            memcpy(grown, work->records, work->count * sizeof(*grown));
        work->records = grown;
        work->room = room;
    }
    struct nd_image_record *record = &work->records[work->count++];
    memset(record, 0, sizeof(*record));
    record->kind = kind;
    return record;
}

static const char *text_at(const struct reading *work, sqlite3_stmt *statement,
                           int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return nd_arena_strndup(work->arena, text != NULL ? text : "",
                            text != NULL ? strlen(text) : 0);
}

/* ---- reading ---- */

static void read_scopes(struct reading *work)
{
    sqlite3_stmt *statement =
        nd_sqlite_statement(work->db, ND_SQL_IMAGE_SCOPES);
    while (nd_sqlite_row(work->db, statement)) {
        struct nd_image_record *record = next(work, ND_IMAGE_SCOPE);
        record->of.scope = (struct nd_scope){text_at(work, statement, 0),
                                             text_at(work, statement, 1)};
    }
}

static void read_payload(struct reading *work, struct nd_image_sample *sample)
{
    sqlite3_stmt *statement = nd_sqlite_statement(work->db, ND_SQL_PAYLOAD_GET);
    (void)sqlite3_bind_int64(
        statement, 1,
        nd_sqlite_payload_key(work->row.id, sample->info.sequence));
    if (!nd_sqlite_row(work->db, statement)) {
        nd_sqlite_damaged(work->db, "a sample without its payload");
        return;
    }
    const void *data = sqlite3_column_blob(statement, 0);
    sample->payload_length = (size_t)sqlite3_column_bytes(statement, 0);
    sample->payload = nd_arena_strndup(work->arena, data != NULL ? data : "",
                                       sample->payload_length);
    (void)sqlite3_reset(statement);
}

static void read_samples(struct reading *work, uint64_t first)
{
    struct nd_sqlite *db = work->db;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_IMAGE_SAMPLES);
    (void)sqlite3_bind_int64(statement, 1, work->row.id);
    (void)sqlite3_bind_int64(statement, 2, PAGE);
    nd_sqlite_bind_u64(statement, 3, first);
    while (nd_sqlite_row(db, statement)) {
        struct nd_image_sample *sample =
            &next(work, ND_IMAGE_SAMPLE)->of.sample;
        sample->fate = ND_FATE_PRESENT;
        sample->info.sequence = nd_sqlite_u64(statement, 0);
        sample->info.version = nd_sqlite_u64(statement, 1);
        sample->info.label = (enum nd_class)sqlite3_column_int(statement, 2);
        sample->info.source = (enum nd_source)sqlite3_column_int(statement, 3);
        sample->info.time_ms = sqlite3_column_int64(statement, 4);
        sample->info.label_ms = sqlite3_column_int64(statement, 5);
        nd_sqlite_blob(db, statement, 6, sample->info.identity,
                       ND_IDENTITY_BYTES);
    }
    for (size_t i = 0; i < work->count; i++)
        read_payload(work, &work->records[i].of.sample);
}

static void read_tombstones(struct reading *work, uint64_t first)
{
    struct nd_sqlite *db = work->db;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_IMAGE_FATES);
    (void)sqlite3_bind_int64(statement, 1, work->row.id);
    (void)sqlite3_bind_int64(statement, 2, PAGE);
    nd_sqlite_bind_u64(statement, 3, first);
    while (nd_sqlite_row(db, statement)) {
        struct nd_image_sample *sample =
            &next(work, ND_IMAGE_SAMPLE)->of.sample;
        sample->fate = (enum nd_fate)sqlite3_column_int(statement, 0);
        sample->info.version = nd_sqlite_u64(statement, 1);
        sample->info.label = (enum nd_class)sqlite3_column_int(statement, 2);
        sample->info.source = (enum nd_source)sqlite3_column_int(statement, 3);
        sample->info.label_ms = sqlite3_column_int64(statement, 4);
        sample->ended_ms = sqlite3_column_int64(statement, 5);
        nd_sqlite_blob(db, statement, 6, sample->info.identity,
                       ND_IDENTITY_BYTES);
    }
}

/* Samples first, then tombstones. */
static uint64_t read_identities(struct reading *work, uint64_t cursor)
{
    if (cursor < TOMBSTONES) {
        read_samples(work, cursor);
        return work->count == PAGE ? cursor + PAGE : TOMBSTONES;
    }
    read_tombstones(work, cursor - TOMBSTONES);
    return work->count == PAGE ? cursor + PAGE : ND_IMAGE_END;
}

static void read_journal(struct reading *work)
{
    struct nd_sqlite *db = work->db;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_IMAGE_JOURNAL);
    (void)sqlite3_bind_int64(statement, 1, work->row.id);
    while (nd_sqlite_row(db, statement)) {
        struct nd_image_entry *entry = &next(work, ND_IMAGE_JOURNAL)->of.entry;
        entry->entry.time_ms = sqlite3_column_int64(statement, 0);
        entry->entry.token = nd_sqlite_u64(statement, 1);
        entry->entry.decision =
            (enum nd_decision)sqlite3_column_int(statement, 2);
        entry->entry.holder = text_at(work, statement, 3);
        entry->entry.reason = text_at(work, statement, 4);
        entry->entry.figures = text_at(work, statement, 5);
        entry->ending = (uint8_t)sqlite3_column_int(statement, 6);
        nd_sqlite_blob(db, statement, 7, entry->digest, ND_DIGEST_BYTES);
    }
}

static void read_state(struct reading *work)
{
    struct nd_sqlite_scope *row = &work->row;
    nd_sqlite_tally_load(work->db, row);
    struct nd_image_state *state = &next(work, ND_IMAGE_STATE)->of.state;
    *state = (struct nd_image_state){.sequence = row->sequence,
                                     .attempted = row->attempted,
                                     .failures = row->failures,
                                     .token = row->token,
                                     .live = row->live,
                                     .revision = row->revision,
                                     .pinned = row->pinned,
                                     .attempt_ms = row->attempt_ms};
    memcpy(state->key_id, row->key_id, ND_KEY_ID_BYTES);
    for (size_t i = 0; i < ND_IMAGE_EVENTS; i++)
        state->events[i] = (uint64_t)row->tally[ND_TALLY_STORED + i];
    for (size_t i = 0; i < ND_REFUSAL_COUNT; i++)
        state->refused[i] = (uint64_t)row->tally[ND_TALLY_REFUSED + i];
}

/* Of one transaction; models and profiles have lists of their own. */
static enum nd_status read_rows(struct reading *work, enum nd_image_kind kind,
                                uint64_t *cursor, struct nd_error *error)
{
    uint64_t after = ND_IMAGE_END;
    nd_sqlite_begin(work->db, false);
    if (kind != ND_IMAGE_SCOPE)
        nd_sqlite_scope_load(work->db, work->scope, false, &work->row);
    if (kind == ND_IMAGE_SCOPE)
        read_scopes(work);
    else if (kind == ND_IMAGE_SAMPLE)
        after = read_identities(work, *cursor);
    else if (kind == ND_IMAGE_JOURNAL)
        read_journal(work);
    else
        read_state(work);
    enum nd_status status = nd_sqlite_end(work->db, ND_OK, error);
    if (status == ND_OK)
        *cursor = after;
    return status;
}

enum nd_status nd_sqlite_image_read(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    enum nd_image_kind kind, uint64_t *cursor,
                                    struct nd_arena *arena,
                                    struct nd_error *error,
                                    const struct nd_image_record **records_r,
                                    size_t *count_r)
{
    struct reading work = {
        .db = (struct nd_sqlite *)store, .scope = scope, .arena = arena};
    if (kind == ND_IMAGE_MODEL || kind == ND_IMAGE_PROFILE)
        return nd_image_read_lists(store, scope, kind, cursor, arena, error,
                                   records_r, count_r);
    enum nd_status status = read_rows(&work, kind, cursor, error);
    if (status == ND_OK) {
        *records_r = work.records;
        *count_r = work.count;
    }
    return status;
}

/* ---- writing ---- */

static void write_profile(struct nd_sqlite *db, const struct nd_scope *scope,
                          const struct nd_profile *profile)
{
    struct nd_buffer packed = {0};
    for (uint32_t i = 0; i < profile->symbol_count; i++)
        nd_buffer_append(&packed, profile->symbols[i],
                         strlen(profile->symbols[i]) + 1);
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_IMAGE_PROFILE);
    nd_sqlite_bind_text(statement, 1, scope->rule);
    nd_sqlite_bind_text(statement, 2, scope->settings);
    nd_sqlite_bind_blob(statement, 3, profile->digest, ND_PROFILE_DIGEST_BYTES);
    nd_sqlite_bind_blob(statement, 4, packed.data, packed.length);
    (void)sqlite3_bind_int64(statement, 5, profile->used_ms);
    nd_sqlite_bind_u64(statement, 6, profile->generation);
    nd_sqlite_run(db, statement);
    nd_buffer_free(&packed);
}

static void write_present(struct nd_sqlite *db, struct nd_sqlite_scope *row,
                          const struct nd_image_sample *sample)
{
    const struct nd_sample_info *info = &sample->info;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_SAMPLE_INSERT);
    (void)sqlite3_bind_int64(statement, 1, row->id);
    nd_sqlite_bind_blob(statement, 2, info->identity, ND_IDENTITY_BYTES);
    nd_sqlite_bind_u64(statement, 3, info->sequence);
    nd_sqlite_bind_u64(statement, 4, info->version);
    (void)sqlite3_bind_int(statement, 5, (int)info->label);
    (void)sqlite3_bind_int(statement, 6, (int)info->source);
    (void)sqlite3_bind_int64(statement, 7, info->time_ms);
    (void)sqlite3_bind_int64(statement, 8, info->label_ms);
    nd_sqlite_bind_u64(statement, 9, sample->payload_length);
    nd_sqlite_run(db, statement);
    statement = nd_sqlite_statement(db, ND_SQL_PAYLOAD_INSERT);
    (void)sqlite3_bind_int64(statement, 1,
                             nd_sqlite_payload_key(row->id, info->sequence));
    nd_sqlite_bind_blob(statement, 2, sample->payload, sample->payload_length);
    nd_sqlite_run(db, statement);
    row->tally[ND_TALLY_PRESENT + (int)info->label * ND_SOURCE_COUNT +
               (int)info->source]++;
    row->tally[ND_TALLY_BYTES] += (int64_t)sample->payload_length;
}

static void write_sample(struct nd_sqlite *db, struct nd_sqlite_scope *row,
                         const struct nd_image_sample *sample)
{
    struct nd_sqlite_sample present;
    struct nd_sqlite_fate fate;
    const struct nd_sample_info *info = &sample->info;
    nd_sqlite_fate_find(db, row->id, info->identity, &fate);
    if (fate.known.fate != ND_FATE_UNKNOWN ||
        nd_sqlite_sample_find(db, row->id, info->identity, &present))
        return;
    if (sample->fate == ND_FATE_PRESENT) {
        write_present(db, row, sample);
        return;
    }
    fate = nd_sqlite_fate_of(info, sample->fate, sample->ended_ms);
    nd_sqlite_fate_put(db, row->id, info->identity, &fate);
}

/* False where its blob was not uploaded. */
static bool write_model(struct nd_sqlite *db, const struct nd_sqlite_scope *row,
                        const struct nd_model_info *model)
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_BLOB_EXISTS);
    (void)sqlite3_bind_int64(statement, 1, row->id);
    nd_sqlite_bind_blob(statement, 2, model->digest, ND_DIGEST_BYTES);
    if (!nd_sqlite_row(db, statement))
        return db->failed != ND_OK;
    (void)sqlite3_reset(statement);
    statement = nd_sqlite_statement(db, ND_SQL_IMAGE_MODEL);
    (void)sqlite3_bind_int64(statement, 1, row->id);
    nd_sqlite_bind_u64(statement, 2, model->generation);
    nd_sqlite_bind_blob(statement, 3, model->digest, ND_DIGEST_BYTES);
    nd_sqlite_bind_u64(statement, 4, model->size_bytes);
    (void)sqlite3_bind_int64(statement, 5, model->published_ms);
    nd_sqlite_bind_blob(statement, 6, model->profile, ND_PROFILE_DIGEST_BYTES);
    nd_sqlite_bind_text(statement, 7, model->origin);
    nd_sqlite_run(db, statement);
    statement = nd_sqlite_statement(db, ND_SQL_BLOB_PUBLISHED);
    (void)sqlite3_bind_int64(statement, 1, row->id);
    nd_sqlite_bind_blob(statement, 2, model->digest, ND_DIGEST_BYTES);
    nd_sqlite_run(db, statement);
    return true;
}

static void write_entry(struct nd_sqlite *db, const struct nd_sqlite_scope *row,
                        const struct nd_image_entry *entry)
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_IMAGE_ENTRY);
    (void)sqlite3_bind_int64(statement, 1, row->id);
    (void)sqlite3_bind_int64(statement, 2, entry->entry.time_ms);
    nd_sqlite_bind_u64(statement, 3, entry->entry.token);
    (void)sqlite3_bind_int(statement, 4, entry->ending);
    (void)sqlite3_bind_int(statement, 5, (int)entry->entry.decision);
    nd_sqlite_bind_text(statement, 6, entry->entry.holder);
    nd_sqlite_bind_text(statement, 7, entry->entry.reason);
    nd_sqlite_bind_text(statement, 8, entry->entry.figures);
    nd_sqlite_bind_blob(statement, 9, entry->digest, ND_DIGEST_BYTES);
    nd_sqlite_run(db, statement);
}

static void write_state(struct nd_sqlite_scope *row,
                        const struct nd_image_state *state)
{
    row->sequence = state->sequence;
    row->attempted = state->attempted;
    row->failures = (uint32_t)state->failures;
    row->token = state->token;
    row->live = state->live;
    row->revision = state->revision;
    row->pinned = state->pinned;
    row->attempt_ms = state->attempt_ms;
    memcpy(row->key_id, state->key_id, ND_KEY_ID_BYTES);
    for (size_t i = 0; i < ND_IMAGE_EVENTS; i++)
        row->tally[ND_TALLY_STORED + i] = (int64_t)state->events[i];
    for (size_t i = 0; i < ND_REFUSAL_COUNT; i++)
        row->tally[ND_TALLY_REFUSED + i] = (int64_t)state->refused[i];
}

enum nd_status nd_sqlite_image_write(struct nd_store *store,
                                     const struct nd_scope *scope,
                                     const struct nd_image_record *records,
                                     size_t count, struct nd_error *error)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    bool missing = false;
    nd_sqlite_begin(db, true);
    nd_sqlite_scope_load(db, scope, true, &row);
    nd_sqlite_tally_load(db, &row);
    for (size_t i = 0; i < count && !missing; i++) {
        const struct nd_image_record *record = &records[i];
        if (record->kind == ND_IMAGE_PROFILE)
            write_profile(db, scope, &record->of.profile);
        else if (record->kind == ND_IMAGE_SAMPLE)
            write_sample(db, &row, &record->of.sample);
        else if (record->kind == ND_IMAGE_MODEL)
            missing = !write_model(db, &row, &record->of.model);
        else if (record->kind == ND_IMAGE_JOURNAL)
            write_entry(db, &row, &record->of.entry);
        else if (record->kind == ND_IMAGE_STATE)
            write_state(&row, &record->of.state);
    }
    nd_sqlite_tally_save(db, &row);
    nd_sqlite_scope_save(db, &row);
    if (missing) /* what came before it must not stay */
        db->failed = nd_fail(&db->failure, ND_NO_INPUT,
                             "a model's blob must be uploaded before it");
    return nd_sqlite_end(db, ND_OK, error);
}
