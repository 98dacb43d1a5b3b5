/* SPDX-License-Identifier: Apache-2.0
 *
 * A composed KANN network answers what the networks that it was made of do,
 * also after it was a file.
 */
#include "fixture.h"

#include <math.h>

#include "nn/train.h"
#include "rspamd/compose.h"

#define COUNT 2

static const struct nd_line lines[COUNT] = {{0.4, -0.1}, {0.3, 0.2}};

struct made {
    struct nd_vectors vectors;
    struct nd_encoding encoding;
    struct nd_network *networks[COUNT];
};

static void make(struct made *made, const struct nd_vectors *vectors)
{
    made->vectors = *vectors;
    nd_encoding_plan(vectors, &made->encoding);
    struct nd_shape shape = {.inputs = made->encoding.inputs +
                                       made->encoding.step_count,
                             .layers = 1,
                             .units = {24}};
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(
            nd_network_create(&shape, i + 1, NULL, &made->networks[i]), ND_OK);
}

static void unmake(struct made *made)
{
    for (size_t i = 0; i < COUNT; i++)
        nd_network_destroy(&made->networks[i]);
    nd_encoding_free(&made->encoding);
    nd_vectors_free(&made->vectors);
}

static double mean_of(const struct made *made, const float *vector)
{
    uint32_t columns[2048];
    float values[2048];
    double sum = 0;
    struct nd_sparse sparse =
        nd_encoding_apply(&made->encoding, vector, columns, values);
    for (size_t i = 0; i < COUNT; i++)
        sum += lines[i].slope *
                   (double)nd_network_score(made->networks[i], &sparse) +
               lines[i].offset;
    return sum / COUNT;
}

static struct nd_kann *composed_and_read_again(const struct made *made)
{
    struct nd_composition composition = {&made->encoding, made->networks, lines,
                                         COUNT};
    struct nd_kann *kann = NULL, *again = NULL;
    struct nd_buffer file = {0};
    assert_int_equal(nd_compose(&composition, NULL, &kann), ND_OK);
    nd_kann_write(kann, &file);
    assert_int_equal(nd_kann_read(file.data, file.length, NULL, &again), ND_OK);
    nd_kann_destroy(&kann);
    nd_buffer_free(&file);
    return again;
}

static void check_agreement(struct nd_vectors vectors)
{
    struct made made;
    make(&made, &vectors);
    struct nd_kann *kann = composed_and_read_again(&made);
    float *workspace = nd_calloc(nd_kann_workspace(kann), sizeof(*workspace));
    for (size_t i = 0; i < made.vectors.count; i++) {
        const float *row = nd_vectors_row(&made.vectors, i);
        double wanted = tanh(mean_of(&made, row));
        double got = (double)*nd_kann_evaluate(kann, row, workspace);
        if (fabs(got - wanted) > 2e-5)
            fail_msg("vector %zu: %g, not %g", i, got, wanted);
    }
    free(workspace);
    nd_kann_destroy(&kann);
    unmake(&made);
}

static void symbols_and_metatokens_agree(void **state)
{
    check_agreement(test_vectors("sa_rspamd_vectors_test.svm.zst", 220));
}

static void symbols_alone_agree(void **state)
{
    check_agreement(made_up_vectors(300, 40, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symbols_and_metatokens_agree),
        cmocka_unit_test(symbols_alone_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
