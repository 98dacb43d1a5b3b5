/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry: a name keeps its slot for ever, and the chain digest tells
 * whether two hosts mean the same by a slot.
 */
#include "suite.h"

#define test(name) \
    cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)

struct answer {
    uint32_t slots[8];
    uint32_t length;
    uint8_t digest[ND_DIGEST_BYTES];
};

static struct answer ask(struct suite *suite, const char *rule,
                         const char *const *names, size_t count,
                         uint32_t max_names)
{
    struct answer answer;
    suite_ok(suite,
             nd_store_registry_slots(suite->store, rule, names, count,
                                     max_names, &suite->error, answer.slots,
                                     &answer.length, answer.digest));
    return answer;
}

static void names_get_slots_in_order_and_keep_them(void **state)
{
    struct suite *suite = *state;
    const char *const names[] = {"symbol:A", "symbol:B", "meta:size"};
    struct answer first = ask(suite, "rule", names, 3, 100);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(first.slots[i], i);
    assert_int_equal(first.length, 3);
    const char *const again[] = {"meta:size", "symbol:C", "symbol:A"};
    struct answer second = ask(suite, "rule", again, 3, 100);
    assert_int_equal(second.slots[0], 2);
    assert_int_equal(second.slots[1], 3);
    assert_int_equal(second.slots[2], 0);
    assert_int_equal(second.length, 4);
    assert_int_equal(suite_stats(suite).registry_length, 4);
}

static void a_name_given_twice_in_one_call_has_one_slot(void **state)
{
    const char *const names[] = {"x", "y", "x"};
    struct answer answer = ask(*state, "rule", names, 3, 100);
    assert_int_equal(answer.slots[0], answer.slots[2]);
    assert_int_equal(answer.length, 2);
}

static void names_over_the_limit_get_none_and_known_ones_stay(void **state)
{
    struct suite *suite = *state;
    const char *const first[] = {"a", "b", "c"};
    struct answer answer = ask(suite, "rule", first, 3, 2);
    assert_int_equal(answer.slots[1], 1);
    assert_int_equal(answer.slots[2], ND_STORE_NO_SLOT);
    assert_int_equal(answer.length, 2);
    const char *const second[] = {"d", "b"};
    answer = ask(suite, "rule", second, 2, 1);
    assert_int_equal(answer.slots[0], ND_STORE_NO_SLOT);
    assert_int_equal(answer.slots[1], 1);
}

static void the_digest_is_the_chain_over_all_names(void **state)
{
    const char *const names[] = {"alpha", "beta", "gamma"};
    uint8_t chain[ND_DIGEST_BYTES] = {0};
    struct answer answer = ask(*state, "rule", names, 0, 100);
    assert_memory_equal(answer.digest, chain, ND_DIGEST_BYTES);
    for (size_t i = 0; i < 3; i++) {
        uint8_t link[ND_DIGEST_BYTES + 8];
        memcpy(link, chain, ND_DIGEST_BYTES);
        memcpy(link + ND_DIGEST_BYTES, names[i], strlen(names[i]));
        nd_digest(link, ND_DIGEST_BYTES + strlen(names[i]), NULL, chain);
        answer = ask(*state, "rule", names, i + 1, 100);
        assert_memory_equal(answer.digest, chain, ND_DIGEST_BYTES);
    }
}

static void every_rule_has_a_registry_of_its_own(void **state)
{
    struct suite *suite = *state;
    const char *const one[] = {"a", "b"};
    const char *const other[] = {"b"};
    (void)ask(suite, "rule", one, 2, 100);
    assert_int_equal(ask(suite, "another", other, 1, 100).slots[0], 0);
}

static void names_are_read_back_from_any_slot_on(void **state)
{
    struct suite *suite = *state;
    const char *const names[] = {"a", "b", "c", "\xc3\xa4 \xff odd"};
    (void)ask(suite, "rule", names, 4, 100);
    const char *const *read;
    uint32_t count;
    for (uint32_t first = 0; first < 6; first++) {
        suite_ok(suite, nd_store_registry_read(suite->store, "rule", first,
                                               suite->arena, &suite->error,
                                               &read, &count));
        assert_int_equal(count, first < 4 ? 4 - first : 0);
        for (uint32_t i = 0; i < count; i++)
            assert_string_equal(read[i], names[first + i]);
    }
}

static void thousands_of_names_are_given_at_once(void **state)
{
    struct suite *suite = *state;
    enum { COUNT = 5000 };
    static char texts[COUNT][16];
    static const char *names[COUNT];
    static uint32_t slots[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "symbol:%u", i);
        names[i] = texts[i];
    }
    uint32_t length;
    uint8_t digest[ND_DIGEST_BYTES];
    suite_ok(suite,
             nd_store_registry_slots(suite->store, "rule", names, COUNT, COUNT,
                                     &suite->error, slots, &length, digest));
    assert_int_equal(length, COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(slots[i], i);
}

int suite_registry_tests(void)
{
    const struct CMUnitTest tests[] = {
        test(names_get_slots_in_order_and_keep_them),
        test(a_name_given_twice_in_one_call_has_one_slot),
        test(names_over_the_limit_get_none_and_known_ones_stay),
        test(the_digest_is_the_chain_over_all_names),
        test(every_rule_has_a_registry_of_its_own),
        test(names_are_read_back_from_any_slot_on),
        test(thousands_of_names_are_given_at_once),
    };
    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
