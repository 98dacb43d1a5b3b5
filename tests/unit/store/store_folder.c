/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder of a test and the helpers around it.
 */
#include "store_folder.h"

#include <dirent.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

const struct nd_scope folder_scope = {"rule", "default"};

int folder_setup(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    /* in memory where that can be: a commit then waits for no disk */
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(folder->path, sizeof(folder->path),
                   "%s/neurald-store-XXXXXX", parent);
    assert_non_null(mkdtemp(folder->path));
    (void)snprintf(folder->store, sizeof(folder->store), "%s/store.db",
                   folder->path);
    assert_int_equal(nd_hash_init(&folder->error), ND_OK);
    *state = folder;
    return 0;
}

int folder_teardown(void **state)
{
    struct folder *folder = *state;
    (void)chmod(folder->path, 0700);
    DIR *entries = opendir(folder->path);
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        char name[400];
        (void)snprintf(name, sizeof(name), "%s/%s", folder->path,
                       entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)remove(name);
    }
    (void)closedir(entries);
    assert_int_equal(rmdir(folder->path), 0);
    free(folder);
    return 0;
}

struct nd_store *folder_open(struct folder *folder)
{
    struct nd_store_options options = {.create = true};
    struct nd_store *store = NULL;
    enum nd_status status =
        nd_store_open(folder->store, &options, &folder->error, &store);
    if (status != ND_OK)
        fail_msg("%s", folder->error.text);
    return store;
}

enum nd_status folder_try(struct folder *folder, const char *path,
                          const struct nd_store_options *options)
{
    struct nd_store *store = NULL;
    folder->error.text[0] = '\0';
    enum nd_status status =
        nd_store_open(path, options, &folder->error, &store);
    nd_store_close(&store);
    return status;
}

enum nd_status folder_put(struct nd_store *store, uint32_t first,
                          uint32_t count, struct nd_error *error)
{
    static uint32_t slots[400];
    const struct nd_quota quota = {ND_QUOTA_RESERVOIR, 1000000};
    struct nd_buffer payload = {0};
    for (uint32_t i = 0; i < 400; i++)
        slots[i] = i * 37;
    struct nd_section section = {2, 400, slots, NULL};
    enum nd_status status = nd_sample_encode(&section, 1, &payload, error);
    struct nd_sample_put *samples = nd_calloc(count, sizeof(*samples));
    struct nd_put_result *results = nd_calloc(count, sizeof(*results));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = first + i;
        samples[i].label = number % 2 == 0 ? ND_HAM : ND_SPAM;
        samples[i].label_ms = 1000;
        samples[i].payload = payload.data;
        samples[i].payload_length = payload.length;
        memcpy(samples[i].identity, &number, sizeof(number));
    }
    if (status == ND_OK)
        status = nd_store_put_many(store, &folder_scope, samples, count, &quota,
                                   error, results);
    nd_buffer_free(&payload);
    free(samples);
    free(results);
    return status;
}

uint64_t folder_count(struct nd_store *store)
{
    struct nd_store_stats stats;
    struct nd_snapshot snapshot;
    struct nd_error error;
    assert_int_equal(nd_store_stats(store, &folder_scope, &error, &stats),
                     ND_OK);
    assert_int_equal(nd_store_snapshot(store, &folder_scope, &error, &snapshot),
                     ND_OK);
    assert_int_equal(stats.count[0] + stats.count[1], snapshot.count);
    free(snapshot.samples);
    return snapshot.count;
}

/* ---- files ---- */

uint8_t *folder_read(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    struct stat facts;
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &facts), 0);
    *length = (size_t)facts.st_size;
    uint8_t *data = calloc(1, *length + 1);
    assert_int_equal(fread(data, 1, *length, file), *length);
    (void)fclose(file);
    return data;
}

void folder_write(const char *path, const void *data, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

bool folder_has(const char *path, const char *suffix)
{
    char name[128];
    (void)snprintf(name, sizeof(name), "%s%s", path, suffix);
    return access(name, F_OK) == 0;
}

void folder_sql(const char *path, const char *sql)
{
    sqlite3 *handle;
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

/* ---- users ---- */

int folder_as_nobody(int (*work)(struct folder *folder), struct folder *folder)
{
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
            _exit(99);
        _exit(work(folder));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}
