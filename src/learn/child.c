/* SPDX-License-Identifier: Apache-2.0
 *
 * The parent's side of the trainer's child. Everything waits in poll() with a
 * deadline, nothing that the child does can block, and the child is always
 * collected. It knows processes, pipes and frames; what to train and what to
 * do with the answer is training.c's.
 */
#include "learn/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "learn/child_spawn.h"
#include "learn/spare.h"

#define GRACE_MS 500
#define TICK_MS 100
#define MOST_WAIT_MS 1000
#define CHUNK_BYTES 65536
#define MOST_UNREAD_BYTES ((size_t)1 << 20) /* while we send */

struct nd_child {
    pid_t process;     /* 0 once it is collected */
    int wait_status;   /* of the collected child */
    int input, output; /* its standard input and output; -1 closed */
    struct nd_child_limits limits;
    int64_t started_us, progress_us; /* monotonic */
    uint64_t counter;                /* of its last progress */
    struct nd_buffer incoming;
    size_t used;           /* bytes of incoming that the last frame took */
    struct nd_spare spare; /* once it was waited for */
    nd_child_listener *listener; /* NULL: none */
    void *context;
};

enum nd_status nd_child_start(const struct nd_child_limits *limits,
                              const char *argument, struct nd_error *error,
                              struct nd_child **child_r)
{
    struct nd_spawned spawned;
    enum nd_status status = nd_child_spawn(argument, error, &spawned);
    if (status != ND_OK) {
        return status;
    }
    struct nd_child *child = nd_calloc(1, sizeof *child);
    child->process = spawned.process;
    child->input = spawned.input;
    child->output = spawned.output;
    child->limits = *limits;
    child->started_us = nd_clock_monotonic_us();
    child->progress_us = child->started_us;
    *child_r = child;
    return ND_OK;
}

void nd_child_listen(struct nd_child *child, nd_child_listener *listener,
                     void *context)
{
    child->listener = listener;
    child->context = context;
}

static enum nd_status tell(const struct nd_child *child,
                           const struct nd_child_progress *progress,
                           struct nd_error *error)
{
    return child->listener != NULL
               ? child->listener(progress, child->context, error)
               : ND_OK;
}

long nd_child_process(const struct nd_child *child)
{
    return (long)child->process;
}

static void close_pipe(int *descriptor)
{
    if (*descriptor >= 0) {
        (void)close(*descriptor);
        *descriptor = -1;
    }
}

/* Collects the child if it has ended; true once it is collected. */
static bool collect(struct nd_child *child, int options)
{
    if (child->process == 0) {
        return true;
    }
    pid_t result;
    do {
        result = waitpid(child->process, &child->wait_status, options);
    } while (result < 0 && errno == EINTR);
    if (result == 0) {
        return false;
    }
    if (result < 0) {
        child->wait_status = 0; /* the host program ignores SIGCHLD */
    }
    child->process = 0;
    return true;
}

