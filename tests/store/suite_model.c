/* SPDX-License-Identifier: Apache-2.0
 *
 * Models: blobs that come back as they went, the live pointer, pin, rollback
 * and import.
 */
#include "suite.h"

#define test(name) \
    cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)

static void every_byte_value_survives(void **state)
{
    struct suite *suite = *state;
    static uint8_t blob[300000];
    for (size_t i = 0; i < sizeof(blob); i++)
        blob[i] = (uint8_t)(i * 7 + i / 256);
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_publish publish = suite_publish(suite, "unused");
    uint64_t generation;
    suite_ok(suite, nd_store_model_upload(suite->store, &suite_scope, blob,
                                          sizeof(blob), &suite->error,
                                          publish.digest));
    suite_ok(suite,
             nd_store_model_publish(suite->store, &suite_scope, &lease,
                                    &publish, &suite->error, &generation));
    struct nd_buffer read = {0};
    nd_buffer_append_text(&read, "before");
    suite_ok(suite, nd_store_model_get(suite->store, &suite_scope, generation,
                                       &suite->error, &read));
    assert_int_equal(read.length, 6 + sizeof(blob));
    assert_memory_equal(read.data + 6, blob, sizeof(blob));
    suite_ok(suite, nd_store_model_fetch(suite->store, &suite_scope, generation,
                                         &suite->error, &read));
    assert_int_equal(read.length, 6 + 2 * sizeof(blob));
    assert_memory_equal(read.data + 6 + sizeof(blob), blob, sizeof(blob));
    nd_buffer_free(&read);
}

static void an_upload_can_be_repeated_and_points_nowhere(void **state)
{
    struct suite *suite = *state;
    uint8_t first[ND_DIGEST_BYTES], second[ND_DIGEST_BYTES];
    suite_ok(suite, nd_store_model_upload(suite->store, &suite_scope, "abc", 3,
                                          &suite->error, first));
    suite_ok(suite, nd_store_model_upload(suite->store, &suite_scope, "abc", 3,
                                          &suite->error, second));
    assert_memory_equal(first, second, ND_DIGEST_BYTES);
    assert_int_equal(suite_current(suite).generation, 0);
    nd_digest("abc", 3, NULL, second);
    assert_memory_equal(first, second, ND_DIGEST_BYTES);
}

static void a_generation_that_is_not_there_is_not_found(void **state)
{
    struct suite *suite = *state;
    struct nd_buffer read = {0};
    suite_fails(ND_NO_INPUT, nd_store_model_get(suite->store, &suite_scope, 4,
                                                &suite->error, &read));
    assert_int_equal(read.length, 0);
}

static size_t list(struct suite *suite, struct nd_model_info **models)
{
    size_t count;
    suite_ok(suite, nd_store_model_list(suite->store, &suite_scope,
                                        &suite->error, models, &count));
    return count;
}

static void the_newest_generations_are_kept(void **state)
{
    struct suite *suite = *state;
    enum { COUNT = 12 }; /* the last of them with one digit more */
    uint64_t generations[COUNT];
    for (int i = 0; i < COUNT; i++) {
        char words[16];
        (void)snprintf(words, sizeof(words), "model %c", 'a' + i);
        generations[i] = suite_train(suite, words);
    }
    struct nd_model_info *models;
    assert_int_equal(list(suite, &models), 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(models[i].generation, generations[COUNT - 1 - i]);
        assert_int_equal(models[i].live, i == 0);
        assert_int_equal(models[i].size_bytes, 7);
        assert_string_equal(models[i].origin, "host:1");
    }
    struct nd_buffer read = {0};
    suite_fails(ND_NO_INPUT, nd_store_model_get(suite->store, &suite_scope,
                                                generations[COUNT - 6],
                                                &suite->error, &read));
    free(models);
}

static struct nd_model_pointer pin(struct suite *suite, uint64_t generation,
                                   bool stay)
{
    struct nd_model_pointer pointer;
    suite_ok(suite, nd_store_model_pin(suite->store, &suite_scope, generation,
                                       stay, &suite->error, &pointer));
    return pointer;
}

/* Field by field, since what pads the struct means nothing. */
static void assert_same(const struct nd_model_pointer *one,
                        const struct nd_model_pointer *other)
{
    assert_int_equal(one->generation, other->generation);
    assert_int_equal(one->revision, other->revision);
    assert_int_equal(one->pinned, other->pinned);
    assert_memory_equal(one->digest, other->digest, ND_DIGEST_BYTES);
}

