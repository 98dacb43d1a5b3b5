/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's answers to the milter's worker. A verdict asks the store for
 * nothing; what autolearn takes is handed to threads that may wait, as a copy
 * of the message, and dropped where too many wait. Tags and quarantine are for
 * verdicts of spam that weigh something: while a rule observes, or without a
 * model, the header is all that changes.
 */
#include "serve/milter_answer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/units.h"
#include "learn/verdict.h"
#include "serve/milter.h"
#include "serve/pool.h"

#define LEARNERS 2
#define MOST_LESSONS 64 /* that wait */
#define LEARN_MS 5000
#define LAST_LESSONS_MS 250 /* for those that wait when it ends */
#define OUTBOUND "outbound" /* settings of mail that own users send */

enum { RESULT_SPAM, RESULT_HAM, RESULT_UNSURE, RESULT_NO_MODEL, RESULT_FAILED };
enum { AUTOLEARN_SPAM, AUTOLEARN_HAM, AUTOLEARN_NONE, AUTOLEARN_DROPPED };
enum { EVENT_TAGGED = ND_LINK_EVENT_COUNT, EVENT_QUARANTINED };

/* What is done with spam; strings are owned. */
struct policy {
    bool has_tag, has_quarantine;
    double tag, quarantine;
    char *tag_subject, *tag_value; /* "" for none */
};

struct nd_mail_server {
    struct nd_service *service;
    pthread_rwlock_t lock; /* policy */
    struct policy policy;
    struct nd_pool *learners;
    struct nd_milter *milter;
};

/* ---- settings ---- */

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            return false;
        }
    }
    return true;
}

