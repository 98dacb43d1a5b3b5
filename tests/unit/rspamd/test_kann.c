/* SPDX-License-Identifier: Apache-2.0
 *
 * KANN files: rspamd's own network answers as it does there, what is read is
 * written as the same bytes, and files that lie are refused.
 */
#include "fixture.h"

#include <math.h>
#include <stdio.h>

#include "rspamd/kann.h"
#include "rspamd/train.h"

#define INPUTS 220

static struct nd_kann *read_network(const struct nd_buffer *file)
{
    struct nd_kann *kann = NULL;
    struct nd_error error = {{0}};
    enum nd_status status =
        nd_kann_read(file->data, file->length, &error, &kann);
    if (status != ND_OK)
        fail_msg("%s", error.text);
    return kann;
}

static void rspamds_network_answers_as_in_rspamd(void **state)
{
    struct nd_buffer file = test_data("rspamd-3.4-model.kann.zst");
    struct nd_buffer told = test_data("rspamd-3.4-model-scores.txt");
    struct nd_vectors vectors =
        test_vectors("sa_rspamd_vectors.svm.zst", INPUTS);
    struct nd_kann *kann = read_network(&file);
    double *scores = nd_calloc(vectors.count, sizeof(*scores));
    assert_int_equal(nd_kann_inputs(kann), INPUTS);
    assert_int_equal(nd_kann_outputs(kann), 1);
    assert_int_equal(nd_rspamd_score(kann, &vectors, NULL, scores), ND_OK);
    size_t checked = 0;
    for (char *line = strtok((char *)told.data, "\n"); line != NULL;
         line = strtok(NULL, "\n")) {
        char *end;
        size_t number = strtoul(line, &end, 10);
        assert_in_range(number, 1, vectors.count);
        double score = strtod(end, NULL);
        assert_true(fabs(scores[number - 1] - score) < 1e-5);
        checked++;
    }
    assert_int_equal(checked, 100);
    free(scores);
    nd_kann_destroy(&kann);
    nd_vectors_free(&vectors);
    nd_buffer_free(&file);
    nd_buffer_free(&told);
}

static void rspamds_network_is_written_as_it_was_read(void **state)
{
    struct nd_buffer file = test_data("rspamd-3.4-model.kann.zst"), again = {0};
    struct nd_kann *kann = read_network(&file);
    nd_kann_write(kann, &again);
    assert_int_equal(again.length, file.length);
    assert_memory_equal(again.data, file.data, file.length);
    nd_kann_destroy(&kann);
    nd_buffer_free(&file);
    nd_buffer_free(&again);
}

/* ---- files that lie ---- */

/* A network of five nodes: tanh(x W^T + b), x of 1 by 2. The places of some of
 * its fields are named below. */
static void write_small(struct nd_buffer *file)
{
    struct nd_kann *kann = nd_kann_create();
    const float weights[] = {0.5F, -1}, bias[] = {0.25F};
    uint32_t x, w, product, b, sum, output;
    struct nd_kann_shape row = {2, {1, 2}}, one = {1, {1}};
    assert_int_equal(
        nd_kann_add_leaf(kann, ND_KANN_INPUT, &row, NULL, NULL, &x), ND_OK);
    assert_int_equal(nd_kann_add_leaf(kann, 0, &row, weights, NULL, &w), ND_OK);
    assert_int_equal(nd_kann_add(kann, 0, ND_KANN_TIMES_TRANSPOSED,
                                 (uint32_t[]){x, w}, 2, NULL, &product),
                     ND_OK);
    assert_int_equal(nd_kann_add_leaf(kann, 0, &one, bias, NULL, &b), ND_OK);
    assert_int_equal(nd_kann_add(kann, 0, ND_KANN_ADD, (uint32_t[]){product, b},
                                 2, NULL, &sum),
                     ND_OK);
    assert_int_equal(
        nd_kann_add(kann, ND_KANN_OUTPUT, ND_KANN_TANH, &sum, 1, NULL, &output),
        ND_OK);
    assert_int_equal(nd_kann_complete(kann, NULL), ND_OK);
    nd_kann_write(kann, file);
    nd_kann_destroy(&kann);
}

#define NODES_AT 4
#define X_AT 8
#define LEAF_BYTES (13 + 1 + 8)
#define W_AT (X_AT + LEAF_BYTES)
#define PRODUCT_AT (W_AT + LEAF_BYTES)
#define OPERATION 13 /* within an operator's node */
#define CHILDREN 15
#define BEFORE 23
#define PARAMETERS 27

static void refused(const struct nd_buffer *file, const char *word)
{
    struct nd_kann *kann = NULL;
    struct nd_error error = {{0}};
    enum nd_status status =
        nd_kann_read(file->data, file->length, &error, &kann);
    assert_true(status == ND_DATA || status == ND_LIMIT);
    assert_null(kann);
    if (strstr(error.text, word) == NULL)
        fail_msg("no %s in: %s", word, error.text);
}

/* The small file with one 32-bit field (or its low half) changed. */
static void refused_with(size_t at, uint32_t value, size_t bytes,
                         const char *word)
{
    struct nd_buffer file = {0};
    write_small(&file);
    for (size_t i = 0; i < bytes; i++)
        file.data[at + i] = (uint8_t)(value >> (8 * i));
    refused(&file, word);
    nd_buffer_free(&file);
}

