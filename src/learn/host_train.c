/* SPDX-License-Identifier: Apache-2.0
 *
 * The trainer: one training at a time, of a rule that is due or that somebody
 * asked for. Whether another host is quicker the store decides by its lease;
 * the loser comes back later, at a time of its own. Between trainings it keeps
 * the store clean. How a training goes is training.c's, in what intervals after
 * failures due.c's.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "learn/host_private.h"

#define HINT_PAUSE_US INT64_C(1000000) /* between checks for lessons' sake */
#define LONGEST_WAIT_US INT64_C(60000000)

/* Who asks for a rule's lease. Engines are made anew for each training; a lease
 * that one could not give back, since the store was away, is taken up again by
 * the next. */
struct incarnation {
    uint8_t nonce[ND_NONCE_BYTES];
    uint64_t progress;
};

struct trainer {
    struct nd_host *host;
    struct nd_host_line line;
    struct nd_host_crew crew;
    struct incarnation *selves; /* by place */
    int64_t *check_us;          /* by place: when to look whether it is due */
    int64_t checked_us;
    int64_t maintain_us;
};

/* ---- jobs ---- */

/* Under state_lock. */
static struct nd_host_job *job_of(struct nd_host *host, uint64_t id)
{
    struct nd_host_job *job = &host->jobs[id % ND_HOST_JOBS];
    return id != 0 && job->id == id ? job : NULL;
}

/* Under state_lock. The job of a rule that has not ended; NULL without. */
static struct nd_host_job *open_job(struct nd_host *host,
                                    const struct nd_rule *rule)
{
    for (size_t i = 0; i < ND_HOST_JOBS; i++) {
        struct nd_host_job *job = &host->jobs[i];
        if (job->id != 0 && job->state != ND_HOST_JOB_ENDED &&
            strcmp(job->rule, rule->name) == 0 &&
            strcmp(job->settings, rule->settings) == 0)
            return job;
    }
    return NULL;
}

/* Under state_lock. An ended one makes room; 0 where all are open. */
static uint64_t add_job(struct nd_host *host, const struct nd_rule *rule,
                        bool force)
{
    for (size_t i = 0; i < ND_HOST_JOBS; i++) {
        uint64_t id = ++host->last_job;
        struct nd_host_job *job = &host->jobs[id % ND_HOST_JOBS];
        if (job->id != 0 && job->state != ND_HOST_JOB_ENDED)
            continue;
        *job = (struct nd_host_job){.id = id, .force = force, .loss = NAN};
        memcpy(job->rule, rule->name, sizeof job->rule);
        memcpy(job->settings, rule->settings, sizeof job->settings);
        return id;
    }
    return 0;
}

enum nd_status nd_host_train(struct nd_host *host,
                             const struct nd_host_choice *choice, bool force,
                             struct nd_error *error, uint64_t *id_r)
{
    if ((host->roles & ND_ROLE_TRAIN) == 0)
        return nd_fail(error, ND_PERMISSION,
                       "this host has not the role to train");
    if (atomic_load(&host->stopping))
        return nd_fail(error, ND_CANCELLED, "this host is stopping");
    struct nd_host_rules *rules = nd_host_take_rules(host);
    size_t *chosen = nd_calloc(rules->count, sizeof *chosen);
    size_t count;
    bool unknown;
    enum nd_status status =
        nd_host_rules_choose(rules, choice, error, chosen, &count, &unknown);
    if (status == ND_OK) {
        const struct nd_rule *rule = &rules->engines[chosen[0]]->rule;
        (void)pthread_mutex_lock(&host->state_lock);
        struct nd_host_job *job = open_job(host, rule);
        uint64_t id = job != NULL ? job->id : add_job(host, rule, force);
        (void)pthread_mutex_unlock(&host->state_lock);
        if (id != 0)
            *id_r = id;
        else
            status = nd_fail(error, ND_BUSY, "%d trainings wait already",
                             ND_HOST_JOBS);
    }
    free(chosen);
    nd_host_rules_release(&rules);
    nd_host_poke_trainer(host);
    return status;
}

