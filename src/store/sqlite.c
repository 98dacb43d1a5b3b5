/* SPDX-License-Identifier: Apache-2.0
 *
 * The SQLite backend as the front of the store sees it: its table of
 * operations. The installation's key lives here too, since it belongs to no
 * scope.
 */
#include <string.h>

#include "store/sqlite_core.h"

static bool load_key(struct nd_sqlite *db, uint8_t secret_r[ND_KEY_BYTES])
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_KEY_GET);
    if (!nd_sqlite_row(db, statement))
        return false;
    nd_sqlite_blob(db, statement, 0, secret_r, ND_KEY_BYTES);
    (void)sqlite3_reset(statement);
    return true;
}

static void store_key(struct nd_sqlite *db, const uint8_t secret[ND_KEY_BYTES])
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_KEY_SET);
    nd_sqlite_bind_blob(statement, 1, secret, ND_KEY_BYTES);
    nd_sqlite_run(db, statement);
}

enum nd_status nd_sqlite_key(struct nd_store *store,
                             const struct nd_key *candidate,
                             struct nd_error *error, struct nd_key *key_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    uint8_t secret[ND_KEY_BYTES];
    nd_sqlite_begin(db, false);
    bool found = load_key(db, secret);
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK && !found && candidate == NULL)
        return nd_fail(error, ND_NO_INPUT, "%s: the store has no key yet",
                       db->path);
    if (status == ND_OK && !found) {
        nd_sqlite_begin(db, true);
        if (!load_key(db, secret)) {
            memcpy(secret, candidate->secret, ND_KEY_BYTES);
            store_key(db, secret);
        }
        status = nd_sqlite_end(db, ND_OK, error);
    }
    if (status == ND_OK)
        nd_key_from_secret(secret, key_r);
    nd_wipe(secret, sizeof(secret));
    return status;
}

const struct nd_backend nd_sqlite_backend = {
    .name = "sqlite",
    .close = nd_sqlite_close,
    .now = nd_sqlite_now,
    .key = nd_sqlite_key,
    .put_many = nd_sqlite_put_many,
    .forget = nd_sqlite_forget,
    .forget_matching = nd_sqlite_forget_matching,
    .relabel = nd_sqlite_relabel,
    .snapshot = nd_sqlite_snapshot,
    .read = nd_sqlite_read,
    .find = nd_sqlite_find,
    .registry_slots = nd_sqlite_registry_slots,
    .registry_read = nd_sqlite_registry_read,
    .profile_register = nd_sqlite_profile_register,
    .profile_list = nd_sqlite_profile_list,
    .profile_touch = nd_sqlite_profile_touch,
    .profile_trim = nd_sqlite_profile_trim,
    .lease_acquire = nd_sqlite_lease_acquire,
    .lease_renew = nd_sqlite_lease_renew,
    .lease_release = nd_sqlite_lease_release,
    .lease_show = nd_sqlite_lease_show,
    .training_state = nd_sqlite_training_state,
    .training_finish = nd_sqlite_training_finish,
    .model_upload = nd_sqlite_model_upload,
    .model_publish = nd_sqlite_model_publish,
    .model_import = nd_sqlite_model_import,
    .model_current = nd_sqlite_model_current,
    .model_get = nd_sqlite_model_get,
    .model_list = nd_sqlite_model_list,
    .model_pin = nd_sqlite_model_pin,
    .model_expire = nd_sqlite_model_expire,
    .wait_change = nd_sqlite_wait_change,
    .image_read = nd_sqlite_image_read,
    .image_write = nd_sqlite_image_write,
    .count = nd_sqlite_count,
    .stats = nd_sqlite_stats,
    .journal = nd_sqlite_journal,
    .scopes = nd_sqlite_scopes,
    .host_report = nd_sqlite_host_report,
    .host_list = nd_sqlite_host_list,
    .maintain = nd_sqlite_maintain,
};
