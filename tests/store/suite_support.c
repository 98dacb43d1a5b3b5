/* SPDX-License-Identifier: Apache-2.0
 *
 * What the groups of the suite share: a store for each test, samples by
 * number, and the accounts that must add up after everything.
 */
#include "suite.h"

#include <sys/wait.h>
#include <unistd.h>

const struct nd_scope suite_scope = {"rule", "default"};
const struct nd_scope suite_other_scope = {"rule", "other"};
const struct nd_quota suite_roomy = {ND_QUOTA_RESERVOIR, 1000000};

int suite_setup(void **state)
{
    struct suite *suite = calloc(1, sizeof(*suite));
    suite_backend_begin();
    suite->store = suite_backend_open();
    suite->arena = nd_arena_create(0);
    *state = suite;
    return 0;
}

int suite_teardown(void **state)
{
    struct suite *suite = *state;
    nd_store_close(&suite->store);
    nd_arena_destroy(&suite->arena);
    free(suite);
    suite_backend_end();
    return 0;
}

void suite_check(enum nd_status status, const struct nd_error *error,
                 const char *call, const char *file, int line)
{
    if (status == ND_OK)
        return;
    print_error("%s\n  %s: %s\n", call, nd_status_text(status), error->text);
    _fail(file, line);
}

/* ---- samples ---- */

void suite_identity(uint32_t number, uint8_t identity_r[ND_IDENTITY_BYTES])
{
    struct nd_digest_state state;
    nd_digest_begin(&state, NULL, ND_IDENTITY_BYTES);
    nd_digest_add(&state, &number, sizeof(number));
    nd_digest_end(&state, identity_r, ND_IDENTITY_BYTES);
}

size_t suite_payload(uint32_t families, uint32_t slot, uint8_t *data_r,
                     size_t size)
{
    struct nd_section sections[ND_SAMPLE_MAX_SECTIONS];
    struct nd_buffer buffer = {0};
    size_t count = 0;
    for (uint8_t family = 0; family < ND_SAMPLE_MAX_SECTIONS; family++)
        if (families >> family & 1U)
            sections[count++] = (struct nd_section){family, 1, &slot, NULL};
    assert_int_equal(nd_sample_encode(sections, count, &buffer, NULL), ND_OK);
    assert_true(buffer.length <= size);
    memcpy(data_r, buffer.data, buffer.length);
    size_t length = buffer.length;
    nd_buffer_free(&buffer);
    return length;
}

#define PAYLOADS 1024
#define PAYLOAD_BYTES 16

struct nd_sample_put suite_sample(uint32_t number, enum nd_class label)
{
    static _Thread_local uint8_t payloads[PAYLOADS][PAYLOAD_BYTES];
    uint8_t *payload = payloads[number % PAYLOADS];
    struct nd_sample_put sample = {.label = label,
                                   .source = ND_SOURCE_API,
                                   .label_ms = 1000 + (int64_t)number,
                                   .time_ms = 5000 + (int64_t)number,
                                   .payload = payload};
    suite_identity(number, sample.identity);
    sample.payload_length =
        suite_payload(1U << 1, number % PAYLOADS, payload, PAYLOAD_BYTES);
    return sample;
}

struct nd_put_result suite_put(struct suite *suite,
                               const struct nd_sample_put *sample,
                               const struct nd_quota *quota)
{
    struct nd_put_result result;
    suite_ok(suite, nd_store_put(suite->store, &suite_scope, sample, quota,
                                 &suite->error, &result));
    return result;
}

void suite_put_range(struct suite *suite, uint32_t first, uint32_t count,
                     enum nd_class label)
{
    struct nd_sample_put *samples = calloc(count + 1, sizeof(*samples));
    struct nd_put_result *results = calloc(count + 1, sizeof(*results));
    for (uint32_t i = 0; i < count; i++)
        samples[i] = suite_sample(first + i, label);
    suite_ok(suite,
             nd_store_put_many(suite->store, &suite_scope, samples, count,
                               &suite_roomy, &suite->error, results));
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(results[i].outcome, ND_PUT_STORED);
    free(samples);
    free(results);
}

