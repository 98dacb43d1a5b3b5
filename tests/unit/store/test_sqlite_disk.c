/* SPDX-License-Identifier: Apache-2.0
 *
 * A disk that fails: each write, sync and truncation of the store's files in
 * turn. Whatever was answered must be true when the disk is well again.
 */
#include "store_folder.h"

#include <sqlite3.h>
#include <unistd.h>

/* ---- a file system under SQLite that fails on command ---- */

/* A file as SQLite sees it, with the real one behind it. */
struct weak_file {
    sqlite3_file base;
    sqlite3_file *real;
};

static struct {
    long left;  /* calls until it fails; negative: never */
    bool stays; /* all later calls fail too */
    int code;
    long calls;
} disk;

static bool fails(void)
{
    disk.calls++;
    if (disk.left < 0)
        return false;
    if (disk.left > 0) {
        disk.left--;
        return false;
    }
    if (!disk.stays)
        disk.left = -1;
    return true;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct weak_file *)file)->real;
}

#define FORWARD(method, parameters, arguments)               \
    static int weak_##method parameters                      \
    {                                                        \
        return real_of(file)->pMethods->x##method arguments; \
    }
FORWARD(Close, (sqlite3_file * file), (real_of(file)))
FORWARD(Read,
        (sqlite3_file * file, void *data, int count, sqlite3_int64 offset),
        (real_of(file), data, count, offset))
FORWARD(FileSize, (sqlite3_file * file, sqlite3_int64 *size),
        (real_of(file), size))
FORWARD(Lock, (sqlite3_file * file, int lock), (real_of(file), lock))
FORWARD(Unlock, (sqlite3_file * file, int lock), (real_of(file), lock))
FORWARD(CheckReservedLock, (sqlite3_file * file, int *held),
        (real_of(file), held))
FORWARD(FileControl, (sqlite3_file * file, int what, void *argument),
        (real_of(file), what, argument))
FORWARD(SectorSize, (sqlite3_file * file), (real_of(file)))
FORWARD(DeviceCharacteristics, (sqlite3_file * file), (real_of(file)))
FORWARD(ShmMap,
        (sqlite3_file * file, int page, int size, int extend,
         void volatile **memory),
        (real_of(file), page, size, extend, memory))
FORWARD(ShmLock, (sqlite3_file * file, int offset, int count, int flags),
        (real_of(file), offset, count, flags))
FORWARD(ShmUnmap, (sqlite3_file * file, int remove), (real_of(file), remove))

static void weak_ShmBarrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int weak_Write(sqlite3_file *file, const void *data, int count,
                      sqlite3_int64 offset)
{
    if (!fails())
        return real_of(file)->pMethods->xWrite(real_of(file), data, count,
                                               offset);
    if (disk.code == SQLITE_FULL)
        return SQLITE_FULL;
    /* half of it arrives */
    (void)real_of(file)->pMethods->xWrite(real_of(file), data, count / 2,
                                          offset);
    return SQLITE_IOERR_WRITE;
}

