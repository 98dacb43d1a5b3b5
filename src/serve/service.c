/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps what handlers share. Settings are immutable and counted: a reload puts
 * others in their place, and the last request that holds the old ones frees
 * them, so nothing waits for a reload.
 */
#include "serve/service.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

#define BUCKETS 1024 /* clients that share one share a rate */

struct nd_held_settings {
    struct nd_service_settings settings;
    atomic_uint references;
};

struct bucket {
    int64_t filled_us;
    double tokens;
};

struct nd_service {
    struct nd_host *host;
    struct nd_metrics *metrics;
    pthread_mutex_t lock;
    struct nd_held_settings *current;
    pthread_mutex_t rate_lock;
    struct bucket buckets[BUCKETS];
};

static struct nd_mail_trust copy_trust(const struct nd_mail_trust *trust)
{
    struct nd_mail_trust copy = {.count = trust->count};
    copy.headers = nd_calloc(trust->count, sizeof(*copy.headers));
    for (size_t i = 0; i < trust->count; i++) {
        const struct nd_trusted_header *from = &trust->headers[i];
        copy.headers[i].header = nd_strdup(from->header);
        copy.headers[i].host = from->host ? nd_strdup(from->host) : NULL;
    }
    return copy;
}

static struct nd_held_settings *make_held(
    const struct nd_service_settings *settings)
{
    struct nd_held_settings *held = nd_calloc(1, sizeof(*held));
    held->settings = *settings;
    held->settings.trust = copy_trust(&settings->trust);
    held->settings.rules = NULL;
    held->settings.shown =
        nd_calloc(settings->rule_count, sizeof(*held->settings.shown));
    for (size_t i = 0; i < settings->rule_count; i++) {
        const struct nd_rule *rule = &settings->rules[i];
        struct nd_service_rule *shown = &held->settings.shown[i];
        memcpy(shown->name, rule->name, sizeof(shown->name));
        memcpy(shown->settings, rule->settings, sizeof(shown->settings));
        shown->quota = nd_rule_quota(rule);
        shown->min_train = rule->min_train;
    }
    atomic_init(&held->references, 1);
    return held;
}

const struct nd_service_settings *nd_held(const struct nd_held_settings *held)
{
    return &held->settings;
}

struct nd_service *nd_service_create(struct nd_host *host,
                                     struct nd_metrics *metrics,
                                     const struct nd_service_settings *settings)
{
    struct nd_service *service = nd_calloc(1, sizeof(*service));
    service->host = host;
    service->metrics = metrics;
    service->current = make_held(settings);
    (void)pthread_mutex_init(&service->lock, NULL);
    (void)pthread_mutex_init(&service->rate_lock, NULL);
    return service;
}

void nd_service_destroy(struct nd_service **service)
{
    if (service == NULL || *service == NULL) {
        return;
    }
    nd_service_release(&(*service)->current);
    (void)pthread_mutex_destroy(&(*service)->lock);
    (void)pthread_mutex_destroy(&(*service)->rate_lock);
    free(*service);
    *service = NULL;
}

struct nd_host *nd_service_host(const struct nd_service *service)
{
    return service->host;
}

struct nd_metrics *nd_service_metrics(const struct nd_service *service)
{
    return service->metrics;
}

void nd_service_reload(struct nd_service *service,
                       const struct nd_service_settings *settings)
{
    struct nd_held_settings *new = make_held(settings);
    (void)pthread_mutex_lock(&service->lock);
    struct nd_held_settings *old = service->current;
    service->current = new;
    (void)pthread_mutex_unlock(&service->lock);
    nd_service_release(&old);
}

struct nd_held_settings *nd_service_hold(struct nd_service *service)
{
    (void)pthread_mutex_lock(&service->lock);
    struct nd_held_settings *held = service->current;
    atomic_fetch_add(&held->references, 1);
    (void)pthread_mutex_unlock(&service->lock);
    return held;
}

void nd_service_release(struct nd_held_settings **held)
{
    if (held == NULL || *held == NULL) {
        return;
    }
    struct nd_held_settings *old = *held;
    *held = NULL;
    if (atomic_fetch_sub(&old->references, 1) > 1) {
        return;
    }
    for (size_t i = 0; i < old->settings.trust.count; i++) {
        free(old->settings.trust.headers[i].header);
        free(old->settings.trust.headers[i].host);
    }
    free(old->settings.trust.headers);
    free(old->settings.shown);
    nd_tokens_destroy(&old->settings.tokens);
    free(old);
}

bool nd_service_admits(struct nd_service *service, uint64_t client, double rate)
{
    struct bucket *bucket = &service->buckets[client % BUCKETS];
    int64_t now_us = nd_clock_monotonic_us();
    (void)pthread_mutex_lock(&service->rate_lock);
    double most = fmax(rate, 1);
    double gained = bucket->filled_us == 0
                        ? most
                        : (double)(now_us - bucket->filled_us) / 1e6 * rate;
    bucket->tokens = fmin(bucket->tokens + gained, most);
    bucket->filled_us = now_us;
    bool admitted = bucket->tokens >= 1;
    bucket->tokens -= admitted ? 1 : 0;
    (void)pthread_mutex_unlock(&service->rate_lock);
    return admitted;
}
