/* SPDX-License-Identifier: Apache-2.0
 *
 * A host at work: one process of the fleet. It scores for any number of
 * threads, learns through a queue (and through a spool on this machine while
 * the store is away), takes up newer models, trains when it is due, and keeps
 * the store clean; each as far as its roles say. docs/learning.md, "Hosts",
 * explains it to those who run one.
 *
 * Threads of its own, each with a store handle of its own: the watcher
 * (models, status), the listener (hears of new models), the learner (samples),
 * and the trainer. What callers do never waits for a training or a refresh;
 * scoring never waits for the store either.
 */
#ifndef ND_LEARN_HOST_H
#define ND_LEARN_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "learn/engine.h"
#include "learn/rule.h"
#include "mail/message.h"
#include "store/spool.h"
#include "store/store.h"

struct nd_host;

/* What a host does. */
#define ND_ROLE_COLLECT 1U /* takes samples, forgets, relabels */
#define ND_ROLE_SCORE 2U   /* loads models and gives verdicts */
#define ND_ROLE_TRAIN 4U   /* trains when due, keeps the store clean */
#define ND_ROLE_ALL (ND_ROLE_COLLECT | ND_ROLE_SCORE | ND_ROLE_TRAIN)

/* ---- what it tells ---- */

enum nd_host_event_kind {
    ND_HOST_STORE_LOST, /* text: why */
    ND_HOST_STORE_BACK,
    ND_HOST_STORE_REFUSED,    /* not to be used: a later version, ... */
    ND_HOST_MODEL_TAKEN,      /* generation: now scoring */
    ND_HOST_MODEL_REFUSED,    /* text: why; the old one stays */
    ND_HOST_TRAINING_STARTED, /* text: why it was due */
    ND_HOST_TRAINING_ENDED,   /* report, or text and status */
    ND_HOST_TRAINING_BUSY,    /* text: who trains instead */
    ND_HOST_SPOOLED,          /* count samples now wait here */
    ND_HOST_SPOOL_DELIVERED,  /* count were delivered */
    ND_HOST_SPOOL_LATE,       /* count were dropped: too old */
    ND_HOST_RELOADED,
    ND_HOST_MAINTAINED, /* count models and profiles were dropped */
};
struct nd_host_event {
    enum nd_host_event_kind kind;
    const char *rule, *settings; /* "" where it is about the host */
    uint64_t generation, count;
    enum nd_status status;
    const char *text;                        /* never NULL */
    const struct nd_training_report *report; /* NULL unless it ended ND_OK */
};
/* "store_lost", ...; static. */
const char *nd_host_event_name(enum nd_host_event_kind kind);

/* Called from the host's own threads (and nd_host_reload's), one call at a
 * time, also before nd_host_create returns and until nd_host_stop has; what it
 * is given is valid during the call. It may call nd_host_status and
 * nd_host_counters, nothing else of this header. The host writes each event to
 * the log itself. */
typedef void nd_host_listener(const struct nd_host_event *event, void *context);

/* ---- life ---- */

struct nd_host_options {
    const char *store;                     /* URL */
    struct nd_store_options store_options; /* of each handle */
    const struct nd_rule *rules;           /* at least one; copied */
    size_t rule_count;
    const struct nd_key *key_file_key; /* NULL: the store's key; copied */
    uint32_t roles;                    /* mask of ND_ROLE_*; 0: all */
    const char *spool;                 /* path; NULL: none is kept */
    uint64_t spool_bytes;              /* 0: 64 MiB */
    size_t queue_jobs;                 /* that wait for the learner; 0: 1,024 */
    int64_t maintain_interval_ms;      /* 0: 1 h; jittered */
    nd_host_listener *listener;        /* may be NULL */
    void *context;                     /* of listener */
};

