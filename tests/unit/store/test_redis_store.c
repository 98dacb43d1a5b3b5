/* SPDX-License-Identifier: Apache-2.0
 *
 * What only the Redis backend can get wrong: its scripts and keys, memory, the
 * version in the store, replicas. What every backend must do is in
 * tests/store/, which runs on this one too.
 */
#include "store/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "redis_server.h"
#include "store/redis_client.h"
#include "store/sample.h"

#define LEASE_MS 60000

static const struct nd_scope scope = {"short", "inbound"};
static const struct nd_quota large = {ND_QUOTA_RESERVOIR, 1000000};

struct fixture {
    struct redis_server server, other;
    struct nd_arena *arena;
    struct nd_error error;
    struct nd_store *store;
    struct nd_redis_options plain_options;
    struct nd_redis_client *plain; /* to look behind the store */
    struct nd_random random;
    char url[200];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    fixture->arena = nd_arena_create(0);
    redis_server_prepare(&fixture->server);
    redis_server_prepare(&fixture->other);
    nd_random_seed(&fixture->random, 42);
    return nd_hash_init(&fixture->error) == ND_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    nd_store_close(&fixture->store);
    nd_redis_client_destroy(&fixture->plain);
    nd_arena_destroy(&fixture->arena);
    redis_server_remove(&fixture->server);
    redis_server_remove(&fixture->other);
    free(fixture);
    return 0;
}

static enum nd_status open_store(struct fixture *fixture, const char *query)
{
    struct nd_store_options options = {
        .create = true, .timeout_ms = 2000, .random_seed = 7};
    (void)snprintf(fixture->url, sizeof(fixture->url), "redis+unix://%s%s",
                   fixture->server.socket, query);
    nd_store_close(&fixture->store);
    return nd_store_open(fixture->url, &options, &fixture->error,
                         &fixture->store);
}

static void start(struct fixture *fixture, const char *const *arguments)
{
    char url[160];
    redis_server_start(&fixture->server, arguments);
    (void)snprintf(url, sizeof(url), "redis+unix://%s", fixture->server.socket);
    assert_int_equal(nd_redis_options_parse(url, NULL, fixture->arena,
                                            &fixture->error,
                                            &fixture->plain_options),
                     ND_OK);
    fixture->plain = nd_redis_client_create(&fixture->plain_options, 5000);
    enum nd_status status = open_store(fixture, "");
    if (status != ND_OK)
        fail_msg("open: %s", fixture->error.text);
}

static const struct nd_redis_reply *ask(struct fixture *fixture,
                                        const char *first, const char *second,
                                        const char *third, const char *fourth)
{
    const char *words[] = {first, second, third, fourth, NULL};
    const struct nd_redis_reply *reply;
    enum nd_status status = nd_redis_client_ask(fixture->plain, words, true,
                                                &fixture->error, &reply);
    if (status != ND_OK)
        fail_msg("%s: %s", first, fixture->error.text);
    return reply;
}

/* The same number for all that is said about sample number. */
static struct nd_sample_put make_sample(struct fixture *fixture,
                                        uint32_t number, enum nd_class label,
                                        uint32_t entries, uint8_t family)
{
    struct nd_sample_put sample = {.label = label,
                                   .source = ND_SOURCE_API,
                                   .time_ms = 1700000000000 + number,
                                   .label_ms = 1700000000500 + number};
    uint8_t digest[ND_DIGEST_BYTES];
    uint32_t slots[256];
    float values[256];
    nd_digest(&number, sizeof(number), NULL, digest);
    memcpy(sample.identity, digest, ND_IDENTITY_BYTES);
    uint32_t slot = 0;
    for (uint32_t i = 0; i < entries; i++) {
        slot += 1 + (uint32_t)nd_random_below(&fixture->random, 30);
        slots[i] = slot;
        values[i] = (float)nd_random_unit(&fixture->random);
    }
    struct nd_section section = {family, entries, slots, values};
    struct nd_buffer payload = {0};
    assert_int_equal(nd_sample_encode(&section, 1, &payload, &fixture->error),
                     ND_OK);
    sample.payload = nd_arena_strndup(
        fixture->arena, (const char *)payload.data, payload.length);
    sample.payload_length = payload.length;
    nd_buffer_free(&payload);
    return sample;
}

