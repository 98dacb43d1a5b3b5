/* SPDX-License-Identifier: Apache-2.0
 *
 * Two backends, one truth: the same random operations on SQLite and on Redis
 * must answer the same and leave the same samples and counts. The suite says
 * what is right; this finds where the backends differ on what it forgot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "redis_server.h"
#include "store/sample.h"
#include "store/store.h"

enum { SQLITE, REDIS, BACKENDS };

#define STEPS 3000
#define MESSAGES 60
#define START_MS 1700000000000

static const struct nd_scope scope = {"rule", "default"};

struct fixture {
    struct redis_server server;
    char folder[64];
    struct nd_arena *arena;
    struct nd_store *stores[BACKENDS];
    struct nd_error errors[BACKENDS];
    struct nd_random random;
    uint64_t seed;
    int step;
};

static void open_both(struct fixture *fixture)
{
    char urls[BACKENDS][160];
    struct nd_store_options options = {.create = true, .timeout_ms = 20000};
    (void)snprintf(urls[SQLITE], sizeof(urls[SQLITE]), "sqlite:%s/store",
                   fixture->folder);
    (void)snprintf(urls[REDIS], sizeof(urls[REDIS]), "redis+unix://%s",
                   fixture->server.socket);
    for (int i = 0; i < BACKENDS; i++) {
        if (nd_store_open(urls[i], &options, &fixture->errors[i],
                          &fixture->stores[i]) != ND_OK)
            fail_msg("%s", fixture->errors[i].text);
    }
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    fixture->arena = nd_arena_create(0);
    redis_server_prepare(&fixture->server);
    redis_server_start(&fixture->server, NULL);
    (void)snprintf(fixture->folder, sizeof(fixture->folder),
                   "/tmp/neurald-agrees-XXXXXX");
    if (mkdtemp(fixture->folder) == NULL)
        return -1;
    nd_random_system(&fixture->seed, sizeof(fixture->seed));
    const char *seed = getenv("NEURALD_TEST_SEED");
    if (seed != NULL)
        fixture->seed = strtoull(seed, NULL, 10);
    print_message("NEURALD_TEST_SEED=%llu\n",
                  (unsigned long long)fixture->seed);
    nd_random_seed(&fixture->random, fixture->seed);
    open_both(fixture);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"", "-wal", "-shm"};
    struct fixture *fixture = *state;
    char path[96];
    for (int i = 0; i < BACKENDS; i++)
        nd_store_close(&fixture->stores[i]);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof(path), "%s/store%s", fixture->folder,
                       names[i]);
        (void)unlink(path);
    }
    (void)rmdir(fixture->folder);
    redis_server_remove(&fixture->server);
    nd_arena_destroy(&fixture->arena);
    free(fixture);
    return 0;
}

static uint32_t below(struct fixture *fixture, uint32_t bound)
{
    return (uint32_t)nd_random_below(&fixture->random, bound);
}

static void check_status(struct fixture *fixture, const char *what,
                         const enum nd_status status[BACKENDS])
{
    if (status[SQLITE] != status[REDIS])
        fail_msg("step %d, %s: sqlite %s (%s), redis %s (%s)", fixture->step,
                 what, nd_status_text(status[SQLITE]),
                 fixture->errors[SQLITE].text, nd_status_text(status[REDIS]),
                 fixture->errors[REDIS].text);
}

static void check_number(struct fixture *fixture, const char *what,
                         uint64_t sqlite, uint64_t redis)
{
    if (sqlite != redis)
        fail_msg("step %d, %s: sqlite %llu, redis %llu", fixture->step, what,
                 (unsigned long long)sqlite, (unsigned long long)redis);
}

static void make_identity(uint32_t number, uint8_t identity_r[])
{
    uint8_t digest[ND_DIGEST_BYTES];
    nd_digest(&number, sizeof(number), NULL, digest);
    memcpy(identity_r, digest, ND_IDENTITY_BYTES);
}

static struct nd_claim random_claim(struct fixture *fixture)
{
    return (struct nd_claim){
        .label = below(fixture, 2) ? ND_SPAM : ND_HAM,
        .source = (enum nd_source)below(fixture, ND_SOURCE_COUNT),
        .label_ms = START_MS + below(fixture, 50)};
}

/* Payloads of one or two of three families. */
static void random_payload(struct fixture *fixture,
                           struct nd_sample_put *sample)
{
    static const uint32_t slots[] = {1, 5, 9};
    uint8_t first = (uint8_t)below(fixture, 3);
    struct nd_section sections[] = {{first, 3, slots, NULL},
                                    {(uint8_t)(first + 1), 2, slots, NULL}};
    struct nd_buffer payload = {0};
    assert_int_equal(nd_sample_encode(sections, 1 + below(fixture, 2), &payload,
                                      &fixture->errors[0]),
                     ND_OK);
    sample->payload = nd_arena_strndup(
        fixture->arena, (const char *)payload.data, payload.length);
    sample->payload_length = payload.length;
    nd_buffer_free(&payload);
}

