/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker's life around libmilter. It is told its settings, gives up what a
 * process could do beside its work (learn/confine.h), and serves. A thread
 * listens to the daemon: new settings, the order to stop, or the end of the
 * daemon, which is the same order. Then the listener closes, messages that are
 * open get two seconds, and the process ends without waiting for libmilter.
 */
#include "serve/milter_worker.h"

#include <fcntl.h>
#include <libmilter/mfapi.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "learn/confine.h"
#include "serve/link_socket.h"
#include "serve/milter_session.h"

#define GRACE_US INT64_C(2000000) /* for messages that are open */
#define REPORT_MS 500
#define STACK_BYTES ((size_t)1 << 20) /* of libmilter's threads */

/* libmilter's callbacks have no context but a connection's. */
static struct {
    pthread_mutex_t mutex; /* settings */
    struct nd_link_settings settings;
    struct nd_gather_room room;
    _Atomic uint64_t events[ND_LINK_EVENT_COUNT]; /* not yet reported */
} worker = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void nd_worker_settings(struct nd_link_settings *settings_r)
{
    (void)pthread_mutex_lock(&worker.mutex);
    *settings_r = worker.settings;
    (void)pthread_mutex_unlock(&worker.mutex);
}

void nd_worker_count(enum nd_link_event event, uint64_t count)
{
    atomic_fetch_add(&worker.events[event], count);
}

struct nd_gather_room *nd_worker_room(void)
{
    return &worker.room;
}

/* ---- what the daemon is told ---- */

/* Also where nothing has happened, as a sign of life. */
static void report_events(void)
{
    struct nd_link_events events;
    struct nd_buffer frame = {0};
    for (int i = 0; i < ND_LINK_EVENT_COUNT; i++) {
        events.of[i] = atomic_exchange(&worker.events[i], 0);
    }
    nd_link_write_events(&events, &frame);
    if (nd_link_send(ND_MILTER_LINK, &frame, NULL) != ND_OK) {
        for (int i = 0; i < ND_LINK_EVENT_COUNT; i++) {
            nd_worker_count((enum nd_link_event)i, events.of[i]);
        }
    }
    nd_buffer_free(&frame);
}

/* The daemon writes the log, wherever that is; without it there is standard
 * error. */
static void log_line(enum nd_log_level level, const char *line, void *context)
{
    struct nd_buffer frame = {0};
    (void)context;
    nd_link_write_log((unsigned)level, line, &frame);
    if (nd_link_send(ND_MILTER_LINK, &frame, NULL) != ND_OK) {
        fprintf(stderr, "neurald: %s\n", line);
    }
    nd_buffer_free(&frame);
}

/* ---- the end ---- */

/* Nobody can connect any more: the daemon, whose listener it is too, is
 * stopping or dead. smfi_stop() would wait for a thread that looks up only
 * every five seconds, and a listener that fails makes libmilter drop all
 * connections; so it is left with one that nobody knows. */
static void close_listener(void)
{
    int silent[2];
    int old = fcntl(ND_MILTER_LISTENER, F_DUPFD_CLOEXEC, ND_MILTER_LINK + 1);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, silent) == 0) {
        (void)dup3(silent[0], ND_MILTER_LISTENER, O_CLOEXEC);
    }
    (void)shutdown(old, SHUT_RDWR);
}

static void end_after_open_messages(void)
{
    int64_t until_us = nd_clock_monotonic_us() + GRACE_US;
    while (atomic_load(&worker.room.open) > 0 &&
           nd_clock_monotonic_us() < until_us) {
        struct timespec pause = {0, 5000000};
        (void)nanosleep(&pause, NULL);
    }
    report_events();
    _exit(0);
}

/* ---- what the daemon says ---- */

static enum nd_status take_settings(const struct nd_link_parcel *parcel,
                                    struct nd_error *error)
{
    struct nd_link_settings settings;
    enum nd_status status =
        nd_link_read_settings(parcel->data, parcel->length, error, &settings);
    if (status == ND_OK) {
        (void)pthread_mutex_lock(&worker.mutex);
        worker.settings = settings;
        (void)pthread_mutex_unlock(&worker.mutex);
    }
    return status;
}

