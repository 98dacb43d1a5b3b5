/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole files: what is read and what is refused, and that writing leaves the
 * old file, the new one, or a device as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static struct nd_error error;

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/neurald-file-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void what_was_written_is_read(void **state)
{
    static const char data[] = "one\0two";
    struct nd_buffer read = {0};
    const char *path = in_folder("file");
    (void)state;
    for (size_t length = 0; length <= sizeof(data); length++) {
        assert_int_equal(nd_file_replace(path, data, length, &error), ND_OK);
        assert_int_equal(nd_file_read(path, length, &error, &read), ND_OK);
        assert_int_equal(read.length, length);
        assert_memory_equal(read.data, data, length);
        assert_int_equal(read.data[length], '\0');
        nd_buffer_clear(&read);
    }
    nd_buffer_append_text(&read, "before ");
    assert_int_equal(nd_file_replace(path, "it", 2, &error), ND_OK);
    assert_int_equal(nd_file_read(path, 2, &error, &read), ND_OK);
    assert_string_equal((char *)read.data, "before it");
    unlink(path);
    nd_buffer_free(&read);
}

static void more_than_the_limit_is_not_read(void **state)
{
    struct nd_buffer read = {0};
    (void)state;
    assert_int_equal(nd_file_read("/dev/zero", 1 << 20, &error, &read),
                     ND_LIMIT);
    assert_int_equal(read.length, 0);
    nd_buffer_free(&read);
}

static void a_failure_leaves_the_folder_as_it_was(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_folder("taken"), 0700), 0);
    assert_int_equal(nd_file_replace(in_folder("taken"), "x", 1, &error),
                     ND_OUTPUT);
    assert_int_equal(nd_file_replace("", "x", 1, &error), ND_OUTPUT);
    assert_int_equal(rmdir(in_folder("taken")), 0);
    assert_int_equal(nd_file_replace(in_folder("no/file"), "x", 1, &error),
                     ND_OUTPUT);
}

/* Of a device of the test's own: who is root would lose the machine's. */
static void a_pipe_is_written_to_and_stays(void **state)
{
    struct stat facts;
    char got[3] = "";
    const char *path = in_folder("pipe");
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    FILE *reader = fopen(path, "r+e");
    assert_non_null(reader);
    assert_int_equal(nd_file_replace(path, "it", 2, &error), ND_OK);
    assert_int_equal(fread(got, 1, 2, reader), 2);
    assert_string_equal(got, "it");
    assert_int_equal(stat(path, &facts), 0);
    assert_true(S_ISFIFO(facts.st_mode));
    fclose(reader);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(more_than_the_limit_is_not_read),
        cmocka_unit_test(a_failure_leaves_the_folder_as_it_was),
        cmocka_unit_test(a_pipe_is_written_to_and_stays),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