struct nd_sample_info suite_find(struct suite *suite, uint32_t number)
{
    struct nd_sample_info info;
    uint8_t identity[ND_IDENTITY_BYTES];
    suite_identity(number, identity);
    suite_ok(suite, nd_store_find(suite->store, &suite_scope, identity,
                                  &suite->error, &info));
    return info;
}

bool suite_is_present(struct suite *suite, uint32_t number)
{
    struct nd_sample_info info;
    uint8_t identity[ND_IDENTITY_BYTES];
    suite_identity(number, identity);
    enum nd_status status = nd_store_find(suite->store, &suite_scope, identity,
                                          &suite->error, &info);
    assert_true(status == ND_OK || status == ND_NO_INPUT);
    return status == ND_OK;
}

struct nd_store_stats suite_stats(struct suite *suite)
{
    struct nd_store_stats stats;
    suite_ok(suite,
             nd_store_stats(suite->store, &suite_scope, &suite->error, &stats));
    return stats;
}

struct nd_training_state suite_state(struct suite *suite)
{
    struct nd_training_state state;
    suite_ok(suite, nd_store_training_state(suite->store, &suite_scope,
                                            &suite->error, &state));
    return state;
}

/* ---- trainings ---- */

struct nd_lease suite_acquire(struct suite *suite, uint8_t number)
{
    struct nd_lease lease;
    uint8_t nonce[ND_NONCE_BYTES] = {number};
    suite_ok(suite,
             nd_store_lease_acquire(suite->store, &suite_scope, nonce, "host:1",
                                    60000, &suite->error, &lease));
    return lease;
}

struct nd_model_pointer suite_current(struct suite *suite)
{
    struct nd_model_pointer pointer;
    suite_ok(suite, nd_store_model_current(suite->store, &suite_scope,
                                           &suite->error, &pointer));
    return pointer;
}

struct nd_publish suite_publish(struct suite *suite, const char *words)
{
    static const struct nd_journal_entry entry = {.decision =
                                                      ND_DECISION_PROMOTED,
                                                  .holder = "host:1",
                                                  .reason = "better",
                                                  .figures = "{\"auc\":1}"};
    struct nd_publish publish = {.judged_revision =
                                     suite_current(suite).revision,
                                 .entry = &entry,
                                 .keep = 5};
    suite_ok(suite, nd_store_model_upload(suite->store, &suite_scope, words,
                                          strlen(words), &suite->error,
                                          publish.digest));
    return publish;
}

uint64_t suite_train(struct suite *suite, const char *words)
{
    uint64_t generation;
    struct nd_lease lease = suite_acquire(suite, 77);
    struct nd_publish publish = suite_publish(suite, words);
    suite_ok(suite,
             nd_store_model_publish(suite->store, &suite_scope, &lease,
                                    &publish, &suite->error, &generation));
    return generation;
}

/* ---- accounts ---- */

void suite_accounts(struct suite *suite)
{
    struct nd_store_stats stats = suite_stats(suite);
    struct nd_snapshot snapshot;
    suite_ok(suite, nd_store_snapshot(suite->store, &suite_scope, &suite->error,
                                      &snapshot));
    uint64_t sources[2][ND_SOURCE_COUNT] = {{0}};
    for (size_t i = 0; i < snapshot.count; i++)
        sources[snapshot.samples[i].label][snapshot.samples[i].source]++;
    assert_memory_equal(sources, stats.sources, sizeof(sources));
    assert_int_equal(stats.count[0] + stats.count[1], snapshot.count);
    assert_int_equal(stats.put_stored, snapshot.count + stats.replaced +
                                           stats.forgotten + stats.consumed);
    free(snapshot.samples);
}

/* ---- processes ---- */

void suite_in_children(int count, void (*work)(int child, void *context),
                       void *context)
{
    pid_t children[16];
    assert_true(count <= 16);
    (void)fflush(NULL);
    for (int i = 0; i < count; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            work(i, context);
            _exit(0);
        }
    }
    for (int i = 0; i < count; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}