/* One frame from the daemon; false: it is time to end. */
static bool obey(void)
{
    struct nd_link_parcel parcel;
    struct nd_error error = {{0}};
    enum nd_status status = nd_link_take(ND_MILTER_LINK, &error, &parcel);
    if (status == ND_OK && parcel.type == ND_LINK_SETTINGS) {
        status = take_settings(&parcel, &error);
    }
    if (status != ND_OK && status != ND_NOTHING) {
        nd_log(ND_LOG_ERROR, "milter: %s", error.text);
    }
    return status != ND_NOTHING &&
           !(status == ND_OK && parcel.type == ND_LINK_STOP);
}

static void *listen_to_daemon(void *context)
{
    struct pollfd link = {.fd = ND_MILTER_LINK, .events = POLLIN};
    bool goes_on = true;
    (void)context;
    while (goes_on) {
        if (poll(&link, 1, REPORT_MS) > 0) {
            goes_on = obey();
        }
        report_events();
    }
    close_listener();
    end_after_open_messages();
    return NULL;
}

/* ---- the beginning ---- */

static enum nd_status wait_for_settings(struct nd_error *error)
{
    struct nd_link_parcel parcel;
    enum nd_status status;
    do {
        status = nd_link_take(ND_MILTER_LINK, error, &parcel);
    } while (status == ND_OK && parcel.type != ND_LINK_SETTINGS);
    if (status == ND_NOTHING) {
        return nd_fail(error, ND_CANCELLED, "the daemon is gone");
    }
    return status == ND_OK ? take_settings(&parcel, error) : status;
}

/* Each message in work has two descriptors; each connection one. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void set_stack_size(void)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) == 0) {
        (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
        (void)pthread_setattr_default_np(&attributes);
        (void)pthread_attr_destroy(&attributes);
    }
}

static enum nd_status open_libmilter(struct nd_error *error)
{
    char place[16];
    (void)snprintf(place, sizeof(place), "fd:%d", ND_MILTER_LISTENER);
    enum nd_status status = nd_milter_session_register(error);
    if (status == ND_OK && (smfi_setconn(place) != MI_SUCCESS ||
                            smfi_opensocket(false) != MI_SUCCESS)) {
        status = nd_fail(error, ND_OS,
                         "libmilter does not take the open listener (%s); "
                         "Debian's does",
                         place);
    }
    return status;
}

static enum nd_status begin(struct nd_error *error)
{
    pthread_t listener;
    raise_limit();
    set_stack_size();
    enum nd_status status = nd_confine_begin_worker(ND_MILTER_LINK + 1, error);
    if (status == ND_OK) {
        status = nd_hash_init(error);
    }
    if (status == ND_OK) {
        status = wait_for_settings(error);
    }
    if (status == ND_OK) {
        status = open_libmilter(error);
    }
    if (status == ND_OK) {
        status = nd_confine_lock_worker(error);
    }
    if (status == ND_OK &&
        pthread_create(&listener, NULL, listen_to_daemon, NULL) != 0) {
        status = nd_fail(error, ND_OS, "no thread can be started");
    }
    return status;
}

int nd_milter_worker_main(void)
{
    struct nd_error error = {{0}};
    nd_log_set_level(ND_LOG_DEBUG);
    nd_log_set_sink(log_line, NULL);
    enum nd_status status = begin(&error);
    if (status != ND_OK) {
        nd_log(ND_LOG_ERROR, "milter: %s", error.text);
        return nd_status_exit(status);
    }
    if (smfi_main() != MI_SUCCESS) {
        nd_log(ND_LOG_ERROR, "milter: libmilter has given up");
        return nd_status_exit(ND_OS);
    }
    /* A signal told it to end: the listener is left to the next worker. */
    end_after_open_messages();
    return 0;
}
