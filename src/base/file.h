/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole files: read within a limit, written so that a reader sees the old one
 * or the new one.
 */
#ifndef ND_BASE_FILE_H
#define ND_BASE_FILE_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/status.h"

/* Appends the file's bytes to contents_r, which ends in a NUL that is not
 * counted. ND_LIMIT above most_bytes; what nd_fail_errno makes of the rest. */
enum nd_status nd_file_read(const char *path, size_t most_bytes,
                            struct nd_error *error,
                            struct nd_buffer *contents_r) ND_MUST_CHECK;

/* The name of what these bytes, the first of a file, are packed by ("zstd",
 * "gzip", "xz", "bzip2", "zip"), NULL where they are not. */
const char *nd_file_packing(const void *data, size_t length);

/* Makes path a file of these bytes, whole or not at all: they are written
 * beside it and renamed. A device or a pipe is written to as it is. Readable
 * by all that the umask lets. ND_OUTPUT where there can be no such file, else
 * what nd_fail_errno makes of it. */
enum nd_status nd_file_replace(const char *path, const void *data,
                               size_t length,
                               struct nd_error *error) ND_MUST_CHECK;

#endif
