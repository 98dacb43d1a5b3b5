/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the Redis backend share: a server, a store on it, and a
 * way to look behind the store.
 */
#ifndef ND_TESTS_REDIS_FIXTURE_H
#define ND_TESTS_REDIS_FIXTURE_H

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
#include "store/redis.h"
#include "store/redis_client.h"
#include "store/sample.h"

#define FIXTURE_LEASE_MS 60000

extern const struct nd_scope scope; /* "short", "inbound" */
extern const struct nd_quota large; /* a reservoir nobody fills */

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

int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* Starts the server with more arguments and opens the store. */
void start(struct fixture *fixture, const char *const *arguments);
/* Opens the store anew, with more in the URL. */
enum nd_status open_store(struct fixture *fixture, const char *query);

/* Asks the server itself. */
const struct nd_redis_reply *ask(struct fixture *fixture, const char *first,
                                 const char *second, const char *third,
                                 const char *fourth);

/* The same number for all that is said about sample number, but for its random
 * features: so many entries of a family. */
struct nd_sample_put make_sample(struct fixture *fixture, uint32_t number,
                                 enum nd_class label, uint32_t entries,
                                 uint8_t family);
/* Puts it; fails the test unless the store takes an interest. */
struct nd_put_result put(struct fixture *fixture,
                         const struct nd_sample_put *sample);

/* The lease for one holder; fails the test unless it is granted. */
struct nd_lease acquire(struct fixture *fixture);

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

#endif
