/* SPDX-License-Identifier: Apache-2.0
 *
 * Profiles in the SQLite file: the sets of symbols that a rule has met, newest
 * use first. Order is a counter, not the clock, so two uses within one
 * millisecond, or a clock that jumped, cannot mix up the ranks. Trimming a
 * profile drops only this view: samples and models belong to the scope.
 */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite_core.h"

/* ---- symbols: names, each ended by a NUL ---- */

static void pack_symbols(const struct nd_profile *profile,
                         struct nd_buffer *packed)
{
    for (uint32_t i = 0; i < profile->symbol_count; i++)
        nd_buffer_append(packed, profile->symbols[i],
                         strlen(profile->symbols[i]) + 1);
}

static void unpack_symbols(struct nd_sqlite *db, const char *data,
                           size_t length, struct nd_arena *arena,
                           struct nd_profile *profile)
{
    if (length > 0 && data[length - 1] != '\0') {
        nd_sqlite_damaged(db, "a profile's symbols are cut off");
        return;
    }
    uint32_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += data[i] == '\0';
    const char **symbols =
        nd_arena_take(arena, ((size_t)count + 1) * sizeof(*symbols));
    const char *copy = nd_arena_strndup(arena, length == 0 ? "" : data, length);
    for (uint32_t i = 0; i < count; i++) {
        symbols[i] = copy;
        copy += strlen(copy) + 1;
    }
    profile->symbols = symbols;
    profile->symbol_count = count;
}

/* ---- register and touch ---- */

static bool touch(struct nd_sqlite *db, const char *rule, const char *settings,
                  const uint8_t digest[ND_PROFILE_DIGEST_BYTES])
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_PROFILE_TOUCH);
    nd_sqlite_bind_text(statement, 1, rule);
    nd_sqlite_bind_text(statement, 2, settings);
    nd_sqlite_bind_blob(statement, 3, digest, ND_PROFILE_DIGEST_BYTES);
    (void)sqlite3_bind_int64(statement, 4, nd_sqlite_clock(db));
    nd_sqlite_run(db, statement);
    return sqlite3_changes(db->handle) > 0;
}

static void add(struct nd_sqlite *db, const char *rule,
                const struct nd_profile *profile)
{
    struct nd_buffer packed = {0};
    pack_symbols(profile, &packed);
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_PROFILE_ADD);
    nd_sqlite_bind_text(statement, 1, rule);
    nd_sqlite_bind_text(statement, 2, profile->settings);
    nd_sqlite_bind_blob(statement, 3, profile->digest, ND_PROFILE_DIGEST_BYTES);
    nd_sqlite_bind_blob(statement, 4, packed.data, packed.length);
    (void)sqlite3_bind_int64(statement, 5, nd_sqlite_clock(db));
    nd_sqlite_run(db, statement);
    nd_buffer_free(&packed);
}

/* Drops a profile, by whatever conditions the statement has. */
static void drop(struct nd_sqlite *db, enum nd_sql which, const char *rule,
                 const char *settings,
                 const uint8_t digest[ND_PROFILE_DIGEST_BYTES])
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, which);
    nd_sqlite_bind_text(statement, 1, rule);
    nd_sqlite_bind_text(statement, 2, settings);
    nd_sqlite_bind_blob(statement, 3, digest, ND_PROFILE_DIGEST_BYTES);
    nd_sqlite_run(db, statement);
}

static bool is_leased(const struct nd_sqlite_scope *row, int64_t now_ms)
{
    return !nd_rules_lease_open(&row->lease, row->lease_length_ms, now_ms);
}

/* The profile before the last growth is of no use, unless a model was or may
 * yet be trained for it. */
static void drop_outgrown(struct nd_sqlite *db, const char *rule,
                          const struct nd_profile *profile)
{
    struct nd_scope scope = {rule, profile->settings};
    struct nd_sqlite_scope row;
    nd_sqlite_scope_load(db, &scope, false, &row);
    if (!is_leased(&row, nd_sqlite_clock(db)))
        drop(db, ND_SQL_PROFILE_OUTGROWN, rule, profile->settings,
             profile->grown_from);
}

enum nd_status nd_sqlite_profile_register(struct nd_store *store,
                                          const char *rule,
                                          const struct nd_profile *profile,
                                          struct nd_error *error,
                                          bool *created_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    nd_sqlite_begin(db, true);
    bool known = touch(db, rule, profile->settings, profile->digest);
    if (!known)
        add(db, rule, profile);
    if (profile->grown_from != NULL)
        drop_outgrown(db, rule, profile);
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK)
        *created_r = !known;
    return status;
}

