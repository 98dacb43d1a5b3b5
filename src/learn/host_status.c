/* SPDX-License-Identifier: Apache-2.0
 *
 * What people look at: events, counters, and the status, which the watcher
 * gathers from the store and anybody may copy. A rule that could not be looked
 * at keeps what was seen last, with the time when that was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "learn/host_private.h"

#define JOURNAL_ENTRIES 10

/* One rule as it was seen; the arena holds what status points to. */
struct nd_host_view {
    struct nd_arena *arena;
    struct nd_host_scope_status status;
};

/* ---- events and counters ---- */

static const struct {
    const char *name;
    enum nd_log_level level;
} event_kinds[] = {
    [ND_HOST_STORE_LOST] = {"store_lost", ND_LOG_WARNING},
    [ND_HOST_STORE_BACK] = {"store_back", ND_LOG_INFO},
    [ND_HOST_STORE_REFUSED] = {"store_refused", ND_LOG_ERROR},
    [ND_HOST_MODEL_TAKEN] = {"model_taken", ND_LOG_INFO},
    [ND_HOST_MODEL_REFUSED] = {"model_refused", ND_LOG_WARNING},
    [ND_HOST_TRAINING_STARTED] = {"training_started", ND_LOG_INFO},
    [ND_HOST_TRAINING_ENDED] = {"training_ended", ND_LOG_INFO},
    [ND_HOST_TRAINING_BUSY] = {"training_busy", ND_LOG_INFO},
    [ND_HOST_SPOOLED] = {"spooled", ND_LOG_WARNING},
    [ND_HOST_SPOOL_DELIVERED] = {"spool_delivered", ND_LOG_INFO},
    [ND_HOST_SPOOL_LATE] = {"spool_late", ND_LOG_WARNING},
    [ND_HOST_RELOADED] = {"reloaded", ND_LOG_INFO},
    [ND_HOST_MAINTAINED] = {"maintained", ND_LOG_INFO},
};

const char *nd_host_event_name(enum nd_host_event_kind kind)
{
    return event_kinds[kind].name;
}

void nd_host_tell(struct nd_host *host, const struct nd_host_event *event)
{
    char where[2 * ND_NAME_BYTES + 24] = "";
    char number[40] = "";
    if (event->rule[0] != '\0')
        (void)snprintf(where, sizeof where,
                       " rule %s, settings %s:", event->rule, event->settings);
    if (event->generation != 0)
        (void)snprintf(number, sizeof number, " (generation %llu)",
                       (unsigned long long)event->generation);
    else if (event->count != 0)
        (void)snprintf(number, sizeof number, " (%llu)",
                       (unsigned long long)event->count);
    (void)pthread_mutex_lock(&host->event_lock);
    nd_log(event_kinds[event->kind].level, "%s:%s %s%s",
           nd_host_event_name(event->kind), where, event->text, number);
    if (host->listener != NULL)
        host->listener(event, host->context);
    (void)pthread_mutex_unlock(&host->event_lock);
}

void nd_host_counters(struct nd_host *host, struct nd_host_counters *counters_r)
{
    uint64_t values[sizeof(struct nd_host_counters) / sizeof(uint64_t)];
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        values[i] =
            atomic_load_explicit(&host->counters[i], memory_order_relaxed);
    memcpy(counters_r, values, sizeof *counters_r);
}

const char *nd_host_store_state_name(enum nd_host_store_state state)
{
    static const char *const names[] = {"unknown", "up", "away", "unusable"};
    return names[state];
}

/* ---- looking ---- */

static const char *keep(const char *text, struct nd_arena *arena)
{
    return nd_arena_strndup(arena, text, strlen(text));
}

static const void *keep_array(const void *items, size_t count, size_t size,
                              struct nd_arena *arena)
{
    void *copy = nd_arena_take(arena, count * size);
    if (count > 0)
        memcpy(copy, items, count * size);
    return copy;
}

