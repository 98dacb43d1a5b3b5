/* SPDX-License-Identifier: Apache-2.0
 *
 * Whoever reads the log may be slow, stuck or gone, and mail waits for a thread
 * that waits to write a line. So no line is waited for: it is written where
 * there is room for it, else counted, and the next one that gets through says
 * how many were lost. That is why journal and syslog are sent to from here:
 * their libraries wait. On standard error lines carry their level as systemd
 * reads it ("<6>") where that is a stream of the journal.
 */
#include "serve/serve_log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/serve.h"

#define LINE_BYTES 4096 /* what a pipe that is ready takes at once */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET "/dev/log"

/* One call of a sink at a time, so none of this has a lock. */
static struct {
    enum nd_serve_log kind;
    const char *names[4]; /* of levels, on standard error */
    int socket;           /* -1: none yet */
    unsigned long lost;
} sink = {.socket = -1};

static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

/* ---- standard error ---- */

static bool write_stream(enum nd_log_level level, const char *line)
{
    char text[LINE_BYTES];
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    int length =
        snprintf(text, sizeof(text), "%s%s\n", sink.names[level], line);
    if (length < 0 || poll(&ready, 1, 0) < 1 ||
        (ready.revents & POLLOUT) == 0) {
        return false;
    }
    return write(STDERR_FILENO, text,
                 (size_t)length < sizeof(text) ? (size_t)length
                                               : sizeof(text)) > 0;
}

/* ---- the journal and syslog ---- */

static bool open_socket(void)
{
    const char *path =
        sink.kind == ND_SERVE_JOURNAL ? JOURNAL_SOCKET : SYSLOG_SOCKET;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    (void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
    if (sink.socket >= 0) {
        (void)close(sink.socket);
    }
    sink.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return sink.socket >= 0 &&
           connect(sink.socket, (const struct sockaddr *)&name, sizeof(name)) ==
               0;
}

static bool send_text(const char *text)
{
    size_t length = strlen(text);
    for (int attempt = 0; attempt < 2; attempt++) {
        if (sink.socket >= 0 &&
            send(sink.socket, text, length, MSG_NOSIGNAL) >= 0) {
            return true;
        }
        /* Its reader may have been started anew; one that is slow was not. */
        if ((sink.socket >= 0 && errno == EAGAIN) || !open_socket()) {
            return false;
        }
    }
    return false;
}

/* The journal's own protocol: a line has no end of line in it. */
static bool send_journal(enum nd_log_level level, const char *line)
{
    char text[LINE_BYTES];
    (void)snprintf(text, sizeof(text),
                   "PRIORITY=%d\nSYSLOG_IDENTIFIER=neurald\nMESSAGE=%s\n",
                   priorities[level], line);
    return send_text(text);
}

/* RFC 3164, as the C library sends it to a socket of this machine. */
static bool send_syslog(enum nd_log_level level, const char *line)
{
    char text[LINE_BYTES], date[32] = "";
    time_t now = (time_t)(nd_clock_wall_ms() / 1000);
    struct tm parts;
    if (localtime_r(&now, &parts) != NULL) {
        (void)strftime(date, sizeof(date), "%h %e %T", &parts);
    }
    (void)snprintf(text, sizeof(text), "<%d>%s neurald[%ld]: %s",
                   LOG_MAIL | priorities[level], date, (long)getpid(), line);
    return send_text(text);
}

/* ---- all ---- */

static bool put(enum nd_log_level level, const char *line)
{
    switch (sink.kind) {
    case ND_SERVE_JOURNAL:
        return send_journal(level, line);
    case ND_SERVE_SYSLOG:
        return send_syslog(level, line);
    default:
        return write_stream(level, line);
    }
}

static void take_line(enum nd_log_level level, const char *line, void *context)
{
    char told[80];
    (void)context;
    if (sink.lost > 0) {
        (void)snprintf(told, sizeof(told),
                       "%lu lines of the log were lost: nobody took them",
                       sink.lost);
        if (put(ND_LOG_WARNING, told)) {
            sink.lost = 0;
        }
    }
    sink.lost += !put(level, line);
}

void nd_serve_log_open(const struct nd_serve_settings *settings)
{
    static const char *const plain[] = {
        "neurald: error: ", "neurald: warning: ", "neurald: info: ",
        "neurald: debug: "};
    static const char *const marked[] = {"<3>", "<4>", "<6>", "<7>"};
    const char *const *names =
        getenv("JOURNAL_STREAM") != NULL ? marked : plain;
    sink.kind = (enum nd_serve_log)settings->log;
    memcpy(sink.names, names, sizeof(sink.names));
    nd_log_set_level((enum nd_log_level)settings->log_level);
    nd_log_set_sink(take_line, NULL);
}

void nd_serve_log_close(void)
{
    nd_log_set_sink(NULL, NULL);
    if (sink.socket >= 0) {
        (void)close(sink.socket);
    }
    sink.socket = -1;
    sink.lost = 0;
}
