/* SPDX-License-Identifier: Apache-2.0
 *
 * What callers have the learner do: a call is put into the queue with all that
 * it needs, so that a caller who stops waiting leaves nothing of its own
 * behind, and is waited for. Who is last, caller or learner, frees it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "learn/host_private.h"

#define DEFAULT_TIMEOUT_MS 10000

/* ---- calls ---- */

static struct nd_host_call *make_call(struct nd_host *host,
                                      enum nd_host_task task)
{
    struct nd_host_call *call = nd_calloc(1, sizeof *call);
    call->task = task;
    call->rules = nd_host_take_rules(host);
    call->arena = nd_arena_create(0);
    nd_host_cond_init(&call->changed);
    return call;
}

void nd_host_call_free(struct nd_host_call *call)
{
    nd_host_rules_release(&call->rules);
    nd_arena_destroy(&call->arena);
    (void)pthread_cond_destroy(&call->changed);
    free(call);
}

/* A part for each chosen rule. */
static enum nd_status choose(struct nd_host *host, struct nd_host_call *call,
                             const struct nd_host_choice *choice,
                             struct nd_error *error)
{
    struct nd_host_rules *rules = call->rules;
    size_t *chosen = nd_arena_take(call->arena, rules->count * sizeof *chosen);
    bool unknown;
    if ((host->roles & ND_ROLE_COLLECT) == 0)
        return nd_fail(error, ND_PERMISSION,
                       "this host has not the role to collect");
    enum nd_status status = nd_host_rules_choose(rules, choice, error, chosen,
                                                 &call->count, &unknown);
    if (status != ND_OK)
        return status;
    nd_host_count(host, ND_HOST_AT(settings_unknown), unknown);
    size_t size = call->count * sizeof *call->parts;
    call->parts = nd_arena_take(call->arena, size);
    memset(call->parts, 0, size);
    for (size_t i = 0; i < call->count; i++) {
        const struct nd_rule *rule = &rules->engines[chosen[i]]->rule;
        call->parts[i].place = chosen[i];
        call->parts[i].result = (struct nd_host_result){
            .rule = rule->name, .settings = rule->settings, .text = ""};
    }
    return ND_OK;
}

/* Under queue_lock. The time of a label that is given now: later than the last
 * one that the message got here, so that the newer label wins. */
static int64_t label_time(struct nd_host *host,
                          const uint8_t identity[ND_IDENTITY_BYTES],
                          int64_t now_ms)
{
    uint32_t hash;
    memcpy(&hash, identity, sizeof hash); /* a digest: evenly spread */
    struct nd_host_recent *recent = &host->recent[hash % ND_HOST_RECENT];
    if (memcmp(recent->identity, identity, ND_IDENTITY_BYTES) == 0 &&
        recent->label_ms >= now_ms)
        now_ms = recent->label_ms + 1;
    memcpy(recent->identity, identity, ND_IDENTITY_BYTES);
    recent->label_ms = now_ms;
    return now_ms;
}

static void date(struct nd_host *host, struct nd_host_call *call,
                 int64_t now_ms)
{
    if (call->task == ND_HOST_ASK || call->claim.label_ms != 0)
        return;
    call->claim.label_ms = label_time(host, call->identity, now_ms);
    for (size_t i = 0; i < call->count; i++)
        call->parts[i].lesson.label_ms = call->claim.label_ms;
}

/* ---- waiting ---- */

static enum nd_status enqueue(struct nd_host *host, struct nd_host_call *call,
                              struct nd_error *error)
{
    int64_t now_ms = nd_host_now_ms(host);
    enum nd_status status = ND_OK;
    (void)pthread_mutex_lock(&host->queue_lock);
    if (atomic_load(&host->stopping)) {
        status = nd_fail(error, ND_CANCELLED, "this host is stopping");
    } else if (host->queued >= host->queue_jobs) {
        nd_host_count(host, ND_HOST_AT(queue_full), 1);
        status = nd_fail(error, ND_BUSY,
                         "%zu lessons wait already: try again in a moment",
                         host->queued);
    } else {
        date(host, call, now_ms);
        *host->last = call;
        host->last = &call->next;
        host->queued++;
        host->callers++;
        (void)pthread_cond_signal(&host->queue_changed);
    }
    (void)pthread_mutex_unlock(&host->queue_lock);
    return status;
}

