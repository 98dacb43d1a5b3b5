/* SPDX-License-Identifier: Apache-2.0
 *
 * Making a new SQLite file. It is built whole under another name and then put
 * in place, so that no process ever meets a half made store, whoever dies
 * when, and of two that make it at once one wins.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite_file.h"

static void build(struct nd_sqlite *db, const char *file)
{
    char mark[64];
    nd_sqlite_connect(db, file, SQLITE_OPEN_READWRITE);
    (void)snprintf(mark, sizeof(mark), "PRAGMA application_id = %d",
                   ND_SQLITE_APPLICATION_ID);
    nd_sqlite_pragma(db, mark);
    if (db->failed == ND_OK)
        (void)nd_sqlite_migrate(db, nd_sqlite_migrations, ND_STORE_VERSION,
                                &db->failure);
    nd_sqlite_pragma(db, "PRAGMA journal_mode = WAL");
    nd_sqlite_disconnect(db);
}

static enum nd_status put_in_place(const char *file, const char *path,
                                   struct nd_error *error)
{
    if (renameat2(AT_FDCWD, file, AT_FDCWD, path, RENAME_NOREPLACE) == 0 ||
        errno == EEXIST)
        return ND_OK;
    if ((errno == EINVAL || errno == ENOSYS) &&
        (link(file, path) == 0 || errno == EEXIST))
        return ND_OK;
    return nd_fail_errno(error, "%s: cannot make a store", path);
}

/* So that the new name survives a power cut. */
static void sync_folder(const char *path)
{
    char *folder = nd_strdup(path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[1] = '\0';
    int descriptor =
        open(slash == NULL ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        (void)close(descriptor);
    }
    free(folder);
}

static enum nd_status explain_new(const char *path, struct nd_error *error)
{
    if (errno == ENOENT)
        return nd_fail(error, ND_NO_INPUT,
                       "%s: no such folder to make the store in: make it first",
                       path);
    return nd_fail_errno(error, "%s: cannot make a store in this folder", path);
}

enum nd_status nd_sqlite_create(struct nd_sqlite *db, struct nd_error *error)
{
    if (nd_sqlite_has_log(db) && access(db->path, F_OK) != 0)
        return nd_fail(error, ND_DATA,
                       "%s-wal: what is left of a store whose file is gone: "
                       "bring %s back, or move the -wal file away",
                       db->path, db->path);
    char *file = nd_sprintf("%s.new-XXXXXX", db->path);
    int descriptor = mkostemp(file, O_CLOEXEC); /* mode 0600 */
    if (descriptor < 0) {
        enum nd_status status = explain_new(db->path, error);
        free(file);
        return status;
    }
    (void)close(descriptor);
    build(db, file);
    enum nd_status status = db->failed;
    if (status != ND_OK && error != NULL)
        *error = db->failure;
    if (status == ND_OK)
        status = put_in_place(file, db->path, error);
    (void)unlink(file);
    if (status == ND_OK)
        sync_folder(db->path);
    free(file);
    return status;
}
