/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections to the SQLite file: how one is opened for its use, and how a new
 * file is made. Private to the backend.
 */
#ifndef ND_STORE_SQLITE_FILE_H
#define ND_STORE_SQLITE_FILE_H

#include "store/sqlite_core.h"

/* Opens a connection to file (db->path, or one that is being built), with
 * SQLite's flags; an older one must have been closed. Failures as those of a
 * transaction. */
void nd_sqlite_connect(struct nd_sqlite *db, const char *file, int flags);
/* A connection that neither locks nor writes anything, not even beside the
 * file: for a look, and where nobody can be writing. */
void nd_sqlite_connect_immutable(struct nd_sqlite *db);
/* Opens the connection that db's options ask for. */
void nd_sqlite_connect_for_use(struct nd_sqlite *db);
/* Closes it, and all statements. */
void nd_sqlite_disconnect(struct nd_sqlite *db);

/* Runs sql that answers nothing, unless something has failed before. */
void nd_sqlite_pragma(struct nd_sqlite *db, const char *sql);
/* The number that sql answers; -1 after a failure. */
int64_t nd_sqlite_pragma_number(struct nd_sqlite *db, const char *sql);

/* Whether this user may do what mode says (of access) in the folder of path. */
bool nd_sqlite_folder_allows(const char *path, int mode);

/* Whether a log with something in it lies beside the file. */
bool nd_sqlite_has_log(const struct nd_sqlite *db);

/* Makes an empty store at db->path, whole or not at all, unless another
 * process is faster. Its folder must be there. ND_DATA where the log of an
 * older file lies there still: SQLite would take it for the new one's. */
enum nd_status nd_sqlite_create(struct nd_sqlite *db,
                                struct nd_error *error) ND_MUST_CHECK;

#endif
