/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry of a rule in the SQLite file: names to slots, only ever
 * growing, with the chain digest after each slot, so that any prefix can be
 * checked by one look. Known names are answered without the write lock.
 */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite_core.h"

struct registry_end {
    uint32_t length;
    uint8_t digest[ND_DIGEST_BYTES];
};

static struct registry_end load_end(struct nd_sqlite *db, const char *rule)
{
    struct registry_end end = {0};
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_REGISTRY_END);
    nd_sqlite_bind_text(statement, 1, rule);
    if (!nd_sqlite_row(db, statement))
        return end;
    end.length = (uint32_t)sqlite3_column_int64(statement, 0) + 1;
    nd_sqlite_blob(db, statement, 1, end.digest, ND_DIGEST_BYTES);
    (void)sqlite3_reset(statement);
    return end;
}

static uint32_t find_slot(struct nd_sqlite *db, const char *rule,
                          const char *name)
{
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_REGISTRY_FIND);
    nd_sqlite_bind_text(statement, 1, rule);
    nd_sqlite_bind_text(statement, 2, name);
    if (!nd_sqlite_row(db, statement))
        return ND_STORE_NO_SLOT;
    uint32_t slot = (uint32_t)sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement);
    return slot;
}

/* D(n) = BLAKE2b-256(D(n-1) || name), D(0) is zero. */
static void extend_digest(uint8_t digest[ND_DIGEST_BYTES], const char *name)
{
    struct nd_digest_state state;
    nd_digest_begin(&state, NULL, ND_DIGEST_BYTES);
    nd_digest_add(&state, digest, ND_DIGEST_BYTES);
    nd_digest_add(&state, name, strlen(name));
    nd_digest_end(&state, digest, ND_DIGEST_BYTES);
}

static uint32_t add_name(struct nd_sqlite *db, const char *rule,
                         const char *name, struct registry_end *end)
{
    extend_digest(end->digest, name);
    uint32_t slot = end->length++;
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_REGISTRY_ADD);
    nd_sqlite_bind_text(statement, 1, rule);
    (void)sqlite3_bind_int64(statement, 2, slot);
    nd_sqlite_bind_text(statement, 3, name);
    nd_sqlite_bind_blob(statement, 4, end->digest, ND_DIGEST_BYTES);
    nd_sqlite_run(db, statement);
    return slot;
}

struct wanted {
    const char *rule;
    const char *const *names;
    size_t count;
    uint32_t max_names;
};

/* Looks all names up and (grow) gives slots to new ones. Answers how many have
 * none though there is room for them. */
static size_t take_slots(struct nd_sqlite *db, const struct wanted *wanted,
                         bool grow, uint32_t *slots, struct registry_end *end)
{
    size_t missing = 0;
    *end = load_end(db, wanted->rule);
    for (size_t i = 0; i < wanted->count && db->failed == ND_OK; i++) {
        slots[i] = find_slot(db, wanted->rule, wanted->names[i]);
        if (slots[i] != ND_STORE_NO_SLOT || end->length >= wanted->max_names)
            continue;
        if (grow)
            slots[i] = add_name(db, wanted->rule, wanted->names[i], end);
        else
            missing++;
    }
    return missing;
}

enum nd_status nd_sqlite_registry_slots(
    struct nd_store *store, const char *rule, const char *const *names,
    size_t count, uint32_t max_names, struct nd_error *error, uint32_t *slots_r,
    uint32_t *length_r, uint8_t digest_r[ND_DIGEST_BYTES])
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    struct wanted wanted = {rule, names, count, max_names};
    struct registry_end end;
    uint32_t *slots = nd_calloc(count, sizeof(*slots));
    nd_sqlite_begin(db, false);
    size_t missing = take_slots(db, &wanted, false, slots, &end);
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK && missing > 0) {
        nd_sqlite_begin(db, true);
        (void)take_slots(db, &wanted, true, slots, &end);
        status = nd_sqlite_end(db, ND_OK, error);
    }
    if (status == ND_OK) {
        if (count > 0)
            memcpy(slots_r, slots, count * sizeof(*slots));
        *length_r = end.length;
        memcpy(digest_r, end.digest, ND_DIGEST_BYTES);
    }
    free(slots);
    return status;
}

/* Copies the names from slot first on; a hole would be a lost slot. */
static const char **list_names(struct nd_sqlite *db, const char *rule,
                               uint32_t first, struct nd_arena *arena,
                               uint32_t *count_r)
{
    uint32_t length = load_end(db, rule).length;
    uint32_t count = length > first ? length - first : 0;
    const char **names = nd_arena_take(arena, (count + 1) * sizeof(*names));
    sqlite3_stmt *statement = nd_sqlite_statement(db, ND_SQL_REGISTRY_LIST);
    nd_sqlite_bind_text(statement, 1, rule);
    (void)sqlite3_bind_int64(statement, 2, first);
    for (uint32_t i = 0; i < count; i++) {
        bool found = nd_sqlite_row(db, statement);
        const char *name =
            found ? (const char *)sqlite3_column_text(statement, 1) : NULL;
        if (name == NULL ||
            sqlite3_column_int64(statement, 0) != (int64_t)first + i) {
            nd_sqlite_damaged(db, "a slot of the registry is missing");
            break;
        }
        names[i] = nd_arena_strndup(arena, name, strlen(name));
    }
    *count_r = count;
    return names;
}

enum nd_status nd_sqlite_registry_read(struct nd_store *store, const char *rule,
                                       uint32_t first, struct nd_arena *arena,
                                       struct nd_error *error,
                                       const char *const **names_r,
                                       uint32_t *count_r)
{
    struct nd_sqlite *db = (struct nd_sqlite *)store;
    uint32_t count = 0;
    nd_sqlite_begin(db, false);
    const char **names = list_names(db, rule, first, arena, &count);
    enum nd_status status = nd_sqlite_end(db, ND_OK, error);
    if (status == ND_OK) {
        *names_r = names;
        *count_r = count;
    }
    return status;
}
