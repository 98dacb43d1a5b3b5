/* SPDX-License-Identifier: Apache-2.0
 *
 * POST /v1/score: the way of most requests. Reads the body, asks the host for
 * a verdict, and writes it; the store is asked for nothing. Autolearn comes
 * after the verdict, on a thread that may wait, and never changes it.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "learn/verdict.h"
#include "serve/request.h"

#define AUTOLEARN_MS 5000
#define MAX_REASONS 1000

enum { AUTOLEARN_SPAM, AUTOLEARN_HAM, AUTOLEARN_NONE, AUTOLEARN_DROPPED };
enum { INPUT_FINDINGS, INPUT_MESSAGE };

struct scoring {
    struct nd_request *request;
    struct nd_scored_input input;
    struct nd_host_mail mail;
    uint64_t reasons;
    const struct nd_host_verdict *verdicts;
    size_t count;
    const char *autolearned; /* NULL: not asked for */
};

static void write_reasons(struct nd_json *json,
                          const struct nd_host_verdict *verdict)
{
    nd_json_open(json, "reasons", '[');
    for (size_t i = 0; i < verdict->reason_count; i++) {
        const struct nd_reason *reason = &verdict->reasons[i];
        nd_json_open(json, NULL, '{');
        nd_json_text(json, "name", reason->name);
        nd_json_text(json, "family", nd_family(reason->family)->name);
        nd_json_number(json, "change", reason->change);
        nd_json_close(json, '}');
    }
    nd_json_close(json, ']');
}

static void write_verdict(const struct scoring *scoring,
                          const struct nd_host_verdict *verdict)
{
    struct nd_json *json = &scoring->request->json;
    nd_verdict_json(NULL, &verdict->verdict, json);
    if (scoring->reasons > 0) {
        write_reasons(json, verdict);
    }
}

static void write_header(const struct scoring *scoring)
{
    struct nd_buffer text = {0};
    const struct nd_verdict *verdict = &scoring->verdicts[0].verdict;
    nd_verdict_header(verdict, verdict->generation == 0 ? "no model" : "",
                      &text);
    nd_json_text(&scoring->request->json, "header", (const char *)text.data);
    nd_buffer_free(&text);
}

static void write_answer(const struct scoring *scoring)
{
    struct nd_request *request = scoring->request;
    struct nd_json *json = &request->json;
    request->code = 200;
    request->type = "application/json";
    nd_json_open(json, NULL, '{');
    write_verdict(scoring, &scoring->verdicts[0]);
    if (scoring->input.id[0] != '\0') {
        nd_json_text(json, "id", scoring->input.id);
    }
    if (nd_request_switch(request, "header")) {
        write_header(scoring);
    }
    if (scoring->autolearned != NULL) {
        nd_json_text(json, "autolearn", scoring->autolearned);
    }
    if (scoring->count > 1) {
        nd_json_open(json, "rules", '[');
        for (size_t i = 0; i < scoring->count; i++) {
            nd_json_open(json, NULL, '{');
            nd_json_text(json, "rule", scoring->verdicts[i].rule);
            nd_json_text(json, "settings", scoring->verdicts[i].settings);
            write_verdict(scoring, &scoring->verdicts[i]);
            nd_json_close(json, '}');
        }
        nd_json_close(json, ']');
    }
    nd_json_close(json, '}');
}

/* ---- autolearn ---- */

/* What became of it, as a place in the metric's labels. */
static size_t learn_from(struct scoring *scoring)
{
    struct nd_request *request = scoring->request;
    struct nd_host *host = nd_service_host(request->service);
    struct nd_scored_input *input = &scoring->input;
    struct nd_host_results results;
    struct nd_lesson lesson;
    struct nd_error error = {""};
    enum nd_refusal reason;
    if (nd_host_autolearn(host, &scoring->mail, &error, &lesson, &reason) !=
            ND_OK ||
        (input->message == NULL && input->identity == NULL)) {
        return AUTOLEARN_NONE;
    }
    lesson.identity = input->identity;
    enum nd_status status =
        nd_host_learn(host, &scoring->mail, &lesson, AUTOLEARN_MS,
                      request->arena, &error, &results);
    if (status != ND_OK) {
        nd_log(ND_LOG_WARNING, "autolearn id=%s reason=%s: %s", input->id,
               nd_status_name(status), error.text);
        return AUTOLEARN_DROPPED;
    }
    return lesson.label == ND_SPAM ? AUTOLEARN_SPAM : AUTOLEARN_HAM;
}

static bool autolearn(struct scoring *scoring)
{
    struct nd_request *request = scoring->request;
    if (!nd_request_switch(request, "autolearn")) {
        return true;
    }
    if (request->access < ND_ACCESS_LEARN) {
        nd_answer_problem(request, 401,
                          "autolearn needs a token with the role learn");
        return false;
    }
    size_t place = learn_from(scoring);
    nd_metrics_add(nd_service_metrics(request->service), ND_METRIC_AUTOLEARN,
                   place, 1);
    scoring->autolearned = nd_metric(ND_METRIC_AUTOLEARN)->values[place];
    return true;
}

/* ---- the whole ---- */

static void log_verdict(const struct scoring *scoring)
{
    const struct nd_verdict *verdict = &scoring->verdicts[0].verdict;
    if (nd_request_settings(scoring->request)->log_scores) {
        nd_log(ND_LOG_INFO,
               "score id=%s verdict=%s probability=%.5f weight=%.2f "
               "generation=%llu reason=%s",
               scoring->input.id[0] != '\0' ? scoring->input.id : "-",
               nd_verdict_name(verdict->kind), verdict->probability,
               verdict->weight, (unsigned long long)verdict->generation,
               verdict->generation == 0 ? "no_model" : "ok");
    }
}

static bool score(struct scoring *scoring)
{
    struct nd_request *request = scoring->request;
    struct nd_error error = {""};
    enum nd_status status =
        nd_host_score(nd_service_host(request->service), &scoring->mail,
                      (size_t)scoring->reasons, request->arena, &error,
                      &scoring->verdicts, &scoring->count);
    if (status != ND_OK) {
        nd_answer_failure(request, status, &error);
        return false;
    }
    nd_metrics_observe(
        nd_service_metrics(request->service), ND_METRIC_SCORE_SECONDS,
        scoring->input.message != NULL ? INPUT_MESSAGE : INPUT_FINDINGS,
        nd_clock_monotonic_us() - request->read_us);
    return true;
}

void nd_api_score(struct nd_request *request)
{
    struct scoring scoring = {.request = request};
    if (!nd_request_count(request, "explain", 0, MAX_REASONS,
                          &scoring.reasons) ||
        !nd_request_input(request, &scoring.input)) {
        return;
    }
    scoring.mail = nd_request_mail(request, &scoring.input);
    if (score(&scoring) && autolearn(&scoring)) {
        write_answer(&scoring);
        log_verdict(&scoring);
    }
}
