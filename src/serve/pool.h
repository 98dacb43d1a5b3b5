/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads that may wait: work that asks the store is handed to them, so that
 * those who serve connections never wait.
 */
#ifndef ND_SERVE_POOL_H
#define ND_SERVE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct nd_pool;

typedef void nd_pool_work(void *item, void *context);

/* Starts count threads that call work for each item; at most room items wait.
 * ND_OS where no thread can be had. */
enum nd_status nd_pool_create(size_t count, size_t room, nd_pool_work *work,
                              void *context, struct nd_error *error,
                              struct nd_pool **pool_r) ND_MUST_CHECK;
/* Lets what was submitted be done, and ends the threads. NULL and a pointer to
 * NULL are accepted. */
void nd_pool_destroy(struct nd_pool **pool);

/* Waits until nothing is left to do, at most so long. */
void nd_pool_wait(struct nd_pool *pool, int64_t timeout_ms);

/* Hands item to a thread, in order. False where too many wait. Any thread. */
bool nd_pool_submit(struct nd_pool *pool, void *item) ND_MUST_CHECK;

#endif
