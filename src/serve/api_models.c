/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/models: the generations that are kept, and which of them is live. What
 * is shown is what the host last saw; what changes the pointer asks the store.
 */
#include "base/hash.h"
#include "base/log.h"
#include "base/units.h"
#include "learn/previous.h"
#include "serve/request.h"

#define POINT_MS 10000

/* The first chosen rule as the host knows it; NULL where there is none. */
static const struct nd_host_scope_status *find_scope(
    struct nd_request *request, const struct nd_host_status *status)
{
    struct nd_host_choice choice = nd_request_choice(request, NULL);
    const struct nd_host_scope_status *scope =
        nd_request_scope(&choice, status);
    if (scope == NULL) {
        nd_answer_problem(request, 404, "no rule of that name and settings");
    }
    return scope;
}

static void write_model(struct nd_json *json, const struct nd_model_info *model)
{
    char digest[2 * ND_DIGEST_BYTES + 1];
    nd_hex(model->digest, ND_DIGEST_BYTES, digest);
    nd_json_open(json, NULL, '{');
    nd_json_unsigned(json, "generation", model->generation);
    nd_json_switch(json, "live", model->live);
    nd_json_switch(json, "pinned", model->pinned);
    nd_json_integer(json, "published_ms", model->published_ms);
    nd_json_text(json, "origin", model->origin);
    nd_json_unsigned(json, "bytes", model->size_bytes);
    nd_json_text(json, "digest", digest);
    nd_json_close(json, '}');
}

void nd_api_models(struct nd_request *request)
{
    struct nd_host_status status;
    struct nd_json *json = &request->json;
    nd_host_status(nd_service_host(request->service), request->arena, &status);
    const struct nd_host_scope_status *scope = find_scope(request, &status);
    if (scope == NULL) {
        return;
    }
    request->code = 200;
    request->type = "application/json";
    nd_json_open(json, NULL, '{');
    nd_json_text(json, "rule", scope->rule);
    nd_json_text(json, "settings", scope->settings);
    nd_json_unsigned(json, "loaded", scope->loaded_generation);
    nd_json_text(json, "problem", scope->model_problem);
    nd_json_open(json, "models", '[');
    for (size_t i = 0; i < scope->model_count; i++) {
        write_model(json, &scope->models[i]);
    }
    nd_json_close(json, ']');
    nd_json_close(json, '}');
}

void nd_api_model(struct nd_request *request)
{
    struct nd_host_status status;
    int64_t generation = 0;
    nd_host_status(nd_service_host(request->service), request->arena, &status);
    const struct nd_host_scope_status *scope = find_scope(request, &status);
    if (scope == NULL) {
        return;
    }
    bool number = nd_parse_integer(request->word, NULL, &generation) == ND_OK;
    for (size_t i = 0; number && i < scope->model_count; i++) {
        if (scope->models[i].generation == (uint64_t)generation) {
            request->code = 200;
            request->type = "application/json";
            write_model(&request->json, &scope->models[i]);
            return;
        }
    }
    nd_answer_problem(request, 404, "%s is no generation of rule %s",
                      request->word, scope->rule);
}

/* ---- pointing ---- */

struct pointing {
    struct nd_scope scope;
    uint64_t generation; /* 0: the live one; for a rollback the one before */
    bool pin, back;
    struct nd_model_pointer pointer; /* afterwards */
};

static enum nd_status point(struct nd_store *store, void *context,
                            struct nd_error *error)
{
    struct pointing *pointing = context;
    enum nd_status status = ND_OK;
    if (pointing->back && pointing->generation == 0) {
        status = nd_model_previous(store, &pointing->scope, error,
                                   &pointing->generation);
    }
    return status == ND_OK
               ? nd_store_model_pin(store, &pointing->scope,
                                    pointing->generation, pointing->pin, error,
                                    &pointing->pointer)
               : status;
}

static void answer_pointing(struct nd_request *request,
                            struct pointing *pointing)
{
    struct nd_host_status status;
    struct nd_json *json = &request->json;
    struct nd_error error = {""};
    nd_host_status(nd_service_host(request->service), request->arena, &status);
    const struct nd_host_scope_status *scope = find_scope(request, &status);
    if (scope == NULL || !nd_request_count(request, "generation", 1, INT64_MAX,
                                           &pointing->generation)) {
        return;
    }
    pointing->scope = (struct nd_scope){scope->rule, scope->settings};
    enum nd_status result = nd_host_ask(nd_service_host(request->service),
                                        point, pointing, POINT_MS, &error);
    nd_log(ND_LOG_INFO, "%s rule=%s generation=%llu reason=%s",
           request->route->name, scope->rule,
           (unsigned long long)pointing->pointer.generation,
           nd_status_name(result));
    if (result != ND_OK) {
        nd_answer_failure(request, result, &error);
        return;
    }
    nd_host_refresh(nd_service_host(request->service));
    request->code = 200;
    request->type = "application/json";
    nd_json_open(json, NULL, '{');
    nd_json_text(json, "rule", scope->rule);
    nd_json_text(json, "settings", scope->settings);
    nd_json_unsigned(json, "generation", pointing->pointer.generation);
    nd_json_switch(json, "pinned", pointing->pointer.pinned);
    nd_json_unsigned(json, "revision", pointing->pointer.revision);
    nd_json_close(json, '}');
}

void nd_api_pin(struct nd_request *request)
{
    struct pointing pointing = {.pin = true};
    answer_pointing(request, &pointing);
}

void nd_api_unpin(struct nd_request *request)
{
    struct pointing pointing = {.pin = false};
    answer_pointing(request, &pointing);
}

void nd_api_rollback(struct nd_request *request)
{
    struct pointing pointing = {.back = true};
    answer_pointing(request, &pointing);
}
