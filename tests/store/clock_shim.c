/* SPDX-License-Identifier: Apache-2.0
 *
 * A clock that tests can move, preloaded into redis-server: the wall clock's
 * functions with a number of milliseconds added that lies in the file
 * NEURALD_TEST_CLOCK. So tests see what the store does when the server's clock
 * jumps, with scripts that read no other clock than the server's.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t none;
static volatile int64_t *change_ms = &none;

__attribute__((constructor)) static void attach(void)
{
    const char *path = getenv("NEURALD_TEST_CLOCK");
    int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *shared =
        mmap(NULL, sizeof(*change_ms), PROT_READ, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED)
        change_ms = shared;
    (void)close(file);
}

int clock_gettime(clockid_t clock, struct timespec *time_r)
{
    int result = (int)syscall(SYS_clock_gettime, clock, time_r);
    if (result == 0 &&
        (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time_r->tv_sec += *change_ms / 1000;
    return result;
}

int gettimeofday(struct timeval *restrict time_r, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    int64_t us = now.tv_nsec / 1000 + *change_ms % 1000 * 1000;
    time_r->tv_sec = now.tv_sec + (us >= 1000000) - (us < 0);
    time_r->tv_usec = us - (us >= 1000000) * 1000000 + (us < 0) * 1000000;
    return 0;
}

time_t time(time_t *time_r)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (time_r != NULL)
        *time_r = now.tv_sec;
    return now.tv_sec;
}
