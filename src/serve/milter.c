/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's side of the milter. One link and one listener last as long as
 * the daemon, and every worker inherits them: a thread watches the worker and
 * starts it again, and the threads that answer never notice. What an answer
 * says is the callback's.
 */
#include "serve/milter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "learn/spawn.h"
#include "serve/link_socket.h"

#define FIRST_PAUSE_MS 100
#define LONGEST_PAUSE_MS 10000
#define SOUND_US INT64_C(60000000) /* a worker that lived so long was well */
#define PATIENCE_MS 30000
#define LOOKS 6                  /* at a worker, within the patience */
#define GRACE_MS 2250            /* the worker's own two seconds, and some */
#define HEAR_US INT64_C(5000000) /* for a question, once it is taken */
#define MOST_THREADS 64U

struct nd_milter {
    struct nd_milter_options options;
    pthread_mutex_t mutex; /* settings, process */
    pid_t process;
    atomic_size_t max_message; /* the largest of all settings so far */
    atomic_uint heard;         /* frames from workers */
    atomic_bool stopping;
    int link[2]; /* ours, the worker's */
    int wake;    /* of the watcher */
    pthread_t watcher;
    pthread_t answerers[MOST_THREADS];
    unsigned answerer_count;
    bool is_watched;
};

/* ---- answering ---- */

static void answer(struct nd_milter *milter, int asker, struct nd_buffer *frame,
                   struct nd_arena *arena)
{
    struct nd_error error = {{0}};
    struct nd_link_question question;
    struct nd_link_answer answer = {"", "", "", ""};
    int64_t until_us = nd_clock_monotonic_us() + HEAR_US;
    enum nd_status status =
        nd_link_hear(asker, atomic_load(&milter->max_message), until_us, &error,
                     frame, &question);
    if (status == ND_OK) {
        milter->options.decide(&question, arena, &answer,
                               milter->options.context);
        status = nd_link_answer(asker, &answer, &error);
    }
    if (status != ND_OK && status != ND_UNAVAILABLE) {
        nd_log(ND_LOG_ERROR, "milter: %s", error.text);
    }
    nd_arena_reset(arena);
}

static enum nd_status take_note(struct nd_milter *milter,
                                const struct nd_link_parcel *parcel,
                                struct nd_error *error)
{
    unsigned level = 0;
    const char *line = NULL;
    struct nd_link_events events;
    enum nd_status status = ND_OK;
    if (parcel->type == ND_LINK_EVENTS) {
        status =
            nd_link_read_events(parcel->data, parcel->length, error, &events);
        if (status == ND_OK && milter->options.tell != NULL) {
            milter->options.tell(&events, milter->options.context);
        }
    } else if (parcel->type == ND_LINK_LOG) {
        status = nd_link_read_log(parcel->data, parcel->length, error, &level,
                                  &line);
        if (status == ND_OK) {
            nd_log((enum nd_log_level)level, "%s", line);
        }
    }
    return status;
}

static void *answer_questions(void *context)
{
    struct nd_milter *milter = context;
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_buffer frame = {0};
    enum nd_status status = ND_OK;
    while (status != ND_NOTHING) {
        struct nd_error error = {{0}};
        struct nd_link_parcel parcel;
        status = nd_link_take(milter->link[0], &error, &parcel);
        atomic_fetch_add(&milter->heard, 1);
        if (status == ND_OK && parcel.asker >= 0) {
            answer(milter, parcel.asker, &frame, arena);
            (void)close(parcel.asker);
        } else if (status == ND_OK) {
            status = take_note(milter, &parcel, &error);
        }
        if (status != ND_OK && status != ND_NOTHING) {
            nd_log(ND_LOG_ERROR, "milter: %s", error.text);
        }
    }
    nd_buffer_free(&frame);
    nd_arena_destroy(&arena);
    return NULL;
}

/* ---- the worker's life ---- */

static void send_settings(struct nd_milter *milter)
{
    struct nd_buffer frame = {0};
    struct nd_error error = {{0}};
    (void)pthread_mutex_lock(&milter->mutex);
    nd_link_write_settings(&milter->options.settings, &frame);
    (void)pthread_mutex_unlock(&milter->mutex);
    if (nd_link_send(milter->link[0], &frame, &error) != ND_OK) {
        nd_log(ND_LOG_WARNING,
               "milter: the worker was not told its settings: %s", error.text);
    }
    nd_buffer_free(&frame);
}