static int weak_Sync(sqlite3_file *file, int flags)
{
    if (fails())
        return disk.code == SQLITE_FULL ? SQLITE_FULL : SQLITE_IOERR_FSYNC;
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int weak_Truncate(sqlite3_file *file, sqlite3_int64 size)
{
    if (fails())
        return SQLITE_IOERR_TRUNCATE;
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static const sqlite3_io_methods weak_methods = {
    .iVersion = 2,
    .xClose = weak_Close,
    .xRead = weak_Read,
    .xWrite = weak_Write,
    .xTruncate = weak_Truncate,
    .xSync = weak_Sync,
    .xFileSize = weak_FileSize,
    .xLock = weak_Lock,
    .xUnlock = weak_Unlock,
    .xCheckReservedLock = weak_CheckReservedLock,
    .xFileControl = weak_FileControl,
    .xSectorSize = weak_SectorSize,
    .xDeviceCharacteristics = weak_DeviceCharacteristics,
    .xShmMap = weak_ShmMap,
    .xShmLock = weak_ShmLock,
    .xShmBarrier = weak_ShmBarrier,
    .xShmUnmap = weak_ShmUnmap,
};

static sqlite3_vfs *strong_disk;
static sqlite3_vfs weak_disk;

static int weak_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file,
                     int flags, int *flags_out)
{
    (void)vfs;
    struct weak_file *weak = (struct weak_file *)file;
    weak->real = (sqlite3_file *)(weak + 1);
    int code =
        strong_disk->xOpen(strong_disk, name, weak->real, flags, flags_out);
    weak->base.pMethods = code == SQLITE_OK ? &weak_methods : NULL;
    return code;
}

static int install_disk(void **state)
{
    (void)state;
    strong_disk = sqlite3_vfs_find(NULL);
    weak_disk = *strong_disk;
    weak_disk.zName = "weak";
    weak_disk.szOsFile = (int)sizeof(struct weak_file) + strong_disk->szOsFile;
    weak_disk.xOpen = weak_open;
    disk.left = -1;
    return sqlite3_vfs_register(&weak_disk, 1);
}

static void break_disk_after(long calls, int code, bool stays)
{
    disk.left = calls;
    disk.code = code;
    disk.stays = stays;
}

static void mend_disk(void)
{
    disk.left = -1;
    disk.calls = 0;
}

/* ---- what must hold ---- */

static void open_or_skip(struct folder *folder, struct nd_store **store)
{
    struct nd_store_options options = {.create = true};
    *store = NULL;
    (void)!nd_store_open(folder->store, &options, &folder->error, store);
}

/* Puts batches of 20 while the disk fails at one of its calls; then compares
 * what was answered with what is there. */
static bool put_on_weak_disk(struct folder *folder, long calls, int code,
                             bool stays)
{
    static uint32_t number = 0; /* none is put twice */
    struct nd_store *store = folder_open(folder);
    uint64_t before = folder_count(store);
    uint64_t stored = 0, uncertain = 0;
    bool failed = false;
    break_disk_after(calls, code, stays);
    for (uint32_t batch = 0; batch < 3; batch++) {
        enum nd_status status = folder_put(store, number, 20, &folder->error);
        number += 20;
        stored += status == ND_OK ? 20 : 0;
        uncertain += status == ND_UNCERTAIN ? 20 : 0;
        failed = failed || status != ND_OK;
        if (status != ND_OK && status != ND_UNCERTAIN && status != ND_IO &&
            status != ND_FULL)
            fail_msg("call %ld: %s: %s", calls, nd_status_text(status),
                     folder->error.text);
        if (status != ND_OK)
            assert_non_null(strstr(folder->error.text, folder->store));
    }
    mend_disk();
    nd_store_close(&store);
    store = folder_open(folder);
    uint64_t after = folder_count(store);
    assert_in_range(after, before + stored, before + stored + uncertain);
    assert_int_equal(
        nd_store_maintain(store, 0, true, NULL, NULL, &folder->error), ND_OK);
    nd_store_close(&store);
    return failed;
}

static void what_a_failing_disk_acknowledged_is_there(void **state)
{
    struct folder *folder = *state;
    const int codes[] = {SQLITE_IOERR, SQLITE_FULL};
    int failures = 0;
    for (size_t i = 0; i < 4; i++) {
        (void)unlink(folder->store);
        for (long calls = 0; calls < 50; calls++)
            failures += put_on_weak_disk(folder, calls, codes[i % 2], i >= 2);
    }
    assert_true(failures > 100);
}

static void a_store_made_on_a_failing_disk_is_whole_or_not_there(void **state)
{
    struct folder *folder = *state;
    struct nd_store *store;
    mend_disk();
    store = folder_open(folder);
    nd_store_close(&store);
    long all = disk.calls;
    assert_true(all > 5);
    for (long calls = 0; calls < all; calls++) {
        (void)unlink(folder->store);
        break_disk_after(calls, SQLITE_IOERR, true);
        open_or_skip(folder, &store);
        if (store == NULL)
            assert_non_null(strstr(folder->error.text, folder->store));
        nd_store_close(&store);
        mend_disk();
        store = folder_open(folder);
        assert_int_equal(folder_put(store, 0, 1, &folder->error), ND_OK);
        nd_store_close(&store);
    }
}

int main(void)
{
#define test(name) \
    cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        test(what_a_failing_disk_acknowledged_is_there),
        test(a_store_made_on_a_failing_disk_is_whole_or_not_there),
    };
    return cmocka_run_group_tests(tests, install_disk, NULL);
}
