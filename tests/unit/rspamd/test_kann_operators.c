/* SPDX-License-Identifier: Apache-2.0
 *
 * Each operator of KANN's against its formula, and the shapes that it takes.
 */
#include "fixture.h"

#include <math.h>

#include "rspamd/kann.h"

#define INPUTS 4
static const float input[INPUTS] = {0.5F, -1.5F, 2, 0.25F};

struct graph {
    struct nd_kann *kann;
    uint32_t x; /* a feed of 1 by INPUTS */
};

static struct graph begin(void)
{
    struct graph graph = {.kann = nd_kann_create()};
    struct nd_kann_shape shape = {2, {1, INPUTS}};
    assert_int_equal(nd_kann_add_leaf(graph.kann, ND_KANN_INPUT, &shape, NULL,
                                      NULL, &graph.x),
                     ND_OK);
    return graph;
}

static uint32_t constant(struct graph *graph, struct nd_kann_shape shape,
                         const float *weights)
{
    uint32_t index = 0;
    assert_int_equal(
        nd_kann_add_leaf(graph->kann, 0, &shape, weights, NULL, &index), ND_OK);
    return index;
}

/* Ends the graph and compares what it answers. */
static void answers(struct graph *graph, const double *wanted, uint32_t count)
{
    float workspace[256];
    assert_int_equal(nd_kann_complete(graph->kann, NULL), ND_OK);
    assert_int_equal(nd_kann_outputs(graph->kann), count);
    assert_in_range(nd_kann_workspace(graph->kann), 0, 256);
    const float *output = nd_kann_evaluate(graph->kann, input, workspace);
    for (uint32_t i = 0; i < count; i++)
        if (fabs((double)output[i] - wanted[i]) > 1e-6)
            fail_msg("%u: %g, not %g", i, (double)output[i], wanted[i]);
    nd_kann_destroy(&graph->kann);
}

static void check_function(enum nd_kann_operator operation,
                           double (*function)(double))
{
    struct graph graph = begin();
    uint32_t output;
    double wanted[INPUTS];
    assert_int_equal(nd_kann_add(graph.kann, ND_KANN_OUTPUT, operation,
                                 &graph.x, 1, NULL, &output),
                     ND_OK);
    for (size_t i = 0; i < INPUTS; i++)
        wanted[i] = function((double)input[i]);
    answers(&graph, wanted, INPUTS);
}

