/* SPDX-License-Identifier: Apache-2.0
 *
 * The lease: token and nonce decide who holds it, time only decides when
 * another may take it.
 */
#include "suite.h"

#define test(name) \
    cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)

static enum nd_status acquire(struct suite *suite, uint8_t number,
                              int64_t length_ms, struct nd_lease *lease)
{
    uint8_t nonce[ND_NONCE_BYTES] = {number};
    char holder[16];
    (void)snprintf(holder, sizeof(holder), "host:%u", number);
    return nd_store_lease_acquire(suite->store, &suite_scope, nonce, holder,
                                  length_ms, &suite->error, lease);
}

static enum nd_status renew(struct suite *suite, const struct nd_lease *lease,
                            uint64_t progress, int64_t length_ms)
{
    return nd_store_lease_renew(suite->store, &suite_scope, lease, progress,
                                length_ms, &suite->error);
}

static enum nd_status release(struct suite *suite, const struct nd_lease *lease)
{
    return nd_store_lease_release(suite->store, &suite_scope, lease,
                                  &suite->error);
}

static struct nd_lease show(struct suite *suite)
{
    struct nd_lease lease;
    suite_ok(suite, nd_store_lease_show(suite->store, &suite_scope,
                                        &suite->error, &lease));
    return lease;
}

static void the_second_is_told_who_holds_it_and_until_when(void **state)
{
    struct suite *suite = *state;
    struct nd_lease first, second;
    suite_ok(suite, acquire(suite, 1, 60000, &first));
    assert_true(first.token > 0);
    assert_int_equal(first.until_ms - first.since_ms, 60000);
    assert_int_equal(acquire(suite, 2, 60000, &second), ND_BUSY);
    assert_string_equal(second.holder, "host:1");
    assert_int_equal(second.since_ms, first.since_ms);
    assert_int_equal(second.until_ms, first.until_ms);
    assert_non_null(strstr(suite->error.text, "host:1"));
}

static void the_same_nonce_gets_its_own_grant_again(void **state)
{
    struct suite *suite = *state;
    struct nd_lease first, again;
    suite_ok(suite, acquire(suite, 1, 60000, &first));
    suite_ok(suite, acquire(suite, 1, 60000, &again));
    assert_int_equal(first.token, again.token);
    assert_int_equal(first.since_ms, again.since_ms);
}

static void two_processes_of_one_host_are_two_holders(void **state)
{
    struct suite *suite = *state;
    uint8_t one[ND_NONCE_BYTES] = {1}, other[ND_NONCE_BYTES] = {2};
    struct nd_lease lease;
    suite_ok(suite,
             nd_store_lease_acquire(suite->store, &suite_scope, one, "mx1",
                                    60000, &suite->error, &lease));
    suite_fails(ND_BUSY,
                nd_store_lease_acquire(suite->store, &suite_scope, other, "mx1",
                                       60000, &suite->error, &lease));
}

static void every_grant_has_a_higher_token(void **state)
{
    struct suite *suite = *state;
    uint64_t last = 0;
    for (uint8_t i = 1; i < 6; i++) {
        struct nd_lease lease;
        suite_ok(suite, acquire(suite, i % 2, 60000, &lease));
        assert_true(lease.token > last);
        last = lease.token;
        suite_ok(suite, release(suite, &lease));
    }
}

static void a_lease_past_its_deadline_is_taken_over(void **state)
{
    struct suite *suite = *state;
    struct nd_lease first, second;
    suite_ok(suite, acquire(suite, 1, 60000, &first));
    if (!suite_backend_move_clock(59000))
        skip();
    assert_int_equal(acquire(suite, 2, 60000, &second), ND_BUSY);
    assert_true(suite_backend_move_clock(1500));
    assert_int_equal(show(suite).token, first.token);
    suite_ok(suite, acquire(suite, 2, 60000, &second));
    assert_true(second.token > first.token);
    assert_int_equal(renew(suite, &first, 1, 60000), ND_LOST);
    assert_int_equal(release(suite, &first), ND_LOST);
    assert_int_equal(show(suite).token, second.token);
}

static void a_slow_holder_that_nobody_replaced_goes_on(void **state)
{
    struct suite *suite = *state;
    struct nd_lease lease, other;
    suite_ok(suite, acquire(suite, 1, 1000, &lease));
    if (!suite_backend_move_clock(5000))
        skip();
    suite_ok(suite, renew(suite, &lease, 1, 60000));
    assert_int_equal(acquire(suite, 2, 1000, &other), ND_BUSY);
}

static void after_the_clock_jumped_back_the_lease_is_not_stuck(void **state)
{
    struct suite *suite = *state;
    struct nd_lease first, second;
    suite_ok(suite, acquire(suite, 1, 60000, &first));
    if (!suite_backend_move_clock(-24 * 3600 * 1000))
        skip();
    suite_ok(suite, acquire(suite, 2, 60000, &second));
    assert_true(second.token > first.token);
    assert_int_equal(renew(suite, &first, 1, 60000), ND_LOST);
}