/* Starts the host's threads and comes back at once: a store that is away is no
 * failure, it is tried again with growing, jittered pauses, and until then
 * verdicts are "unsure" and lessons go to the spool. Only mistakes of the
 * configuration fail: ND_CONFIG for rules (none, two of one name and settings,
 * a bad name) or a URL that no backend knows, and what nd_spool_open answers.
 * Call it after forking and after dropping privileges. */
enum nd_status nd_host_create(const struct nd_host_options *options,
                              struct nd_error *error,
                              struct nd_host **host_r) ND_MUST_CHECK;

/* Ends everything in less than 5 s from any state: a training is stopped (its
 * lease given back), lessons that were taken but not yet answered are stored or
 * spooled, or end ND_CANCELLED, and calls that wait come back. The host stays:
 * other threads may go on to call it, verdicts are given, lessons and questions
 * end ND_CANCELLED. Twice is once. */
void nd_host_halt(struct nd_host *host);
/* Halts the host and frees it. No call may be under way but waiting ones. NULL
 * and a pointer to NULL are accepted. */
void nd_host_stop(struct nd_host **host);

/* Takes new rules: at once for scoring (models that are loaded stay in use
 * under rules of the same name and settings) and for lessons from now on;
 * queued lessons go where they were meant to go. A training under way goes on
 * by the old rule. ND_CONFIG as of nd_host_create: then nothing changes. Any
 * thread. */
enum nd_status nd_host_reload(struct nd_host *host, const struct nd_rule *rules,
                              size_t count,
                              struct nd_error *error) ND_MUST_CHECK;

/* Has the watcher look for newer models now; does not wait. Any thread. */
void nd_host_refresh(struct nd_host *host);

/* Waits until the watcher has looked at the store for the first time, however
 * that ended, at most timeout_ms: whoever asks for verdicts from then on gets
 * those of the model that is there. False when time is up. Any thread. */
bool nd_host_await_look(struct nd_host *host, int64_t timeout_ms);

/* ---- whose ---- */

/* Which rules a call is about. With rule: the rules of that name (and of
 * settings, if given). Else those of settings; settings NULL, "" or unknown to
 * the configuration: those of "default", or where there are none those of the
 * first rule's settings (unknown ones are counted). */
struct nd_host_choice {
    const char *rule;     /* NULL or "": any */
    const char *settings; /* NULL or "": the default */
};

/* A message (may be NULL) with findings (may be NULL), and whose it is. */
struct nd_host_mail {
    struct nd_host_choice choice;
    const struct nd_message *message;
    const struct nd_scan *scan;
};

/* A sample, by its message's identity, and whose it is. */
struct nd_host_sample {
    struct nd_host_choice choice;
    uint8_t identity[ND_IDENTITY_BYTES];
};

/* ---- scoring ---- */

struct nd_host_verdict {
    const char *rule, *settings; /* the arena's */
    struct nd_verdict verdict;   /* its symbol, too */
    const struct nd_reason *reasons;
    size_t reason_count;
};

/* Scores by each chosen rule, in the order of the configuration; count_r is at
 * least 1, and the first is the one to show where only one is wanted. With
 * reasons above 0 that many reasons are given at most. What is missing of mail
 * ends in "unsure"; memory is the arena's. ND_NO_INPUT where the choice names a
 * rule that is not there; ND_PERMISSION without the role. Never waits for the
 * store, a training, a refresh or a reload. Any thread with an arena of its
 * own. */
enum nd_status nd_host_score(struct nd_host *host,
                             const struct nd_host_mail *mail, size_t reasons,
                             struct nd_arena *arena, struct nd_error *error,
                             const struct nd_host_verdict **verdicts_r,
                             size_t *count_r) ND_MUST_CHECK;

/* ---- learning ---- */

enum nd_host_outcome {
    ND_HOST_DONE,         /* durable in the store: put, or existed, says what */
    ND_HOST_SPOOLED_HERE, /* durable on this machine; delivered later, once */
    ND_HOST_REFUSED,      /* not taken: put.reason, or status and text */
};
/* What became of one call under one rule. */
struct nd_host_result {
    const char *rule, *settings;
    enum nd_host_outcome outcome;
    struct nd_put_result put; /* learn and relabel, when done or refused */
    bool existed;             /* forget, when done */
    enum nd_status status;    /* ND_OK unless the store refused: ND_FULL, ... */
    const char *text;         /* that, in words; "" */
};
struct nd_host_results {
    const struct nd_host_result *of; /* as many as rules were chosen */
    size_t count;
};

