/* SPDX-License-Identifier: Apache-2.0
 *
 * A process of the fleet under test: a store, a spool and an engine, told by
 * its driver what to do.
 */
#ifndef ND_TESTS_FAULT_WORKER_H
#define ND_TESTS_FAULT_WORKER_H

#include <stdint.h>

#include "learn/engine.h"
#include "store/spool.h"
#include "store/store.h"

#define WORKER_SYMBOLS 40
#define WORKER_METATOKENS 8
#define WORKER_NAMES (WORKER_SYMBOLS + WORKER_METATOKENS)
#define WORKER_BATCH 64

struct worker {
    struct nd_store *store;
    struct nd_spool *spool;
    struct nd_engine *engine;
    struct nd_rule rule;
    struct nd_scope scope;
    struct nd_quota quota;
    struct nd_error error;
    int64_t pace_ms; /* of each word of a training's progress */
    uint32_t slots[WORKER_NAMES];
    uint32_t registry_length;
    uint8_t registry_digest[ND_DIGEST_BYTES];
};

/* Answers request number with one line of words. */
void worker_answer(const char *number, const char *format, ...) ND_PRINTF(2, 3);
/* That it failed: the status and the error's text. */
void worker_answer_failure(struct worker *worker, const char *number,
                           enum nd_status status);

/* Runs one request: "put", "forget", "relabel", "deliver", "train"; its words
 * are split at rest. Answers false where the command is none of these. */
bool worker_write(struct worker *worker, const char *number,
                  const char *command, char *rest);
/* The same for what only looks: "dump", "scripts". */
bool worker_look(struct worker *worker, const char *number,
                 const char *command);

#endif
