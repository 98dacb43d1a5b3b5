/* SPDX-License-Identifier: Apache-2.0
 *
 * Snapshots and payloads: a training gets exactly what was there at one
 * moment, and nothing under a label that it no longer has.
 */
#include "suite.h"

#define test(name) \
    cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)

static struct nd_snapshot take(struct suite *suite)
{
    struct nd_snapshot snapshot;
    suite_ok(suite, nd_store_snapshot(suite->store, &suite_scope, &suite->error,
                                      &snapshot));
    return snapshot;
}

static void a_snapshot_is_in_order_of_time_then_of_storing(void **state)
{
    struct suite *suite = *state;
    const int64_t times[] = {700, 500, 600, 500};
    for (uint32_t i = 0; i < 4; i++) {
        struct nd_sample_put sample = suite_sample(i, ND_HAM);
        sample.time_ms = times[i];
        (void)suite_put(suite, &sample, &suite_roomy);
    }
    struct nd_snapshot snapshot = take(suite);
    const uint32_t order[] = {1, 3, 2, 0};
    assert_int_equal(snapshot.count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t identity[ND_IDENTITY_BYTES];
        suite_identity(order[i], identity);
        assert_memory_equal(snapshot.samples[i].identity, identity,
                            ND_IDENTITY_BYTES);
    }
    free(snapshot.samples);
}

static void an_empty_scope_has_an_empty_snapshot(void **state)
{
    struct nd_snapshot snapshot = take(*state);
    assert_int_equal(snapshot.count, 0);
    assert_int_equal(snapshot.watermark, 0);
    free(snapshot.samples);
}

static void the_watermark_covers_what_is_in_the_snapshot(void **state)
{
    struct suite *suite = *state;
    suite_put_range(suite, 0, 10, ND_SPAM);
    struct nd_snapshot first = take(suite);
    for (size_t i = 0; i < first.count; i++)
        assert_true(first.samples[i].sequence <= first.watermark);
    suite_put_range(suite, 10, 1, ND_SPAM);
    struct nd_snapshot second = take(suite);
    assert_true(second.watermark > first.watermark);
    assert_true(suite_find(suite, 10).sequence > first.watermark);
    free(first.samples);
    free(second.samples);
}

static void payloads_come_back_byte_for_byte(void **state)
{
    struct suite *suite = *state;
    suite_put_range(suite, 0, 300, ND_SPAM);
    struct nd_snapshot snapshot = take(suite);
    struct nd_payload payloads[300];
    suite_ok(suite, nd_store_read(suite->store, &suite_scope, snapshot.samples,
                                  snapshot.count, suite->arena, &suite->error,
                                  payloads));
    for (uint32_t i = 0; i < 300; i++) {
        struct nd_sample_put sample = suite_sample(i, ND_SPAM);
        assert_int_equal(payloads[i].length, sample.payload_length);
        assert_memory_equal(payloads[i].data, sample.payload,
                            sample.payload_length);
    }
    free(snapshot.samples);
}

static void what_has_gone_or_changed_is_left_out(void **state)
{
    struct suite *suite = *state;
    suite_put_range(suite, 0, 3, ND_SPAM);
    struct nd_snapshot snapshot = take(suite);
    bool existed;
    suite_ok(suite, nd_store_forget(suite->store, &suite_scope,
                                    snapshot.samples[0].identity, 0,
                                    &suite->error, &existed));
    struct nd_claim claim = {ND_HAM, ND_SOURCE_USER, 0};
    struct nd_put_result result;
    suite_ok(suite, nd_store_relabel(suite->store, &suite_scope,
                                     snapshot.samples[1].identity, &claim,
                                     &suite->error, &result));
    struct nd_payload payloads[3];
    suite_ok(suite, nd_store_read(suite->store, &suite_scope, snapshot.samples,
                                  3, suite->arena, &suite->error, payloads));
    assert_null(payloads[0].data);
    assert_null(payloads[1].data);
    assert_non_null(payloads[2].data);
    free(snapshot.samples);
}

static void a_large_payload_survives(void **state)
{
    struct suite *suite = *state;
    static uint32_t slots[ND_SAMPLE_MAX_ENTRIES];
    static float values[ND_SAMPLE_MAX_ENTRIES];
    for (uint32_t i = 0; i < ND_SAMPLE_MAX_ENTRIES; i++) {
        slots[i] = i * 200;
        values[i] = (float)i + 0.5F;
    }
    struct nd_section section = {1, ND_SAMPLE_MAX_ENTRIES, slots, values};
    struct nd_buffer buffer = {0};
    suite_ok(suite, nd_sample_encode(&section, 1, &buffer, &suite->error));
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    sample.payload = buffer.data;
    sample.payload_length = buffer.length;
    (void)suite_put(suite, &sample, &suite_roomy);
    struct nd_sample_info info = suite_find(suite, 1);
    struct nd_payload payload;
    suite_ok(suite, nd_store_read(suite->store, &suite_scope, &info, 1,
                                  suite->arena, &suite->error, &payload));
    assert_int_equal(payload.length, buffer.length);
    assert_memory_equal(payload.data, buffer.data, buffer.length);
    nd_buffer_free(&buffer);
}

static void a_second_handle_sees_what_the_first_has_stored(void **state)
{
    struct suite *suite = *state;
    struct nd_store *first = suite->store;
    struct nd_store *second = suite_backend_open();
    suite_put_range(suite, 0, 3, ND_SPAM);
    suite->store = second;
    assert_int_equal(suite_stats(suite).count[ND_SPAM], 3);
    suite_put_range(suite, 3, 1, ND_HAM);
    suite->store = first;
    assert_true(suite_is_present(suite, 3));
    nd_store_close(&second);
}

static void everything_is_there_after_closing_and_opening(void **state)
{
    struct suite *suite = *state;
    suite_put_range(suite, 0, 3, ND_SPAM);
    uint64_t generation = suite_train(suite, "a model");
    nd_store_close(&suite->store);
    suite->store = suite_backend_open();
    assert_int_equal(suite_stats(suite).count[ND_SPAM], 3);
    assert_int_equal(suite_current(suite).generation, generation);
}

int suite_read_tests(void)
{
    const struct CMUnitTest tests[] = {
        test(a_snapshot_is_in_order_of_time_then_of_storing),
        test(an_empty_scope_has_an_empty_snapshot),
        test(the_watermark_covers_what_is_in_the_snapshot),
        test(payloads_come_back_byte_for_byte),
        test(what_has_gone_or_changed_is_left_out),
        test(a_large_payload_survives),
        test(a_second_handle_sees_what_the_first_has_stored),
        test(everything_is_there_after_closing_and_opening),
    };
    return cmocka_run_group_tests_name("read", tests, NULL, NULL);
}
