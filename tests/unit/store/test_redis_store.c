/* SPDX-License-Identifier: Apache-2.0
 *
 * What only the Redis backend can get wrong with samples: scripts, buckets,
 * bytes, round trips. What every backend must do is in tests/store/, which
 * runs on this one too.
 */
#include "redis_fixture.h"

/* ---- the scripts ---- */

static void a_put_is_one_round_trip(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, NULL);
    struct nd_sample_put sample = make_sample(fixture, 1, ND_SPAM, 20, 1);
    put(fixture, &sample); /* the server learns the script */
    uint64_t before = nd_redis_trips(fixture->store);
    for (uint32_t i = 2; i < 102; i++) {
        sample = make_sample(fixture, i, ND_SPAM, 20, 1);
        assert_int_equal(put(fixture, &sample).outcome, ND_PUT_STORED);
    }
    assert_int_equal(nd_redis_trips(fixture->store) - before, 100);
}

static void forgotten_scripts_are_sent_again(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, NULL);
    struct nd_sample_put sample = make_sample(fixture, 1, ND_SPAM, 20, 1);
    assert_int_equal(put(fixture, &sample).outcome, ND_PUT_STORED);
    ask(fixture, "SCRIPT", "FLUSH", NULL, NULL);
    sample = make_sample(fixture, 2, ND_SPAM, 20, 1);
    assert_int_equal(put(fixture, &sample).outcome, ND_PUT_STORED);
    assert_int_equal(put(fixture, &sample).outcome, ND_PUT_DUPLICATE);
}

static void a_restarted_server_is_used_on(void **state)
{
    static const char *const arguments[] = {"--appendonly", "yes",
                                            "--appendfsync", "always", NULL};
    struct fixture *fixture = *state;
    start(fixture, arguments);
    struct nd_sample_put sample = make_sample(fixture, 1, ND_SPAM, 20, 1);
    put(fixture, &sample);
    redis_server_stop(&fixture->server);
    redis_server_start(&fixture->server, arguments);
    assert_int_equal(put(fixture, &sample).outcome, ND_PUT_DUPLICATE);
}

/* ---- samples in buckets ---- */

static void thousands_of_samples_come_back_as_they_were_put(void **state)
{
    enum { COUNT = 3000 };
    struct fixture *fixture = *state;
    start(fixture, NULL);
    struct nd_sample_put *samples = calloc(COUNT, sizeof(*samples));
    struct nd_put_result *results = calloc(COUNT, sizeof(*results));
    for (uint32_t i = 0; i < COUNT; i++)
        samples[i] =
            make_sample(fixture, i, i % 3 == 0 ? ND_SPAM : ND_HAM, i % 200, 1);
    enum nd_status status =
        nd_store_put_many(fixture->store, &scope, samples, COUNT, &large,
                          &fixture->error, results);
    if (status != ND_OK)
        fail_msg("%s", fixture->error.text);
    assert_int_equal(results[COUNT - 1].count[ND_SPAM], COUNT / 3);
    struct nd_snapshot snapshot;
    assert_int_equal(
        nd_store_snapshot(fixture->store, &scope, &fixture->error, &snapshot),
        ND_OK);
    assert_int_equal(snapshot.count, COUNT);
    assert_int_equal(snapshot.watermark, COUNT);
    struct nd_payload *payloads = calloc(COUNT, sizeof(*payloads));
    assert_int_equal(nd_store_read(fixture->store, &scope, snapshot.samples,
                                   COUNT, fixture->arena, &fixture->error,
                                   payloads),
                     ND_OK);
    for (size_t i = 0; i < COUNT; i++) {
        const struct nd_sample_info *info = &snapshot.samples[i];
        assert_memory_equal(info->identity, samples[i].identity,
                            ND_IDENTITY_BYTES);
        assert_int_equal(info->sequence, i + 1);
        assert_int_equal(info->version, 1);
        assert_int_equal(info->time_ms, samples[i].time_ms);
        assert_int_equal(info->label_ms, samples[i].label_ms);
        assert_int_equal(info->label, samples[i].label);
        assert_int_equal(info->source, ND_SOURCE_API);
        assert_int_equal(payloads[i].length, samples[i].payload_length);
        assert_memory_equal(payloads[i].data, samples[i].payload,
                            payloads[i].length);
    }
    free(payloads);
    free(snapshot.samples);
    free(results);
    free(samples);
}

static void times_before_the_label_and_after_it_are_kept(void **state)
{
    static const int64_t times[] = {1, -86400000, 1699999999999, 1700000000000,
                                    1900000000000};
    struct fixture *fixture = *state;
    start(fixture, NULL);
    for (uint32_t i = 0; i < 5; i++) {
        struct nd_sample_put sample = make_sample(fixture, i, ND_HAM, 3, 1);
        struct nd_sample_info info;
        sample.time_ms = times[i];
        put(fixture, &sample);
        assert_int_equal(nd_store_find(fixture->store, &scope, sample.identity,
                                       &fixture->error, &info),
                         ND_OK);
        assert_int_equal(info.time_ms, times[i]);
        struct nd_claim claim = {ND_SPAM, ND_SOURCE_USER, 1800000000000};
        struct nd_put_result result;
        assert_int_equal(nd_store_relabel(fixture->store, &scope,
                                          sample.identity, &claim,
                                          &fixture->error, &result),
                         ND_OK);
        assert_int_equal(nd_store_find(fixture->store, &scope, sample.identity,
                                       &fixture->error, &info),
                         ND_OK);
        assert_int_equal(info.time_ms, times[i]);
    }
}

static uint64_t used_memory(struct fixture *fixture)
{
    const char *line = strstr(ask(fixture, "INFO", "memory", NULL, NULL)->text,
                              "used_memory_dataset:");
    assert_non_null(line);
    return strtoull(line + strlen("used_memory_dataset:"), NULL, 10);
}

