/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the seed's behaviours start from: the fixtures of the
 * engine and of the host, on the backend that the program was told ("sqlite"
 * or "redis" as its first argument). docs/seed.md has the list.
 */
#ifndef ND_TESTS_SEED_H
#define ND_TESTS_SEED_H

#include "peers.h"

#include "host_fixture.h"

/* cmocka's set-up and tear-down of a test with a host. */
int seed_host_set_up(void **state);
int seed_host_tear_down(void **state);

#define SEED_TEST(name) \
    cmocka_unit_test_setup_teardown(name, peers_set_up, peers_tear_down)
#define SEED_HOST_TEST(name) \
    cmocka_unit_test_setup_teardown(name, seed_host_set_up, seed_host_tear_down)

/* As peers_main, and notes the backend for tests with a host. */
int seed_main(int argc, char **argv);

/* ---- scopes and samples ---- */

struct nd_store_stats seed_stats(struct fixture *fixture);
struct nd_model_pointer seed_pointer(struct fixture *fixture);

/* An engine of the fixture's rule under other settings, on a handle of its
 * own: another host. */
struct seed_engine {
    struct nd_store *store;
    struct nd_engine *engine;
    struct nd_rule rule;
};
struct seed_engine seed_engine(struct fixture *fixture, const char *settings);
void seed_engine_close(struct seed_engine *other);

/* Learns count messages with scans of these symbols (NULL at the end), spam and
 * ham by turns, and flushes. */
void seed_learn_scans(struct fixture *fixture, struct nd_engine *engine,
                      const char *const *symbols, uint32_t first,
                      uint32_t count);

/* Refreshes; answers whether another model was taken up. */
bool seed_refresh(struct nd_engine *engine);

/* The generation that scores; 0: none. */
uint64_t seed_generation(struct fixture *fixture, struct nd_engine *engine);

/* ---- leases and trainings ---- */

/* Acquires the lease as number for length_ms, and answers the status. */
enum nd_status seed_acquire(struct fixture *fixture, uint8_t number,
                            int64_t length_ms, struct nd_lease *lease_r);

/* Puts a store that fails as specified (store/faulty.h) in the fixture's
 * place, with an engine on it; and the whole one again. */
void seed_break(struct fixture *fixture, const char *specification);
void seed_mend(struct fixture *fixture);

/* Children of this process, but for a redis-server. */
size_t seed_children(void);

#endif
