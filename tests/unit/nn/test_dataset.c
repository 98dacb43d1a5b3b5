/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of sparse vectors: what goes in comes out, and what may not go in is
 * refused and changes nothing.
 */
#include "fixture.h"

static void an_empty_set_has_no_rows_and_no_width(void **state)
{
    struct nd_dataset *set = nd_dataset_create();
    assert_int_equal(nd_dataset_count(set), 0);
    assert_int_equal(nd_dataset_entries(set), 0);
    assert_int_equal(nd_dataset_width(set), 0);
    nd_dataset_destroy(&set);
    assert_null(set);
    nd_dataset_destroy(&set);
    nd_dataset_destroy(NULL);
}

static void rows_come_back_as_they_were_added(void **state)
{
    struct nd_dataset *set = nd_dataset_create();
    struct nd_error error;
    for (uint32_t i = 0; i < 500; i++) {
        uint32_t columns[] = {i * 3, i * 3 + 1, 7};
        float values[] = {(float)i, -1, 0.5F};
        struct nd_sparse vector = {i % 4 == 0 ? 0 : 3, columns, values};
        assert_int_equal(
            nd_dataset_add(set, &vector, (int)(i % 2), 1 + (float)i, &error),
            ND_OK);
    }
    assert_int_equal(nd_dataset_count(set), 500);
    assert_int_equal(nd_dataset_entries(set), 375 * 3);
    assert_int_equal(nd_dataset_width(set), 499 * 3 + 2);
    for (uint32_t i = 0; i < 500; i++) {
        struct nd_sparse row = nd_dataset_row(set, i);
        assert_int_equal(row.count, i % 4 == 0 ? 0 : 3);
        assert_int_equal(nd_dataset_label(set, i), i % 2);
        assert_true(nd_dataset_weight(set, i) == 1 + (float)i);
        if (row.count > 0) {
            assert_int_equal(row.columns[0], i * 3);
            assert_true(row.values[0] == (float)i);
            assert_true(row.values[2] == 0.5F);
        }
    }
    nd_dataset_destroy(&set);
}

static void selected_rows_are_those_of_the_set(void **state)
{
    struct nd_dataset *set = nd_dataset_create();
    struct nd_error error;
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t columns[] = {i, 10 + i};
        float values[] = {(float)i, 1};
        struct nd_sparse vector = {2, columns, values};
        assert_int_equal(nd_dataset_add(set, &vector, i == 3, 2, &error),
                         ND_OK);
    }
    const uint32_t rows[] = {3, 0, 3};
    struct nd_dataset *some = nd_dataset_select(set, rows, 3);
    assert_int_equal(nd_dataset_count(some), 3);
    assert_int_equal(nd_dataset_entries(some), 6);
    assert_int_equal(nd_dataset_width(some), nd_dataset_width(set));
    for (size_t i = 0; i < 3; i++) {
        struct nd_sparse row = nd_dataset_row(some, i);
        assert_int_equal(row.count, 2);
        assert_ptr_equal(row.columns, nd_dataset_row(set, rows[i]).columns);
        assert_int_equal(row.columns[1], 10 + rows[i]);
        assert_int_equal(nd_dataset_label(some, i), rows[i] == 3);
        assert_true(nd_dataset_weight(some, i) == 2);
    }
    nd_dataset_destroy(&some);
    assert_int_equal(nd_dataset_row(set, 4).columns[1], 14);
    nd_dataset_destroy(&set);
}

static void assert_refused(struct nd_dataset *set, uint32_t column, float value,
                           float weight, const char *word)
{
    struct nd_error error = {{0}};
    struct nd_sparse vector = {1, &column, &value};
    assert_int_not_equal(nd_dataset_add(set, &vector, 1, weight, &error),
                         ND_OK);
    assert_non_null(strstr(error.text, word));
    assert_int_equal(nd_dataset_count(set), 0);
    assert_int_equal(nd_dataset_entries(set), 0);
}

static void numbers_that_are_not_finite_are_refused(void **state)
{
    struct nd_dataset *set = nd_dataset_create();
    assert_refused(set, 3, NAN, 1, "column 3");
    assert_refused(set, 4, INFINITY, 1, "column 4");
    assert_refused(set, 1, 1, NAN, "weight");
    assert_refused(set, 1, 1, INFINITY, "weight");
    nd_dataset_destroy(&set);
}

static void weights_of_zero_or_less_are_refused(void **state)
{
    struct nd_dataset *set = nd_dataset_create();
    assert_refused(set, 1, 1, 0, "weight");
    assert_refused(set, 1, 1, -1, "weight");
    nd_dataset_destroy(&set);
}

static void the_last_column_number_is_refused(void **state)
{
    struct nd_dataset *set = nd_dataset_create();
    assert_refused(set, UINT32_MAX, 1, 1, "column");
    nd_dataset_destroy(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_set_has_no_rows_and_no_width),
        cmocka_unit_test(rows_come_back_as_they_were_added),
        cmocka_unit_test(selected_rows_are_those_of_the_set),
        cmocka_unit_test(numbers_that_are_not_finite_are_refused),
        cmocka_unit_test(weights_of_zero_or_less_are_refused),
        cmocka_unit_test(the_last_column_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
