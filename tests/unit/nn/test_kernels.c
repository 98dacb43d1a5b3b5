/* SPDX-License-Identifier: Apache-2.0
 *
 * Every kernel variant that runs here against the scalar one, over many widths
 * and lists of rows. Variants may round differently, and no more.
 */
#include "fixture.h"

#include "nn/compact.h"
#include "nn/kernels/kernels.h"

#define ROWS 97
#define WIDEST 432
#define TERMS 300

static const char *const names[] = {"avx512", "avx2", "neon"};
#define NAMES (sizeof(names) / sizeof(names[0]))

/* Some data for one comparison, with guards behind the longest width. */
struct sample {
    float table[ROWS * 2 * WIDEST];
    float other[ROWS * 2 * WIDEST];
    float first[WIDEST + ND_LANES], second[WIDEST + ND_LANES];
    float gradient[WIDEST];
    uint32_t rows[TERMS];
    float factors[TERMS];
};

static void fill(struct nd_random *random, float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(nd_random_unit(random) * 2 - 1);
}

static struct sample *make_sample(uint64_t seed)
{
    struct nd_random random;
    struct sample *sample = calloc(1, sizeof(*sample));
    nd_random_seed(&random, seed);
    fill(&random, sample->table, ROWS * 2 * WIDEST);
    fill(&random, sample->first, WIDEST + ND_LANES);
    memcpy(sample->second, sample->first, sizeof(sample->second));
    fill(&random, sample->gradient, WIDEST);
    fill(&random, sample->factors, TERMS);
    for (size_t t = 0; t < TERMS; t++)
        sample->rows[t] = (uint32_t)nd_random_below(&random, ROWS);
    return sample;
}

static void assert_close(const float *first, const float *second, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float scale = fmaxf(1, fmaxf(fabsf(first[i]), fabsf(second[i])));
        if (!(fabsf(first[i] - second[i]) <= 2e-5F * scale))
            fail_msg("at %zu: %.9g and %.9g", i, (double)first[i],
                     (double)second[i]);
    }
}

typedef void comparison(const struct nd_kernels *variant, struct sample *sample,
                        size_t width);

/* Runs a comparison for every variant and width; each must leave what lies
 * behind the width alone, which the callers compare as well. */
static void for_all(comparison *compare)
{
    for (size_t n = 0; n < NAMES; n++) {
        const struct nd_kernels *variant = nd_kernels_named(names[n]);
        for (size_t units = 1; variant != NULL && units <= WIDEST; units += 7) {
            size_t width = nd_padded(units);
            struct sample *sample = make_sample(width);
            compare(variant, sample, width);
            free(sample);
        }
    }
}

static void compare_sums(const struct nd_kernels *variant,
                         struct sample *sample, size_t width)
{
    static const size_t counts[] = {0, 1, 2, 15, 16, 17, TERMS};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct nd_terms terms = {counts[i], sample->rows, sample->factors};
        variant->add_rows(sample->first, width, sample->table, width, &terms);
        nd_kernels_scalar.add_rows(sample->second, width, sample->table, width,
                                   &terms);
        assert_close(sample->first, sample->second, WIDEST + ND_LANES);
    }
    struct nd_terms every = {ROWS, NULL, sample->factors};
    variant->add_rows(sample->first, width, sample->table, 2 * width, &every);
    nd_kernels_scalar.add_rows(sample->second, width, sample->table, 2 * width,
                               &every);
    assert_close(sample->first, sample->second, WIDEST + ND_LANES);
}

static void sums_of_rows_agree(void **state)
{
    for_all(compare_sums);
}

static void compare_dots(const struct nd_kernels *variant,
                         struct sample *sample, size_t width)
{
    float one = variant->dot(sample->table, sample->gradient, width);
    float other = nd_kernels_scalar.dot(sample->table, sample->gradient, width);
    assert_close(&one, &other, 1);
}

static void dot_products_agree(void **state)
{
    for_all(compare_dots);
}

static void compare_rectified(const struct nd_kernels *variant,
                              struct sample *sample, size_t width)
{
    sample->first[0] = sample->second[0] = 0;
    sample->first[1] = sample->second[1] = -0.0F;
    variant->rectify(sample->first, width);
    nd_kernels_scalar.rectify(sample->second, width);
    assert_memory_equal(sample->first, sample->second, sizeof(sample->first));
}

static void rectified_values_are_the_same(void **state)
{
    for_all(compare_rectified);
}

static void compare_backward(const struct nd_kernels *variant,
                             struct sample *sample, size_t width)
{
    const float *outputs = sample->table, *weights = sample->gradient;
    variant->backward(sample->first, outputs, weights, -0.7F, width);
    nd_kernels_scalar.backward(sample->second, outputs, weights, -0.7F, width);
    assert_close(sample->first, sample->second, WIDEST + ND_LANES);
}

static void deltas_agree(void **state)
{
    for_all(compare_backward);
}

