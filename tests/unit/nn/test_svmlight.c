/* SPDX-License-Identifier: Apache-2.0
 *
 * svmlight text: what it means, and that everything else is told with file and
 * line.
 */
#include "fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "nn/svmlight.h"

static struct nd_dataset *parse(const char *text)
{
    struct nd_error error = {{0}};
    struct nd_dataset *set = NULL;
    if (nd_svmlight_parse("text", text, strlen(text), &error, &set) != ND_OK)
        fail_msg("%s", error.text);
    return set;
}

static void a_line_is_a_label_and_columns_from_one(void **state)
{
    struct nd_dataset *set = parse("1 1:0.5 3:-2e1\n");
    struct nd_sparse row = nd_dataset_row(set, 0);
    assert_int_equal(nd_dataset_count(set), 1);
    assert_int_equal(nd_dataset_label(set, 0), 1);
    assert_int_equal(row.count, 2);
    assert_int_equal(row.columns[0], 0);
    assert_true(row.values[0] == 0.5F);
    assert_int_equal(row.columns[1], 2);
    assert_true(row.values[1] == -20);
    nd_dataset_destroy(&set);
}

static void labels_above_zero_are_spam(void **state)
{
    struct nd_dataset *set = parse("+1 1:1\n-1 1:1\n0 1:1\n0.5 1:1\n2 1:1");
    const int expected[] = {1, 0, 0, 1, 1};
    assert_int_equal(nd_dataset_count(set), 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(nd_dataset_label(set, i), expected[i]);
    nd_dataset_destroy(&set);
}

static void comments_blanks_and_zeros_add_nothing(void **state)
{
    struct nd_dataset *set = parse("# head\n\n \t\r\n1\t2:3 \t4:0 # a 5:6\r\n"
                                   "0 # nothing else\n");
    assert_int_equal(nd_dataset_count(set), 2);
    assert_int_equal(nd_dataset_row(set, 0).count, 1);
    assert_int_equal(nd_dataset_row(set, 1).count, 0);
    assert_int_equal(nd_dataset_width(set), 2);
    nd_dataset_destroy(&set);
}

static void groups_of_a_ranking_are_passed_over(void **state)
{
    struct nd_dataset *set = parse("1 qid:7 1:2\n0 qid:7\n0\tqid:8 2:1");
    assert_int_equal(nd_dataset_count(set), 3);
    assert_int_equal(nd_dataset_row(set, 0).count, 1);
    assert_int_equal(nd_dataset_row(set, 1).count, 0);
    assert_int_equal(nd_dataset_width(set), 2);
    nd_dataset_destroy(&set);
}

static void malformed_lines_are_told_with_file_and_line(void **state)
{
    static const char *const lines[] = {
        "spam 1:2",   "1 2",          "1 2:",         "1 :3",      "1 0:3",
        "1 -1:3",     "1 1:nan",      "1 1:inf",      "1 1:0x10",  "1 1:1e999",
        "1 1:3.4e39", "1 1:1:1",      "1 2:1 1:1",    "1 2:1 2:1", "1 1: 2",
        "1 1 :2",     "1 16777217:1", "1 99999999:1", "1 1:1x",    "1 x1:1",
        "nan 1:1",    "1 1:--1",      "1 1:1e",       "1:1 2:1",   "1 1:.",
        "1 1.5:1",    "1 1:1 qid:1",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char text[64];
        struct nd_error error = {{0}};
        struct nd_dataset *set = NULL;
        snprintf(text, sizeof(text), "0 1:1\n%s\n", lines[i]);
        enum nd_status status =
            nd_svmlight_parse("name", text, strlen(text), &error, &set);
        if (status != ND_DATA)
            fail_msg("accepted: %s", lines[i]);
        assert_null(set);
        assert_int_equal(strncmp(error.text, "name:2: ", 8), 0);
    }
}

static void a_nul_byte_is_malformed(void **state)
{
    static const char text[] = "1 1:\0001 2:2\n";
    struct nd_dataset *set = NULL;
    assert_int_equal(
        nd_svmlight_parse("name", text, sizeof(text) - 1, NULL, &set), ND_DATA);
    assert_null(set);
}

static void the_highest_column_is_accepted(void **state)
{
    struct nd_dataset *set = parse("1 16777216:1");
    assert_int_equal(nd_dataset_width(set), ND_MAX_INPUTS);
    nd_dataset_destroy(&set);
}

static void a_file_is_read_whole(void **state)
{
    char path[] = "/tmp/nd-svmlight-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    FILE *file = fdopen(descriptor, "w");
    for (int i = 0; i < 20000; i++)
        fprintf(file, "%d 1:1 %d:0.25\n", i % 2, i + 2);
    fclose(file);
    struct nd_error error = {{0}};
    struct nd_dataset *set = NULL;
    enum nd_status status = nd_dataset_read_svmlight(path, &error, &set);
    unlink(path);
    assert_int_equal(status, ND_OK);
    assert_int_equal(nd_dataset_count(set), 20000);
    assert_int_equal(nd_dataset_entries(set), 40000);
    assert_int_equal(nd_dataset_width(set), 20001);
    nd_dataset_destroy(&set);
}

static void a_missing_file_and_a_folder_are_told(void **state)
{
    struct nd_error error = {{0}};
    struct nd_dataset *set = NULL;
    assert_int_equal(
        nd_dataset_read_svmlight("/nonexistent/x.svm", &error, &set),
        ND_NO_INPUT);
    assert_non_null(strstr(error.text, "/nonexistent/x.svm"));
    assert_int_not_equal(nd_dataset_read_svmlight("/", &error, &set), ND_OK);
    assert_null(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_label_and_columns_from_one),
        cmocka_unit_test(labels_above_zero_are_spam),
        cmocka_unit_test(comments_blanks_and_zeros_add_nothing),
        cmocka_unit_test(groups_of_a_ranking_are_passed_over),
        cmocka_unit_test(malformed_lines_are_told_with_file_and_line),
        cmocka_unit_test(a_nul_byte_is_malformed),
        cmocka_unit_test(the_highest_column_is_accepted),
        cmocka_unit_test(a_file_is_read_whole),
        cmocka_unit_test(a_missing_file_and_a_folder_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
