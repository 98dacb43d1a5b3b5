/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests are kept and used again, with their arena and buffers, so that one
 * costs no allocation once the daemon is warm. Problems are put together here,
 * so that all of them look alike.
 */
#include "serve/request.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/units.h"

#define KEPT_BYTES ((size_t)256 << 10)

struct nd_request *nd_request_create(void)
{
    struct nd_request *request = nd_calloc(1, sizeof(*request));
    request->arena = nd_arena_create(0);
    return request;
}

static void trim(struct nd_buffer *buffer)
{
    if (buffer->capacity > KEPT_BYTES) {
        nd_buffer_free(buffer);
    } else {
        nd_buffer_clear(buffer);
    }
}

void nd_request_reset(struct nd_request *request)
{
    nd_service_release(&request->held);
    if (nd_arena_used(request->arena) > KEPT_BYTES) {
        nd_arena_destroy(&request->arena);
        request->arena = nd_arena_create(0);
    } else {
        nd_arena_reset(request->arena);
    }
    trim(&request->body);
    trim(&request->json.buffer);
    struct nd_request kept = {.arena = request->arena,
                              .body = request->body,
                              .json = {.buffer = request->json.buffer}};
    *request = kept;
}

void nd_request_destroy(struct nd_request **request)
{
    if (request == NULL || *request == NULL) {
        return;
    }
    nd_service_release(&(*request)->held);
    nd_arena_destroy(&(*request)->arena);
    nd_buffer_free(&(*request)->body);
    nd_json_free(&(*request)->json);
    free(*request);
    *request = NULL;
}

const struct nd_service_settings *nd_request_settings(
    const struct nd_request *request)
{
    return nd_held(request->held);
}

/* ---- what was asked ---- */

const char *nd_request_parameter(const struct nd_request *request,
                                 const char *name)
{
    for (size_t i = 0; i < request->parameter_count; i++) {
        if (strcmp(request->parameters[i].name, name) == 0) {
            return request->parameters[i].value;
        }
    }
    return NULL;
}

