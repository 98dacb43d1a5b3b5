/* SPDX-License-Identifier: Apache-2.0
 *
 * The two clocks of the system, in the units that the project uses.
 */
#include "base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t clock, int64_t units_a_second)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now); /* these two clocks always exist */
    return (int64_t)now.tv_sec * units_a_second +
           (int64_t)now.tv_nsec / (1000000000 / units_a_second);
}

int64_t nd_clock_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME, 1000);
}

int64_t nd_clock_monotonic_us(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000000);
}

void nd_clock_format(int64_t wall_ms, char *text_r, size_t size)
{
    int64_t seconds = wall_ms / 1000 - (wall_ms % 1000 < 0 ? 1 : 0);
    time_t when = (time_t)seconds;
    struct tm parts;
    if (size == 0)
        return;
    text_r[0] = '\0';
    if (gmtime_r(&when, &parts) != NULL &&
        strftime(text_r, size, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        text_r[0] = '\0';
}
