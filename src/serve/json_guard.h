/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks at JSON before a parser takes memory for it.
 */
#ifndef ND_SERVE_JSON_GUARD_H
#define ND_SERVE_JSON_GUARD_H

#include <stddef.h>

#include "base/status.h"

#define ND_JSON_MAX_BYTES (1U << 20)
#define ND_JSON_MAX_DEPTH 16
#define ND_JSON_MAX_VALUES 50000

/* Counts in one pass, without memory: ND_LIMIT where text is larger, deeper or
 * has more values than the limits above, said in error. Whether it is JSON at
 * all is for the parser to say. */
enum nd_status nd_json_guard(const char *text, size_t length,
                             struct nd_error *error) ND_MUST_CHECK;

#endif
