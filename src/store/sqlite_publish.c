/* SPDX-License-Identifier: Apache-2.0
 *
 * Publishing a model in the SQLite file: one transaction checks token and
 * revision, adds the generation, moves the pointer, ends the samples that were
 * used up, writes the journal, frees the lease and drops what is over. A grant
 * publishes at most once; its journal entry answers every repeat.
 */
#include <string.h>

#include "store/sqlite_training.h"

/* A blob that nothing has pointed to for this long belongs to no upload that
 * is still under way. */
#define ORPHAN_MS (INT64_C(60) * 60 * 1000)

struct publishing {
    struct nd_sqlite *db;
    const struct nd_scope *scope;
    const struct nd_publish *publish;
    struct nd_sqlite_scope row;
    uint64_t blob_bytes;
    int64_t now_ms;
};

static bool find_blob(struct publishing *work)
{
    struct nd_sqlite *db = work->db;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_BLOB_EXISTS);
    (void)sqlite3_bind_int64(statement, 1, work->row.id);
    nd_sqlite_bind_blob(statement, 2, work->publish->digest, ND_DIGEST_BYTES);
    if (!nd_sqlite_row(db, statement))
        return false;
    work->blob_bytes = nd_sqlite_u64(statement, 0);
    (void)sqlite3_reset(statement);
    return true;
}

static void insert_model(struct publishing *work, uint64_t generation,
                         const char *origin)
{
    struct nd_sqlite *db = work->db;
    const struct nd_publish *publish = work->publish;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_MODEL_INSERT);
    (void)sqlite3_bind_int64(statement, 1, work->row.id);
    nd_sqlite_bind_u64(statement, 2, generation);
    nd_sqlite_bind_blob(statement, 3, publish->digest, ND_DIGEST_BYTES);
    nd_sqlite_bind_u64(statement, 4, work->blob_bytes);
    (void)sqlite3_bind_int64(statement, 5, work->now_ms);
    nd_sqlite_bind_blob(statement, 6, publish->profile,
                        ND_PROFILE_DIGEST_BYTES);
    nd_sqlite_bind_text(statement, 7, origin);
    nd_sqlite_run(db, statement);
    statement = nd_sqlite_statement(db, ND_SQL_BLOB_PUBLISHED);
    (void)sqlite3_bind_int64(statement, 1, work->row.id);
    nd_sqlite_bind_blob(statement, 2, publish->digest, ND_DIGEST_BYTES);
    nd_sqlite_run(db, statement);
}

static void mark_profile(struct publishing *work, uint64_t generation)
{
    struct nd_sqlite *db = work->db;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_PROFILE_TRAINED);
    nd_sqlite_bind_text(statement, 1, work->scope->rule);
    nd_sqlite_bind_text(statement, 2, work->scope->settings);
    nd_sqlite_bind_blob(statement, 3, work->publish->profile,
                        ND_PROFILE_DIGEST_BYTES);
    nd_sqlite_bind_u64(statement, 4, generation);
    nd_sqlite_run(db, statement);
}

/* Blobs that no generation has, but for one, and those of uploads that may
 * still be under way. */
static void drop_blobs(struct nd_sqlite *db, int64_t scope,
                       const uint8_t spared[ND_DIGEST_BYTES], int64_t now_ms)
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_BLOB_DROP);
    (void)sqlite3_bind_int64(statement, 1, scope);
    nd_sqlite_bind_blob(statement, 2, spared, ND_DIGEST_BYTES);
    (void)sqlite3_bind_int64(statement, 3, now_ms - ORPHAN_MS);
    nd_sqlite_run(db, statement);
}

/* Generations over keep go, the live one and those that hosts run excepted,
 * and blobs with them. */
static void drop_old(struct publishing *work)
{
    struct nd_sqlite *db = work->db;
    uint32_t keep = work->publish->keep > 0 ? work->publish->keep : 1;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_MODEL_DROP);
    (void)sqlite3_bind_int64(statement, 1, work->row.id);
    nd_sqlite_bind_u64(statement, 2, work->row.live);
    (void)sqlite3_bind_int64(statement, 3, keep);
    (void)sqlite3_bind_int64(statement, 4, work->now_ms - ND_HOST_RECENT_MS);
    nd_sqlite_run(db, statement);
    drop_blobs(db, work->row.id, work->publish->digest, work->now_ms);
}

