/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening the SQLite file: what else may lie at the path is told apart and
 * named before anything is written. A file of a later version is recognised
 * through a connection that cannot write at all. Folders are never made.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite_file.h"

#define DEFAULT_TIMEOUT_MS 5000
#define WAL_LIMIT_BYTES 67108864

static struct nd_sqlite *new_handle(const char *path,
                                    const struct nd_store_options *options)
{
    struct nd_sqlite *db = nd_calloc(1, sizeof(*db));
    db->base.backend = &nd_sqlite_backend;
    /* SQLite takes some words for more than a file name; ./ in front of them
     * makes them one */
    db->path = nd_sprintf("%s%s", path[0] == '/' ? "" : "./", path);
    db->read_only = options->read_only;
    db->timeout_ms =
        options->timeout_ms > 0 ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    if (db->timeout_ms > INT_MAX)
        db->timeout_ms = INT_MAX;
    if (options->backend != NULL)
        db->options = *(const struct nd_sqlite_options *)options->backend;
    db->interrupt = options->interrupt;
    uint64_t seed = options->random_seed;
    if (seed == 0)
        nd_random_system(&seed, sizeof(seed));
    nd_random_seed(&db->random, seed);
    return db;
}

void nd_sqlite_close(struct nd_store *store)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    nd_sqlite_disconnect(db);
    free(db->path);
    free(db);
}

/* ---- is it a store, and may it be used? ---- */

static enum nd_status check_access(const struct nd_sqlite *db,
                                   struct nd_error *error)
{
    if (faccessat(AT_FDCWD, db->path, R_OK, AT_EACCESS) != 0)
        return nd_fail(error, ND_PERMISSION,
                       "%s: the store cannot be read: make it readable for "
                       "this user",
                       db->path);
    if (db->read_only)
        return ND_OK;
    if (faccessat(AT_FDCWD, db->path, W_OK, AT_EACCESS) != 0 ||
        !nd_sqlite_folder_allows(db->path, W_OK | X_OK))
        return nd_fail(error, ND_PERMISSION,
                       "%s: the store cannot be written: make the file and its "
                       "folder writable for this user",
                       db->path);
    return ND_OK;
}

static enum nd_status check_file(const struct nd_sqlite *db,
                                 struct nd_error *error)
{
    struct stat facts;
    if (stat(db->path, &facts) != 0)
        return nd_fail_errno(error, "%s: no store there", db->path);
    if (S_ISDIR(facts.st_mode))
        return nd_fail(error, ND_DATA,
                       "%s: is a folder: name a file in it, such as "
                       "%s/neurald.db",
                       db->path, db->path);
    if (!S_ISREG(facts.st_mode))
        return nd_fail(error, ND_DATA, "%s: is no file: name another",
                       db->path);
    if (facts.st_size == 0)
        return nd_fail(error, ND_DATA,
                       "%s: is empty, not a neurald store: move it away, and "
                       "a new one can be made",
                       db->path);
    return check_access(db, error);
}

static enum nd_status fail_version(const struct nd_sqlite *db, int64_t version,
                                   struct nd_error *error)
{
    return nd_fail(error, ND_VERSION,
                   "%s: a store of version %lld, this neurald knows %d: use "
                   "the neurald that wrote it, or a later one",
                   db->path, (long long)version, ND_STORE_VERSION);
}

/* Looks at the header alone. Only a clear "later version" counts: the page may
 * be written by another process at this moment. */
static enum nd_status probe(struct nd_sqlite *db, struct nd_error *error)
{
    nd_sqlite_connect_immutable(db);
    int64_t application = nd_sqlite_pragma_number(db, "PRAGMA application_id");
    int64_t version = nd_sqlite_pragma_number(db, "PRAGMA user_version");
    bool later = db->failed == ND_OK &&
                 application == ND_SQLITE_APPLICATION_ID &&
                 version > ND_STORE_VERSION;
    nd_sqlite_disconnect(db);
    return later ? fail_version(db, version, error) : ND_OK;
}

