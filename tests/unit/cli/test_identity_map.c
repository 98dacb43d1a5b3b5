/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages under both labels are found, also among many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "cli/identity_map.h"

static void a_conflict_names_the_first_path(void **state)
{
    uint8_t a[ND_IDENTITY_BYTES] = {1}, b[ND_IDENTITY_BYTES] = {2};
    struct nd_identity_map *map = nd_identity_map_create();
    (void)state;
    assert_null(nd_identity_map_add(map, a, 0, "ham/1"));
    assert_null(nd_identity_map_add(map, b, 1, "spam/1"));
    assert_null(nd_identity_map_add(map, a, 0, "ham/copy"));
    assert_int_equal(nd_identity_map_conflicts(map), 0);
    assert_string_equal(nd_identity_map_add(map, a, 1, "spam/2"), "ham/1");
    nd_identity_map_destroy(&map);
    assert_null(map);
}

static void a_message_conflicts_once(void **state)
{
    uint8_t a[ND_IDENTITY_BYTES] = {1};
    struct nd_identity_map *map = nd_identity_map_create();
    (void)state;
    for (int i = 0; i < 6; i++) {
        nd_identity_map_add(map, a, i % 2, "path");
    }
    assert_int_equal(nd_identity_map_conflicts(map), 1);
    nd_identity_map_destroy(&map);
}

/* Identities that share their first bytes land in one place of the table. */
static void many_are_kept_apart(void **state)
{
    struct nd_identity_map *map = nd_identity_map_create();
    char path[32];
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 5000; i++) {
            uint8_t identity[ND_IDENTITY_BYTES] = {(uint8_t)(i % 3)};
            memcpy(identity + 10, &i, sizeof(i));
            snprintf(path, sizeof(path), "%u", i);
            const char *first = nd_identity_map_add(map, identity, round, path);
            if (round == 0) {
                assert_null(first);
            } else {
                assert_string_equal(first, path);
            }
        }
    }
    assert_int_equal(nd_identity_map_conflicts(map), 5000);
    nd_identity_map_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conflict_names_the_first_path),
        cmocka_unit_test(a_message_conflicts_once),
        cmocka_unit_test(many_are_kept_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
