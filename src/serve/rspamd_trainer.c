/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread with its own handle on the store and a watch for each rule. It
 * shares nothing with the host: what it trains is scored by rspamd, not here.
 */
#include "serve/rspamd_trainer.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/memory.h"
#include "rspamd/watch.h"

#define JOIN_SECONDS 2 /* a child that trains takes half a second to end */

struct nd_rspamd_trainer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* under lock */
    char *store_url;
    struct nd_store_options store_options;
    struct nd_store *store; /* NULL until it could be opened */
    struct nd_rule *rules;
    struct nd_rspamd_watch **watches; /* NULL likewise */
    size_t count;
};

static void copy_rules(struct nd_rspamd_trainer *trainer,
                       const struct nd_rspamd_trainer_options *options)
{
    trainer->count = options->count;
    trainer->rules = nd_calloc(options->count, sizeof(*trainer->rules));
    trainer->watches =
        nd_calloc(options->count, sizeof(struct nd_rspamd_watch *));
    for (size_t i = 0; i < options->count; i++) {
        trainer->rules[i] = options->rules[i];
        trainer->rules[i].symbol_spam = nd_strdup("");
        trainer->rules[i].symbol_ham = nd_strdup("");
        trainer->rules[i].rspamd_redis =
            nd_strdup(options->rules[i].rspamd_redis);
    }
}

static void destroy(struct nd_rspamd_trainer *trainer)
{
    for (size_t i = 0; i < trainer->count; i++) {
        nd_rspamd_watch_destroy(&trainer->watches[i]);
        nd_rule_free(&trainer->rules[i]);
    }
    nd_store_close(&trainer->store);
    free(trainer->watches);
    free(trainer->rules);
    free(trainer->store_url);
    (void)pthread_cond_destroy(&trainer->wake);
    (void)pthread_mutex_destroy(&trainer->lock);
    free(trainer);
}

static bool goes_on(void *context)
{
    struct nd_rspamd_trainer *trainer = context;
    (void)pthread_mutex_lock(&trainer->lock);
    bool stopping = trainer->stopping;
    (void)pthread_mutex_unlock(&trainer->lock);
    return !stopping;
}

static void look(struct nd_rspamd_trainer *trainer, size_t index)
{
    struct nd_error error = {""};
    struct nd_rspamd_report report;
    const char *name = trainer->rules[index].name;
    enum nd_status status = ND_OK;
    if (trainer->store == NULL) {
        status = nd_store_open(trainer->store_url, &trainer->store_options,
                               &error, &trainer->store);
    }
    if (status == ND_OK && trainer->watches[index] == NULL) {
        status = nd_rspamd_watch_create(trainer->store, &trainer->rules[index],
                                        &error, &trainer->watches[index]);
        if (status == ND_OK) {
            nd_rspamd_watch_ask(trainer->watches[index], goes_on, trainer);
        }
    }
    if (status == ND_OK) {
        status = nd_rspamd_watch_look(trainer->watches[index], false, &error,
                                      &report);
    }
    if (status != ND_OK) {
        nd_log(ND_LOG_WARNING, "rspamd rule=%s code=%s %s", name,
               nd_status_name(status), error.text);
        return;
    }
    enum nd_log_level level = report.outcome == ND_RSPAMD_WAITING ? ND_LOG_DEBUG
                              : report.outcome == ND_RSPAMD_FAILED
                                  ? ND_LOG_WARNING
                                  : ND_LOG_INFO;
    nd_log(level, "rspamd rule=%s outcome=%s version=%llu stored=%llu %s", name,
           nd_rspamd_outcome_name(report.outcome),
           (unsigned long long)report.version,
           (unsigned long long)report.collected.stored, report.text);
}

/* Waits for the shortest watch_interval; true when it is to end. */
static bool rest(struct nd_rspamd_trainer *trainer)
{
    struct timespec until;
    int64_t shortest_ms = INT64_MAX;
    for (size_t i = 0; i < trainer->count; i++) {
        if (trainer->rules[i].watch_interval_ms < shortest_ms) {
            shortest_ms = trainer->rules[i].watch_interval_ms;
        }
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += shortest_ms / 1000;
    (void)pthread_mutex_lock(&trainer->lock);
    int outcome = 0;
    while (!trainer->stopping && outcome == 0) {
        outcome =
            pthread_cond_timedwait(&trainer->wake, &trainer->lock, &until);
    }
    bool stopping = trainer->stopping;
    (void)pthread_mutex_unlock(&trainer->lock);
    return stopping;
}

static void *watch_all(void *context)
{
    struct nd_rspamd_trainer *trainer = context;
    do {
        for (size_t i = 0; i < trainer->count && goes_on(trainer); i++) {
            look(trainer, i);
        }
    } while (!rest(trainer));
    return NULL;
}

enum nd_status nd_rspamd_trainer_start(
    const struct nd_rspamd_trainer_options *options, struct nd_error *error,
    struct nd_rspamd_trainer **trainer_r)
{
    *trainer_r = NULL;
    for (size_t i = 0; i < options->count; i++) {
        if (options->rules[i].rspamd_redis == NULL) {
            return nd_fail(error, ND_CONFIG,
                           "rule %s does not say where rspamd's Redis is: set "
                           "its rspamd_redis",
                           options->rules[i].name);
        }
    }
    if (options->count == 0) {
        return ND_OK;
    }
    struct nd_rspamd_trainer *trainer = nd_calloc(1, sizeof(*trainer));
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&trainer->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&trainer->lock, NULL);
    trainer->store_url = nd_strdup(options->store);
    trainer->store_options = options->store_options;
    copy_rules(trainer, options);
    if (pthread_create(&trainer->thread, NULL, watch_all, trainer) != 0) {
        destroy(trainer);
        return nd_fail(error, ND_OS, "cannot start a thread for rspamd");
    }
    *trainer_r = trainer;
    return ND_OK;
}

void nd_rspamd_trainer_stop(struct nd_rspamd_trainer **trainer)
{
    struct timespec until;
    if (trainer == NULL || *trainer == NULL) {
        return;
    }
    struct nd_rspamd_trainer *old = *trainer;
    *trainer = NULL;
    (void)pthread_mutex_lock(&old->lock);
    old->stopping = true;
    (void)pthread_cond_signal(&old->wake);
    (void)pthread_mutex_unlock(&old->lock);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += JOIN_SECONDS;
    if (pthread_clockjoin_np(old->thread, NULL, CLOCK_MONOTONIC, &until) == 0) {
        destroy(old);
    } else {
        nd_log(ND_LOG_WARNING, "a look at rspamd's Redis hangs, and is left");
    }
}