static void step_put(struct fixture *fixture)
{
    struct nd_claim claim = random_claim(fixture);
    struct nd_sample_put sample = {.label = claim.label,
                                   .source = claim.source,
                                   .label_ms = claim.label_ms,
                                   .time_ms =
                                       START_MS - below(fixture, 100000)};
    struct nd_quota quota = {
        below(fixture, 2) ? ND_QUOTA_BALANCED : ND_QUOTA_RESERVOIR, 1000};
    if (quota.mode == ND_QUOTA_BALANCED)
        quota.limit = 5 + below(fixture, 20);
    make_identity(below(fixture, MESSAGES), sample.identity);
    sample.registry_length = below(fixture, 20) == 0;
    random_payload(fixture, &sample);
    struct nd_put_result results[BACKENDS] = {0};
    enum nd_status status[BACKENDS];
    for (int i = 0; i < BACKENDS; i++)
        status[i] = nd_store_put(fixture->stores[i], &scope, &sample, &quota,
                                 &fixture->errors[i], &results[i]);
    check_status(fixture, "put", status);
    check_number(fixture, "put outcome", results[SQLITE].outcome,
                 results[REDIS].outcome);
    check_number(fixture, "put reason", results[SQLITE].reason,
                 results[REDIS].reason);
    check_number(fixture, "old label", results[SQLITE].old_label,
                 results[REDIS].old_label);
    for (int label = 0; label < 2; label++)
        check_number(fixture, "put count", results[SQLITE].count[label],
                     results[REDIS].count[label]);
}

static void step_relabel(struct fixture *fixture)
{
    uint8_t identity[ND_IDENTITY_BYTES];
    struct nd_claim claim = random_claim(fixture);
    struct nd_put_result results[BACKENDS] = {0};
    enum nd_status status[BACKENDS];
    make_identity(below(fixture, MESSAGES), identity);
    for (int i = 0; i < BACKENDS; i++)
        status[i] = nd_store_relabel(fixture->stores[i], &scope, identity,
                                     &claim, &fixture->errors[i], &results[i]);
    check_status(fixture, "relabel", status);
    check_number(fixture, "relabel outcome", results[SQLITE].outcome,
                 results[REDIS].outcome);
    check_number(fixture, "relabel reason", results[SQLITE].reason,
                 results[REDIS].reason);
}

static void step_forget(struct fixture *fixture)
{
    uint8_t identity[ND_IDENTITY_BYTES];
    int64_t label_ms = START_MS + below(fixture, 50);
    bool existed[BACKENDS] = {false};
    enum nd_status status[BACKENDS];
    make_identity(below(fixture, MESSAGES), identity);
    for (int i = 0; i < BACKENDS; i++)
        status[i] = nd_store_forget(fixture->stores[i], &scope, identity,
                                    label_ms, &fixture->errors[i], &existed[i]);
    check_status(fixture, "forget", status);
    check_number(fixture, "forget existed", existed[SQLITE], existed[REDIS]);
}

static void step_forget_matching(struct fixture *fixture)
{
    struct nd_sample_filter filter = {
        .source = (int)below(fixture, 5) - 1,
        .label = (int)below(fixture, 3) - 1,
        .since_ms = START_MS + 40,
        .until_ms = below(fixture, 2) ? 0 : START_MS + 45,
    };
    bool dry_run = below(fixture, 4) != 0;
    uint64_t count[BACKENDS] = {0};
    enum nd_status status[BACKENDS];
    for (int i = 0; i < BACKENDS; i++)
        status[i] =
            nd_store_forget_matching(fixture->stores[i], &scope, &filter,
                                     dry_run, &fixture->errors[i], &count[i]);
    check_status(fixture, "forget matching", status);
    check_number(fixture, "forget matching count", count[SQLITE], count[REDIS]);
}