static void a_rollback_moves_the_pointer_and_raises_the_revision(void **state)
{
    struct suite *suite = *state;
    uint64_t first = suite_train(suite, "first");
    (void)suite_train(suite, "second");
    struct nd_model_pointer before = suite_current(suite);
    struct nd_model_pointer after = pin(suite, first, false);
    assert_int_equal(after.generation, first);
    assert_true(after.revision > before.revision);
    assert_false(after.pinned);
    struct nd_model_pointer current = suite_current(suite);
    assert_same(&after, &current);
    (void)suite_train(suite, "third");
    assert_true(suite_current(suite).generation > first);
}

static void a_pinned_model_refuses_publishes_until_unpinned(void **state)
{
    struct suite *suite = *state;
    uint64_t first = suite_train(suite, "first");
    (void)suite_train(suite, "second");
    struct nd_model_pointer pinned = pin(suite, first, true);
    assert_true(pinned.pinned);
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_publish publish = suite_publish(suite, "third");
    uint64_t generation;
    suite_fails(ND_SUPERSEDED,
                nd_store_model_publish(suite->store, &suite_scope, &lease,
                                       &publish, &suite->error, &generation));
    assert_int_equal(suite_current(suite).generation, first);
    struct nd_model_info *models;
    assert_int_equal(list(suite, &models), 2);
    assert_true(models[1].pinned);
    free(models);
    struct nd_model_pointer freed = pin(suite, 0, false);
    assert_false(freed.pinned);
    assert_int_equal(freed.generation, first);
    assert_true(freed.revision > pinned.revision);
    (void)suite_train(suite, "fourth");
}

static void the_live_model_can_be_pinned_without_naming_it(void **state)
{
    struct suite *suite = *state;
    struct nd_model_pointer pointer;
    suite_fails(ND_NO_INPUT, nd_store_model_pin(suite->store, &suite_scope, 0,
                                                true, &suite->error, &pointer));
    uint64_t generation = suite_train(suite, "a model");
    pointer = pin(suite, 0, true);
    assert_int_equal(pointer.generation, generation);
    assert_true(pointer.pinned);
}

static void a_pin_repeated_changes_nothing(void **state)
{
    struct suite *suite = *state;
    uint64_t generation = suite_train(suite, "a model");
    struct nd_model_pointer first = pin(suite, generation, true);
    struct nd_model_pointer second = pin(suite, generation, true);
    assert_same(&first, &second);
    struct nd_model_pointer pointer;
    suite_fails(ND_NO_INPUT,
                nd_store_model_pin(suite->store, &suite_scope, generation + 7,
                                   true, &suite->error, &pointer));
}

static uint64_t publish_keeping_one(struct suite *suite, const char *words)
{
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_publish publish = suite_publish(suite, words);
    uint64_t generation;
    publish.keep = 1;
    suite_ok(suite,
             nd_store_model_publish(suite->store, &suite_scope, &lease,
                                    &publish, &suite->error, &generation));
    return generation;
}

static void where_one_generation_is_kept_it_is_the_live_one(void **state)
{
    struct suite *suite = *state;
    uint64_t first = suite_train(suite, "first");
    (void)suite_train(suite, "second");
    (void)pin(suite, first, false);
    uint64_t generation = publish_keeping_one(suite, "third");
    struct nd_model_info *models;
    assert_int_equal(list(suite, &models), 1);
    assert_int_equal(models[0].generation, generation);
    free(models);
}

/* A host of an earlier version cannot take up what newer ones publish. */
static void what_a_running_host_reports_is_kept(void **state)
{
    struct suite *suite = *state;
    uint64_t first = suite_train(suite, "first");
    suite_ok(suite, nd_store_host_report(suite->store, &suite_scope, "old:1",
                                         first, &suite->error));
    (void)publish_keeping_one(suite, "second");
    uint64_t live = publish_keeping_one(suite, "third");
    struct nd_model_info *models;
    assert_int_equal(list(suite, &models), 2);
    assert_int_equal(models[0].generation, live);
    assert_int_equal(models[1].generation, first);
    free(models);
    uint64_t dropped;
    suite_ok(suite, nd_store_model_expire(suite->store, &suite_scope, 0,
                                          &suite->error, &dropped));
    assert_int_equal(dropped, 0);
    struct nd_buffer blob = {0};
    suite_ok(suite, nd_store_model_get(suite->store, &suite_scope, first,
                                       &suite->error, &blob));
    assert_int_equal(blob.length, strlen("first"));
    nd_buffer_free(&blob);
    if (!suite_backend_move_clock(ND_HOST_RECENT_MS + 1000))
        skip();
    (void)publish_keeping_one(suite, "fourth");
    assert_int_equal(list(suite, &models), 1);
    free(models);
}

static uint64_t import(struct suite *suite, const char *words)
{
    struct nd_publish publish = suite_publish(suite, words);
    uint64_t generation;
    suite_ok(suite, nd_store_model_import(suite->store, &suite_scope, &publish,
                                          &suite->error, &generation));
    return generation;
}

