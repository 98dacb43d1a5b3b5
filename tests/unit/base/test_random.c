/* SPDX-License-Identifier: Apache-2.0
 *
 * The generator gives the published numbers, and its distributions are what
 * they say. Seeds are fixed: a bound that holds today holds for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/random.h"

static int set_up(void **state)
{
    return nd_hash_init(NULL) == ND_OK ? 0 : -1;
}

/* splitmix64 of 0, as its authors publish it. */
static void the_seed_is_spread_by_splitmix64(void **state)
{
    struct nd_random random;
    nd_random_seed(&random, 0);
    assert_true(random.state[0] == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(random.state[1] == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(random.state[2] == UINT64_C(0x06c45d188009454f));
    assert_true(random.state[3] == UINT64_C(0xf88bb8a8724c81ec));
}

static void numbers_are_those_of_xoshiro256_starstar(void **state)
{
    static const uint64_t expected[] = {11520, 0, 1509978240,
                                        UINT64_C(1215971899390074240)};
    struct nd_random random = {{1, 2, 3, 4}};
    for (size_t i = 0; i < 4; i++)
        assert_true(nd_random_u64(&random) == expected[i]);
}

static void equal_seeds_give_equal_numbers(void **state)
{
    struct nd_random one, same, other;
    nd_random_seed(&one, 7);
    nd_random_seed(&same, 7);
    nd_random_seed(&other, 8);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        uint64_t number = nd_random_u64(&one);
        assert_true(number == nd_random_u64(&same));
        differs = differs || number != nd_random_u64(&other);
    }
    assert_true(differs);
}

static void numbers_stay_below_the_bound_and_reach_all(void **state)
{
    struct nd_random random;
    nd_random_seed(&random, 1);
    unsigned seen[10] = {0};
    for (int i = 0; i < 100000; i++)
        seen[nd_random_below(&random, 10)]++;
    for (size_t i = 0; i < 10; i++)
        assert_in_range(seen[i], 9600, 10400); /* 4 standard deviations */
    for (int i = 0; i < 100; i++)
        assert_true(nd_random_below(&random, 1) == 0);
}

/* With a plain remainder the lower half would come twice as often. */
static void great_bounds_are_without_bias(void **state)
{
    struct nd_random random;
    nd_random_seed(&random, 2);
    uint64_t bound = (UINT64_C(3) << 62);
    int lower_third = 0;
    for (int i = 0; i < 30000; i++) {
        uint64_t number = nd_random_below(&random, bound);
        assert_true(number < bound);
        lower_third += number < bound / 3;
    }
    assert_in_range(lower_third, 9670, 10330);
}

static void unit_numbers_fill_zero_to_one(void **state)
{
    struct nd_random random;
    nd_random_seed(&random, 3);
    double sum = 0.0, smallest = 1.0, greatest = 0.0;
    for (int i = 0; i < 100000; i++) {
        double number = nd_random_unit(&random);
        sum += number;
        smallest = fmin(smallest, number);
        greatest = fmax(greatest, number);
    }
    assert_true(smallest >= 0.0 && smallest < 0.001);
    assert_true(greatest < 1.0 && greatest > 0.999);
    assert_true(fabs(sum / 100000 - 0.5) < 0.005);
}

static void normal_numbers_have_mean_0_and_variance_1(void **state)
{
    struct nd_random random;
    nd_random_seed(&random, 4);
    double sum = 0.0, squares = 0.0;
    int within_one = 0;
    for (int i = 0; i < 100000; i++) {
        double number = nd_random_normal(&random);
        assert_true(isfinite(number));
        sum += number;
        squares += number * number;
        within_one += fabs(number) < 1.0;
    }
    assert_true(fabs(sum / 100000) < 0.015);
    assert_true(fabs(squares / 100000 - 1.0) < 0.02);
    assert_in_range(within_one, 67700, 68900);
}

static void a_shuffle_keeps_every_item(void **state)
{
    struct nd_random random;
    nd_random_seed(&random, 5);
    uint32_t items[100];
    bool seen[100] = {false};
    for (uint32_t i = 0; i < 100; i++)
        items[i] = i;
    nd_random_shuffle(&random, items, 100);
    int moved = 0;
    for (uint32_t i = 0; i < 100; i++) {
        assert_false(seen[items[i]]);
        seen[items[i]] = true;
        moved += items[i] != i;
    }
    assert_true(moved > 80);
    nd_random_shuffle(&random, items, 0);
    nd_random_shuffle(&random, NULL, 0);
}

static void all_orders_of_a_shuffle_are_as_likely(void **state)
{
    struct nd_random random;
    nd_random_seed(&random, 6);
    int orders[27] = {0};
    for (int i = 0; i < 60000; i++) {
        uint32_t items[] = {0, 1, 2};
        nd_random_shuffle(&random, items, 3);
        orders[items[0] * 9 + items[1] * 3 + items[2]]++;
    }
    int kinds = 0;
    for (size_t i = 0; i < 27; i++) {
        kinds += orders[i] > 0;
        if (orders[i] > 0)
            assert_in_range(orders[i], 9630, 10370);
    }
    assert_int_equal(kinds, 6);
}

static void the_systems_bytes_do_not_repeat(void **state)
{
    uint8_t one[32] = {0}, other[32] = {0};
    nd_random_system(one, sizeof(one));
    nd_random_system(other, sizeof(other));
    assert_memory_not_equal(one, other, sizeof(one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seed_is_spread_by_splitmix64),
        cmocka_unit_test(numbers_are_those_of_xoshiro256_starstar),
        cmocka_unit_test(equal_seeds_give_equal_numbers),
        cmocka_unit_test(numbers_stay_below_the_bound_and_reach_all),
        cmocka_unit_test(great_bounds_are_without_bias),
        cmocka_unit_test(unit_numbers_fill_zero_to_one),
        cmocka_unit_test(normal_numbers_have_mean_0_and_variance_1),
        cmocka_unit_test(a_shuffle_keeps_every_item),
        cmocka_unit_test(all_orders_of_a_shuffle_are_as_likely),
        cmocka_unit_test(the_systems_bytes_do_not_repeat),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
