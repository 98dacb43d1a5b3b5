/* SPDX-License-Identifier: Apache-2.0
 *
 * A handle on the trainer's child process: spawned, spoken to through two pipes
 * in frames (frame.h), watched, and ended. The child may fail in any way: its
 * parent lives on.
 */
#ifndef ND_LEARN_CHILD_H
#define ND_LEARN_CHILD_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "learn/child_messages.h"
#include "learn/frame.h"

struct nd_child_limits {
    int64_t time_ms; /* wall clock, from start to end; 0: none */
    int64_t idle_ms; /* without progress; 0: none */
    double share;    /* of spare time, below which it competes (spare.h) */
    int nice;        /* that it gives itself */
};

struct nd_child;

/* Spawns the child: this program (or that of nd_trainer_set_command) with the
 * argument that says what it trains, such as ND_TRAINER_ARGUMENT (trainer.h).
 * It gets no descriptor but its pipes and standard error, no environment but
 * what the loader, sanitizers and kernels read, default signals, and a process
 * group of its own. */
enum nd_status nd_child_start(const struct nd_child_limits *limits,
                              const char *argument, struct nd_error *error,
                              struct nd_child **child_r) ND_MUST_CHECK;

/* Told of the child's progress (nd_child_await), and, with NULL, each 100 ms of
 * waiting for it. An answer other than ND_OK ends the wait, and is that of the
 * call that waits. */
typedef enum nd_status nd_child_listener(
    const struct nd_child_progress *progress, void *context,
    struct nd_error *error);
void nd_child_listen(struct nd_child *child, nd_child_listener *listener,
                     void *context);

/* Sends all of frames, waiting for the child to read as long as the limits
 * allow. Where the child has ended the error says how. */
enum nd_status nd_child_send(struct nd_child *child,
                             const struct nd_buffer *frames,
                             struct nd_error *error) ND_MUST_CHECK;

/* Waits up to wait_ms for the next frame; its data are valid until the next
 * call. ND_NOTHING where none came in time. ND_DATA: rubbish; ND_INTERNAL: the
 * child ended without an answer, the error says how; ND_LIMIT: a limit was
 * passed; and what a FAILURE frame says. A PROGRESS frame is read into
 * progress_r and must count up, else ND_DATA. After any failure only
 * nd_child_stop is left. */
enum nd_status nd_child_receive(
    struct nd_child *child, int64_t wait_ms, struct nd_error *error,
    struct nd_frame *frame_r,
    struct nd_child_progress *progress_r) ND_MUST_CHECK;

/* Waits for a frame of a type, whose data are valid until the next call, and
 * tells the listener meanwhile. Any other frame but PROGRESS is ND_DATA; else
 * as nd_child_receive. */
enum nd_status nd_child_await(struct nd_child *child, enum nd_frame_type type,
                              struct nd_error *error,
                              struct nd_frame *frame_r) ND_MUST_CHECK;

/* Ends the child if it still runs (TERM, half a second later KILL), collects
 * it, and frees the handle. NULL and a pointer to NULL are accepted. */
void nd_child_stop(struct nd_child **child);

/* The child's process id, for tests. */
long nd_child_process(const struct nd_child *child);

#endif
