/* SPDX-License-Identifier: Apache-2.0
 *
 * POST /v1/train and GET /v1/jobs/ID: a training is a job of the host's
 * trainer; the request for it is answered at once.
 */
#include <math.h>

#include "base/units.h"
#include "learn/report_json.h"
#include "serve/request.h"

static const char *const states[] = {"waiting", "running", "ended"};

static void write_job(struct nd_request *request, const struct nd_host_job *job)
{
    struct nd_json *json = &request->json;
    request->type = "application/json";
    nd_json_open(json, NULL, '{');
    nd_json_unsigned(json, "id", job->id);
    nd_json_text(json, "rule", job->rule);
    nd_json_text(json, "settings", job->settings);
    nd_json_text(json, "state", states[job->state]);
    nd_json_number(json, "done", job->done);
    nd_json_number(json, "loss", job->loss);
    nd_json_text(json, "stage", job->stage);
    nd_json_integer(json, "started_ms", job->started_ms);
    nd_json_integer(json, "ended_ms", job->ended_ms);
    if (job->state == ND_HOST_JOB_ENDED) {
        nd_json_text(json, "status", nd_status_name(job->status));
        nd_json_text(json, "detail", job->text);
    }
    if (job->state == ND_HOST_JOB_ENDED && job->status == ND_OK) {
        nd_json_open(json, "report", '{');
        nd_report_json(job->rule, job->settings, &job->report, json);
        nd_json_close(json, '}');
    }
    nd_json_close(json, '}');
}

static void answer_job(struct nd_request *request, uint64_t id, int code)
{
    struct nd_host_job job;
    struct nd_error error = {""};
    enum nd_status status =
        nd_host_job(nd_service_host(request->service), id, &error, &job);
    if (status != ND_OK) {
        nd_answer_failure(request, status, &error);
        return;
    }
    request->code = code;
    write_job(request, &job);
}

void nd_api_train(struct nd_request *request)
{
    struct nd_host_choice choice = nd_request_choice(request, NULL);
    struct nd_error error = {""};
    uint64_t id = 0;
    enum nd_status status =
        nd_host_train(nd_service_host(request->service), &choice,
                      nd_request_switch(request, "force"), &error, &id);
    if (status != ND_OK) {
        nd_answer_failure(request, status, &error);
        return;
    }
    answer_job(request, id, 202);
}

void nd_api_job(struct nd_request *request)
{
    int64_t id = 0;
    if (nd_parse_integer(request->word, NULL, &id) != ND_OK || id <= 0) {
        nd_answer_problem(request, 404, "%s is no job", request->word);
        return;
    }
    answer_job(request, (uint64_t)id, 200);
}