static void a_small_network_answers_the_formula(void **state)
{
    struct nd_buffer file = {0};
    write_small(&file);
    struct nd_kann *kann = read_network(&file);
    float input[] = {3, 1}, workspace[16];
    assert_in_range(nd_kann_workspace(kann), 1, 16);
    double output = (double)*nd_kann_evaluate(kann, input, workspace);
    assert_true(fabs(output - tanh(3 * 0.5 - 1 + 0.25)) < 1e-7);
    nd_kann_destroy(&kann);
    nd_buffer_free(&file);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    struct nd_buffer file = {0};
    write_small(&file);
    for (size_t length = 0; length < file.length; length++) {
        struct nd_kann *kann = NULL;
        uint8_t *copy = malloc(length + 1); /* so that sanitizers see the end */
        memcpy(copy, file.data, length);
        assert_int_equal(nd_kann_read(copy, length, NULL, &kann), ND_DATA);
        assert_null(kann);
        free(copy);
    }
    nd_buffer_u8(&file, 0);
    refused(&file, "behind its end");
    nd_buffer_free(&file);
}

static void fields_that_lie_are_refused(void **state)
{
    refused_with(0, 'X', 1, "no KANN file");
    refused_with(3, 2, 1, "no KANN file");
    refused_with(NODES_AT, 7, 4, "");
    refused_with(NODES_AT, 1 << 30, 4, "nodes");
    refused_with(X_AT + 9, 1U << 31, 4, "operands"); /* children of x */
    refused_with(X_AT + 13, 5, 1, "dimensions");
    refused_with(X_AT + 14 + 4, 0, 4, "dimension of 0");
    refused_with(X_AT + 14 + 4, UINT32_MAX, 4, "dimension of 0");
    refused_with(X_AT + 14 + 4, 3, 4, "do not fit");
    refused_with(W_AT + 8, 3, 1, "flag"); /* variable and constant */
    refused_with(W_AT + 8, 8, 1, "flag"); /* no such kind */
    refused_with(W_AT + 14, 1U << 25, 4, "");
    refused_with(X_AT + 4, 0, 4, "0 inputs");
    refused_with(W_AT + 4, 2, 4, "2 outputs");
}

static void operators_that_lie_are_refused(void **state)
{
    size_t at = PRODUCT_AT;
    refused_with(at + OPERATION, 15, 2, "dropout (15)");
    refused_with(at + OPERATION, 16, 2, "conv2d (16)");
    refused_with(at + OPERATION, 31, 2, "concat (31)");
    refused_with(at + OPERATION, 0, 2, "of no name (0)");
    refused_with(at + OPERATION, 37, 2, "of no name (37)");
    refused_with(at + OPERATION, 0xFFFF, 2, "of no name (65535)");
    refused_with(at + CHILDREN, 2, 4, "come before");     /* itself */
    refused_with(at + CHILDREN + 4, 5, 4, "come before"); /* a cycle */
    refused_with(at + CHILDREN, UINT32_MAX, 4, "come before");
    refused_with(at + BEFORE, 0, 4, "recurrent");
    refused_with(at + PARAMETERS, 4, 4, "parameters");
    refused_with(at + PARAMETERS, UINT32_MAX, 4, "parameters");
    refused_with(at + 8, 5, 1, "recurrent"); /* pooling over time */
}

static void weights_that_are_not_finite_are_refused(void **state)
{
    struct nd_buffer file = {0};
    write_small(&file);
    for (size_t i = 1; i <= 3; i++) {
        struct nd_buffer bad = {0};
        nd_buffer_append(&bad, file.data, file.length);
        memcpy(bad.data + bad.length - 4 * i, "\0\0\x80\x7f", 4);
        refused(&bad, "finite");
        nd_buffer_free(&bad);
    }
    nd_buffer_free(&file);
}

static void weights_that_are_not_there_take_no_memory(void **state)
{
    /* 2^26 floats are within the limit, and would be 256 MiB. */
    struct nd_buffer file = {0};
    write_small(&file);
    memcpy(file.data + W_AT + 14, "\0\0\0\x02", 4); /* 2^25 by 2 */
    refused(&file, "");
    nd_buffer_free(&file);
}

static void a_batch_in_the_file_is_one_vector(void **state)
{
    struct nd_buffer file = {0};
    write_small(&file);
    file.data[X_AT + 14] = 64; /* as it was when training ended */
    struct nd_kann *kann = read_network(&file);
    assert_int_equal(nd_kann_inputs(kann), 2);
    nd_kann_destroy(&kann);
    nd_buffer_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rspamds_network_answers_as_in_rspamd),
        cmocka_unit_test(rspamds_network_is_written_as_it_was_read),
        cmocka_unit_test(a_small_network_answers_the_formula),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(fields_that_lie_are_refused),
        cmocka_unit_test(operators_that_lie_are_refused),
        cmocka_unit_test(weights_that_are_not_finite_are_refused),
        cmocka_unit_test(weights_that_are_not_there_take_no_memory),
        cmocka_unit_test(a_batch_in_the_file_is_one_vector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
