/* SPDX-License-Identifier: Apache-2.0
 *
 * The Redis backend and its server: memory at its end, keys and what reaches
 * them, versions, replicas, several clients at once.
 */
#include "base/clock.h"
#include "redis_fixture.h"

/* ---- memory ---- */

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
                                          FIXTURE_LEASE_MS, &fixture->error),
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

/* The rights that docs/redis.md asks for. */
static void a_user_with_the_documented_rights_can_do_everything(void **state)
{
    static const char *const arguments[] = {
        "--user",      "fleet",         "on",         ">word",    "~neurald:*",
        "~{neurald:*", "resetchannels", "&neurald:*", "+publish", "+subscribe",
        "+auth",       "+select",       "+role",      "+info",    "+wait",
        "+time",       "+eval",         "+evalsha",   "+@hash",   "+@list",
        "+@set",       "+@string",      "+del",       "+unlink",  "+scan",
        NULL};
    struct fixture *fixture = *state;
    start(fixture, arguments);
    struct nd_store_options options = {.create = true};
    struct nd_key key;
    char url[200];
    (void)snprintf(url, sizeof(url), "redis+unix://fleet:word@%s",
                   fixture->server.socket);
    nd_store_close(&fixture->store);
    if (nd_store_open(url, &options, &fixture->error, &fixture->store) != ND_OK)
        fail_msg("%s", fixture->error.text);
    fill_everything(fixture);
    nd_key_generate(&key);
    assert_int_equal(nd_store_key(fixture->store, &key, &fixture->error, &key),
                     ND_OK);
    ask(fixture, "SET", "{neurald:gone}", "1", NULL);
    if (nd_store_maintain(fixture->store, 0, false, NULL, NULL,
                          &fixture->error) != ND_OK)
        fail_msg("%s", fixture->error.text);
    assert_int_equal(
        nd_redis_number(ask(fixture, "EXISTS", "{neurald:gone}", NULL, NULL)),
        0);
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

static bool waited_for_change(struct fixture *fixture, int64_t timeout_ms)
{
    bool changed = false;
    if (nd_store_wait_change(fixture->store, timeout_ms, &fixture->error,
                             &changed) != ND_OK)
        fail_msg("wait: %s", fixture->error.text);
    return changed;
}

static void those_who_wait_hear_of_a_publish_and_a_pin(void **state)
{
    struct fixture *fixture = *state;
    struct nd_store *trainer;
    struct nd_model_pointer pointer;
    start(fixture, NULL);
    assert_true(waited_for_change(fixture, 1000)); /* what came before */
    assert_false(waited_for_change(fixture, 50));
    trainer = fixture->store;
    fixture->store = NULL;
    assert_int_equal(open_store(fixture, ""), ND_OK);
    struct nd_store *waiter = trainer;
    publish(fixture, "model");
    trainer = fixture->store;
    fixture->store = waiter;
    int64_t start_us = nd_clock_monotonic_us();
    assert_true(waited_for_change(fixture, 2000));
    assert_true(nd_clock_monotonic_us() - start_us < 1000000);
    assert_false(waited_for_change(fixture, 50));
    assert_int_equal(
        nd_store_model_pin(trainer, &scope, 1, true, &fixture->error, &pointer),
        ND_OK);
    assert_true(waited_for_change(fixture, 2000));
    assert_int_equal(
        nd_store_model_pin(trainer, &scope, 1, true, &fixture->error, &pointer),
        ND_OK); /* changes nothing */
    assert_false(waited_for_change(fixture, 50));
    nd_store_close(&trainer);
}

static void a_lost_subscription_is_made_anew_and_counts_as_a_change(
    void **state)
{
    struct fixture *fixture = *state;
    bool changed = false;
    start(fixture, NULL);
    assert_true(waited_for_change(fixture, 1000));
    ask(fixture, "CLIENT", "KILL", "TYPE", "pubsub");
    assert_int_equal(
        nd_store_wait_change(fixture->store, 1000, &fixture->error, &changed),
        ND_UNAVAILABLE);
    assert_true(waited_for_change(fixture, 1000));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(at_maxmemory_storing_is_refused_and_the_rest_works),
        TEST(an_eviction_policy_is_a_finding),
        TEST(every_key_of_a_rule_has_its_hash_tag_and_no_expiry),
        TEST(a_user_with_the_documented_rights_can_do_everything),
        TEST(keys_out_of_the_indexs_reach_are_found_and_dropped),
        TEST(a_thousand_trainings_leave_no_more_keys_than_a_few),
        TEST(a_wrong_count_is_a_defect),
        TEST(a_later_version_is_never_written_to),
        TEST(nothing_there_is_made_only_when_asked_to),
        TEST(two_stores_that_grow_the_registry_agree),
        TEST(a_put_without_enough_replicas_is_uncertain),
        TEST(the_key_is_made_once_and_guards_samples),
        TEST(those_who_wait_hear_of_a_publish_and_a_pin),
        TEST(a_lost_subscription_is_made_anew_and_counts_as_a_change),
        TEST(a_model_of_megabytes_with_every_byte_comes_back),
    };
    if (!redis_server_available()) {
        fprintf(stderr, "skipped: there is no redis-server\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