static enum nd_status look_at_lists(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    struct nd_arena *arena,
                                    struct nd_error *error,
                                    struct nd_host_scope_status *status)
{
    struct nd_host_report *hosts = NULL;
    struct nd_model_info *models = NULL;
    enum nd_status result =
        nd_store_journal(store, scope, JOURNAL_ENTRIES, arena, error,
                         &status->journal, &status->journal_count);
    if (result == ND_OK)
        result = nd_store_host_list(store, scope, error, &hosts,
                                    &status->host_count);
    if (result == ND_OK)
        result = nd_store_model_list(store, scope, error, &models,
                                     &status->model_count);
    if (result == ND_OK) {
        status->hosts =
            keep_array(hosts, status->host_count, sizeof *hosts, arena);
        status->models =
            keep_array(models, status->model_count, sizeof *models, arena);
    }
    free(hosts);
    free(models);
    return result;
}

static enum nd_status look_at(struct nd_store *store, struct nd_engine *engine,
                              struct nd_arena *arena, struct nd_error *error,
                              struct nd_host_scope_status *status)
{
    const struct nd_scope *scope = &engine->scope;
    enum nd_status result = nd_store_stats(store, scope, error, &status->stats);
    if (result == ND_OK)
        result =
            nd_store_training_state(store, scope, error, &status->training);
    if (result == ND_OK)
        result = nd_engine_due(engine, error, &status->due, status->due_text,
                               sizeof status->due_text);
    if (result == ND_OK)
        result = nd_store_model_current(store, scope, error, &status->pointer);
    if (result == ND_OK) {
        result = nd_store_lease_show(store, scope, error, &status->lease);
        status->leased = result == ND_OK;
        result = result == ND_NOTHING ? ND_OK : result;
    }
    if (result == ND_OK)
        result = look_at_lists(store, scope, arena, error, status);
    status->seen_ms = nd_clock_wall_ms();
    return result;
}

static uint64_t loaded_by(struct nd_engine *engine)
{
    struct nd_live *live = nd_engine_take_live(engine);
    uint64_t generation = live != NULL ? live->generation : 0;
    nd_live_release(&live);
    return generation;
}

/* What the store last said of the rule, if it was there before; taken out of
 * the old views. A reload is no reason to know nothing. */
static struct nd_host_view take_view(struct nd_host *host,
                                     const struct nd_rule *rule)
{
    struct nd_host_view none = {.status = {.model_problem = ""}};
    size_t count = host->view_rules != NULL ? host->view_rules->count : 0;
    for (size_t i = 0; i < count; i++) {
        struct nd_host_view *old = &host->views[i];
        if (strcmp(old->status.rule, rule->name) == 0 &&
            strcmp(old->status.settings, rule->settings) == 0) {
            struct nd_host_view taken = *old;
            *old =
                (struct nd_host_view){.status = {.rule = "", .settings = ""}};
            return taken;
        }
    }
    return none;
}

void nd_host_fit_views(struct nd_host *host, struct nd_host_rules *rules)
{
    if (host->view_rules == rules)
        return;
    struct nd_host_view *views = nd_calloc(rules->count, sizeof *views);
    for (size_t i = 0; i < rules->count; i++) {
        const struct nd_rule *rule = &rules->engines[i]->rule;
        views[i] = take_view(host, rule);
        views[i].status.rule = rule->name;
        views[i].status.settings = rule->settings;
        views[i].status.loaded_generation = loaded_by(rules->engines[i]);
    }
    nd_host_views_free(host);
    host->view_rules = nd_host_rules_hold(rules);
    host->views = views;
}

void nd_host_views_free(struct nd_host *host)
{
    for (size_t i = 0; host->view_rules != NULL && i < host->view_rules->count;
         i++)
        nd_arena_destroy(&host->views[i].arena);
    free(host->views);
    host->views = NULL;
    nd_host_rules_release(&host->view_rules);
}