static struct nd_put_result put(struct fixture *fixture,
                                const struct nd_sample_put *sample)
{
    struct nd_put_result result;
    enum nd_status status = nd_store_put(fixture->store, &scope, sample, &large,
                                         &fixture->error, &result);
    if (status != ND_OK)
        fail_msg("put: %s", fixture->error.text);
    return result;
}

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

/* ---- memory ---- */

static struct nd_lease acquire(struct fixture *fixture)
{
    static const uint8_t nonce[ND_NONCE_BYTES] = "me";
    struct nd_lease lease;
    enum nd_status status =
        nd_store_lease_acquire(fixture->store, &scope, nonce, "host", LEASE_MS,
                               &fixture->error, &lease);
    if (status != ND_OK)
        fail_msg("acquire: %s", fixture->error.text);
    return lease;
}

static void at_maxmemory_storing_is_refused_and_the_rest_works(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, NULL);
    struct nd_sample_put sample = make_sample(fixture, 1, ND_SPAM, 20, 1);
    struct nd_sample_put other = make_sample(fixture, 2, ND_SPAM, 20, 1);
    struct nd_put_result result;
    put(fixture, &sample);
    struct nd_lease lease = acquire(fixture);
    ask(fixture, "CONFIG", "SET", "maxmemory", "1");
    assert_int_equal(nd_store_put(fixture->store, &scope, &other, &large,
                                  &fixture->error, &result),
                     ND_FULL);
    uint8_t digest[ND_DIGEST_BYTES];
    assert_int_equal(nd_store_model_upload(fixture->store, &scope, "m", 1,
                                           &fixture->error, digest),
                     ND_FULL);
    assert_int_equal(nd_store_lease_renew(fixture->store, &scope, &lease, 1,
                                          LEASE_MS, &fixture->error),
                     ND_OK);
    assert_int_equal(nd_store_count(fixture->store, &scope, ND_REFUSED_STORE, 2,
                                    &fixture->error),
                     ND_OK);
    bool existed = false;
    assert_int_equal(nd_store_forget(fixture->store, &scope, sample.identity, 0,
                                     &fixture->error, &existed),
                     ND_OK);
    assert_true(existed);
    struct nd_journal_entry entry = {.decision = ND_DECISION_FAILED,
                                     .reason = "no memory"};
    struct nd_finish finish = {.entry = &entry};
    assert_int_equal(nd_store_training_finish(fixture->store, &scope, &lease,
                                              &finish, &fixture->error),
                     ND_OK);
    struct nd_store_stats stats;
    assert_int_equal(
        nd_store_stats(fixture->store, &scope, &fixture->error, &stats), ND_OK);
    assert_int_equal(stats.refused[ND_REFUSED_STORE], 2);
    assert_int_equal(stats.forgotten, 1);
    ask(fixture, "CONFIG", "SET", "maxmemory", "0");
    put(fixture, &other);
}

static void count_lines(const char *line, void *context)
{
    int *counts = context;
    counts[0]++;
    counts[1] += strstr(line, "nothing reaches") != NULL;
    counts[2] += strstr(line, "maxmemory-policy") != NULL;
}

static void an_eviction_policy_is_a_finding(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, NULL);
    int counts[3] = {0};
    assert_int_equal(nd_store_maintain(fixture->store, 0, true, count_lines,
                                       counts, &fixture->error),
                     ND_OK);
    assert_int_equal(counts[0], 0);
    ask(fixture, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    assert_int_equal(nd_store_maintain(fixture->store, 0, true, count_lines,
                                       counts, &fixture->error),
                     ND_CONFIG);
    assert_int_equal(counts[2], 1);
    assert_non_null(strstr(fixture->error.text, "noeviction"));
}

/* ---- keys ---- */

static void publish(struct fixture *fixture, const char *blob)
{
    struct nd_lease lease = acquire(fixture);
    struct nd_model_pointer pointer;
    struct nd_journal_entry entry = {.decision = ND_DECISION_PROMOTED};
    struct nd_publish wanted = {.entry = &entry, .keep = 3};
    uint64_t generation;
    assert_int_equal(nd_store_model_current(fixture->store, &scope,
                                            &fixture->error, &pointer),
                     ND_OK);
    wanted.judged_revision = pointer.revision;
    assert_int_equal(nd_store_model_upload(fixture->store, &scope, blob,
                                           strlen(blob), &fixture->error,
                                           wanted.digest),
                     ND_OK);
    assert_int_equal(nd_store_model_publish(fixture->store, &scope, &lease,
                                            &wanted, &fixture->error,
                                            &generation),
                     ND_OK);
    assert_int_equal(generation, lease.token);
}

