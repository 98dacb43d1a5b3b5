/* SPDX-License-Identifier: Apache-2.0
 *
 * POST /v1/learn: answered when the sample is durable, and says what changed.
 * Runs on a thread that may wait for the store.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/learned.h"
#include "serve/request.h"

#define LEARN_MS 10000

/* Reads what the query says of the label. False: the answer is a problem. */
static bool read_lesson(struct nd_request *request, struct nd_lesson *lesson)
{
    int label = -1, source = ND_SOURCE_API;
    const char *time = nd_request_parameter(request, "time");
    if (!nd_request_class(request, "class", &label) ||
        !nd_request_source(request, &source)) {
        return false;
    }
    if (label < 0) {
        nd_answer_problem(request, 400,
                          "say what the message is: ?class=spam or ?class=ham");
        return false;
    }
    if (time != NULL && strcmp(time, "now") != 0 &&
        strcmp(time, "received") != 0) {
        nd_answer_problem(request, 400, "parameter time is now or received");
        return false;
    }
    *lesson = (struct nd_lesson){
        .label = (enum nd_class)label,
        .source = (enum nd_source)source,
        .by_received_date = time != NULL && strcmp(time, "received") == 0,
    };
    return true;
}

/* Whose sample it is: the query's word goes before the body's. */
static bool read_identity(struct nd_request *request,
                          const struct nd_scored_input *input,
                          struct nd_lesson *lesson)
{
    bool given = false;
    uint8_t *identity = nd_arena_take(request->arena, ND_IDENTITY_BYTES);
    if (!nd_request_identity(request, identity, &given)) {
        return false;
    }
    lesson->identity = given ? identity : input->identity;
    if (lesson->identity == NULL && input->message == NULL) {
        nd_answer_problem(request, 422,
                          "a scan result alone has no identity: give "
                          "\"identity\" (docs/formats/identity.md) or the "
                          "message along with it");
        return false;
    }
    return true;
}

void nd_api_learn(struct nd_request *request)
{
    struct nd_scored_input input;
    struct nd_lesson lesson;
    struct nd_host_results results;
    struct nd_error error = {""};
    if (!read_lesson(request, &lesson) || !nd_request_input(request, &input) ||
        !read_identity(request, &input, &lesson)) {
        return;
    }
    struct nd_host_mail mail = nd_request_mail(request, &input);
    enum nd_status status =
        nd_host_learn(nd_service_host(request->service), &mail, &lesson,
                      LEARN_MS, request->arena, &error, &results);
    nd_metrics_observe(nd_service_metrics(request->service),
                       ND_METRIC_LEARN_SECONDS, 0,
                       nd_clock_monotonic_us() - request->read_us);
    if (status != ND_OK) {
        nd_answer_unlearned(request, status, &error);
    } else {
        const uint8_t *identity =
            lesson.identity != NULL ? lesson.identity : input.message->identity;
        nd_answer_learned(request, identity, &results);
    }
    nd_log(ND_LOG_INFO, "learn id=%s class=%s source=%s code=%d reason=%s",
           input.id[0] != '\0' ? input.id : "-", nd_class_name(lesson.label),
           nd_source_name(lesson.source), request->code,
           status == ND_OK ? nd_learned_word(&results.of[0])
                           : nd_status_name(status));
}
