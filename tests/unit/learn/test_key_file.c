/* SPDX-License-Identifier: Apache-2.0
 *
 * The key file and the model file as files: what may be read, what is refused,
 * and that a key is never overwritten.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "learn/key_file.h"
#include "learn/model_file.h"
#include "neurald/neurald.h"

struct place {
    char folder[64];
    char path[96];
};

static int set_up(void **state)
{
    struct place *place = test_calloc(1, sizeof(*place));
    strcpy(place->folder, "/tmp/neurald-key-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    (void)snprintf(place->path, sizeof(place->path), "%s/key", place->folder);
    *state = place;
    struct nd_error error;
    return nd_hash_init(&error) == ND_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    (void)unlink(place->path);
    (void)rmdir(place->folder);
    test_free(place);
    return 0;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void a_key_that_was_written_is_read_again(void **state)
{
    struct place *place = *state;
    struct nd_error error = {0};
    struct nd_key written, read;
    nd_key_generate(&written);
    assert_int_equal(nd_key_file_write(place->path, &written, &error), ND_OK);
    assert_int_equal(nd_key_file_read(place->path, &error, &read), ND_OK);
    assert_memory_equal(read.secret, written.secret, ND_KEY_BYTES);
    assert_memory_equal(read.id, written.id, ND_KEY_ID_BYTES);
    struct stat facts;
    assert_int_equal(stat(place->path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
}

static void a_key_is_never_overwritten(void **state)
{
    struct place *place = *state;
    struct nd_error error = {0};
    struct nd_key first, second, read;
    nd_key_generate(&first);
    nd_key_generate(&second);
    assert_int_equal(nd_key_file_write(place->path, &first, &error), ND_OK);
    assert_int_equal(nd_key_file_write(place->path, &second, &error),
                     ND_OUTPUT);
    assert_non_null(strstr(error.text, place->path));
    assert_int_equal(nd_key_file_read(place->path, &error, &read), ND_OK);
    assert_memory_equal(read.secret, first.secret, ND_KEY_BYTES);
}

static void a_key_file_that_everybody_may_read_is_refused(void **state)
{
    struct place *place = *state;
    struct nd_error error = {0};
    struct nd_key key;
    nd_key_generate(&key);
    assert_int_equal(nd_key_file_write(place->path, &key, &error), ND_OK);
    assert_int_equal(chmod(place->path, 0644), 0);
    assert_int_equal(nd_key_file_read(place->path, &error, &key), ND_KEY);
    assert_non_null(strstr(error.text, "chmod"));
}

static void anything_but_64_digits_is_no_key(void **state)
{
    struct place *place = *state;
    static const char *const texts[] = {
        "",
        "\n",
        "abcd\n",
        "g000000000000000000000000000000000000000000000000000000000000000\n",
        "00000000000000000000000000000000000000000000000000000000000000000\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct nd_error error = {0};
        struct nd_key key;
        write_file(place->path, texts[i], 0600);
        assert_int_equal(nd_key_file_read(place->path, &error, &key), ND_KEY);
        assert_non_null(strstr(error.text, place->path));
    }
}

static void a_missing_key_file_is_named(void **state)
{
    struct place *place = *state;
    struct nd_error error = {0};
    struct nd_key key;
    assert_int_equal(nd_key_file_read(place->path, &error, &key), ND_NO_INPUT);
    assert_non_null(strstr(error.text, place->path));
}

static void a_fifo_as_model_or_key_is_refused_at_once(void **state)
{
    struct place *place = *state;
    struct nd_error error = {0};
    struct nd_key key;
    struct nd_buffer blob = {0};
    assert_int_equal(mkfifo(place->path, 0600), 0);
    assert_int_equal(nd_key_file_read(place->path, &error, &key), ND_KEY);
    assert_int_equal(nd_model_file_load(place->path, &error, &blob), ND_DATA);
    assert_int_equal(blob.length, 0);
}

static void a_file_too_large_for_a_model_is_not_read(void **state)
{
    struct place *place = *state;
    struct nd_error error = {0};
    struct nd_buffer blob = {0};
    write_file(place->path, "", 0600);
    off_t size = (off_t)ND_MODEL_FILE_MAX_BYTES + 1;
    assert_int_equal(truncate(place->path, size), 0);
    assert_int_equal(nd_model_file_load(place->path, &error, &blob), ND_LIMIT);
    assert_null(blob.data);
}

static void the_library_says_why_a_model_does_not_open(void **state)
{
    struct place *place = *state;
    struct neurald *handle = NULL;
    char why[256] = "";
    assert_int_equal(neurald_open(place->path, NULL, &handle, why, sizeof(why)),
                     66);
    assert_non_null(strstr(why, place->path));
    write_file(place->path, "this is no model", 0600);
    assert_int_equal(neurald_open(place->path, NULL, &handle, why, sizeof(why)),
                     65);
    assert_non_null(strstr(why, place->path));
    assert_null(handle);
    neurald_close(&handle);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_key_that_was_written_is_read_again),
        CASE(a_key_is_never_overwritten),
        CASE(a_key_file_that_everybody_may_read_is_refused),
        CASE(anything_but_64_digits_is_no_key),
        CASE(a_missing_key_file_is_named),
        CASE(a_fifo_as_model_or_key_is_refused_at_once),
        CASE(a_file_too_large_for_a_model_is_not_read),
        CASE(the_library_says_why_a_model_does_not_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
