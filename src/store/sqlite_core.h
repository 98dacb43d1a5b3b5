/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the SQLite backend share: the handle, transactions,
 * statements and the row of a scope.
 *
 * The first failure inside a transaction is remembered in the handle; every
 * later statement of that transaction does nothing, and nd_sqlite_end rolls
 * back and reports it. So an operation reads as a list of steps.
 */
#ifndef ND_STORE_SQLITE_CORE_H
#define ND_STORE_SQLITE_CORE_H

#include <sqlite3.h>

#include "base/random.h"
#include "store/backend.h"
#include "store/rules.h"
#include "store/sqlite.h"
#include "store/sqlite_statements.h"

#define ND_SQLITE_APPLICATION_ID 0x4e447374 /* "NDst" */

enum nd_sql {
#define ND_SQL_ENUM(name, text) ND_SQL_##name,
    ND_SQL_MAP(ND_SQL_ENUM)
#undef ND_SQL_ENUM
        ND_SQL_COUNT
};

/* What tells whether a file has changed. */
struct nd_sqlite_stamp {
    int64_t changed_s, changed_ns, size;
    uint64_t number;
};

struct nd_sqlite {
    struct nd_store base; /* first: a struct nd_store * is one of these */
    sqlite3 *handle;
    char *path;
    bool read_only;
    int64_t timeout_ms;
    struct nd_sqlite_options options;
    const atomic_bool *interrupt; /* may be NULL */
    int64_t busy_since_us;        /* when the lock was first found taken */
    int64_t seen_version, seen_revisions; /* of nd_sqlite_wait_change */
    struct nd_random random;
    sqlite3_stmt *statements[ND_SQL_COUNT];
    bool no_room;   /* for the memory that connections share beside the file */
    bool immutable; /* read without locks, as long as stamp is the file's */
    struct nd_sqlite_stamp stamp;

    /* of the transaction under way */
    bool in_transaction;
    enum nd_status failed; /* ND_OK while all went well */
    struct nd_error failure;
};

/* ---- transactions (sqlite_core.c) ---- */

/* Begins a transaction to read, or (write) one that holds the write lock. */
void nd_sqlite_begin(struct nd_sqlite *db, bool write);

/* Ends it. Where a statement failed: rolls back and answers that failure.
 * Else commits, and answers outcome, whose words are already in error. */
enum nd_status nd_sqlite_end(struct nd_sqlite *db, enum nd_status outcome,
                             struct nd_error *error);

/* The store's clock. Inside a write transaction it is read after the lock was
 * taken, so that times are in the order of commits. */
int64_t nd_sqlite_clock(const struct nd_sqlite *db);

/* A prepared statement, reset and without values; NULL after a failure, which
 * sqlite3_bind_* and sqlite3_column_* take without harm. */
sqlite3_stmt *nd_sqlite_statement(struct nd_sqlite *db, enum nd_sql which);

/* Steps to the next row: false at the end and after a failure. */
bool nd_sqlite_row(struct nd_sqlite *db, sqlite3_stmt *statement);

/* Runs a statement that answers nothing. */
void nd_sqlite_run(struct nd_sqlite *db, sqlite3_stmt *statement);

/* Remembers SQLite's last error as the transaction's failure, once. */
void nd_sqlite_failed(struct nd_sqlite *db, int code);

/* Remembers that the file's contents cannot be right. */
void nd_sqlite_damaged(struct nd_sqlite *db, const char *what);

/* The status of one of SQLite's codes and a sentence with path and remedy. */
enum nd_status nd_sqlite_explain(struct nd_sqlite *db, int code,
                                 struct nd_error *error);

/* ---- values ---- */

/* As sqlite3_bind_*; what data points to must stay until the statement ran. */
void nd_sqlite_bind_blob(sqlite3_stmt *statement, int index, const void *data,
                         size_t length);
void nd_sqlite_bind_text(sqlite3_stmt *statement, int index, const char *text);
void nd_sqlite_bind_u64(sqlite3_stmt *statement, int index, uint64_t value);
/* The bits of a column's integer. */
uint64_t nd_sqlite_u64(sqlite3_stmt *statement, int column);

/* Copies a blob of exactly length bytes; else the file is damaged and data_r
 * zeroed. */
void nd_sqlite_blob(struct nd_sqlite *db, sqlite3_stmt *statement, int column,
                    void *data_r, size_t length);
/* Copies text, cut to size - 1 bytes. */
void nd_sqlite_text(sqlite3_stmt *statement, int column, char *text_r,
                    size_t size);

/* ---- scopes (sqlite_scope.c) ---- */

/* What is counted for a scope. Numbers are written into the file: never change
 * or reuse one. Events only ever grow; TALLY_PRESENT and TALLY_BYTES go both
 * ways. */
enum nd_tally {
    ND_TALLY_PRESENT = 0, /* + label * 4 + source: samples present */
    ND_TALLY_BYTES = 8,   /* payload bytes of samples present */
    ND_TALLY_STORED = 16,
    ND_TALLY_RELABELLED = 17,
    ND_TALLY_MERGED = 18,
    ND_TALLY_DUPLICATE = 19,
    ND_TALLY_REPLACED = 20,
    ND_TALLY_FORGOTTEN = 21,
    ND_TALLY_CONSUMED = 22,
    ND_TALLY_REFUSED = 32, /* + enum nd_refusal */
    ND_TALLY_COUNT = 64,
};

