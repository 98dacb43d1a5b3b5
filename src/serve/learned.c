/* SPDX-License-Identifier: Apache-2.0
 *
 * From parameters to labels, and from the host's results to answers.
 */
#include "serve/learned.h"

#include <string.h>

/* ---- parameters ---- */

bool nd_request_class(struct nd_request *request, const char *name,
                      int *label_r)
{
    const char *value = nd_request_parameter(request, name);
    for (int label = ND_HAM; value != NULL && label <= ND_SPAM; label++) {
        if (strcmp(value, nd_class_name((enum nd_class)label)) == 0) {
            *label_r = label;
            return true;
        }
    }
    if (value != NULL) {
        nd_answer_problem(request, 400, "parameter %s is spam or ham", name);
    }
    return value == NULL;
}

bool nd_request_source(struct nd_request *request, int *source_r)
{
    const char *value = nd_request_parameter(request, "source");
    for (int source = 0; value != NULL && source < ND_SOURCE_COUNT; source++) {
        if (strcmp(value, nd_source_name((enum nd_source)source)) == 0) {
            *source_r = source;
            return true;
        }
    }
    if (value != NULL) {
        nd_answer_problem(request, 400,
                          "parameter source is user, trap, api or autolearn");
    }
    return value == NULL;
}

bool nd_request_identity(struct nd_request *request,
                         uint8_t identity_r[ND_IDENTITY_BYTES], bool *given_r)
{
    const char *value = nd_request_parameter(request, "identity");
    if (value == NULL) {
        return true;
    }
    if (!nd_unhex(value, identity_r, ND_IDENTITY_BYTES)) {
        nd_answer_problem(request, 400,
                          "parameter identity has %d hexadecimal digits",
                          2 * ND_IDENTITY_BYTES);
        return false;
    }
    *given_r = true;
    return true;
}

/* ---- answers ---- */

static const char *const outcomes[] = {
    [ND_PUT_STORED] = "stored",         [ND_PUT_REPLACED] = "replaced",
    [ND_PUT_RELABELLED] = "relabelled", [ND_PUT_MERGED] = "merged",
    [ND_PUT_DUPLICATE] = "duplicate",   [ND_PUT_REFUSED] = "refused",
};

static const char *outcome_of(const struct nd_host_result *result)
{
    switch (result->outcome) {
    case ND_HOST_DONE:
        return outcomes[result->put.outcome];
    case ND_HOST_SPOOLED_HERE:
        return "spooled";
    default:
        return "refused";
    }
}

static const char *reason_of(const struct nd_host_result *result)
{
    if (result->status != ND_OK) {
        return nd_status_name(result->status);
    }
    return nd_refusal_name(result->put.reason);
}

const char *nd_learned_word(const struct nd_host_result *result)
{
    const char *word = outcome_of(result);
    return strcmp(word, "refused") == 0 ? reason_of(result) : word;
}

static void write_result(struct nd_json *json,
                         const struct nd_host_result *result)
{
    const char *outcome = outcome_of(result);
    nd_json_text(json, "rule", result->rule);
    nd_json_text(json, "settings", result->settings);
    nd_json_text(json, "outcome", outcome);
    if (strcmp(outcome, "refused") == 0) {
        nd_json_text(json, "reason", reason_of(result));
        nd_json_text(json, "detail", result->text);
    }
    if (strcmp(outcome, "relabelled") == 0) {
        nd_json_text(json, "was", nd_class_name(result->put.old_label));
    }
    if (result->outcome != ND_HOST_SPOOLED_HERE && result->status == ND_OK) {
        nd_json_unsigned(json, "spam", result->put.count[ND_SPAM]);
        nd_json_unsigned(json, "ham", result->put.count[ND_HAM]);
    }
}

/* The worst of the results decides. */
static int code_of(const struct nd_host_results *results)
{
    int code = 200;
    for (size_t i = 0; i < results->count; i++) {
        const struct nd_host_result *result = &results->of[i];
        int own = result->outcome == ND_HOST_SPOOLED_HERE ? 202 : 200;
        if (result->outcome == ND_HOST_REFUSED && result->status != ND_OK) {
            own = nd_answer_code(result->status);
        }
        code = own > code ? own : code;
    }
    return code;
}

void nd_answer_learned(struct nd_request *request,
                       const uint8_t identity[ND_IDENTITY_BYTES],
                       const struct nd_host_results *results)
{
    struct nd_json *json = &request->json;
    char digits[2 * ND_IDENTITY_BYTES + 1];
    request->code = code_of(results);
    if (request->code >= 400) {
        const struct nd_host_result *worst = &results->of[0];
        for (size_t i = 0; i < results->count; i++) {
            worst = results->of[i].status != ND_OK ? &results->of[i] : worst;
        }
        struct nd_error error;
        (void)nd_fail(&error, worst->status, "%s", worst->text);
        nd_answer_failure(request, worst->status, &error);
        return;
    }
    nd_hex(identity, ND_IDENTITY_BYTES, digits);
    request->type = "application/json";
    nd_json_open(json, NULL, '{');
    nd_json_text(json, "identity", digits);
    write_result(json, &results->of[0]);
    nd_json_open(json, "rules", '[');
    for (size_t i = 0; i < results->count; i++) {
        nd_json_open(json, NULL, '{');
        write_result(json, &results->of[i]);
        nd_json_close(json, '}');
    }
    nd_json_close(json, ']');
    nd_json_close(json, '}');
}

void nd_answer_unlearned(struct nd_request *request, enum nd_status status,
                         const struct nd_error *error)
{
    nd_answer_failure(request, status, error);
    if (status == ND_BUSY) { /* of the queue, not of a lease */
        nd_answer_problem(request, 503, "%s", error->text);
    }
}
