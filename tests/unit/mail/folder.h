/* SPDX-License-Identifier: Apache-2.0
 *
 * A temporary folder for the tests of this folder, removed after each.
 */
#ifndef ND_TESTS_MAIL_FOLDER_H
#define ND_TESTS_MAIL_FOLDER_H

#include "read.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

/* The test's folder is the working directory as long as the test runs. */
static inline int enter_folder(void **state)
{
    char *path = nd_strdup("/tmp/nd-mail-XXXXXX");
    assert_non_null(mkdtemp(path));
    assert_int_equal(chdir(path), 0);
    *state = path;
    return 0;
}

static inline int remove_one(const char *path, const struct stat *facts,
                             int kind, struct FTW *position)
{
    return remove(path);
}

static inline int leave_folder(void **state)
{
    char *path = *state;
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(path);
    return 0;
}

static inline void write_file(const char *path, const void *data, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static inline void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

#define in_folder(test) \
    cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

#endif
