/* SPDX-License-Identifier: Apache-2.0
 *
 * Forgetting and relabelling, one or many, where answers are lost: what was
 * asked for is done once, and what somebody labelled since is left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "fixture.h"
#include "learn/bulk.h"
#include "learn/lesson.h"
#include "misbehave.h"
#include "store/faulty.h"

/* Ten of each class, then a store that fails as specified. */
static void set_out(struct fixture *fixture, const char *specification)
{
    struct nd_error error = {""};
    make_engine(fixture);
    learn_both(fixture, 0, 10);
    nd_engine_destroy(&fixture->engine);
    struct nd_store *inner = fixture->store;
    must(nd_faulty_wrap(inner, specification, &error, &fixture->store), &error);
}

static struct nd_bulk bulk_of(int label)
{
    return (struct nd_bulk){.filter = {.source = -1, .label = ND_SPAM},
                            .label = label};
}

static struct nd_bulk_result change(struct fixture *fixture,
                                    const struct nd_bulk *bulk)
{
    struct nd_bulk_result result;
    struct nd_error error = {""};
    struct nd_scope scope = {fixture->rule.name, fixture->rule.settings};
    must(nd_bulk_change(fixture->store, &scope, bulk, &error, &result), &error);
    return result;
}

static const uint8_t *identity_of(struct fixture *fixture, uint32_t number)
{
    struct nd_lesson lesson = {.label = ND_SPAM};
    return nd_lesson_identity(make_message(fixture->arena, ND_SPAM, number, 1),
                              &lesson);
}

/* Somebody says ham, at a time of the store. */
static void label_ham(struct fixture *fixture, uint32_t number, int64_t at_ms)
{
    struct nd_claim claim = {ND_HAM, ND_SOURCE_USER, at_ms};
    struct nd_put_result put;
    struct nd_error error = {""};
    struct nd_scope scope = {fixture->rule.name, fixture->rule.settings};
    must(nd_store_relabel(fixture->store, &scope, identity_of(fixture, number),
                          &claim, &error, &put),
         &error);
    assert_int_equal(put.outcome, ND_PUT_RELABELLED);
}

static int64_t store_now(struct fixture *fixture)
{
    int64_t now_ms = 0;
    struct nd_error error = {""};
    must(nd_store_now(fixture->store, &error, &now_ms), &error);
    return now_ms;
}

static void forgetting_many_survives_a_lost_answer(void **state)
{
    struct fixture *fixture = *state;
    struct nd_bulk bulk = bulk_of(-1);
    set_out(fixture, "forget_matching@1=lost-answer");
    assert_int_equal(change(fixture, &bulk).changed, 10);
    assert_int_equal(count_samples(fixture, ND_SPAM), 0);
    assert_int_equal(count_samples(fixture, ND_HAM), 10);
}

static void relabelling_many_survives_lost_answers(void **state)
{
    struct fixture *fixture = *state;
    struct nd_bulk bulk = bulk_of(ND_HAM);
    set_out(fixture, "relabel@1=lost-answer,relabel@5=lost-request");
    struct nd_bulk_result result = change(fixture, &bulk);
    assert_int_equal(result.changed, 10);
    assert_int_equal(result.unchanged, 0);
    assert_int_equal(count_samples(fixture, ND_HAM), 20);
}

static void one_is_forgotten_in_spite_of_a_lost_answer(void **state)
{
    struct fixture *fixture = *state;
    struct nd_bulk bulk = bulk_of(-1);
    set_out(fixture, "forget@1=lost-answer");
    bulk.identity = identity_of(fixture, 3);
    struct nd_bulk_result result = change(fixture, &bulk);
    assert_int_equal(result.changed, 1);
    assert_int_equal(result.absent, 0);
    assert_int_equal(count_samples(fixture, ND_SPAM), 9);
}

/* Asked for a minute ago: as a repeat is, that was long under way. */
static void what_was_labelled_since_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    set_out(fixture, "");
    fixture->clock_change_ms += 60000;
    int64_t asked_ms = store_now(fixture) - 30000;
    label_ham(fixture, 3, asked_ms + 1);
    struct nd_bulk forgetting = bulk_of(-1);
    forgetting.filter.label = -1;
    forgetting.as_of_ms = asked_ms;
    assert_int_equal(change(fixture, &forgetting).changed, 19);
    assert_int_equal(count_samples(fixture, ND_HAM), 1);
    struct nd_bulk relabelling = bulk_of(ND_SPAM);
    relabelling.filter.label = -1;
    relabelling.as_of_ms = asked_ms;
    assert_int_equal(change(fixture, &relabelling).changed, 0);
    assert_int_equal(count_samples(fixture, ND_HAM), 1);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(int argc, char **argv)
{
    int answer = misbehave_main(argc, argv);
    if (answer >= 0) {
        return answer;
    }
    const struct CMUnitTest tests[] = {
        TEST(forgetting_many_survives_a_lost_answer),
        TEST(relabelling_many_survives_lost_answers),
        TEST(one_is_forgotten_in_spite_of_a_lost_answer),
        TEST(what_was_labelled_since_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
