/* SPDX-License-Identifier: Apache-2.0
 *
 * Profiles: identity of a set of symbols, distance, the nearest one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "learn/profile.h"

static int set_up(void **state)
{
    return nd_hash_init(NULL) == ND_OK ? 0 : -1;
}

/* Symbols S<first> to S<last - 1>, added in that order or backwards. */
static struct nd_symbols symbols_of(int first, int last, bool backwards)
{
    struct nd_symbols symbols = {0};
    for (int i = first; i < last; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "S%03d",
                       backwards ? last - 1 - (i - first) : i);
        assert_true(nd_symbols_add(&symbols, name));
    }
    return symbols;
}

static struct nd_profile profile_of(const struct nd_symbols *symbols,
                                    const char *settings, uint64_t generation)
{
    struct nd_profile profile = {.symbols = (const char *const *)symbols->names,
                                 .symbol_count = symbols->count,
                                 .generation = generation};
    (void)snprintf(profile.settings, sizeof profile.settings, "%s", settings);
    return profile;
}

static void the_order_of_symbols_does_not_matter(void **state)
{
    struct nd_symbols one = symbols_of(0, 100, false);
    struct nd_symbols other = symbols_of(0, 100, true);
    uint8_t first[ND_PROFILE_DIGEST_BYTES], second[ND_PROFILE_DIGEST_BYTES];
    nd_symbols_digest(&one, first);
    nd_symbols_digest(&other, second);
    assert_memory_equal(first, second, sizeof first);
    assert_false(nd_symbols_add(&one, "S007"));
    assert_true(nd_symbols_add(&one, "T"));
    nd_symbols_digest(&one, second);
    assert_memory_not_equal(first, second, sizeof first);
    nd_symbols_free(&one);
    nd_symbols_free(&other);
}

static void where_one_name_ends_and_the_next_begins_matters(void **state)
{
    struct nd_symbols one = {0}, other = {0};
    uint8_t first[ND_PROFILE_DIGEST_BYTES], second[ND_PROFILE_DIGEST_BYTES];
    nd_symbols_add(&one, "AB");
    nd_symbols_add(&one, "C");
    nd_symbols_add(&other, "A");
    nd_symbols_add(&other, "BC");
    nd_symbols_digest(&one, first);
    nd_symbols_digest(&other, second);
    assert_memory_not_equal(first, second, sizeof first);
    nd_symbols_free(&one);
    nd_symbols_free(&other);
}

static void distance_counts_what_either_side_lacks(void **state)
{
    struct nd_symbols own = symbols_of(0, 10, false);
    struct nd_symbols other = symbols_of(3, 15, false);
    struct nd_profile profile = profile_of(&other, "a", 1);
    assert_int_equal(nd_profile_distance(&own, &profile), 3 + 5);
    nd_symbols_free(&own);
    nd_symbols_free(&other);
}

/* S17: fewer than 30 % of the symbols different. */
static void seed_s17_a_profile_serves_below_30_percent_of_difference(
    void **state)
{
    struct nd_symbols own = symbols_of(0, 100, false);
    struct nd_symbols near = symbols_of(0, 129, false);
    struct nd_symbols far = symbols_of(0, 130, false);
    struct nd_profile profiles[2] = {profile_of(&far, "far", 7),
                                     profile_of(&near, "near", 3)};
    assert_ptr_equal(nd_profile_nearest(&own, profiles, 2, NULL), &profiles[1]);
    assert_null(nd_profile_nearest(&own, profiles, 1, NULL));
    assert_null(nd_profile_nearest(&own, profiles, 2, "near"));
    profiles[1].generation = 0;
    assert_null(nd_profile_nearest(&own, profiles, 2, NULL));
    nd_symbols_free(&own);
    nd_symbols_free(&near);
    nd_symbols_free(&far);
}

static void the_nearer_one_wins_then_the_newer_model(void **state)
{
    struct nd_symbols own = symbols_of(0, 100, false);
    struct nd_symbols other = symbols_of(0, 101, false);
    struct nd_profile profiles[3] = {profile_of(&other, "a", 9),
                                     profile_of(&own, "b", 1),
                                     profile_of(&own, "c", 2)};
    assert_ptr_equal(nd_profile_nearest(&own, profiles, 3, NULL), &profiles[2]);
    assert_ptr_equal(nd_profile_nearest(&own, profiles, 2, NULL), &profiles[1]);
    nd_symbols_free(&own);
    nd_symbols_free(&other);
}

static void without_symbols_only_an_empty_profile_is_near(void **state)
{
    struct nd_symbols none = {0};
    struct nd_symbols one = symbols_of(0, 1, false);
    struct nd_profile profiles[2] = {profile_of(&one, "a", 1),
                                     profile_of(&none, "b", 1)};
    assert_ptr_equal(nd_profile_nearest(&none, profiles, 2, NULL),
                     &profiles[1]);
    nd_symbols_free(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_symbols_does_not_matter),
        cmocka_unit_test(where_one_name_ends_and_the_next_begins_matters),
        cmocka_unit_test(distance_counts_what_either_side_lacks),
        cmocka_unit_test(
            seed_s17_a_profile_serves_below_30_percent_of_difference),
        cmocka_unit_test(the_nearer_one_wins_then_the_newer_model),
        cmocka_unit_test(without_symbols_only_an_empty_profile_is_near),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
