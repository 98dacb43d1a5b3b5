/* SPDX-License-Identifier: Apache-2.0
 *
 * The learner: the one thread that changes samples, with a store handle and
 * engines of its own. It takes what has queued up, stores lessons of one rule
 * in batches, and tells each caller what became of its own. While the store is
 * away it writes to the spool instead, without trying the store each time.
 */
#include "learn/host_learner.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "learn/bulk.h"
#include "learn/features_record.h"

#define ATTEMPTS 3
#define IDLE_US INT64_C(60000000)

/* ---- engines ---- */

static void share_key(struct nd_host_learner *learner,
                      const struct nd_engine *engine)
{
    struct nd_host *host = learner->host;
    struct nd_error error;
    if (!engine->has_key)
        return;
    nd_host_keep_key(host, &engine->key);
    if (host->spool == NULL || host->has_key_file ||
        memcmp(learner->kept_key, engine->key.id, sizeof learner->kept_key) ==
            0)
        return;
    if (nd_spool_keep_key(host->spool, &engine->key, &error) == ND_OK)
        memcpy(learner->kept_key, engine->key.id, sizeof learner->kept_key);
}

enum nd_status nd_host_learner_engine(struct nd_host_learner *learner,
                                      size_t place, struct nd_error *error,
                                      struct nd_engine **engine_r)
{
    enum nd_status status =
        nd_host_crew_engine(&learner->crew, place, error, engine_r);
    if (status == ND_OK)
        share_key(learner, *engine_r);
    return status;
}

/* ---- telling callers ---- */

static void finish(struct nd_host *host, struct nd_host_call *call)
{
    (void)pthread_mutex_lock(&host->queue_lock);
    call->done = true;
    bool abandoned = call->abandoned;
    (void)pthread_cond_signal(&call->changed);
    (void)pthread_mutex_unlock(&host->queue_lock);
    if (abandoned)
        nd_host_call_free(call);
}

static void settle(struct nd_host *host, struct nd_host_part *part)
{
    bool refused = part->result.put.outcome == ND_PUT_REFUSED;
    part->told = true;
    part->result.outcome = refused ? ND_HOST_REFUSED : ND_HOST_DONE;
    nd_host_count(host, ND_HOST_AT(learned) + part->result.put.outcome, 1);
    if (refused)
        nd_host_count(host, ND_HOST_AT(refused) + part->result.put.reason, 1);
}

/* Not taken, for the store's or the spool's sake. */
static void fail_part(struct nd_host *host, struct nd_host_part *part,
                      enum nd_status status, const struct nd_error *error)
{
    part->error = *error;
    part->told = true;
    part->result.outcome = ND_HOST_REFUSED;
    part->result.status = status;
    part->result.text = part->error.text;
    part->result.put = (struct nd_put_result){.outcome = ND_PUT_REFUSED,
                                              .reason = ND_REFUSED_STORE};
    nd_host_count(host, ND_HOST_AT(refused) + ND_REFUSED_STORE, 1);
}

/* What a call as a whole says where parts of it failed. */
static void conclude(struct nd_host *host, struct nd_host_call *call)
{
    bool stopping = atomic_load(&host->stopping);
    for (size_t i = 0; i < call->count; i++) {
        const struct nd_host_part *part = &call->parts[i];
        enum nd_status status = part->result.status;
        bool away = nd_host_is_away(status) && status != ND_NO_INPUT;
        if (status == ND_UNCERTAIN && call->status != ND_UNCERTAIN)
            call->status = ND_UNCERTAIN;
        else if (stopping && away && call->status == ND_OK)
            call->status = ND_CANCELLED;
        else
            continue;
        call->error = part->error;
    }
    finish(host, call);
}

/* ---- into the spool ---- */

static void spooled(struct nd_host *host, struct nd_host_part *part)
{
    part->told = true;
    part->result.outcome = ND_HOST_SPOOLED_HERE;
    part->result.status = ND_OK;
    part->result.text = "";
    nd_host_count(host, ND_HOST_AT(spooled), 1);
}