enum nd_status nd_host_job(struct nd_host *host, uint64_t id,
                           struct nd_error *error, struct nd_host_job *job_r)
{
    (void)pthread_mutex_lock(&host->state_lock);
    const struct nd_host_job *job = job_of(host, id);
    bool found = job != NULL;
    if (found)
        *job_r = *job;
    (void)pthread_mutex_unlock(&host->state_lock);
    return found ? ND_OK
                 : nd_fail(error, ND_NO_INPUT, "there is no job %llu",
                           (unsigned long long)id);
}

/* ---- a training ---- */

struct run {
    struct nd_host *host;
    uint64_t id;
};

static bool progress(double done, double loss, const char *stage, void *context)
{
    const struct run *run = context;
    (void)pthread_mutex_lock(&run->host->state_lock);
    struct nd_host_job *job = job_of(run->host, run->id);
    if (job != NULL) {
        job->done = done;
        job->loss = loss;
        (void)snprintf(job->stage, sizeof job->stage, "%s", stage);
    }
    (void)pthread_mutex_unlock(&run->host->state_lock);
    return !atomic_load(&run->host->stopping);
}

static void begin_job(struct nd_host *host, uint64_t id)
{
    (void)pthread_mutex_lock(&host->state_lock);
    struct nd_host_job *job = job_of(host, id);
    job->state = ND_HOST_JOB_RUNNING;
    job->started_ms = nd_clock_wall_ms();
    host->running_job = id;
    (void)pthread_mutex_unlock(&host->state_lock);
}

static void end_job(struct nd_host *host, uint64_t id, enum nd_status status,
                    const struct nd_error *error,
                    const struct nd_training_report *report)
{
    (void)pthread_mutex_lock(&host->state_lock);
    struct nd_host_job *job = job_of(host, id);
    job->state = ND_HOST_JOB_ENDED;
    job->ended_ms = nd_clock_wall_ms();
    job->status = status;
    (void)snprintf(job->text, sizeof job->text, "%s",
                   status == ND_OK ? "" : error->text);
    if (status == ND_OK) {
        job->report = *report;
        job->done = 1;
    }
    host->running_job = 0;
    host->look_soon = true;
    (void)pthread_mutex_unlock(&host->state_lock);
}

static void tell(struct nd_host *host, const struct nd_rule *rule,
                 struct nd_host_event event)
{
    event.rule = rule->name;
    event.settings = rule->settings;
    nd_host_tell(host, &event);
}

static void tell_end(struct nd_host *host, const struct nd_rule *rule,
                     enum nd_status status, const struct nd_error *error,
                     const struct nd_training_report *report)
{
    struct nd_host_event event = {
        .kind = ND_HOST_TRAINING_ENDED, .status = status, .text = error->text};
    char text[sizeof report->reason + 16];
    if (status == ND_OK) {
        nd_host_count(host, ND_HOST_AT(trainings) + report->decision, 1);
        (void)snprintf(text, sizeof text, "%s: %s",
                       nd_decision_name(report->decision), report->reason);
        event.text = text;
        event.report = report;
        event.generation = report->generation;
    } else if (status == ND_BUSY) {
        nd_host_count(host, ND_HOST_AT(trainings_busy), 1);
        event.kind = ND_HOST_TRAINING_BUSY;
    } else if (status == ND_LOST || status == ND_SUPERSEDED) {
        nd_host_count(host, ND_HOST_AT(trainings_lost), 1);
    }
    tell(host, rule, event);
}

/* Whether it is due still, for the engine that is to train: then it also knows
 * what it was due after. */
static enum nd_status confirm_due(struct nd_engine *engine,
                                  struct nd_error *error)
{
    bool due = false;
    char why[128];
    enum nd_status status = nd_engine_due(engine, error, &due, why, sizeof why);
    return status != ND_OK || due ? status
                                  : nd_fail(error, ND_NOTHING, "%s", why);
}

