/* SPDX-License-Identifier: Apache-2.0
 *
 * A batch of puts under way in the SQLite backend: one write transaction over
 * one scope. Private to sqlite_put.c, sqlite_admit.c and sqlite_room.c.
 */
#ifndef ND_STORE_SQLITE_BATCH_H
#define ND_STORE_SQLITE_BATCH_H

#include "store/sqlite_core.h"

struct nd_sqlite_batch {
    struct nd_sqlite *db;
    const char *rule;
    struct nd_sqlite_scope row;
    const struct nd_quota *quota;
    int64_t now_ms;
    uint8_t store_key_id[ND_KEY_ID_BYTES];
    bool has_store_key;
    /* the registry pair that was checked last */
    bool pair_checked, pair_good;
    uint32_t pair_length;
    uint8_t pair_digest[ND_DIGEST_BYTES];
};

/* Learns the store's key id, for nd_sqlite_admit. */
void nd_sqlite_admit_prepare(struct nd_sqlite_batch *batch);

/* Whether sample can be read under this store's key and registry: else the
 * reason that it is refused for. */
enum nd_refusal nd_sqlite_admit(struct nd_sqlite_batch *batch,
                                const struct nd_sample_put *sample);

/* Remembers that the scope holds features hashed with sample's key. */
void nd_sqlite_note_key(struct nd_sqlite_batch *batch,
                        const struct nd_sample_put *sample);

/* Drops samples of the class until one more fits into the reservoir. True if
 * it dropped any; identity_r (untouched if not) names the first. */
bool nd_sqlite_make_room(struct nd_sqlite_batch *batch, enum nd_class label,
                         uint8_t identity_r[ND_IDENTITY_BYTES]);

#endif
