/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests of a host start from: a folder, a rule with short times, and a
 * host whose events are counted.
 */
#ifndef ND_TEST_LEARN_HOST_FIXTURE_H
#define ND_TEST_LEARN_HOST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "fixture.h"
#include "learn/host.h"

#define HOST_RULES 3
#define HOST_PATIENCE_US INT64_C(120000000) /* for what must happen */
#define HOST_EVENTS (ND_HOST_MAINTAINED + 1)

struct host_fixture {
    char folder[64];
    char url[256]; /* of the store; SQLite unless a test says otherwise */
    char spool[96];
    struct nd_rule rules[HOST_RULES]; /* change them before host_start */
    struct nd_host_options options;   /* as are these */
    struct nd_arena *arena;
    struct nd_host *host, *other; /* of host_start, host_start_other */
    pthread_mutex_t lock;
    size_t events[HOST_EVENTS];
    int64_t told_ms[HOST_EVENTS];           /* when the last of a kind came */
    char text[HOST_EVENTS][ND_ERROR_BYTES]; /* of the last of a kind */
    struct nd_host_result last;             /* of learn and friends */
};

int host_set_up(void **state);
int host_tear_down(void **state);
#define HOST_TEST(name) \
    cmocka_unit_test_setup_teardown(name, host_set_up, host_tear_down)

/* Starts the fixture's host; one is stopped before. */
struct nd_host *host_start(struct host_fixture *fixture);
/* Another one with the same options, whose events count too. */
struct nd_host *host_start_other(struct host_fixture *fixture);

/* Events of a kind so far. */
size_t host_events(struct host_fixture *fixture, enum nd_host_event_kind kind);
/* Fails unless there are so many in time. */
void host_await(struct host_fixture *fixture, enum nd_host_event_kind kind,
                size_t count);
/* Fails unless the condition comes to hold. */
#define HOST_UNTIL(condition)                                             \
    do {                                                                  \
        int64_t host_end_us = nd_clock_monotonic_us() + HOST_PATIENCE_US; \
        while (!(condition)) {                                            \
            if (nd_clock_monotonic_us() > host_end_us)                    \
                fail_msg("%s does not come to hold", #condition);         \
            host_pause(5);                                                \
        }                                                                 \
    } while (0)
void host_pause(int64_t pause_ms);

/* Learns message number of a kind; the status of the call, and the first
 * result in last. */
enum nd_status host_learn(struct host_fixture *fixture, enum nd_class kind,
                          uint32_t number, int64_t timeout_ms);
/* Learns count of both kinds; each must be stored. */
void host_learn_both(struct host_fixture *fixture, uint32_t first,
                     uint32_t count);

/* The verdict of the first chosen rule on a message. */
struct nd_verdict host_score(struct host_fixture *fixture,
                             const struct nd_host_choice *choice,
                             enum nd_class kind, uint32_t number);

/* What the store holds of the first rule, by a handle of its own. */
struct nd_store_stats host_stats(struct host_fixture *fixture);

/* Counters and status of the fixture's host. */
struct nd_host_counters host_counters(struct host_fixture *fixture);
struct nd_host_status host_status(struct host_fixture *fixture);

/* A job's state; it must be there. */
struct nd_host_job host_job(struct host_fixture *fixture, uint64_t id);

#endif
