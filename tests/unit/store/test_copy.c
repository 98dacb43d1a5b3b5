/* SPDX-License-Identifier: Apache-2.0
 *
 * A store with everything in it, copied from SQLite to Redis and back: both
 * copies hold the same, and go on as the first would have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "redis_server.h"
#include "store/copy.h"
#include "store/faulty.h"
#include "store/sample.h"

static const struct nd_scope first = {"short", "default"};
static const struct nd_scope second = {"short", "outbound"};
static const struct nd_quota roomy = {ND_QUOTA_RESERVOIR, 1000000};
static const struct nd_quota tight = {ND_QUOTA_RESERVOIR, 120};

struct fixture {
    char folder[64];
    struct redis_server server;
    struct nd_arena *arena;
    struct nd_store *stores[3]; /* SQLite, Redis, SQLite */
    char urls[3][128];
    struct nd_error error;
    struct nd_key key;
    uint64_t live; /* of first */
    size_t scopes; /* told by the copy */
};

static void check(struct fixture *fixture, enum nd_status status)
{
    if (status != ND_OK)
        fail_msg("%s: %s", nd_status_name(status), fixture->error.text);
}

static struct nd_store *open_store(struct fixture *fixture, const char *url)
{
    struct nd_store_options options = {.create = true, .random_seed = 3};
    struct nd_store *store;
    check(fixture, nd_store_open(url, &options, &fixture->error, &store));
    return store;
}

static int set_up(void **state)
{
    struct fixture *fixture = nd_calloc(1, sizeof(*fixture));
    *state = fixture;
    (void)snprintf(fixture->folder, sizeof(fixture->folder),
                   "/tmp/neurald-copy-XXXXXX");
    if (mkdtemp(fixture->folder) == NULL)
        return -1;
    fixture->arena = nd_arena_create(0);
    redis_server_prepare(&fixture->server);
    redis_server_start(&fixture->server, NULL);
    (void)snprintf(fixture->urls[0], sizeof(fixture->urls[0]),
                   "sqlite:%s/one.db", fixture->folder);
    (void)snprintf(fixture->urls[1], sizeof(fixture->urls[1]),
                   "redis+unix://%s", fixture->server.socket);
    (void)snprintf(fixture->urls[2], sizeof(fixture->urls[2]),
                   "sqlite:%s/two.db", fixture->folder);
    for (size_t i = 0; i < 3; i++)
        fixture->stores[i] = open_store(fixture, fixture->urls[i]);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    for (size_t i = 0; i < 3; i++)
        nd_store_close(&fixture->stores[i]);
    redis_server_remove(&fixture->server);
    nd_arena_destroy(&fixture->arena);
    (void)snprintf(command, sizeof(command), "rm -r %s", fixture->folder);
    int result = system(command);
    free(fixture);
    return result;
}

/* ---- everything that a store can hold ---- */

static struct nd_sample_put make_put(struct fixture *fixture, uint32_t number,
                                     enum nd_class label)
{
    struct nd_sample_put put = {.label = label,
                                .source = (enum nd_source)(number % 3),
                                .label_ms = 1000000 + number,
                                .time_ms = 900000 + number * 7};
    uint32_t slots[3] = {number % 5, number % 5 + 9, number % 1000 + 20};
    struct nd_section section = {2, 3, slots, NULL};
    struct nd_buffer payload = {0};
    check(fixture, nd_sample_encode(&section, 1, &payload, &fixture->error));
    put.payload = nd_arena_strndup(fixture->arena, (const char *)payload.data,
                                   payload.length);
    put.payload_length = payload.length;
    nd_buffer_free(&payload);
    memcpy(put.identity, &number, sizeof(number));
    put.identity[9] = (uint8_t)(number * 31);
    memcpy(put.key_id, fixture->key.id, sizeof(put.key_id));
    return put;
}

static void fill_samples(struct fixture *fixture, struct nd_store *store,
                         const struct nd_scope *scope,
                         const struct nd_quota *quota, uint32_t count)
{
    struct nd_put_result result;
    bool existed;
    for (uint32_t i = 0; i < count; i++) {
        struct nd_sample_put put =
            make_put(fixture, i, i % 2 ? ND_SPAM : ND_HAM);
        check(fixture, nd_store_put(store, scope, &put, quota, &fixture->error,
                                    &result));
    }
    for (uint32_t i = 1; i < count; i += 17) {
        struct nd_sample_put put =
            make_put(fixture, i, i % 2 ? ND_HAM : ND_SPAM);
        put.source = ND_SOURCE_USER;
        check(fixture, nd_store_put(store, scope, &put, quota, &fixture->error,
                                    &result));
    }
    for (uint32_t i = 5; i < count + 100; i += 23) { /* some are not there */
        struct nd_sample_put put = make_put(fixture, i, ND_SPAM);
        check(fixture, nd_store_forget(store, scope, put.identity, 0,
                                       &fixture->error, &existed));
    }
    check(fixture, nd_store_count(store, scope, ND_REFUSED_NO_VERDICT, 7,
                                  &fixture->error));
}

