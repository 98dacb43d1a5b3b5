/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a sample may enter the SQLite file at all: it must have been hashed
 * with the right key, and encoded under names that are a prefix of this
 * store's registry (docs/protocol.md, point 7), or it would be read under
 * other names later. Quota and labels are decided after this.
 */
#include <string.h>

#include "store/sqlite_batch.h"

static bool registry_has(struct nd_sqlite *db, const char *rule,
                         uint32_t length, const uint8_t *digest)
{
    static const uint8_t zero[ND_DIGEST_BYTES];
    if (length == 0)
        return memcmp(digest, zero, ND_DIGEST_BYTES) == 0;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_REGISTRY_DIGEST);
    nd_sqlite_bind_text(statement, 1, rule);
    (void)sqlite3_bind_int64(statement, 2, (int64_t)length - 1);
    if (!nd_sqlite_row(db, statement))
        return false;
    uint8_t own[ND_DIGEST_BYTES];
    nd_sqlite_blob(db, statement, 0, own, ND_DIGEST_BYTES);
    (void)sqlite3_reset(statement);
    return memcmp(own, digest, ND_DIGEST_BYTES) == 0;
}

static bool is_prefix(struct nd_sqlite_batch *batch,
                      const struct nd_sample_put *sample)
{
    if (!batch->pair_checked || batch->pair_length != sample->registry_length ||
        memcmp(batch->pair_digest, sample->registry_digest, ND_DIGEST_BYTES) !=
            0) {
        batch->pair_checked = true;
        batch->pair_length = sample->registry_length;
        memcpy(batch->pair_digest, sample->registry_digest, ND_DIGEST_BYTES);
        batch->pair_good =
            registry_has(batch->db, batch->rule, sample->registry_length,
                         sample->registry_digest);
    }
    return batch->pair_good;
}

static bool is_zero(const uint8_t id[ND_KEY_ID_BYTES])
{
    static const uint8_t zero[ND_KEY_ID_BYTES];
    return memcmp(id, zero, ND_KEY_ID_BYTES) == 0;
}

void nd_sqlite_note_key(struct nd_sqlite_batch *batch,
                        const struct nd_sample_put *sample)
{
    if (!is_zero(sample->key_id))
        memcpy(batch->row.key_id, sample->key_id, ND_KEY_ID_BYTES);
}

/* The store's own key decides; with a key file outside of the store, the key
 * of the samples that the scope holds does. */
static bool has_right_key(const struct nd_sqlite_batch *batch,
                          const struct nd_sample_put *sample)
{
    if (is_zero(sample->key_id))
        return true;
    if (batch->has_store_key)
        return memcmp(sample->key_id, batch->store_key_id, ND_KEY_ID_BYTES) ==
               0;
    uint64_t count[2];
    nd_sqlite_counts(&batch->row, count, NULL);
    return is_zero(batch->row.key_id) || count[0] + count[1] == 0 ||
           memcmp(sample->key_id, batch->row.key_id, ND_KEY_ID_BYTES) == 0;
}

void nd_sqlite_admit_prepare(struct nd_sqlite_batch *batch)
{
    struct nd_sqlite *db = batch->db;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_KEY_GET);
    if (!nd_sqlite_row(db, statement))
        return;
    struct nd_key key;
    uint8_t secret[ND_KEY_BYTES];
    nd_sqlite_blob(db, statement, 0, secret, ND_KEY_BYTES);
    (void)sqlite3_reset(statement);
    nd_key_from_secret(secret, &key);
    memcpy(batch->store_key_id, key.id, ND_KEY_ID_BYTES);
    batch->has_store_key = true;
    nd_wipe(secret, sizeof(secret));
    nd_wipe(&key, sizeof(key));
}

enum nd_refusal nd_sqlite_admit(struct nd_sqlite_batch *batch,
                                const struct nd_sample_put *sample)
{
    if (!has_right_key(batch, sample))
        return ND_REFUSED_KEY;
    return is_prefix(batch, sample) ? ND_REFUSED_NONE : ND_REFUSED_REGISTRY;
}
