/* SPDX-License-Identifier: Apache-2.0
 *
 * The fixture of the engine's tests, moved to a redis-server of its own where
 * the program was told so.
 */
#include "peers.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "misbehave.h"
#include "store/sample.h"

#define SYMBOLS 64
#define LEASE_MS 60000
#define KEEP 3

struct redis_server peers_server;
static bool on_redis;

int peers_main(int argc, char **argv)
{
    int answer = misbehave_main(argc, argv);
    if (answer >= 0)
        return answer;
    on_redis = argc > 1 && strcmp(argv[1], "redis") == 0;
    if (on_redis && !redis_server_available()) {
        fprintf(stderr, "skipped: there is no redis-server\n");
        return 77;
    }
    return -1;
}

int peers_set_up(void **state)
{
    static const char *const options[] = {"--maxmemory-policy", "noeviction",
                                          NULL};
    int result = fixture_set_up(state);
    struct fixture *fixture = *state;
    peers_server.pid = 0;
    if (result != 0 || !on_redis)
        return result;
    redis_server_prepare(&peers_server);
    redis_server_start(&peers_server, options);
    nd_store_close(&fixture->store);
    int length = snprintf(fixture->url, sizeof(fixture->url),
                          "redis+unix://%.80s", peers_server.socket);
    assert_in_range(length, 1, sizeof(fixture->url) - 1);
    struct nd_store_options plain = {.create = true, .random_seed = 5};
    struct nd_error error = {""};
    must(nd_store_open(fixture->url, &plain, &error, &fixture->store), &error);
    return 0;
}

int peers_tear_down(void **state)
{
    int result = fixture_tear_down(state);
    if (peers_server.pid != 0)
        redis_server_remove(&peers_server);
    peers_server.pid = 0;
    return result;
}

struct nd_scope peers_scope(const struct fixture *fixture)
{
    return (struct nd_scope){fixture->rule.name, fixture->rule.settings};
}

/* Names for the slots below SYMBOLS, so that samples may use them. */
static void register_names(struct fixture *fixture,
                           struct nd_sample_put *sample)
{
    char texts[SYMBOLS][16];
    const char *names[SYMBOLS];
    uint32_t slots[SYMBOLS];
    struct nd_error error = {""};
    for (int i = 0; i < SYMBOLS; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "symbol:RULE_%d", i);
        names[i] = texts[i];
    }
    must(nd_store_registry_slots(
             fixture->store, fixture->rule.name, names, SYMBOLS, 65536, &error,
             slots, &sample->registry_length, sample->registry_digest),
         &error);
}

struct nd_sample_put peers_sample(struct fixture *fixture, uint32_t number,
                                  const uint32_t *slots, uint32_t count)
{
    struct nd_sample_put sample = {.label = number % 2 ? ND_SPAM : ND_HAM,
                                   .source = ND_SOURCE_USER,
                                   .label_ms = 1700000000000 + number,
                                   .time_ms = 1700000000000 + number};
    struct nd_section section = {ND_FAMILY_SYMBOLS, count, slots, NULL};
    struct nd_buffer payload = {0};
    struct nd_error error = {""};
    register_names(fixture, &sample);
    memcpy(sample.identity, &number, sizeof(number));
    must(nd_sample_encode(&section, 1, &payload, &error), &error);
    sample.payload = nd_arena_strndup(
        fixture->arena, (const char *)payload.data, payload.length);
    sample.payload_length = payload.length;
    nd_buffer_free(&payload);
    return sample;
}

struct nd_put_result peers_put(struct fixture *fixture, uint32_t number,
                               const uint32_t *slots, uint32_t count)
{
    struct nd_scope scope = peers_scope(fixture);
    struct nd_quota quota = {ND_QUOTA_RESERVOIR, 100000};
    struct nd_sample_put sample = peers_sample(fixture, number, slots, count);
    struct nd_put_result result = {0};
    struct nd_error error = {""};
    must(nd_store_put(fixture->store, &scope, &sample, &quota, &error, &result),
         &error);
    return result;
}

void peers_assert_idle(struct fixture *fixture)
{
    int status;
    assert_int_equal(lease_token(fixture), 0);
    /* no zombie: nobody but a redis-server may be left */
    assert_int_equal(waitpid(-1, &status, WNOHANG), on_redis ? 0 : -1);
}

uint64_t peers_publish(struct fixture *fixture, const void *blob, size_t length)
{
    static const uint8_t nonce[ND_NONCE_BYTES] = "trainer";
    struct nd_scope scope = peers_scope(fixture);
    struct nd_error error = {""};
    struct nd_lease lease;
    struct nd_model_pointer pointer;
    struct nd_journal_entry entry = {.decision = ND_DECISION_PROMOTED,
                                     .holder = "trainer",
                                     .reason = "",
                                     .figures = "{}"};
    struct nd_publish publish = {.entry = &entry, .keep = KEEP};
    uint64_t generation = 0;
    must(nd_store_lease_acquire(fixture->store, &scope, nonce, "trainer",
                                LEASE_MS, &error, &lease),
         &error);
    must(nd_store_model_current(fixture->store, &scope, &error, &pointer),
         &error);
    must(nd_store_model_upload(fixture->store, &scope, blob, length, &error,
                               publish.digest),
         &error);
    publish.judged_revision = pointer.revision;
    entry.token = lease.token;
    must(nd_store_model_publish(fixture->store, &scope, &lease, &publish,
                                &error, &generation),
         &error);
    return generation;
}