static void a_renewal_extends_from_now(void **state)
{
    struct suite *suite = *state;
    struct nd_lease lease, other;
    suite_ok(suite, acquire(suite, 1, 10000, &lease));
    if (!suite_backend_move_clock(8000))
        skip();
    suite_ok(suite, renew(suite, &lease, 1, 10000));
    assert_true(suite_backend_move_clock(8000));
    assert_int_equal(acquire(suite, 2, 10000, &other), ND_BUSY);
    assert_true(suite_backend_move_clock(2500));
    suite_ok(suite, acquire(suite, 2, 10000, &other));
}

static void without_progress_nothing_is_extended(void **state)
{
    struct suite *suite = *state;
    struct nd_lease lease;
    suite_ok(suite, acquire(suite, 1, 10000, &lease));
    assert_int_equal(renew(suite, &lease, 0, 10000), ND_LOST);
    suite_ok(suite, renew(suite, &lease, 5, 10000));
    int64_t until_ms = show(suite).until_ms;
    if (!suite_backend_move_clock(5000))
        skip();
    suite_ok(suite, renew(suite, &lease, 5, 10000));
    assert_int_equal(show(suite).until_ms, until_ms);
    assert_int_equal(renew(suite, &lease, 4, 10000), ND_LOST);
    suite_ok(suite, renew(suite, &lease, 6, 10000));
    assert_true(show(suite).until_ms > until_ms);
}

static void token_and_nonce_must_both_be_right(void **state)
{
    struct suite *suite = *state;
    struct nd_lease lease;
    suite_ok(suite, acquire(suite, 1, 60000, &lease));
    struct nd_lease forged = lease;
    forged.nonce[3] = 9;
    assert_int_equal(renew(suite, &forged, 1, 60000), ND_LOST);
    assert_int_equal(release(suite, &forged), ND_LOST);
    forged = lease;
    forged.token++;
    assert_int_equal(renew(suite, &forged, 1, 60000), ND_LOST);
    assert_int_equal(release(suite, &forged), ND_LOST);
    suite_ok(suite, renew(suite, &lease, 1, 60000));
}

static void a_released_lease_is_free_and_cannot_be_used(void **state)
{
    struct suite *suite = *state;
    struct nd_lease lease, other;
    suite_ok(suite, acquire(suite, 1, 60000, &lease));
    suite_ok(suite, release(suite, &lease));
    assert_int_equal(
        nd_store_lease_show(suite->store, &suite_scope, &suite->error, &other),
        ND_NOTHING);
    assert_int_equal(renew(suite, &lease, 9, 60000), ND_LOST);
    assert_int_equal(release(suite, &lease), ND_LOST);
    suite_ok(suite, acquire(suite, 2, 60000, &other));
}

static void a_new_grant_starts_without_progress(void **state)
{
    struct suite *suite = *state;
    struct nd_lease lease;
    suite_ok(suite, acquire(suite, 1, 60000, &lease));
    suite_ok(suite, renew(suite, &lease, 100, 60000));
    suite_ok(suite, release(suite, &lease));
    suite_ok(suite, acquire(suite, 2, 60000, &lease));
    suite_ok(suite, renew(suite, &lease, 1, 60000));
}

static void every_scope_has_a_lease_of_its_own(void **state)
{
    struct suite *suite = *state;
    uint8_t nonce[ND_NONCE_BYTES] = {2};
    struct nd_lease lease;
    (void)suite_acquire(suite, 1);
    suite_ok(suite,
             nd_store_lease_acquire(suite->store, &suite_other_scope, nonce,
                                    "b", 60000, &suite->error, &lease));
}

static void a_long_holders_name_is_cut(void **state)
{
    struct suite *suite = *state;
    uint8_t nonce[ND_NONCE_BYTES] = {2};
    struct nd_lease lease;
    char holder[200];
    memset(holder, 'h', sizeof(holder));
    holder[sizeof(holder) - 1] = '\0';
    suite_ok(suite,
             nd_store_lease_acquire(suite->store, &suite_scope, nonce, holder,
                                    60000, &suite->error, &lease));
    assert_int_equal(strlen(lease.holder), ND_HOLDER_BYTES - 1);
}

int suite_lease_tests(void)
{
    const struct CMUnitTest tests[] = {
        test(the_second_is_told_who_holds_it_and_until_when),
        test(the_same_nonce_gets_its_own_grant_again),
        test(two_processes_of_one_host_are_two_holders),
        test(every_grant_has_a_higher_token),
        test(a_lease_past_its_deadline_is_taken_over),
        test(a_slow_holder_that_nobody_replaced_goes_on),
        test(after_the_clock_jumped_back_the_lease_is_not_stuck),
        test(a_renewal_extends_from_now),
        test(without_progress_nothing_is_extended),
        test(token_and_nonce_must_both_be_right),
        test(a_released_lease_is_free_and_cannot_be_used),
        test(a_new_grant_starts_without_progress),
        test(every_scope_has_a_lease_of_its_own),
        test(a_long_holders_name_is_cut),
    };
    return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
