/* SPDX-License-Identifier: Apache-2.0
 *
 * A host's life: made from options, told new rules, stopped. Its threads' work
 * stands in host_watch.c, host_learner.c and host_train.c, what callers do in
 * host_score.c and host_calls.c.
 *
 * Locks are held for moments only and never while the store is asked. Where
 * two are held, rules_lock or queue_lock come before state_lock; event_lock is
 * taken with none.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "learn/host_private.h"

#define DEFAULT_QUEUE 1024
#define MAINTAIN_MS (INT64_C(60) * 60 * 1000)
#define GRACE_US INT64_C(2500000) /* of a stop, before stores give up */

/* ---- small things ---- */

void nd_host_cond_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

void nd_host_wait(pthread_cond_t *condition, pthread_mutex_t *lock,
                  int64_t until_us)
{
    struct timespec until = {.tv_sec = until_us / 1000000,
                             .tv_nsec = until_us % 1000000 * 1000};
    (void)pthread_cond_timedwait(condition, lock, &until);
}

void nd_host_count(struct nd_host *host, size_t at, uint64_t add)
{
    atomic_fetch_add_explicit(&host->counters[at], add, memory_order_relaxed);
}

struct nd_host_rules *nd_host_take_rules(struct nd_host *host)
{
    (void)pthread_mutex_lock(&host->rules_lock);
    struct nd_host_rules *rules = nd_host_rules_hold(host->rules);
    (void)pthread_mutex_unlock(&host->rules_lock);
    return rules;
}

bool nd_host_take_key(struct nd_host *host, struct nd_key *key_r)
{
    (void)pthread_mutex_lock(&host->rules_lock);
    bool has_key = host->has_key;
    if (has_key)
        *key_r = host->key;
    (void)pthread_mutex_unlock(&host->rules_lock);
    return has_key;
}

void nd_host_set_blind(struct nd_host *host, bool blind)
{
    (void)pthread_mutex_lock(&host->rules_lock);
    host->blind = blind;
    (void)pthread_mutex_unlock(&host->rules_lock);
}

void nd_host_keep_key(struct nd_host *host, const struct nd_key *key)
{
    (void)pthread_mutex_lock(&host->rules_lock);
    host->key = *key;
    host->has_key = true;
    (void)pthread_mutex_unlock(&host->rules_lock);
}

int64_t nd_host_now_ms(struct nd_host *host)
{
    (void)pthread_mutex_lock(&host->rules_lock);
    int64_t offset_ms = host->clock_offset_ms;
    (void)pthread_mutex_unlock(&host->rules_lock);
    return nd_clock_wall_ms() + offset_ms;
}

/* ---- pokes ---- */

static void poke(struct nd_host *host, bool *flag, pthread_cond_t *condition)
{
    (void)pthread_mutex_lock(&host->state_lock);
    *flag = true;
    (void)pthread_cond_broadcast(condition);
    (void)pthread_mutex_unlock(&host->state_lock);
}

void nd_host_poke_watcher(struct nd_host *host)
{
    poke(host, &host->watch_now, &host->watch_changed);
}

void nd_host_poke_status(struct nd_host *host)
{
    poke(host, &host->look_soon, &host->watch_changed);
}

void nd_host_poke_trainer(struct nd_host *host)
{
    poke(host, &host->train_now, &host->train_changed);
}

void nd_host_hint_trainer(struct nd_host *host)
{
    poke(host, &host->train_hint, &host->train_changed);
}

void nd_host_poke_learner(struct nd_host *host)
{
    (void)pthread_mutex_lock(&host->queue_lock);
    (void)pthread_cond_broadcast(&host->queue_changed);
    (void)pthread_mutex_unlock(&host->queue_lock);
}

void nd_host_refresh(struct nd_host *host)
{
    nd_host_poke_watcher(host);
}

bool nd_host_await_look(struct nd_host *host, int64_t timeout_ms)
{
    int64_t until_us = nd_clock_monotonic_us() + timeout_ms * 1000;
    (void)pthread_mutex_lock(&host->state_lock);
    while (!host->looked && nd_clock_monotonic_us() < until_us)
        nd_host_wait(&host->looked_changed, &host->state_lock, until_us);
    bool looked = host->looked;
    (void)pthread_mutex_unlock(&host->state_lock);
    return looked;
}

/* ---- creation ---- */