static void go_live(struct publishing *work, uint64_t generation,
                    const char *origin)
{
    insert_model(work, generation, origin);
    mark_profile(work, generation);
    work->row.live = generation;
    work->row.revision++;
    drop_old(work);
}

static void begin(struct publishing *work, struct nd_store *store,
                  const struct nd_scope *scope,
                  const struct nd_publish *publish)
{
    memset(work, 0, sizeof(*work));
    work->db = (struct nd_sqlite *)store;
    work->scope = scope;
    work->publish = publish;
    nd_sqlite_begin(work->db, true);
    work->now_ms = nd_sqlite_clock(work->db);
    nd_sqlite_scope_load(work->db, scope, false, &work->row);
    nd_sqlite_tally_load(work->db, &work->row);
}

static enum nd_status end(struct publishing *work, enum nd_status outcome,
                          struct nd_error *error)
{
    nd_sqlite_tally_save(work->db, &work->row);
    nd_sqlite_scope_save(work->db, &work->row);
    return nd_sqlite_end(work->db, outcome, error);
}

static enum nd_status fail_blob(const struct publishing *work,
                                struct nd_error *error)
{
    return nd_fail(error, ND_NO_INPUT,
                   "no such model was uploaded to %s/%s: upload it first",
                   work->scope->rule, work->scope->settings);
}

static enum nd_status fail_superseded(const struct publishing *work,
                                      struct nd_error *error)
{
    return nd_fail(error, ND_SUPERSEDED,
                   "the live model of %s/%s was changed or pinned meanwhile",
                   work->scope->rule, work->scope->settings);
}

/* ---- publish ---- */

static enum nd_status supersede(struct publishing *work,
                                const struct nd_lease *lease,
                                struct nd_error *error)
{
    struct nd_sqlite_ending ending = {.token = lease->token,
                                      .kind = ND_ENDING_SUPERSEDED};
    struct nd_journal_entry entry = *work->publish->entry;
    entry.decision = ND_DECISION_REJECTED;
    entry.reason = "the live model was changed or pinned meanwhile";
    nd_sqlite_journal_add(work->db, &work->row, &ending, &entry);
    nd_sqlite_attempt_end(work->db, &work->row, false,
                          work->publish->watermark);
    return end(work, fail_superseded(work, error), error);
}

static enum nd_status publish_now(struct publishing *work,
                                  const struct nd_lease *lease,
                                  struct nd_error *error)
{
    const struct nd_publish *publish = work->publish;
    struct nd_sqlite_ending ending = {.token = lease->token,
                                      .kind = ND_ENDING_PUBLISHED};
    memcpy(ending.digest, publish->digest, ND_DIGEST_BYTES);
    go_live(work, lease->token, work->row.lease.holder);
    struct nd_sqlite_used used = {publish->consumed, publish->consumed_count,
                                  lease->token};
    nd_sqlite_consume(work->db, &work->row, &used);
    nd_sqlite_journal_add(work->db, &work->row, &ending, publish->entry);
    nd_sqlite_attempt_end(work->db, &work->row, true, publish->watermark);
    return end(work, ND_OK, error);
}

/* The first answer again, where this token's grant has ended already. */
static enum nd_status answer_repeat(struct publishing *work,
                                    const struct nd_sqlite_ending *ending,
                                    struct nd_error *error)
{
    bool same =
        memcmp(ending->digest, work->publish->digest, ND_DIGEST_BYTES) == 0;
    if (ending->kind == ND_ENDING_PUBLISHED && same)
        return nd_sqlite_end(work->db, ND_OK, error);
    if (ending->kind == ND_ENDING_SUPERSEDED)
        return nd_sqlite_end(work->db, fail_superseded(work, error), error);
    return nd_sqlite_end(work->db,
                         nd_fail(error, ND_LOST,
                                 "the lease of %s/%s is no longer ours: the "
                                 "model was not published",
                                 work->scope->rule, work->scope->settings),
                         error);
}

