/* SPDX-License-Identifier: Apache-2.0
 *
 * Migrations: each step once, whole or not at all, and never downwards.
 */
#include "store_folder.h"

#include "store/sqlite_file.h"

static const struct nd_sqlite_migration steps[] = {
    {"CREATE TABLE one(x); INSERT INTO one VALUES(1);"},
    {"CREATE TABLE two(x); INSERT INTO two SELECT x + 1 FROM one;"},
    {"CREATE TABLE three(x); INSERT INTO no_such_table VALUES(3);"},
};

/* A bare handle on an empty database at folder->store. */
static struct nd_sqlite connect_bare(struct folder *folder)
{
    struct nd_sqlite db = {.path = folder->store, .timeout_ms = 1000};
    folder_sql(folder->store, "PRAGMA journal_mode = WAL");
    nd_sqlite_connect(&db, folder->store, SQLITE_OPEN_READWRITE);
    assert_int_equal(db.failed, ND_OK);
    return db;
}

static int64_t number(struct nd_sqlite *db, const char *sql)
{
    db->failed = ND_OK;
    return nd_sqlite_pragma_number(db, sql);
}

static void each_step_is_taken_once(void **state)
{
    struct folder *folder = *state;
    struct nd_sqlite db = connect_bare(folder);
    assert_int_equal(nd_sqlite_migrate(&db, steps, 1, &folder->error), ND_OK);
    assert_int_equal(number(&db, "PRAGMA user_version"), 1);
    assert_int_equal(nd_sqlite_migrate(&db, steps, 1, &folder->error), ND_OK);
    assert_int_equal(nd_sqlite_migrate(&db, steps, 2, &folder->error), ND_OK);
    assert_int_equal(number(&db, "PRAGMA user_version"), 2);
    assert_int_equal(number(&db, "SELECT sum(x) FROM two"), 2);
    nd_sqlite_disconnect(&db);
}

static void a_step_that_fails_leaves_the_version_before(void **state)
{
    struct folder *folder = *state;
    struct nd_sqlite db = connect_bare(folder);
    assert_int_not_equal(nd_sqlite_migrate(&db, steps, 3, &folder->error),
                         ND_OK);
    assert_non_null(strstr(folder->error.text, folder->store));
    assert_int_equal(number(&db, "PRAGMA user_version"), 2);
    assert_int_equal(
        number(&db, "SELECT count(*) FROM sqlite_schema WHERE name = 'three'"),
        0);
    assert_int_equal(sqlite3_get_autocommit(db.handle), 1);
    nd_sqlite_disconnect(&db);
}

static void a_step_that_another_took_meanwhile_is_not_repeated(void **state)
{
    struct folder *folder = *state;
    struct nd_sqlite first = connect_bare(folder);
    struct nd_sqlite second = connect_bare(folder);
    assert_int_equal(nd_sqlite_migrate(&first, steps, 2, &folder->error),
                     ND_OK);
    assert_int_equal(nd_sqlite_migrate(&second, steps, 2, &folder->error),
                     ND_OK);
    assert_int_equal(number(&second, "SELECT count(*) FROM one"), 1);
    nd_sqlite_disconnect(&first);
    nd_sqlite_disconnect(&second);
}

static void a_higher_version_is_refused(void **state)
{
    struct folder *folder = *state;
    struct nd_sqlite db = connect_bare(folder);
    assert_int_equal(nd_sqlite_migrate(&db, steps, 2, &folder->error), ND_OK);
    assert_int_equal(nd_sqlite_migrate(&db, steps, 1, &folder->error),
                     ND_VERSION);
    assert_int_equal(number(&db, "PRAGMA user_version"), 2);
    nd_sqlite_disconnect(&db);
}

static void a_new_store_has_the_newest_version_and_our_mark(void **state)
{
    struct folder *folder = *state;
    struct nd_store *store = folder_open(folder);
    nd_store_close(&store);
    struct nd_sqlite db = {.path = folder->store, .timeout_ms = 1000};
    nd_sqlite_connect(&db, folder->store, SQLITE_OPEN_READWRITE);
    assert_int_equal(number(&db, "PRAGMA user_version"), ND_STORE_VERSION);
    assert_int_equal(number(&db, "PRAGMA application_id"),
                     ND_SQLITE_APPLICATION_ID);
    assert_int_equal(number(&db, "PRAGMA synchronous"), 2);
    nd_sqlite_disconnect(&db);
}

int main(void)
{
#define test(name) \
    cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        test(each_step_is_taken_once),
        test(a_step_that_fails_leaves_the_version_before),
        test(a_step_that_another_took_meanwhile_is_not_repeated),
        test(a_higher_version_is_refused),
        test(a_new_store_has_the_newest_version_and_our_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