/* Takes a call that was not begun out of the queue again. */
static void withdraw(struct nd_host *host, struct nd_host_call *call)
{
    struct nd_host_call **place = &host->first;
    while (*place != call)
        place = &(*place)->next;
    *place = call->next;
    if (host->last == &call->next)
        host->last = place;
    host->queued--;
    call->done = true;
    call->status = ND_TEMPORARY;
}

/* True when it is done; false leaves the call to the learner. */
static bool await(struct nd_host *host, struct nd_host_call *call,
                  int64_t timeout_ms)
{
    bool asks = call->task == ND_HOST_ASK;
    int64_t until_us =
        nd_clock_monotonic_us() +
        (timeout_ms > 0 ? timeout_ms : DEFAULT_TIMEOUT_MS) * 1000;
    (void)pthread_mutex_lock(&host->queue_lock);
    while (!call->done &&
           (nd_clock_monotonic_us() < until_us || (asks && call->begun))) {
        int64_t wake_us = nd_clock_monotonic_us() + 1000000;
        nd_host_wait(&call->changed, &host->queue_lock,
                     asks && call->begun ? wake_us : until_us);
    }
    if (!call->done && asks)
        withdraw(host, call);
    bool done = call->done;
    call->abandoned = !done;
    nd_host_count(host, ND_HOST_AT(timed_out), !done);
    host->callers--;
    (void)pthread_cond_broadcast(&host->queue_changed);
    (void)pthread_mutex_unlock(&host->queue_lock);
    return done;
}

void nd_host_await_callers(struct nd_host *host)
{
    (void)pthread_mutex_lock(&host->queue_lock);
    while (host->callers > 0)
        nd_host_wait(&host->queue_changed, &host->queue_lock,
                     nd_clock_monotonic_us() + 100000);
    (void)pthread_mutex_unlock(&host->queue_lock);
}

static const char *keep(const char *text, struct nd_arena *arena)
{
    return nd_arena_strndup(arena, text, strlen(text));
}

static void copy_results(const struct nd_host_call *call,
                         struct nd_arena *arena,
                         struct nd_host_results *results_r)
{
    struct nd_host_result *results =
        nd_arena_take(arena, call->count * sizeof *results);
    for (size_t i = 0; i < call->count; i++) {
        results[i] = call->parts[i].result;
        results[i].rule = keep(results[i].rule, arena);
        results[i].settings = keep(results[i].settings, arena);
        results[i].text = keep(results[i].text, arena);
    }
    *results_r = (struct nd_host_results){results, call->count};
}

/* Queues, waits, and answers; the call is given away. */
static enum nd_status submit(struct nd_host *host, struct nd_host_call *call,
                             int64_t timeout_ms, struct nd_arena *arena,
                             struct nd_error *error,
                             struct nd_host_results *results_r)
{
    enum nd_status status = enqueue(host, call, error);
    if (status == ND_OK && !await(host, call, timeout_ms))
        return nd_fail(error, ND_UNCERTAIN,
                       "not stored in time; it may still be: repeating it is "
                       "safe");
    if (status == ND_OK && call->status != ND_OK)
        status = nd_fail(error, call->status, "%s", call->error.text);
    if (status == ND_OK && results_r != NULL)
        copy_results(call, arena, results_r);
    nd_host_call_free(call);
    return status;
}

/* ---- what they ask for ---- */