/* why says why it was found due; NULL: somebody asked for it. */
static enum nd_status train(struct trainer *trainer, size_t place, uint64_t id,
                            bool force, const char *why)
{
    struct nd_host *host = trainer->host;
    const struct nd_rule *rule = &trainer->crew.rules->engines[place]->rule;
    struct run run = {host, id};
    struct nd_error error = {""};
    struct nd_training_report report = {0};
    struct incarnation *self = &trainer->selves[place];
    struct nd_engine *engine;
    begin_job(host, id);
    /* afresh: a failover may have taken feature names back that this engine
     * knows, and a model must not carry them */
    nd_engine_destroy(&trainer->crew.engines[place]);
    enum nd_status status =
        nd_host_crew_engine(&trainer->crew, place, &error, &engine);
    if (status == ND_OK && why != NULL)
        status = confirm_due(engine, &error);
    if (status == ND_OK) {
        tell(host, rule,
             (struct nd_host_event){.kind = ND_HOST_TRAINING_STARTED,
                                    .text = why != NULL ? why : "asked for"});
        memcpy(engine->nonce, self->nonce, sizeof engine->nonce);
        engine->progress = self->progress;
        status =
            nd_engine_train(engine, force, progress, &run, &error, &report);
        self->progress = engine->progress;
        if (status == ND_UNAVAILABLE || status == ND_VERSION)
            (void)nd_host_line_note(&trainer->line, status, &error);
    }
    end_job(host, id, status, &error, &report);
    tell_end(host, rule, status, &error, &report);
    nd_host_poke_watcher(host);
    return status;
}

/* ---- what is due ---- */

static int64_t later_us(struct trainer *trainer, const struct nd_rule *rule)
{
    return nd_clock_monotonic_us() +
           nd_host_jitter_us(&trainer->line.random,
                             rule->watch_interval_ms * 1000);
}

static enum nd_status check(struct trainer *trainer, size_t place)
{
    struct nd_host *host = trainer->host;
    const struct nd_rule *rule = &trainer->crew.rules->engines[place]->rule;
    struct nd_error error = {""};
    struct nd_engine *engine;
    bool due = false;
    char why[128] = "";
    enum nd_status status =
        nd_host_crew_engine(&trainer->crew, place, &error, &engine);
    if (status == ND_OK)
        status = nd_host_line_note(
            &trainer->line,
            nd_engine_due(engine, &error, &due, why, sizeof why), &error);
    trainer->check_us[place] = later_us(trainer, rule);
    if (status != ND_OK || !due)
        return status;
    (void)pthread_mutex_lock(&host->state_lock);
    uint64_t id = add_job(host, rule, false);
    (void)pthread_mutex_unlock(&host->state_lock);
    if (id != 0)
        status = train(trainer, place, id, false, why);
    trainer->check_us[place] = later_us(trainer, rule);
    return status;
}

static void check_due(struct trainer *trainer, bool all)
{
    size_t count = trainer->crew.rules->count;
    for (size_t i = 0; i < count; i++) {
        if (atomic_load(&trainer->host->stopping) ||
            !nd_host_line_is_ready(&trainer->line))
            return;
        if (all || nd_clock_monotonic_us() >= trainer->check_us[i])
            (void)check(trainer, i);
    }
    if (all)
        trainer->checked_us = nd_clock_monotonic_us();
}

/* Works off the jobs that callers asked for. */
static void run_jobs(struct trainer *trainer)
{
    struct nd_host *host = trainer->host;
    for (;;) {
        struct nd_host_job next = {0};
        (void)pthread_mutex_lock(&host->state_lock);
        for (size_t i = 0; i < ND_HOST_JOBS; i++) {
            const struct nd_host_job *job = &host->jobs[i];
            if (job->id != 0 && job->state == ND_HOST_JOB_WAITING &&
                (next.id == 0 || job->id < next.id))
                next = *job;
        }
        (void)pthread_mutex_unlock(&host->state_lock);
        if (next.id == 0 || atomic_load(&host->stopping))
            return;
        size_t place =
            nd_host_rules_find(trainer->crew.rules, next.rule, next.settings);
        struct nd_error error = {""};
        if (place < trainer->crew.rules->count)
            (void)train(trainer, place, next.id, next.force, NULL);
        else
            end_job(host, next.id,
                    nd_fail(&error, ND_NO_INPUT, "the rule is gone"), &error,
                    NULL);
    }
}

