/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole files, for commands that take one and make one. Not for files that are
 * kept open or grow.
 */
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"

#define PIECE_BYTES ((size_t)1 << 18)

enum nd_status nd_file_read(const char *path, size_t most_bytes,
                            struct nd_error *error,
                            struct nd_buffer *contents_r)
{
    enum nd_status status = ND_OK;
    struct nd_buffer contents = {0};
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return nd_fail_errno(error, "cannot open %s", path);
    size_t got;
    do {
        uint8_t *place = nd_buffer_reserve(&contents, PIECE_BYTES);
        got = fread(place, 1, PIECE_BYTES, file);
        contents.length += got;
    } while (got == PIECE_BYTES && contents.length <= most_bytes);
    if (ferror(file))
        status = nd_fail_errno(error, "cannot read %s", path);
    else if (contents.length > most_bytes)
        status = nd_fail(error, ND_LIMIT, "%s is larger than %zu bytes", path,
                         most_bytes);
    fclose(file);
    if (status == ND_OK)
        nd_buffer_append(contents_r, contents.data, contents.length);
    nd_buffer_free(&contents);
    return status;
}

enum nd_status nd_file_replace(const char *path, const void *data,
                               size_t length, struct nd_error *error)
{
    char *beside = nd_sprintf("%s.%ld.part", path, (long)getpid());
    enum nd_status status = ND_OK;
    FILE *file = fopen(beside, "wxe");
    if (file == NULL) {
        status = nd_fail_errno(error, "cannot create %s", beside);
        free(beside);
        return status;
    }
    bool written = fwrite(data, 1, length, file) == length &&
                   fflush(file) == 0 && fsync(fileno(file)) == 0;
    written = fclose(file) == 0 && written;
    if (!written || rename(beside, path) != 0) {
        status = nd_fail_errno(error, "cannot write %s", path);
        unlink(beside);
    }
    free(beside);
    return status;
}