static void fill_everything(struct fixture *fixture)
{
    struct nd_sample_put sample = make_sample(fixture, 1, ND_SPAM, 20, 1);
    put(fixture, &sample);
    publish(fixture, "model");
    static const char *const names[] = {"A", "B"};
    uint32_t slots[2], length;
    uint8_t digest[ND_DIGEST_BYTES];
    assert_int_equal(nd_store_registry_slots(fixture->store, "short", names, 2,
                                             100, &fixture->error, slots,
                                             &length, digest),
                     ND_OK);
    struct nd_profile profile = {
        .settings = "inbound", .symbols = names, .symbol_count = 2};
    bool created;
    assert_int_equal(nd_store_profile_register(fixture->store, "short",
                                               &profile, &fixture->error,
                                               &created),
                     ND_OK);
    assert_int_equal(
        nd_store_host_report(fixture->store, &scope, "mx1", 1, &fixture->error),
        ND_OK);
}

static void every_key_of_a_rule_has_its_hash_tag_and_no_expiry(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, NULL);
    fill_everything(fixture);
    const struct nd_redis_reply *keys = ask(fixture, "KEYS", "*", NULL, NULL);
    char *names[64];
    size_t count = keys->length;
    assert_in_range(count, 10, 20);
    for (size_t i = 0; i < count; i++)
        names[i] = strdup(nd_redis_item(keys, i)->text);
    for (size_t i = 0; i < count; i++) {
        bool tagged = strncmp(names[i], "{neurald:short}", 15) == 0;
        bool common = strcmp(names[i], "neurald:store") == 0 ||
                      strcmp(names[i], "neurald:rules") == 0;
        if (!tagged && !common)
            fail_msg("key %s", names[i]);
        assert_int_equal(
            nd_redis_number(ask(fixture, "TTL", names[i], NULL, NULL)), -1);
        free(names[i]);
    }
}

static void keys_out_of_the_indexs_reach_are_found_and_dropped(void **state)
{
    static const char *const lost[] = {
        "{neurald:gone}",
        "{neurald:short}:s:elsewhere:samples",
        "{neurald:short}:s:inbound:blobs:abcd",
        "{neurald:short}:unheard",
        "{neurald:short",
    };
    struct fixture *fixture = *state;
    start(fixture, NULL);
    fill_everything(fixture);
    int64_t before = nd_redis_number(ask(fixture, "DBSIZE", NULL, NULL, NULL));
    ask(fixture, "SET", "{other:short}", "1", NULL);
    for (size_t i = 0; i < 5; i++)
        ask(fixture, "SET", lost[i], "1", NULL);
    int counts[3] = {0};
    for (int dry_run = 1; dry_run >= 0; dry_run--) {
        memset(counts, 0, sizeof(counts));
        enum nd_status status =
            nd_store_maintain(fixture->store, 3600000, dry_run != 0,
                              count_lines, counts, &fixture->error);
        if (status != ND_OK)
            fail_msg("%s", fixture->error.text);
        assert_int_equal(counts[1], 5);
    }
    assert_int_equal(nd_redis_number(ask(fixture, "DBSIZE", NULL, NULL, NULL)),
                     before + 1);
    memset(counts, 0, sizeof(counts));
    assert_int_equal(nd_store_maintain(fixture->store, 3600000, true,
                                       count_lines, counts, &fixture->error),
                     ND_OK);
    assert_int_equal(counts[0], 0);
}

/* rspamd 4205: keys leaked with each training. */
static void a_thousand_trainings_leave_no_more_keys_than_a_few(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, NULL);
    char blob[32];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(blob, sizeof(blob), "model %d", i);
        publish(fixture, blob);
    }
    assert_true(nd_redis_number(ask(fixture, "DBSIZE", NULL, NULL, NULL)) <=
                12);
    struct nd_model_info *models;
    size_t count;
    assert_int_equal(nd_store_model_list(fixture->store, &scope,
                                         &fixture->error, &models, &count),
                     ND_OK);
    assert_int_equal(count, 3);
    assert_int_equal(models[0].generation, 1000);
    free(models);
}