/* A training; with words it publishes them, else it is rejected. */
static uint64_t train(struct fixture *fixture, struct nd_store *store,
                      const struct nd_scope *scope, const char *words)
{
    static const uint8_t nonce[ND_NONCE_BYTES] = {7};
    struct nd_lease lease;
    struct nd_snapshot snapshot;
    struct nd_model_pointer pointer;
    struct nd_journal_entry entry = {
        .holder = "host:1", .reason = "because", .figures = "{\"auc\":0.9}"};
    uint64_t generation = 0;
    check(fixture, nd_store_lease_acquire(store, scope, nonce, "host:1", 60000,
                                          &fixture->error, &lease));
    check(fixture, nd_store_snapshot(store, scope, &fixture->error, &snapshot));
    check(fixture,
          nd_store_model_current(store, scope, &fixture->error, &pointer));
    if (words == NULL) {
        entry.decision = ND_DECISION_REJECTED;
        struct nd_finish finish = {.entry = &entry,
                                   .consumed = snapshot.samples,
                                   .consumed_count = 10,
                                   .watermark = snapshot.watermark};
        check(fixture, nd_store_training_finish(store, scope, &lease, &finish,
                                                &fixture->error));
    } else {
        struct nd_publish publish = {.judged_revision = pointer.revision,
                                     .profile = {9},
                                     .entry = &entry,
                                     .watermark = snapshot.watermark,
                                     .keep = 5};
        check(fixture, nd_store_model_upload(store, scope, words, strlen(words),
                                             &fixture->error, publish.digest));
        check(fixture, nd_store_model_publish(store, scope, &lease, &publish,
                                              &fixture->error, &generation));
    }
    free(snapshot.samples);
    return generation;
}

static void fill(struct fixture *fixture, struct nd_store *store)
{
    static const char *const names[] = {"symbol:A", "score:A", "meta:size"};
    static const char *const symbols[] = {"A", "B"};
    struct nd_profile profile = {.settings = "default",
                                 .digest = {9},
                                 .symbols = symbols,
                                 .symbol_count = 2};
    uint32_t slots[3], length;
    uint8_t digest[ND_DIGEST_BYTES];
    struct nd_model_pointer pointer;
    bool created;
    nd_key_generate(&fixture->key);
    check(fixture,
          nd_store_key(store, &fixture->key, &fixture->error, &fixture->key));
    check(fixture,
          nd_store_registry_slots(store, "short", names, 3, 100,
                                  &fixture->error, slots, &length, digest));
    for (uint8_t i = 1; i < 4; i++) {
        profile.digest[1] = i;
        check(fixture, nd_store_profile_register(store, "short", &profile,
                                                 &fixture->error, &created));
    }
    fill_samples(fixture, store, &first, &roomy, 700);
    fill_samples(fixture, store, &second, &tight, 400); /* some replaced */
    (void)train(fixture, store, &first, "one");
    uint64_t kept = train(fixture, store, &first, "two");
    (void)train(fixture, store, &first, "three");
    (void)train(fixture, store, &first, NULL);
    check(fixture, nd_store_model_pin(store, &first, kept, true,
                                      &fixture->error, &pointer));
    fixture->live = kept;
    (void)train(fixture, store, &second, "of the other");
}

/* ---- comparing ---- */

static bool count_scope(const struct nd_scope *scope,
                        const struct nd_copy_sum *from,
                        const struct nd_copy_sum *to, void *context)
{
    struct fixture *fixture = context;
    fixture->scopes++;
    assert_string_equal(scope->rule, "short");
    assert_memory_equal(from->digest, to->digest, ND_DIGEST_BYTES);
    assert_memory_equal(from->count, to->count, sizeof(from->count));
    assert_true(from->tombstones > 0);
    assert_int_equal(from->tombstones, to->tombstones);
    return true;
}