/* A training from lease to end, with some of the samples used up. */
static enum nd_status train(struct fixture *fixture, int backend, bool publish,
                            uint64_t draw, uint64_t *generation_r)
{
    struct nd_store *store = fixture->stores[backend];
    struct nd_error *error = &fixture->errors[backend];
    uint8_t nonce[ND_NONCE_BYTES] = {1};
    struct nd_lease lease;
    struct nd_snapshot snapshot;
    struct nd_model_pointer pointer;
    struct nd_journal_entry entry = {.reason = "why"};
    assert_int_equal(nd_store_lease_acquire(store, &scope, nonce, "host", 60000,
                                            error, &lease),
                     ND_OK);
    assert_int_equal(nd_store_snapshot(store, &scope, error, &snapshot), ND_OK);
    size_t used = snapshot.count > 0 ? draw % (snapshot.count + 1) / 4 : 0;
    *generation_r = lease.token;
    enum nd_status status;
    if (publish) {
        struct nd_publish wanted = {.entry = &entry,
                                    .keep = 2,
                                    .consumed = snapshot.samples,
                                    .consumed_count = used,
                                    .watermark = snapshot.watermark};
        assert_int_equal(nd_store_model_current(store, &scope, error, &pointer),
                         ND_OK);
        wanted.judged_revision = pointer.revision + (draw >> 32) % 4 / 3;
        assert_int_equal(nd_store_model_upload(store, &scope, &lease.token,
                                               sizeof(lease.token), error,
                                               wanted.digest),
                         ND_OK);
        status = nd_store_model_publish(store, &scope, &lease, &wanted, error,
                                        generation_r);
    } else {
        struct nd_finish finish = {.entry = &entry,
                                   .consumed = snapshot.samples,
                                   .consumed_count = used,
                                   .watermark = snapshot.watermark};
        entry.decision = ND_DECISION_FAILED;
        status =
            nd_store_training_finish(store, &scope, &lease, &finish, error);
    }
    free(snapshot.samples);
    return status;
}

static void step_train(struct fixture *fixture)
{
    bool publish = below(fixture, 2) != 0;
    uint64_t draw = nd_random_u64(&fixture->random);
    uint64_t generation[BACKENDS] = {0};
    enum nd_status status[BACKENDS];
    for (int i = 0; i < BACKENDS; i++)
        status[i] = train(fixture, i, publish, draw, &generation[i]);
    check_status(fixture, publish ? "publish" : "finish", status);
    check_number(fixture, "generation", generation[SQLITE], generation[REDIS]);
}

static void step_pin(struct fixture *fixture)
{
    uint64_t generation = below(fixture, 3) ? 0 : below(fixture, 40);
    bool pin = below(fixture, 4) == 0;
    struct nd_model_pointer pointers[BACKENDS] = {0};
    enum nd_status status[BACKENDS];
    for (int i = 0; i < BACKENDS; i++)
        status[i] = nd_store_model_pin(fixture->stores[i], &scope, generation,
                                       pin, &fixture->errors[i], &pointers[i]);
    check_status(fixture, "pin", status);
    check_number(fixture, "pinned generation", pointers[SQLITE].generation,
                 pointers[REDIS].generation);
    check_number(fixture, "revision", pointers[SQLITE].revision,
                 pointers[REDIS].revision);
    assert_memory_equal(pointers[SQLITE].digest, pointers[REDIS].digest,
                        ND_DIGEST_BYTES);
}

/* ---- what is left ---- */

