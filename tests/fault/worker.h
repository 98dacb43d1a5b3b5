/* SPDX-License-Identifier: Apache-2.0
 *
 * A process of the fleet under test: a store, a spool and an engine, told by
 * its driver what to do.
 */
#ifndef ND_TESTS_FAULT_WORKER_H
#define ND_TESTS_FAULT_WORKER_H

#include <stdint.h>

#include "learn/engine.h"
#include "learn/host.h"
#include "store/spool.h"
#include "store/store.h"

#define WORKER_SYMBOLS 40
#define WORKER_METATOKENS 8
#define WORKER_NAMES (WORKER_SYMBOLS + WORKER_METATOKENS)
#define WORKER_BATCH 64
#define WORKER_FEATURES 9 /* of a family in a sample */

struct worker {
    struct nd_host *host; /* of a worker that is a host; else NULL, and */
    struct nd_store *store;
    struct nd_spool *spool;
    struct nd_engine *engine;
    struct nd_rule rule;
    struct nd_scope scope;
    struct nd_quota quota;
    struct nd_error error;
    uint64_t delivered; /* by the host, as it was told last */
    int64_t pace_ms;    /* of each word of a training's progress */
    uint32_t slots[WORKER_NAMES];
    uint32_t registry_length;
    uint8_t registry_digest[ND_DIGEST_BYTES];
};

/* Answers request number with one line of words. */
void worker_answer(const char *number, const char *format, ...) ND_PRINTF(2, 3);
/* That it failed: the status and the error's text. */
void worker_answer_failure(struct worker *worker, const char *number,
                           enum nd_status status);

/* A sample as the driver names it: "NUMBER:LABEL:LABEL_MS:FAMILIES". */
struct worker_sample {
    uint8_t identity[ND_IDENTITY_BYTES];
    enum nd_class label;
    int64_t label_ms;
    uint32_t families;                   /* 1: symbols; 3: metatokens too */
    uint32_t chosen[2][WORKER_FEATURES]; /* which, ascending */
    uint32_t count[2];
};
void worker_read_sample(char *word, struct worker_sample *sample_r);
/* The identity that the driver computes too, of a number in decimal. */
void worker_identify(const char *number, uint8_t identity_r[ND_IDENTITY_BYTES]);
/* "stored", ..., or why it was refused; static. */
const char *worker_outcome(const struct nd_put_result *result);

/* A host instead of store, spool and engine (worker_host.c). */
enum nd_status worker_host_open(struct worker *worker, const char *url,
                                const char *spool,
                                int64_t timeout_ms) ND_MUST_CHECK;
/* As worker_write, through the host. */
bool worker_host_write(struct worker *worker, const char *number,
                       const char *command, char *rest);

/* Runs one request: "put", "again" (a put that is never spooled), "forget",
 * "relabel", "deliver", "train"; its words are split at rest. Answers false
 * where the command is none of these. */
bool worker_write(struct worker *worker, const char *number,
                  const char *command, char *rest);
/* The same for what only looks: "dump", "scripts". */
bool worker_look(struct worker *worker, const char *number,
                 const char *command);

#endif