static void compare_stats(struct fixture *fixture, struct nd_store *one,
                          struct nd_store *other, const struct nd_scope *scope)
{
    struct nd_store_stats a, b;
    struct nd_training_state s, t;
    check(fixture, nd_store_stats(one, scope, &fixture->error, &a));
    check(fixture, nd_store_stats(other, scope, &fixture->error, &b));
    a.store_bytes = b.store_bytes = 0;
    assert_memory_equal(&a, &b, sizeof(a));
    check(fixture, nd_store_training_state(one, scope, &fixture->error, &s));
    check(fixture, nd_store_training_state(other, scope, &fixture->error, &t));
    assert_int_equal(s.changes, t.changes);
    assert_int_equal(s.last_ms, t.last_ms);
    assert_int_equal(s.failures, t.failures);
}

static void report_line(const char *line, void *context)
{
    (void)context;
    fail_msg("upkeep finds: %s", line);
}

static void is_as_the_first(struct fixture *fixture, struct nd_store *store)
{
    struct nd_store *original = fixture->stores[0];
    struct nd_model_pointer pointer;
    struct nd_buffer blob = {0};
    struct nd_key key;
    compare_stats(fixture, original, store, &first);
    compare_stats(fixture, original, store, &second);
    check(fixture, nd_store_key(store, NULL, &fixture->error, &key));
    assert_memory_equal(key.secret, fixture->key.secret, ND_KEY_BYTES);
    check(fixture,
          nd_store_model_current(store, &first, &fixture->error, &pointer));
    assert_int_equal(pointer.generation, fixture->live);
    assert_true(pointer.pinned);
    check(fixture, nd_store_model_get(store, &first, fixture->live,
                                      &fixture->error, &blob));
    assert_int_equal(blob.length, 3);
    assert_memory_equal(blob.data, "two", 3);
    nd_buffer_free(&blob);
    check(fixture, nd_store_maintain(store, INT64_C(86400000) * 30, true,
                                     report_line, NULL, &fixture->error));
}

/* What is known is known there, too. */
static void goes_on_as_the_first(struct fixture *fixture,
                                 struct nd_store *store)
{
    static const uint8_t nonce[ND_NONCE_BYTES] = {8};
    struct nd_put_result result;
    struct nd_lease lease;
    struct nd_sample_put put = make_put(fixture, 2, ND_HAM);
    check(fixture,
          nd_store_put(store, &first, &put, &roomy, &fixture->error, &result));
    assert_int_equal(result.outcome, ND_PUT_DUPLICATE);
    put = make_put(fixture, 5, ND_SPAM); /* forgotten */
    check(fixture,
          nd_store_put(store, &first, &put, &roomy, &fixture->error, &result));
    assert_int_equal(result.outcome, ND_PUT_REFUSED);
    assert_int_equal(result.reason, ND_REFUSED_FORGOTTEN);
    put = make_put(fixture, 5000, ND_SPAM);
    check(fixture,
          nd_store_put(store, &first, &put, &roomy, &fixture->error, &result));
    assert_int_equal(result.outcome, ND_PUT_STORED);
    check(fixture, nd_store_lease_acquire(store, &first, nonce, "host:2", 60000,
                                          &fixture->error, &lease));
    assert_int_equal(lease.token, 5); /* four were given there */
}

/* ---- the tests ---- */

static void a_store_survives_the_way_to_redis_and_back(void **state)
{
    struct fixture *fixture = *state;
    struct nd_store **stores = fixture->stores;
    fill(fixture, stores[0]);
    check(fixture, nd_store_copy(stores[0], stores[1], false, count_scope,
                                 fixture, &fixture->error));
    assert_int_equal(fixture->scopes, 2);
    is_as_the_first(fixture, stores[1]);
    check(fixture, nd_store_copy(stores[1], stores[2], false, count_scope,
                                 fixture, &fixture->error));
    assert_int_equal(fixture->scopes, 4);
    is_as_the_first(fixture, stores[2]);
    goes_on_as_the_first(fixture, stores[1]);
    goes_on_as_the_first(fixture, stores[2]);
}

/* Copies into a target that goes away in the middle. */
static void break_off(struct fixture *fixture, size_t target)
{
    struct nd_store *inner = open_store(fixture, fixture->urls[target]);
    struct nd_store *breaking;
    check(fixture, nd_faulty_wrap(inner, "image_write@9=unavailable",
                                  &fixture->error, &breaking));
    assert_int_equal(nd_store_copy(fixture->stores[0], breaking, false, NULL,
                                   NULL, &fixture->error),
                     ND_UNAVAILABLE);
    nd_store_close(&breaking);
}

static bool stop(const struct nd_scope *scope, const struct nd_copy_sum *from,
                 const struct nd_copy_sum *to, void *context)
{
    return false;
}

