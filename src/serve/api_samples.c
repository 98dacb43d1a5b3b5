/* SPDX-License-Identifier: Apache-2.0
 *
 * POST /v1/forget and /v1/relabel: one sample, by its identity or its message,
 * or all that match a filter. One goes through the host, which keeps it while
 * the store is away; many, and dry runs, ask the store itself.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/units.h"
#include "learn/bulk.h"
#include "serve/learned.h"
#include "serve/request.h"

#define CHANGE_MS 10000
#define MOST_MS 253402300799999 /* the end of the year 9999 */

/* Which samples, and what is to become of them. */
struct change {
    struct nd_request *request;
    bool by_filter, dry_run;
    struct nd_sample_filter filter;
    struct nd_host_sample sample;
    int label; /* new one; -1: forget */
    /* by rule, for a question to the store */
    struct nd_scope *scopes;
    struct nd_bulk_result *results;
    size_t count;
};

static bool read_filter(struct change *change)
{
    struct nd_request *request = change->request;
    uint64_t since = 0, until = 0;
    change->filter = (struct nd_sample_filter){.source = -1, .label = -1};
    if (!nd_request_source(request, &change->filter.source) ||
        !nd_request_class(request, "label", &change->filter.label) ||
        !nd_request_count(request, "since", 0, MOST_MS, &since) ||
        !nd_request_count(request, "until", 0, MOST_MS, &until)) {
        return false;
    }
    change->filter.since_ms = (int64_t)since;
    change->filter.until_ms = (int64_t)until;
    change->by_filter = change->filter.source >= 0 ||
                        change->filter.label >= 0 || since > 0 || until > 0;
    return true;
}

static bool read_identity(struct change *change)
{
    struct nd_request *request = change->request;
    struct nd_scored_input input = {.settings = NULL};
    bool given = false;
    if (!nd_request_identity(request, change->sample.identity, &given)) {
        return false;
    }
    if (!given && request->body.length > 0) {
        if (!nd_request_input(request, &input)) {
            return false;
        }
        const uint8_t *identity =
            input.message != NULL ? input.message->identity : input.identity;
        given = identity != NULL;
        if (given) {
            memcpy(change->sample.identity, identity, ND_IDENTITY_BYTES);
        }
    }
    change->sample.choice = nd_request_choice(request, &input);
    if (given == change->by_filter) {
        nd_answer_problem(request, 400,
                          "say which samples: either a message or identity, "
                          "or source, label, since, until");
        return false;
    }
    return true;
}

static bool read_change(struct change *change)
{
    change->dry_run = nd_request_switch(change->request, "dry_run");
    return read_filter(change) && read_identity(change);
}

/* ---- many, or none yet ---- */

/* The rules that are meant, from what the host knows of the configuration. */
static void choose_scopes(struct change *change)
{
    struct nd_host_status status;
    struct nd_arena *arena = change->request->arena;
    const struct nd_host_choice *choice = &change->sample.choice;
    bool any = choice->rule == NULL || choice->rule[0] == '\0';
    nd_host_status(nd_service_host(change->request->service), arena, &status);
    change->scopes =
        nd_arena_take(arena, status.scope_count * sizeof(*change->scopes));
    for (size_t i = 0; i < status.scope_count; i++) {
        const struct nd_host_scope_status *scope = &status.scopes[i];
        bool settings = choice->settings == NULL ||
                        choice->settings[0] == '\0' ||
                        strcmp(choice->settings, scope->settings) == 0;
        if (settings && (any || strcmp(choice->rule, scope->rule) == 0)) {
            change->scopes[change->count++] =
                (struct nd_scope){scope->rule, scope->settings};
        }
    }
    change->results =
        nd_arena_take(arena, change->count * sizeof(*change->results));
}

static enum nd_status change_in_store(struct nd_store *store, void *context,
                                      struct nd_error *error)
{
    struct change *change = context;
    enum nd_status status = ND_OK;
    struct nd_bulk bulk = {
        .filter = change->filter,
        .identity = change->by_filter ? NULL : change->sample.identity,
        .label = change->label,
        .dry_run = change->dry_run};
    for (size_t i = 0; i < change->count && status == ND_OK; i++) {
        status = nd_bulk_change(store, &change->scopes[i], &bulk, error,
                                &change->results[i]);
    }
    return status;
}

/* Why samples were refused, and how many there are now. */
static void write_reasons(const struct nd_bulk_result *result,
                          struct nd_json *json)
{
    if (result->refused > 0) {
        nd_json_open(json, "reasons", '{');
        for (int i = 0; i < ND_REFUSAL_COUNT; i++) {
            if (result->reasons[i] > 0) {
                nd_json_unsigned(json, nd_refusal_name((enum nd_refusal)i),
                                 result->reasons[i]);
            }
        }
        nd_json_close(json, '}');
    }
    if (result->known) {
        nd_json_unsigned(json, "spam", result->count[ND_SPAM]);
        nd_json_unsigned(json, "ham", result->count[ND_HAM]);
    }
}

