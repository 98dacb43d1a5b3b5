/* SPDX-License-Identifier: Apache-2.0
 *
 * Loads a model file whole, after a look at what it is: a device, a fifo or a
 * file too large to be a model is refused before a byte of it is read.
 */
#include "learn/model_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static enum nd_status check_kind(int file, const char *path,
                                 struct nd_error *error, size_t *size_r)
{
    struct stat facts;
    if (fstat(file, &facts) != 0)
        return nd_fail_errno(error, "cannot look at %s", path);
    if (!S_ISREG(facts.st_mode))
        return nd_fail(error, ND_DATA, "%s is not a file", path);
    if (facts.st_size > (off_t)ND_MODEL_FILE_MAX_BYTES)
        return nd_fail(error, ND_LIMIT,
                       "%s is too large for a model: %lld bytes, at most %u",
                       path, (long long)facts.st_size, ND_MODEL_FILE_MAX_BYTES);
    *size_r = (size_t)facts.st_size;
    return ND_OK;
}

static enum nd_status read_bytes(int file, const char *path, size_t size,
                                 struct nd_error *error, struct nd_buffer *blob)
{
    uint8_t *end = nd_buffer_reserve(blob, size);
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(file, end + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return nd_fail_errno(error, "cannot read %s", path);
        if (got == 0)
            break; /* it shrank: what is missing, its digest will tell */
        done += (size_t)got;
    }
    end[done] = '\0';
    blob->length += done;
    return ND_OK;
}

enum nd_status nd_model_file_load(const char *path, struct nd_error *error,
                                  struct nd_buffer *blob)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return nd_fail_errno(error, "cannot open the model %s", path);
    size_t size = 0;
    enum nd_status status = check_kind(file, path, error, &size);
    if (status == ND_OK)
        status = read_bytes(file, path, size, error, blob);
    (void)close(file);
    return status;
}

enum nd_status nd_model_file_read(const char *path, const struct nd_key *key,
                                  struct nd_error *error,
                                  struct nd_model **model_r)
{
    struct nd_buffer blob = {0};
    struct nd_error inner = {0};
    enum nd_status status = nd_model_file_load(path, error, &blob);
    if (status == ND_OK) {
        status = nd_model_read(blob.data, blob.length, key, &inner, model_r);
        if (status != ND_OK)
            status = nd_fail(error, status, "%s: %s", path, inner.text);
    }
    nd_buffer_free(&blob);
    return status;
}
