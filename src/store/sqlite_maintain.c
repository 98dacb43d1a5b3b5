/* SPDX-License-Identifier: Apache-2.0
 *
 * Upkeep of the SQLite file: checks it whole, compares the counts that are
 * kept with the samples that are there, and drops what is no longer needed:
 * blobs that nothing points to, tombstones and host reports past their time.
 */
#include "store/sqlite_core.h"

struct upkeep {
    struct nd_sqlite *db;
    int64_t before_ms; /* what is older goes */
    void (*report)(const char *line, void *context);
    void *context;
    size_t defects;
};

static void say(const struct upkeep *upkeep, const char *line)
{
    if (upkeep->report != NULL)
        upkeep->report(line, upkeep->context);
}

static void check_file(struct upkeep *upkeep)
{
    struct nd_sqlite *db = upkeep->db;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_FILE_CHECK);
    while (nd_sqlite_row(db, statement)) {
        const char *line = (const char *)sqlite3_column_text(statement, 0);
        if (line == NULL || sqlite3_stricmp(line, "ok") == 0)
            continue;
        upkeep->defects++;
        say(upkeep, line);
    }
}

static void check_tallies(struct upkeep *upkeep)
{
    struct nd_sqlite *db = upkeep->db;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_TALLY_CHECK);
    while (nd_sqlite_row(db, statement)) {
        struct nd_buffer line = {0};
        nd_buffer_printf(&line, "%s/%s: count %d differs by %lld",
                         sqlite3_column_text(statement, 0),
                         sqlite3_column_text(statement, 1),
                         sqlite3_column_int(statement, 2),
                         (long long)sqlite3_column_int64(statement, 3));
        say(upkeep, (const char *)line.data);
        nd_buffer_free(&line);
        upkeep->defects++;
    }
}

static void report_old(struct upkeep *upkeep, enum nd_sql which,
                       const char *what)
{
    struct nd_sqlite *db = upkeep->db;
    sqlite3_stmt *statement = nd_sqlite_statement(db, which);
    (void)sqlite3_bind_int64(statement, 1, upkeep->before_ms);
    if (!nd_sqlite_row(db, statement))
        return;
    int64_t count = sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement);
    if (count == 0)
        return;
    struct nd_buffer line = {0};
    nd_buffer_printf(&line, "%lld %s", (long long)count, what);
    say(upkeep, (const char *)line.data);
    nd_buffer_free(&line);
}

static void delete_old(struct upkeep *upkeep, enum nd_sql which)
{
    sqlite3_stmt *statement = nd_sqlite_statement(upkeep->db, which);
    (void)sqlite3_bind_int64(statement, 1, upkeep->before_ms);
    nd_sqlite_run(upkeep->db, statement);
}

static void check_all(struct upkeep *upkeep)
{
    check_file(upkeep);
    check_tallies(upkeep);
    report_old(upkeep, ND_SQL_BLOB_COUNT_ORPHANS,
               "models that nothing points to");
    report_old(upkeep, ND_SQL_FATE_COUNT_OLD, "tombstones past their time");
    report_old(upkeep, ND_SQL_HOST_COUNT_OLD, "host reports past their time");
}

enum nd_status nd_sqlite_maintain(struct nd_store *store, int64_t keep_ms,
                                  bool dry_run,
                                  void (*report)(const char *line,
                                                 void *context),
                                  void *context, struct nd_error *error)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct upkeep upkeep = {.db = db,
                            .before_ms = nd_sqlite_clock(db) - keep_ms,
                            .report = report,
                            .context = context};
    nd_sqlite_begin(db, false);
    check_all(&upkeep);
    enum nd_status outcome = ND_OK;
    if (upkeep.defects > 0)
        outcome = nd_fail(error, ND_DATA,
                          "%s: the store is damaged (%zu defects): restore it "
                          "from a backup, or move it away and learn again",
                          db->path, upkeep.defects);
    enum nd_status status = nd_sqlite_end(db, outcome, error);
    if (status != ND_OK || dry_run)
        return status;
    nd_sqlite_begin(db, true);
    delete_old(&upkeep, ND_SQL_BLOB_DELETE_ALL_ORPHANS);
    delete_old(&upkeep, ND_SQL_FATE_DELETE_OLD);
    delete_old(&upkeep, ND_SQL_HOST_DELETE_OLD);
    return nd_sqlite_end(db, ND_OK, error);
}
