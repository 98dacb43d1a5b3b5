/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine: one rule under one settings name at work on a store. It turns
 * messages into samples and verdicts, trains, and takes up newer models.
 */
#ifndef ND_LEARN_ENGINE_H
#define ND_LEARN_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "features/features.h"
#include "learn/rule.h"
#include "mail/message.h"
#include "nn/model.h"
#include "store/store.h"

struct nd_engine;

/* store is borrowed and outlives the engine; rule is copied. key_file_key (may
 * be NULL) replaces the store's key. Loads key, registry and live model; a
 * store without a model is no failure, and a model that cannot be read leaves
 * generation 0 with the reason in nd_engine_model_problem. */
enum nd_status nd_engine_create(struct nd_store *store,
                                const struct nd_rule *rule,
                                const struct nd_key *key_file_key,
                                struct nd_error *error,
                                struct nd_engine **engine_r) ND_MUST_CHECK;
void nd_engine_destroy(struct nd_engine **engine);

/* ---- scoring ---- */

enum nd_verdict_kind { ND_UNSURE, ND_VERDICT_HAM, ND_VERDICT_SPAM };
struct nd_verdict {
    double probability; /* 0.5 without a model */
    enum nd_verdict_kind kind;
    const char *symbol;  /* the rule's, or "" when unsure */
    double weight;       /* 0 when unsure or observing */
    uint64_t generation; /* 0: no model */
    double log_odds;
};
/* "spam", "ham" or "unsure"; static. */
const char *nd_verdict_name(enum nd_verdict_kind kind);

/* Scores a message (may be NULL) with findings (may be NULL). Never asks the
 * store and never fails: what is missing ends in "unsure". The weight is the
 * rule's times 1 - exp(-d), where d is how far the log-odds lie beyond those
 * of the threshold. Thread-safe with an arena of its own, also while another
 * thread refreshes or trains: a lock is held only to take a reference. */
void nd_engine_score(struct nd_engine *engine, const struct nd_message *message,
                     const struct nd_scan *scan, struct nd_arena *arena,
                     struct nd_verdict *verdict_r);

struct nd_reason {
    const char *name; /* "word:unsubscribe", "symbol:BAYES_99" */
    enum nd_family family;
    double change; /* in log-odds; positive speaks for spam */
};
/* The features that weighed most, by absolute change; at most limit. Memory
 * from arena. */
void nd_engine_explain(struct nd_engine *engine,
                       const struct nd_message *message,
                       const struct nd_scan *scan, size_t limit,
                       struct nd_arena *arena, struct nd_verdict *verdict_r,
                       const struct nd_reason **reasons_r, size_t *count_r);

/* Takes up the store's live model if it is another one; without one of the own
 * settings that of the nearest profile of the rule (fewer than 30 % of its
 * symbols different). A model that cannot be read, of another key or of a
 * later version is refused: the old one stays, and the reason stands in
 * nd_engine_model_problem; that is no failure. changed_r may be NULL. The
 * thread that owns the store's handle. */
enum nd_status nd_engine_refresh(struct nd_engine *engine,
                                 struct nd_error *error,
                                 bool *changed_r) ND_MUST_CHECK;
/* The live model, NULL without one: valid until this thread refreshes or
 * trains. And why the store's one is not in use; NULL where it is. */
const struct nd_model *nd_engine_model(const struct nd_engine *engine);
const char *nd_engine_model_problem(const struct nd_engine *engine);
/* What the model in use goes without: families in a layout that no message
 * gives any more. NULL where there are none. */
const char *nd_engine_model_note(const struct nd_engine *engine);

/* ---- learning ---- */

struct nd_lesson {
    const char *path; /* what the callback is told; copied; NULL: "" */
    enum nd_class label;
    enum nd_source source;
    int64_t label_ms;        /* 0: now */
    bool by_received_date;   /* import: the message's time is its Received's */
    const uint8_t *identity; /* NULL: the message's; copied */
};

/* Messages are gathered and put in batches: results are told to the callback
 * (may be NULL), in order, from nd_engine_learn or nd_engine_flush, once they
 * are durable. Where the store fails, the gathered ones are told as refused
 * (ND_REFUSED_STORE), the batch is empty, and its status is answered; the
 * message of that call was not taken. message may be NULL where findings alone
 * are learned: ND_USAGE unless the lesson has an identity then. ND_PERMISSION
 * on a store that has no key and takes none. The thread that owns the store's
 * handle. */
typedef void nd_learned_callback(const char *path,
                                 const struct nd_put_result *result,
                                 void *context);
enum nd_status nd_engine_learn(struct nd_engine *engine,
                               const struct nd_message *message,
                               const struct nd_scan *scan,
                               const struct nd_lesson *lesson,
                               nd_learned_callback *callback, void *context,
                               struct nd_error *error) ND_MUST_CHECK;
enum nd_status nd_engine_flush(struct nd_engine *engine,
                               nd_learned_callback *callback, void *context,
                               struct nd_error *error) ND_MUST_CHECK;

/* Whether and as what autolearn takes a scanned message (S9). ND_NOTHING with
 * the reason in reason_r where it does not. */
enum nd_status nd_engine_autolearn(const struct nd_engine *engine,
                                   const struct nd_message *message,
                                   const struct nd_scan *scan,
                                   struct nd_lesson *lesson_r,
                                   enum nd_refusal *reason_r) ND_MUST_CHECK;

/* ---- training ---- */

struct nd_training_report {
    enum nd_decision decision;
    uint64_t generation; /* when promoted */
    char reason[256];
    struct nd_model_figures candidate; /* held-out figures */
    bool had_live;
    double live_log_loss, live_recall; /* on the same samples; NaN without */
    double seconds;
    uint64_t seed;
    uint64_t other_layout; /* samples of which families were left out, since
                              their slots mean something else here */
};
typedef bool nd_training_progress(double done, double loss, const char *stage,
                                  void *context);

/* Trains now: lease, snapshot, child, judgement, publish or finish. ND_OK with
 * the decision in report_r, also when the candidate was rejected or the child
 * failed (ND_DECISION_FAILED with the reason). ND_NOTHING with the reason where
 * there is nothing to train (too few of a class, a pinned model), ND_BUSY where
 * another holds the lease (named in error) or this engine is training already.
 * Without force and after nd_engine_due found one due, ND_NOTHING also where
 * another training has ended meanwhile.
 * progress may be NULL; it is called at least every 100 ms while the child
 * works, and false from it stops the child and releases the lease
 * (ND_CANCELLED). ND_LOST: the lease went to another, nothing was published;
 * ND_KEY: the samples were made with another key than this engine's;
 * ND_SUPERSEDED: the live model was pinned or changed meanwhile; else the
 * store's own failures. However it ends the lease is given back if it can be,
 * and no process is left. Under learn_mode balanced with force false half of
 * max_trains of each class is the least (S13), else min_train. The program's
 * main() must know ND_TRAINER_ARGUMENT (trainer.h). */
enum nd_status nd_engine_train(
    struct nd_engine *engine, bool force, nd_training_progress *progress,
    void *context, struct nd_error *error,
    struct nd_training_report *report_r) ND_MUST_CHECK;

/* Whether a training is due now by the rule's settings (design, point 4).
 * why_r (at least 128 bytes) says why or why not. */
enum nd_status nd_engine_due(struct nd_engine *engine, struct nd_error *error,
                             bool *due_r, char *why_r,
                             size_t why_size) ND_MUST_CHECK;

#endif