enum nd_status nd_sqlite_model_publish(struct nd_store *store,
                                       const struct nd_scope *scope,
                                       const struct nd_lease *lease,
                                       const struct nd_publish *publish,
                                       struct nd_error *error,
                                       uint64_t *generation_r)
{
    struct publishing work;
    struct nd_sqlite_ending ending;
    enum nd_status status;
    begin(&work, store, scope, publish);
    nd_sqlite_ending_find(work.db, work.row.id, lease->token, &ending);
    if (ending.kind != ND_ENDING_NONE ||
        !nd_rules_lease_held(&work.row.lease, lease))
        status = answer_repeat(&work, &ending, error);
    else if (!find_blob(&work))
        status = nd_sqlite_end(work.db, fail_blob(&work, error), error);
    else if (work.row.pinned || work.row.revision != publish->judged_revision)
        status = supersede(&work, lease, error);
    else
        status = publish_now(&work, lease, error);
    if (status == ND_OK)
        *generation_r = lease->token;
    return status;
}

/* ---- import ---- */

/* Whether the live model is this very blob, imported: then this is a repeat. */
static bool is_imported(struct publishing *work)
{
    struct nd_sqlite *db = work->db;
    struct nd_sqlite_ending ending;
    nd_sqlite_ending_find(db, work->row.id, work->row.live, &ending);
    return ending.kind == ND_ENDING_IMPORTED &&
           memcmp(ending.digest, work->publish->digest, ND_DIGEST_BYTES) == 0;
}

/* An import takes a token as its generation, so numbers stay in one order. It
 * is an operator's word: it is not judged against a revision, but a pin holds
 * against it too. */
enum nd_status nd_sqlite_model_import(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const struct nd_publish *publish,
                                      struct nd_error *error,
                                      uint64_t *generation_r)
{
    struct publishing work;
    enum nd_status status;
    begin(&work, store, scope, publish);
    if (!find_blob(&work)) {
        status = nd_sqlite_end(work.db, fail_blob(&work, error), error);
    } else if (is_imported(&work)) {
        status = nd_sqlite_end(work.db, ND_OK, error);
    } else if (work.row.pinned) {
        status = nd_sqlite_end(work.db, fail_superseded(&work, error), error);
    } else {
        struct nd_sqlite_ending ending = {.token = ++work.row.token,
                                          .kind = ND_ENDING_IMPORTED};
        memcpy(ending.digest, publish->digest, ND_DIGEST_BYTES);
        go_live(&work, ending.token, "import");
        nd_sqlite_journal_add(work.db, &work.row, &ending, publish->entry);
        status = end(&work, ND_OK, error);
    }
    if (status == ND_OK)
        *generation_r = work.row.live;
    return status;
}

/* ---- expiry ---- */

enum nd_status nd_sqlite_model_expire(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      int64_t expire_ms, struct nd_error *error,
                                      uint64_t *count_r)
{
    static const uint8_t none[ND_DIGEST_BYTES];
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_sqlite_scope row;
    int dropped = 0;
    nd_sqlite_begin(db, true);
    int64_t now_ms = nd_sqlite_clock(db);
    nd_sqlite_scope_load(db, scope, false, &row);
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_MODEL_EXPIRE);
    (void)sqlite3_bind_int64(statement, 1, row.id);
    nd_sqlite_bind_u64(statement, 2, row.live);
    (void)sqlite3_bind_int64(statement, 3, now_ms - expire_ms);
    (void)sqlite3_bind_int64(statement, 4, now_ms - ND_HOST_RECENT_MS);
    nd_sqlite_run(db, statement);
    if (db->failed == ND_OK)
        dropped = sqlite3_changes(db->handle);
    if (dropped > 0)
        drop_blobs(db, row.id, none, now_ms);
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK)
        *count_r = (uint64_t)dropped;
    return status;
}