static void compare_samples(struct fixture *fixture)
{
    struct nd_snapshot snapshots[BACKENDS];
    for (int i = 0; i < BACKENDS; i++)
        assert_int_equal(nd_store_snapshot(fixture->stores[i], &scope,
                                           &fixture->errors[i], &snapshots[i]),
                         ND_OK);
    check_number(fixture, "samples", snapshots[SQLITE].count,
                 snapshots[REDIS].count);
    check_number(fixture, "watermark", snapshots[SQLITE].watermark,
                 snapshots[REDIS].watermark);
    size_t count = snapshots[SQLITE].count;
    struct nd_payload *payloads[BACKENDS];
    for (int i = 0; i < BACKENDS; i++) {
        payloads[i] = calloc(count + 1, sizeof(**payloads));
        assert_int_equal(nd_store_read(fixture->stores[i], &scope,
                                       snapshots[i].samples, count,
                                       fixture->arena, &fixture->errors[i],
                                       payloads[i]),
                         ND_OK);
    }
    for (size_t i = 0; i < count; i++) {
        const struct nd_sample_info *one = &snapshots[SQLITE].samples[i];
        const struct nd_sample_info *other = &snapshots[REDIS].samples[i];
        assert_memory_equal(one->identity, other->identity, ND_IDENTITY_BYTES);
        check_number(fixture, "sequence", one->sequence, other->sequence);
        check_number(fixture, "version", one->version, other->version);
        check_number(fixture, "label", one->label, other->label);
        check_number(fixture, "source", one->source, other->source);
        check_number(fixture, "time", (uint64_t)one->time_ms,
                     (uint64_t)other->time_ms);
        check_number(fixture, "label time", (uint64_t)one->label_ms,
                     (uint64_t)other->label_ms);
        check_number(fixture, "payload", payloads[SQLITE][i].length,
                     payloads[REDIS][i].length);
        assert_memory_equal(payloads[SQLITE][i].data, payloads[REDIS][i].data,
                            payloads[REDIS][i].length);
    }
    for (int i = 0; i < BACKENDS; i++) {
        free(payloads[i]);
        free(snapshots[i].samples);
    }
}

static void compare_counts(struct fixture *fixture)
{
    struct nd_store_stats stats[BACKENDS];
    struct nd_training_state states[BACKENDS];
    for (int i = 0; i < BACKENDS; i++) {
        assert_int_equal(nd_store_stats(fixture->stores[i], &scope,
                                        &fixture->errors[i], &stats[i]),
                         ND_OK);
        assert_int_equal(nd_store_training_state(fixture->stores[i], &scope,
                                                 &fixture->errors[i],
                                                 &states[i]),
                         ND_OK);
        stats[i].store_bytes = 0;
        states[i].last_ms = 0;
    }
    check_number(fixture, "stored", stats[SQLITE].put_stored,
                 stats[REDIS].put_stored);
    check_number(fixture, "consumed", stats[SQLITE].consumed,
                 stats[REDIS].consumed);
    check_number(fixture, "changes", states[SQLITE].changes,
                 states[REDIS].changes);
    check_number(fixture, "failures", states[SQLITE].failures,
                 states[REDIS].failures);
    assert_memory_equal(&stats[SQLITE], &stats[REDIS], sizeof(stats[0]));
    assert_memory_equal(states[SQLITE].sources, states[REDIS].sources,
                        sizeof(states[0].sources));
}

static void compare_models(struct fixture *fixture)
{
    struct nd_model_info *models[BACKENDS];
    size_t counts[BACKENDS];
    for (int i = 0; i < BACKENDS; i++)
        assert_int_equal(nd_store_model_list(fixture->stores[i], &scope,
                                             &fixture->errors[i], &models[i],
                                             &counts[i]),
                         ND_OK);
    check_number(fixture, "models", counts[SQLITE], counts[REDIS]);
    for (size_t i = 0; i < counts[SQLITE]; i++) {
        check_number(fixture, "model", models[SQLITE][i].generation,
                     models[REDIS][i].generation);
        check_number(fixture, "live", models[SQLITE][i].live,
                     models[REDIS][i].live);
        check_number(fixture, "pinned", models[SQLITE][i].pinned,
                     models[REDIS][i].pinned);
    }
    for (int i = 0; i < BACKENDS; i++)
        free(models[i]);
}

static void random_operations_end_alike_on_both_backends(void **state)
{
    static void (*const steps[])(struct fixture *) = {
        step_put,     step_put,    step_put, step_put,
        step_put,     step_put,    step_put, step_relabel,
        step_relabel, step_forget, step_pin, step_forget_matching,
        step_train,
    };
    struct fixture *fixture = *state;
    for (fixture->step = 0; fixture->step < STEPS; fixture->step++) {
        steps[below(fixture, sizeof(steps) / sizeof(steps[0]))](fixture);
        if (fixture->step % 50 != 49)
            continue;
        compare_samples(fixture);
        compare_counts(fixture);
        compare_models(fixture);
        nd_arena_reset(fixture->arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            random_operations_end_alike_on_both_backends, set_up, tear_down),
    };
    if (!redis_server_available()) {
        fprintf(stderr, "skipped: there is no redis-server\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