/* "NAME: VALUE" apart; value_r points into text. */
static bool split_header(const char *text, char name_r[ND_LINK_NAME_BYTES],
                         const char **value_r)
{
    const char *colon = strchr(text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : 0;
    if (length == 0 || length >= ND_LINK_NAME_BYTES || !is_printable(text)) {
        return false;
    }
    memcpy(name_r, text, length);
    name_r[length] = '\0';
    *value_r = colon + 1 + strspn(colon + 1, " ");
    return nd_link_is_header_name(name_r) && **value_r != '\0';
}

static bool read_mode(const char *text, mode_t *mode_r)
{
    char *end = NULL;
    unsigned long mode = strtoul(text != NULL ? text : "", &end, 8);
    *mode_r = (mode_t)mode;
    return text != NULL && text[0] != '\0' && *end == '\0' && mode <= 0777;
}

enum nd_status nd_milter_settings_check(
    const struct nd_milter_settings *settings, struct nd_error *error)
{
    char name[ND_LINK_NAME_BYTES];
    const char *value;
    mode_t mode;
    if (settings->address != NULL) {
        enum nd_status status =
            nd_milter_address_check(settings->address, error);
        if (status != ND_OK) {
            return status;
        }
    }
    if (settings->header == NULL || !nd_link_is_header_name(settings->header)) {
        return nd_fail(error, ND_CONFIG,
                       "milter: header \"%s\" is no name of a header field",
                       settings->header != NULL ? settings->header : "");
    }
    if (settings->tag_header != NULL &&
        !split_header(settings->tag_header, name, &value)) {
        return nd_fail(error, ND_CONFIG,
                       "milter: tag_header \"%s\" is not of the form "
                       "\"NAME: VALUE\"",
                       settings->tag_header);
    }
    if (settings->tag_subject != NULL && !is_printable(settings->tag_subject)) {
        return nd_fail(error, ND_CONFIG,
                       "milter: tag_subject has control characters");
    }
    if (!read_mode(settings->socket_mode, &mode)) {
        return nd_fail(error, ND_CONFIG,
                       "milter: socket_mode \"%s\" is no mode such as 0660",
                       settings->socket_mode != NULL ? settings->socket_mode
                                                     : "");
    }
    return ND_OK;
}

static struct policy make_policy(const struct nd_milter_settings *settings)
{
    char name[ND_LINK_NAME_BYTES];
    const char *value = "";
    if (settings->tag_header == NULL ||
        !split_header(settings->tag_header, name, &value)) {
        value = "";
    }
    const char *subject = settings->tag_subject;
    return (struct policy){.has_tag = settings->has_tag,
                           .has_quarantine = settings->has_quarantine,
                           .tag = settings->tag,
                           .quarantine = settings->quarantine,
                           .tag_subject = nd_strdup(subject ? subject : ""),
                           .tag_value = nd_strdup(value)};
}

static void free_policy(struct policy *policy)
{
    free(policy->tag_subject);
    free(policy->tag_value);
}

/* What the worker has to know of them. */
static struct nd_link_settings link_settings(
    const struct nd_milter_settings *settings, struct nd_service *service)
{
    struct nd_held_settings *held = nd_service_hold(service);
    struct nd_link_settings link = {
        .deadline_ms = (uint32_t)settings->deadline_ms,
        .max_message = nd_held(held)->limits.max_message,
        .max_memory = (uint64_t)settings->max_memory};
    nd_service_release(&held);
    const char *value;
    memcpy(link.header, settings->header, strlen(settings->header) + 1);
    if (!settings->has_tag || settings->tag_header == NULL ||
        !split_header(settings->tag_header, link.tag_header, &value)) {
        link.tag_header[0] = '\0';
    }
    return link;
}

static void count(struct nd_mail_server *server, enum nd_metric metric,
                  size_t place, uint64_t add)
{
    nd_metrics_add(nd_service_metrics(server->service), metric, place, add);
}

/* ---- reading ---- */

static enum nd_status read_message(struct nd_mail_server *server,
                                   const struct nd_link_question *question,
                                   struct nd_arena *arena,
                                   struct nd_error *error,
                                   struct nd_message *message_r)
{
    struct nd_held_settings *held = nd_service_hold(server->service);
    enum nd_status status = nd_message_read(
        question->message, question->length, &nd_held(held)->limits,
        &nd_held(held)->trust, arena, error, message_r);
    nd_service_release(&held);
    if (status == ND_OK) {
        uint64_t beyond = question->full_length - question->length;
        message_r->raw_bytes = (size_t)question->full_length;
        message_r->unread_bytes += (size_t)beyond;
        message_r->authenticated_user |= question->authenticated;
    }
    return status;
}

static struct nd_host_mail mail_of(const struct nd_link_question *question,
                                   const struct nd_message *message)
{
    return (struct nd_host_mail){
        .choice = {.settings = question->authenticated ? OUTBOUND : NULL},
        .message = message,
        .scan = message->scan.count > 0 ? &message->scan : NULL};
}

/* ---- autolearn ---- */

struct waiting_lesson {
    struct nd_link_question question; /* its texts and message are owned */
    struct nd_lesson lesson;
};

static void free_waiting(struct waiting_lesson *waiting)
{
    free((void *)(uintptr_t)waiting->question.queue_id);
    free((void *)(uintptr_t)waiting->question.message);
    free(waiting);
}

/* Reads the message again, on a thread that may wait for the store. */
static void learn(void *item, void *context)
{
    struct nd_mail_server *server = context;
    struct waiting_lesson *waiting = item;
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_host_results results;
    struct nd_message message;
    struct nd_error error = {""};
    enum nd_status status =
        read_message(server, &waiting->question, arena, &error, &message);
    if (status == ND_OK) {
        struct nd_host_mail mail = mail_of(&waiting->question, &message);
        status =
            nd_host_learn(nd_service_host(server->service), &mail,
                          &waiting->lesson, LEARN_MS, arena, &error, &results);
    }
    if (status != ND_OK) {
        nd_log(ND_LOG_WARNING, "milter: %s: autolearn reason=%s: %s",
               waiting->question.queue_id, nd_status_name(status), error.text);
    }
    count(server, ND_METRIC_AUTOLEARN,
          status != ND_OK                    ? AUTOLEARN_DROPPED
          : waiting->lesson.label == ND_SPAM ? AUTOLEARN_SPAM
                                             : AUTOLEARN_HAM,
          1);
    nd_arena_destroy(&arena);
    free_waiting(waiting);
}

static void autolearn(struct nd_mail_server *server,
                      const struct nd_link_question *question,
                      const struct nd_host_mail *mail)
{
    struct nd_lesson lesson;
    struct nd_error error = {""};
    enum nd_refusal reason;
    if (nd_host_autolearn(nd_service_host(server->service), mail, &error,
                          &lesson, &reason) != ND_OK) {
        return;
    }
    struct waiting_lesson *waiting = nd_calloc(1, sizeof(*waiting));
    waiting->lesson = lesson;
    waiting->question = *question;
    waiting->question.client = waiting->question.sender = "";
    waiting->question.queue_id = nd_strdup(question->queue_id);
    waiting->question.message = (const uint8_t *)nd_strndup(
        (const char *)question->message, question->length);
    if (!nd_pool_submit(server->learners, waiting)) {
        count(server, ND_METRIC_AUTOLEARN, AUTOLEARN_DROPPED, 1);
        nd_log(ND_LOG_WARNING, "milter: %s: autolearn reason=busy",
               question->queue_id);
        free_waiting(waiting);
    }
}

/* ---- the decision ---- */

static void apply_policy(struct nd_mail_server *server,
                         const struct nd_verdict *verdict,
                         struct nd_arena *arena, struct nd_link_answer *answer)
{
    if (verdict->kind != ND_VERDICT_SPAM || verdict->weight <= 0) {
        return;
    }
    (void)pthread_rwlock_rdlock(&server->lock);
    const struct policy *policy = &server->policy;
    if (policy->has_tag && verdict->probability >= policy->tag) {
        answer->subject_tag = nd_arena_strndup(arena, policy->tag_subject,
                                               strlen(policy->tag_subject));
        answer->tag_value = nd_arena_strndup(arena, policy->tag_value,
                                             strlen(policy->tag_value));
        count(server, ND_METRIC_MILTER_EVENTS, EVENT_TAGGED, 1);
    }
    if (policy->has_quarantine && verdict->probability >= policy->quarantine) {
        answer->quarantine = "neurald: spam";
        count(server, ND_METRIC_MILTER_EVENTS, EVENT_QUARANTINED, 1);
    }
    (void)pthread_rwlock_unlock(&server->lock);
}

static void write_header(const struct nd_verdict *verdict, const char *reason,
                         struct nd_arena *arena, struct nd_link_answer *answer)
{
    struct nd_buffer text = {0};
    nd_verdict_header(verdict, reason, &text);
    answer->header =
        nd_arena_strndup(arena, (const char *)text.data, text.length);
    nd_buffer_free(&text);
}

static size_t result_of(const struct nd_verdict *verdict)
{
    return verdict->generation == 0           ? RESULT_NO_MODEL
           : verdict->kind == ND_VERDICT_SPAM ? RESULT_SPAM
           : verdict->kind == ND_VERDICT_HAM  ? RESULT_HAM
                                              : RESULT_UNSURE;
}

static void log_decision(const struct nd_link_question *question,
                         const struct nd_verdict *verdict, const char *reason,
                         const struct nd_link_answer *answer)
{
    nd_log(ND_LOG_INFO,
           "milter: %s: verdict=%s probability=%.5f weight=%.2f "
           "generation=%llu reason=%s%s%s client=%s from=<%s>",
           question->queue_id[0] != '\0' ? question->queue_id : "-",
           nd_verdict_name(verdict->kind), verdict->probability,
           verdict->weight, (unsigned long long)verdict->generation, reason,
           answer->subject_tag[0] != '\0' || answer->tag_value[0] != '\0'
               ? " tagged"
               : "",
           answer->quarantine[0] != '\0' ? " quarantined" : "",
           question->client, question->sender);
}

static void decide(const struct nd_link_question *question,
                   struct nd_arena *arena, struct nd_link_answer *answer_r,
                   void *context)
{
    struct nd_mail_server *server = context;
    const struct nd_host_verdict *verdicts = NULL;
    struct nd_verdict verdict = nd_verdict_none();
    struct nd_message message;
    struct nd_error error = {""};
    size_t verdict_count = 0;
    int64_t start_us = nd_clock_monotonic_us();
    enum nd_status status =
        read_message(server, question, arena, &error, &message);
    if (status == ND_OK) {
        struct nd_host_mail mail = mail_of(question, &message);
        status = nd_host_score(nd_service_host(server->service), &mail, 0,
                               arena, &error, &verdicts, &verdict_count);
        autolearn(server, question, &mail);
    }
    if (status == ND_OK) {
        verdict = verdicts[0].verdict;
    }
    const char *reason = status != ND_OK           ? nd_status_name(status)
                         : verdict.generation == 0 ? "no_model"
                                                   : "ok";
    write_header(&verdict,
                 status != ND_OK           ? error.text
                 : verdict.generation == 0 ? "no model"
                                           : NULL,
                 arena, answer_r);
    apply_policy(server, &verdict, arena, answer_r);
    log_decision(question, &verdict, reason, answer_r);
    count(server, ND_METRIC_MILTER_MESSAGES,
          status == ND_OK ? result_of(&verdict) : RESULT_FAILED, 1);
    nd_metrics_observe(nd_service_metrics(server->service),
                       ND_METRIC_MILTER_SECONDS, 0,
                       nd_clock_monotonic_us() - start_us);
}

static void tell(const struct nd_link_events *events, void *context)
{
    for (size_t i = 0; i < ND_LINK_EVENT_COUNT; i++) {
        count(context, ND_METRIC_MILTER_EVENTS, i, events->of[i]);
    }
}

static void started(void *context)
{
    count(context, ND_METRIC_MILTER_STARTS, 0, 1);
}

/* ---- life ---- */

enum nd_status nd_mail_server_listen(const struct nd_milter_settings *settings,
                                     struct nd_error *error, int *listener_r)
{
    mode_t mode = 0;
    *listener_r = -1;
    if (settings->address == NULL) {
        return ND_OK;
    }
    (void)read_mode(settings->socket_mode, &mode);
    return nd_milter_listen(settings->address, mode, error, listener_r);
}

enum nd_status nd_mail_server_start(const struct nd_milter_settings *settings,
                                    struct nd_service *service, int listener,
                                    struct nd_error *error,
                                    struct nd_mail_server **server_r)
{
    struct nd_mail_server *server = nd_calloc(1, sizeof(*server));
    server->service = service;
    server->policy = make_policy(settings);
    (void)pthread_rwlock_init(&server->lock, NULL);
    struct nd_milter_options options = {.listener = listener,
                                        .settings =
                                            link_settings(settings, service),
                                        .decide = decide,
                                        .tell = tell,
                                        .started = started,
                                        .context = server};
    enum nd_status status = nd_pool_create(LEARNERS, MOST_LESSONS, learn,
                                           server, error, &server->learners);
    if (status == ND_OK) {
        status = nd_milter_start(&options, error, &server->milter);
    }
    if (status != ND_OK) {
        nd_mail_server_stop(&server);
        return status;
    }
    *server_r = server;
    return ND_OK;
}

void nd_mail_server_reload(struct nd_mail_server *server,
                           const struct nd_milter_settings *settings)
{
    struct policy policy = make_policy(settings);
    struct nd_link_settings link = link_settings(settings, server->service);
    (void)pthread_rwlock_wrlock(&server->lock);
    struct policy old = server->policy;
    server->policy = policy;
    (void)pthread_rwlock_unlock(&server->lock);
    free_policy(&old);
    nd_milter_apply(server->milter, &link);
}

void nd_mail_server_end(struct nd_mail_server *server)
{
    if (server == NULL) {
        return;
    }
    nd_milter_stop(&server->milter);
    if (server->learners != NULL) {
        nd_pool_wait(server->learners, LAST_LESSONS_MS);
    }
}

void nd_mail_server_stop(struct nd_mail_server **server)
{
    if (server == NULL || *server == NULL) {
        return;
    }
    nd_mail_server_end(*server);
    nd_pool_destroy(&(*server)->learners);
    (void)pthread_rwlock_destroy(&(*server)->lock);
    free_policy(&(*server)->policy);
    free(*server);
    *server = NULL;
}
