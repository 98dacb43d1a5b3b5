/* SPDX-License-Identifier: Apache-2.0
 *
 * The log: one line an event, to standard error or to a sink of the host
 * program. Values from mail are made printable.
 */
#ifndef ND_BASE_LOG_H
#define ND_BASE_LOG_H

#include "base/status.h"

enum nd_log_level {
    ND_LOG_ERROR,
    ND_LOG_WARNING,
    ND_LOG_INFO,
    ND_LOG_DEBUG,
};

/* A sink gets each line without its end of line. It may be called from any
 * thread, one call at a time. */
typedef void nd_log_sink(enum nd_log_level level, const char *line,
                         void *context);

/* Replaces the sink (NULL: standard error, "neurald: LEVEL: line"). */
void nd_log_set_sink(nd_log_sink *sink, void *context);
/* Lines above this level are dropped; ND_LOG_WARNING at first. */
void nd_log_set_level(enum nd_log_level level);

/* Formats and writes one line. Thread-safe; keeps errno. */
void nd_log(enum nd_log_level level, const char *format, ...) ND_PRINTF(2, 3);

#endif
