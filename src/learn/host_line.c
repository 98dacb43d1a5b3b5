/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread's way to the store: a handle that is opened when it can be, pauses
 * that grow with each failure and differ from host to host, and the engines
 * that the thread works with. All lines together tell whether the store is
 * there; where one finds it back, the others need not sit out their pauses.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "learn/host_private.h"

#define FIRST_PAUSE_US INT64_C(250000)
/* The store's client has pauses of its own, and both must be over. */
#define LONGEST_PAUSE_US INT64_C(1000000)

int64_t nd_host_jitter_us(struct nd_random *random, int64_t base_us)
{
    return base_us / 2 +
           (int64_t)nd_random_below(random, (uint64_t)base_us + 1);
}

void nd_host_line_init(struct nd_host_line *line, struct nd_host *host)
{
    uint64_t seed;
    *line = (struct nd_host_line){.host = host};
    nd_random_system(&seed, sizeof seed);
    nd_random_seed(&line->random, seed);
}

void nd_host_line_close(struct nd_host_line *line)
{
    nd_store_close(&line->store);
}

static uint64_t returns_of(struct nd_host *host)
{
    (void)pthread_mutex_lock(&host->state_lock);
    uint64_t returns = host->store_returns;
    (void)pthread_mutex_unlock(&host->state_lock);
    return returns;
}

int64_t nd_host_line_wait_us(const struct nd_host_line *line)
{
    int64_t wait_us = line->not_before_us - nd_clock_monotonic_us();
    if (line->failures == 0 || wait_us <= 0 ||
        returns_of(line->host) != line->returns)
        return 0;
    return wait_us;
}

bool nd_host_line_is_ready(const struct nd_host_line *line)
{
    return nd_host_line_wait_us(line) == 0;
}

bool nd_host_is_away(enum nd_status status)
{
    return status == ND_UNAVAILABLE || status == ND_UNCERTAIN ||
           status == ND_TEMPORARY || status == ND_IO || status == ND_OS ||
           status == ND_NO_INPUT;
}

/* That it can be reached, and must not be used as it is. One that may be read
 * and not written is of use. */
static bool is_unusable(const struct nd_host_line *line, enum nd_status status)
{
    return status == ND_VERSION || status == ND_DATA || status == ND_CONFIG ||
           status == ND_KEY || (status == ND_PERMISSION && line->store == NULL);
}

/* ---- the host's view of the store ---- */

static enum nd_host_store_state state_after(const struct nd_host_line *line,
                                            enum nd_status status,
                                            enum nd_host_store_state before)
{
    if (nd_host_is_away(status))
        return ND_HOST_STORE_AWAY;
    if (is_unusable(line, status))
        return ND_HOST_STORE_UNUSABLE;
    return status == ND_OK ? ND_HOST_STORE_UP : before;
}

static void tell_state(struct nd_host *host, enum nd_host_store_state before,
                       enum nd_host_store_state after, enum nd_status status,
                       const char *text)
{
    struct nd_host_event event = {.kind = ND_HOST_STORE_BACK,
                                  .rule = "",
                                  .settings = "",
                                  .status = status,
                                  .text = text};
    if (after == ND_HOST_STORE_AWAY) {
        event.kind = ND_HOST_STORE_LOST;
        nd_host_count(host, ND_HOST_AT(store_lost), 1);
    } else if (after == ND_HOST_STORE_UNUSABLE) {
        event.kind = ND_HOST_STORE_REFUSED;
    } else if (before == ND_HOST_STORE_UNKNOWN) {
        return; /* as it should be */
    } else {
        event.text = "it answers again";
    }
    nd_host_tell(host, &event);
}

static void note_state(struct nd_host_line *line, enum nd_status status,
                       const char *text)
{
    struct nd_host *host = line->host;
    (void)pthread_mutex_lock(&host->state_lock);
    enum nd_host_store_state before = host->store_state;
    enum nd_host_store_state after = state_after(line, status, before);
    bool changed = after != before;
    host->store_state = after;
    if (changed) {
        host->store_since_ms = nd_clock_wall_ms();
        host->look_soon = true;
        if (after == ND_HOST_STORE_UP)
            host->store_returns++;
    }
    if (status != ND_OK)
        (void)snprintf(host->store_text, sizeof host->store_text, "%s", text);
    (void)pthread_mutex_unlock(&host->state_lock);
    if (!changed)
        return;
    tell_state(host, before, after, status, text);
    if (after == ND_HOST_STORE_UP) {
        nd_host_poke_watcher(host);
        nd_host_poke_learner(host);
        nd_host_poke_trainer(host);
    }
}

enum nd_status nd_host_line_note(struct nd_host_line *line,
                                 enum nd_status status,
                                 const struct nd_error *error)
{
    bool failed = nd_host_is_away(status) || is_unusable(line, status);
    if (failed) {
        unsigned doublings = line->failures < 2 ? line->failures : 2;
        int64_t pause_us = FIRST_PAUSE_US << doublings;
        line->failures++;
        line->returns = returns_of(line->host);
        line->not_before_us =
            nd_clock_monotonic_us() +
            nd_host_jitter_us(&line->random, pause_us < LONGEST_PAUSE_US
                                                 ? pause_us
                                                 : LONGEST_PAUSE_US);
        nd_host_count(line->host, ND_HOST_AT(store_failures), 1);
    } else if (status == ND_OK) {
        line->failures = 0;
    }
    if (status == ND_VERSION)
        nd_host_set_blind(line->host,
                          true); /* until the watcher knows better */
    if (!line->silent && !atomic_load(&line->host->interrupt))
        note_state(line, status, error != NULL ? error->text : "");
    return status;
}

enum nd_status nd_host_line_open(struct nd_host_line *line,
                                 struct nd_error *error)
{
    struct nd_host *host = line->host;
    if (line->store != NULL)
        return ND_OK;
    if (!nd_host_line_is_ready(line))
        return nd_fail(error, ND_UNAVAILABLE,
                       "the store is away; it is tried again soon");
    return nd_host_line_note(
        line,
        nd_store_open(host->url, &host->store_options, error, &line->store),
        error);
}

/* ---- a thread's own engines ---- */

void nd_host_crew_clear(struct nd_host_crew *crew)
{
    for (size_t i = 0; crew->rules != NULL && i < crew->rules->count; i++)
        nd_engine_destroy(&crew->engines[i]);
    free(crew->engines);
    crew->engines = NULL;
    nd_host_rules_release(&crew->rules);
}

void nd_host_crew_switch(struct nd_host_crew *crew, struct nd_host_rules *rules)
{
    nd_host_crew_clear(crew);
    crew->rules = rules;
    crew->engines = nd_calloc(rules->count, sizeof *crew->engines);
}

enum nd_status nd_host_crew_engine(struct nd_host_crew *crew, size_t place,
                                   struct nd_error *error,
                                   struct nd_engine **engine_r)
{
    struct nd_host *host = crew->line->host;
    enum nd_status status = nd_host_line_open(crew->line, error);
    if (status != ND_OK)
        return status;
    if (crew->engines[place] == NULL) {
        struct nd_engine *engine =
            nd_engine_prepare(&crew->rules->engines[place]->rule);
        status = nd_host_line_note(
            crew->line,
            nd_engine_connect(engine, crew->line->store,
                              host->has_key_file ? &host->key_file_key : NULL,
                              crew->duties, error),
            error);
        if (status != ND_OK) {
            nd_engine_destroy(&engine);
            return status;
        }
        crew->engines[place] = engine;
    }
    *engine_r = crew->engines[place];
    return ND_OK;
}
