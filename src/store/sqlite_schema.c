/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of the SQLite file and the steps that bring an older file up to
 * date. Each step is one transaction that also raises user_version, so a
 * crash leaves a file of some version, never between two. Steps that have been
 * released are never edited; a change is a new step.
 */
#include "store/sqlite_file.h"

/* Version 1. Names and comments of the columns: docs/formats/sqlite.md. */
#define SCHEMA_1                                                              \
    "CREATE TABLE setting("                                                   \
    " name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"     \
    "CREATE TABLE scope("                                                     \
    " id INTEGER PRIMARY KEY, rule TEXT NOT NULL, settings TEXT NOT NULL,"    \
    " sequence INTEGER NOT NULL DEFAULT 0,"                                   \
    " attempted INTEGER NOT NULL DEFAULT 0,"                                  \
    " attempt_ms INTEGER NOT NULL DEFAULT 0,"                                 \
    " failures INTEGER NOT NULL DEFAULT 0,"                                   \
    " token INTEGER NOT NULL DEFAULT 0,"                                      \
    " lease_token INTEGER NOT NULL DEFAULT 0,"                                \
    " lease_nonce BLOB NOT NULL DEFAULT (zeroblob(16)),"                      \
    " lease_holder TEXT NOT NULL DEFAULT '',"                                 \
    " lease_since_ms INTEGER NOT NULL DEFAULT 0,"                             \
    " lease_until_ms INTEGER NOT NULL DEFAULT 0,"                             \
    " lease_length_ms INTEGER NOT NULL DEFAULT 0,"                            \
    " lease_progress INTEGER NOT NULL DEFAULT 0,"                             \
    " live INTEGER NOT NULL DEFAULT 0,"                                       \
    " revision INTEGER NOT NULL DEFAULT 0,"                                   \
    " pinned INTEGER NOT NULL DEFAULT 0,"                                     \
    " key_id BLOB NOT NULL DEFAULT (zeroblob(8)),"                            \
    " UNIQUE(rule, settings)) STRICT;"                                        \
    "CREATE TABLE tally("                                                     \
    " scope INTEGER NOT NULL, kind INTEGER NOT NULL, value INTEGER NOT NULL," \
    " PRIMARY KEY(scope, kind)) STRICT, WITHOUT ROWID;"                       \
    "CREATE TABLE sample("                                                    \
    " scope INTEGER NOT NULL, identity BLOB NOT NULL,"                        \
    " sequence INTEGER NOT NULL, version INTEGER NOT NULL,"                   \
    " label INTEGER NOT NULL, source INTEGER NOT NULL,"                       \
    " time_ms INTEGER NOT NULL, label_ms INTEGER NOT NULL,"                   \
    " bytes INTEGER NOT NULL,"                                                \
    " PRIMARY KEY(scope, identity)) STRICT, WITHOUT ROWID;"                   \
    "CREATE UNIQUE INDEX sample_by_class ON sample(scope, label, sequence);"  \
    "CREATE TABLE payload("                                                   \
    " id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"                    \
    "CREATE TABLE fate("                                                      \
    " scope INTEGER NOT NULL, identity BLOB NOT NULL, fate INTEGER NOT NULL," \
    " version INTEGER NOT NULL, label INTEGER NOT NULL,"                      \
    " source INTEGER NOT NULL, label_ms INTEGER NOT NULL,"                    \
    " ended_ms INTEGER NOT NULL, generation INTEGER NOT NULL,"                \
    " PRIMARY KEY(scope, identity)) STRICT, WITHOUT ROWID;"                   \
    "CREATE TABLE registry("                                                  \
    " rule TEXT NOT NULL, slot INTEGER NOT NULL, name TEXT NOT NULL,"         \
    " digest BLOB NOT NULL,"                                                  \
    " PRIMARY KEY(rule, slot)) STRICT, WITHOUT ROWID;"                        \
    "CREATE UNIQUE INDEX registry_by_name ON registry(rule, name);"           \
    "CREATE TABLE profile("                                                   \
    " rule TEXT NOT NULL, settings TEXT NOT NULL, digest BLOB NOT NULL,"      \
    " symbols BLOB NOT NULL, used_ms INTEGER NOT NULL,"                       \
    " used_order INTEGER NOT NULL, generation INTEGER NOT NULL DEFAULT 0,"    \
    " PRIMARY KEY(rule, settings, digest)) STRICT;"                           \
    "CREATE INDEX profile_by_use ON profile(used_order);"                     \
    "CREATE TABLE blob("                                                      \
    " id INTEGER PRIMARY KEY, scope INTEGER NOT NULL, digest BLOB NOT NULL,"  \
    " uploaded_ms INTEGER NOT NULL, published INTEGER NOT NULL DEFAULT 0,"    \
    " data BLOB NOT NULL, UNIQUE(scope, digest)) STRICT;"                     \
    "CREATE TABLE model("                                                     \
    " scope INTEGER NOT NULL, generation INTEGER NOT NULL,"                   \
    " digest BLOB NOT NULL, bytes INTEGER NOT NULL,"                          \
    " published_ms INTEGER NOT NULL, profile BLOB NOT NULL,"                  \
    " origin TEXT NOT NULL,"                                                  \
    " PRIMARY KEY(scope, generation)) STRICT, WITHOUT ROWID;"                 \
    "CREATE TABLE journal("                                                   \
    " id INTEGER PRIMARY KEY, scope INTEGER NOT NULL,"                        \
    " time_ms INTEGER NOT NULL, token INTEGER NOT NULL,"                      \
    " ending INTEGER NOT NULL, decision INTEGER NOT NULL,"                    \
    " holder TEXT NOT NULL, reason TEXT NOT NULL, figures TEXT NOT NULL,"     \
    " digest BLOB) STRICT;"                                                   \
    "CREATE INDEX journal_by_scope ON journal(scope, id);"                    \
    "CREATE UNIQUE INDEX journal_by_token ON journal(scope, token);"          \
    "CREATE TABLE host("                                                      \
    " scope INTEGER NOT NULL, host TEXT NOT NULL,"                            \
    " generation INTEGER NOT NULL, seen_ms INTEGER NOT NULL,"                 \
    " PRIMARY KEY(scope, host)) STRICT, WITHOUT ROWID;"

