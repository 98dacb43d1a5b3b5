/* SPDX-License-Identifier: Apache-2.0
 *
 * The milter beside the daemon: a worker process that speaks with the mail
 * server, started, watched, started again where it dies, and stopped; and
 * threads that answer its questions.
 */
#ifndef ND_SERVE_MILTER_H
#define ND_SERVE_MILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/memory.h"
#include "base/status.h"
#include "serve/link.h"
#include "serve/milter_worker.h"

struct nd_milter;

/* Decides about a message. Texts of answer_r (see link.h) live until the arena
 * is reset. Several threads at once; it must not wait. */
typedef void nd_milter_decide(const struct nd_link_question *question,
                              struct nd_arena *arena,
                              struct nd_link_answer *answer_r, void *context);
/* Told what the worker saw without asking. Several threads at once. */
typedef void nd_milter_tell(const struct nd_link_events *events, void *context);
/* Told that a worker was started. The watching thread. */
typedef void nd_milter_started(void *context);

struct nd_milter_options {
    int listener; /* of nd_milter_listen; taken over, also on failure */
    struct nd_link_settings settings;
    unsigned threads; /* that answer; 0: as many as processors, at least 2 */
    int patience_ms;  /* with a worker that gives no sign of life; 0: 30 s */
    nd_milter_decide *decide;
    nd_milter_tell *tell;       /* may be NULL */
    nd_milter_started *started; /* may be NULL */
    void *context;              /* of all three */
};

/* The place that mail servers connect to: "inet:PORT" (127.0.0.1),
 * "inet:PORT@HOST", "inet6:PORT@HOST", "unix:PATH" or "local:PATH". A socket
 * file is made with mode; one that nobody listens on is replaced. ND_USAGE for
 * an address that is none, ND_BUSY where somebody listens there, ND_PERMISSION,
 * ND_IO. Port 0 takes a free one. */
enum nd_status nd_milter_listen(const char *address, mode_t mode,
                                struct nd_error *error,
                                int *listener_r) ND_MUST_CHECK;

/* Removes the socket file of an address that was listened on, if it has one;
 * before the listener is closed, as of nd_listener_hide. */
void nd_milter_hide(const char *address);

/* Whether nd_milter_listen takes an address, without opening it. ND_USAGE. */
enum nd_status nd_milter_address_check(const char *address,
                                       struct nd_error *error) ND_MUST_CHECK;

/* Starts the worker and the threads. A worker that dies is started again, after
 * 100 ms at first, doubling to 10 s, while the listener keeps what connects
 * meanwhile; one that gives no sign of life is killed first. ND_OS. */
enum nd_status nd_milter_start(const struct nd_milter_options *options,
                               struct nd_error *error,
                               struct nd_milter **milter_r) ND_MUST_CHECK;

/* New settings, for messages that begin from now on; the worker goes on. Any
 * thread. */
void nd_milter_apply(struct nd_milter *milter,
                     const struct nd_link_settings *settings);

/* The worker's process id; 0 while there is none. Any thread. */
pid_t nd_milter_process(struct nd_milter *milter);

/* Closes the listener, waits 2 s at most for messages that are open, ends the
 * worker, joins the threads and frees all. NULL and a pointer to NULL are
 * accepted. */
void nd_milter_stop(struct nd_milter **milter);

#endif