static void init_locks(struct nd_host *host)
{
    (void)pthread_mutex_init(&host->rules_lock, NULL);
    (void)pthread_mutex_init(&host->event_lock, NULL);
    (void)pthread_mutex_init(&host->queue_lock, NULL);
    (void)pthread_mutex_init(&host->state_lock, NULL);
    (void)pthread_mutex_init(&host->end_lock, NULL);
    nd_host_cond_init(&host->queue_changed);
    nd_host_cond_init(&host->watch_changed);
    nd_host_cond_init(&host->train_changed);
    nd_host_cond_init(&host->looked_changed);
    nd_host_cond_init(&host->ended);
}

static struct nd_host *make(const struct nd_host_options *options)
{
    struct nd_host *host = nd_calloc(1, sizeof *host);
    init_locks(host);
    host->url = nd_strdup(options->store);
    host->store_options = options->store_options;
    host->store_options.interrupt = &host->interrupt;
    host->roles = options->roles != 0 ? options->roles : ND_ROLE_ALL;
    host->queue_jobs =
        options->queue_jobs != 0 ? options->queue_jobs : DEFAULT_QUEUE;
    host->maintain_interval_ms = options->maintain_interval_ms > 0
                                     ? options->maintain_interval_ms
                                     : MAINTAIN_MS;
    host->listener = options->listener;
    host->context = options->context;
    host->started_ms = nd_clock_wall_ms();
    host->store_since_ms = host->started_ms;
    host->last = &host->first;
    if (options->key_file_key != NULL) {
        host->key_file_key = *options->key_file_key;
        host->has_key_file = true;
        host->key = host->key_file_key;
        host->has_key = true;
    }
    return host;
}

/* The spool belongs to the learner; the key that it remembers serves until the
 * store is reached. */
static enum nd_status open_spool(struct nd_host *host,
                                 const struct nd_host_options *options,
                                 struct nd_error *error)
{
    struct nd_spool_options limits = {.most_bytes = options->spool_bytes};
    struct nd_error ignored;
    if (options->spool == NULL || (host->roles & ND_ROLE_COLLECT) == 0)
        return ND_OK;
    enum nd_status status =
        nd_spool_open(options->spool, &limits, error, &host->spool);
    if (status == ND_OK)
        status = nd_spool_counts(host->spool, error, &host->spool_counts);
    if (status == ND_OK && !host->has_key)
        host->has_key =
            nd_spool_key(host->spool, &ignored, &host->key) == ND_OK;
    host->has_spool = status == ND_OK;
    return status;
}

static void dispose(struct nd_host *host)
{
    nd_spool_close(&host->spool);
    nd_host_rules_release(&host->rules);
    nd_host_views_free(host);
    (void)pthread_mutex_destroy(&host->rules_lock);
    (void)pthread_mutex_destroy(&host->event_lock);
    (void)pthread_mutex_destroy(&host->queue_lock);
    (void)pthread_mutex_destroy(&host->state_lock);
    (void)pthread_mutex_destroy(&host->end_lock);
    (void)pthread_cond_destroy(&host->queue_changed);
    (void)pthread_cond_destroy(&host->watch_changed);
    (void)pthread_cond_destroy(&host->train_changed);
    (void)pthread_cond_destroy(&host->looked_changed);
    (void)pthread_cond_destroy(&host->ended);
    nd_wipe(&host->key, sizeof host->key);
    nd_wipe(&host->key_file_key, sizeof host->key_file_key);
    free(host->url);
    free(host);
}

/* ---- threads ---- */

struct start {
    struct nd_host *host;
    void (*body)(struct nd_host *host);
};

static void *run_thread(void *context)
{
    struct start start = *(struct start *)context;
    struct nd_host *host = start.host;
    free(context);
    start.body(host);
    (void)pthread_mutex_lock(&host->end_lock);
    host->running--;
    (void)pthread_cond_broadcast(&host->ended);
    (void)pthread_mutex_unlock(&host->end_lock);
    return NULL;
}

/* Signals are the program's business: ours are blocked in these threads. */
static enum nd_status start_thread(struct nd_host *host,
                                   struct nd_host_thread *thread,
                                   void (*body)(struct nd_host *host),
                                   struct nd_error *error)
{
    struct start *start = nd_calloc(1, sizeof *start);
    sigset_t all, before;
    *start = (struct start){host, body};
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)pthread_mutex_lock(&host->end_lock);
    host->running++;
    (void)pthread_mutex_unlock(&host->end_lock);
    int failed = pthread_create(&thread->thread, NULL, run_thread, start);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0) {
        thread->started = true;
        return ND_OK;
    }
    free(start);
    (void)pthread_mutex_lock(&host->end_lock);
    host->running--;
    (void)pthread_mutex_unlock(&host->end_lock);
    return nd_fail(error, ND_OS, "cannot start a thread: %s", strerror(failed));
}

