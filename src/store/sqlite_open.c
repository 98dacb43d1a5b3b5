/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening the SQLite file, and making it. A new store is built whole under
 * another name and then linked into place, so no process ever meets a half
 * made one, and of two that make it at once one wins. A file of a later
 * version is recognised through a connection that cannot write at all, before
 * any other touches it. Folders are never made.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite_core.h"

#define DEFAULT_TIMEOUT_MS 5000
#define WAL_LIMIT_BYTES 67108864

/* ---- one connection ---- */

static const struct nd_backend sqlite_backend;

static struct nd_sqlite *new_handle(const char *path,
                                    const struct nd_store_options *options)
{
    struct nd_sqlite *db = nd_calloc(1, sizeof(*db));
    db->base.backend = &sqlite_backend;
    db->path = nd_strdup(path);
    db->read_only = options->read_only;
    db->timeout_ms =
        options->timeout_ms > 0 ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    if (db->timeout_ms > INT_MAX)
        db->timeout_ms = INT_MAX;
    if (options->backend != NULL)
        db->options = *(const struct nd_sqlite_options *)options->backend;
    uint64_t seed = options->random_seed;
    if (seed == 0)
        nd_random_system(&seed, sizeof(seed));
    nd_random_seed(&db->random, seed);
    return db;
}

static void disconnect(struct nd_sqlite *db)
{
    for (size_t i = 0; i < ND_SQL_COUNT; i++) {
        (void)sqlite3_finalize(db->statements[i]);
        db->statements[i] = NULL;
    }
    (void)sqlite3_close(db->handle);
    db->handle = NULL;
}

static void destroy(struct nd_sqlite *db)
{
    disconnect(db);
    free(db->path);
    free(db);
}

void nd_sqlite_close(struct nd_store *store)
{
    destroy((struct nd_sqlite *)store);
}

static void pragma(struct nd_sqlite *db, const char *sql)
{
    if (db->failed != ND_OK)
        return;
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        nd_sqlite_failed(db, code);
}

static int64_t pragma_number(struct nd_sqlite *db, const char *sql)
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

/* Opens file, which may be db->path or the one that is being built. */
static void connect(struct nd_sqlite *db, const char *file, int flags)
{
    db->failed = ND_OK;
    int code = sqlite3_open_v2(
        file, &db->handle,
        flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (code != SQLITE_OK) {
        nd_sqlite_failed(db, code);
        return;
    }
    (void)sqlite3_extended_result_codes(db->handle, 1);
    (void)sqlite3_busy_timeout(db->handle, (int)db->timeout_ms);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0,
                            NULL);
    pragma(db, "PRAGMA cell_size_check = ON");
    pragma(db, "PRAGMA synchronous = FULL");
    pragma(db, "PRAGMA temp_store = MEMORY");
}

/* ---- making a new one ---- */

