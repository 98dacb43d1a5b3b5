/* SPDX-License-Identifier: Apache-2.0
 *
 * What else may lie where a store should be: each is told apart, named with a
 * remedy, and left as it was.
 */
#include "store_folder.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"

static const struct nd_store_options making = {.create = true};
static const struct nd_store_options writing = {.create = false};
static const struct nd_store_options reading = {.read_only = true};

/* Fails unless the last error names the path and says word. */
static void assert_says(const struct folder *folder, const char *word)
{
    if (strstr(folder->error.text, folder->path) == NULL ||
        strstr(folder->error.text, word) == NULL)
        fail_msg("'%s' lacks the path or '%s'", folder->error.text, word);
}

/* Opening in every way ends with wanted, and no byte changes. */
static void assert_untouched(struct folder *folder, enum nd_status wanted,
                             const char *word)
{
    const struct nd_store_options *ways[] = {&making, &writing, &reading};
    size_t length, length_after;
    uint8_t *before = folder_read(folder->store, &length);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(
            nd_status_name(folder_try(folder, folder->store, ways[i])),
            nd_status_name(wanted));
        assert_says(folder, word);
    }
    uint8_t *after = folder_read(folder->store, &length_after);
    assert_int_equal(length, length_after);
    assert_memory_equal(before, after, length);
    free(before);
    free(after);
}

static void fill(struct folder *folder, uint32_t count)
{
    struct nd_store *store = folder_open(folder);
    assert_int_equal(folder_put(store, 0, count, &folder->error), ND_OK);
    nd_store_close(&store);
}

/* ---- no store at all ---- */

static void a_missing_store_is_made_only_when_asked_for(void **state)
{
    struct folder *folder = *state;
    assert_int_equal(folder_try(folder, folder->store, &writing), ND_NO_INPUT);
    assert_says(folder, "learn");
    assert_int_equal(folder_try(folder, folder->store, &reading), ND_NO_INPUT);
    assert_false(folder_has(folder->store, ""));
    assert_int_equal(folder_try(folder, folder->store, &making), ND_OK);
    assert_true(folder_has(folder->store, ""));
}

static void a_missing_folder_is_never_made(void **state)
{
    struct folder *folder = *state;
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/none/store.db", folder->path);
    assert_int_equal(folder_try(folder, path, &making), ND_NO_INPUT);
    assert_says(folder, "make it first");
    (void)snprintf(path, sizeof(path), "%s/none", folder->path);
    assert_false(folder_has(path, ""));
}

