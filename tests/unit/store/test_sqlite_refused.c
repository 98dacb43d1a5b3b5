/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the store may not write: rights that lack, a disk that is full,
 * another process that holds the lock. It says so, keeps what it has, and goes
 * on reading.
 */
#include "store_folder.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/sqlite.h"

static const struct nd_store_options making = {.create = true};
static const struct nd_store_options writing = {.create = false};
static const struct nd_store_options reading = {.read_only = true};

static void fill(struct folder *folder, uint32_t count)
{
    struct nd_store *store = folder_open(folder);
    assert_int_equal(folder_put(store, 0, count, &folder->error), ND_OK);
    nd_store_close(&store);
}

static bool says(const struct folder *folder, const char *word)
{
    return strstr(folder->error.text, folder->store) != NULL &&
           strstr(folder->error.text, word) != NULL;
}

/* ---- rights ---- */

/* As another user: writing is refused with the remedy, reading works. */
static int use_read_only(struct folder *folder)
{
    struct nd_store *store = NULL;
    struct nd_error *error = &folder->error;
    if (folder_try(folder, folder->store, &writing) != ND_PERMISSION ||
        !says(folder, "writable"))
        return 1;
    if (folder_try(folder, folder->store, &making) != ND_PERMISSION)
        return 2;
    if (nd_store_open(folder->store, &reading, error, &store) != ND_OK) {
        print_error("%s\n", error->text);
        return 3;
    }
    if (folder_count(store) != 10)
        return 4;
    if (folder_put(store, 10, 1, error) != ND_PERMISSION ||
        !says(folder, "reading only"))
        return 5;
    nd_store_close(&store);
    return 0;
}

static void a_read_only_file_is_read_and_not_written(void **state)
{
    struct folder *folder = *state;
    fill(folder, 10);
    assert_int_equal(chmod(folder->path, 0777), 0);
    assert_int_equal(chmod(folder->store, 0444), 0);
    assert_int_equal(folder_as_nobody(use_read_only, folder), 0);
}

static void a_store_in_a_read_only_folder_is_read_and_not_written(void **state)
{
    struct folder *folder = *state;
    fill(folder, 10);
    assert_int_equal(chmod(folder->store, 0666), 0);
    assert_int_equal(chmod(folder->path, 0555), 0);
    assert_int_equal(folder_as_nobody(use_read_only, folder), 0);
    assert_false(folder_has(folder->store, "-wal"));
    assert_false(folder_has(folder->store, "-shm"));
}

static int fail_to_read(struct folder *folder)
{
    if (folder_try(folder, folder->store, &reading) != ND_PERMISSION ||
        !says(folder, "readable"))
        return 1;
    return 0;
}

static void an_unreadable_file_is_named_with_the_remedy(void **state)
{
    struct folder *folder = *state;
    fill(folder, 10);
    assert_int_equal(chmod(folder->path, 0755), 0);
    assert_int_equal(chmod(folder->store, 0600), 0);
    assert_int_equal(folder_as_nobody(fail_to_read, folder), 0);
}

static int fail_to_make(struct folder *folder)
{
    if (folder_try(folder, folder->store, &making) != ND_PERMISSION ||
        !says(folder, "folder"))
        return 1;
    return 0;
}

static void a_store_is_not_made_where_the_user_may_not(void **state)
{
    struct folder *folder = *state;
    assert_int_equal(chmod(folder->path, 0755), 0);
    assert_int_equal(folder_as_nobody(fail_to_make, folder), 0);
    assert_false(folder_has(folder->store, ""));
}

/* The ends of two pipes for the reader, and those for the writer. */
enum { READER_GOES = 40, READER_TELLS, WRITER_GOES, WRITER_TELLS };

static bool tell(int descriptor)
{
    return write(descriptor, "x", 1) == 1;
}

static bool wait_for(int descriptor)
{
    char word;
    return read(descriptor, &word, 1) == 1;
}

static int read_while_another_writes(struct folder *folder)
{
    struct nd_store *store = NULL;
    if (nd_store_open(folder->store, &reading, &folder->error, &store) !=
            ND_OK ||
        folder_count(store) != 10)
        return 1;
    if (!tell(READER_TELLS) || !wait_for(READER_GOES))
        return 2;
    if (folder_count(store) != 14)
        return 3;
    nd_store_close(&store);
    return tell(READER_TELLS) ? 0 : 4;
}

static void write_while_another_reads(struct folder *folder)
{
    if (!wait_for(WRITER_GOES))
        _exit(1);
    struct nd_store *store = folder_open(folder);
    if (folder_put(store, 10, 4, &folder->error) != ND_OK ||
        !tell(WRITER_TELLS) || !wait_for(WRITER_GOES))
        _exit(2);
    nd_store_close(&store);
    _exit(0);
}