static void prepare(struct nd_host *host, struct nd_host_call *call,
                    const struct nd_host_mail *mail, const struct nd_key *key,
                    const struct nd_lesson *lesson)
{
    struct nd_arena *scratch = nd_arena_create((size_t)1 << 18);
    int64_t now_ms = nd_host_now_ms(host);
    for (size_t i = 0; i < call->count; i++) {
        struct nd_host_part *part = &call->parts[i];
        struct nd_lesson_matter matter = {
            &call->rules->engines[part->place]->rule, key, mail->message,
            mail->scan, lesson};
        nd_lesson_prepare(&matter, scratch, call->arena, &part->lesson);
        part->lesson.time_ms =
            nd_lesson_message_time(mail->message, lesson, now_ms);
        nd_arena_reset(scratch);
    }
    nd_arena_destroy(&scratch);
}

enum nd_status nd_host_learn(struct nd_host *host,
                             const struct nd_host_mail *mail,
                             const struct nd_lesson *lesson, int64_t timeout_ms,
                             struct nd_arena *arena, struct nd_error *error,
                             struct nd_host_results *results_r)
{
    struct nd_host_call *call = make_call(host, ND_HOST_LEARN);
    struct nd_key key;
    const uint8_t *identity = nd_lesson_identity(mail->message, lesson);
    enum nd_status status = choose(host, call, &mail->choice, error);
    if (status == ND_OK && identity == NULL)
        status = nd_fail(error, ND_USAGE,
                         "findings alone have no identity: give one along");
    if (status == ND_OK && !nd_host_take_key(host, &key))
        status = nd_fail(error, ND_UNAVAILABLE,
                         "the store has not been reached yet, and its key is "
                         "needed to learn");
    if (status != ND_OK) {
        nd_host_call_free(call);
        return status;
    }
    memcpy(call->identity, identity, sizeof call->identity);
    call->claim.label_ms = lesson->label_ms;
    prepare(host, call, mail, &key, lesson);
    nd_wipe(&key, sizeof key);
    return submit(host, call, timeout_ms, arena, error, results_r);
}

enum nd_status nd_host_forget(struct nd_host *host,
                              const struct nd_host_sample *sample,
                              int64_t label_ms, int64_t timeout_ms,
                              struct nd_arena *arena, struct nd_error *error,
                              struct nd_host_results *results_r)
{
    struct nd_host_call *call = make_call(host, ND_HOST_FORGET);
    enum nd_status status = choose(host, call, &sample->choice, error);
    if (status != ND_OK) {
        nd_host_call_free(call);
        return status;
    }
    memcpy(call->identity, sample->identity, sizeof call->identity);
    call->forget_ms = label_ms;
    call->claim.label_ms = label_ms;
    return submit(host, call, timeout_ms, arena, error, results_r);
}

enum nd_status nd_host_relabel(struct nd_host *host,
                               const struct nd_host_sample *sample,
                               const struct nd_claim *claim, int64_t timeout_ms,
                               struct nd_arena *arena, struct nd_error *error,
                               struct nd_host_results *results_r)
{
    struct nd_host_call *call = make_call(host, ND_HOST_RELABEL);
    enum nd_status status = choose(host, call, &sample->choice, error);
    if (status != ND_OK) {
        nd_host_call_free(call);
        return status;
    }
    memcpy(call->identity, sample->identity, sizeof call->identity);
    call->claim = *claim;
    return submit(host, call, timeout_ms, arena, error, results_r);
}

enum nd_status nd_host_ask(struct nd_host *host, nd_host_question *question,
                           void *context, int64_t timeout_ms,
                           struct nd_error *error)
{
    struct nd_host_call *call = make_call(host, ND_HOST_ASK);
    call->question = question;
    call->context = context;
    (void)nd_fail(&call->error, ND_TEMPORARY,
                  "the store had no time for it: it did not happen");
    return submit(host, call, timeout_ms, NULL, error, NULL);
}