static void a_copy_that_broke_off_is_finished(void **state)
{
    struct fixture *fixture = *state;
    struct nd_store **stores = fixture->stores;
    for (size_t i = 1; i < 3; i++) {
        if (i == 1)
            fill(fixture, stores[0]);
        break_off(fixture, i);
        assert_int_equal(nd_store_copy(stores[0], stores[i], true, stop, NULL,
                                       &fixture->error),
                         ND_CANCELLED);
        assert_int_equal(nd_store_copy(stores[0], stores[i], false, NULL, NULL,
                                       &fixture->error),
                         ND_USAGE);
        assert_non_null(strstr(fixture->error.text, "not empty"));
        for (int again = 0; again < 2; again++)
            check(fixture,
                  nd_store_copy(stores[0], stores[i], true, count_scope,
                                fixture, &fixture->error));
        is_as_the_first(fixture, stores[i]);
    }
}

static void what_differs_in_the_end_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct nd_store **stores = fixture->stores;
    struct nd_put_result result;
    fill(fixture, stores[0]);
    check(fixture, nd_store_copy(stores[0], stores[1], false, NULL, NULL,
                                 &fixture->error));
    struct nd_sample_put put = make_put(fixture, 6000, ND_SPAM);
    check(fixture, nd_store_put(stores[1], &first, &put, &roomy,
                                &fixture->error, &result));
    assert_int_equal(
        nd_store_copy(stores[0], stores[1], true, NULL, NULL, &fixture->error),
        ND_DATA);
    assert_non_null(strstr(fixture->error.text, "1 of 2"));
}

/* Writes into the source once its first part was compared. */
static bool put_meanwhile(const struct nd_scope *scope,
                          const struct nd_copy_sum *from,
                          const struct nd_copy_sum *to, void *context)
{
    struct fixture *fixture = context;
    struct nd_sample_put put = make_put(fixture, 6001, ND_SPAM);
    struct nd_put_result result;
    if (fixture->scopes++ == 0)
        check(fixture, nd_store_put(fixture->stores[0], scope, &put, &roomy,
                                    &fixture->error, &result));
    return true;
}

static bool begin_a_scope_meanwhile(const struct nd_scope *scope,
                                    const struct nd_copy_sum *from,
                                    const struct nd_copy_sum *to, void *context)
{
    static const struct nd_scope third = {"short", "third"};
    struct fixture *fixture = context;
    bool existed;
    const uint8_t identity[ND_IDENTITY_BYTES] = {1};
    check(fixture, nd_store_forget(fixture->stores[0], &third, identity, 0,
                                   &fixture->error, &existed));
    return true;
}

static void a_source_that_is_not_at_rest_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct nd_store **stores = fixture->stores;
    fill(fixture, stores[0]);
    assert_int_equal(nd_store_copy(stores[0], stores[1], false, put_meanwhile,
                                   fixture, &fixture->error),
                     ND_DATA);
    assert_non_null(strstr(fixture->error.text,
                           "the source was written to while it was copied "
                           "(short/default)"));
    assert_int_equal(nd_store_copy(stores[0], stores[2], false,
                                   begin_a_scope_meanwhile, fixture,
                                   &fixture->error),
                     ND_DATA);
    assert_non_null(strstr(fixture->error.text, "3 parts now, and had 2"));
}

static void another_key_or_other_names_refuse_it(void **state)
{
    struct fixture *fixture = *state;
    struct nd_store **stores = fixture->stores;
    static const char *const names[] = {"symbol:Z"};
    uint32_t slots[1], length;
    uint8_t digest[ND_DIGEST_BYTES];
    struct nd_key key;
    fill(fixture, stores[0]);
    nd_key_generate(&key);
    check(fixture, nd_store_key(stores[1], &key, &fixture->error, &key));
    assert_int_equal(
        nd_store_copy(stores[0], stores[1], false, NULL, NULL, &fixture->error),
        ND_KEY);
    check(fixture,
          nd_store_registry_slots(stores[2], "short", names, 1, 100,
                                  &fixture->error, slots, &length, digest));
    assert_int_equal(
        nd_store_copy(stores[0], stores[2], true, NULL, NULL, &fixture->error),
        ND_DATA);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    if (!redis_server_available())
        return 77;
    const struct CMUnitTest tests[] = {
        TEST(a_store_survives_the_way_to_redis_and_back),
        TEST(a_copy_that_broke_off_is_finished),
        TEST(what_differs_in_the_end_is_told),
        TEST(a_source_that_is_not_at_rest_is_told),
        TEST(another_key_or_other_names_refuse_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
