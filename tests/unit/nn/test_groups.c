/* SPDX-License-Identifier: Apache-2.0
 *
 * Dropout of whole groups of columns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "nn/batch.h"

#define SAMPLES 4000

static const uint32_t ends[] = {10, 20, 30};

/* A sample with three columns in each of three groups and one beyond. */
static struct nd_dataset *example(void)
{
    static const uint32_t columns[] = {1, 2, 3, 11, 12, 13, 21, 22, 23, 35};
    static const float values[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct nd_sparse vector = {10, columns, values};
    struct nd_dataset *set = nd_dataset_create();
    assert_int_equal(nd_dataset_add(set, &vector, 1, 1, NULL), ND_OK);
    return set;
}

/* Columns of row in group, and the value that they have in *value_r. */
static uint32_t count_group(const struct nd_sparse *row, uint32_t group,
                            float *value_r)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < row->count; i++) {
        if (row->columns[i] / 10 != group)
            continue;
        *value_r = row->values[i];
        count++;
    }
    return count;
}

static void groups_go_whole_and_never_all_at_once(void **state)
{
    struct nd_dataset *set = example();
    struct nd_batch *batch = nd_batch_create(1, 40);
    struct nd_batch_source source = {
        .set = set, .class_weight = {1, 1}, .groups = {ends, 3, 0.5F}};
    struct nd_random random;
    nd_random_seed(&random, 7);
    uint32_t times[3] = {0}, sample = 0;
    for (int i = 0; i < SAMPLES; i++) {
        uint32_t kept = 0;
        float value = 0;
        nd_batch_fill(batch, &source, &sample, 1, &random);
        for (uint32_t group = 0; group < 3; group++) {
            uint32_t count = count_group(&batch->rows[0].input, group, &value);
            assert_true(count == 0 || count == 3);
            kept += count / 3;
            times[group] += count / 3;
        }
        assert_true(kept >= 1);
        assert_true(fabsf(value - 3.0F / (float)kept) < 1e-6F);
        assert_int_equal(count_group(&batch->rows[0].input, 3, &value), 1);
    }
    for (uint32_t group = 0; group < 3; group++) {
        /* a half, and the eighth that would have lost all */
        assert_true(times[group] > SAMPLES * 58 / 100);
        assert_true(times[group] < SAMPLES * 67 / 100);
    }
    nd_batch_destroy(&batch);
    nd_dataset_destroy(&set);
}

static void the_order_of_columns_does_not_matter(void **state)
{
    static const uint32_t columns[] = {25, 5, 15, 6, 26, 16};
    static const float values[] = {1, 1, 1, 1, 1, 1};
    struct nd_sparse vector = {6, columns, values};
    struct nd_dataset *set = nd_dataset_create();
    assert_int_equal(nd_dataset_add(set, &vector, 0, 1, NULL), ND_OK);
    struct nd_batch *batch = nd_batch_create(1, 40);
    struct nd_batch_source source = {
        .set = set, .class_weight = {1, 1}, .groups = {ends, 3, 0.5F}};
    struct nd_random random;
    nd_random_seed(&random, 8);
    for (int i = 0; i < 200; i++) {
        uint32_t sample = 0;
        float value;
        nd_batch_fill(batch, &source, &sample, 1, &random);
        for (uint32_t group = 0; group < 3; group++) {
            uint32_t count = count_group(&batch->rows[0].input, group, &value);
            assert_true(count == 0 || count == 2);
        }
    }
    nd_batch_destroy(&batch);
    nd_dataset_destroy(&set);
}

static void no_dropout_keeps_everything(void **state)
{
    struct nd_dataset *set = example();
    struct nd_batch *batch = nd_batch_create(1, 40);
    struct nd_batch_source source = {
        .set = set, .class_weight = {1, 1}, .groups = {ends, 3, 0}};
    struct nd_random random;
    uint32_t sample = 0;
    nd_random_seed(&random, 9);
    nd_batch_fill(batch, &source, &sample, 1, &random);
    assert_int_equal(batch->rows[0].input.count, 10);
    assert_true(batch->rows[0].input.values[0] == 1.0F);
    nd_batch_destroy(&batch);
    nd_dataset_destroy(&set);
}

/* Two groups that each tell the label: with group dropout the network learns
 * to do with either alone. */
static void a_network_learns_to_do_without_any_group(void **state)
{
    struct nd_dataset *set = nd_dataset_create();
    static const float one[] = {1, 1};
    for (int i = 0; i < 200; i++) {
        uint32_t columns[] = {(uint32_t)(i % 2), (uint32_t)(10 + i % 2)};
        struct nd_sparse vector = {2, columns, one};
        assert_int_equal(nd_dataset_add(set, &vector, i % 2, 1, NULL), ND_OK);
    }
    struct nd_shape shape = {.inputs = 20, .layers = 1, .units = {7}};
    struct nd_network *network;
    struct nd_train_options options;
    struct nd_train_report report;
    assert_int_equal(nd_network_create(&shape, 1, NULL, &network), ND_OK);
    nd_train_defaults(&options);
    options.groups = (struct nd_train_groups){ends, 2, 0.5F};
    options.epochs = 20;
    assert_int_equal(nd_train(network, set, NULL, &options, NULL, &report),
                     ND_OK);
    for (uint32_t column = 0; column < 20; column += 10) {
        uint32_t ham = column, spam = column + 1;
        struct nd_sparse only_ham = {1, &ham, one};
        struct nd_sparse only_spam = {1, &spam, one};
        assert_true(nd_network_score(network, &only_ham) < -1.0F);
        assert_true(nd_network_score(network, &only_spam) > 1.0F);
    }
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
}

static void senseless_groups_are_refused(void **state)
{
    struct nd_dataset *set = example();
    struct nd_shape shape = {.inputs = 40, .layers = 1, .units = {7}};
    struct nd_network *network;
    struct nd_train_options options;
    struct nd_train_report report;
    assert_int_equal(nd_network_create(&shape, 1, NULL, &network), ND_OK);
    nd_train_defaults(&options);
    options.groups = (struct nd_train_groups){ends, ND_MAX_GROUPS + 1, 0.1F};
    assert_int_equal(nd_train(network, set, NULL, &options, NULL, &report),
                     ND_USAGE);
    options.groups = (struct nd_train_groups){ends, 3, 1.0F};
    assert_int_equal(nd_train(network, set, NULL, &options, NULL, &report),
                     ND_USAGE);
    nd_network_destroy(&network);
    nd_dataset_destroy(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_go_whole_and_never_all_at_once),
        cmocka_unit_test(the_order_of_columns_does_not_matter),
        cmocka_unit_test(no_dropout_keeps_everything),
        cmocka_unit_test(a_network_learns_to_do_without_any_group),
        cmocka_unit_test(senseless_groups_are_refused),
    };
    return cmocka_run_group_tests_name("groups", tests, NULL, NULL);
}
