/* SPDX-License-Identifier: Apache-2.0
 *
 * Verdicts as JSON, as a header, as a line for people, and as an exit status.
 */
#ifndef ND_CLI_VERDICT_H
#define ND_CLI_VERDICT_H

#include "base/buffer.h"
#include "cli/json.h"
#include "learn/engine.h"

/* The value of our header. reason (may be NULL or "") says why there is no
 * opinion; it is made printable and cut. */
void nd_verdict_header(const struct nd_verdict *verdict, const char *reason,
                       struct nd_buffer *text);

/* Keys path, probability, verdict, symbol, weight, generation, log_odds. */
void nd_verdict_json(const char *path, const struct nd_verdict *verdict,
                     struct nd_json *json);

/* "PATH: spam 0.99871 NEURALD_SPAM +2.95" */
void nd_verdict_print(const char *path, const struct nd_verdict *verdict,
                      FILE *out);

/* 0 spam, 1 ham, 2 unsure. */
int nd_verdict_exit(enum nd_verdict_kind kind);

/* "No opinion", as where there is no model. */
struct nd_verdict nd_verdict_none(void);

/* Writes text with control characters, and what is not UTF-8, replaced: a
 * sender's words on somebody's terminal. */
void nd_print_safely(const char *text, FILE *out);

#endif
