/* SPDX-License-Identifier: Apache-2.0
 *
 * The decisions of docs/protocol.md that need no store: which label is
 * believed, whether a class takes one more, whether a lease can be taken over.
 * Pure functions, shared by the backends and tested alone.
 */
#ifndef ND_STORE_RULES_H
#define ND_STORE_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

/* What became of an identity. Numbers are written into stores: never change
 * or reuse one. */
enum nd_fate {
    ND_FATE_UNKNOWN = 0, /* never seen, or its tombstone has been cleaned up */
    ND_FATE_PRESENT = 1,
    ND_FATE_CONSUMED = 2, /* used up by a training (balanced) */
    ND_FATE_REPLACED = 3, /* made room in a reservoir */
    ND_FATE_FORGOTTEN = 4,
    ND_FATE_FORGOTTEN_ABSENT = 5, /* forgotten when it was not present */
};

/* What the store remembers of an identity, present or not. */
struct nd_known {
    enum nd_fate fate;
    enum nd_class label;
    enum nd_source source;
    int64_t label_ms; /* of a forgotten one: when it was forgotten */
};

enum nd_action {
    ND_ACTION_STORE,   /* as a new sample, if the quota allows */
    ND_ACTION_RELABEL, /* the present sample takes label and source */
    ND_ACTION_KEEP,    /* the same label is known: nothing to decide */
    ND_ACTION_REFUSE,
};

/* What to do with a claim about an identity of which known is remembered.
 * reason_r is set when the answer is ND_ACTION_REFUSE. */
enum nd_action nd_rules_claim(const struct nd_known *known,
                              const struct nd_claim *claim,
                              enum nd_refusal *reason_r);

/* Whether a class may grow by one under the seed's rule S1: with
 * lim = 1.1 * limit, spam while ham <= lim and ham + 1 >= spam, and the mirror
 * image. */
bool nd_rules_balanced(uint64_t limit, const uint64_t count[2],
                       enum nd_class label);

/* Whether anyone may take the lease at now_ms: it is free, its deadline has
 * passed, or the deadline is further away than length_ms, the time that it was
 * granted for (the clock jumped back). */
bool nd_rules_lease_open(const struct nd_lease *lease, int64_t length_ms,
                         int64_t now_ms);

/* Whether holder's token and nonce are those of the lease. */
bool nd_rules_lease_held(const struct nd_lease *lease,
                         const struct nd_lease *holder);

/* A label's time: now where none was given, and at most a day ahead, so that a
 * host with a wrong clock does not outrank its equals for ever. */
int64_t nd_rules_label_time(int64_t label_ms, int64_t now_ms);

#endif