static void an_import_goes_live_with_a_number_of_its_own(void **state)
{
    struct suite *suite = *state;
    uint64_t trained = suite_train(suite, "trained");
    struct nd_model_pointer before = suite_current(suite);
    uint64_t imported = import(suite, "imported");
    assert_true(imported > trained);
    struct nd_model_pointer after = suite_current(suite);
    assert_int_equal(after.generation, imported);
    assert_true(after.revision > before.revision);
    struct nd_model_info *models;
    assert_int_equal(list(suite, &models), 2);
    assert_string_equal(models[0].origin, "import");
    free(models);
    assert_true(suite_train(suite, "trained again") > imported);
}

static void an_import_repeated_gives_the_first_number(void **state)
{
    struct suite *suite = *state;
    uint64_t first = import(suite, "imported");
    assert_int_equal(import(suite, "imported"), first);
    assert_true(import(suite, "another") > first);
    assert_true(import(suite, "imported") > first);
}

static void an_import_is_refused_while_a_model_is_pinned(void **state)
{
    struct suite *suite = *state;
    uint64_t first = suite_train(suite, "first");
    (void)pin(suite, first, true);
    struct nd_publish publish = suite_publish(suite, "imported");
    uint64_t generation;
    suite_fails(ND_SUPERSEDED,
                nd_store_model_import(suite->store, &suite_scope, &publish,
                                      &suite->error, &generation));
    publish.digest[0] ^= 1;
    suite_fails(ND_NO_INPUT,
                nd_store_model_import(suite->store, &suite_scope, &publish,
                                      &suite->error, &generation));
}

#define HOUR_MS (INT64_C(3600) * 1000)

static uint64_t expire(struct suite *suite, int64_t expire_ms)
{
    uint64_t count = 99;
    suite_ok(suite, nd_store_model_expire(suite->store, &suite_scope, expire_ms,
                                          &suite->error, &count));
    return count;
}

static size_t count_models(struct suite *suite)
{
    struct nd_model_info *models;
    size_t count = list(suite, &models);
    free(models);
    return count;
}

static void models_not_in_use_expire(void **state)
{
    struct suite *suite = *state;
    struct nd_buffer read = {0};
    assert_int_equal(expire(suite, 0), 0); /* nothing is there */
    uint64_t first = suite_train(suite, "first");
    if (!suite_backend_move_clock(100 * HOUR_MS))
        skip();
    assert_int_equal(expire(suite, HOUR_MS), 0); /* the live one never */
    (void)suite_train(suite, "second");
    /* it is old, but has been in use until now */
    assert_int_equal(expire(suite, HOUR_MS), 0);
    (void)suite_backend_move_clock(2 * HOUR_MS);
    uint64_t live = suite_train(suite, "third");
    assert_int_equal(expire(suite, HOUR_MS), 1);
    assert_int_equal(expire(suite, HOUR_MS), 0);
    assert_int_equal(count_models(suite), 2);
    suite_fails(ND_NO_INPUT, nd_store_model_get(suite->store, &suite_scope,
                                                first, &suite->error, &read));
    assert_int_equal(expire(suite, 0), 1);
    assert_int_equal(suite_current(suite).generation, live);
    suite_ok(suite, nd_store_model_get(suite->store, &suite_scope, live,
                                       &suite->error, &read));
    assert_int_equal(read.length, 5);
    nd_buffer_free(&read);
}

static void a_pinned_model_and_those_after_it_do_not_expire(void **state)
{
    struct suite *suite = *state;
    (void)suite_train(suite, "first");
    uint64_t second = suite_train(suite, "second");
    (void)suite_train(suite, "third");
    (void)pin(suite, second, true);
    assert_int_equal(expire(suite, 0), 1);
    assert_int_equal(count_models(suite), 2);
    assert_int_equal(suite_current(suite).generation, second);
    assert_true(suite_current(suite).pinned);
}

int suite_model_tests(void)
{
    const struct CMUnitTest tests[] = {
        test(every_byte_value_survives),
        test(an_upload_can_be_repeated_and_points_nowhere),
        test(a_generation_that_is_not_there_is_not_found),
        test(the_newest_generations_are_kept),
        test(a_rollback_moves_the_pointer_and_raises_the_revision),
        test(a_pinned_model_refuses_publishes_until_unpinned),
        test(the_live_model_can_be_pinned_without_naming_it),
        test(a_pin_repeated_changes_nothing),
        test(where_one_generation_is_kept_it_is_the_live_one),
        test(what_a_running_host_reports_is_kept),
        test(an_import_goes_live_with_a_number_of_its_own),
        test(an_import_repeated_gives_the_first_number),
        test(an_import_is_refused_while_a_model_is_pinned),
        test(models_not_in_use_expire),
        test(a_pinned_model_and_those_after_it_do_not_expire),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
