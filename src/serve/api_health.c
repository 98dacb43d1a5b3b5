/* SPDX-License-Identifier: Apache-2.0
 *
 * GET /healthz, /readyz and /metrics: for those who watch over the daemon.
 */
#include "serve/metrics_host.h"
#include "serve/request.h"

void nd_api_health(struct nd_request *request)
{
    request->code = 200;
    request->type = "application/json";
    nd_json_open(&request->json, NULL, '{');
    nd_json_text(&request->json, "status", "ok");
    nd_json_close(&request->json, '}');
}

/* Ready: the store was reached, and no rule waits for a model that is there.
 * One without a model yet is ready: it answers "unsure". */
static bool is_ready(const struct nd_host_status *status)
{
    if (status->store != ND_HOST_STORE_UP) {
        return false;
    }
    for (size_t i = 0; i < status->scope_count; i++) {
        const struct nd_host_scope_status *scope = &status->scopes[i];
        if (scope->loaded_generation == 0 &&
            (scope->seen_ms == 0 || scope->pointer.generation != 0)) {
            return false;
        }
    }
    return true;
}

void nd_api_ready(struct nd_request *request)
{
    struct nd_host_status status;
    struct nd_json *json = &request->json;
    nd_host_status(nd_service_host(request->service), request->arena, &status);
    bool ready = is_ready(&status);
    request->code = ready ? 200 : 503;
    request->type = "application/json";
    nd_json_open(json, NULL, '{');
    nd_json_text(json, "status", ready ? "ready" : "not ready");
    nd_json_text(json, "store", nd_host_store_state_name(status.store));
    nd_json_text(json, "detail", status.store_text);
    nd_json_open(json, "rules", '[');
    for (size_t i = 0; i < status.scope_count; i++) {
        const struct nd_host_scope_status *scope = &status.scopes[i];
        nd_json_open(json, NULL, '{');
        nd_json_text(json, "rule", scope->rule);
        nd_json_text(json, "settings", scope->settings);
        nd_json_unsigned(json, "generation", scope->loaded_generation);
        nd_json_text(json, "problem", scope->model_problem);
        nd_json_close(json, '}');
    }
    nd_json_close(json, ']');
    nd_json_close(json, '}');
}

void nd_api_metrics(struct nd_request *request)
{
    nd_metrics_write(nd_service_metrics(request->service),
                     &request->json.buffer);
    nd_metrics_write_host(nd_service_host(request->service), request->arena,
                          &request->json.buffer);
    request->code = 200;
    request->type = "text/plain; version=0.0.4; charset=utf-8";
}
