/* SPDX-License-Identifier: Apache-2.0
 *
 * rspamd's profiles: read, made one version later, and refused.
 */
#include "fixture.h"

#include "rspamd/profile.h"

static enum nd_status parse(const char *text, struct nd_arena *arena,
                            struct nd_rspamd_profile *profile)
{
    return nd_rspamd_profile_parse(text, strlen(text), arena, NULL, profile);
}

static void rspamds_own_profile_is_read(void **state)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_buffer text = test_data("rspamd-3.4-profile.json");
    struct nd_rspamd_profile profile;
    nd_buffer_append(&text, "", 1);
    assert_int_equal(parse((const char *)text.data, arena, &profile), ND_OK);
    assert_int_equal(profile.version, 1);
    assert_int_equal(profile.symbol_count, 194);
    assert_string_equal(profile.symbols[0], "BITCOIN_ADDR");
    assert_string_equal(profile.redis_key, "rn_default_default_zr8i6hk3_1");
    assert_memory_equal(profile.digest, "zr8i6hk3", 8);
    assert_null(profile.unknown);
    nd_buffer_free(&text);
    nd_arena_destroy(&arena);
}

static void the_next_version_keeps_what_is_not_known(void **state)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_rspamd_profile profile, next, again;
    assert_int_equal(
        parse("{\"digest\":\"abc\",\"symbols\":[\"A\",\"B\"],\"version\":9.0,"
              "\"redis_key\":\"rn_x_9\",\"distance\":0,\"new\":[1]}",
              arena, &profile),
        ND_OK);
    assert_string_equal(profile.unknown, "new");
    nd_rspamd_profile_next(&profile, arena, &next);
    assert_int_equal(next.version, 10);
    assert_string_equal(next.redis_key, "rn_x_10");
    assert_int_equal(nd_rspamd_profile_parse(next.text, next.text_length, arena,
                                             NULL, &again),
                     ND_OK);
    assert_int_equal(again.version, 10);
    assert_string_equal(again.redis_key, "rn_x_10");
    assert_string_equal(again.symbols[1], "B");
    assert_string_equal(again.unknown, "new");
    assert_null(strstr(next.text, "9"));
    nd_arena_destroy(&arena);
}

static void profiles_that_lie_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"digest\":\"d\",\"symbols\":[\"A\"],\"version\":1}",
        "{\"digest\":\"d\",\"symbols\":[\"A\"],\"version\":1,"
        "\"redis_key\":\"k_2\"}",
        "{\"digest\":\"d\",\"symbols\":[\"A\"],\"version\":1,"
        "\"redis_key\":\"_1\"}",
        "{\"digest\":\"\",\"symbols\":[\"A\"],\"version\":1,"
        "\"redis_key\":\"k_1\"}",
        "{\"digest\":\"d\",\"symbols\":[1],\"version\":1,"
        "\"redis_key\":\"k_1\"}",
        "{\"digest\":\"d\",\"symbols\":[\"A\",\"B\",\"A\"],\"version\":1,"
        "\"redis_key\":\"k_1\"}",
        "{\"digest\":\"d\",\"symbols\":\"A\",\"version\":1,"
        "\"redis_key\":\"k_1\"}",
        "{\"digest\":\"d\",\"symbols\":[\"A\"],\"version\":1.5,"
        "\"redis_key\":\"k_1\"}",
        "{\"digest\":\"d\",\"symbols\":[\"A\"],\"version\":-1,"
        "\"redis_key\":\"k_-1\"}",
        "{\"digest\":\"d\",\"symbols\":[\"A\"],\"version\":1e30,"
        "\"redis_key\":\"k_1\"}",
    };
    struct nd_arena *arena = nd_arena_create(0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct nd_rspamd_profile profile = {.version = 77};
        if (parse(bad[i], arena, &profile) != ND_DATA)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(profile.version, 77);
    }
    nd_arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rspamds_own_profile_is_read),
        cmocka_unit_test(the_next_version_keeps_what_is_not_known),
        cmocka_unit_test(profiles_that_lie_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