/* How all calls below end: ND_OK once each chosen rule has an outcome (also a
 * refusal). ND_BUSY at once where the queue is full; ND_UNCERTAIN when
 * timeout_ms has passed (0: 10 s): it may or may not happen, repeating it is
 * safe; ND_CANCELLED when the host stops; ND_NO_INPUT for an unknown rule;
 * ND_PERMISSION without the role collect. Memory is the arena's. Any thread
 * with an arena of its own. */

/* Learns a message: features are taken in the calling thread, stored by the
 * learner in batches. lesson->path is not used; a label_ms of 0 becomes now by
 * the store's clock. Findings without a message need the lesson's identity, or
 * it is ND_USAGE. While the store is away and there is a spool the features
 * wait there, unpacked and by name, so that they lose nothing when the registry
 * grows meanwhile. ND_UNAVAILABLE without a key: the store was never reached
 * from this spool, and there is no key file. */
enum nd_status nd_host_learn(struct nd_host *host,
                             const struct nd_host_mail *mail,
                             const struct nd_lesson *lesson, int64_t timeout_ms,
                             struct nd_arena *arena, struct nd_error *error,
                             struct nd_host_results *results_r) ND_MUST_CHECK;

/* Whether and as what autolearn takes a scanned message under the first chosen
 * rule (nd_engine_autolearn). Any thread; never waits. */
enum nd_status nd_host_autolearn(struct nd_host *host,
                                 const struct nd_host_mail *mail,
                                 struct nd_error *error,
                                 struct nd_lesson *lesson_r,
                                 enum nd_refusal *reason_r) ND_MUST_CHECK;

/* Forgets a sample as of label_ms (0: now, whatever its label's time). */
enum nd_status nd_host_forget(struct nd_host *host,
                              const struct nd_host_sample *sample,
                              int64_t label_ms, int64_t timeout_ms,
                              struct nd_arena *arena, struct nd_error *error,
                              struct nd_host_results *results_r) ND_MUST_CHECK;

/* Relabels a sample that is present; where it is not the outcome is REFUSED
 * with status ND_NO_INPUT. */
enum nd_status nd_host_relabel(struct nd_host *host,
                               const struct nd_host_sample *sample,
                               const struct nd_claim *claim, int64_t timeout_ms,
                               struct nd_arena *arena, struct nd_error *error,
                               struct nd_host_results *results_r) ND_MUST_CHECK;

/* Anything else that needs the store (models, pins, bulk forgetting): runs
 * question on the learner's thread with its handle and answers its status;
 * ND_UNAVAILABLE while the store is away. It is not begun after timeout_ms
 * (then ND_TEMPORARY: it did not happen), but waited for once it has begun, so
 * context may lie on the caller's stack. Needs no role. */
typedef enum nd_status nd_host_question(struct nd_store *store, void *context,
                                        struct nd_error *error);
enum nd_status nd_host_ask(struct nd_host *host, nd_host_question *question,
                           void *context, int64_t timeout_ms,
                           struct nd_error *error) ND_MUST_CHECK;

/* ---- training ---- */

/* Starts a training of one rule (the first chosen) and answers its job's id,
 * or that of the one that waits or runs for it already. force as of
 * nd_engine_train. ND_PERMISSION without the role train, ND_NO_INPUT,
 * ND_CANCELLED once halted. Any thread; does not wait. */
enum nd_status nd_host_train(struct nd_host *host,
                             const struct nd_host_choice *choice, bool force,
                             struct nd_error *error,
                             uint64_t *id_r) ND_MUST_CHECK;

