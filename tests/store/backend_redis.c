/* SPDX-License-Identifier: Apache-2.0
 *
 * The Redis backend under the suite: one redis-server for all tests, a prefix
 * for each, and the server's clock moved from outside (clock_shim.c), where
 * meson says in NEURALD_CLOCK_SHIM where that is.
 */
#include "suite.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hash.h"
#include "redis_server.h"
#include "store/redis.h"

static struct redis_server server;
static int64_t *clock_change_ms; /* NULL: it cannot be moved */
static unsigned test_number;

static void share_clock(void)
{
    const char *shim = getenv("NEURALD_CLOCK_SHIM");
    char path[96];
    if (shim == NULL)
        return;
    (void)snprintf(path, sizeof(path), "%s/clock", server.folder);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof(*clock_change_ms)) != 0)
        abort();
    void *shared = mmap(NULL, sizeof(*clock_change_ms), PROT_READ | PROT_WRITE,
                        MAP_SHARED, file, 0);
    (void)close(file);
    if (shared == MAP_FAILED)
        abort();
    clock_change_ms = shared;
    if (setenv("NEURALD_TEST_CLOCK", path, 1) != 0 ||
        setenv("LD_PRELOAD", shim, 1) != 0)
        abort();
}

bool suite_backend_start(void)
{
    if (!redis_server_available())
        return false;
    redis_server_prepare(&server);
    share_clock();
    redis_server_start(&server, NULL);
    (void)unsetenv("LD_PRELOAD");
    return true;
}

void suite_backend_stop(void)
{
    redis_server_remove(&server);
}

void suite_backend_begin(void)
{
    test_number++;
    if (clock_change_ms != NULL)
        *clock_change_ms = 0;
}

void suite_backend_end(void)
{
    /* the next test has a prefix of its own */
}

struct nd_store *suite_backend_open(void)
{
    struct nd_store_options options = {
        .create = true, .timeout_ms = 30000, .random_seed = 1};
    struct nd_error error;
    struct nd_store *store = NULL;
    char url[160];
    (void)snprintf(url, sizeof(url), "redis+unix://%s?prefix=test%u",
                   server.socket, test_number);
    suite_check(nd_store_open(url, &options, &error, &store), &error, url,
                __FILE__, __LINE__);
    return store;
}

bool suite_backend_move_clock(int64_t change_ms)
{
    if (clock_change_ms == NULL)
        return false;
    *clock_change_ms += change_ms;
    return true;
}
