/* SPDX-License-Identifier: Apache-2.0
 *
 * The learner's dealings with the spool: what the store cannot take now waits
 * there, and is handed over in order, rule by rule, when the store is back. A
 * record is taken off only after the store has answered for it; dying in
 * between leads to a repeat, which the store recognises by the label's time.
 * Features become samples only here, with the registry as it is by then.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "learn/features_record.h"
#include "learn/host_learner.h"

#define RECORDS_AT_ONCE ND_LESSON_BATCH
#define PAUSE_US INT64_C(10000000) /* after the store or the spool refused */

static void look_at_counts(struct nd_host_learner *learner)
{
    struct nd_host *host = learner->host;
    struct nd_spool_counts counts;
    struct nd_error error;
    if (nd_spool_counts(host->spool, &error, &counts) != ND_OK)
        return;
    learner->waiting = counts.samples;
    (void)pthread_mutex_lock(&host->state_lock);
    host->spool_counts = counts;
    (void)pthread_mutex_unlock(&host->state_lock);
}

void nd_host_spool_begin(struct nd_host_learner *learner)
{
    if (learner->host->spool != NULL)
        look_at_counts(learner);
}

static void tell(struct nd_host *host, enum nd_host_event_kind kind,
                 const struct nd_scope *scope, uint64_t count, const char *text)
{
    struct nd_host_event event = {.kind = kind,
                                  .rule = scope != NULL ? scope->rule : "",
                                  .settings =
                                      scope != NULL ? scope->settings : "",
                                  .count = count,
                                  .text = text};
    nd_host_tell(host, &event);
}

enum nd_status nd_host_spool_add(struct nd_host_learner *learner,
                                 const struct nd_spool_record *records,
                                 size_t count, struct nd_error *error)
{
    bool first = learner->waiting == 0;
    enum nd_status status =
        nd_spool_add(learner->host->spool, records, count, error);
    look_at_counts(learner);
    if (status == ND_OK && first)
        tell(learner->host, ND_HOST_SPOOLED, &records[0].scope, count,
             "lessons wait on this machine until the store is back");
    return status;
}

int64_t nd_host_spool_due(const struct nd_host_learner *learner)
{
    if (learner->waiting == 0 || learner->host->spool == NULL)
        return INT64_MAX;
    int64_t ready_us =
        nd_clock_monotonic_us() + nd_host_line_wait_us(&learner->line);
    return ready_us > learner->deliver_not_before_us
               ? ready_us
               : learner->deliver_not_before_us;
}

/* ---- handing over ---- */

/* What is dropped instead of delivered is counted in the store. */
static enum nd_status count_dropped(struct nd_host_learner *learner,
                                    const struct nd_scope *scope,
                                    enum nd_refusal reason,
                                    struct nd_error *error)
{
    nd_host_count(learner->host, ND_HOST_AT(refused) + reason, 1);
    return nd_store_count(learner->line.store, scope, reason, 1, error);
}

static void take_answer(const char *path, const struct nd_put_result *result,
                        void *context)
{
    (void)path;
    (void)result;
    (void)context;
}

static enum nd_status deliver_lesson(struct nd_host_learner *learner,
                                     struct nd_engine *engine,
                                     const struct nd_spool_record *record,
                                     struct nd_arena *arena,
                                     struct nd_error *error)
{
    struct nd_prepared_lesson *lesson = nd_arena_take(arena, sizeof *lesson);
    *lesson = (struct nd_prepared_lesson){.label = record->label,
                                          .source = record->source,
                                          .label_ms = record->label_ms,
                                          .time_ms = record->time_ms};
    memcpy(lesson->identity, record->identity, sizeof lesson->identity);
    enum nd_status status =
        nd_features_record_read(record->payload, record->payload_length, arena,
                                error, &lesson->features);
    if (status != ND_OK) {
        nd_log(ND_LOG_WARNING, "a lesson in the spool: %s", error->text);
        return count_dropped(learner, &record->scope,
                             status == ND_VERSION ? ND_REFUSED_OTHER_LAYOUT
                                                  : ND_REFUSED_MALFORMED,
                             error);
    }
    return nd_engine_learn_prepared(engine, lesson, take_answer, NULL, error);
}

static enum nd_status deliver_change(struct nd_host_learner *learner,
                                     struct nd_engine *engine,
                                     const struct nd_spool_record *record,
                                     struct nd_error *error)
{
    struct nd_put_result result;
    bool existed;
    enum nd_status status = nd_engine_flush(engine, take_answer, NULL, error);
    if (status == ND_OK)
        status = nd_host_learner_change(learner->line.store, record, error,
                                        &result, &existed);
    return status == ND_NO_INPUT ? ND_OK : status;
}

