/* SPDX-License-Identifier: Apache-2.0
 *
 * Scoring: the formula in network.h worked out by hand, limits of shapes,
 * columns that came later, contributions, and the compact form.
 */
#include "fixture.h"

#include "nn/network_internal.h"

static enum nd_status try_shape(const struct nd_shape *shape)
{
    struct nd_network *network = NULL;
    enum nd_status status = nd_network_create(shape, 1, NULL, &network);
    assert_true((status == ND_OK) == (network != NULL));
    nd_network_destroy(&network);
    assert_null(network);
    return status;
}

static void shapes_beyond_the_limits_are_refused(void **state)
{
    struct nd_shape shape = {.inputs = 8, .layers = 1, .units = {4}};
    assert_int_equal(try_shape(&shape), ND_OK);
    shape.inputs = 0;
    assert_int_equal(try_shape(&shape), ND_LIMIT);
    shape.inputs = ND_MAX_INPUTS + 1;
    assert_int_equal(try_shape(&shape), ND_LIMIT);
    shape.inputs = 8;
    shape.layers = ND_MAX_LAYERS + 1;
    assert_int_equal(try_shape(&shape), ND_LIMIT);
    shape.layers = 2;
    assert_int_equal(try_shape(&shape), ND_LIMIT); /* a layer of 0 units */
    shape.units[1] = ND_MAX_UNITS + 1;
    assert_int_equal(try_shape(&shape), ND_LIMIT);
    shape.units[1] = ND_MAX_UNITS;
    assert_int_equal(try_shape(&shape), ND_OK);
    shape = (struct nd_shape){
        .inputs = ND_MAX_INPUTS, .layers = 1, .units = {ND_MAX_UNITS}};
    assert_int_equal(try_shape(&shape), ND_LIMIT); /* 256 GiB of weights */
}

static void a_shape_without_layers_is_wide(void **state)
{
    struct nd_network *network =
        make_network(&(struct nd_shape){.inputs = 9}, 1);
    struct nd_shape shape = nd_network_shape(network);
    assert_true(shape.wide);
    assert_int_equal(shape.inputs, 9);
    assert_int_equal(shape.layers, 0);
    nd_network_destroy(&network);
}

static void the_seed_alone_decides_the_weights(void **state)
{
    struct nd_shape shape = {.inputs = 30, .layers = 1, .units = {20}};
    struct nd_network *one = make_network(&shape, 7);
    struct nd_network *same = make_network(&shape, 7);
    struct nd_network *other = make_network(&shape, 8);
    size_t bytes = 30 * one->width * sizeof(float);
    assert_memory_equal(one->rows, same->rows, bytes);
    assert_memory_not_equal(one->rows, other->rows, bytes);
    nd_network_destroy(&one);
    nd_network_destroy(&same);
    nd_network_destroy(&other);
}

static float leaky(float value)
{
    return value > 0 ? value : value * ND_LEAK;
}

/* Two inputs, two hidden layers of two units, and the wide path, by hand. */
static void scores_follow_the_formula(void **state)
{
    struct nd_network *network = make_network(
        &(struct nd_shape){
            .inputs = 2, .layers = 2, .units = {2, 2}, .wide = true},
        1);
    size_t width = network->width, upper = network->dense[0].width;
    const float first[2][3] = {{1, -2, 0.25F}, {3, 0.5F, -0.5F}};
    const float second[2][2] = {{0.5F, -1}, {2, 1}};
    for (size_t i = 0; i < 2; i++) {
        memcpy(network->rows + i * width, first[i], sizeof(first[i]));
        memcpy(network->dense[0].weights + i * upper, second[i],
               sizeof(second[i]));
    }
    network->bias[0] = 0.1F;
    network->bias[1] = -0.2F;
    network->dense[0].bias[0] = 0.3F;
    network->out[0] = 1.5F;
    network->out[1] = -0.75F;
    network->out_bias = 0.05F;
    const uint32_t columns[] = {1, 0};
    const float values[] = {2, -1};
    float a = leaky(0.1F - 1 + 6), b = leaky(-0.2F + 2 + 1);
    float c = leaky(0.3F + 0.5F * a + 2 * b), d = leaky(-a + b);
    float expected = 0.05F + 1.5F * c - 0.75F * d - 0.25F - 1;
    float score =
        nd_network_score(network, &(struct nd_sparse){2, columns, values});
    assert_true(fabsf(score - expected) < 1e-5F);
    nd_network_destroy(&network);
}

static void columns_beyond_the_network_are_left_out(void **state)
{
    struct nd_network *network = make_network(
        &(struct nd_shape){
            .inputs = 40, .layers = 1, .units = {6}, .wide = true},
        3);
    const uint32_t columns[] = {3, 40, 9, UINT32_MAX, ND_MAX_INPUTS};
    const float values[] = {1, 5, -2, 7, 9};
    const uint32_t known[] = {3, 9};
    const float their[] = {1, -2};
    struct nd_sparse all = {5, columns, values}, within = {2, known, their};
    assert_true(nd_network_score(network, &all) ==
                nd_network_score(network, &within));
    nd_network_quantize(network);
    assert_true(nd_network_score(network, &all) ==
                nd_network_score(network, &within));
    nd_network_destroy(&network);
}

static void a_column_without_weights_is_not_known(void **state)
{
    struct nd_network *network = make_network(
        &(struct nd_shape){
            .inputs = 70, .layers = 1, .units = {6}, .wide = true},
        3);
    memset(network->rows + 65 * network->width, 0,
           network->width * sizeof(float));
    nd_network_quantize(network);
    assert_true(nd_network_knows(network, 64));
    assert_false(nd_network_knows(network, 65));
    assert_true(nd_network_knows(network, 69));
    assert_false(nd_network_knows(network, 70));
    nd_network_destroy(&network);
}