static void compare_steps(const struct nd_kernels *variant,
                          struct sample *sample, size_t width)
{
    float squares[ROWS], other_squares[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        squares[i] = other_squares[i] = (float)i / ROWS;
    struct nd_step step = {0.1F, 0.99F, 0.3F, squares};
    struct nd_step other = {0.1F, 0.99F, 0.3F, other_squares};
    struct nd_terms terms = {TERMS, sample->rows, sample->factors};
    memcpy(sample->other, sample->table, sizeof(sample->other));
    variant->step_rows(sample->table, width, sample->gradient, &terms, &step);
    nd_kernels_scalar.step_rows(sample->other, width, sample->gradient, &terms,
                                &other);
    assert_close(sample->table, sample->other, ROWS * WIDEST);
    assert_close(squares, other_squares, ROWS);
}

static void optimizer_steps_agree(void **state)
{
    for_all(compare_steps);
}

static void a_first_step_without_gradient_changes_nothing(void **state)
{
    static const float one = 1, none[ND_NARROW];
    struct nd_terms terms = {1, NULL, &one};
    for (size_t n = 0; n < NAMES; n++) {
        const struct nd_kernels *variant = nd_kernels_named(names[n]);
        float row[ND_NARROW] = {3, -4}, square = 0;
        struct nd_step step = {1, 1, 0, &square};
        if (variant == NULL)
            continue;
        variant->step_rows(row, ND_NARROW, none, &terms, &step);
        assert_true(row[0] == 3 && row[1] == -4 && square == 0);
    }
}

/* Whatever the gradient's size, a row's first step moves it by the rate. */
static void a_first_step_is_as_long_as_the_rate(void **state)
{
    static const float gradient[ND_NARROW] = {3, -3, 3, 3, 3, 3, -3, 3};
    for (float factor = 1e-3F; factor < 1e4F; factor *= 10) {
        float row[ND_NARROW] = {0}, square = 0;
        struct nd_step step = {0.5F, 1, 9, &square};
        struct nd_terms terms = {1, NULL, &factor};
        nd_kernels()->step_rows(row, ND_NARROW, gradient, &terms, &step);
        assert_true(fabsf(row[0] + 0.5F) < 1e-3F);
        assert_true(fabsf(row[1] - 0.5F) < 1e-3F);
    }
}

static struct nd_compact *make_compact(struct nd_random *random, uint32_t units)
{
    uint32_t inputs = 1000;
    struct nd_rank *ranks = calloc((inputs + 63) / 64, sizeof(*ranks));
    for (uint32_t j = 0; j < inputs; j++)
        if (nd_random_below(random, 3) != 0)
            ranks[j / 64].present |= (uint64_t)1 << (j % 64);
    struct nd_compact *compact = nd_compact_create(ranks, inputs, units);
    for (uint32_t row = 0; row < compact->rows; row++) {
        uint8_t *place = nd_compact_row(compact, row);
        struct nd_compact_head head = {(float)nd_random_unit(random),
                                       (float)nd_random_unit(random)};
        memcpy(place, &head, sizeof(head));
        for (uint32_t i = 0; i < units; i++)
            place[sizeof(head) + i] = (uint8_t)nd_random_u64(random);
    }
    return compact;
}

static void compare_compact(const struct nd_kernels *variant,
                            struct sample *sample, size_t width)
{
    struct nd_random random;
    uint32_t columns[TERMS];
    struct nd_sparse vector = {TERMS, columns, sample->factors};
    nd_random_seed(&random, width);
    for (size_t i = 0; i < TERMS; i++)
        columns[i] = (uint32_t)nd_random_below(&random, 1100);
    struct nd_compact *compact = make_compact(&random, (uint32_t)width - 3);
    assert_int_equal(compact->width, width);
    float one = variant->add_compact(sample->first, compact, &vector);
    float other =
        nd_kernels_scalar.add_compact(sample->second, compact, &vector);
    assert_close(&one, &other, 1);
    for (size_t i = 0; i < WIDEST + ND_LANES; i++)
        assert_true(fabsf(sample->first[i] - sample->second[i]) < 0.02F);
    nd_compact_destroy(&compact);
}

static void sums_of_compact_rows_agree(void **state)
{
    for_all(compare_compact);
}

static void unknown_kernels_are_not_found(void **state)
{
    assert_null(nd_kernels_named("mmx"));
    assert_null(nd_kernels_named(""));
    assert_ptr_equal(nd_kernels_named("scalar"), &nd_kernels_scalar);
}

static void the_variable_names_the_kernel(void **state)
{
    assert_int_equal(setenv("NEURALD_KERNEL", "scalar", 1), 0);
    assert_string_equal(nd_kernel_name(), "scalar");
    assert_int_equal(setenv("NEURALD_KERNEL", "avx2", 1), 0);
    assert_string_equal(nd_kernel_name(), "scalar"); /* chosen once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_variable_names_the_kernel),
        cmocka_unit_test(sums_of_rows_agree),
        cmocka_unit_test(dot_products_agree),
        cmocka_unit_test(rectified_values_are_the_same),
        cmocka_unit_test(deltas_agree),
        cmocka_unit_test(optimizer_steps_agree),
        cmocka_unit_test(a_first_step_without_gradient_changes_nothing),
        cmocka_unit_test(a_first_step_is_as_long_as_the_rate),
        cmocka_unit_test(sums_of_compact_rows_agree),
        cmocka_unit_test(unknown_kernels_are_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
