/* SPDX-License-Identifier: Apache-2.0
 *
 * What an evaluation reads, and what it makes of scored messages. The whole is
 * tested with the program (tests/system).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "cli/eval.h"

static char folder[] = "/tmp/neurald-eval-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char *path = nd_sprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"index", "one", "two words"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = nd_sprintf("%s/%s", folder, names[i]);
        unlink(path);
        free(path);
    }
    return rmdir(folder);
}

static void splits_are_shares_of_whole_parts(void **state)
{
    static const struct {
        const char *text;
        uint32_t divisor;
    } good[] = {{"0.25", 4}, {"1/4", 4},   {"0.5", 2},    {"1/2", 2},
                {"0.1", 10}, {"1/7", 7},   {"0.3333", 3}, {"0.05", 20},
                {"0.2", 5},  {"0.01", 100}};
    static const char *const bad[] = {"0",   "1",   "1/1", "0.3", "0.4", "-1",
                                      "1/0", "2/4", "x",   "",    "1/x"};
    struct nd_error error;
    uint32_t divisor;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(nd_eval_parse_split(good[i].text, &error, &divisor),
                         ND_OK);
        assert_int_equal(divisor, good[i].divisor);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        divisor = 99;
        assert_int_equal(nd_eval_parse_split(bad[i], &error, &divisor),
                         ND_USAGE);
        assert_int_equal(divisor, 99);
    }
}

static enum nd_status read_index(const char *text, uint64_t first,
                                 struct nd_cli *cli, struct nd_eval_plan *plan)
{
    write_file("index", text);
    char *path = nd_sprintf("%s/index", folder);
    enum nd_status status = nd_eval_read_index(cli, path, first, plan);
    free(path);
    return status;
}

static void an_index_keeps_order_labels_and_parts(void **state)
{
    struct nd_cli cli = {0};
    struct nd_eval_plan plan = {0};
    (void)state;
    write_file("one", "x");
    write_file("two words", "x");
    assert_int_equal(read_index("spam one\r\n\nham two words\nspam /dev/null\n",
                                2, &cli, &plan),
                     ND_OK);
    assert_int_equal(plan.count, 3);
    assert_int_equal(plan.entries[0].label, ND_SPAM);
    assert_int_equal(plan.entries[0].part, ND_EVAL_TRAIN);
    assert_int_equal(plan.entries[1].label, ND_HAM);
    assert_int_equal(plan.entries[1].part, ND_EVAL_TRAIN);
    assert_int_equal(plan.entries[2].part, ND_EVAL_TEST);
    assert_string_equal(plan.entries[2].path, "/dev/null");
    const char *name = strrchr(plan.entries[1].path, '/');
    assert_string_equal(name, "/two words");
    nd_eval_plan_free(&plan);
}

static void an_index_without_order_is_split_by_name(void **state)
{
    struct nd_cli cli = {0};
    struct nd_eval_plan plan = {0};
    (void)state;
    write_file("one", "x");
    assert_int_equal(read_index("ham one", 0, &cli, &plan), ND_OK);
    assert_int_equal(plan.entries[0].part, ND_EVAL_BY_NAME);
    nd_eval_plan_free(&plan);
}

static void a_bad_index_names_its_line(void **state)
{
    static const struct {
        const char *text;
        enum nd_status status;
        const char *words;
    } cases[] = {
        {"spam one\nspma one\n", ND_DATA, "index:2:"},
        {"spam\n", ND_DATA, "index:1:"},
        {"spam one\n\nham nowhere/x\n", ND_NO_INPUT, "index:3: nowhere/x"},
        {"\n", ND_NOTHING, "index"},
    };
    (void)state;
    write_file("one", "x");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct nd_cli cli = {0};
        struct nd_eval_plan plan = {0};
        assert_int_equal(read_index(cases[i].text, 1, &cli, &plan),
                         cases[i].status);
        assert_non_null(strstr(cli.error.text, cases[i].words));
        nd_eval_plan_free(&plan);
    }
}

static void figures_count_as_documented(void **state)
{
    const struct nd_eval_outcome outcomes[] = {
        {"", ND_SPAM, 4, 0.98, ND_VERDICT_SPAM},
        {"", ND_SPAM, 1, 0.73, ND_UNSURE},
        {"", ND_SPAM, -4, 0.02, ND_VERDICT_HAM},
        {"", ND_HAM, -3, 0.05, ND_VERDICT_HAM},
        {"", ND_HAM, 0.5, 0.62, ND_UNSURE},
        {"", ND_HAM, 5, 0.99, ND_VERDICT_SPAM},
        {"", ND_HAM, -2, 0.12, ND_VERDICT_HAM},
        {"", ND_HAM, -1, 0.27, ND_UNSURE},
    };
    struct nd_eval_figures figures;
    (void)state;
    nd_eval_figures(outcomes, 8, &figures);
    assert_float_equal(figures.accuracy, 5.0 / 8, 1e-12);
    assert_float_equal(figures.decided_right, 3.0 / 8, 1e-12);
    assert_float_equal(figures.unsure, 3.0 / 8, 1e-12);
    assert_float_equal(figures.false_positives, 1.0 / 5, 1e-12);
    assert_float_equal(figures.false_negatives, 1.0 / 3, 1e-12);
    /* Of 15 pairs the spam is above in 4 + 4 + 0. */
    assert_float_equal(figures.auc, 8.0 / 15, 1e-12);
    /* Any threshold that loses no ham (5 is ham's best) catches nothing. */
    assert_float_equal(figures.recall[0], 0.0, 1e-12);
}

static void one_class_has_no_auc(void **state)
{
    const struct nd_eval_outcome outcomes[] = {
        {"", ND_SPAM, 4, 0.98, ND_VERDICT_SPAM},
        {"", ND_SPAM, 1, 0.73, ND_UNSURE},
    };
    struct nd_eval_figures figures;
    (void)state;
    nd_eval_figures(outcomes, 2, &figures);
    assert_true(isnan(figures.auc));
    assert_true(isnan(figures.recall[2]));
    assert_true(isnan(figures.false_positives));
    assert_float_equal(figures.false_negatives, 0.0, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_are_shares_of_whole_parts),
        cmocka_unit_test(an_index_keeps_order_labels_and_parts),
        cmocka_unit_test(an_index_without_order_is_split_by_name),
        cmocka_unit_test(a_bad_index_names_its_line),
        cmocka_unit_test(figures_count_as_documented),
        cmocka_unit_test(one_class_has_no_auc),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
