/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines of a file that may be compressed with zstd.
 */
#ifndef ND_MAIL_LINES_H
#define ND_MAIL_LINES_H

#include <stddef.h>

#include "base/status.h"

#define ND_MAX_LINE_BYTES (2U << 20)

struct nd_lines;

/* Opens path; its first bytes say whether it is compressed. */
enum nd_status nd_lines_open(const char *path, struct nd_error *error,
                             struct nd_lines **lines_r) ND_MUST_CHECK;
void nd_lines_close(struct nd_lines **lines);

/* The next line without its end, valid until the next call; ND_NOTHING after
 * the last. ND_LIMIT for a line above ND_MAX_LINE_BYTES, ND_DATA where the
 * compressed data is damaged or cut, ND_IO where reading fails. */
enum nd_status nd_lines_next(struct nd_lines *lines, struct nd_error *error,
                             const char **text_r,
                             size_t *length_r) ND_MUST_CHECK;

/* Number of the line that nd_lines_next gave last, from 1. */
size_t nd_lines_number(const struct nd_lines *lines);

#endif
