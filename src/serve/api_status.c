/* SPDX-License-Identifier: Apache-2.0
 *
 * GET /v1/status: the host, and each rule as it last saw it in the store. The
 * rules' members are those of `neurald status --json`.
 */
#include <string.h>

#include "learn/rule_facts.h"
#include "serve/request.h"

#define JOURNAL 5 /* trainings shown, as by `neurald status` */

static void write_roles(uint32_t roles, struct nd_json *json)
{
    nd_json_open(json, "roles", '[');
    if (roles & ND_ROLE_COLLECT) {
        nd_json_text(json, NULL, "collect");
    }
    if (roles & ND_ROLE_SCORE) {
        nd_json_text(json, NULL, "score");
    }
    if (roles & ND_ROLE_TRAIN) {
        nd_json_text(json, NULL, "train");
    }
    nd_json_close(json, ']');
}

static void write_host(const struct nd_host_status *status,
                       struct nd_json *json)
{
    nd_json_text(json, "version", NEURALD_VERSION);
    nd_json_text(json, "store_state", nd_host_store_state_name(status->store));
    nd_json_integer(json, "store_since_ms", status->store_since_ms);
    nd_json_text(json, "store_text", status->store_text);
    write_roles(status->roles, json);
    nd_json_integer(json, "started_ms", status->started_ms);
    nd_json_unsigned(json, "queued", status->queued);
    nd_json_switch(json, "has_key", status->has_key);
    nd_json_unsigned(json, "spooled", status->spool.samples);
    nd_json_unsigned(json, "spooled_bytes", status->spool.bytes);
    nd_json_unsigned(json, "job", status->running_job);
}

static const struct nd_model_info *find_live(
    const struct nd_host_scope_status *scope)
{
    for (size_t i = 0; i < scope->model_count; i++) {
        if (scope->models[i].live) {
            return &scope->models[i];
        }
    }
    return NULL;
}

static void write_rule(struct nd_request *request,
                       const struct nd_host_scope_status *scope)
{
    struct nd_json *json = &request->json;
    size_t host_count = scope->host_count;
    struct nd_host_report *hosts =
        nd_arena_take(request->arena, host_count * sizeof(*hosts));
    for (size_t i = 0; i < host_count; i++) {
        hosts[i] = scope->hosts[i];
    }
    nd_host_reports_merge(hosts, &host_count);
    const struct nd_service_rule *rule =
        nd_request_rule(request, scope->rule, scope->settings);
    struct nd_rule_facts facts = {
        .rule = scope->rule,
        .settings = scope->settings,
        .configured = true,
        .stats = &scope->stats,
        .training = &scope->training,
        .due = scope->due,
        .due_words = scope->due_text,
        .lease = scope->leased ? &scope->lease : NULL,
        .pointer = scope->pointer,
        .live = find_live(scope),
        .problem = scope->model_problem,
        .learn_mode = rule != NULL ? nd_quota_name(rule->quota.mode) : "",
        .target = rule != NULL ? rule->quota.limit : 0,
        .min_train = rule != NULL ? rule->min_train : 0,
        .hosts = hosts,
        .host_count = host_count,
        .journal = scope->journal,
        .journal_count =
            scope->journal_count < JOURNAL ? scope->journal_count : JOURNAL,
    };
    nd_json_open(json, NULL, '{');
    nd_rule_facts_json(&facts, json);
    nd_json_unsigned(json, "loaded", scope->loaded_generation);
    nd_json_integer(json, "seen_ms", scope->seen_ms);
    nd_json_close(json, '}');
}

void nd_api_status(struct nd_request *request)
{
    struct nd_host_status status;
    struct nd_json *json = &request->json;
    nd_host_status(nd_service_host(request->service), request->arena, &status);
    request->code = 200;
    request->type = "application/json";
    nd_json_open(json, NULL, '{');
    nd_json_text(json, "store", nd_request_settings(request)->store);
    write_host(&status, json);
    nd_json_open(json, "rules", '[');
    for (size_t i = 0; i < status.scope_count; i++) {
        write_rule(request, &status.scopes[i]);
    }
    nd_json_close(json, ']');
    nd_json_close(json, '}');
}