bool nd_switch_read(const char *value, bool *on_r)
{
    static const char *const on[] = {"", "1", "true", "yes"};
    static const char *const off[] = {"0", "false", "no"};
    for (size_t i = 0; i < sizeof(on) / sizeof(on[0]); i++) {
        if (strcasecmp(value, on[i]) == 0) {
            *on_r = true;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
        if (strcasecmp(value, off[i]) == 0) {
            *on_r = false;
            return true;
        }
    }
    return false;
}

bool nd_request_switch(const struct nd_request *request, const char *name)
{
    const char *value = nd_request_parameter(request, name);
    bool is_on = false;
    return value != NULL && nd_switch_read(value, &is_on) && is_on;
}

bool nd_request_count(struct nd_request *request, const char *name,
                      uint64_t low, uint64_t high, uint64_t *value_r)
{
    const char *text = nd_request_parameter(request, name);
    int64_t value = 0;
    if (text == NULL) {
        return true;
    }
    if (nd_parse_integer(text, NULL, &value) != ND_OK || value < 0 ||
        (uint64_t)value < low || (uint64_t)value > high) {
        nd_answer_problem(
            request, 400, "parameter %s is a whole number from %llu to %llu",
            name, (unsigned long long)low, (unsigned long long)high);
        return false;
    }
    *value_r = (uint64_t)value;
    return true;
}

bool nd_request_input(struct nd_request *request,
                      struct nd_scored_input *input_r)
{
    const struct nd_service_settings *settings = nd_request_settings(request);
    struct nd_error error = {""};
    struct nd_body body = {
        .kind = request->body_kind,
        .content_type = request->content_type,
        .data =
            request->body.data != NULL ? (const char *)request->body.data : "",
        .length = request->body.length,
        .full_length = request->body_bytes,
    };
    enum nd_status status =
        nd_scored_input_read(&body, &settings->limits, &settings->trust,
                             request->arena, &error, input_r);
    if (status != ND_OK) {
        nd_answer_problem(request, status == ND_LIMIT ? 413 : 400, "%s",
                          error.text);
        return false;
    }
    const char *id = nd_request_parameter(request, "id");
    if (id != NULL) {
        input_r->id = id;
    } else if (input_r->id[0] == '\0' && input_r->message != NULL) {
        input_r->id = input_r->message->message_id.data;
    }
    return true;
}

struct nd_host_choice nd_request_choice(const struct nd_request *request,
                                        const struct nd_scored_input *input)
{
    struct nd_host_choice choice = {
        .rule = nd_request_parameter(request, "rule"),
        .settings = nd_request_parameter(request, "settings"),
    };
    if (choice.settings == NULL && input != NULL) {
        choice.settings = input->settings;
    }
    return choice;
}

struct nd_host_mail nd_request_mail(const struct nd_request *request,
                                    const struct nd_scored_input *input)
{
    return (struct nd_host_mail){.choice = nd_request_choice(request, input),
                                 .message = input->message,
                                 .scan = input->scan};
}

const struct nd_service_rule *nd_request_rule(const struct nd_request *request,
                                              const char *rule,
                                              const char *settings)
{
    const struct nd_service_settings *own = nd_request_settings(request);
    for (size_t i = 0; i < own->rule_count; i++) {
        if (strcmp(own->shown[i].name, rule) == 0 &&
            strcmp(own->shown[i].settings, settings) == 0) {
            return &own->shown[i];
        }
    }
    return NULL;
}

static bool is_meant(const char *wanted, const char *name)
{
    return wanted == NULL || wanted[0] == '\0' || strcmp(wanted, name) == 0;
}

const struct nd_host_scope_status *nd_request_scope(
    const struct nd_host_choice *choice, const struct nd_host_status *status)
{
    for (size_t i = 0; i < status->scope_count; i++) {
        const struct nd_host_scope_status *scope = &status->scopes[i];
        if (is_meant(choice->rule, scope->rule) &&
            is_meant(choice->settings, scope->settings)) {
            return scope;
        }
    }
    return NULL;
}

/* ---- problems ---- */

static const struct {
    int code;
    const char *title;
} titles[] = {
    {200, "OK"},
    {202, "Accepted"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {507, "Insufficient Storage"},
};

const char *nd_answer_title(int code)
{
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        if (titles[i].code == code) {
            return titles[i].title;
        }
    }
    return "Error";
}

int nd_answer_code(enum nd_status status)
{
    switch (status) {
    case ND_OK:
        return 200;
    case ND_USAGE:
    case ND_DATA:
        return 400;
    case ND_LIMIT:
        return 413;
    case ND_NO_INPUT:
        return 404;
    case ND_NOTHING:
    case ND_SUPERSEDED:
    case ND_LOST:
    case ND_BUSY:
    case ND_KEY:
        return 409;
    case ND_FULL:
        return 507;
    case ND_PERMISSION:
        return 403;
    case ND_UNAVAILABLE:
    case ND_UNCERTAIN:
    case ND_TEMPORARY:
    case ND_CANCELLED:
    case ND_VERSION:
        return 503;
    default:
        return 500;
    }
}

static void write_problem(struct nd_request *request, int code,
                          const char *reason, const char *detail)
{
    nd_buffer_clear(&request->json.buffer);
    request->json.need_comma = false;
    request->code = code;
    request->type = "application/problem+json";
    nd_json_open(&request->json, NULL, '{');
    nd_json_text(&request->json, "type", "about:blank");
    nd_json_text(&request->json, "title", nd_answer_title(code));
    nd_json_integer(&request->json, "status", code);
    nd_json_text(&request->json, "detail", detail);
    if (reason != NULL) {
        nd_json_text(&request->json, "reason", reason);
    }
    nd_json_close(&request->json, '}');
}

void nd_answer_problem(struct nd_request *request, int code, const char *format,
                       ...)
{
    char detail[ND_ERROR_BYTES];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(detail, sizeof(detail), format, list);
    va_end(list);
    write_problem(request, code, NULL, detail);
}

void nd_answer_failure(struct nd_request *request, enum nd_status status,
                       const struct nd_error *error)
{
    const char *detail = error != NULL && error->text[0] != '\0'
                             ? error->text
                             : nd_status_text(status);
    write_problem(request, nd_answer_code(status), nd_status_name(status),
                  detail);
}
