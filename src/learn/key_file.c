/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads and writes the key file. It is small and secret: one read of a bounded
 * size, buffers wiped, and a file that everybody may read is refused, since
 * whoever has the key can guess words from samples and models.
 */
#include "learn/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS (2 * ND_KEY_BYTES)

static enum nd_status check_file(int file, const char *path,
                                 struct nd_error *error)
{
    struct stat facts;
    if (fstat(file, &facts) != 0)
        return nd_fail_errno(error, "cannot look at the key file %s", path);
    if (!S_ISREG(facts.st_mode))
        return nd_fail(error, ND_KEY, "the key file %s is not a file", path);
    if ((facts.st_mode & S_IROTH) != 0)
        return nd_fail(error, ND_KEY,
                       "everybody may read the key file %s: chmod o-r it, "
                       "and make a new key if others had access",
                       path);
    return ND_OK;
}

static enum nd_status read_digits(int file, const char *path,
                                  struct nd_error *error,
                                  char digits_r[DIGITS + 1])
{
    char text[DIGITS + 4];
    ssize_t length = read(file, text, sizeof(text));
    if (length < 0)
        return nd_fail_errno(error, "cannot read the key file %s", path);
    size_t end = (size_t)length;
    while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == '\r'))
        end--;
    if (end == DIGITS) {
        memcpy(digits_r, text, DIGITS);
        digits_r[DIGITS] = '\0';
    }
    nd_wipe(text, sizeof(text));
    if (end != DIGITS)
        return nd_fail(error, ND_KEY,
                       "the key file %s must hold %d hexadecimal digits", path,
                       DIGITS);
    return ND_OK;
}

enum nd_status nd_key_file_read(const char *path, struct nd_error *error,
                                struct nd_key *key_r)
{
    /* O_NONBLOCK: a fifo in its place must not hang the program */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return nd_fail_errno(error, "cannot open the key file %s", path);
    char digits[DIGITS + 1];
    uint8_t secret[ND_KEY_BYTES];
    enum nd_status status = check_file(file, path, error);
    if (status == ND_OK)
        status = read_digits(file, path, error, digits);
    if (status == ND_OK && !nd_unhex(digits, secret, sizeof(secret)))
        status = nd_fail(error, ND_KEY,
                         "the key file %s holds something else than "
                         "hexadecimal digits",
                         path);
    if (status == ND_OK)
        nd_key_from_secret(secret, key_r);
    nd_wipe(digits, sizeof(digits));
    nd_wipe(secret, sizeof(secret));
    (void)close(file);
    return status;
}

static enum nd_status write_all(int file, const char *text, size_t length,
                                const char *path, struct nd_error *error)
{
    for (size_t done = 0; done < length;) {
        ssize_t written = write(file, text + done, length - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return nd_fail_errno(error, "cannot write the key file %s", path);
        done += (size_t)written;
    }
    if (fsync(file) != 0)
        return nd_fail_errno(error, "cannot write the key file %s", path);
    return ND_OK;
}

enum nd_status nd_key_file_write(const char *path, const struct nd_key *key,
                                 struct nd_error *error)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 && errno == EEXIST)
        return nd_fail(error, ND_OUTPUT,
                       "the key file %s exists: a key is never overwritten",
                       path);
    if (file < 0)
        return nd_fail_errno(error, "cannot create the key file %s", path);
    char line[DIGITS + 2];
    nd_hex(key->secret, ND_KEY_BYTES, line);
    line[DIGITS] = '\n';
    enum nd_status status = write_all(file, line, DIGITS + 1, path, error);
    nd_wipe(line, sizeof(line));
    (void)close(file);
    if (status != ND_OK)
        (void)unlink(path); /* half a key is worse than none */
    return status;
}