/* Waits for the end of the child; false after GRACE_MS. */
static bool collect_in_time(struct nd_child *child)
{
    int64_t until_us = nd_clock_monotonic_us() + GRACE_MS * INT64_C(1000);
    while (!collect(child, WNOHANG)) {
        if (nd_clock_monotonic_us() >= until_us) {
            return false;
        }
        struct timespec pause = {0, 2000000};
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

static void end_child(struct nd_child *child)
{
    if (collect(child, WNOHANG)) {
        return;
    }
    (void)kill(child->process, SIGTERM);
    if (!collect_in_time(child)) {
        (void)kill(child->process, SIGKILL);
        (void)collect(child, 0);
    }
}

void nd_child_stop(struct nd_child **child)
{
    if (child == NULL || *child == NULL) {
        return;
    }
    close_pipe(&(*child)->input);
    close_pipe(&(*child)->output);
    end_child(*child);
    nd_buffer_free(&(*child)->incoming);
    free(*child);
    *child = NULL;
}

/* The pipe has ended: says how the child did. */
static enum nd_status explain_end(struct nd_child *child,
                                  struct nd_error *error)
{
    close_pipe(&child->input);
    if (!collect_in_time(child)) {
        return nd_fail(error, ND_INTERNAL,
                       "the trainer child closed its pipe without an answer");
    }
    if (WIFSIGNALED(child->wait_status)) {
        int number = WTERMSIG(child->wait_status);
        const char *hint = number == SIGABRT ? " (out of train_memory?)"
                           : number == SIGXCPU
                               ? " (out of processor time, train_time)"
                               : "";
        return nd_fail(error, ND_INTERNAL,
                       "the trainer child was ended by signal %d%s", number,
                       hint);
    }
    return nd_fail(error, ND_INTERNAL,
                   "the trainer child ended without an answer, exit status %d",
                   WEXITSTATUS(child->wait_status));
}

/* ND_LIMIT once the training has taken its time. */
static enum nd_status check_time(const struct nd_child *child,
                                 struct nd_error *error)
{
    int64_t limit_ms = child->limits.time_ms;
    int64_t total_ms = (nd_clock_monotonic_us() - child->started_us) / 1000;
    if (limit_ms != 0 && total_ms >= limit_ms) {
        return nd_fail(error, ND_LIMIT,
                       "the training took longer than train_time, %lld ms",
                       (long long)limit_ms);
    }
    return ND_OK;
}

/* Waits up to wait_ms until one of the pipes is ready. ND_LIMIT where none is
 * and the child has made no progress for too long: only then, since it may
 * have been the parent who was held up. */
static enum nd_status wait_for(const struct nd_child *child,
                               struct pollfd pipes[2], int64_t wait_ms,
                               struct nd_error *error)
{
    int64_t limit_ms = child->limits.idle_ms;
    if (poll(pipes, 2, 0) > 0) {
        return ND_OK;
    }
    if (limit_ms != 0) {
        int64_t now_us = nd_clock_monotonic_us();
        int64_t left_ms = limit_ms - (now_us - child->progress_us) / 1000;
        if (left_ms <= 0) {
            return nd_fail(error, ND_LIMIT,
                           "the trainer child made no progress in %lld ms",
                           (long long)limit_ms);
        }
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }
    (void)poll(pipes, 2, wait_ms > MOST_WAIT_MS ? MOST_WAIT_MS : (int)wait_ms);
    return ND_OK;
}

/* write() that gives EPIPE and raises no SIGPIPE, whatever the host program
 * does with that signal. */
static ssize_t write_quietly(int descriptor, const void *data, size_t length)
{
    sigset_t only_pipe, old, pending;
    sigemptyset(&only_pipe);
    sigaddset(&only_pipe, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &only_pipe, &old);
    ssize_t written = write(descriptor, data, length);
    int saved = errno;
    if (written < 0 && saved == EPIPE && !was_pending) {
        struct timespec at_once = {0, 0};
        while (sigtimedwait(&only_pipe, NULL, &at_once) < 0 && errno == EINTR) {
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = saved;
    return written;
}

/* One read into incoming. Answers as read() does. */
static ssize_t take_bytes(struct nd_child *child)
{
    uint8_t *end = nd_buffer_reserve(&child->incoming, CHUNK_BYTES);
    ssize_t length = read(child->output, end, CHUNK_BYTES);
    if (length > 0) {
        child->incoming.length += (size_t)length;
    }
    return length;
}

/* Waits until the child reads, and takes meanwhile what it says, so that the
 * two can never wait for each other. ND_OK also when it was interrupted. */
static enum nd_status wait_to_write(struct nd_child *child,
                                    struct nd_error *error)
{
    bool has_room = child->incoming.length < MOST_UNREAD_BYTES;
    struct pollfd pipes[2] = {
        {.fd = child->input, .events = POLLOUT},
        {.fd = has_room ? child->output : -1, .events = POLLIN}};
    enum nd_status status = check_time(child, error);
    if (status == ND_OK) {
        status = wait_for(child, pipes, TICK_MS, error);
    }
    if (status == ND_OK) {
        status = tell(child, NULL, error);
    }
    if (status != ND_OK) {
        return status;
    }
    if ((pipes[1].revents & POLLIN) != 0) {
        (void)take_bytes(child);
    }
    return ND_OK;
}

/* The child reads no more: its last words, if it left any. */
static enum nd_status last_words(struct nd_child *child, struct nd_error *error)
{
    struct nd_frame frame;
    struct nd_child_progress progress;
    enum nd_status status;
    do {
        status = nd_child_receive(child, 1000, error, &frame, &progress);
    } while (status == ND_OK);
    return status == ND_NOTHING ? explain_end(child, error) : status;
}

enum nd_status nd_child_send(struct nd_child *child,
                             const struct nd_buffer *frames,
                             struct nd_error *error)
{
    size_t sent = 0;
    while (sent < frames->length) {
        ssize_t written = write_quietly(child->input, frames->data + sent,
                                        frames->length - sent);
        if (written >= 0) {
            sent += (size_t)written;
            child->progress_us = nd_clock_monotonic_us();
            continue;
        }
        if (errno == EPIPE) {
            return last_words(child, error);
        }
        if (errno != EAGAIN && errno != EINTR) {
            return nd_fail_errno(error, "writing to the trainer child");
        }
        enum nd_status status = wait_to_write(child, error);
        if (status != ND_OK) {
            return status;
        }
    }
    return ND_OK;
}

/* One read of what is there, after waiting for it. ND_NOTHING when the wait
 * was in vain. */
static enum nd_status read_some(struct nd_child *child, int64_t wait_ms,
                                struct nd_error *error)
{
    struct pollfd pipes[2] = {{.fd = child->output, .events = POLLIN},
                              {.fd = -1}};
    enum nd_status status = check_time(child, error);
    if (status == ND_OK) {
        status = wait_for(child, pipes, wait_ms, error);
    }
    if (status != ND_OK) {
        return status;
    }
    if (pipes[0].revents == 0) {
        return ND_NOTHING;
    }
    ssize_t length = take_bytes(child);
    if (length > 0) {
        return ND_OK;
    }
    if (length == 0) {
        return explain_end(child, error);
    }
    return errno == EAGAIN || errno == EINTR
               ? ND_NOTHING
               : nd_fail_errno(error, "reading from the trainer child");
}

/* Forgets the frame that the caller has had. */
static void drop_used(struct nd_child *child)
{
    struct nd_buffer *incoming = &child->incoming;
    if (child->used > 0) {
        incoming->length -= child->used;
        memmove(incoming->data, incoming->data + child->used, incoming->length);
        child->used = 0;
    }
}

/* Progress counts up, and counts as life; a failure becomes a status. */
static enum nd_status look_at(struct nd_child *child,
                              const struct nd_frame *frame,
                              struct nd_error *error,
                              struct nd_child_progress *progress_r)
{
    if (frame->type == ND_FRAME_FAILURE) {
        return nd_child_read_failure(frame, error);
    }
    if (frame->type == ND_FRAME_PROGRESS) {
        enum nd_status status =
            nd_child_read_progress(frame, error, progress_r);
        if (status != ND_OK) {
            return status;
        }
        if (progress_r->counter <= child->counter) {
            return nd_fail(error, ND_DATA,
                           "the trainer child's progress does not rise");
        }
        child->counter = progress_r->counter;
    }
    child->progress_us = nd_clock_monotonic_us();
    return ND_OK;
}

enum nd_status nd_child_receive(struct nd_child *child, int64_t wait_ms,
                                struct nd_error *error,
                                struct nd_frame *frame_r,
                                struct nd_child_progress *progress_r)
{
    int64_t until_us = nd_clock_monotonic_us() + wait_ms * 1000;
    drop_used(child);
    for (;;) {
        size_t used;
        enum nd_status status =
            nd_frame_parse(child->incoming.data, child->incoming.length,
                           ND_FRAME_CHILD, error, frame_r, &used);
        if (status == ND_OK) {
            child->used = used;
            return look_at(child, frame_r, error, progress_r);
        }
        if (status != ND_NOTHING) {
            return status;
        }
        int64_t left_ms = (until_us - nd_clock_monotonic_us()) / 1000;
        status = read_some(child, left_ms > 0 ? left_ms : 0, error);
        if (status != ND_OK && (status != ND_NOTHING || left_ms <= 0)) {
            return status;
        }
    }
}

enum nd_status nd_child_await(struct nd_child *child, enum nd_frame_type type,
                              struct nd_error *error, struct nd_frame *frame_r)
{
    if (child->spare.process == 0) {
        nd_spare_begin(child->process, child->limits.share, child->limits.nice,
                       &child->spare);
    }
    for (;;) {
        struct nd_child_progress progress;
        nd_spare_look(&child->spare);
        enum nd_status status =
            nd_child_receive(child, TICK_MS, error, frame_r, &progress);
        bool heard = status == ND_OK;
        if (heard && frame_r->type == type) {
            return ND_OK;
        }
        if (heard && frame_r->type != ND_FRAME_PROGRESS) {
            return nd_fail(error, ND_DATA,
                           "the trainer child sent frame %d where %d was due",
                           (int)frame_r->type, (int)type);
        }
        if (heard || status == ND_NOTHING) {
            status = tell(child, heard ? &progress : NULL, error);
        }
        if (status != ND_OK) {
            return status;
        }
    }
}
