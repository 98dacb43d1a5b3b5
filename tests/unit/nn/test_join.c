/* SPDX-License-Identifier: Apache-2.0
 *
 * Networks joined into one: the mean of what they say, under the columns'
 * names in the whole, up to the rounding of the compact form.
 */
#include "fixture.h"

#include "nn/network_internal.h"

#define INPUTS 40
#define WHOLE 1000

/* A member with weights that training would leave: none of them 0. */
static struct nd_network *make_member(uint32_t units, uint64_t seed)
{
    struct nd_shape shape = {
        .inputs = INPUTS, .layers = units > 0, .units = {units}, .wide = true};
    struct nd_network *network = make_network(&shape, seed);
    struct nd_random random;
    nd_random_seed(&random, seed + 100);
    for (size_t j = 0; j < INPUTS; j++)
        network->rows[j * network->width + units] =
            (float)nd_random_unit(&random) - 0.5F;
    for (uint32_t u = 0; u < units; u++)
        network->bias[u] = (float)nd_random_unit(&random) - 0.5F;
    network->out_bias = (float)nd_random_unit(&random);
    return network;
}

static uint32_t name_of(uint32_t column)
{
    return 3 + column * 24;
}

static struct nd_network *join(struct nd_network **members, uint32_t count)
{
    uint32_t columns[INPUTS];
    struct nd_network *whole = NULL;
    struct nd_error error = {{0}};
    for (uint32_t j = 0; j < INPUTS; j++)
        columns[j] = name_of(j);
    if (nd_network_join((const struct nd_network *const *)members, count,
                        columns, WHOLE, &error, &whole) != ND_OK)
        fail_msg("%s", error.text);
    return whole;
}

static void check_mean(struct nd_network **members, uint32_t count,
                       const struct nd_network *whole, struct nd_random *random)
{
    uint32_t columns[ENTRIES];
    float values[ENTRIES];
    struct nd_sparse vector = {ENTRIES, columns, values};
    draw_vector(random, INPUTS, columns, values);
    float mean = 0;
    for (uint32_t i = 0; i < count; i++)
        mean += nd_network_score(members[i], &vector) / (float)count;
    for (uint32_t i = 0; i < ENTRIES; i++)
        columns[i] = name_of(columns[i]);
    assert_true(fabsf(nd_network_score(whole, &vector) - mean) < 0.01F);
}

static void the_whole_answers_the_mean(void **state)
{
    struct nd_network *members[] = {make_member(3, 1), make_member(2, 2),
                                    make_member(0, 3)};
    struct nd_network *whole = join(members, 3);
    struct nd_random random;
    nd_random_seed(&random, 5);
    assert_int_equal(nd_network_shape(whole).units[0], 5);
    assert_int_equal(nd_network_shape(whole).inputs, WHOLE);
    for (int i = 0; i < 50; i++)
        check_mean(members, 3, whole, &random);
    nd_network_destroy(&whole);
    for (int i = 0; i < 3; i++)
        nd_network_destroy(&members[i]);
}

static void linear_members_make_a_linear_whole(void **state)
{
    struct nd_network *members[] = {make_member(0, 1), make_member(0, 2)};
    struct nd_network *whole = join(members, 2);
    struct nd_random random;
    nd_random_seed(&random, 6);
    assert_int_equal(nd_network_shape(whole).layers, 0);
    check_mean(members, 2, whole, &random);
    nd_network_destroy(&whole);
    nd_network_destroy(&members[0]);
    nd_network_destroy(&members[1]);
}

static void refuse(const struct nd_shape *other)
{
    static const uint32_t columns[INPUTS];
    struct nd_network *members[] = {make_member(2, 1), make_network(other, 2)};
    struct nd_network *whole = NULL;
    assert_int_equal(nd_network_join((const struct nd_network *const *)members,
                                     2, columns, WHOLE, NULL, &whole),
                     ND_USAGE);
    assert_null(whole);
    nd_network_destroy(&members[0]);
    nd_network_destroy(&members[1]);
}

static void members_that_do_not_fit_are_refused(void **state)
{
    refuse(&(struct nd_shape){
        .inputs = INPUTS, .layers = 2, .units = {2, 2}, .wide = true});
    refuse(&(struct nd_shape){.inputs = INPUTS, .layers = 1, .units = {2}});
    refuse(&(struct nd_shape){
        .inputs = INPUTS + 1, .layers = 1, .units = {2}, .wide = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_answers_the_mean),
        cmocka_unit_test(linear_members_make_a_linear_whole),
        cmocka_unit_test(members_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
