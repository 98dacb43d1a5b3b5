/* SPDX-License-Identifier: Apache-2.0
 *
 * One check after the other, in the order in which a client wants to hear of
 * them: does it exist, may I, is it too much, is it of the right kind. Memory
 * is promised to a body here or not at all.
 */
#include "serve/gate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "serve/json_guard.h"

#define MAX_HELD ((uint64_t)512 << 20) /* of all bodies together */

static bool check_route(struct nd_request *request,
                        const struct nd_request_head *head)
{
    struct nd_buffer allowed = {0};
    request->word = "";
    request->route =
        nd_route_find(head->method, head->path, &request->word, &allowed);
    if (request->route == NULL && allowed.length > 0) {
        request->allow = nd_arena_strndup(
            request->arena, (const char *)allowed.data, allowed.length);
        nd_answer_problem(request, 405, "%.40s is not for %.100s; it takes %s",
                          head->method, head->path, request->allow);
    } else if (request->route == NULL) {
        nd_answer_problem(request, 404, "there is nothing at %.100s",
                          head->path);
    }
    nd_buffer_free(&allowed);
    return request->route != NULL;
}

static bool check_access(struct nd_request *request,
                         const struct nd_request_head *head)
{
    const struct nd_service_settings *settings = nd_request_settings(request);
    enum nd_access needed = request->route->access;
    request->access =
        nd_tokens_access(settings->tokens, head->authorization, head->near);
    if (request->access >= needed) {
        return true;
    }
    enum nd_access own =
        nd_tokens_access(settings->tokens, head->authorization, false);
    if (own != ND_ACCESS_NONE) {
        nd_answer_problem(
            request, 403, "%s needs a token with the role %s; this one has %s",
            request->route->path, nd_access_name(needed), nd_access_name(own));
    } else {
        nd_answer_problem(request, 401, "%s needs a token with the role %s%s",
                          request->route->path, nd_access_name(needed),
                          nd_tokens_count(settings->tokens) == 0
                              ? "; the daemon has no --token-file"
                              : "");
    }
    return false;
}

static bool check_rate(struct nd_request *request,
                       const struct nd_request_head *head)
{
    double rate = nd_request_settings(request)->rate_limit;
    if (rate <= 0 || request->route->access == ND_ACCESS_NONE ||
        nd_service_admits(request->service, head->client, rate)) {
        return true;
    }
    nd_answer_problem(request, 429, "more than %g requests a second", rate);
    return false;
}

/* The Content-Length as a number; false where it is none. */
static bool read_length(const char *text, uint64_t *length_r)
{
    char *end = NULL;
    errno = 0;
    uint64_t length = strtoumax(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-') {
        return false;
    }
    *length_r = length;
    return true;
}

static bool check_type(struct nd_request *request,
                       const struct nd_request_head *head)
{
    bool has_body = request->body_bytes > 0 || head->transfer_encoding != NULL;
    uint32_t takes = request->route->takes;
    request->content_type = head->content_type;
    request->body_kind =
        has_body || head->content_type != NULL || takes == ND_TAKES_MAIL
            ? nd_route_body(head->content_type)
            : ND_TAKES_NOTHING;
    if (has_body && request->body_kind == ND_TAKES_NOTHING) {
        request->body_kind = 0; /* bytes without a type */
    }
    if ((takes & request->body_kind) != 0 ||
        (!has_body && (takes & ND_TAKES_NOTHING) != 0)) {
        return true;
    }
    nd_answer_problem(
        request, 415, "%s takes %s; this is %.100s", request->route->path,
        (takes & ND_TAKES_JSON) != 0
            ? "message/rfc822, application/json, multipart/form-data or "
              "multipart/mixed"
            : "no body",
        head->content_type != NULL ? head->content_type : "without a type");
    return false;
}

/* How much of a body is kept. Of a message the rest is counted; of anything
 * else nothing may be missing. */
static uint64_t kept_bytes(const struct nd_request *request)
{
    uint64_t most = nd_request_settings(request)->limits.max_message;
    switch (request->body_kind) {
    case ND_TAKES_MESSAGE:
        return most;
    case ND_TAKES_PARTS:
        return most + 2 * (uint64_t)ND_JSON_MAX_BYTES;
    default:
        return ND_JSON_MAX_BYTES;
    }
}

static bool check_size(struct nd_request *request,
                       const struct nd_request_head *head, uint64_t *held_r)
{
    uint64_t length = request->body_bytes, kept = kept_bytes(request);
    uint64_t most = nd_request_settings(request)->max_body;
    struct nd_metrics *metrics = nd_service_metrics(request->service);
    if (head->transfer_encoding != NULL ||
        (head->content_length == NULL &&
         (request->route->takes & ND_TAKES_NOTHING) == 0)) {
        nd_answer_problem(request, 411,
                          "a body comes with its Content-Length, not in "
                          "chunks");
        request->body_bytes = UINT64_MAX;
        return false;
    }
    if (length > most ||
        (length > kept && request->body_kind != ND_TAKES_MESSAGE)) {
        most =
            request->body_kind != ND_TAKES_MESSAGE && kept < most ? kept : most;
        nd_answer_problem(request, 413,
                          "%" PRIu64 " bytes of body, at most %" PRIu64
                          " are read",
                          length, most);
        return false;
    }
    kept = length < kept ? length : kept;
    if (nd_metrics_value(metrics, ND_METRIC_BODIES_HELD, 0) + kept > MAX_HELD) {
        nd_answer_problem(request, 503, "too many large bodies at once");
        return false;
    }
    nd_metrics_add(metrics, ND_METRIC_BODIES_HELD, 0, kept);
    *held_r = kept;
    return true;
}

/* A "dry_run=maybe" that counted as off would do what was not meant. */
static bool check_switch(struct nd_request *request, const char *name,
                         const char *value)
{
    static const char *const switches[] = {"autolearn", "dry_run", "force",
                                           "header"};
    for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
        bool is_on;
        if (strcmp(name, switches[i]) == 0 && !nd_switch_read(value, &is_on)) {
            nd_answer_problem(request, 400, "parameter %s is 1 or 0", name);
            return false;
        }
    }
    return true;
}

static bool check_parameters(struct nd_request *request)
{
    for (size_t i = 0; i < request->parameter_count; i++) {
        const char *name = request->parameters[i].name;
        if (!nd_route_knows(request->route, name)) {
            nd_answer_problem(
                request, 400, "%s has no parameter %.60s; it has: %s",
                request->route->path, name, request->route->parameters);
            return false;
        }
        if (nd_request_parameter(request, name) !=
            request->parameters[i].value) {
            nd_answer_problem(request, 400, "parameter %.60s is given twice",
                              name);
            return false;
        }
        if (!check_switch(request, name, request->parameters[i].value)) {
            return false;
        }
    }
    return true;
}

void nd_gate_check(struct nd_request *request,
                   const struct nd_request_head *head, uint64_t *held_r)
{
    bool fine = true;
    if (head->content_length != NULL &&
        (head->length_count > 1 ||
         !read_length(head->content_length, &request->body_bytes))) {
        nd_answer_problem(request, 400, "%s",
                          head->length_count > 1
                              ? "the Content-Length is given twice"
                              : "the Content-Length is no number");
        request->body_bytes = UINT64_MAX; /* wherever it may end */
        fine = false;
    }
    if (head->transfer_encoding != NULL) {
        request->body_bytes = UINT64_MAX;
    }
    if (fine && check_route(request, head) && check_access(request, head) &&
        check_rate(request, head) && check_type(request, head) &&
        check_parameters(request)) {
        (void)check_size(request, head, held_r);
    }
}
