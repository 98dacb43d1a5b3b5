/* SPDX-License-Identifier: Apache-2.0
 *
 * Helpers of the tests of the seed's behaviours. A store of a host's test is
 * the fixture's own file or a redis-server that goes with the test.
 */
#include "seed.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "misbehave.h"
#include "store/faulty.h"

static bool on_redis;

int seed_main(int argc, char **argv)
{
    int answer = peers_main(argc, argv);
    on_redis = argc > 1 && strcmp(argv[1], "redis") == 0;
    return answer;
}

int seed_host_set_up(void **state)
{
    if (host_set_up(state) != 0) {
        return -1;
    }
    struct host_fixture *fixture = *state;
    peers_server.pid = 0;
    if (on_redis) {
        redis_server_prepare(&peers_server);
        redis_server_start(&peers_server, NULL);
        (void)snprintf(fixture->url, sizeof fixture->url,
                       "redis://127.0.0.1:%u/0", peers_server.port);
    }
    return 0;
}

int seed_host_tear_down(void **state)
{
    struct host_fixture *fixture = *state;
    misbehave_like(NULL); /* a test that failed may not have got to it */
    nd_host_stop(&fixture->host); /* while its store still answers */
    nd_host_stop(&fixture->other);
    int result = host_tear_down(state);
    if (peers_server.pid != 0) {
        redis_server_remove(&peers_server);
    }
    peers_server.pid = 0;
    return result;
}

/* ---- scopes and samples ---- */

struct nd_store_stats seed_stats(struct fixture *fixture)
{
    struct nd_scope scope = peers_scope(fixture);
    struct nd_store_stats stats;
    struct nd_error error = {""};
    must(nd_store_stats(fixture->store, &scope, &error, &stats), &error);
    return stats;
}

struct nd_model_pointer seed_pointer(struct fixture *fixture)
{
    struct nd_scope scope = peers_scope(fixture);
    struct nd_model_pointer pointer;
    struct nd_error error = {""};
    must(nd_store_model_current(fixture->store, &scope, &error, &pointer),
         &error);
    return pointer;
}

struct seed_engine seed_engine(struct fixture *fixture, const char *settings)
{
    struct seed_engine other = {.store = open_store(fixture),
                                .rule = fixture->rule};
    struct nd_error error = {""};
    (void)snprintf(other.rule.settings, sizeof other.rule.settings, "%s",
                   settings);
    must(
        nd_engine_create(other.store, &other.rule, NULL, &error, &other.engine),
        &error);
    return other;
}

void seed_engine_close(struct seed_engine *other)
{
    nd_engine_destroy(&other->engine);
    nd_store_close(&other->store);
}

void seed_learn_scans(struct fixture *fixture, struct nd_engine *engine,
                      const char *const *symbols, uint32_t first,
                      uint32_t count)
{
    struct nd_error error = {""};
    struct nd_arena *arena = nd_arena_create(0);
    for (uint32_t i = first; i < first + count; i++) {
        enum nd_class label = i % 2 == 0 ? ND_SPAM : ND_HAM;
        struct nd_lesson lesson = {.label = label, .source = ND_SOURCE_USER};
        struct nd_scan scan = make_scan(arena, symbols, 1);
        must(nd_engine_learn(engine, make_message(arena, label, i, 0.8), &scan,
                             &lesson, count_outcome, fixture, &error),
             &error);
    }
    must(nd_engine_flush(engine, count_outcome, fixture, &error), &error);
    nd_arena_destroy(&arena);
}

bool seed_refresh(struct nd_engine *engine)
{
    struct nd_error error = {""};
    bool changed = false;
    must(nd_engine_refresh(engine, &error, &changed), &error);
    return changed;
}

uint64_t seed_generation(struct fixture *fixture, struct nd_engine *engine)
{
    struct nd_verdict verdict;
    nd_engine_score(engine, make_message(fixture->arena, ND_SPAM, 900, 0.9),
                    NULL, fixture->arena, &verdict);
    return verdict.generation;
}

/* ---- leases and trainings ---- */

enum nd_status seed_acquire(struct fixture *fixture, uint8_t number,
                            int64_t length_ms, struct nd_lease *lease_r)
{
    struct nd_scope scope = peers_scope(fixture);
    uint8_t nonce[ND_NONCE_BYTES] = {number};
    char holder[ND_HOLDER_BYTES];
    struct nd_error error = {""};
    (void)snprintf(holder, sizeof holder, "mx%u.example:4711",
                   (unsigned)number);
    return nd_store_lease_acquire(fixture->store, &scope, nonce, holder,
                                  length_ms, &error, lease_r);
}

void seed_break(struct fixture *fixture, const char *specification)
{
    struct nd_error error = {""};
    struct nd_store *inner = fixture->store;
    nd_engine_destroy(&fixture->engine);
    must(nd_faulty_wrap(inner, specification, &error, &fixture->store), &error);
    (void)make_engine(fixture);
}

void seed_mend(struct fixture *fixture)
{
    nd_engine_destroy(&fixture->engine);
    nd_store_close(&fixture->store);
    fixture->store = open_store(fixture);
    (void)make_engine(fixture);
}

static size_t children_of(const char *thread)
{
    char path[64];
    int pid;
    size_t count = 0;
    (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/children", thread);
    FILE *file = fopen(path, "re");
    while (file != NULL && fscanf(file, "%d", &pid) == 1) {
        count += pid != peers_server.pid;
    }
    if (file != NULL) { /* else the thread has ended */
        (void)fclose(file);
    }
    return count;
}

size_t seed_children(void)
{
    DIR *threads = opendir("/proc/self/task");
    const struct dirent *thread;
    size_t count = 0;
    assert_non_null(threads);
    while ((thread = readdir(threads)) != NULL) {
        if (thread->d_name[0] != '.') {
            count += children_of(thread->d_name);
        }
    }
    (void)closedir(threads);
    return count;
}
