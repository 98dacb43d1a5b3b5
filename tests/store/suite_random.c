/* SPDX-License-Identifier: Apache-2.0
 *
 * Thousands of random operations on few identities, against a small account of
 * its own of what each identity must be by the rules of docs/protocol.md.
 */
#include "suite.h"

#include "base/clock.h"
#include "base/random.h"

#define test(name) \
    cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)
#define IDENTITIES 12
#define STEPS 1500

enum life { NEVER, PRESENT, USED, FORGOTTEN };

struct account {
    enum life life;
    enum nd_class label;
    enum nd_source source;
    int64_t label_ms;
};

struct ledger {
    struct suite *suite;
    struct nd_random random;
    struct account accounts[IDENTITIES];
    uint64_t stored, consumed, forgotten;
};

/* Whether another label is believed over the one in the account. */
static bool outranks(const struct account *account,
                     const struct nd_sample_put *sample)
{
    if (sample->source != account->source)
        return sample->source > account->source;
    return sample->label_ms > account->label_ms;
}

static void take(struct account *account, const struct nd_sample_put *sample)
{
    account->label = sample->label;
    account->source = sample->source;
    account->label_ms = sample->label_ms;
}

static void confirm(struct account *account, const struct nd_sample_put *sample)
{
    if (outranks(account, sample))
        take(account, sample);
}

static enum nd_put_outcome expect_put(struct ledger *ledger,
                                      struct account *account,
                                      const struct nd_sample_put *sample)
{
    bool known = account->life == PRESENT || account->life == USED;
    if (known && sample->label == account->label) {
        bool better = sample->source > account->source;
        confirm(account, sample);
        return better && account->life == PRESENT ? ND_PUT_RELABELLED
                                                  : ND_PUT_DUPLICATE;
    }
    if (known && !outranks(account, sample))
        return ND_PUT_REFUSED;
    if (account->life == FORGOTTEN && sample->label_ms <= account->label_ms)
        return ND_PUT_REFUSED;
    bool was_present = account->life == PRESENT;
    take(account, sample);
    account->life = PRESENT;
    ledger->stored += !was_present;
    return was_present ? ND_PUT_RELABELLED : ND_PUT_STORED;
}

static void random_put(struct ledger *ledger)
{
    uint32_t number = (uint32_t)nd_random_below(&ledger->random, IDENTITIES);
    struct nd_sample_put sample = suite_sample(
        number, (enum nd_class)nd_random_below(&ledger->random, 2));
    sample.source =
        (enum nd_source)nd_random_below(&ledger->random, ND_SOURCE_COUNT);
    sample.label_ms = 1000 + (int64_t)nd_random_below(&ledger->random, 500);
    enum nd_put_outcome wanted =
        expect_put(ledger, &ledger->accounts[number], &sample);
    struct nd_put_result result =
        suite_put(ledger->suite, &sample, &suite_roomy);
    assert_int_equal(result.outcome, wanted);
}

static void random_forget(struct ledger *ledger)
{
    struct suite *suite = ledger->suite;
    uint32_t number = (uint32_t)nd_random_below(&ledger->random, IDENTITIES);
    int64_t label_ms = 1000 + (int64_t)nd_random_below(&ledger->random, 500);
    struct account *account = &ledger->accounts[number];
    uint8_t identity[ND_IDENTITY_BYTES];
    bool existed;
    suite_identity(number, identity);
    suite_ok(suite, nd_store_forget(suite->store, &suite_scope, identity,
                                    label_ms, &suite->error, &existed));
    bool known = account->life == PRESENT || account->life == USED;
    if (known && account->label_ms > label_ms)
        return;
    ledger->forgotten += account->life == PRESENT;
    if (account->life != FORGOTTEN || label_ms > account->label_ms)
        account->label_ms = label_ms;
    account->life = FORGOTTEN;
}

/* A training that uses up all that is present. */
static void random_training(struct ledger *ledger)
{
    struct suite *suite = ledger->suite;
    struct nd_snapshot used;
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_journal_entry entry = {.decision = ND_DECISION_REJECTED};
    suite_ok(suite, nd_store_snapshot(suite->store, &suite_scope, &suite->error,
                                      &used));
    struct nd_finish finish = {.entry = &entry,
                               .consumed = used.samples,
                               .consumed_count = used.count,
                               .watermark = used.watermark};
    suite_ok(suite, nd_store_training_finish(suite->store, &suite_scope, &lease,
                                             &finish, &suite->error));
    free(used.samples);
    for (uint32_t i = 0; i < IDENTITIES; i++) {
        if (ledger->accounts[i].life != PRESENT)
            continue;
        ledger->accounts[i].life = USED;
        ledger->consumed++;
    }
    assert_int_equal(suite_state(suite).changes, 0);
}

static void compare(struct ledger *ledger)
{
    struct suite *suite = ledger->suite;
    for (uint32_t i = 0; i < IDENTITIES; i++) {
        const struct account *account = &ledger->accounts[i];
        assert_int_equal(suite_is_present(suite, i), account->life == PRESENT);
        if (account->life != PRESENT)
            continue;
        struct nd_sample_info info = suite_find(suite, i);
        assert_int_equal(info.label, account->label);
        assert_int_equal(info.source, account->source);
        assert_int_equal(info.label_ms, account->label_ms);
    }
    struct nd_store_stats stats = suite_stats(suite);
    assert_int_equal(stats.put_stored, ledger->stored);
    assert_int_equal(stats.consumed, ledger->consumed);
    assert_int_equal(stats.forgotten, ledger->forgotten);
    suite_accounts(suite);
}

static void random_operations_leave_what_the_rules_say(void **state)
{
    struct ledger ledger = {.suite = *state};
    uint64_t seed = (uint64_t)nd_clock_monotonic_us();
    print_message("seed %llu\n", (unsigned long long)seed);
    nd_random_seed(&ledger.random, seed);
    for (int step = 1; step <= STEPS; step++) {
        uint64_t dice = nd_random_below(&ledger.random, 100);
        if (dice < 70)
            random_put(&ledger);
        else if (dice < 97)
            random_forget(&ledger);
        else
            random_training(&ledger);
        if (step % 50 == 0)
            compare(&ledger);
    }
}

int suite_random_tests(void)
{
    const struct CMUnitTest tests[] = {
        test(random_operations_leave_what_the_rules_say),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