static void a_wrong_count_is_a_defect(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, NULL);
    struct nd_sample_put sample = make_sample(fixture, 1, ND_SPAM, 20, 1);
    put(fixture, &sample);
    ask(fixture, "HSET", "{neurald:short}:s:inbound", "present:1:1", "5");
    int counts[3] = {0};
    assert_int_equal(nd_store_maintain(fixture->store, 0, true, count_lines,
                                       counts, &fixture->error),
                     ND_DATA);
    assert_int_equal(counts[0], 1);
}

/* ---- versions ---- */

static void a_later_version_is_never_written_to(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, NULL);
    struct nd_sample_put sample = make_sample(fixture, 1, ND_SPAM, 20, 1);
    struct nd_put_result result;
    struct nd_model_pointer pointer;
    put(fixture, &sample);
    ask(fixture, "HSET", "{neurald:short}", "version", "2");
    sample = make_sample(fixture, 2, ND_SPAM, 20, 1);
    assert_int_equal(nd_store_put(fixture->store, &scope, &sample, &large,
                                  &fixture->error, &result),
                     ND_VERSION);
    assert_int_equal(nd_store_model_current(fixture->store, &scope,
                                            &fixture->error, &pointer),
                     ND_VERSION);
    bool existed;
    assert_int_equal(nd_store_forget(fixture->store, &scope, sample.identity, 0,
                                     &fixture->error, &existed),
                     ND_VERSION);
    ask(fixture, "HSET", "neurald:store", "version", "2");
    assert_int_equal(open_store(fixture, ""), ND_VERSION);
    assert_string_equal(
        ask(fixture, "HGET", "{neurald:short}:s:inbound", "stored", NULL)->text,
        "1");
}

static void nothing_there_is_made_only_when_asked_to(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, NULL);
    struct nd_store_options options = {.create = false};
    struct nd_store *store = NULL;
    char url[200];
    (void)snprintf(url, sizeof(url), "redis+unix://%s?prefix=elsewhere",
                   fixture->server.socket);
    assert_int_equal(nd_store_open(url, &options, &fixture->error, &store),
                     ND_NO_INPUT);
    assert_null(store);
    options.create = true;
    assert_int_equal(nd_store_open(url, &options, &fixture->error, &store),
                     ND_OK);
    nd_store_close(&store);
    options = (struct nd_store_options){.read_only = true};
    assert_int_equal(nd_store_open(url, &options, &fixture->error, &store),
                     ND_OK);
    assert_int_equal(
        nd_store_count(store, &scope, ND_REFUSED_STORE, 1, &fixture->error),
        ND_PERMISSION);
    nd_store_close(&store);
}

/* ---- several at once ---- */

static void two_stores_that_grow_the_registry_agree(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, NULL);
    struct nd_store_options options = {.create = true};
    struct nd_store *second;
    assert_int_equal(
        nd_store_open(fixture->url, &options, &fixture->error, &second), ND_OK);
    static const char *const one[] = {"A", "B", "A", "C"};
    static const char *const two[] = {"C", "D", "B"};
    uint32_t slots[4], length;
    uint8_t digest[ND_DIGEST_BYTES], expected[ND_DIGEST_BYTES] = {0};
    assert_int_equal(nd_store_registry_slots(fixture->store, "short", one, 4,
                                             100, &fixture->error, slots,
                                             &length, digest),
                     ND_OK);
    assert_int_equal(length, 3);
    assert_int_equal(slots[0], 0);
    assert_int_equal(slots[2], 0);
    assert_int_equal(slots[3], 2);
    assert_int_equal(nd_store_registry_slots(second, "short", two, 3, 3,
                                             &fixture->error, slots, &length,
                                             digest),
                     ND_OK);
    assert_int_equal(slots[0], 2);
    assert_int_equal(slots[1], ND_STORE_NO_SLOT);
    assert_int_equal(slots[2], 1);
    for (size_t i = 0; i < 3; i++) {
        struct nd_digest_state chain;
        static const char *const names[] = {"A", "B", "C"};
        nd_digest_begin(&chain, NULL, ND_DIGEST_BYTES);
        nd_digest_add(&chain, expected, ND_DIGEST_BYTES);
        nd_digest_add(&chain, names[i], 1);
        nd_digest_end(&chain, expected, ND_DIGEST_BYTES);
    }
    assert_memory_equal(digest, expected, ND_DIGEST_BYTES);
    nd_store_close(&second);
}