static enum nd_status deliver_records(struct nd_host_learner *learner,
                                      struct nd_engine *engine,
                                      const struct nd_spool_record *records,
                                      size_t count, struct nd_error *error)
{
    struct nd_arena *arena = nd_arena_create((size_t)1 << 16);
    enum nd_status status = ND_OK;
    for (size_t i = 0; status == ND_OK && i < count; i++)
        status =
            records[i].kind == ND_SPOOL_LEARN
                ? deliver_lesson(learner, engine, &records[i], arena, error)
                : deliver_change(learner, engine, &records[i], error);
    /* also after a failure: what was gathered points into the arena */
    struct nd_error second = {""};
    enum nd_status flushed = nd_engine_flush(engine, take_answer, NULL,
                                             status == ND_OK ? error : &second);
    nd_arena_destroy(&arena);
    return status == ND_OK ? flushed : status;
}

/* Takes off what is done with, and says so once the spool is empty. */
static enum nd_status remove_records(struct nd_host_learner *learner,
                                     const struct nd_spool_record *records,
                                     size_t count, bool late,
                                     struct nd_error *error)
{
    struct nd_host *host = learner->host;
    enum nd_status status = nd_spool_remove(host->spool, records, count, error);
    look_at_counts(learner);
    if (status != ND_OK)
        return status;
    nd_host_count(host, late ? ND_HOST_AT(late) : ND_HOST_AT(delivered), count);
    learner->delivered += late ? 0 : count;
    if (late)
        tell(host, ND_HOST_SPOOL_LATE, &records[0].scope, count,
             "lessons waited too long and were dropped");
    if (learner->waiting == 0 && learner->delivered > 0) {
        tell(host, ND_HOST_SPOOL_DELIVERED, NULL, learner->delivered,
             "all lessons that waited are delivered");
        learner->delivered = 0;
    }
    return ND_OK;
}

static enum nd_status drop_late(struct nd_host_learner *learner,
                                struct nd_arena *arena, struct nd_error *error,
                                size_t *count_r)
{
    const struct nd_spool_record *records;
    enum nd_status status =
        nd_spool_peek(learner->host->spool, NULL, RECORDS_AT_ONCE, arena, error,
                      &records, count_r);
    for (size_t i = 0; status == ND_OK && i < *count_r; i++)
        status =
            count_dropped(learner, &records[i].scope, ND_REFUSED_STORE, error);
    if (status == ND_OK && *count_r > 0)
        status = remove_records(learner, records, *count_r, true, error);
    return status;
}

static enum nd_status deliver_place(struct nd_host_learner *learner,
                                    size_t place, struct nd_arena *arena,
                                    struct nd_error *error, size_t *count_r)
{
    const struct nd_rule *rule = &learner->crew.rules->engines[place]->rule;
    struct nd_scope scope = {rule->name, rule->settings};
    const struct nd_spool_record *records;
    struct nd_engine *engine;
    enum nd_status status =
        nd_spool_peek(learner->host->spool, &scope, RECORDS_AT_ONCE, arena,
                      error, &records, count_r);
    if (status != ND_OK || *count_r == 0)
        return status;
    status = nd_host_learner_engine(learner, place, error, &engine);
    if (status == ND_OK)
        status = nd_host_line_note(
            &learner->line,
            deliver_records(learner, engine, records, *count_r, error), error);
    return status == ND_OK
               ? remove_records(learner, records, *count_r, false, error)
               : status;
}

void nd_host_spool_deliver(struct nd_host_learner *learner)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_error error = {""};
    size_t handled = 0, count = 0;
    enum nd_status status = nd_host_line_open(&learner->line, &error);
    if (status == ND_OK)
        status = drop_late(learner, arena, &error, &handled);
    for (size_t i = 0; status == ND_OK && i < learner->crew.rules->count; i++) {
        count = 0;
        status = deliver_place(learner, i, arena, &error, &count);
        handled += count;
    }
    nd_arena_destroy(&arena);
    /* the store refuses, or what is left belongs to no rule of ours */
    if (handled == 0 || (status != ND_OK && !nd_host_is_away(status)))
        learner->deliver_not_before_us =
            nd_clock_monotonic_us() +
            nd_host_jitter_us(&learner->line.random, PAUSE_US);
}
