/* SPDX-License-Identifier: Apache-2.0
 *
 * How a grant ends in the SQLite backend: shared by finish, publish and
 * import. Private to the backend.
 */
#ifndef ND_STORE_SQLITE_TRAINING_H
#define ND_STORE_SQLITE_TRAINING_H

#include "store/sqlite_core.h"

/* How the grant of a token ended. Numbers are written into the file. */
enum nd_ending {
    ND_ENDING_NONE = 0,
    ND_ENDING_FINISHED = 1,
    ND_ENDING_PUBLISHED = 2,
    ND_ENDING_SUPERSEDED = 3,
    ND_ENDING_IMPORTED = 4,
};

struct nd_sqlite_ending {
    uint64_t token;
    enum nd_ending kind;
    uint8_t digest[ND_DIGEST_BYTES]; /* of what was published, else zero */
};

/* Adds entry to the journal under ending's token, once a token. */
void nd_sqlite_journal_add(struct nd_sqlite *db,
                           const struct nd_sqlite_scope *row,
                           const struct nd_sqlite_ending *ending,
                           const struct nd_journal_entry *entry);
/* How token's grant ended; ND_ENDING_NONE if it has not, or long ago. */
void nd_sqlite_ending_find(struct nd_sqlite *db, int64_t scope, uint64_t token,
                           struct nd_sqlite_ending *ending_r);
/* Notes the attempt in row and frees the lease. */
void nd_sqlite_attempt_end(struct nd_sqlite *db, struct nd_sqlite_scope *row,
                           bool promoted, uint64_t watermark);

#endif
