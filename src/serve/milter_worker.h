/* SPDX-License-Identifier: Apache-2.0
 *
 * The milter's worker: the process that libmilter has for itself, since it
 * takes signals and needs seconds to return. It gathers messages, asks the
 * daemon about each, and does what the answer says; where there is none it lets
 * the message pass with "no opinion".
 */
#ifndef ND_SERVE_MILTER_WORKER_H
#define ND_SERVE_MILTER_WORKER_H

#include "base/status.h"
#include "serve/link.h"
#include "serve/milter_gather.h"

/* A program whose argv[1] is this calls nd_milter_worker_main before anything
 * else and returns its answer. */
#define ND_MILTER_ARGUMENT "--milter-worker"

/* Descriptors that the worker is started with, beside the standard ones. */
#define ND_MILTER_LISTENER 3
#define ND_MILTER_LINK 4

/* The worker's whole life. Answers the exit status, or ends the process. */
int nd_milter_worker_main(void) ND_MUST_CHECK;

/* For the callbacks of libmilter (milter_session.c); any thread. */
void nd_worker_settings(struct nd_link_settings *settings_r);
void nd_worker_count(enum nd_link_event event, uint64_t count);
struct nd_gather_room *nd_worker_room(void);

#endif
