/* SPDX-License-Identifier: Apache-2.0
 *
 * A ring of items under one lock. Work here takes milliseconds, so the lock is
 * never what costs.
 */
#include "serve/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

struct nd_pool {
    nd_pool_work *work;
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void **items; /* a ring */
    size_t room, first, count;
    size_t busy; /* threads that work */
    bool ending;
    pthread_t *threads;
    size_t thread_count;
};

/* The next item, or NULL at the end. */
static void *take(struct nd_pool *pool)
{
    void *item = NULL;
    (void)pthread_mutex_lock(&pool->lock);
    while (pool->count == 0 && !pool->ending) {
        (void)pthread_cond_wait(&pool->changed, &pool->lock);
    }
    if (pool->count > 0) {
        item = pool->items[pool->first];
        pool->first = (pool->first + 1) % pool->room;
        pool->count--;
        pool->busy++;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return item;
}

static void done(struct nd_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->busy--;
    (void)pthread_mutex_unlock(&pool->lock);
}

static void *run(void *context)
{
    struct nd_pool *pool = context;
    void *item;
    while ((item = take(pool)) != NULL) {
        pool->work(item, pool->context);
        done(pool);
    }
    return NULL;
}

enum nd_status nd_pool_create(size_t count, size_t room, nd_pool_work *work,
                              void *context, struct nd_error *error,
                              struct nd_pool **pool_r)
{
    struct nd_pool *pool = nd_calloc(1, sizeof(*pool));
    pool->work = work;
    pool->context = context;
    pool->room = room;
    pool->items = nd_calloc(room, sizeof(*pool->items));
    pool->threads = nd_calloc(count, sizeof(*pool->threads));
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->changed, NULL);
    for (; pool->thread_count < count; pool->thread_count++) {
        if (pthread_create(&pool->threads[pool->thread_count], NULL, run,
                           pool) != 0) {
            nd_pool_destroy(&pool);
            return nd_fail(error, ND_OS, "cannot start a thread");
        }
    }
    *pool_r = pool;
    return ND_OK;
}

void nd_pool_destroy(struct nd_pool **pool)
{
    if (pool == NULL || *pool == NULL) {
        return;
    }
    struct nd_pool *old = *pool;
    (void)pthread_mutex_lock(&old->lock);
    old->ending = true;
    (void)pthread_cond_broadcast(&old->changed);
    (void)pthread_mutex_unlock(&old->lock);
    for (size_t i = 0; i < old->thread_count; i++) {
        (void)pthread_join(old->threads[i], NULL);
    }
    (void)pthread_mutex_destroy(&old->lock);
    (void)pthread_cond_destroy(&old->changed);
    free(old->threads);
    free(old->items);
    free(old);
    *pool = NULL;
}

static bool is_idle(struct nd_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    bool idle = pool->count == 0 && pool->busy == 0;
    (void)pthread_mutex_unlock(&pool->lock);
    return idle;
}

void nd_pool_wait(struct nd_pool *pool, int64_t timeout_ms)
{
    int64_t end_us = nd_clock_monotonic_us() + timeout_ms * 1000;
    while (!is_idle(pool) && nd_clock_monotonic_us() < end_us) {
        (void)usleep(2000);
    }
}

bool nd_pool_submit(struct nd_pool *pool, void *item)
{
    (void)pthread_mutex_lock(&pool->lock);
    bool taken = pool->count < pool->room && !pool->ending;
    if (taken) {
        pool->items[(pool->first + pool->count) % pool->room] = item;
        pool->count++;
        (void)pthread_cond_signal(&pool->changed);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return taken;
}