enum nd_host_job_state {
    ND_HOST_JOB_WAITING,
    ND_HOST_JOB_RUNNING,
    ND_HOST_JOB_ENDED,
};
struct nd_host_job {
    uint64_t id;
    char rule[ND_NAME_BYTES], settings[ND_NAME_BYTES];
    bool force;
    enum nd_host_job_state state;
    double done, loss; /* 0 to 1; NaN before there is one */
    char stage[64];
    int64_t started_ms, ended_ms; /* this machine's clock; 0: not yet */
    enum nd_status status;        /* of nd_engine_train, once it has ended */
    char text[ND_ERROR_BYTES];    /* that, in words; "" */
    struct nd_training_report report; /* where status is ND_OK */
};
/* A job's state; the last 64 are kept. ND_NO_INPUT: no such job. */
enum nd_status nd_host_job(struct nd_host *host, uint64_t id,
                           struct nd_error *error,
                           struct nd_host_job *job_r) ND_MUST_CHECK;

/* ---- what people look at ---- */

enum nd_host_store_state {
    ND_HOST_STORE_UNKNOWN, /* not reached yet */
    ND_HOST_STORE_UP,
    ND_HOST_STORE_AWAY,
    ND_HOST_STORE_UNUSABLE, /* a later version, damaged, another key, ... */
};
/* "unknown", "up", "away", "unusable"; static. */
const char *nd_host_store_state_name(enum nd_host_store_state state);

/* One rule as this host last saw it in the store. Pointers are the arena's. */
struct nd_host_scope_status {
    const char *rule, *settings;
    int64_t seen_ms; /* when the store was asked; 0: never */
    struct nd_store_stats stats;
    struct nd_training_state training;
    bool due;
    char due_text[128];
    bool leased;
    struct nd_lease lease; /* while leased */
    struct nd_model_pointer pointer;
    uint64_t loaded_generation; /* that scores here; 0: none */
    const char *model_problem;  /* why the store's is not in use; "" */
    const struct nd_journal_entry *journal; /* newest first, at most 10 */
    size_t journal_count;
    const struct nd_host_report *hosts;
    size_t host_count;
    const struct nd_model_info *models;
    size_t model_count;
};
struct nd_host_status {
    enum nd_host_store_state store;
    int64_t store_since_ms; /* in that state; this machine's clock */
    const char *store_text; /* the last failure; "" */
    uint32_t roles;
    int64_t started_ms;
    size_t queued; /* jobs that wait for the learner */
    struct nd_spool_counts spool;
    bool has_spool, has_key;
    uint64_t running_job; /* 0: no training here */
    const struct nd_host_scope_status *scopes;
    size_t scope_count;
};
/* What the host knew at its last look (at least every watch_interval, and soon
 * after something changed here); never asks the store. Memory is the arena's.
 * Any thread. */
void nd_host_status(struct nd_host *host, struct nd_arena *arena,
                    struct nd_host_status *status_r);

/* Counters since the start; each only grows. */
struct nd_host_counters {
    uint64_t scored[3];                   /* by enum nd_verdict_kind */
    uint64_t scored_blind;                /* of the unsure: no model */
    uint64_t settings_unknown;            /* fell back to the default */
    uint64_t learned[ND_PUT_REFUSED + 1]; /* by enum nd_put_outcome */
    uint64_t refused[ND_REFUSAL_COUNT];   /* by reason */
    uint64_t forgotten, relabelled;
    uint64_t spooled, delivered, late; /* of the spool */
    uint64_t queue_full, timed_out;    /* calls ended so */
    uint64_t models_taken, models_refused;
    uint64_t trainings[ND_DECISION_FAILED + 1]; /* by enum nd_decision */
    uint64_t trainings_busy, trainings_lost;    /* another host's */
    uint64_t store_failures, store_lost;        /* operations; times */
    uint64_t refreshes, maintained;
};
void nd_host_counters(struct nd_host *host,
                      struct nd_host_counters *counters_r);

#endif
