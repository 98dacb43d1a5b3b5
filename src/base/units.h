/* SPDX-License-Identifier: Apache-2.0
 *
 * Quantities as people write them: "10m", "4MiB", "2.5", "30%".
 */
#ifndef ND_BASE_UNITS_H
#define ND_BASE_UNITS_H

#include <stdint.h>

#include "base/status.h"

/* "500ms", "30s", "10m", "6h", "2d", "1w"; a bare number is seconds. */
enum nd_status nd_parse_duration(const char *text, struct nd_error *error,
                                 int64_t *duration_ms_r) ND_MUST_CHECK;
/* "512", "4KiB", "4MiB", "1GiB" (powers of 1024), "4kB", "4MB" (of 1000). */
enum nd_status nd_parse_size(const char *text, struct nd_error *error,
                             int64_t *size_bytes_r) ND_MUST_CHECK;
/* A whole number, decimal, with an optional sign and nothing after it. */
enum nd_status nd_parse_integer(const char *text, struct nd_error *error,
                                int64_t *value_r) ND_MUST_CHECK;
/* A finite decimal number with nothing after it. */
enum nd_status nd_parse_number(const char *text, struct nd_error *error,
                               double *value_r) ND_MUST_CHECK;

#endif
