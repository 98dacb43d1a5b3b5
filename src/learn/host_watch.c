/* SPDX-License-Identifier: Apache-2.0
 *
 * The watcher: takes up newer models, marks what is in use, and keeps the
 * status; at every watch_interval, and at once when the subscriber hears of a
 * change. The subscriber is a thread of its own with nothing to do but wait,
 * since a subscribed connection takes no questions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "learn/host_private.h"

#define LISTEN_MS 500
#define LONGEST_NAP_US INT64_C(500000)
#define LOOK_PAUSE_US INT64_C(1000000) /* between two looks for the status */

/* ---- models ---- */

static void tell(struct nd_host *host, const struct nd_engine *engine,
                 enum nd_host_event_kind kind, uint64_t generation,
                 const char *text)
{
    struct nd_host_event event = {.kind = kind,
                                  .rule = engine->rule.name,
                                  .settings = engine->rule.settings,
                                  .generation = generation,
                                  .text = text};
    nd_host_tell(host, &event);
}

static uint64_t generation_of(const struct nd_engine *engine)
{
    return engine->live != NULL ? engine->live->generation : 0;
}

static enum nd_status connect(struct nd_host_line *line,
                              struct nd_host_rules *rules, size_t place,
                              struct nd_error *error)
{
    struct nd_host *host = line->host;
    uint32_t duties =
        host->roles & ND_ROLE_SCORE
            ? ND_ENGINE_SERVES | ND_ENGINE_MARKS | ND_ENGINE_REPORTS
            : 0;
    enum nd_status status = nd_engine_connect(
        rules->engines[place], line->store,
        host->has_key_file ? &host->key_file_key : NULL, duties, error);
    rules->connected[place] = status == ND_OK;
    return status;
}

/* Brings one rule up to date, and says what changed. */
static enum nd_status refresh(struct nd_host_line *line,
                              struct nd_host_rules *rules, size_t place,
                              struct nd_error *error)
{
    struct nd_host *host = line->host;
    struct nd_engine *engine = rules->engines[place];
    uint64_t before = generation_of(engine);
    char problem[ND_ERROR_BYTES];
    enum nd_status status = ND_OK;
    (void)snprintf(problem, sizeof problem, "%s", engine->problem);
    if (!rules->connected[place])
        status = connect(line, rules, place, error);
    else if (engine->duties & ND_ENGINE_SERVES)
        status = nd_engine_refresh(engine, error, NULL);
    if (status == ND_NO_INPUT && rules->connected[place])
        status = ND_OK; /* replaced while it was read: the next look finds it */
    if (generation_of(engine) != before) {
        nd_host_count(host, ND_HOST_AT(models_taken), 1);
        tell(host, engine, ND_HOST_MODEL_TAKEN, generation_of(engine),
             "a newer model scores now");
    }
    if (engine->problem[0] != '\0' && strcmp(problem, engine->problem) != 0) {
        nd_host_count(host, ND_HOST_AT(models_refused), 1);
        tell(host, engine, ND_HOST_MODEL_REFUSED, engine->pointer.generation,
             engine->problem);
    }
    return status;
}

/* A store that lost its key gets back the one that the fleet works with; one
 * that has another is another store. */
static enum nd_status check_key(struct nd_host_line *line,
                                struct nd_error *error)
{
    struct nd_host *host = line->host;
    struct nd_key own, stored;
    if (host->has_key_file || !nd_host_take_key(host, &own))
        return ND_OK;
    enum nd_status status = nd_store_key(line->store, NULL, error, &stored);
    if (status == ND_NO_INPUT)
        status = nd_store_key(line->store, &own, error, &stored);
    if (status == ND_OK && memcmp(own.id, stored.id, sizeof own.id) != 0)
        status = nd_fail(error, ND_KEY,
                         "the store's key is not the one that it had");
    nd_wipe(&own, sizeof own);
    nd_wipe(&stored, sizeof stored);
    return status;
}

/* Another key: engines that know the old one are of no use. */
static void start_over(struct nd_host *host, struct nd_host_rules *rules,
                       const char *why)
{
    struct nd_error error;
    struct nd_host_rules *fresh;
    struct nd_rule *copies = nd_calloc(rules->count, sizeof *copies);
    for (size_t i = 0; i < rules->count; i++)
        copies[i] = rules->engines[i]->rule; /* strings are borrowed */
    nd_log(ND_LOG_WARNING, "%s: this host starts over with it", why);
    if (nd_host_rules_create(copies, rules->count, &error, &fresh) == ND_OK) {
        (void)pthread_mutex_lock(&host->rules_lock);
        host->has_key = host->has_key_file;
        (void)pthread_mutex_unlock(&host->rules_lock);
        nd_host_install_rules(host, fresh, rules);
    }
    free(copies);
}

static void share(struct nd_host *host, const struct nd_engine *engine)
{
    if (engine->has_key)
        nd_host_keep_key(host, &engine->key);
    (void)pthread_mutex_lock(&host->rules_lock);
    host->clock_offset_ms = engine->clock_offset_ms;
    (void)pthread_mutex_unlock(&host->rules_lock);
}

/* Each rule by itself: what one fails at is no matter of the next, unless it is
 * the store that fails. */
