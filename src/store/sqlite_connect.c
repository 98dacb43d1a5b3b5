/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections to the SQLite file. Most take part in SQLite's locking. A reader
 * who may not write beside the file, or has no room to, cannot, and reads it as
 * it is as long as no log waits there; when somebody else has begun to write,
 * it connects anew.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <fcntl.h>

#include "base/clock.h"
#include "store/sqlite_file.h"

#define STEPS_A_CHECK 10000 /* of SQLite's machine */

void nd_sqlite_disconnect(struct nd_sqlite *db)
{
    for (size_t i = 0; i < ND_SQL_COUNT; i++) {
        (void)sqlite3_finalize(db->statements[i]);
        db->statements[i] = NULL;
    }
    (void)sqlite3_close(db->handle);
    db->handle = NULL;
}

void nd_sqlite_pragma(struct nd_sqlite *db, const char *sql)
{
    if (db->failed != ND_OK)
        return;
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        nd_sqlite_failed(db, code);
}

int64_t nd_sqlite_pragma_number(struct nd_sqlite *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int64_t number = -1;
    if (db->failed != ND_OK)
        return number;
    int code = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);
    if (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    code = code == SQLITE_OK ? sqlite3_finalize(statement) : code;
    if (code != SQLITE_OK)
        nd_sqlite_failed(db, code);
    return number;
}

static bool is_interrupted(const struct nd_sqlite *db)
{
    return db->interrupt != NULL && atomic_load(db->interrupt);
}

/* Called while others hold the lock: 0 gives up. */
static int wait_for_lock(void *context, int count)
{
    struct nd_sqlite *db = context;
    int64_t now_us = nd_clock_monotonic_us();
    struct timespec pause = {0, count < 5 ? 1000000L << count : 50000000L};
    if (count == 0)
        db->busy_since_us = now_us;
    if (is_interrupted(db) ||
        now_us - db->busy_since_us >= db->timeout_ms * 1000)
        return 0;
    (void)nanosleep(&pause, NULL);
    return 1;
}

/* Called now and then in a long statement: not 0 ends it. */
static int check_interrupt(void *context)
{
    return is_interrupted(context);
}

void nd_sqlite_connect(struct nd_sqlite *db, const char *file, int flags)
{
    db->failed = ND_OK;
    db->immutable = false;
    int code = sqlite3_open_v2(
        file, &db->handle,
        flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (code != SQLITE_OK) {
        nd_sqlite_failed(db, code);
        return;
    }
    (void)sqlite3_extended_result_codes(db->handle, 1);
    (void)sqlite3_busy_handler(db->handle, wait_for_lock, db);
    if (db->interrupt != NULL)
        sqlite3_progress_handler(db->handle, STEPS_A_CHECK, check_interrupt,
                                 db);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0,
                            NULL);
    nd_sqlite_pragma(db, "PRAGMA cell_size_check = ON");
    nd_sqlite_pragma(db, "PRAGMA synchronous = FULL");
    nd_sqlite_pragma(db, "PRAGMA temp_store = MEMORY");
}

/* ---- without a lock ---- */

static char *immutable_uri(const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
    struct nd_buffer uri = {0};
    nd_buffer_append_text(&uri, "file:");
    for (const char *byte = path; *byte != '\0'; byte++) {
        if (strchr(plain, *byte) != NULL)
            nd_buffer_u8(&uri, (uint8_t)*byte);
        else
            nd_buffer_printf(&uri, "%%%02X", (unsigned char)*byte);
    }
    nd_buffer_append_text(&uri, "?immutable=1");
    return (char *)uri.data;
}

void nd_sqlite_connect_immutable(struct nd_sqlite *db)
{
    char *uri = immutable_uri(db->path);
    nd_sqlite_connect(db, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    free(uri);
}

bool nd_sqlite_folder_allows(const char *path, int mode)
{
    char *folder = nd_strdup(path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[1] = '\0';
    bool allowed = faccessat(AT_FDCWD, slash == NULL ? "." : folder, mode,
                             AT_EACCESS) == 0;
    free(folder);
    return allowed;
}

bool nd_sqlite_has_log(const struct nd_sqlite *db)
{
    char *name = nd_sprintf("%s-wal", db->path);
    struct stat facts;
    bool found = stat(name, &facts) == 0 && facts.st_size > 0;
    free(name);
    return found;
}

static struct nd_sqlite_stamp stamp_of(const struct nd_sqlite *db)
{
    struct nd_sqlite_stamp stamp = {0};
    struct stat facts;
    if (stat(db->path, &facts) == 0) {
        stamp.changed_s = (int64_t)facts.st_mtim.tv_sec;
        stamp.changed_ns = (int64_t)facts.st_mtim.tv_nsec;
        stamp.size = (int64_t)facts.st_size;
        stamp.number = (uint64_t)facts.st_ino;
    }
    return stamp;
}

void nd_sqlite_connect_for_use(struct nd_sqlite *db)
{
    bool locks =
        !db->no_room &&
        (!db->read_only || nd_sqlite_folder_allows(db->path, W_OK | X_OK));
    if (!locks && !nd_sqlite_has_log(db)) {
        struct nd_sqlite_stamp stamp = stamp_of(db);
        nd_sqlite_connect_immutable(db);
        db->immutable = true;
        db->stamp = stamp;
        return;
    }
    nd_sqlite_connect(db, db->path,
                      db->read_only ? SQLITE_OPEN_READONLY
                                    : SQLITE_OPEN_READWRITE);
}

void nd_sqlite_refresh(struct nd_sqlite *db)
{
    struct nd_sqlite_stamp stamp = stamp_of(db);
    if (!nd_sqlite_has_log(db) &&
        memcmp(&stamp, &db->stamp, sizeof(stamp)) == 0)
        return;
    nd_sqlite_disconnect(db);
    nd_sqlite_connect_for_use(db);
}
