/* SPDX-License-Identifier: Apache-2.0
 *
 * The SQLite backend under the suite: a file in a temporary folder for each
 * test, on a clock that the suite can move.
 */
#include "suite.h"

#include <unistd.h>

#include "base/clock.h"
#include "store/sqlite.h"

static char folder[64];
static char path[96];
static int64_t clock_change_ms;

static int64_t moved_clock(void *context)
{
    (void)context;
    return nd_clock_wall_ms() + clock_change_ms;
}

bool suite_backend_start(void)
{
    return true;
}

void suite_backend_stop(void)
{
}

void suite_backend_begin(void)
{
    /* in memory where that can be: a commit then waits for no disk */
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(folder, sizeof(folder), "%s/neurald-suite-XXXXXX", parent);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/store.db", folder);
    clock_change_ms = 0;
}

void suite_backend_end(void)
{
    static const char *const names[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char name[128];
        (void)snprintf(name, sizeof(name), "%s%s", path, names[i]);
        (void)unlink(name);
    }
    assert_int_equal(rmdir(folder), 0);
}

struct nd_store *suite_backend_open(void)
{
    struct nd_sqlite_options own = {.clock_ms = moved_clock};
    struct nd_store_options options = {
        .create = true, .timeout_ms = 30000, .random_seed = 1, .backend = &own};
    struct nd_error error;
    struct nd_store *store = NULL;
    suite_check(nd_store_open(path, &options, &error, &store), &error, path,
                __FILE__, __LINE__);
    return store;
}

bool suite_backend_move_clock(int64_t change_ms)
{
    clock_change_ms += change_ms;
    return true;
}