static void set_process(struct nd_milter *milter, pid_t process)
{
    (void)pthread_mutex_lock(&milter->mutex);
    milter->process = process;
    (void)pthread_mutex_unlock(&milter->mutex);
}

static enum nd_status start_worker(struct nd_milter *milter,
                                   struct nd_error *error, pid_t *process_r)
{
    static char name[] = "neurald", argument[] = ND_MILTER_ARGUMENT;
    static char *const arguments[] = {name, argument, NULL};
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct nd_spawn wanted = {.what = "the milter's worker",
                              .path = "/proc/self/exe",
                              .arguments = arguments,
                              .descriptors = {nothing, nothing, STDERR_FILENO,
                                              milter->options.listener,
                                              milter->link[1]},
                              .descriptor_count = 5};
    enum nd_status status = nd_spawn(&wanted, error, process_r);
    if (nothing >= 0) {
        (void)close(nothing);
    }
    if (status == ND_OK) {
        set_process(milter, *process_r);
        send_settings(milter);
    }
    return status;
}

static bool is_ready(struct pollfd *wanted, nfds_t count, int timeout_ms)
{
    int ready;
    do {
        ready = poll(wanted, count, timeout_ms);
    } while (ready < 0 && errno == EINTR);
    return ready > 0 && wanted[0].revents != 0;
}

/* Waits for the worker's end, or for the order to stop; true where it is the
 * former. Silence is counted in looks at it and not by the clock, since this
 * process may have been stopped itself. */
static bool wait_for_either(struct nd_milter *milter, int pidfd, pid_t process)
{
    struct pollfd wanted[] = {{.fd = pidfd, .events = POLLIN},
                              {.fd = milter->wake, .events = POLLIN}};
    int patience_ms = milter->options.patience_ms;
    int look_ms = (patience_ms > 0 ? patience_ms : PATIENCE_MS) / LOOKS;
    unsigned heard = atomic_load(&milter->heard);
    int silent = 0;
    while (!is_ready(wanted, 2, look_ms)) {
        if (wanted[1].revents != 0) {
            return false;
        }
        unsigned now = atomic_load(&milter->heard);
        silent = now == heard ? silent + 1 : 0;
        heard = now;
        if (silent == LOOKS) {
            nd_log(ND_LOG_ERROR, "milter: the worker hangs and is killed");
            (void)kill(process, SIGKILL);
        }
    }
    return true;
}

static bool wait_for_one(int descriptor, int timeout_ms)
{
    struct pollfd wanted = {.fd = descriptor, .events = POLLIN};
    return is_ready(&wanted, 1, timeout_ms);
}

static void collect(pid_t process)
{
    int how = 0;
    while (waitpid(process, &how, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(how)) {
        nd_log(ND_LOG_ERROR, "milter: the worker was ended by signal %d",
               WTERMSIG(how));
    } else if (WEXITSTATUS(how) != 0) {
        nd_log(ND_LOG_ERROR, "milter: the worker ended with status %d",
               WEXITSTATUS(how));
    }
}

/* The worker is to end by itself, after the messages that are open. */
static void end_worker(struct nd_milter *milter, int pidfd, pid_t process)
{
    struct nd_buffer frame = {0};
    nd_link_end(&frame, nd_link_begin(&frame, ND_LINK_STOP));
    bool told = nd_link_send(milter->link[0], &frame, NULL) == ND_OK;
    nd_buffer_free(&frame);
    if (!told || !wait_for_one(pidfd, GRACE_MS)) {
        (void)kill(process, SIGKILL);
    }
}

/* One worker from its start to its end. */
static void live_once(struct nd_milter *milter)
{
    struct nd_error error = {{0}};
    pid_t process = 0;
    if (start_worker(milter, &error, &process) != ND_OK) {
        nd_log(ND_LOG_ERROR, "milter: %s", error.text);
        return;
    }
    if (milter->options.started != NULL) {
        milter->options.started(milter->options.context);
    }
    int pidfd = pidfd_open(process, 0);
    if (pidfd < 0) { /* nothing would tell of its end */
        nd_log(ND_LOG_ERROR, "milter: the worker cannot be watched: %s",
               strerror(errno));
        (void)kill(process, SIGKILL);
    } else if (!wait_for_either(milter, pidfd, process)) {
        end_worker(milter, pidfd, process);
    }
    set_process(milter, 0);
    collect(process);
    if (pidfd >= 0) {
        (void)close(pidfd);
    }
}

static void *watch(void *context)
{
    struct nd_milter *milter = context;
    int pause_ms = FIRST_PAUSE_MS;
    while (!atomic_load(&milter->stopping)) {
        int64_t start_us = nd_clock_monotonic_us();
        live_once(milter);
        if (atomic_load(&milter->stopping)) {
            break;
        }
        if (nd_clock_monotonic_us() - start_us > SOUND_US) {
            pause_ms = FIRST_PAUSE_MS;
        }
        nd_log(ND_LOG_WARNING, "milter: the worker is started again in %d ms",
               pause_ms);
        (void)wait_for_one(milter->wake, pause_ms);
        pause_ms =
            pause_ms * 2 < LONGEST_PAUSE_MS ? pause_ms * 2 : LONGEST_PAUSE_MS;
    }
    return NULL;
}

/* ---- start and stop ---- */

static void raise_max_message(struct nd_milter *milter, size_t max_message)
{
    if (max_message > atomic_load(&milter->max_message)) {
        atomic_store(&milter->max_message, max_message);
    }
}

static unsigned thread_count(const struct nd_milter_options *options)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = options->threads != 0 ? options->threads
                     : processors > 2      ? (unsigned)processors
                                           : 2U;
    return count < MOST_THREADS ? count : MOST_THREADS;
}

