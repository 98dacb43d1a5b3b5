/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads bodies in one pass: the message by mail/message, JSON by jansson once
 * json_guard has let it through. The limits of the configuration hold for a
 * message from here as for one from a file.
 */
#include "serve/input.h"

#include <string.h>
#include <strings.h>

#include "mail/scan_object.h"
#include "serve/json_guard.h"
#include "serve/multipart.h"
#include "serve/route.h"

#define MAX_ID 998 /* a Message-ID fills a header line at most */

struct reading {
    const struct nd_mail_limits *limits;
    const struct nd_mail_trust *trust;
    struct nd_arena *arena;
    struct nd_error *error;
    struct nd_scored_input input;
};

static enum nd_status read_message(struct reading *reading, const char *data,
                                   size_t length, uint64_t full_length)
{
    struct nd_message *message =
        nd_arena_take(reading->arena, sizeof(*message));
    if (reading->input.message != NULL) {
        return nd_fail(reading->error, ND_DATA,
                       "there is more than one message in the body");
    }
    enum nd_status status =
        nd_message_read(data, length, reading->limits, reading->trust,
                        reading->arena, reading->error, message);
    if (status == ND_OK && full_length > length) {
        message->raw_bytes = (size_t)full_length;
        message->unread_bytes += (size_t)(full_length - length);
    }
    reading->input.message = status == ND_OK ? message : NULL;
    return status;
}

/* The member's text; "" without one. ND_DATA where it is no string, is too
 * long, or holds a NUL. */
static enum nd_status read_text(struct reading *reading, const json_t *root,
                                const char *name, const char **text_r)
{
    const json_t *value = json_object_get(root, name);
    if (value == NULL || json_is_null(value)) {
        return ND_OK;
    }
    size_t length = json_string_length(value);
    const char *text = json_string_value(value);
    if (text == NULL || length > MAX_ID || memchr(text, '\0', length)) {
        return nd_fail(reading->error, ND_DATA,
                       "\"%s\" is not a text of at most %d bytes", name,
                       MAX_ID);
    }
    *text_r = nd_arena_strndup(reading->arena, text, length);
    return ND_OK;
}

static enum nd_status read_identity(struct reading *reading, const json_t *root)
{
    const char *text = "";
    enum nd_status status = read_text(reading, root, "identity", &text);
    if (status != ND_OK || text[0] == '\0') {
        return status;
    }
    uint8_t *identity = nd_arena_take(reading->arena, ND_IDENTITY_BYTES);
    if (!nd_unhex(text, identity, ND_IDENTITY_BYTES)) {
        return nd_fail(reading->error, ND_DATA,
                       "\"identity\" is not %d hexadecimal digits",
                       2 * ND_IDENTITY_BYTES);
    }
    reading->input.identity = identity;
    return ND_OK;
}

static enum nd_status read_object(struct reading *reading, const json_t *root)
{
    struct nd_scan *scan = nd_arena_take(reading->arena, sizeof(*scan));
    if (!json_is_object(root)) {
        return nd_fail(reading->error, ND_DATA, "the JSON is not an object");
    }
    enum nd_status status =
        nd_scan_read_object(root, reading->arena, reading->error, scan);
    if (status == ND_OK) {
        status = read_text(reading, root, "id", &reading->input.id);
    }
    if (status == ND_OK) {
        status = read_text(reading, root, "settings", &reading->input.settings);
    }
    if (status == ND_OK) {
        status = read_identity(reading, root);
    }
    reading->input.scan = status == ND_OK ? scan : NULL;
    return status;
}

static enum nd_status read_json(struct reading *reading, const char *data,
                                size_t length)
{
    json_error_t defect;
    if (reading->input.scan != NULL) {
        return nd_fail(reading->error, ND_DATA,
                       "there is more than one scan result in the body");
    }
    enum nd_status status = nd_json_guard(data, length, reading->error);
    if (status != ND_OK) {
        return status;
    }
    json_t *root = json_loadb(data, length, JSON_ALLOW_NUL, &defect);
    if (root == NULL) {
        return nd_fail(reading->error, ND_DATA,
                       "not JSON: %s at line %d, column %d", defect.text,
                       defect.line, defect.column);
    }
    status = read_object(reading, root);
    json_decref(root);
    return status;
}

static enum nd_status read_part(struct reading *reading,
                                const struct nd_body_part *part)
{
    uint32_t kind = nd_route_body(part->type);
    if (kind == ND_TAKES_NOTHING && part->name != NULL) {
        kind = strcasecmp(part->name, "message") == 0 ? ND_TAKES_MESSAGE
               : strcasecmp(part->name, "scan") == 0  ? ND_TAKES_JSON
                                                      : kind;
    }
    if (kind == ND_TAKES_MESSAGE) {
        return read_message(reading, part->data, part->length, part->length);
    }
    if (kind == ND_TAKES_JSON) {
        return read_json(reading, part->data, part->length);
    }
    return nd_fail(reading->error, ND_DATA,
                   "a part is neither message/rfc822 nor application/json");
}

static enum nd_status read_parts(struct reading *reading,
                                 const struct nd_body *body)
{
    struct nd_body_part parts[ND_MAX_BODY_PARTS];
    size_t count = 0;
    enum nd_status status =
        nd_multipart_read(body->content_type, body->data, body->length,
                          reading->arena, reading->error, parts, &count);
    for (size_t i = 0; i < count && status == ND_OK; i++) {
        status = read_part(reading, &parts[i]);
    }
    return status;
}

enum nd_status nd_scored_input_read(const struct nd_body *body,
                                    const struct nd_mail_limits *limits,
                                    const struct nd_mail_trust *trust,
                                    struct nd_arena *arena,
                                    struct nd_error *error,
                                    struct nd_scored_input *input_r)
{
    struct reading reading = {.limits = limits,
                              .trust = trust,
                              .arena = arena,
                              .error = error,
                              .input = {.id = "", .settings = ""}};
    enum nd_status status;
    switch (body->kind) {
    case ND_TAKES_MESSAGE:
        status =
            read_message(&reading, body->data, body->length, body->full_length);
        break;
    case ND_TAKES_JSON:
        status = read_json(&reading, body->data, body->length);
        break;
    case ND_TAKES_PARTS:
        status = read_parts(&reading, body);
        break;
    default:
        status = nd_fail(error, ND_DATA, "there is nothing in the body");
    }
    if (status == ND_OK) {
        *input_r = reading.input;
    }
    return status;
}