/* ---- the thread ---- */

static void take_new_rules(struct trainer *trainer)
{
    struct nd_host_rules *rules = nd_host_take_rules(trainer->host);
    if (rules == trainer->crew.rules) {
        nd_host_rules_release(&rules);
        return;
    }
    nd_host_crew_switch(&trainer->crew, rules);
    free(trainer->check_us);
    trainer->check_us = nd_calloc(rules->count, sizeof *trainer->check_us);
    free(trainer->selves);
    trainer->selves = nd_calloc(rules->count, sizeof *trainer->selves);
    for (size_t i = 0; i < rules->count; i++)
        nd_random_system(trainer->selves[i].nonce,
                         sizeof trainer->selves[i].nonce);
}

static int64_t next_us(const struct trainer *trainer, bool hinted)
{
    int64_t next = nd_clock_monotonic_us() + LONGEST_WAIT_US;
    if (trainer->maintain_us < next)
        next = trainer->maintain_us;
    for (size_t i = 0; i < trainer->crew.rules->count; i++) {
        if (trainer->check_us[i] < next)
            next = trainer->check_us[i];
    }
    if (hinted && trainer->checked_us + HINT_PAUSE_US < next)
        next = trainer->checked_us + HINT_PAUSE_US;
    return next;
}

/* Waits for its turn; true where lessons were learned since the last. A store
 * that comes back pokes. */
static bool wait_turn(struct trainer *trainer)
{
    struct nd_host *host = trainer->host;
    int64_t ready_us =
        nd_clock_monotonic_us() + nd_host_line_wait_us(&trainer->line);
    bool hinted;
    (void)pthread_mutex_lock(&host->state_lock);
    for (;;) {
        hinted = host->train_hint;
        int64_t until_us = next_us(trainer, hinted);
        if (until_us < ready_us)
            until_us = ready_us;
        if (host->train_now || atomic_load(&host->stopping) ||
            nd_clock_monotonic_us() >= until_us)
            break;
        nd_host_wait(&host->train_changed, &host->state_lock, until_us);
    }
    host->train_now = false;
    host->train_hint = false;
    (void)pthread_mutex_unlock(&host->state_lock);
    return hinted;
}

void nd_host_run_trainer(struct nd_host *host)
{
    struct trainer trainer = {.host = host};
    nd_host_line_init(&trainer.line, host);
    trainer.crew = (struct nd_host_crew){.line = &trainer.line,
                                         .duties = ND_ENGINE_SERVES};
    trainer.maintain_us = nd_clock_monotonic_us() +
                          nd_host_jitter_us(&trainer.line.random,
                                            host->maintain_interval_ms * 1000);
    while (!atomic_load(&host->stopping)) {
        take_new_rules(&trainer);
        run_jobs(&trainer);
        bool hinted = wait_turn(&trainer);
        take_new_rules(&trainer);
        run_jobs(&trainer);
        check_due(&trainer, hinted);
        if (nd_clock_monotonic_us() >= trainer.maintain_us &&
            !atomic_load(&host->stopping)) {
            nd_host_maintain(&trainer.line, trainer.crew.rules);
            trainer.maintain_us =
                nd_clock_monotonic_us() +
                nd_host_jitter_us(&trainer.line.random,
                                  host->maintain_interval_ms * 1000);
        }
    }
    nd_host_crew_clear(&trainer.crew);
    nd_host_line_close(&trainer.line);
    free(trainer.check_us);
    free(trainer.selves);
}