static enum nd_status refresh_rules(struct nd_host_line *line,
                                    struct nd_host_rules *rules,
                                    struct nd_error *error)
{
    enum nd_status first = ND_OK, status = ND_OK;
    for (size_t i = 0; i < rules->count && !nd_host_is_away(status); i++) {
        struct nd_error own = {""};
        status = refresh(line, rules, i, &own);
        if (status == ND_OK)
            share(line->host, rules->engines[i]);
        if (status != ND_OK && (first == ND_OK || nd_host_is_away(status))) {
            first = status;
            *error = own;
        }
    }
    return first;
}

static void refresh_all(struct nd_host_line *line, struct nd_host_rules *rules)
{
    struct nd_host *host = line->host;
    struct nd_error error = {""};
    enum nd_status status = nd_host_line_open(line, &error);
    bool opened = status == ND_OK;
    if (opened)
        status = check_key(line, &error);
    if (status == ND_OK)
        status = refresh_rules(line, rules, &error);
    nd_host_set_blind(host, status == ND_VERSION);
    if (status == ND_KEY)
        start_over(host, rules, error.text);
    else if (opened) /* else it is noted already */
        (void)nd_host_line_note(
            line, status == ND_PERMISSION ? ND_UNAVAILABLE : status, &error);
    nd_host_count(host, ND_HOST_AT(refreshes), 1);
}

/* ---- the thread ---- */

static int64_t interval_us(const struct nd_host_rules *rules)
{
    int64_t least_ms = rules->engines[0]->rule.watch_interval_ms;
    for (size_t i = 1; i < rules->count; i++) {
        int64_t own_ms = rules->engines[i]->rule.watch_interval_ms;
        least_ms = own_ms < least_ms ? own_ms : least_ms;
    }
    return least_ms * 1000;
}

/* Waits until it is time to refresh or to look; true to refresh. */
static bool wait_turn(struct nd_host *host, int64_t refresh_us, int64_t look_us,
                      bool *look_r)
{
    bool turn = false;
    (void)pthread_mutex_lock(&host->state_lock);
    for (;;) {
        int64_t now_us = nd_clock_monotonic_us();
        turn = host->watch_now || now_us >= refresh_us;
        *look_r = host->look_soon && now_us >= look_us;
        if (turn || *look_r || atomic_load(&host->stopping))
            break;
        int64_t until_us = refresh_us;
        if (host->look_soon && look_us < until_us)
            until_us = look_us;
        nd_host_wait(&host->watch_changed, &host->state_lock, until_us);
    }
    host->watch_now = host->watch_now && !turn;
    host->look_soon = host->look_soon && !(turn || *look_r);
    (void)pthread_mutex_unlock(&host->state_lock);
    return turn;
}

static void tell_of_look(struct nd_host *host)
{
    (void)pthread_mutex_lock(&host->state_lock);
    host->looked = true;
    (void)pthread_cond_broadcast(&host->looked_changed);
    (void)pthread_mutex_unlock(&host->state_lock);
}

void nd_host_watch(struct nd_host *host)
{
    struct nd_host_line line;
    int64_t refresh_us = 0, look_us = 0;
    nd_host_line_init(&line, host);
    while (!atomic_load(&host->stopping)) {
        bool looks;
        bool turn = wait_turn(host, refresh_us, look_us, &looks);
        if (atomic_load(&host->stopping))
            break;
        struct nd_host_rules *rules = nd_host_take_rules(host);
        if (turn)
            refresh_all(&line, rules);
        int64_t begun_us = nd_clock_monotonic_us();
        nd_host_look(&line, rules);
        tell_of_look(host);
        int64_t now_us = nd_clock_monotonic_us();
        int64_t taken_us = (now_us - begun_us) * 10;
        look_us =
            now_us + (taken_us > LOOK_PAUSE_US ? taken_us : LOOK_PAUSE_US);
        if (turn || line.failures > 0) {
            int64_t wait_us = nd_host_line_wait_us(&line);
            refresh_us = now_us + (line.failures > 0 ? wait_us + 10000
                                                     : interval_us(rules));
        }
        nd_host_rules_release(&rules);
    }
    nd_host_line_close(&line);
}

/* ---- the subscriber ---- */

static void nap(struct nd_host *host, int64_t wait_us)
{
    if (wait_us > LONGEST_NAP_US)
        wait_us = LONGEST_NAP_US;
    struct timespec pause = {0, (wait_us < 1000 ? 1000 : wait_us) * 1000};
    if (!atomic_load(&host->stopping))
        (void)nanosleep(&pause, NULL);
}

void nd_host_subscribe(struct nd_host *host)
{
    struct nd_host_line line;
    nd_host_line_init(&line, host);
    line.silent = true; /* a store may well be used without subscriptions */
    while (!atomic_load(&host->stopping)) {
        struct nd_error error = {""};
        bool changed = false;
        enum nd_status status = nd_host_line_open(&line, &error);
        if (status == ND_OK && nd_host_line_is_ready(&line))
            status = nd_host_line_note(
                &line,
                nd_store_wait_change(line.store, LISTEN_MS, &error, &changed),
                &error);
        if (changed)
            nd_host_poke_watcher(host);
        if (status != ND_OK || line.failures > 0)
            nap(host, nd_host_line_wait_us(&line));
    }
    nd_host_line_close(&line);
}
