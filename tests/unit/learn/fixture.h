/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests of the engine start from: a store in a temporary folder on a
 * clock that the test moves, a rule with short times and few features (a
 * training with all of them takes eight times as long), and made-up mail of
 * two kinds.
 */
#ifndef ND_TEST_LEARN_FIXTURE_H
#define ND_TEST_LEARN_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "learn/engine.h"
#include "store/sqlite.h"

struct fixture {
    char folder[64];
    char url[96];
    int64_t clock_change_ms; /* of the store's clock from the machine's */
    struct nd_sqlite_options backend;
    struct nd_store *store;
    struct nd_rule rule; /* change it before make_engine */
    struct nd_arena *arena;
    struct nd_engine *engine; /* of make_engine; NULL before */
    /* what the callback of learn was told */
    size_t told;
    size_t outcomes[ND_PUT_REFUSED + 1];
    struct nd_put_result last;
};

/* cmocka's set-up and tear-down: *state is the fixture. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* Fails the test with the error's text unless status is ND_OK. */
void must(enum nd_status status, const struct nd_error *error);

/* A handle of its own on the fixture's store, on the same clock; the caller
 * closes it. */
struct nd_store *open_store(struct fixture *fixture);

/* Makes the fixture's engine (again), with the rule as it is. */
struct nd_engine *make_engine(struct fixture *fixture);

/* Message number of a kind, unique and always the same. Words of spam and of
 * ham overlap in part; clear says how seldom (1: never). In the arena. */
const struct nd_message *make_message(struct nd_arena *arena,
                                      enum nd_class kind, uint32_t number,
                                      double clear);

/* Learns messages first to first + count - 1 of a kind as label, and flushes.
 */
void learn_as(struct fixture *fixture, enum nd_class kind, enum nd_class label,
              uint32_t first, uint32_t count);
/* Both kinds under their own labels. */
void learn_both(struct fixture *fixture, uint32_t first, uint32_t count);

/* Counts what it is told into the fixture given as context. */
void count_outcome(const char *path, const struct nd_put_result *result,
                   void *context);

/* A scan result with these symbols, scores 1; NULL ends the names. */
struct nd_scan make_scan(struct nd_arena *arena, const char *const *names,
                         double score);

/* Samples present, by class. */
uint64_t count_samples(struct fixture *fixture, enum nd_class label);

/* Trains by force and answers the report; the status must be ND_OK. */
struct nd_training_report train(struct fixture *fixture);

/* The lease's token while it is held, 0 when it is free. */
uint64_t lease_token(struct fixture *fixture);

/* The journal's newest entries, newest first. */
const struct nd_journal_entry *journal(struct fixture *fixture,
                                       size_t *count_r);

/* The generation that the store points to; 0: none. */
uint64_t live_generation(struct fixture *fixture);

/* No lease is held, no training under way, and no process left. */
void assert_idle(struct fixture *fixture);

/* The verdict on a message. */
struct nd_verdict score(struct fixture *fixture, enum nd_class kind,
                        uint32_t number);

#endif
