/* SPDX-License-Identifier: Apache-2.0
 *
 * One line an event. A mutex keeps lines of several threads apart and protects
 * the sink; the level is read without it.
 */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#define LINE_BYTES 2048

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static pthread_mutex_t sink_mutex = PTHREAD_MUTEX_INITIALIZER;
static nd_log_sink *current_sink;
static void *current_context;
static atomic_int current_level = ND_LOG_WARNING;

void nd_log_set_sink(nd_log_sink *sink, void *context)
{
    (void)pthread_mutex_lock(&sink_mutex);
    current_sink = sink;
    current_context = context;
    (void)pthread_mutex_unlock(&sink_mutex);
}

void nd_log_set_level(enum nd_log_level level)
{
    atomic_store(&current_level, (int)level);
}

static void make_printable(char *line)
{
    for (; *line != '\0'; line++) {
        unsigned char byte = (unsigned char)*line;
        if (byte < 0x20 || byte == 0x7f)
            *line = '?';
    }
}

void nd_log(enum nd_log_level level, const char *format, ...)
{
    if ((int)level > atomic_load(&current_level))
        return;
    int saved = errno;
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    make_printable(line);
    (void)pthread_mutex_lock(&sink_mutex);
    if (current_sink != NULL)
        current_sink(level, line, current_context);
    else
        fprintf(stderr, "neurald: %s: %s\n", level_names[level], line);
    (void)pthread_mutex_unlock(&sink_mutex);
    errno = saved;
}