/* Signals are for the daemon's main thread. */
static enum nd_status start_threads(struct nd_milter *milter,
                                    struct nd_error *error)
{
    sigset_t all, before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    unsigned wanted = thread_count(&milter->options);
    int result = 0;
    while (result == 0 && milter->answerer_count < wanted) {
        result = pthread_create(&milter->answerers[milter->answerer_count],
                                NULL, answer_questions, milter);
        milter->answerer_count += result == 0 ? 1 : 0;
    }
    if (result == 0) {
        result = pthread_create(&milter->watcher, NULL, watch, milter);
        milter->is_watched = result == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result == 0 ? ND_OK
                       : nd_fail(error, ND_OS, "no threads for the milter: %s",
                                 strerror(result));
}

enum nd_status nd_milter_start(const struct nd_milter_options *options,
                               struct nd_error *error,
                               struct nd_milter **milter_r)
{
    struct nd_milter *milter = nd_calloc(1, sizeof(*milter));
    milter->options = *options;
    milter->link[0] = milter->link[1] = -1;
    (void)pthread_mutex_init(&milter->mutex, NULL);
    raise_max_message(milter, (size_t)options->settings.max_message);
    milter->wake = eventfd(0, EFD_CLOEXEC);
    enum nd_status status =
        milter->wake >= 0
            ? nd_link_pair(error, milter->link)
            : nd_fail(error, ND_OS, "no event descriptor for the milter");
    if (status == ND_OK) {
        status = start_threads(milter, error);
    }
    if (status != ND_OK) {
        nd_milter_stop(&milter);
        return status;
    }
    *milter_r = milter;
    return ND_OK;
}

void nd_milter_apply(struct nd_milter *milter,
                     const struct nd_link_settings *settings)
{
    raise_max_message(milter, (size_t)settings->max_message);
    (void)pthread_mutex_lock(&milter->mutex);
    milter->options.settings = *settings;
    (void)pthread_mutex_unlock(&milter->mutex);
    send_settings(milter);
}

pid_t nd_milter_process(struct nd_milter *milter)
{
    (void)pthread_mutex_lock(&milter->mutex);
    pid_t process = milter->process;
    (void)pthread_mutex_unlock(&milter->mutex);
    return process;
}

static void close_one(int descriptor)
{
    if (descriptor >= 0) {
        (void)close(descriptor);
    }
}

void nd_milter_stop(struct nd_milter **milter)
{
    if (milter == NULL || *milter == NULL) {
        return;
    }
    struct nd_milter *old = *milter;
    uint64_t one = 1;
    atomic_store(&old->stopping, true);
    if (old->is_watched && write(old->wake, &one, sizeof(one)) > 0) {
        (void)pthread_join(old->watcher, NULL);
    }
    /* Ends the waiting of those that answer. */
    (void)shutdown(old->link[0], SHUT_RDWR);
    for (unsigned i = 0; i < old->answerer_count; i++) {
        (void)pthread_join(old->answerers[i], NULL);
    }
    close_one(old->link[0]);
    close_one(old->link[1]);
    close_one(old->wake);
    close_one(old->options.listener);
    (void)pthread_mutex_destroy(&old->mutex);
    free(old);
    *milter = NULL;
}
