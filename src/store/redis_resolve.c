/* SPDX-License-Identifier: Apache-2.0
 *
 * Name look-ups with a deadline. Numeric addresses are answered at once; a
 * name is looked up by a detached thread, which the caller leaves behind when
 * time is up: whoever is last frees the look-up. No cache: the system has one.
 */
#include "store/redis_resolve.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/memory.h"

struct lookup {
    pthread_mutex_t mutex;
    pthread_cond_t finished;
    bool done, abandoned;
    int result; /* of getaddrinfo */
    struct addrinfo *addresses;
    char *host;
    char service[8];
};

static int ask(const char *host, const char *service, int flags,
               struct addrinfo **addresses_r)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = flags | AI_NUMERICSERV};
    return getaddrinfo(host, service, &hints, addresses_r);
}

static struct lookup *lookup_create(const char *host, const char *service)
{
    struct lookup *lookup = nd_calloc(1, sizeof(*lookup));
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&lookup->finished, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&lookup->mutex, NULL);
    lookup->host = nd_strdup(host);
    (void)snprintf(lookup->service, sizeof(lookup->service), "%s", service);
    return lookup;
}

static void lookup_free(struct lookup *lookup)
{
    if (lookup->addresses != NULL)
        freeaddrinfo(lookup->addresses);
    (void)pthread_cond_destroy(&lookup->finished);
    (void)pthread_mutex_destroy(&lookup->mutex);
    free(lookup->host);
    free(lookup);
}

static void *run_lookup(void *context)
{
    struct lookup *lookup = context;
    struct addrinfo *addresses = NULL;
    int result = ask(lookup->host, lookup->service, 0, &addresses);
    (void)pthread_mutex_lock(&lookup->mutex);
    lookup->result = result;
    lookup->addresses = result == 0 ? addresses : NULL;
    lookup->done = true;
    bool abandoned = lookup->abandoned;
    (void)pthread_cond_signal(&lookup->finished);
    (void)pthread_mutex_unlock(&lookup->mutex);
    if (abandoned)
        lookup_free(lookup);
    return NULL;
}

static bool start_thread(struct lookup *lookup)
{
    pthread_t thread;
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &attributes, run_lookup, lookup);
    (void)pthread_attr_destroy(&attributes);
    return failed == 0;
}

/* Waits for the thread; on true the look-up is the caller's to free. */
static bool wait_for(struct lookup *lookup, int64_t deadline_us)
{
    struct timespec until = {.tv_sec = deadline_us / 1000000,
                             .tv_nsec = deadline_us % 1000000 * 1000};
    (void)pthread_mutex_lock(&lookup->mutex);
    int failed = 0;
    while (!lookup->done && failed == 0)
        failed =
            pthread_cond_timedwait(&lookup->finished, &lookup->mutex, &until);
    bool done = lookup->done;
    lookup->abandoned = !done;
    (void)pthread_mutex_unlock(&lookup->mutex);
    return done;
}

static enum nd_status look_up(const char *host, const char *service,
                              int64_t deadline_us, struct nd_error *error,
                              struct addrinfo **addresses_r)
{
    struct lookup *lookup = lookup_create(host, service);
    if (!start_thread(lookup)) {
        lookup_free(lookup);
        return nd_fail(error, ND_UNAVAILABLE,
                       "cannot look up %s: no thread for it", host);
    }
    if (!wait_for(lookup, deadline_us))
        return nd_fail(error, ND_UNAVAILABLE,
                       "looking up the address of %s took too long", host);
    enum nd_status status = ND_OK;
    if (lookup->result != 0)
        status = nd_fail(error, ND_UNAVAILABLE, "no address for %s: %s", host,
                         gai_strerror(lookup->result));
    else
        *addresses_r = lookup->addresses;
    if (status == ND_OK)
        lookup->addresses = NULL;
    lookup_free(lookup);
    return status;
}

enum nd_status nd_redis_resolve(const char *host, uint16_t port,
                                int64_t deadline_us, struct nd_error *error,
                                struct addrinfo **addresses_r)
{
    char service[8];
    (void)snprintf(service, sizeof(service), "%u", port);
    if (ask(host, service, AI_NUMERICHOST, addresses_r) == 0)
        return ND_OK;
    return look_up(host, service, deadline_us, error, addresses_r);
}