static void a_new_store_is_for_its_owner_alone(void **state)
{
    struct folder *folder = *state;
    struct stat facts;
    char log[128];
    mode_t mask = umask(0);
    struct nd_store *store = folder_open(folder);
    assert_int_equal(folder_put(store, 0, 3, &folder->error), ND_OK);
    (void)umask(mask);
    assert_int_equal(stat(folder->store, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    (void)snprintf(log, sizeof(log), "%s-wal", folder->store);
    assert_int_equal(stat(log, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    nd_store_close(&store);
}

static void a_folder_is_no_store(void **state)
{
    struct folder *folder = *state;
    const struct nd_store_options *ways[] = {&making, &writing, &reading};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(folder_try(folder, folder->path, ways[i]), ND_DATA);
        assert_says(folder, "is a folder");
    }
}

static void a_fifo_is_no_store_and_nobody_waits_for_it(void **state)
{
    struct folder *folder = *state;
    assert_int_equal(mkfifo(folder->store, 0600), 0);
    assert_int_equal(folder_try(folder, folder->store, &making), ND_DATA);
    assert_says(folder, "no file");
}

static void an_empty_file_is_no_store(void **state)
{
    struct folder *folder = *state;
    folder_write(folder->store, "", 0);
    assert_untouched(folder, ND_DATA, "is empty");
}

static void a_store_cut_to_nothing_keeps_its_log(void **state)
{
    struct folder *folder = *state;
    char log[128];
    folder_write(folder->store, "", 0);
    (void)snprintf(log, sizeof(log), "%s-wal", folder->store);
    folder_write(log, "what may still be saved", 23);
    assert_untouched(folder, ND_DATA, "is empty");
    size_t length;
    uint8_t *left = folder_read(log, &length);
    assert_int_equal(length, 23);
    free(left);
}

static void the_log_of_a_store_that_is_gone_is_not_given_to_a_new_one(
    void **state)
{
    struct folder *folder = *state;
    char log[128];
    (void)snprintf(log, sizeof(log), "%s-wal", folder->store);
    folder_write(log, "what may still be saved", 23);
    assert_int_equal(folder_try(folder, folder->store, &making), ND_DATA);
    assert_says(folder, "move the -wal file away");
    assert_false(folder_has(folder->store, ""));
    assert_int_equal(unlink(log), 0);
    assert_int_equal(folder_try(folder, folder->store, &making), ND_OK);
}

static void rubbish_is_no_store(void **state)
{
    struct folder *folder = *state;
    uint8_t rubbish[9000];
    struct nd_random random;
    nd_random_seed(&random, 5);
    for (size_t i = 0; i < sizeof(rubbish); i++)
        rubbish[i] = (uint8_t)nd_random_u64(&random);
    const size_t lengths[] = {1, 3, 99, 512, 4096, sizeof(rubbish)};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        folder_write(folder->store, rubbish, lengths[i]);
        assert_untouched(folder, ND_DATA, "not a neurald store");
    }
    memcpy(rubbish, "SQLite format 3", 16);
    folder_write(folder->store, rubbish, sizeof(rubbish));
    assert_untouched(folder, ND_DATA, "store");
}

static void the_database_of_another_program_is_no_store(void **state)
{
    struct folder *folder = *state;
    folder_sql(folder->store, "CREATE TABLE places(url TEXT);"
                              "INSERT INTO places VALUES('x');");
    assert_untouched(folder, ND_DATA, "another program");
    folder_sql(folder->store, "PRAGMA application_id = 77;"
                              "PRAGMA user_version = 1;");
    assert_untouched(folder, ND_DATA, "another program");
}

static void words_that_sqlite_takes_for_more_are_file_names(void **state)
{
    struct folder *folder = *state;
    char before[400];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(folder->path), 0);
    assert_int_equal(folder_try(folder, "sqlite::memory:", &making), ND_OK);
    assert_true(folder_has(":memory:", ""));
    assert_int_equal(folder_try(folder, "sqlite:file:a?mode=memory", &making),
                     ND_OK);
    assert_true(folder_has("file:a?mode=memory", ""));
    assert_int_equal(folder_try(folder, "sqlite:file:a?mode=memory", &reading),
                     ND_OK);
    assert_int_equal(chdir(before), 0);
}

/* ---- later versions ---- */

static void a_store_of_a_later_version_is_left_alone(void **state)
{
    struct folder *folder = *state;
    fill(folder, 3);
    folder_sql(folder->store, "PRAGMA user_version = 2;"
                              "CREATE TABLE of_the_future(x);");
    assert_untouched(folder, ND_VERSION, "version 2");
}

static void a_later_version_that_is_only_in_the_log_is_seen(void **state)
{
    struct folder *folder = *state;
    fill(folder, 3);
    sqlite3 *other;
    assert_int_equal(sqlite3_open(folder->store, &other), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(other, "PRAGMA user_version = 7", NULL, NULL, NULL),
        SQLITE_OK);
    assert_untouched(folder, ND_VERSION, "version 7");
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

static void a_store_that_becomes_later_while_open_is_written_no_more(
    void **state)
{
    struct folder *folder = *state;
    struct nd_store *store = folder_open(folder);
    assert_int_equal(folder_put(store, 0, 3, &folder->error), ND_OK);
    folder_sql(folder->store, "PRAGMA user_version = 2;");
    assert_int_equal(folder_put(store, 3, 3, &folder->error), ND_VERSION);
    assert_says(folder, "version 2");
    struct nd_store_stats stats;
    assert_int_equal(
        nd_store_stats(store, &folder_scope, &folder->error, &stats),
        ND_VERSION);
    nd_store_close(&store);
}

/* ---- damaged ---- */

/* Uses a store in every way; damage may be found anywhere, but must be called
 * so, and nothing may crash. */
static void use(struct folder *folder)
{
    struct nd_store *store = NULL;
    struct nd_error *error = &folder->error;
    enum nd_status status[5] = {ND_OK, ND_OK, ND_OK, ND_OK, ND_OK};
    status[0] = nd_store_open(folder->store, &writing, error, &store);
    if (status[0] == ND_OK) {
        struct nd_snapshot snapshot = {0};
        struct nd_arena *arena = nd_arena_create(0);
        status[1] = nd_store_snapshot(store, &folder_scope, error, &snapshot);
        struct nd_payload *payloads =
            nd_calloc(snapshot.count, sizeof(*payloads));
        status[2] = nd_store_read(store, &folder_scope, snapshot.samples,
                                  snapshot.count, arena, error, payloads);
        status[3] = folder_put(store, 5000, 2, error);
        status[4] = nd_store_maintain(store, 0, true, NULL, NULL, error);
        free(payloads);
        free(snapshot.samples);
        nd_arena_destroy(&arena);
        nd_store_close(&store);
    }
    /* a header can also say of a later version, or that writing is off */
    for (size_t i = 0; i < 5; i++)
        if (status[i] != ND_OK && status[i] != ND_DATA &&
            status[i] != ND_VERSION && status[i] != ND_PERMISSION)
            fail_msg("step %zu: %s: %s", i, nd_status_text(status[i]),
                     error->text);
}

static void remove_beside(const struct folder *folder, const char *suffix)
{
    char name[128];
    (void)snprintf(name, sizeof(name), "%s%s", folder->store, suffix);
    (void)unlink(name);
}

static void a_store_cut_anywhere_is_called_damaged(void **state)
{
    struct folder *folder = *state;
    size_t length;
    fill(folder, 60);
    uint8_t *whole = folder_read(folder->store, &length);
    assert_true(length > 20000);
    folder_write(folder->store, whole, length / 2);
    assert_int_equal(folder_try(folder, folder->store, &writing), ND_DATA);
    assert_says(folder, "backup");
    for (size_t cut = 1; cut <= length - 4096; cut += 2777) {
        folder_write(folder->store, whole, cut);
        assert_int_equal(folder_try(folder, folder->store, &writing), ND_DATA);
    }
    /* what lacks of the last page shows when that is read */
    for (size_t cut = length - 4095; cut < length; cut += 511) {
        folder_write(folder->store, whole, cut);
        use(folder);
        remove_beside(folder, "-wal");
        remove_beside(folder, "-shm");
    }
    free(whole);
}

static void a_store_with_bytes_changed_crashes_nothing(void **state)
{
    struct folder *folder = *state;
    size_t length;
    struct nd_random random;
    fill(folder, 60);
    uint8_t *whole = folder_read(folder->store, &length);
    nd_random_seed(&random, 11);
    for (int round = 0; round < 150; round++) {
        uint8_t *copy = calloc(1, length);
        memcpy(copy, whole, length);
        for (int i = 0; i < 1 + round % 40; i++) {
            /* the first page, where the schema is, in every other round */
            size_t reach = round % 2 == 0 ? 4096 : length;
            copy[nd_random_below(&random, reach)] =
                (uint8_t)nd_random_u64(&random);
        }
        folder_write(folder->store, copy, length);
        remove_beside(folder, "-wal");
        remove_beside(folder, "-shm");
        use(folder);
        free(copy);
    }
    free(whole);
}

static void upkeep_finds_a_page_that_was_overwritten(void **state)
{
    struct folder *folder = *state;
    size_t length;
    fill(folder, 300);
    uint8_t *whole = folder_read(folder->store, &length);
    memset(whole + length / 2 / 4096 * 4096, 0x5a, 4096);
    folder_write(folder->store, whole, length);
    free(whole);
    struct nd_store *store = folder_open(folder);
    assert_int_equal(
        nd_store_maintain(store, 0, false, NULL, NULL, &folder->error),
        ND_DATA);
    assert_says(folder, "damaged");
    nd_store_close(&store);
}

static void upkeep_finds_counts_that_are_wrong(void **state)
{
    struct folder *folder = *state;
    const char *const wrong[] = {
        "UPDATE tally SET value = value + 1 WHERE kind = 0",
        "UPDATE tally SET value = value - 1 WHERE kind = 8",
        "INSERT INTO tally VALUES(1, 21, 3)",
        "DELETE FROM sample WHERE sequence = 4",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        (void)unlink(folder->store);
        fill(folder, 30);
        folder_sql(folder->store, wrong[i]);
        struct nd_store *store = folder_open(folder);
        assert_int_equal(
            nd_store_maintain(store, 0, false, NULL, NULL, &folder->error),
            ND_DATA);
        nd_store_close(&store);
    }
}

static void a_model_that_rotted_is_not_handed_out(void **state)
{
    struct folder *folder = *state;
    struct nd_store *store = folder_open(folder);
    struct nd_publish publish = {.keep = 3};
    uint64_t generation;
    struct nd_buffer blob = {0};
    assert_int_equal(nd_store_model_upload(store, &folder_scope, "a model", 7,
                                           &folder->error, publish.digest),
                     ND_OK);
    assert_int_equal(nd_store_model_import(store, &folder_scope, &publish,
                                           &folder->error, &generation),
                     ND_OK);
    folder_sql(folder->store, "UPDATE blob SET data = x'00'");
    assert_int_equal(nd_store_model_get(store, &folder_scope, generation,
                                        &folder->error, &blob),
                     ND_DATA);
    assert_int_equal(blob.length, 0);
    /* Whoever checks it himself gets it as it is. */
    assert_int_equal(nd_store_model_fetch(store, &folder_scope, generation,
                                          &folder->error, &blob),
                     ND_OK);
    assert_int_equal(blob.length, 1);
    nd_buffer_free(&blob);
    nd_store_close(&store);
}

int main(void)
{
#define test(name) \
    cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        test(a_missing_store_is_made_only_when_asked_for),
        test(a_missing_folder_is_never_made),
        test(a_new_store_is_for_its_owner_alone),
        test(a_folder_is_no_store),
        test(a_fifo_is_no_store_and_nobody_waits_for_it),
        test(an_empty_file_is_no_store),
        test(a_store_cut_to_nothing_keeps_its_log),
        test(the_log_of_a_store_that_is_gone_is_not_given_to_a_new_one),
        test(rubbish_is_no_store),
        test(the_database_of_another_program_is_no_store),
        test(words_that_sqlite_takes_for_more_are_file_names),
        test(a_store_of_a_later_version_is_left_alone),
        test(a_later_version_that_is_only_in_the_log_is_seen),
        test(a_store_that_becomes_later_while_open_is_written_no_more),
        test(a_store_cut_anywhere_is_called_damaged),
        test(a_store_with_bytes_changed_crashes_nothing),
        test(upkeep_finds_a_page_that_was_overwritten),
        test(upkeep_finds_counts_that_are_wrong),
        test(a_model_that_rotted_is_not_handed_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