static double square(double x)
{
    return x * x;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double relu(double x)
{
    return fmax(x, 0);
}

static double one_minus(double x)
{
    return 1 - x;
}

static void functions_of_one_number(void **state)
{
    check_function(ND_KANN_SQUARE, square);
    check_function(ND_KANN_SIGMOID, sigmoid);
    check_function(ND_KANN_TANH, tanh);
    check_function(ND_KANN_RELU, relu);
    check_function(ND_KANN_ONE_MINUS, one_minus);
    check_function(ND_KANN_EXP, exp);
    check_function(ND_KANN_SIN, sin);
}

static void the_logarithm_of_what_is_positive(void **state)
{
    struct graph graph = begin();
    uint32_t squares, output;
    double wanted[INPUTS];
    assert_int_equal(
        nd_kann_add(graph.kann, 0, ND_KANN_SQUARE, &graph.x, 1, NULL, &squares),
        ND_OK);
    assert_int_equal(nd_kann_add(graph.kann, ND_KANN_OUTPUT, ND_KANN_LOG,
                                 &squares, 1, NULL, &output),
                     ND_OK);
    for (size_t i = 0; i < INPUTS; i++)
        wanted[i] = 2 * log(fabs((double)input[i]));
    answers(&graph, wanted, INPUTS);
}

static void check_spread(enum nd_kann_operator operation, const double *wanted)
{
    struct graph graph = begin();
    const float pair[] = {3, 10};
    uint32_t output, children[] = {graph.x, 0};
    children[1] = constant(&graph, (struct nd_kann_shape){1, {2}}, pair);
    assert_int_equal(nd_kann_add(graph.kann, ND_KANN_OUTPUT, operation,
                                 children, 2, NULL, &output),
                     ND_OK);
    answers(&graph, wanted, INPUTS);
}

static void a_shorter_operand_is_repeated(void **state)
{
    check_spread(ND_KANN_ADD, (double[]){3.5, 8.5, 5, 10.25});
    check_spread(ND_KANN_SUBTRACT, (double[]){-2.5, -11.5, -1, -9.75});
    check_spread(ND_KANN_MULTIPLY, (double[]){1.5, -15, 6, 2.5});
}

static void products_of_matrices(void **state)
{
    const float rows[] = {1, 2, 3, 4, -1, 0, 1, 0};    /* 2 by 4 */
    const float columns[] = {1, 2, 3, 4, -1, 0, 1, 0}; /* 4 by 2 */
    struct graph graph = begin();
    uint32_t output, children[] = {graph.x, 0};
    children[1] =
        constant(&graph, (struct nd_kann_shape){2, {2, INPUTS}}, rows);
    assert_int_equal(nd_kann_add(graph.kann, ND_KANN_OUTPUT,
                                 ND_KANN_TIMES_TRANSPOSED, children, 2, NULL,
                                 &output),
                     ND_OK);
    answers(&graph, (double[]){0.5 - 3 + 6 + 1, -0.5 + 2}, 2);

    graph = begin();
    children[1] =
        constant(&graph, (struct nd_kann_shape){2, {INPUTS, 2}}, columns);
    assert_int_equal(nd_kann_add(graph.kann, ND_KANN_OUTPUT, ND_KANN_TIMES,
                                 children, 2, NULL, &output),
                     ND_OK);
    answers(&graph, (double[]){0.5 - 4.5 - 2 + 0.25, 1 - 6}, 2);
}

static void a_long_product_is_exact_to_rounding(void **state)
{
    enum { LENGTH = 1000 };
    struct nd_kann *kann = nd_kann_create();
    struct nd_kann_shape shape = {2, {1, LENGTH}};
    float values[LENGTH], *workspace = nd_calloc(LENGTH + 16, sizeof(float));
    uint32_t children[2], output;
    double wanted = 0;
    for (size_t i = 0; i < LENGTH; i++) {
        values[i] = (float)(i % 7) - 2.5F;
        wanted += (double)values[i] * (double)values[i];
    }
    assert_int_equal(
        nd_kann_add_leaf(kann, ND_KANN_INPUT, &shape, NULL, NULL, &children[0]),
        ND_OK);
    assert_int_equal(
        nd_kann_add_leaf(kann, 0, &shape, values, NULL, &children[1]), ND_OK);
    assert_int_equal(nd_kann_add(kann, ND_KANN_OUTPUT, ND_KANN_TIMES_TRANSPOSED,
                                 children, 2, NULL, &output),
                     ND_OK);
    assert_int_equal(nd_kann_complete(kann, NULL), ND_OK);
    assert_in_range(nd_kann_workspace(kann), 0, LENGTH + 16);
    float got = *nd_kann_evaluate(kann, values, workspace);
    assert_true(fabs((double)got - wanted) < 1e-4 * wanted);
    free(workspace);
    nd_kann_destroy(&kann);
}

static void what_works_on_rows(void **state)
{
    struct graph graph = begin();
    uint32_t output;
    double sum = 0, mean = 0, variance = 0, wanted[INPUTS];
    for (size_t i = 0; i < INPUTS; i++) {
        sum += exp((double)input[i]);
        mean += (double)input[i] / INPUTS;
    }
    for (size_t i = 0; i < INPUTS; i++) {
        wanted[i] = exp((double)input[i]) / sum;
        variance += square((double)input[i] - mean) / INPUTS;
    }
    assert_int_equal(nd_kann_add(graph.kann, ND_KANN_OUTPUT, ND_KANN_SOFTMAX,
                                 &graph.x, 1, NULL, &output),
                     ND_OK);
    answers(&graph, wanted, INPUTS);

    graph = begin();
    for (size_t i = 0; i < INPUTS; i++)
        wanted[i] = ((double)input[i] - mean) / sqrt(variance);
    assert_int_equal(nd_kann_add(graph.kann, ND_KANN_OUTPUT, ND_KANN_NORMALIZE,
                                 &graph.x, 1, NULL, &output),
                     ND_OK);
    answers(&graph, wanted, INPUTS);
}

static void not_fitting(enum nd_kann_operator operation,
                        struct nd_kann_shape shape, uint32_t operands)
{
    struct graph graph = begin();
    const float numbers[15] = {0};
    uint32_t output = 77, children[] = {graph.x, 0, 0, 0};
    children[1] = constant(&graph, shape, numbers);
    assert_int_equal(nd_kann_add(graph.kann, ND_KANN_OUTPUT, operation,
                                 children, operands, NULL, &output),
                     ND_DATA);
    assert_int_equal(output, 77);
    nd_kann_destroy(&graph.kann);
}

static void operands_that_do_not_fit_are_refused(void **state)
{
    struct nd_kann_shape three = {1, {3}}, five = {2, {3, 5}}, four = {1, {4}};
    not_fitting(ND_KANN_ADD, three, 2);
    not_fitting(ND_KANN_ADD, four, 1);
    not_fitting(ND_KANN_TIMES_TRANSPOSED, five, 2);
    not_fitting(ND_KANN_TIMES_TRANSPOSED, (struct nd_kann_shape){2, {2, 3}}, 2);
    not_fitting(ND_KANN_TIMES, five, 2);
    not_fitting(ND_KANN_TIMES, four, 1);
    not_fitting(ND_KANN_TANH, four, 2);
    not_fitting(ND_KANN_TANH, four, 0);
    not_fitting(ND_KANN_TANH, four, 4);
    not_fitting(ND_KANN_SOFTMAX, four, 2);
    not_fitting(ND_KANN_COST_SQUARE, three, 2);
    not_fitting(ND_KANN_LEAF, four, 2);
}

static void a_cost_is_kept_and_not_evaluated(void **state)
{
    struct graph graph = begin();
    struct nd_kann_shape shape = {2, {1, INPUTS}};
    uint32_t output, truth, cost;
    assert_int_equal(nd_kann_add(graph.kann, ND_KANN_OUTPUT, ND_KANN_TANH,
                                 &graph.x, 1, NULL, &output),
                     ND_OK);
    assert_int_equal(
        nd_kann_add_leaf(graph.kann, ND_KANN_TRUTH, &shape, NULL, NULL, &truth),
        ND_OK);
    assert_int_equal(nd_kann_add(graph.kann, ND_KANN_COST,
                                 ND_KANN_COST_BINARY_NEGATIVE,
                                 (uint32_t[]){output, truth}, 2, NULL, &cost),
                     ND_OK);
    double wanted[INPUTS];
    for (size_t i = 0; i < INPUTS; i++)
        wanted[i] = tanh((double)input[i]);
    answers(&graph, wanted, INPUTS);
}

static void an_output_behind_a_cost_or_a_truth_is_refused(void **state)
{
    struct graph graph = begin();
    struct nd_kann_shape shape = {2, {1, INPUTS}};
    uint32_t truth, output;
    assert_int_equal(
        nd_kann_add_leaf(graph.kann, ND_KANN_TRUTH, &shape, NULL, NULL, &truth),
        ND_OK);
    assert_int_equal(nd_kann_add(graph.kann, ND_KANN_OUTPUT, ND_KANN_TANH,
                                 &truth, 1, NULL, &output),
                     ND_OK);
    assert_int_equal(nd_kann_complete(graph.kann, NULL), ND_DATA);
    nd_kann_destroy(&graph.kann);

    graph = begin();
    assert_int_equal(
        nd_kann_add(graph.kann, ND_KANN_OUTPUT, ND_KANN_COST_SQUARE,
                    (uint32_t[]){graph.x, graph.x}, 2, NULL, &output),
        ND_OK);
    assert_int_equal(nd_kann_complete(graph.kann, NULL), ND_DATA);
    nd_kann_destroy(&graph.kann);
}

static void a_network_that_takes_for_ever_is_refused(void **state)
{
    /* Squaring a column by its own transpose over and over. */
    struct nd_kann *kann = nd_kann_create();
    enum { LENGTH = 4096 };
    struct nd_kann_shape row = {2, {1, 1}}, column = {2, {LENGTH, 1}};
    float *weights = nd_calloc(LENGTH, sizeof(*weights));
    uint32_t x, w, grown, output;
    assert_int_equal(
        nd_kann_add_leaf(kann, ND_KANN_INPUT, &row, NULL, NULL, &x), ND_OK);
    assert_int_equal(nd_kann_add_leaf(kann, 0, &column, weights, NULL, &w),
                     ND_OK);
    assert_int_equal(nd_kann_add(kann, 0, ND_KANN_TIMES_TRANSPOSED,
                                 (uint32_t[]){w, w}, 2, NULL, &grown),
                     ND_OK);
    assert_int_equal(nd_kann_add(kann, ND_KANN_OUTPUT, ND_KANN_TIMES,
                                 (uint32_t[]){grown, grown}, 2, NULL, &output),
                     ND_OK);
    assert_int_equal(nd_kann_complete(kann, NULL), ND_LIMIT);
    free(weights);
    nd_kann_destroy(&kann);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_one_number),
        cmocka_unit_test(the_logarithm_of_what_is_positive),
        cmocka_unit_test(a_shorter_operand_is_repeated),
        cmocka_unit_test(products_of_matrices),
        cmocka_unit_test(a_long_product_is_exact_to_rounding),
        cmocka_unit_test(what_works_on_rows),
        cmocka_unit_test(operands_that_do_not_fit_are_refused),
        cmocka_unit_test(a_cost_is_kept_and_not_evaluated),
        cmocka_unit_test(an_output_behind_a_cost_or_a_truth_is_refused),
        cmocka_unit_test(a_network_that_takes_for_ever_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
