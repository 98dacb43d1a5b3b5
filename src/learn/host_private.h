/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the host share; nothing outside src/learn includes it.
 */
#ifndef ND_LEARN_HOST_PRIVATE_H
#define ND_LEARN_HOST_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/random.h"
#include "learn/engine_private.h"
#include "learn/host.h"
#include "learn/lesson.h"

/* ---- rules ---- */

/* The rules of one configuration with the engines that score by them, shared
 * by references: a reload makes a new set, and who works by the old one ends
 * in peace. The watcher alone brings these engines to the store. */
struct nd_host_rules {
    atomic_uint references;
    size_t count;
    struct nd_engine **engines; /* of nd_engine_prepare */
    bool *connected;            /* the watcher's */
};

/* ND_CONFIG for none, doubles and bad names. */
enum nd_status nd_host_rules_create(
    const struct nd_rule *rules, size_t count, struct nd_error *error,
    struct nd_host_rules **rules_r) ND_MUST_CHECK;
struct nd_host_rules *nd_host_rules_hold(struct nd_host_rules *rules)
    ND_MUST_CHECK;
void nd_host_rules_release(struct nd_host_rules **rules);
/* The place of a scope; count where it is not there. */
size_t nd_host_rules_find(const struct nd_host_rules *rules, const char *rule,
                          const char *settings);
/* The chosen places, at most rules->count, into chosen_r. ND_NO_INPUT;
 * unknown_r: the settings are not in the configuration. */
enum nd_status nd_host_rules_choose(const struct nd_host_rules *rules,
                                    const struct nd_host_choice *choice,
                                    struct nd_error *error, size_t *chosen_r,
                                    size_t *count_r,
                                    bool *unknown_r) ND_MUST_CHECK;

/* ---- a thread's line to the store ---- */

/* A handle with back-off. One thread's. */
struct nd_host_line {
    struct nd_host *host;
    struct nd_store *store; /* NULL: never reached */
    unsigned failures;      /* in a row */
    int64_t not_before_us;  /* monotonic: of the next attempt */
    uint64_t returns;       /* the host's count when it failed */
    struct nd_random random;
    bool silent; /* its failures say nothing about the store */
};

/* A line that has not been tried yet. */
void nd_host_line_init(struct nd_host_line *line, struct nd_host *host);
/* Closes its handle, if there is one. */
void nd_host_line_close(struct nd_host_line *line);
/* Whether an attempt may be made now; and when, in microseconds from now. */
bool nd_host_line_is_ready(const struct nd_host_line *line);
int64_t nd_host_line_wait_us(const struct nd_host_line *line);
/* Opens the store where it is not open and an attempt is due. */
enum nd_status nd_host_line_open(struct nd_host_line *line,
                                 struct nd_error *error) ND_MUST_CHECK;
/* Takes note of how an operation ended: sets the pause before the next and the
 * host's view of the store. Answers status. */
enum nd_status nd_host_line_note(struct nd_host_line *line,
                                 enum nd_status status,
                                 const struct nd_error *error);
/* Statuses that say that the store is away, and that the next attempt may
 * find it back. */
bool nd_host_is_away(enum nd_status status);

/* Engines of a thread's own, by the places of a set of rules. */
struct nd_host_crew {
    struct nd_host_line *line;
    struct nd_host_rules *rules; /* a reference */
    struct nd_engine **engines;  /* NULL: not yet connected */
    uint32_t duties;             /* ND_ENGINE_* */
};
/* Takes over a reference to rules; engines of scopes that stay the same are
 * made anew too, since settings may differ. */
void nd_host_crew_switch(struct nd_host_crew *crew,
                         struct nd_host_rules *rules);
void nd_host_crew_clear(struct nd_host_crew *crew);
/* The engine at a place, brought to the store if need be. */
enum nd_status nd_host_crew_engine(struct nd_host_crew *crew, size_t place,
                                   struct nd_error *error,
                                   struct nd_engine **engine_r) ND_MUST_CHECK;

/* ---- jobs of the learner ---- */

enum nd_host_task {
    ND_HOST_LEARN,
    ND_HOST_FORGET,
    ND_HOST_RELABEL,
    ND_HOST_ASK,
};
/* What a task is for one rule. */
struct nd_host_part {
    size_t place;                     /* in the job's rules */
    struct nd_prepared_lesson lesson; /* of ND_HOST_LEARN */
    struct nd_host_result result;     /* texts point into this part */
    struct nd_error error;
    bool told;
};
struct nd_host_call {
    struct nd_host_call *next;
    enum nd_host_task task;
    struct nd_host_rules *rules; /* a reference */
    struct nd_arena *arena;      /* parts and what they point to */
    struct nd_host_part *parts;
    size_t count;
    uint8_t identity[ND_IDENTITY_BYTES];
    struct nd_claim claim; /* relabel; label_ms also of forget */
    int64_t forget_ms;     /* as given: 0 means whatever its time */
    nd_host_question *question;
    void *context;
    struct nd_error error;
    enum nd_status status; /* of a question, or ND_CANCELLED */
    /* under the queue's lock */
    pthread_cond_t changed;
    bool begun, done, abandoned;
};

/* Label times of messages met lately, so that two labels of one message never
 * carry the same time. */
#define ND_HOST_RECENT 4096
struct nd_host_recent {
    uint8_t identity[ND_IDENTITY_BYTES];
    int64_t label_ms;
};

/* ---- trainings ---- */

#define ND_HOST_JOBS 64