static struct nd_spool_record lesson_record(const struct nd_host_part *part,
                                            int64_t now_ms,
                                            struct nd_buffer *payload)
{
    const struct nd_prepared_lesson *lesson = &part->lesson;
    struct nd_spool_record record = {
        .kind = ND_SPOOL_LEARN,
        .scope = {part->result.rule, part->result.settings},
        .label = lesson->label,
        .source = lesson->source,
        .label_ms = lesson->label_ms,
        .time_ms = lesson->time_ms != 0 ? lesson->time_ms : now_ms};
    memcpy(record.identity, lesson->identity, sizeof record.identity);
    nd_features_record_write(&lesson->features, payload);
    record.payload = payload->data;
    record.payload_length = payload->length;
    return record;
}

/* All of parts that have no answer yet, in one step; why not becomes status
 * and error. */
static void spool_lessons(struct nd_host_learner *learner,
                          struct nd_host_part **parts, size_t count,
                          enum nd_status status, struct nd_error *error)
{
    struct nd_host *host = learner->host;
    struct nd_spool_record *records = nd_calloc(count, sizeof *records);
    struct nd_buffer *payloads = nd_calloc(count, sizeof *payloads);
    int64_t now_ms = nd_host_now_ms(host);
    size_t open = 0;
    for (size_t i = 0; i < count; i++) {
        if (!parts[i]->told) {
            records[open] = lesson_record(parts[i], now_ms, &payloads[open]);
            open++;
        }
    }
    if (open > 0 && nd_host_is_away(status) && host->spool != NULL)
        status = nd_host_spool_add(learner, records, open, error);
    else if (status == ND_OK)
        status = ND_INTERNAL; /* nothing may stay untold */
    for (size_t i = 0; i < count; i++) {
        if (!parts[i]->told && status == ND_OK)
            spooled(host, parts[i]);
        else if (!parts[i]->told)
            fail_part(host, parts[i], status, error);
    }
    for (size_t i = 0; i < open; i++)
        nd_buffer_free(&payloads[i]);
    free(payloads);
    free(records);
}

/* ---- lessons ---- */

/* Lessons of one rule on their way into the store; told counts along with the
 * engine's answers, which come in order. */
struct run {
    struct nd_host *host;
    struct nd_host_part *parts[ND_LESSON_BATCH];
    size_t count, told;
};

static void take_answer(const char *path, const struct nd_put_result *result,
                        void *context)
{
    struct run *run = context;
    struct nd_host_part *part = run->parts[run->told++];
    (void)path;
    /* STORE is what the engine says of those that did not get there */
    if (result->outcome == ND_PUT_REFUSED && result->reason == ND_REFUSED_STORE)
        return;
    part->result.put = *result;
    settle(run->host, part);
}

static enum nd_status store_run(struct nd_host_learner *learner,
                                struct run *run, struct nd_error *error)
{
    struct nd_engine *engine;
    enum nd_status status =
        nd_host_learner_engine(learner, run->parts[0]->place, error, &engine);
    if (status != ND_OK)
        return status;
    if (!nd_host_line_is_ready(&learner->line))
        return nd_fail(error, ND_UNAVAILABLE,
                       "the store is away; it is tried again soon");
    for (size_t i = 0; status == ND_OK && i < run->count; i++)
        status = nd_engine_learn_prepared(engine, &run->parts[i]->lesson,
                                          take_answer, run, error);
    if (status == ND_OK)
        status = nd_engine_flush(engine, take_answer, run, error);
    return nd_host_line_note(&learner->line, status, error);
}

/* What was refused at the door is no matter of the store's. */
static void settle_refused(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct nd_host_part *part = run->parts[i];
        if (!part->told && part->lesson.refusal != ND_REFUSED_NONE) {
            part->result.put = (struct nd_put_result){
                .outcome = ND_PUT_REFUSED, .reason = part->lesson.refusal};
            settle(run->host, part);
        }
    }
}

static void learn_run(struct nd_host_learner *learner, struct run *run)
{
    struct nd_error error = {""};
    if (run->count == 0)
        return;
    enum nd_status status = store_run(learner, run, &error);
    settle_refused(run);
    spool_lessons(learner, run->parts, run->count, status, &error);
}