static void write_counts(struct change *change)
{
    struct nd_json *json = &change->request->json;
    bool forget = change->label < 0;
    change->request->code = 200;
    change->request->type = "application/json";
    nd_json_open(json, NULL, '{');
    nd_json_open(json, "rules", '[');
    for (size_t i = 0; i < change->count; i++) {
        const struct nd_bulk_result *result = &change->results[i];
        nd_json_open(json, NULL, '{');
        nd_json_text(json, "rule", change->scopes[i].rule);
        nd_json_text(json, "settings", change->scopes[i].settings);
        nd_json_unsigned(json, forget ? "forgotten" : "relabelled",
                         result->changed);
        if (!forget) {
            nd_json_unsigned(json, "unchanged", result->unchanged);
            nd_json_unsigned(json, "refused", result->refused);
        }
        nd_json_unsigned(json, "absent", result->absent);
        write_reasons(result, json);
        nd_json_switch(json, "dry_run", change->dry_run);
        nd_json_close(json, '}');
    }
    nd_json_close(json, ']');
    nd_json_close(json, '}');
}

static enum nd_status change_many(struct change *change, struct nd_error *error)
{
    choose_scopes(change);
    if (change->count == 0) {
        return nd_fail(error, ND_NO_INPUT, "no rule of that name and settings");
    }
    enum nd_status status =
        nd_host_ask(nd_service_host(change->request->service), change_in_store,
                    change, CHANGE_MS, error);
    if (status == ND_OK) {
        write_counts(change);
    }
    return status;
}

/* ---- one ---- */

/* What the host did, in the same shape as the answer of many. */
static void take_results(struct change *change,
                         const struct nd_host_results *results)
{
    struct nd_arena *arena = change->request->arena;
    size_t count = results->count;
    change->count = count;
    change->scopes = nd_arena_take(arena, count * sizeof(*change->scopes));
    change->results = nd_arena_take(arena, count * sizeof(*change->results));
    for (size_t i = 0; i < count; i++) {
        const struct nd_host_result *from = &results->of[i];
        struct nd_bulk_result *to = &change->results[i];
        change->scopes[i] = (struct nd_scope){from->rule, from->settings};
        *to = (struct nd_bulk_result){0};
        bool absent =
            from->outcome == ND_HOST_REFUSED && from->status == ND_NO_INPUT;
        if (change->label < 0) {
            to->changed = from->existed;
            to->absent = from->outcome == ND_HOST_DONE && !from->existed;
        } else if (absent) {
            to->absent = 1;
        } else if (from->outcome != ND_HOST_SPOOLED_HERE) {
            nd_bulk_add(to, &from->put);
        }
    }
}

/* A store that failed under any rule makes a problem of the answer. */
static enum nd_status failure_in(const struct nd_host_results *results,
                                 struct nd_error *error)
{
    for (size_t i = 0; i < results->count; i++) {
        const struct nd_host_result *result = &results->of[i];
        if (result->outcome == ND_HOST_REFUSED && result->status != ND_OK &&
            result->status != ND_NO_INPUT) {
            return nd_fail(error, result->status, "%s", result->text);
        }
    }
    return ND_OK;
}

static enum nd_status change_one(struct change *change, struct nd_error *error)
{
    struct nd_request *request = change->request;
    struct nd_host *host = nd_service_host(request->service);
    struct nd_host_results results;
    struct nd_claim claim = {(enum nd_class)change->label, ND_SOURCE_USER, 0};
    enum nd_status status =
        change->label < 0
            ? nd_host_forget(host, &change->sample, 0, CHANGE_MS,
                             request->arena, error, &results)
            : nd_host_relabel(host, &change->sample, &claim, CHANGE_MS,
                              request->arena, error, &results);
    if (status == ND_OK) {
        status = failure_in(&results, error);
    }
    if (status == ND_OK) {
        take_results(change, &results);
        write_counts(change);
    }
    return status;
}

/* ---- both ---- */

static void answer_change(struct change *change)
{
    struct nd_request *request = change->request;
    struct nd_error error = {""};
    enum nd_status status = change->by_filter || change->dry_run
                                ? change_many(change, &error)
                                : change_one(change, &error);
    nd_metrics_observe(nd_service_metrics(request->service),
                       ND_METRIC_LEARN_SECONDS, 0,
                       nd_clock_monotonic_us() - request->read_us);
    if (status != ND_OK) {
        nd_answer_unlearned(request, status, &error);
    }
    nd_log(ND_LOG_INFO, "%s code=%d reason=%s", request->route->name,
           request->code, nd_status_name(status));
}

void nd_api_forget(struct nd_request *request)
{
    struct change change = {.request = request, .label = -1};
    if (read_change(&change)) {
        answer_change(&change);
    }
}

void nd_api_relabel(struct nd_request *request)
{
    struct change change = {.request = request, .label = -1};
    if (!nd_request_class(request, "class", &change.label)) {
        return;
    }
    if (change.label < 0) {
        nd_answer_problem(request, 400,
                          "say the new label: ?class=spam or ?class=ham");
        return;
    }
    if (read_change(&change)) {
        answer_change(&change);
    }
}
