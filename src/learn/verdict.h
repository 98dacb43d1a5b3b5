/* SPDX-License-Identifier: Apache-2.0
 *
 * Verdicts as a header and as JSON, for the command line and the daemon.
 */
#ifndef ND_LEARN_VERDICT_H
#define ND_LEARN_VERDICT_H

#include "base/buffer.h"
#include "base/json.h"
#include "learn/engine.h"

/* The value of our header. reason (may be NULL or "") says why there is no
 * opinion; it is made printable and cut. */
void nd_verdict_header(const struct nd_verdict *verdict, const char *reason,
                       struct nd_buffer *text);

/* Keys path (left out where it is NULL), probability, verdict, symbol, weight,
 * generation, log_odds. */
void nd_verdict_json(const char *path, const struct nd_verdict *verdict,
                     struct nd_json *json);

/* "No opinion", as where there is no model. */
struct nd_verdict nd_verdict_none(void);

#endif