/* ---- the host ---- */

struct nd_host_thread {
    pthread_t thread;
    bool started;
};

struct nd_host {
    /* as created */
    char *url;
    struct nd_store_options store_options;
    struct nd_key key_file_key;
    size_t queue_jobs;
    int64_t maintain_interval_ms;
    int64_t started_ms;
    nd_host_listener *listener;
    void *context;
    uint32_t roles;
    bool has_key_file, has_spool;

    atomic_bool stopping;  /* nothing new begins */
    atomic_bool interrupt; /* stores answer at once */

    /* rules, key and clock: looked at by every call, held for moments */
    pthread_mutex_t rules_lock;
    struct nd_host_rules *rules;
    int64_t clock_offset_ms;
    struct nd_key key;
    bool has_key;
    bool blind; /* the store is a later version's: no opinion */

    /* one event at a time */
    pthread_mutex_t event_lock;

    /* the learner and who waits for it */
    pthread_mutex_t queue_lock;
    pthread_cond_t queue_changed;
    struct nd_host_call *first, **last;
    size_t queued;
    size_t callers; /* that wait for a call */
    struct nd_host_recent recent[ND_HOST_RECENT];
    struct nd_spool *spool; /* the learner's */

    /* the watcher and the trainer, and what they look at; also the status */
    pthread_mutex_t state_lock;
    pthread_cond_t watch_changed, train_changed, looked_changed;
    bool watch_now, look_soon; /* look_soon: for the status */
    bool looked;               /* at the store, once */
    bool train_now, train_hint;
    enum nd_host_store_state store_state;
    int64_t store_since_ms;
    char store_text[ND_ERROR_BYTES];
    uint64_t store_returns; /* times that it came back */
    struct nd_spool_counts spool_counts;
    struct nd_host_view *views; /* by place of view_rules */
    struct nd_host_rules *view_rules;
    struct nd_host_job jobs[ND_HOST_JOBS]; /* by id modulo their number */
    uint64_t last_job;
    uint64_t running_job;

    /* threads that have not ended, for stop */
    pthread_mutex_t end_lock;
    pthread_cond_t ended;
    size_t running;
    struct nd_host_thread watcher, subscriber, learner, trainer;

    atomic_uint_fast64_t
        counters[sizeof(struct nd_host_counters) / sizeof(uint64_t)];
};

/* The place of a counter among them: nd_host_counters holds nothing else. */
#define ND_HOST_AT(field) \
    (offsetof(struct nd_host_counters, field) / sizeof(uint64_t))
void nd_host_count(struct nd_host *host, size_t at, uint64_t add);

/* A reference to the rules of now. */
struct nd_host_rules *nd_host_take_rules(struct nd_host *host) ND_MUST_CHECK;

/* The key to hash with; false where it is not known yet. */
bool nd_host_take_key(struct nd_host *host, struct nd_key *key_r);

/* What an engine found to be the store's key becomes the host's. */
void nd_host_keep_key(struct nd_host *host, const struct nd_key *key);

/* Whether verdicts are "unsure" whatever the model says: the store is a later
 * version's. */
void nd_host_set_blind(struct nd_host *host, bool blind);

/* Now by the store's clock, as far as it is known. */
int64_t nd_host_now_ms(struct nd_host *host);

/* Tells the log and the listener. */
void nd_host_tell(struct nd_host *host, const struct nd_host_event *event);

/* Waits for a condition, at most until a time of the monotonic clock. */
void nd_host_wait(pthread_cond_t *condition, pthread_mutex_t *lock,
                  int64_t until_us);
void nd_host_cond_init(pthread_cond_t *condition);

/* Threads' bodies. */
void nd_host_watch(struct nd_host *host);
void nd_host_subscribe(struct nd_host *host);
void nd_host_run_learner(struct nd_host *host);
void nd_host_run_trainer(struct nd_host *host);

/* Pokes. */
void nd_host_poke_watcher(struct nd_host *host);
void nd_host_poke_trainer(struct nd_host *host);
void nd_host_poke_learner(struct nd_host *host);
/* A training may have become due. */
void nd_host_hint_trainer(struct nd_host *host);
/* Something changed that the status shows: it is looked at soon. */
void nd_host_poke_status(struct nd_host *host);

/* Puts a set of rules, which is given away, in the place of the old one: models
 * of scopes that stay go on serving. With instead_of (else NULL) only in the
 * place of that one, and without its models. */
void nd_host_install_rules(struct nd_host *host, struct nd_host_rules *rules,
                           const struct nd_host_rules *instead_of);

/* Keeps the store clean: drops what is orphaned, models not in use for
 * ann_expire, profiles over max_profiles. */
void nd_host_maintain(struct nd_host_line *line,
                      const struct nd_host_rules *rules);

/* Frees a call that neither caller nor learner needs any longer. */
void nd_host_call_free(struct nd_host_call *call);
/* Until nobody waits for a call any more. */
void nd_host_await_callers(struct nd_host *host);

/* The watcher asks the store for what the status shows. */
void nd_host_look(struct nd_host_line *line, struct nd_host_rules *rules);
/* Makes room for what will be seen of these rules; under state_lock. */
void nd_host_fit_views(struct nd_host *host, struct nd_host_rules *rules);
/* Frees what the status is made of. */
void nd_host_views_free(struct nd_host *host);

/* A pause of around base_us, jittered by half of it either way. */
int64_t nd_host_jitter_us(struct nd_random *random, int64_t base_us);

#endif
