/* SPDX-License-Identifier: Apache-2.0
 *
 * Hears of new generations in the SQLite file by looking: several times a
 * second at SQLite's own number of changes, which costs next to nothing, and
 * only when that moved at the revisions of all live pointers.
 */
#include <time.h>

#include "base/clock.h"
#include "store/sqlite_file.h"

#define GLANCE_US INT64_C(100000)

static enum nd_status read_revisions(struct nd_sqlite *db,
                                     struct nd_error *error, int64_t *sum_r)
{
    nd_sqlite_begin(db, false);
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_SCOPE_REVISIONS);
    int64_t sum = 0;
    if (nd_sqlite_row(db, statement))
        sum = sqlite3_column_int64(statement, 0);
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK)
        *sum_r = sum;
    return status;
}

/* Whether a pointer moved since the last look; the first look says so too,
 * since what came before it was not seen. */
static enum nd_status look(struct nd_sqlite *db, struct nd_error *error,
                           bool *changed_r)
{
    int64_t version = nd_sqlite_pragma_number(db, "PRAGMA data_version");
    int64_t sum;
    if (db->failed != ND_OK) {
        *error = db->failure;
        return db->failed;
    }
    /* a file that is read without locks has no such number */
    if (version == db->seen_version && !db->immutable)
        return ND_OK;
    enum nd_status status = read_revisions(db, error, &sum);
    if (status == ND_OK) {
        *changed_r = db->seen_version == 0 || sum != db->seen_revisions;
        db->seen_version = version;
        db->seen_revisions = sum;
    }
    return status;
}

static bool is_interrupted(const struct nd_sqlite *db)
{
    return db->interrupt != NULL && atomic_load(db->interrupt);
}

enum nd_status nd_sqlite_wait_change(struct nd_store *store, int64_t timeout_ms,
                                     struct nd_error *error, bool *changed_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct nd_error own = {""};
    int64_t end_us = nd_clock_monotonic_us() + timeout_ms * 1000;
    bool changed = false;
    db->failed = ND_OK;
    for (;;) {
        enum nd_status status = look(db, &own, &changed);
        if (status != ND_OK)
            return nd_fail(error, status, "%s", own.text);
        int64_t left_us = end_us - nd_clock_monotonic_us();
        if (changed || left_us <= 0 || is_interrupted(db))
            break;
        left_us = left_us < GLANCE_US ? left_us : GLANCE_US;
        struct timespec pause = {0, left_us * 1000};
        (void)nanosleep(&pause, NULL);
    }
    *changed_r = changed;
    return ND_OK;
}