static void a_put_without_enough_replicas_is_uncertain(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, NULL);
    struct nd_sample_put sample = make_sample(fixture, 1, ND_SPAM, 20, 1);
    struct nd_put_result result;
    assert_int_equal(open_store(fixture, "?wait_replicas=1"), ND_OK);
    assert_int_equal(nd_store_put(fixture->store, &scope, &sample, &large,
                                  &fixture->error, &result),
                     ND_UNCERTAIN);
    char master[64];
    (void)snprintf(master, sizeof(master), "127.0.0.1 %u",
                   fixture->server.port);
    const char *arguments[] = {"--replicaof", master, NULL};
    redis_server_start(&fixture->other, arguments);
    enum nd_status status = ND_UNCERTAIN;
    for (int i = 0; i < 20 && status == ND_UNCERTAIN; i++)
        status = nd_store_put(fixture->store, &scope, &sample, &large,
                              &fixture->error, &result);
    assert_int_equal(status, ND_OK);
    assert_int_equal(result.outcome, ND_PUT_DUPLICATE);
    assert_int_equal(result.count[ND_SPAM], 1);
}

static void the_key_is_made_once_and_guards_samples(void **state)
{
    struct fixture *fixture = *state;
    struct nd_key mine, other, got;
    start(fixture, NULL);
    nd_key_generate(&mine);
    nd_key_generate(&other);
    assert_int_equal(nd_store_key(fixture->store, NULL, &fixture->error, &got),
                     ND_NO_INPUT);
    assert_int_equal(nd_store_key(fixture->store, &mine, &fixture->error, &got),
                     ND_OK);
    assert_int_equal(
        nd_store_key(fixture->store, &other, &fixture->error, &got), ND_OK);
    assert_memory_equal(got.secret, mine.secret, ND_KEY_BYTES);
    struct nd_sample_put sample = make_sample(fixture, 1, ND_SPAM, 20, 1);
    memcpy(sample.key_id, other.id, ND_KEY_ID_BYTES);
    assert_int_equal(put(fixture, &sample).reason, ND_REFUSED_KEY);
    memcpy(sample.key_id, mine.id, ND_KEY_ID_BYTES);
    assert_int_equal(put(fixture, &sample).outcome, ND_PUT_STORED);
}

static void a_model_of_megabytes_with_every_byte_comes_back(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, NULL);
    size_t length = (9U << 20) + 17;
    uint8_t *blob = malloc(length);
    for (size_t i = 0; i < length; i++)
        blob[i] = (uint8_t)(i * 7 + i / 256);
    struct nd_lease lease = acquire(fixture);
    struct nd_journal_entry entry = {.decision = ND_DECISION_PROMOTED};
    struct nd_publish wanted = {.entry = &entry, .keep = 3};
    uint64_t generation;
    assert_int_equal(nd_store_model_upload(fixture->store, &scope, blob, length,
                                           &fixture->error, wanted.digest),
                     ND_OK);
    assert_int_equal(nd_store_model_publish(fixture->store, &scope, &lease,
                                            &wanted, &fixture->error,
                                            &generation),
                     ND_OK);
    struct nd_buffer got = {0};
    assert_int_equal(nd_store_model_get(fixture->store, &scope, generation,
                                        &fixture->error, &got),
                     ND_OK);
    assert_int_equal(got.length, length);
    assert_memory_equal(got.data, blob, length);
    nd_buffer_free(&got);
    free(blob);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
        TEST(at_maxmemory_storing_is_refused_and_the_rest_works),
        TEST(an_eviction_policy_is_a_finding),
        TEST(every_key_of_a_rule_has_its_hash_tag_and_no_expiry),
        TEST(keys_out_of_the_indexs_reach_are_found_and_dropped),
        TEST(a_thousand_trainings_leave_no_more_keys_than_a_few),
        TEST(a_wrong_count_is_a_defect),
        TEST(a_later_version_is_never_written_to),
        TEST(nothing_there_is_made_only_when_asked_to),
        TEST(two_stores_that_grow_the_registry_agree),
        TEST(a_put_without_enough_replicas_is_uncertain),
        TEST(the_key_is_made_once_and_guards_samples),
        TEST(a_model_of_megabytes_with_every_byte_comes_back),
    };
    if (!redis_server_available()) {
        fprintf(stderr, "skipped: there is no redis-server\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