enum nd_status nd_sqlite_profile_touch(
    struct nd_store *store, const char *rule, const char *settings,
    const uint8_t digest[ND_PROFILE_DIGEST_BYTES], struct nd_error *error)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    nd_sqlite_begin(db, true);
    enum nd_status outcome = ND_OK;
    if (!touch(db, rule, settings, digest))
        outcome =
            nd_fail(error, ND_NO_INPUT,
                    "no such profile under %s/%s: register it", rule, settings);
    return nd_sqlite_end(db, outcome, error);
}

/* ---- list ---- */

struct profile_list {
    struct nd_profile *items;
    size_t count, capacity;
};

static struct nd_profile *append(struct profile_list *list)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        list->items =
            nd_realloc(list->items, list->capacity, sizeof(*list->items));
    }
    struct nd_profile *item = &list->items[list->count++];
    memset(item, 0, sizeof(*item));
    return item;
}

static void load_list(struct nd_sqlite *db, const char *rule,
                      struct nd_arena *arena, struct profile_list *list)
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_PROFILE_LIST);
    nd_sqlite_bind_text(statement, 1, rule);
    while (nd_sqlite_row(db, statement)) {
        struct nd_profile *profile = append(list);
        nd_sqlite_text(statement, 0, profile->settings, ND_NAME_BYTES);
        nd_sqlite_blob(db, statement, 1, profile->digest,
                       ND_PROFILE_DIGEST_BYTES);
        unpack_symbols(db, sqlite3_column_blob(statement, 2),
                       (size_t)sqlite3_column_bytes(statement, 2), arena,
                       profile);
        profile->used_ms = sqlite3_column_int64(statement, 3);
        profile->generation = nd_sqlite_u64(statement, 4);
    }
}

/* Hands the list over to the caller's arena. */
static enum nd_status give_list(struct profile_list *list,
                                enum nd_status status, struct nd_arena *arena,
                                const struct nd_profile **profiles_r,
                                size_t *count_r)
{
    if (status == ND_OK) {
        size_t bytes = list->count * sizeof(*list->items);
        struct nd_profile *items = nd_arena_take(arena, bytes + 1);
        if (bytes > 0)
            memcpy(items, list->items, bytes);
        *profiles_r = items;
        *count_r = list->count;
    }
    free(list->items);
    return status;
}

enum nd_status nd_sqlite_profile_list(struct nd_store *store, const char *rule,
                                      struct nd_arena *arena,
                                      struct nd_error *error,
                                      const struct nd_profile **profiles_r,
                                      size_t *count_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct profile_list list = {0};
    nd_sqlite_begin(db, false);
    load_list(db, rule, arena, &list);
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    return give_list(&list, status, arena, profiles_r, count_r);
}

/* ---- trim ---- */

/* Nothing is dropped from under a training, a recent user, or the hosts that
 * serve its model. */
static bool is_in_use(struct nd_sqlite *db, const char *rule,
                      const struct nd_profile *profile, int64_t recent_ms,
                      int64_t now_ms)
{
    int64_t age_ms = now_ms - profile->used_ms;
    if (age_ms < recent_ms && age_ms > -recent_ms)
        return true;
    struct nd_scope scope = {rule, profile->settings};
    struct nd_sqlite_scope row;
    nd_sqlite_scope_load(db, &scope, false, &row);
    if (is_leased(&row, now_ms))
        return true;
    return profile->generation != 0 && profile->generation == row.live;
}

/* Whether keep newer profiles of the same settings stand before item. */
static bool is_over(const struct profile_list *list, size_t item, uint32_t keep)
{
    uint32_t newer = 0;
    for (size_t i = 0; i < item; i++)
        newer +=
            strcmp(list->items[i].settings, list->items[item].settings) == 0;
    return newer >= keep;
}

enum nd_status nd_sqlite_profile_trim(struct nd_store *store, const char *rule,
                                      uint32_t keep, int64_t recent_ms,
                                      struct nd_arena *arena,
                                      struct nd_error *error,
                                      const struct nd_profile **dropped_r,
                                      size_t *count_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct profile_list list = {0};
    struct profile_list dropped = {0};
    nd_sqlite_begin(db, true);
    int64_t now_ms = nd_sqlite_clock(db);
    load_list(db, rule, arena, &list);
    for (size_t i = 0; i < list.count && db->failed == ND_OK; i++) {
        if (!is_over(&list, i, keep) ||
            is_in_use(db, rule, &list.items[i], recent_ms, now_ms))
            continue;
        drop(db, ND_SQL_PROFILE_DELETE, rule, list.items[i].settings,
             list.items[i].digest);
        *append(&dropped) = list.items[i];
    }
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    free(list.items);
    return give_list(&dropped, status, arena, dropped_r, count_r);
}
