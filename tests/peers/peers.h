/* SPDX-License-Identifier: Apache-2.0
 *
 * What the regression tests of the peers' defects start from: the fixture of
 * the engine's tests on the backend that the program was told.
 */
#ifndef ND_TESTS_PEERS_H
#define ND_TESTS_PEERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "redis_server.h"

/* On Redis, the server of the test under way; else its pid is 0. */
extern struct redis_server peers_server;

/* "sqlite" or "redis" as the first argument; answers -1 where the tests are to
 * run, else the exit status (77: there is no redis-server; or it was a trainer
 * child). */
int peers_main(int argc, char **argv);

/* cmocka's set-up and tear-down: *state is a struct fixture on that backend. */
int peers_set_up(void **state);
int peers_tear_down(void **state);

/* The scope of the fixture's rule. */
struct nd_scope peers_scope(const struct fixture *fixture);

/* A sample of symbols with these slots; its payload is the arena's. */
struct nd_sample_put peers_sample(struct fixture *fixture, uint32_t number,
                                  const uint32_t *slots, uint32_t count);
/* Puts it; answers the outcome. */
struct nd_put_result peers_put(struct fixture *fixture, uint32_t number,
                               const uint32_t *slots, uint32_t count);

/* The lease is free, and no child is left but the server. */
void peers_assert_idle(struct fixture *fixture);

/* A whole training without a network: acquires, uploads blob, publishes. */
uint64_t peers_publish(struct fixture *fixture, const void *blob,
                       size_t length);

#define PEERS_TEST(name) \
    cmocka_unit_test_setup_teardown(name, peers_set_up, peers_tear_down)

#endif