static void a_reader_without_rights_sees_what_another_writes(void **state)
{
    struct folder *folder = *state;
    int first[2], second[2], status;
    fill(folder, 10);
    assert_int_equal(chmod(folder->store, 0644), 0);
    assert_int_equal(chmod(folder->path, 0755), 0);
    assert_int_equal(pipe(first), 0);
    assert_int_equal(pipe(second), 0);
    assert_int_equal(dup2(first[0], READER_GOES), READER_GOES);
    assert_int_equal(dup2(first[1], WRITER_TELLS), WRITER_TELLS);
    assert_int_equal(dup2(second[0], WRITER_GOES), WRITER_GOES);
    assert_int_equal(dup2(second[1], READER_TELLS), READER_TELLS);
    (void)fflush(NULL);
    pid_t writer = fork();
    assert_true(writer >= 0);
    if (writer == 0)
        write_while_another_reads(folder);
    assert_int_equal(folder_as_nobody(read_while_another_writes, folder), 0);
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    for (int i = 0; i < 2; i++) {
        (void)close(first[i]);
        (void)close(second[i]);
    }
    for (int i = READER_GOES; i <= WRITER_TELLS; i++)
        (void)close(i);
}

/* ---- room ---- */

/* Puts until the store is full; answers how many it took. */
static uint32_t put_until_full(struct folder *folder, struct nd_store *store)
{
    uint32_t count = 0;
    enum nd_status status = ND_OK;
    while (status == ND_OK && count < 100000) {
        status = folder_put(store, count, 10, &folder->error);
        count += status == ND_OK ? 10 : 0;
    }
    assert_string_equal(nd_status_name(status), "full");
    assert_non_null(strstr(folder->error.text, "free space"));
    return count;
}

static void assert_reads(struct folder *folder, uint32_t count)
{
    struct nd_store *reader = NULL;
    assert_int_equal(
        nd_store_open(folder->store, &reading, &folder->error, &reader), ND_OK);
    assert_int_equal(folder_count(reader), count);
    nd_store_close(&reader);
}

static void a_full_store_refuses_to_learn_and_goes_on_reading(void **state)
{
    struct folder *folder = *state;
    struct nd_sqlite_options own = {.max_pages = 100};
    struct nd_store_options options = {.create = true, .backend = &own};
    struct nd_store *store = NULL;
    assert_int_equal(
        nd_store_open(folder->store, &options, &folder->error, &store), ND_OK);
    uint32_t count = put_until_full(folder, store);
    assert_true(count > 50);
    assert_int_equal(folder_count(store), count);
    assert_reads(folder, count);
    struct nd_sample_filter all = {.source = -1, .label = -1};
    uint64_t forgotten;
    assert_int_equal(nd_store_forget_matching(store, &folder_scope, &all, false,
                                              &folder->error, &forgotten),
                     ND_OK);
    assert_int_equal(forgotten, count);
    assert_int_equal(folder_put(store, 200000, 10, &folder->error), ND_OK);
    nd_store_close(&store);
}

static void a_full_disk_refuses_to_learn_and_goes_on_reading(void **state)
{
    struct folder *folder = *state;
    if (mount("none", folder->path, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m")) {
        print_message("no right to mount: %s\n", strerror(errno));
        skip();
    }
    struct nd_store *store = folder_open(folder);
    uint32_t count = put_until_full(folder, store);
    assert_true(count > 50);
    assert_int_equal(folder_count(store), count);
    assert_reads(folder, count);
    nd_store_close(&store);
    assert_reads(folder, count);
    assert_int_equal(umount2(folder->path, MNT_DETACH), 0);
}

static void a_store_is_not_half_made_on_a_full_disk(void **state)
{
    struct folder *folder = *state;
    if (mount("none", folder->path, "tmpfs", MS_NOSUID | MS_NODEV, "size=16k"))
        skip();
    assert_int_equal(folder_try(folder, folder->store, &making), ND_FULL);
    assert_false(folder_has(folder->store, ""));
    assert_int_equal(umount2(folder->path, MNT_DETACH), 0);
}

/* ---- locks ---- */

static void a_lock_held_too_long_is_unavailable_and_reading_works(void **state)
{
    struct folder *folder = *state;
    struct nd_store_options options = {.timeout_ms = 100};
    struct nd_store *store = NULL;
    sqlite3 *other;
    fill(folder, 10);
    assert_int_equal(
        nd_store_open(folder->store, &options, &folder->error, &store), ND_OK);
    assert_int_equal(sqlite3_open(folder->store, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    int64_t start_us = nd_clock_monotonic_us();
    assert_int_equal(folder_put(store, 10, 1, &folder->error), ND_UNAVAILABLE);
    int64_t waited_us = nd_clock_monotonic_us() - start_us;
    assert_true(waited_us >= 80000 && waited_us < 3000000);
    assert_true(says(folder, "try again"));
    assert_int_equal(folder_count(store), 10);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(folder_put(store, 10, 1, &folder->error), ND_OK);
    nd_store_close(&store);
}

int main(void)
{
#define test(name) \
    cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        test(a_read_only_file_is_read_and_not_written),
        test(a_store_in_a_read_only_folder_is_read_and_not_written),
        test(an_unreadable_file_is_named_with_the_remedy),
        test(a_store_is_not_made_where_the_user_may_not),
        test(a_reader_without_rights_sees_what_another_writes),
        test(a_full_store_refuses_to_learn_and_goes_on_reading),
        test(a_full_disk_refuses_to_learn_and_goes_on_reading),
        test(a_store_is_not_half_made_on_a_full_disk),
        test(a_lock_held_too_long_is_unavailable_and_reading_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