const struct nd_sqlite_migration nd_sqlite_migrations[ND_STORE_VERSION] = {
    {SCHEMA_1},
};

/* Another process may have taken the step while this one waited for the lock:
 * the version is read again inside. */
static void take_step(struct nd_sqlite *db, const char *sql, uint32_t version)
{
    nd_sqlite_pragma(db, "BEGIN IMMEDIATE");
    if (db->failed != ND_OK)
        return;
    if (nd_sqlite_pragma_number(db, "PRAGMA user_version") ==
        (int64_t)version - 1) {
        char raise[64];
        (void)sqlite3_snprintf((int)sizeof(raise), raise,
                               "PRAGMA user_version = %u", version);
        nd_sqlite_pragma(db, sql);
        nd_sqlite_pragma(db, raise);
    }
    nd_sqlite_pragma(db, "COMMIT");
    if (db->failed != ND_OK)
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

enum nd_status nd_sqlite_migrate(struct nd_sqlite *db,
                                 const struct nd_sqlite_migration *steps,
                                 uint32_t count, struct nd_error *error)
{
    db->failed = ND_OK;
    int64_t version = nd_sqlite_pragma_number(db, "PRAGMA user_version");
    if (db->failed == ND_OK && version > (int64_t)count)
        return nd_fail(error, ND_VERSION,
                       "%s: a store of version %lld, this neurald knows %u: "
                       "use the neurald that wrote it, or a later one",
                       db->path, (long long)version, count);
    for (; db->failed == ND_OK && version < (int64_t)count; version++)
        take_step(db, steps[version].sql, (uint32_t)version + 1);
    if (db->failed != ND_OK && error != NULL)
        *error = db->failure;
    return db->failed;
}
