/* SPDX-License-Identifier: Apache-2.0
 *
 * How rspamd's numbers are scaled and cut into steps.
 */
#include "fixture.h"

#include <math.h>

#include "rspamd/encoding.h"

/* Input 0: a symbol of 0.4 or nothing; 1: always the same; 2: 0 to 99 in
 * hundredths; 3: many values close together. */
static struct nd_vectors four_inputs(void)
{
    struct nd_vectors vectors = {0};
    for (size_t i = 0; i < 400; i++) {
        float row[] = {i % 5 == 0 ? 0.4F : 0, 3, (float)(i % 100) / 100,
                       (float)(i % 7) * 1e-5F};
        assert_int_equal(nd_vectors_add(&vectors, row, 4, 0, NULL), ND_OK);
    }
    return vectors;
}

static void scales_and_steps_follow_the_values(void **state)
{
    struct nd_vectors vectors = four_inputs();
    struct nd_encoding encoding;
    nd_encoding_plan(&vectors, &encoding);
    assert_int_equal(encoding.inputs, 4);
    assert_true(fabsf(encoding.scales[0] - 2.5F) < 1e-6F);
    assert_true(encoding.scales[1] == 0);
    assert_true(encoding.scales[2] > 3 && encoding.scales[2] < 4);
    assert_true(encoding.scales[3] == 4); /* not blown up */
    assert_int_equal(encoding.step_count, 6);
    for (uint32_t k = 0; k < 3; k++) {
        assert_int_equal(encoding.steps[k].input, 2);
        assert_true(fabsf(encoding.steps[k].low - 0.25F * (float)(k + 1)) <
                    0.02F);
        assert_true(encoding.steps[k].high > encoding.steps[k].low);
    }
    assert_int_equal(encoding.steps[3].input, 3);
    nd_encoding_free(&encoding);
    nd_vectors_free(&vectors);
}

static void a_step_rises_from_low_to_high(void **state)
{
    struct nd_encoding_step step = {0, 1, 3};
    assert_true(nd_encoding_step_at(&step, 0.5F) == 0);
    assert_true(nd_encoding_step_at(&step, 1) == 0);
    assert_true(nd_encoding_step_at(&step, 2) == 0.5F);
    assert_true(nd_encoding_step_at(&step, 3) == 1);
    assert_true(nd_encoding_step_at(&step, 100) == 1);
}

static void only_what_is_not_zero_is_encoded(void **state)
{
    struct nd_vectors vectors = four_inputs();
    struct nd_encoding encoding;
    nd_encoding_plan(&vectors, &encoding);
    uint32_t columns[10];
    float values[10];
    const float low[] = {0, 3, 0.1F, 0}, high[] = {0.4F, 3, 0.9F, 0};
    struct nd_sparse sparse =
        nd_encoding_apply(&encoding, low, columns, values);
    assert_int_equal(sparse.count, 1);
    assert_int_equal(sparse.columns[0], 2);
    sparse = nd_encoding_apply(&encoding, high, columns, values);
    assert_int_equal(sparse.count, 5);
    assert_true(fabsf(sparse.values[0] - 1) < 1e-6F);
    assert_int_equal(sparse.columns[2], 4);
    assert_int_equal(sparse.columns[4], 6);
    nd_encoding_free(&encoding);
    nd_vectors_free(&vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales_and_steps_follow_the_values),
        cmocka_unit_test(a_step_rises_from_low_to_high),
        cmocka_unit_test(only_what_is_not_zero_is_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