static void show_engine(struct nd_host *host, const struct nd_engine *engine,
                        struct nd_host_view *view)
{
    (void)pthread_mutex_lock(&host->state_lock);
    view->status.loaded_generation =
        engine->live != NULL ? engine->live->generation : 0;
    if (view->arena == NULL)
        view->arena = nd_arena_create(0);
    const char *text =
        engine->problem[0] != '\0' ? engine->problem : engine->note;
    if (strcmp(view->status.model_problem, text) != 0)
        view->status.model_problem = keep(text, view->arena);
    (void)pthread_mutex_unlock(&host->state_lock);
}

void nd_host_look(struct nd_host_line *line, struct nd_host_rules *rules)
{
    struct nd_host *host = line->host;
    bool ready = line->store != NULL && nd_host_line_is_ready(line);
    (void)pthread_mutex_lock(&host->state_lock);
    nd_host_fit_views(host, rules);
    (void)pthread_mutex_unlock(&host->state_lock);
    for (size_t i = 0; i < rules->count; i++) {
        struct nd_engine *engine = rules->engines[i];
        struct nd_host_view *view = &host->views[i];
        struct nd_arena *arena = nd_arena_create(0);
        struct nd_error error;
        struct nd_host_scope_status status = {.rule = engine->rule.name,
                                              .settings = engine->rule.settings,
                                              .model_problem = ""};
        status.loaded_generation = loaded_by(engine);
        if (ready && rules->connected[i] &&
            look_at(line->store, engine, arena, &error, &status) == ND_OK) {
            (void)pthread_mutex_lock(&host->state_lock);
            struct nd_arena *old = view->arena;
            view->arena = arena;
            view->status = status;
            (void)pthread_mutex_unlock(&host->state_lock);
            arena = old;
        }
        nd_arena_destroy(&arena);
        show_engine(host, engine, view);
    }
}

/* ---- the copy ---- */

static void copy_scope(const struct nd_host_scope_status *from,
                       struct nd_arena *arena, struct nd_host_scope_status *to)
{
    *to = *from;
    to->rule = keep(from->rule, arena);
    to->settings = keep(from->settings, arena);
    to->model_problem = keep(from->model_problem, arena);
    to->hosts =
        keep_array(from->hosts, from->host_count, sizeof *to->hosts, arena);
    to->models =
        keep_array(from->models, from->model_count, sizeof *to->models, arena);
    struct nd_journal_entry *entries =
        nd_arena_take(arena, from->journal_count * sizeof *entries);
    for (size_t i = 0; i < from->journal_count; i++) {
        entries[i] = from->journal[i];
        entries[i].holder = keep(entries[i].holder, arena);
        entries[i].reason = keep(entries[i].reason, arena);
        entries[i].figures = keep(entries[i].figures, arena);
    }
    to->journal = entries;
}

static void copy_scopes(struct nd_host *host, struct nd_arena *arena,
                        struct nd_host_status *status)
{
    struct nd_host_rules *rules = host->view_rules;
    size_t count = rules != NULL ? rules->count : 0;
    struct nd_host_scope_status *scopes =
        nd_arena_take(arena, count * sizeof *scopes);
    for (size_t i = 0; i < count; i++)
        copy_scope(&host->views[i].status, arena, &scopes[i]);
    status->scopes = scopes;
    status->scope_count = count;
}

void nd_host_status(struct nd_host *host, struct nd_arena *arena,
                    struct nd_host_status *status_r)
{
    struct nd_host_status status = {.roles = host->roles,
                                    .started_ms = host->started_ms,
                                    .has_spool = host->has_spool};
    struct nd_key key;
    status.has_key = nd_host_take_key(host, &key);
    nd_wipe(&key, sizeof key);
    (void)pthread_mutex_lock(&host->queue_lock);
    status.queued = host->queued;
    (void)pthread_mutex_unlock(&host->queue_lock);
    (void)pthread_mutex_lock(&host->state_lock);
    status.store = host->store_state;
    status.store_since_ms = host->store_since_ms;
    status.store_text = keep(host->store_text, arena);
    status.spool = host->spool_counts;
    status.running_job = host->running_job;
    copy_scopes(host, arena, &status);
    (void)pthread_mutex_unlock(&host->state_lock);
    *status_r = status;
}