static void build(struct nd_sqlite *db, const char *file)
{
    struct nd_error error;
    char mark[64];
    connect(db, file, SQLITE_OPEN_READWRITE);
    (void)snprintf(mark, sizeof(mark), "PRAGMA application_id = %d",
                   ND_SQLITE_APPLICATION_ID);
    pragma(db, mark);
    if (db->failed == ND_OK) {
        enum nd_status status = nd_sqlite_migrate(db, nd_sqlite_migrations,
                                                  ND_STORE_VERSION, &error);
        if (status != ND_OK)
            db->failure = error;
    }
    pragma(db, "PRAGMA journal_mode = WAL");
    enum nd_status built = db->failed;
    disconnect(db);
    db->failed = built;
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

static enum nd_status create(struct nd_sqlite *db, struct nd_error *error)
{
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

/* ---- opening one that is there ---- */

static bool folder_allows(const char *path, int mode)
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

static int64_t size_beside(const char *path, const char *suffix)
{
    char *name = nd_sprintf("%s%s", path, suffix);
    struct stat facts;
    int64_t size = stat(name, &facts) == 0 ? (int64_t)facts.st_size : 0;
    free(name);
    return size;
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
    int mode = db->read_only ? R_OK : R_OK | W_OK;
    if (faccessat(AT_FDCWD, db->path, mode, AT_EACCESS) != 0 ||
        (!db->read_only && !folder_allows(db->path, W_OK | X_OK)))
        return nd_fail(error, ND_PERMISSION,
                       "%s: the store cannot be %s: make the file%s this user",
                       db->path, db->read_only ? "read" : "written",
                       db->read_only ? " readable for"
                                     : " and its folder writable for");
    return ND_OK;
}

/* A URI for path: immutable, so that SQLite neither locks nor writes. */
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
    char *uri = immutable_uri(db->path);
    connect(db, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    int64_t application = pragma_number(db, "PRAGMA application_id");
    int64_t version = pragma_number(db, "PRAGMA user_version");
    bool later = db->failed == ND_OK &&
                 application == ND_SQLITE_APPLICATION_ID &&
                 version > ND_STORE_VERSION;
    disconnect(db);
    free(uri);
    return later ? fail_version(db, version, error) : ND_OK;
}

static enum nd_status check_kind(struct nd_sqlite *db, struct nd_error *error)
{
    int64_t application = pragma_number(db, "PRAGMA application_id");
    int64_t version = pragma_number(db, "PRAGMA user_version");
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

/* A reader who may not write beside the file cannot take part in its locking.
 * Where no log is waiting there, nobody writes, and it is read as it is. */
static bool needs_immutable(const struct nd_sqlite *db)
{
    return db->read_only && size_beside(db->path, "-wal") == 0 &&
           !folder_allows(db->path, W_OK | X_OK);
}

static void connect_for_use(struct nd_sqlite *db)
{
    if (needs_immutable(db)) {
        char *uri = immutable_uri(db->path);
        connect(db, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
        free(uri);
        return;
    }
    connect(db, db->path,
            db->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    if (db->failed == ND_OK)
        (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                                NULL);
}

static void settle(struct nd_sqlite *db)
{
    char text[64];
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0,
                            NULL);
    if (db->read_only)
        return;
    (void)snprintf(text, sizeof(text), "PRAGMA journal_size_limit = %d",
                   WAL_LIMIT_BYTES);
    pragma(db, text);
    if (db->options.max_pages == 0)
        return;
    (void)snprintf(text, sizeof(text), "PRAGMA max_page_count = %u",
                   db->options.max_pages);
    pragma(db, text);
}

static enum nd_status open_existing(struct nd_sqlite *db,
                                    struct nd_error *error)
{
    enum nd_status status = check_file(db, error);
    if (status == ND_OK)
        status = probe(db, error);
    if (status != ND_OK)
        return status;
    connect_for_use(db);
    status = check_kind(db, error);
    if (status == ND_OK)
        status = nd_sqlite_migrate(db, nd_sqlite_migrations, ND_STORE_VERSION,
                                   error);
    if (status != ND_OK)
        return status;
    settle(db);
    if (db->failed != ND_OK && error != NULL)
        *error = db->failure;
    return db->failed;
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
    /* SQLite takes some words for more than a file name; ./ in front of them
     * makes them one */
    char *plain = nd_sprintf("%s%s", path[0] == '/' ? "" : "./", path);
    struct nd_sqlite *db = new_handle(plain, options);
    free(plain);
    enum nd_status status = ND_OK;
    if (is_missing(db->path)) {
        if (options->create && !options->read_only)
            status = create(db, error);
        else
            status = nd_fail(error, ND_NO_INPUT,
                             "%s: no store there: learn something first, or "
                             "name the right one",
                             db->path);
    }
    if (status == ND_OK)
        status = open_existing(db, error);
    if (status != ND_OK) {
        destroy(db);
        return status;
    }
    *store_r = &db->base;
    return ND_OK;
}

/* ---- the installation's key ---- */

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

static const struct nd_backend sqlite_backend = {
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
    .count = nd_sqlite_count,
    .stats = nd_sqlite_stats,
    .journal = nd_sqlite_journal,
    .scopes = nd_sqlite_scopes,
    .host_report = nd_sqlite_host_report,
    .host_list = nd_sqlite_host_list,
    .maintain = nd_sqlite_maintain,
};