/* The lessons of count calls, by rule. */
static void learn(struct nd_host_learner *learner, struct nd_host_call **calls,
                  size_t count)
{
    struct run *run = nd_calloc(1, sizeof *run);
    run->host = learner->host;
    for (size_t place = 0; place < learner->crew.rules->count; place++) {
        run->count = 0;
        run->told = 0;
        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; j < calls[i]->count; j++) {
                if (calls[i]->parts[j].place == place)
                    run->parts[run->count++] = &calls[i]->parts[j];
            }
        }
        learn_run(learner, run);
    }
    free(run);
}

/* ---- forgetting and relabelling ---- */

enum nd_status nd_host_learner_change(struct nd_store *store,
                                      const struct nd_spool_record *record,
                                      struct nd_error *error,
                                      struct nd_put_result *result_r,
                                      bool *existed_r)
{
    struct nd_claim claim = {record->label, record->source, record->label_ms};
    enum nd_status status = ND_UNCERTAIN;
    for (int i = 0; i < ATTEMPTS && status == ND_UNCERTAIN; i++)
        status = record->kind == ND_SPOOL_FORGET
                     ? nd_store_forget(store, &record->scope, record->identity,
                                       record->label_ms, error, existed_r)
                     : nd_store_relabel(store, &record->scope, record->identity,
                                        &claim, error, result_r);
    return status;
}

static void told_change(struct nd_host *host, const struct nd_host_call *call,
                        struct nd_host_part *part)
{
    part->told = true;
    if (call->task == ND_HOST_FORGET) {
        part->result.outcome = ND_HOST_DONE;
        nd_host_count(host, ND_HOST_AT(forgotten), part->result.existed);
    } else {
        bool refused = part->result.put.outcome == ND_PUT_REFUSED;
        part->result.outcome = refused ? ND_HOST_REFUSED : ND_HOST_DONE;
        nd_host_count(host, ND_HOST_AT(relabelled), !refused);
    }
}

/* One rule's part of a forget or relabel. While lessons wait in the spool it
 * must wait behind them: it may be about one of those. */
static void change(struct nd_host_learner *learner, struct nd_host_call *call,
                   struct nd_host_part *part)
{
    struct nd_host *host = learner->host;
    bool forgets = call->task == ND_HOST_FORGET;
    struct nd_error error = {""};
    struct nd_spool_record record = {
        .kind = forgets ? ND_SPOOL_FORGET : ND_SPOOL_RELABEL,
        .scope = {part->result.rule, part->result.settings},
        .label = call->claim.label,
        .source = call->claim.source,
        .label_ms = call->claim.label_ms};
    memcpy(record.identity, call->identity, sizeof record.identity);
    enum nd_status status = nd_fail(&error, ND_UNAVAILABLE,
                                    "the store is away; it is tried again "
                                    "soon");
    bool asked = false;
    if (learner->waiting == 0 && nd_host_line_is_ready(&learner->line))
        status = nd_host_line_open(&learner->line, &error);
    if (status == ND_OK) {
        asked = true;
        status = forgets && call->forget_ms == 0
                     ? nd_forget_repeatably(learner->line.store, &record.scope,
                                            record.identity, record.label_ms,
                                            &error, &part->result.existed)
                     : nd_host_learner_change(learner->line.store, &record,
                                              &error, &part->result.put,
                                              &part->result.existed);
        if (status != ND_NO_INPUT)
            (void)nd_host_line_note(&learner->line, status, &error);
    }
    if (status == ND_OK) {
        told_change(host, call, part);
        return;
    }
    bool absent = asked && status == ND_NO_INPUT;
    if (!absent && nd_host_is_away(status) && host->spool != NULL)
        status = nd_host_spool_add(learner, &record, 1, &error);
    if (status == ND_OK)
        spooled(host, part);
    else
        fail_part(host, part, status, &error);
}

/* ---- questions ---- */

