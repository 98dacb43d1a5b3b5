/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry only grows, and any prefix of it can be compared by a digest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "features/registry.h"

static int set_up(void **state)
{
    return nd_hash_init(NULL) == ND_OK ? 0 : -1;
}

static void slots_count_up_and_stay(void **state)
{
    struct nd_registry *registry = nd_registry_create();
    assert_int_equal(nd_registry_add(registry, "symbol:A"), 0);
    assert_int_equal(nd_registry_add(registry, "symbol:B"), 1);
    assert_int_equal(nd_registry_add(registry, "symbol:A"), 0);
    assert_int_equal(nd_registry_length(registry), 2);
    assert_string_equal(nd_registry_name(registry, 1), "symbol:B");
    nd_registry_destroy(&registry);
    assert_null(registry);
}

static void unknown_names_and_slots_have_none(void **state)
{
    struct nd_registry *registry = nd_registry_create();
    assert_int_equal(nd_registry_find(registry, "symbol:A"), ND_NO_SLOT);
    assert_null(nd_registry_name(registry, 0));
    nd_registry_add(registry, "symbol:A");
    assert_int_equal(nd_registry_find(registry, "symbol:"), ND_NO_SLOT);
    assert_int_equal(nd_registry_find(registry, "symbol:AA"), ND_NO_SLOT);
    assert_null(nd_registry_name(registry, 1));
    assert_null(nd_registry_name(registry, ND_NO_SLOT));
    nd_registry_destroy(&registry);
}

static void names_are_copied(void **state)
{
    struct nd_registry *registry = nd_registry_create();
    char name[] = "symbol:A";
    nd_registry_add(registry, name);
    name[7] = 'B';
    assert_int_equal(nd_registry_find(registry, "symbol:A"), 0);
    assert_int_equal(nd_registry_find(registry, "symbol:B"), ND_NO_SLOT);
    nd_registry_destroy(&registry);
}

static void twenty_thousand_names_are_all_found_again(void **state)
{
    struct nd_registry *registry = nd_registry_create();
    char name[32];
    for (uint32_t i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "symbol:%u", i);
        assert_int_equal(nd_registry_add(registry, name), i);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "symbol:%u", i);
        assert_int_equal(nd_registry_find(registry, name), i);
        assert_string_equal(nd_registry_name(registry, i), name);
    }
    nd_registry_destroy(&registry);
}

static void digest_is_the_documented_chain(void **state)
{
    struct nd_registry *registry = nd_registry_create();
    nd_registry_add(registry, "symbol:A");
    nd_registry_add(registry, "meta:size");
    uint8_t expected[ND_DIGEST_BYTES] = {0};
    uint8_t digest[ND_DIGEST_BYTES];
    nd_registry_digest(registry, 0, digest);
    assert_memory_equal(digest, expected, sizeof(digest));
    uint8_t link[ND_DIGEST_BYTES + 8];
    memset(link, 0, ND_DIGEST_BYTES);
    memcpy(link + ND_DIGEST_BYTES, "symbol:A", 8);
    nd_digest(link, sizeof(link), NULL, expected);
    nd_registry_digest(registry, 1, digest);
    assert_memory_equal(digest, expected, sizeof(digest));
    nd_registry_destroy(&registry);
}

static void a_prefix_keeps_its_digest_and_another_order_has_another(
    void **state)
{
    struct nd_registry *first = nd_registry_create();
    struct nd_registry *second = nd_registry_create();
    uint8_t before[ND_DIGEST_BYTES], after[ND_DIGEST_BYTES];
    nd_registry_add(first, "symbol:A");
    nd_registry_add(first, "symbol:B");
    nd_registry_digest(first, 2, before);
    nd_registry_add(first, "symbol:C");
    nd_registry_digest(first, 2, after);
    assert_memory_equal(before, after, sizeof(before));
    nd_registry_add(second, "symbol:B");
    nd_registry_add(second, "symbol:A");
    nd_registry_digest(second, 2, after);
    assert_memory_not_equal(before, after, sizeof(before));
    nd_registry_destroy(&first);
    nd_registry_destroy(&second);
}

static void destroying_nothing_is_allowed(void **state)
{
    struct nd_registry *registry = NULL;
    nd_registry_destroy(&registry);
    nd_registry_destroy(NULL);
    assert_null(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_count_up_and_stay),
        cmocka_unit_test(unknown_names_and_slots_have_none),
        cmocka_unit_test(names_are_copied),
        cmocka_unit_test(twenty_thousand_names_are_all_found_again),
        cmocka_unit_test(digest_is_the_documented_chain),
        cmocka_unit_test(
            a_prefix_keeps_its_digest_and_another_order_has_another),
        cmocka_unit_test(destroying_nothing_is_allowed),
    };
    return cmocka_run_group_tests_name("registry", tests, set_up, NULL);
}