static enum nd_status check_kind(struct nd_sqlite *db, struct nd_error *error)
{
    int64_t application = nd_sqlite_pragma_number(db, "PRAGMA application_id");
    int64_t version = nd_sqlite_pragma_number(db, "PRAGMA user_version");
    if (db->failed != ND_OK) {
        if (error != NULL)
            *error = db->failure;
        return db->failed;
    }
    if (application != ND_SQLITE_APPLICATION_ID || version < 1)
        return nd_fail(error, ND_DATA,
                       "%s: another program's database, not a neurald store: "
                       "name another file",
                       db->path);
    if (version > ND_STORE_VERSION)
        return fail_version(db, version, error);
    if (version < ND_STORE_VERSION && db->read_only)
        return nd_fail(error, ND_PERMISSION,
                       "%s: a store of version %lld must be brought up to %d: "
                       "open it once for writing",
                       db->path, (long long)version, ND_STORE_VERSION);
    return ND_OK;
}

/* ---- opening ---- */

static void set_limits(struct nd_sqlite *db)
{
    char text[64];
    if (db->read_only)
        return;
    (void)snprintf(text, sizeof(text), "PRAGMA journal_size_limit = %d",
                   WAL_LIMIT_BYTES);
    nd_sqlite_pragma(db, text);
    (void)snprintf(text, sizeof(text), "PRAGMA max_page_count = %u",
                   db->options.max_pages);
    if (db->options.max_pages > 0)
        nd_sqlite_pragma(db, text);
}

static enum nd_status settle(struct nd_sqlite *db, struct nd_error *error)
{
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0,
                            NULL);
    set_limits(db);
    if (db->failed != ND_OK && error != NULL)
        *error = db->failure;
    return db->failed;
}

/* Until the file is known to be ours, closing it must not write to it. */
static enum nd_status connect(struct nd_sqlite *db, struct nd_error *error)
{
    nd_sqlite_connect_for_use(db);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                            NULL);
    return check_kind(db, error);
}

static enum nd_status open_existing(struct nd_sqlite *db,
                                    struct nd_error *error)
{
    enum nd_status status = check_file(db, error);
    if (status == ND_OK)
        status = probe(db, error);
    if (status != ND_OK)
        return status;
    status = connect(db, error);
    if (status == ND_FULL && !nd_sqlite_has_log(db)) {
        nd_sqlite_disconnect(db);
        db->no_room = true;
        status = connect(db, error);
    }
    if (status == ND_OK)
        status = nd_sqlite_migrate(db, nd_sqlite_migrations, ND_STORE_VERSION,
                                   error);
    return status == ND_OK ? settle(db, error) : status;
}

/* The first look at the file is what needs room: for the memory that
 * connections share. */
void nd_sqlite_regain(struct nd_sqlite *db)
{
    nd_sqlite_disconnect(db);
    db->no_room = false;
    nd_sqlite_connect_for_use(db);
    set_limits(db);
    (void)nd_sqlite_pragma_number(db, "PRAGMA user_version");
    if (db->failed != ND_FULL)
        return;
    struct nd_error failure = db->failure;
    nd_sqlite_disconnect(db);
    db->no_room = true;
    nd_sqlite_connect_for_use(db);
    db->failed = ND_FULL;
    db->failure = failure;
}

static bool is_missing(const char *path)
{
    struct stat facts;
    return stat(path, &facts) != 0 && errno == ENOENT;
}

enum nd_status nd_sqlite_open(const char *path,
                              const struct nd_store_options *options,
                              struct nd_error *error, struct nd_store **store_r)
{
    struct nd_sqlite *db = new_handle(path, options);
    enum nd_status status = ND_OK;
    if (is_missing(db->path)) {
        if (options->create && !options->read_only)
            status = nd_sqlite_create(db, error);
        else
            status = nd_fail(error, ND_NO_INPUT,
                             "%s: no store there: learn something first, or "
                             "name the right one",
                             db->path);
    }
    if (status == ND_OK)
        status = open_existing(db, error);
    if (status != ND_OK) {
        nd_sqlite_close(&db->base);
        return status;
    }
    *store_r = &db->base;
    return ND_OK;
}
