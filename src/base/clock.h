/* SPDX-License-Identifier: Apache-2.0
 *
 * Time. Wall-clock time is for dates that people read; durations are measured
 * on the monotonic clock; leases use neither, but the store's clock.
 */
#ifndef ND_BASE_CLOCK_H
#define ND_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds since 1970-01-01 UTC. */
int64_t nd_clock_wall_ms(void);
/* Microseconds on a clock that never jumps. */
int64_t nd_clock_monotonic_us(void);
/* "2026-11-22T18:20:29Z" into text_r (at least 21 bytes). */
void nd_clock_format(int64_t wall_ms, char *text_r, size_t size);

#endif