static void ask(struct nd_host_learner *learner, struct nd_host_call *call)
{
    struct nd_host *host = learner->host;
    (void)pthread_mutex_lock(&host->queue_lock);
    call->begun = true;
    (void)pthread_mutex_unlock(&host->queue_lock);
    call->status =
        atomic_load(&host->stopping)
            ? nd_fail(&call->error, ND_CANCELLED, "this host is stopping")
            : nd_host_line_open(&learner->line, &call->error);
    if (call->status == ND_OK) {
        call->status =
            call->question(learner->line.store, call->context, &call->error);
        if (call->status == ND_OK || call->status == ND_UNAVAILABLE ||
            call->status == ND_VERSION)
            (void)nd_host_line_note(&learner->line, call->status, &call->error);
    }
}

/* ---- the thread ---- */

/* Calls that wait, at most a batch and all by the same rules; waits for them
 * until a time. over_r: there are none, and there will be none, since the host
 * stops; told under the lock under which calls are put into the queue. */
static size_t take_calls(struct nd_host *host, int64_t until_us,
                         struct nd_host_call **calls, bool *over_r)
{
    size_t count = 0;
    (void)pthread_mutex_lock(&host->queue_lock);
    if (host->first == NULL && !atomic_load(&host->stopping) &&
        nd_clock_monotonic_us() < until_us)
        nd_host_wait(&host->queue_changed, &host->queue_lock, until_us);
    while (host->first != NULL && count < ND_LESSON_BATCH &&
           host->first->rules ==
               (count > 0 ? calls[0]->rules : host->first->rules) &&
           (count == 0 || (host->first->task == ND_HOST_LEARN &&
                           calls[0]->task == ND_HOST_LEARN))) {
        struct nd_host_call *call = host->first;
        host->first = call->next;
        if (host->first == NULL)
            host->last = &host->first;
        host->queued--;
        calls[count++] = call;
        call->begun = true;
    }
    *over_r = count == 0 && atomic_load(&host->stopping);
    (void)pthread_mutex_unlock(&host->queue_lock);
    return count;
}

static void process(struct nd_host_learner *learner,
                    struct nd_host_call **calls, size_t count)
{
    struct nd_host *host = learner->host;
    if (learner->crew.rules != calls[0]->rules)
        nd_host_crew_switch(&learner->crew,
                            nd_host_rules_hold(calls[0]->rules));
    switch (calls[0]->task) {
    case ND_HOST_LEARN:
        learn(learner, calls, count);
        break;
    case ND_HOST_ASK:
        ask(learner, calls[0]);
        break;
    case ND_HOST_FORGET:
    case ND_HOST_RELABEL:
        for (size_t i = 0; i < calls[0]->count; i++)
            change(learner, calls[0], &calls[0]->parts[i]);
        break;
    }
    for (size_t i = 0; i < count; i++)
        conclude(host, calls[i]);
    nd_host_poke_status(host);
    nd_host_hint_trainer(host);
}

/* Idle, the learner works by the rules of now, so that old ones can go. */
static void take_new_rules(struct nd_host_learner *learner)
{
    struct nd_host_rules *rules = nd_host_take_rules(learner->host);
    if (rules != learner->crew.rules)
        nd_host_crew_switch(&learner->crew, rules);
    else
        nd_host_rules_release(&rules);
}

void nd_host_run_learner(struct nd_host *host)
{
    struct nd_host_learner learner = {.host = host};
    struct nd_host_call *calls[ND_LESSON_BATCH];
    nd_host_line_init(&learner.line, host);
    learner.crew.line = &learner.line;
    take_new_rules(&learner);
    nd_host_spool_begin(&learner);
    for (;;) {
        int64_t until_us = nd_clock_monotonic_us() + IDLE_US;
        int64_t due_us = nd_host_spool_due(&learner);
        bool over;
        size_t count = take_calls(host, due_us < until_us ? due_us : until_us,
                                  calls, &over);
        if (count > 0)
            process(&learner, calls, count);
        else if (over)
            break;
        else
            take_new_rules(&learner);
        if (nd_clock_monotonic_us() >= nd_host_spool_due(&learner))
            nd_host_spool_deliver(&learner);
    }
    nd_host_crew_clear(&learner.crew);
    nd_host_line_close(&learner.line);
}
