/* SPDX-License-Identifier: Apache-2.0
 *
 * What a request brings to be scored or learned: a message, a scan result, or
 * both, read from its body.
 */
#ifndef ND_SERVE_INPUT_H
#define ND_SERVE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/memory.h"
#include "mail/message.h"
#include "mail/scan.h"

/* The body as it came. */
struct nd_body {
    uint32_t kind;            /* one of ND_TAKES_... (route.h) */
    const char *content_type; /* with its parameters */
    const char *data;
    size_t length;
    uint64_t full_length; /* what was beyond length was not kept */
};

struct nd_scored_input {
    const struct nd_message *message; /* NULL without one */
    const struct nd_scan *scan;       /* NULL: the message's own, if any */
    const char *id;                   /* as the caller calls it; "" */
    const char *settings;             /* "" */
    const uint8_t *identity;          /* the JSON's, NULL without */
};

/* Reads a body; all of it in the arena or the body. JSON is an object with
 * "symbols" and perhaps "metatokens", "id", "settings", "identity" (32
 * hexadecimal digits), and totals as of nd_scan_read_json. A body of parts has
 * one of JSON and one message at most. ND_DATA: malformed; ND_LIMIT: beyond the
 * limits of JSON or parts. Any thread with an arena of its own. */
enum nd_status nd_scored_input_read(
    const struct nd_body *body, const struct nd_mail_limits *limits,
    const struct nd_mail_trust *trust, struct nd_arena *arena,
    struct nd_error *error, struct nd_scored_input *input_r) ND_MUST_CHECK;

#endif
