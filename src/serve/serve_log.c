/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines to the journal keep their level; on standard error they carry it as
 * systemd reads it ("<6>") where that is a stream of the journal.
 */
#include "serve/serve_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#include "base/log.h"
#include "serve/serve.h"

static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

static void to_journal(enum nd_log_level level, const char *line, void *context)
{
    (void)context;
    (void)sd_journal_print(priorities[level], "%s", line);
}

static void to_syslog(enum nd_log_level level, const char *line, void *context)
{
    (void)context;
    syslog(priorities[level], "%s", line);
}

static void to_stream(enum nd_log_level level, const char *line, void *context)
{
    (void)context;
    fprintf(stderr, "<%d>%s\n", priorities[level], line);
}

void nd_serve_log_open(const struct nd_serve_settings *settings)
{
    nd_log_set_level((enum nd_log_level)settings->log_level);
    switch ((enum nd_serve_log)settings->log) {
    case ND_SERVE_JOURNAL:
        nd_log_set_sink(to_journal, NULL);
        break;
    case ND_SERVE_SYSLOG:
        openlog("neurald", LOG_PID, LOG_MAIL);
        nd_log_set_sink(to_syslog, NULL);
        break;
    default:
        nd_log_set_sink(getenv("JOURNAL_STREAM") != NULL ? to_stream : NULL,
                        NULL);
    }
}

void nd_serve_log_close(void)
{
    nd_log_set_sink(NULL, NULL);
    closelog();
}