struct nd_sqlite_scope {
    int64_t id;         /* 0: the store has never heard of it */
    uint64_t sequence;  /* changes so far; a sample keeps the number of the
                           change that stored it */
    uint64_t attempted; /* sequence that the last training had seen */
    int64_t attempt_ms;
    uint32_t failures;
    uint64_t token; /* the last one given */
    struct nd_lease lease;
    int64_t lease_length_ms;
    uint64_t progress;
    uint64_t live, revision;
    bool pinned;
    uint8_t key_id[ND_KEY_ID_BYTES];
    int64_t tally[ND_TALLY_COUNT];
    int64_t tally_before[ND_TALLY_COUNT]; /* as loaded */
};

/* Loads a scope, all zero where there is none; with make it is made. */
void nd_sqlite_scope_load(struct nd_sqlite *db, const struct nd_scope *scope,
                          bool make, struct nd_sqlite_scope *row_r);
/* Saves all of it but the tallies. */
void nd_sqlite_scope_save(struct nd_sqlite *db,
                          const struct nd_sqlite_scope *row);
/* The scope's tallies, and back what changed of them. */
void nd_sqlite_tally_load(struct nd_sqlite *db, struct nd_sqlite_scope *row);
void nd_sqlite_tally_save(struct nd_sqlite *db,
                          const struct nd_sqlite_scope *row);
/* Samples present by class, and by class and source (may be NULL). */
void nd_sqlite_counts(const struct nd_sqlite_scope *row, uint64_t count_r[2],
                      uint64_t sources_r[2][ND_SOURCE_COUNT]);

/* ---- samples (sqlite_sample.c) ---- */

/* A present sample, without its payload. */
struct nd_sqlite_sample {
    struct nd_sample_info info;
    int64_t bytes;
};
/* Fills sample_r with the present sample of identity; false if it is not. */
bool nd_sqlite_sample_find(struct nd_sqlite *db, int64_t scope,
                           const uint8_t identity[ND_IDENTITY_BYTES],
                           struct nd_sqlite_sample *sample_r);
/* A tombstone. generation is that of the training that consumed the sample,
 * else 0. */
struct nd_sqlite_fate {
    struct nd_known known;
    uint64_t version;
    int64_t ended_ms;
    uint64_t generation;
};
/* Fills fate_r with identity's tombstone; ND_FATE_UNKNOWN where it has none. */
void nd_sqlite_fate_find(struct nd_sqlite *db, int64_t scope,
                         const uint8_t identity[ND_IDENTITY_BYTES],
                         struct nd_sqlite_fate *fate_r);
void nd_sqlite_fate_put(struct nd_sqlite *db, int64_t scope,
                        const uint8_t identity[ND_IDENTITY_BYTES],
                        const struct nd_sqlite_fate *fate);
/* The tombstone of a sample that ends now, with its own label and version. */
struct nd_sqlite_fate nd_sqlite_fate_of(const struct nd_sample_info *info,
                                        enum nd_fate fate, int64_t now_ms);
/* Ends a present sample: its row and payload go, fate stays, tallies change. */
void nd_sqlite_sample_end(struct nd_sqlite *db, struct nd_sqlite_scope *row,
                          const struct nd_sqlite_sample *sample,
                          const struct nd_sqlite_fate *fate);
/* Where the payload of a scope's sample lies. */
int64_t nd_sqlite_payload_key(int64_t scope, uint64_t sequence);

/* What a training used up, and the generation that it was for. */
struct nd_sqlite_used {
    const struct nd_sample_info *samples;
    size_t count;
    uint64_t generation;
};
/* Ends the samples of used whose version is unchanged as consumed. */
void nd_sqlite_consume(struct nd_sqlite *db, struct nd_sqlite_scope *row,
                       const struct nd_sqlite_used *used);

/* ---- the file (sqlite_schema.c, sqlite_open.c) ---- */

struct nd_sqlite_migration {
    const char *sql; /* brings a file from the version before to this one */
};
/* Brings the file's user_version up to count, each step in a transaction of
 * its own; ND_VERSION where it is higher. */
enum nd_status nd_sqlite_migrate(struct nd_sqlite *db,
                                 const struct nd_sqlite_migration *steps,
                                 uint32_t count, struct nd_error *error);
extern const struct nd_sqlite_migration nd_sqlite_migrations[ND_STORE_VERSION];

/* Closes handle and statements, frees db. */
void nd_sqlite_close(struct nd_store *store);
/* Connects anew a file that is read as it is for want of room, now that it is
 * to be written; ND_FULL where there still is none. */
void nd_sqlite_regain(struct nd_sqlite *db);

/* Connects anew where an immutable file has changed after all. */
void nd_sqlite_refresh(struct nd_sqlite *db);
extern const struct nd_backend nd_sqlite_backend;

/* ---- the operations, as in backend.h ---- */

#include "store/sqlite_operations.h"

#endif