static enum nd_status start_threads(struct nd_host *host,
                                    struct nd_error *error)
{
    enum nd_status status =
        start_thread(host, &host->watcher, nd_host_watch, error);
    if (status == ND_OK)
        status =
            start_thread(host, &host->subscriber, nd_host_subscribe, error);
    if (status == ND_OK)
        status = start_thread(host, &host->learner, nd_host_run_learner, error);
    if (status == ND_OK && (host->roles & ND_ROLE_TRAIN))
        status = start_thread(host, &host->trainer, nd_host_run_trainer, error);
    return status;
}

enum nd_status nd_host_create(const struct nd_host_options *options,
                              struct nd_error *error, struct nd_host **host_r)
{
    enum nd_status status = nd_hash_init(error);
    if (status == ND_OK && (options->roles & ~ND_ROLE_ALL) != 0)
        status = nd_fail(error, ND_CONFIG, "no such roles: %#x",
                         (unsigned)options->roles);
    if (status == ND_OK)
        status = nd_store_check(options->store, &options->store_options, error);
    if (status != ND_OK)
        return status;
    struct nd_host *host = make(options);
    status = nd_host_rules_create(options->rules, options->rule_count, error,
                                  &host->rules);
    if (status == ND_OK)
        status = open_spool(host, options, error);
    if (status != ND_OK) {
        dispose(host);
        return status;
    }
    nd_host_fit_views(host, host->rules);
    status = start_threads(host, error);
    if (status != ND_OK) {
        nd_host_stop(&host);
        return status;
    }
    *host_r = host;
    return ND_OK;
}

/* ---- the end ---- */

static void wait_for_threads(struct nd_host *host, int64_t until_us)
{
    (void)pthread_mutex_lock(&host->end_lock);
    while (host->running > 0 && nd_clock_monotonic_us() < until_us)
        nd_host_wait(&host->ended, &host->end_lock, until_us);
    (void)pthread_mutex_unlock(&host->end_lock);
}

static void join(struct nd_host_thread *thread)
{
    if (thread->started)
        (void)pthread_join(thread->thread, NULL);
    thread->started = false;
}

void nd_host_halt(struct nd_host *host)
{
    atomic_store(&host->stopping, true);
    nd_host_poke_watcher(host);
    nd_host_poke_trainer(host);
    nd_host_poke_learner(host);
    wait_for_threads(host, nd_clock_monotonic_us() + GRACE_US);
    atomic_store(&host->interrupt, true);
    join(&host->watcher);
    join(&host->subscriber);
    join(&host->learner);
    join(&host->trainer);
    nd_host_await_callers(host);
}

void nd_host_stop(struct nd_host **host)
{
    if (host == NULL || *host == NULL)
        return;
    nd_host_halt(*host);
    dispose(*host);
    *host = NULL;
}

/* ---- new rules ---- */

void nd_host_install_rules(struct nd_host *host, struct nd_host_rules *rules,
                           const struct nd_host_rules *instead_of)
{
    (void)pthread_mutex_lock(&host->rules_lock);
    struct nd_host_rules *old = host->rules;
    if (instead_of != NULL && old != instead_of) {
        (void)pthread_mutex_unlock(&host->rules_lock);
        nd_host_rules_release(&rules); /* a reload was quicker */
        return;
    }
    for (size_t i = 0; instead_of == NULL && i < rules->count; i++) {
        const struct nd_rule *rule = &rules->engines[i]->rule;
        size_t place = nd_host_rules_find(old, rule->name, rule->settings);
        if (place < old->count)
            nd_engine_adopt(rules->engines[i], old->engines[place]);
    }
    host->rules = rules;
    (void)pthread_mutex_unlock(&host->rules_lock);
    nd_host_rules_release(&old);
    nd_host_poke_watcher(host);
    nd_host_poke_trainer(host);
    nd_host_poke_learner(host);
}

enum nd_status nd_host_reload(struct nd_host *host, const struct nd_rule *rules,
                              size_t count, struct nd_error *error)
{
    struct nd_host_rules *set;
    enum nd_status status = nd_host_rules_create(rules, count, error, &set);
    if (status != ND_OK)
        return status;
    nd_host_install_rules(host, set, NULL);
    struct nd_host_event event = {.kind = ND_HOST_RELOADED,
                                  .rule = "",
                                  .settings = "",
                                  .count = count,
                                  .text = "new rules"};
    nd_host_tell(host, &event);
    return ND_OK;
}