/* Symbols and metatokens of a message take some 61 bytes; tombstones and the
 * index are counted in. */
static void a_sample_takes_at_most_185_bytes_of_memory(void **state)
{
    enum { COUNT = 10000, BATCH = 500 };
    struct fixture *fixture = *state;
    start(fixture, NULL);
    struct nd_sample_put *samples = calloc(BATCH, sizeof(*samples));
    struct nd_put_result *results = calloc(BATCH, sizeof(*results));
    uint64_t before = used_memory(fixture), payload = 0;
    for (uint32_t i = 0; i < COUNT; i += BATCH) {
        for (uint32_t j = 0; j < BATCH; j++) {
            samples[j] =
                make_sample(fixture, i + j, j % 2 ? ND_SPAM : ND_HAM, 26, 1);
            payload += samples[j].payload_length;
        }
        assert_int_equal(nd_store_put_many(fixture->store, &scope, samples,
                                           BATCH, &large, &fixture->error,
                                           results),
                         ND_OK);
    }
    ask(fixture, "SCRIPT", "FLUSH", NULL, NULL);
    uint64_t bytes = (used_memory(fixture) - before) / COUNT;
    print_message("payload %llu bytes, in Redis %llu\n",
                  (unsigned long long)(payload / COUNT),
                  (unsigned long long)bytes);
    assert_in_range(payload / COUNT, 50, 75);
    assert_true(bytes <= 185);
    struct nd_sample_filter all = {.source = -1, .label = -1};
    uint64_t forgotten;
    assert_int_equal(nd_store_forget_matching(fixture->store, &scope, &all,
                                              false, &fixture->error,
                                              &forgotten),
                     ND_OK);
    assert_int_equal(forgotten, COUNT);
    ask(fixture, "SCRIPT", "FLUSH", NULL, NULL);
    bytes = (used_memory(fixture) - before) / COUNT;
    print_message("a tombstone takes %llu\n", (unsigned long long)bytes);
    assert_true(bytes <= 60);
    free(results);
    free(samples);
}

static void a_full_reservoir_replaces_uniformly(void **state)
{
    enum { LIMIT = 200, MORE = 2000, BATCH = 200 };
    static const struct nd_quota quota = {ND_QUOTA_RESERVOIR, LIMIT};
    struct fixture *fixture = *state;
    start(fixture, NULL);
    struct nd_put_result results[BATCH];
    struct nd_sample_put samples[BATCH];
    for (uint32_t i = 0; i < LIMIT + MORE; i += BATCH) {
        for (uint32_t j = 0; j < BATCH; j++)
            samples[j] = make_sample(fixture, i + j, ND_SPAM, 10, 1);
        assert_int_equal(nd_store_put_many(fixture->store, &scope, samples,
                                           BATCH, &quota, &fixture->error,
                                           results),
                         ND_OK);
    }
    assert_int_equal(results[0].outcome, ND_PUT_REPLACED);
    assert_int_equal(results[BATCH - 1].count[ND_SPAM], LIMIT);
    struct nd_snapshot snapshot;
    assert_int_equal(
        nd_store_snapshot(fixture->store, &scope, &fixture->error, &snapshot),
        ND_OK);
    assert_int_equal(snapshot.count, LIMIT);
    /* each that came halves nothing, but e^-1 of LIMIT are older than LIMIT
     * puts: 74 expected, 5.7 the standard deviation at most */
    size_t older = 0;
    for (size_t i = 0; i < snapshot.count; i++)
        older += snapshot.samples[i].sequence <= MORE;
    assert_in_range(older, 45, 103);
    struct nd_store_stats stats;
    assert_int_equal(
        nd_store_stats(fixture->store, &scope, &fixture->error, &stats), ND_OK);
    assert_int_equal(stats.replaced, MORE);
    assert_int_equal(stats.put_stored, LIMIT + MORE);
    free(snapshot.samples);
}

static void a_missing_family_is_merged_in_two_more_trips(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, NULL);
    struct nd_sample_put first = make_sample(fixture, 1, ND_SPAM, 5, 1);
    struct nd_sample_put second = make_sample(fixture, 1, ND_SPAM, 7, 2);
    put(fixture, &first);
    uint64_t before = nd_redis_trips(fixture->store);
    assert_int_equal(put(fixture, &second).outcome, ND_PUT_MERGED);
    assert_true(nd_redis_trips(fixture->store) - before <= 3);
    assert_int_equal(put(fixture, &second).outcome, ND_PUT_DUPLICATE);
    struct nd_sample_info info;
    struct nd_payload payload;
    assert_int_equal(nd_store_find(fixture->store, &scope, first.identity,
                                   &fixture->error, &info),
                     ND_OK);
    assert_int_equal(info.version, 2);
    assert_int_equal(nd_store_read(fixture->store, &scope, &info, 1,
                                   fixture->arena, &fixture->error, &payload),
                     ND_OK);
    uint32_t families;
    assert_int_equal(nd_sample_families(payload.data, payload.length,
                                        &fixture->error, &families),
                     ND_OK);
    assert_int_equal(families, 1U << 1 | 1U << 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_put_is_one_round_trip),
        TEST(forgotten_scripts_are_sent_again),
        TEST(a_restarted_server_is_used_on),
        TEST(thousands_of_samples_come_back_as_they_were_put),
        TEST(times_before_the_label_and_after_it_are_kept),
        TEST(a_sample_takes_at_most_185_bytes_of_memory),
        TEST(a_full_reservoir_replaces_uniformly),
        TEST(a_missing_family_is_merged_in_two_more_trips),
    };
    if (!redis_server_available()) {
        fprintf(stderr, "skipped: there is no redis-server\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
