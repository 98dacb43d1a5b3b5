/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole files, for commands that take one and make one. Not for files that are
 * kept open or grow.
 */
#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    contents.data[contents.length] = '\0';
    if (status == ND_OK && contents_r->length == 0) {
        nd_buffer_free(contents_r);
        *contents_r = contents;
        return ND_OK;
    }
    if (status == ND_OK)
        nd_buffer_append(contents_r, contents.data, contents.length);
    nd_buffer_free(&contents);
    return status;
}

const char *nd_file_packing(const void *data, size_t length)
{
    static const struct {
        const char *name;
        size_t length;
        char magic[6];
    } kinds[] = {
        {"gzip", 3, "\x1f\x8b\x08"},     {"bzip2", 3, "BZh"},
        {"xz", 6, "\xfd\x37zXZ"},        {"zip", 4, "PK\3\4"},
        {"zstd", 4, "\x28\xb5\x2f\xfd"},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (length >= kinds[i].length &&
            memcmp(data, kinds[i].magic, kinds[i].length) == 0)
            return kinds[i].name;
    return NULL;
}

/* Makes beside, which is not there yet, for path. */
static enum nd_status write_new(const char *beside, const char *path,
                                const void *data, size_t length,
                                struct nd_error *error)
{
    FILE *file = fopen(beside, "wxe");
    if (file == NULL && (errno == ENOENT || errno == ENOTDIR)) {
        (void)nd_fail_errno(error, "cannot create %s", path);
        return ND_OUTPUT;
    }
    if (file == NULL)
        return nd_fail_errno(error, "cannot create %s", path);
    bool written = fwrite(data, 1, length, file) == length &&
                   fflush(file) == 0 && fsync(fileno(file)) == 0;
    written = fclose(file) == 0 && written;
    if (written)
        return ND_OK;
    enum nd_status status = nd_fail_errno(error, "cannot write %s", path);
    unlink(beside);
    return status;
}

/* A device or a pipe cannot be replaced, and must not be: /dev/stdout would be
 * gone for everyone. */
static bool is_special(const struct stat *facts)
{
    return !S_ISREG(facts->st_mode) && !S_ISDIR(facts->st_mode);
}

static enum nd_status write_through(const char *path, const void *data,
                                    size_t length, struct nd_error *error)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return nd_fail_errno(error, "cannot open %s", path);
    bool written = fwrite(data, 1, length, file) == length;
    written = fclose(file) == 0 && written;
    return written ? ND_OK : nd_fail_errno(error, "cannot write %s", path);
}

enum nd_status nd_file_replace(const char *path, const void *data,
                               size_t length, struct nd_error *error)
{
    struct stat facts;
    bool exists = stat(path, &facts) == 0;
    if (path[0] == '\0' || (exists && S_ISDIR(facts.st_mode)))
        return nd_fail(error, ND_OUTPUT, "'%s' is no name of a file to write",
                       path);
    if (exists && is_special(&facts))
        return write_through(path, data, length, error);
    char *beside = nd_sprintf("%s.%ld.part", path, (long)getpid());
    enum nd_status status = write_new(beside, path, data, length, error);
    if (status == ND_OK && rename(beside, path) != 0) {
        status = nd_fail_errno(error, "cannot write %s", path);
        unlink(beside);
    }
    free(beside);
    return status;
}
