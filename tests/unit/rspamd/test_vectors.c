/* SPDX-License-Identifier: Apache-2.0
 *
 * Vectors as text: what is read, and what is refused with its line.
 */
#include "fixture.h"

static enum nd_status parse(const char *text, struct nd_vectors *vectors,
                            struct nd_error *error)
{
    return nd_vectors_parse(vectors, "file", text, strlen(text), error);
}

static void lines_are_labels_and_numbers(void **state)
{
    struct nd_vectors vectors = {0};
    const char *text = "1 0.5 -2 1e-3\n\n0 0 1 0\r\n-1 7 8 9.25";
    assert_int_equal(parse(text, &vectors, NULL), ND_OK);
    assert_int_equal(vectors.count, 3);
    assert_int_equal(vectors.width, 3);
    assert_int_equal(vectors.labels[0], 1);
    assert_int_equal(vectors.labels[1], 0);
    assert_int_equal(vectors.labels[2], 0);
    assert_true(nd_vectors_row(&vectors, 0)[1] == -2);
    assert_true(nd_vectors_row(&vectors, 0)[2] == 1e-3F);
    assert_true(nd_vectors_row(&vectors, 1)[1] == 1);
    assert_true(nd_vectors_row(&vectors, 2)[2] == 9.25F);
    assert_int_equal(nd_vectors_of(&vectors, 1), 1);
    assert_int_equal(nd_vectors_of(&vectors, 0), 2);
    nd_vectors_free(&vectors);
}

static void refused(const char *text, const char *line)
{
    struct nd_vectors vectors = {0};
    struct nd_error error = {{0}};
    assert_int_equal(parse(text, &vectors, &error), ND_DATA);
    if (strstr(error.text, line) == NULL)
        fail_msg("no %s in: %s", line, error.text);
    nd_vectors_free(&vectors);
}

static void what_is_no_vector_is_refused_with_its_line(void **state)
{
    refused("1 0.5\n1\n", "file:2:");
    refused("1 0.5\n1 x\n", "file:2:");
    refused("1 nan\n", "file:1:");
    refused("1 inf\n", "file:1:");
    refused("1 1e99\n", "file:1:");
    refused("1 0x10\n", "file:1:");
    refused("1 0.5;2\n", "file:1:");
    refused("1  0.5\n", "file:1:");
    refused("1 0.5 1\n0 0.5\n", "file:2:");
    refused("spam 1\n", "file:1:");
}

static void what_is_wrong_is_said(void **state)
{
    refused("1 2 3\n1 2 nan\n", "number 2 is 'nan'");
    refused("1 1e99\n", "number 1 is '1e99'");
    refused("1  2\n", "number 1 is ''");
    refused("1\t2\n", "begins with '1?2'");
    refused("1 \033[2J\n", "number 1 is '?[2J'");
    refused("1 1:0.5\n", "number 1 is '1:0.5'");
    refused("spam 1\n", "begins with 'spam'");
    refused("0\n", "no number");
    refused("2 1\n", "the label is 2");
    refused("0.5 1\n", "the label is 0.5");
    refused("1 1\n-2 1\n", "file:2: the label is -2");
    refused("\x28\xb5\x2f\xfd 1 2\n", "packed by zstd");
    refused("\x1f\x8b\x08 1 2\n", "packed by gzip");
    size_t length = 2 * ((size_t)ND_VECTORS_MAX_WIDTH + 2);
    char *text = nd_calloc(length + 1, 1);
    for (size_t i = 0; i < length; i += 2)
        memcpy(text + i, "1 ", 2);
    refused(text, "more than 65536 numbers");
    free(text);
}

static void numbers_joined_by_semicolons(void **state)
{
    float numbers[4];
    assert_int_equal(nd_vectors_parse_numbers("0;0.25;1", 8, ';', 4, numbers),
                     3);
    assert_true(numbers[0] == 0 && numbers[1] == 0.25F && numbers[2] == 1);
    assert_int_equal(nd_vectors_parse_numbers("0;1;2;3", 7, ';', 4, numbers),
                     4);
    assert_int_equal(nd_vectors_parse_numbers("0;1;2;3;4", 9, ';', 4, numbers),
                     0);
    assert_int_equal(nd_vectors_parse_numbers("0;1;", 4, ';', 4, numbers), 0);
    assert_int_equal(nd_vectors_parse_numbers("", 0, ';', 4, numbers), 0);
    assert_int_equal(nd_vectors_parse_numbers("1;nan", 5, ';', 4, numbers), 0);
}

static void vectors_that_cannot_be_added(void **state)
{
    struct nd_vectors vectors = {0};
    const float good[] = {1, 2}, bad[] = {1, __builtin_nanf("")};
    assert_int_equal(nd_vectors_add(&vectors, good, 2, 1, NULL), ND_OK);
    assert_int_equal(nd_vectors_add(&vectors, good, 1, 1, NULL), ND_DATA);
    assert_int_equal(nd_vectors_add(&vectors, bad, 2, 1, NULL), ND_DATA);
    assert_int_equal(nd_vectors_add(&vectors, good, 0, 1, NULL), ND_LIMIT);
    assert_int_equal(
        nd_vectors_add(&vectors, good, ND_VECTORS_MAX_WIDTH + 1, 1, NULL),
        ND_LIMIT);
    assert_int_equal(vectors.count, 1);
    nd_vectors_free(&vectors);
}

static void files_that_are_not_there_or_empty(void **state)
{
    struct nd_vectors vectors = {0};
    assert_int_equal(nd_vectors_read(&vectors, "/nonexistent", NULL),
                     ND_NO_INPUT);
    assert_int_equal(nd_vectors_read(&vectors, "/dev/null", NULL), ND_NOTHING);
    nd_vectors_free(&vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_labels_and_numbers),
        cmocka_unit_test(what_is_no_vector_is_refused_with_its_line),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(numbers_joined_by_semicolons),
        cmocka_unit_test(vectors_that_cannot_be_added),
        cmocka_unit_test(files_that_are_not_there_or_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
