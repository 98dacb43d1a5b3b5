/* SPDX-License-Identifier: Apache-2.0
 *
 * A store on a redis-server of its own for each test.
 */
#include "redis_fixture.h"

const struct nd_scope scope = {"short", "inbound"};
const struct nd_quota large = {ND_QUOTA_RESERVOIR, 1000000};

int fixture_set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    fixture->arena = nd_arena_create(0);
    redis_server_prepare(&fixture->server);
    redis_server_prepare(&fixture->other);
    nd_random_seed(&fixture->random, 42);
    return nd_hash_init(&fixture->error) == ND_OK ? 0 : -1;
}

int fixture_tear_down(void **state)
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

enum nd_status open_store(struct fixture *fixture, const char *query)
{
    struct nd_store_options options = {
        .create = true, .timeout_ms = 2000, .random_seed = 7};
    (void)snprintf(fixture->url, sizeof(fixture->url), "redis+unix://%s%s",
                   fixture->server.socket, query);
    nd_store_close(&fixture->store);
    return nd_store_open(fixture->url, &options, &fixture->error,
                         &fixture->store);
}

void start(struct fixture *fixture, const char *const *arguments)
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

const struct nd_redis_reply *ask(struct fixture *fixture, const char *first,
                                 const char *second, const char *third,
                                 const char *fourth)
{
    const char *words[] = {first, second, third, fourth, NULL};
    const struct nd_redis_reply *reply;
    enum nd_status status = nd_redis_client_ask(fixture->plain, words, true,
                                                &fixture->error, &reply);
    if (status != ND_OK)
        fail_msg("%s: %s", first, fixture->error.text);
    return reply;
}

struct nd_sample_put make_sample(struct fixture *fixture, uint32_t number,
                                 enum nd_class label, uint32_t entries,
                                 uint8_t family)
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

struct nd_put_result put(struct fixture *fixture,
                         const struct nd_sample_put *sample)
{
    struct nd_put_result result;
    enum nd_status status = nd_store_put(fixture->store, &scope, sample, &large,
                                         &fixture->error, &result);
    if (status != ND_OK)
        fail_msg("put: %s", fixture->error.text);
    return result;
}

struct nd_lease acquire(struct fixture *fixture)
{
    static const uint8_t nonce[ND_NONCE_BYTES] = "me";
    struct nd_lease lease;
    enum nd_status status =
        nd_store_lease_acquire(fixture->store, &scope, nonce, "host",
                               FIXTURE_LEASE_MS, &fixture->error, &lease);
    if (status != ND_OK)
        fail_msg("acquire: %s", fixture->error.text);
    return lease;
}
