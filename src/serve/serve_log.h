/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the daemon's log goes: standard error, the journal, or syslog.
 */
#ifndef ND_SERVE_SERVE_LOG_H
#define ND_SERVE_SERVE_LOG_H

struct nd_serve_settings;

/* Sends the log where the settings say, from their level on. No line is waited
 * for: those that nobody takes are counted and lost. */
void nd_serve_log_open(const struct nd_serve_settings *settings);
/* Back to standard error. */
void nd_serve_log_close(void);

#endif