static void absurd_values_give_finite_scores(void **state)
{
    struct nd_network *network = make_network(
        &(struct nd_shape){
            .inputs = 3, .layers = 1, .units = {16}, .wide = true},
        3);
    const uint32_t columns[] = {0, 1, 2};
    const float values[] = {3e38F, -3e38F, 3e38F};
    struct nd_sparse vector = {3, columns, values};
    for (size_t i = 0; i < 3 * network->width; i++)
        network->rows[i] *= 100;
    assert_true(isfinite(nd_network_score(network, &vector)));
    nd_network_quantize(network);
    float changes[3];
    assert_true(isfinite(nd_network_score(network, &vector)));
    nd_network_contributions(network, &vector, changes);
    for (int i = 0; i < 3; i++)
        assert_true(isfinite(changes[i]));
    nd_network_destroy(&network);
}

static void check_contributions(const struct nd_network *network,
                                const struct nd_sparse *vector)
{
    float changes[ENTRIES];
    nd_network_contributions(network, vector, changes);
    float all = nd_network_score(network, vector);
    for (uint32_t i = 0; i < vector->count; i++) {
        uint32_t columns[ENTRIES];
        float values[ENTRIES];
        memcpy(columns, vector->columns, sizeof(columns));
        memcpy(values, vector->values, sizeof(values));
        columns[i] = columns[ENTRIES - 1];
        values[i] = values[ENTRIES - 1];
        struct nd_sparse without = {ENTRIES - 1, columns, values};
        float expected = all - nd_network_score(network, &without);
        assert_true(fabsf(changes[i] - expected) < 1e-4F);
    }
}

static void contributions_are_what_leaving_out_changes(void **state)
{
    struct nd_shape shape = {
        .inputs = 300, .layers = 2, .units = {21, 6}, .wide = true};
    struct nd_network *network = make_network(&shape, 5);
    struct nd_dataset *set = linear_set(300, 20, 4);
    for (size_t i = 0; i < 20; i++) {
        struct nd_sparse row = nd_dataset_row(set, i);
        check_contributions(network, &row);
    }
    nd_network_quantize(network);
    for (size_t i = 0; i < 20; i++) {
        struct nd_sparse row = nd_dataset_row(set, i);
        check_contributions(network, &row);
    }
    nd_dataset_destroy(&set);
    nd_network_destroy(&network);
}

static void long_vectors_are_summed_whole(void **state)
{
    enum { LENGTH = 1337 };
    struct nd_network *network =
        make_network(&(struct nd_shape){.inputs = LENGTH}, 1);
    uint32_t columns[LENGTH];
    float values[LENGTH];
    for (uint32_t i = 0; i < LENGTH; i++) {
        columns[i] = LENGTH - 1 - i;
        values[i] = 1;
        network->rows[i * network->width] = (float)(i % 7);
    }
    struct nd_sparse vector = {LENGTH, columns, values};
    assert_true(nd_network_score(network, &vector) == 191 * 21);
    nd_network_quantize(network);
    assert_true(nd_network_score(network, &vector) == 191 * 21);
    nd_network_destroy(&network);
}

static void the_compact_form_is_close(void **state)
{
    struct nd_shape shape = {
        .inputs = 300, .layers = 1, .units = {33}, .wide = true};
    struct nd_network *network = make_network(&shape, 5);
    struct nd_dataset *set = linear_set(300, 50, 4);
    float plain[50];
    for (size_t i = 0; i < 50; i++) {
        struct nd_sparse row = nd_dataset_row(set, i);
        plain[i] = nd_network_score(network, &row);
    }
    nd_network_quantize(network);
    for (size_t i = 0; i < 50; i++) {
        struct nd_sparse row = nd_dataset_row(set, i);
        assert_true(fabsf(nd_network_score(network, &row) - plain[i]) < 0.01F);
    }
    nd_dataset_destroy(&set);
    nd_network_destroy(&network);
}

static void expanding_gives_the_rounded_weights_back(void **state)
{
    struct nd_shape shape = {
        .inputs = 100, .layers = 1, .units = {20}, .wide = true};
    struct nd_network *network = make_network(&shape, 5);
    float before[100 * 32];
    memset(network->rows + 64 * network->width, 0,
           network->width * sizeof(float)); /* a row that is absent */
    memcpy(before, network->rows, sizeof(before));
    nd_network_quantize(network);
    assert_null(network->rows);
    assert_int_equal(network->compact->rows, 99);
    nd_network_expand(network);
    assert_null(network->compact);
    for (size_t j = 0; j < 100; j++)
        for (size_t i = 0; i < 32; i++)
            assert_true(fabsf(network->rows[j * 32 + i] - before[j * 32 + i]) <
                        0.002F);
    nd_network_destroy(&network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_beyond_the_limits_are_refused),
        cmocka_unit_test(a_shape_without_layers_is_wide),
        cmocka_unit_test(the_seed_alone_decides_the_weights),
        cmocka_unit_test(scores_follow_the_formula),
        cmocka_unit_test(columns_beyond_the_network_are_left_out),
        cmocka_unit_test(a_column_without_weights_is_not_known),
        cmocka_unit_test(absurd_values_give_finite_scores),
        cmocka_unit_test(contributions_are_what_leaving_out_changes),
        cmocka_unit_test(long_vectors_are_summed_whole),
        cmocka_unit_test(the_compact_form_is_close),
        cmocka_unit_test(expanding_gives_the_rounded_weights_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
