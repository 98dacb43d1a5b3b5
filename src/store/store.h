/* SPDX-License-Identifier: Apache-2.0
 *
 * The store: samples, profiles, leases and models of a fleet, behind one
 * interface with several backends. docs/protocol.md has the rules; every
 * operation here is atomic on every backend.
 *
 * Any operation that writes may end ND_UNCERTAIN: the store may have acted and
 * its answer was lost. Repeating the same call is then safe and gives the
 * first answer. ND_UNAVAILABLE: it did not act. ND_FULL, ND_PERMISSION: it
 * refused to write, reading still works. ND_VERSION: a later neurald wrote this
 * store; nothing is ever written to it. A handle belongs to one thread at a
 * time; processes and threads each open their own.
 */
#ifndef ND_STORE_STORE_H
#define ND_STORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"

#define ND_STORE_VERSION 1
#define ND_NAME_BYTES                                      \
    64 /* rule and settings names: [A-Za-z0-9_.-], 1 to 63 \
        */
#define ND_HOLDER_BYTES 64
#define ND_NONCE_BYTES 16

struct nd_store;

/* Whose samples, lease and models: a rule under a settings name. */
struct nd_scope {
    const char *rule;
    const char *settings;
};

enum nd_class { ND_HAM = 0, ND_SPAM = 1 };

/* Who said so; a higher rank is believed over a lower one. */
#define ND_SOURCE_MAP(X)         \
    X(AUTOLEARN, 0, "autolearn") \
    X(API, 1, "api")             \
    X(TRAP, 2, "trap")           \
    X(USER, 3, "user")
enum nd_source {
#define ND_SOURCE_ENUM(name, rank, text) ND_SOURCE_##name = (rank),
    ND_SOURCE_MAP(ND_SOURCE_ENUM)
#undef ND_SOURCE_ENUM
        ND_SOURCE_COUNT
};
const char *nd_class_name(enum nd_class label);    /* "ham", "spam" */
const char *nd_source_name(enum nd_source source); /* "user", ... */

/* ---- opening ---- */

struct nd_store_options {
    bool create; /* make it where there is none; never the folder around it */
    bool read_only;       /* a store that cannot be written opens only so */
    int64_t timeout_ms;   /* of one operation; 0: 5,000 */
    uint64_t random_seed; /* of reservoir draws; 0: from the system */
    void *backend;        /* a backend's own settings, by its header */
    const atomic_bool *interrupt; /* NULL, or once true nothing is waited for:
                                     operations fail, ND_UNAVAILABLE or
                                     ND_UNCERTAIN */
};

/* url: "sqlite:PATH", a bare path, or what other backends register
 * ("redis://..."). ND_CONFIG for a scheme that none knows, ND_NO_INPUT where
 * there is none and create is off, ND_DATA where it is not a store or is
 * damaged, ND_VERSION, ND_PERMISSION. */
enum nd_status nd_store_open(const char *url,
                             const struct nd_store_options *options,
                             struct nd_error *error,
                             struct nd_store **store_r) ND_MUST_CHECK;
void nd_store_close(struct nd_store **store);

/* Whether url and options could be opened at all; neither the store nor its
 * server is looked at. ND_CONFIG. */
enum nd_status nd_store_check(const char *url,
                              const struct nd_store_options *options,
                              struct nd_error *error) ND_MUST_CHECK;

/* The store's clock, Unix milliseconds. */
enum nd_status nd_store_now(struct nd_store *store, struct nd_error *error,
                            int64_t *now_ms_r) ND_MUST_CHECK;

/* The installation's key: the one stored, or candidate (may be NULL: then
 * ND_NO_INPUT where there is none) stored now; created once, atomically. */
enum nd_status nd_store_key(struct nd_store *store,
                            const struct nd_key *candidate,
                            struct nd_error *error,
                            struct nd_key *key_r) ND_MUST_CHECK;

/* ---- samples ---- */

enum nd_quota_mode {
    ND_QUOTA_RESERVOIR, /* at limit a random sample of the class makes room */
    ND_QUOTA_BALANCED,  /* the seed's rule (S1), limit is max_trains */
};
struct nd_quota {
    enum nd_quota_mode mode;
    uint64_t limit; /* a class */
};

struct nd_sample_put {
    uint8_t identity[ND_IDENTITY_BYTES];
    enum nd_class label;
    enum nd_source source;
    int64_t label_ms; /* when it was labelled: the newer label wins at equal
                         rank; also tells a retry from a new label */
    int64_t time_ms;  /* when the message came; 0: the store's clock. Kept
                         for ever, never changed by a relabel */
    uint8_t key_id[ND_KEY_ID_BYTES]; /* zero where no text features */
    uint32_t registry_length;        /* as it was encoded with */
    uint8_t registry_digest[ND_DIGEST_BYTES];
    const void *payload; /* nd_sample_encode */
    size_t payload_length;
};

enum nd_put_outcome {
    ND_PUT_STORED,
    ND_PUT_REPLACED,   /* stored; another sample of its class made room */
    ND_PUT_RELABELLED, /* known; label or source changed */
    ND_PUT_MERGED,     /* known, same label; missing families were added */
    ND_PUT_DUPLICATE,  /* known (also: already consumed, replaced); no change */
    ND_PUT_REFUSED,
};

/* Why a sample was not taken; each is counted by the store under its name.
 * Those after REGISTRY are counted by callers with nd_store_count. */
#define ND_REFUSAL_MAP(X)                                                  \
    X(NONE, "none")                                                        \
    X(QUOTA, "quota")           /* balanced: too many of its class */      \
    X(RANK, "lower_rank")       /* a better source said otherwise */       \
    X(OLDER, "older_label")     /* a newer label is there */               \
    X(FORGOTTEN, "forgotten")   /* forgotten after this label was given */ \
    X(KEY, "other_key")         /* hashed with another key */              \
    X(REGISTRY, "registry")     /* not a prefix of the store's registry */ \
    X(TRAIN_PROB, "train_prob") /* skipped at random (S8) */               \
    X(NOT_FINITE, "not_finite")                                            \
    X(TOO_LARGE, "too_large")                                              \
    X(NO_VERDICT, "no_verdict") /* autolearn: score between the limits */  \
    X(AUTHENTICATED, "authenticated") /* autolearn: a user sent it */      \
    X(MALFORMED, "malformed")                                              \
    X(SYMBOL_LIMIT, "symbol_limit") /* names over max_symbols, each */     \
    X(STORE, "store")               /* the store refused or was away */    \
    X(OTHER_LAYOUT, "other_layout") /* nothing in it but families of       \
                                       another version */
enum nd_refusal {
#define ND_REFUSAL_ENUM(name, text) ND_REFUSED_##name,
    ND_REFUSAL_MAP(ND_REFUSAL_ENUM)
#undef ND_REFUSAL_ENUM
        ND_REFUSAL_COUNT
};
const char *nd_refusal_name(enum nd_refusal reason);

struct nd_put_result {
    enum nd_put_outcome outcome;
    enum nd_refusal reason;              /* when refused */
    uint64_t count[2];                   /* samples now, by class */
    enum nd_class old_label;             /* when relabelled */
    uint8_t replaced[ND_IDENTITY_BYTES]; /* when replaced */
};

/* Stores one sample, or says what it was taken for. Repeating an uncertain put
 * is safe. */
enum nd_status nd_store_put(struct nd_store *store,
                            const struct nd_scope *scope,
                            const struct nd_sample_put *sample,
                            const struct nd_quota *quota,
                            struct nd_error *error,
                            struct nd_put_result *result_r) ND_MUST_CHECK;

/* Many puts in one durable step where the backend can (SQLite: one
 * transaction). results_r holds count. All or none on failure. */
enum nd_status nd_store_put_many(struct nd_store *store,
                                 const struct nd_scope *scope,
                                 const struct nd_sample_put *samples,
                                 size_t count, const struct nd_quota *quota,
                                 struct nd_error *error,
                                 struct nd_put_result *results_r) ND_MUST_CHECK;

/* Forgets one sample by identity as of label_ms: one that was labelled later
 * stays. 0 means now, whatever its label's time. An absent one leaves a
 * tombstone too; existed_r says which. */
enum nd_status nd_store_forget(struct nd_store *store,
                               const struct nd_scope *scope,
                               const uint8_t identity[ND_IDENTITY_BYTES],
                               int64_t label_ms, struct nd_error *error,
                               bool *existed_r) ND_MUST_CHECK;

/* Which samples a bulk operation means: all that match every given part. */
struct nd_sample_filter {
    int source;       /* enum nd_source, or -1 */
    int label;        /* enum nd_class, or -1 */
    int64_t since_ms; /* label time at or after; 0: any */
    int64_t until_ms; /* label time before; 0: any */
    /* When it was asked for: a label that was given later is not meant. 0:
     * now, whatever the label's time. */
    int64_t as_of_ms;
};

/* Forgets all that match, in pieces, each atomic; dry_run only counts.
 * Repeated with the same filter.as_of_ms it acts once, and counts what was
 * forgotten before too; with 0 a repeat means the time of the repeat. */
enum nd_status nd_store_forget_matching(struct nd_store *store,
                                        const struct nd_scope *scope,
                                        const struct nd_sample_filter *filter,
                                        bool dry_run, struct nd_error *error,
                                        uint64_t *count_r) ND_MUST_CHECK;

/* A label as somebody gives it. label_ms as in nd_sample_put. */
struct nd_claim {
    enum nd_class label;
    enum nd_source source;
    int64_t label_ms; /* 0: the store's clock */
};

/* Changes the label of one sample that is present. ND_NO_INPUT where it is
 * not; the result as of a put. */
enum nd_status nd_store_relabel(struct nd_store *store,
                                const struct nd_scope *scope,
                                const uint8_t identity[ND_IDENTITY_BYTES],
                                const struct nd_claim *claim,
                                struct nd_error *error,
                                struct nd_put_result *result_r) ND_MUST_CHECK;

struct nd_sample_info {
    uint8_t identity[ND_IDENTITY_BYTES];
    uint64_t sequence; /* given once, in order of storing, never reused */
    uint64_t version;  /* raised by relabel and merge */
    enum nd_class label;
    enum nd_source source;
    int64_t time_ms, label_ms;
};

/* The samples present now, with the highest sequence given so far, in order of
 * (time_ms, sequence). Frees nothing later: the caller frees *samples_r. */
struct nd_snapshot {
    struct nd_sample_info *samples;
    size_t count;
    uint64_t watermark;
};
enum nd_status nd_store_snapshot(struct nd_store *store,
                                 const struct nd_scope *scope,
                                 struct nd_error *error,
                                 struct nd_snapshot *snapshot_r) ND_MUST_CHECK;

/* Payloads of count samples of a snapshot, into the arena; payloads_r[i].data
 * is NULL where the sample has gone or its version moved. */
struct nd_payload {
    const uint8_t *data;
    size_t length;
};
enum nd_status nd_store_read(struct nd_store *store,
                             const struct nd_scope *scope,
                             const struct nd_sample_info *samples, size_t count,
                             struct nd_arena *arena, struct nd_error *error,
                             struct nd_payload *payloads_r) ND_MUST_CHECK;

/* One sample's info by identity; ND_NO_INPUT where it is not present. */
enum nd_status nd_store_find(struct nd_store *store,
                             const struct nd_scope *scope,
                             const uint8_t identity[ND_IDENTITY_BYTES],
                             struct nd_error *error,
                             struct nd_sample_info *info_r) ND_MUST_CHECK;

/* ---- registry (one a rule) ---- */

/* Slots for count names, new ones given atomically, up to max_names in all;
 * slots_r[i] is ND_STORE_NO_SLOT for a name over that. length_r and digest_r
 * describe the registry afterwards (digest chain of features/registry.h). */
#define ND_STORE_NO_SLOT UINT32_MAX
enum nd_status nd_store_registry_slots(
    struct nd_store *store, const char *rule, const char *const *names,
    size_t count, uint32_t max_names, struct nd_error *error, uint32_t *slots_r,
    uint32_t *length_r, uint8_t digest_r[ND_DIGEST_BYTES]) ND_MUST_CHECK;

/* Names from slot first on, in slot order, into the arena. */
enum nd_status nd_store_registry_read(struct nd_store *store, const char *rule,
                                      uint32_t first, struct nd_arena *arena,
                                      struct nd_error *error,
                                      const char *const **names_r,
                                      uint32_t *count_r) ND_MUST_CHECK;

/* ---- profiles ---- */

#define ND_PROFILE_DIGEST_BYTES 16
struct nd_profile {
    char settings[ND_NAME_BYTES];
    uint8_t digest[ND_PROFILE_DIGEST_BYTES]; /* of the sorted symbol names */
    const char *const *symbols;              /* sorted */
    uint32_t symbol_count;
    int64_t used_ms;     /* last use: the rank */
    uint64_t generation; /* of the model that was trained for it, or 0 */
    /* To register: the profile of the same settings that this one takes the
     * place of, since more symbols were seen; NULL: none. */
    const uint8_t *grown_from;
};

/* Stores profile if it is new and marks it used now; created_r tells. What it
 * was grown from is dropped in the same step, if no model was trained for it
 * and the scope is not leased. */
enum nd_status nd_store_profile_register(struct nd_store *store,
                                         const char *rule,
                                         const struct nd_profile *profile,
                                         struct nd_error *error,
                                         bool *created_r) ND_MUST_CHECK;
/* All profiles of rule, newest use first; arrays in the arena. */
enum nd_status nd_store_profile_list(struct nd_store *store, const char *rule,
                                     struct nd_arena *arena,
                                     struct nd_error *error,
                                     const struct nd_profile **profiles_r,
                                     size_t *count_r) ND_MUST_CHECK;
/* Marks one as used now. ND_NO_INPUT where it is gone. */
enum nd_status nd_store_profile_touch(
    struct nd_store *store, const char *rule, const char *settings,
    const uint8_t digest[ND_PROFILE_DIGEST_BYTES],
    struct nd_error *error) ND_MUST_CHECK;
/* Keeps the newest keep profiles of each settings name and drops the others,
 * but for those whose scope is leased and those used within recent_ms.
 * Answers the dropped ones. */
enum nd_status nd_store_profile_trim(struct nd_store *store, const char *rule,
                                     uint32_t keep, int64_t recent_ms,
                                     struct nd_arena *arena,
                                     struct nd_error *error,
                                     const struct nd_profile **dropped_r,
                                     size_t *count_r) ND_MUST_CHECK;

/* ---- lease ---- */

struct nd_lease {
    uint64_t token;                /* grows with every grant, never reset */
    uint8_t nonce[ND_NONCE_BYTES]; /* the holder's incarnation */
    char holder[ND_HOLDER_BYTES];  /* host and process, for people */
    int64_t since_ms, until_ms;    /* store's clock */
};

/* Grants the lease for length_ms to nonce, or answers ND_BUSY with who holds
 * it (lease_r is filled in both cases). The same nonce gets its own grant
 * again. A deadline further away than the lease's length counts as expired. */
enum nd_status nd_store_lease_acquire(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const uint8_t nonce[ND_NONCE_BYTES],
                                      const char *holder, int64_t length_ms,
                                      struct nd_error *error,
                                      struct nd_lease *lease_r) ND_MUST_CHECK;
/* Extends by length_ms from now if token and nonce hold it; else ND_LOST.
 * progress must be above 0 and higher than at the last renewal: a lower one is
 * ND_LOST, the same one (a repeat) is ND_OK but extends nothing. */
enum nd_status nd_store_lease_renew(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const struct nd_lease *lease,
                                    uint64_t progress, int64_t length_ms,
                                    struct nd_error *error) ND_MUST_CHECK;
/* Gives it back; ND_LOST where it was lost, and where it is free already. */
enum nd_status nd_store_lease_release(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const struct nd_lease *lease,
                                      struct nd_error *error) ND_MUST_CHECK;
/* Who holds it, also past its deadline as long as nobody took it over (then
 * until_ms has passed); ND_NOTHING when free. */
enum nd_status nd_store_lease_show(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   struct nd_error *error,
                                   struct nd_lease *lease_r) ND_MUST_CHECK;

/* ---- trainings and models ---- */

enum nd_decision {
    ND_DECISION_PROMOTED,
    ND_DECISION_REJECTED, /* not better than the live model */
    ND_DECISION_FAILED,   /* crash, limit, not finite, one class */
};
/* "promoted", "rejected", "failed"; static. */
const char *nd_decision_name(enum nd_decision decision);

/* One line of the journal. figures is a JSON object, at most 4 KiB. */
struct nd_journal_entry {
    int64_t time_ms; /* store's clock; set by the store */
    uint64_t token;
    enum nd_decision decision;
    const char *holder;
    const char *reason;
    const char *figures;
};

/* What a training leaves for the next: read at the start of the watch loop. */
struct nd_training_state {
    uint64_t changes;  /* samples new, relabelled or forgotten since the
                          last attempt */
    int64_t last_ms;   /* end of the last attempt, store's clock; 0 none */
    uint32_t failures; /* attempts in a row that promoted nothing */
    uint64_t count[2]; /* samples by class */
    uint64_t sources[2][ND_SOURCE_COUNT];
};
enum nd_status nd_store_training_state(
    struct nd_store *store, const struct nd_scope *scope,
    struct nd_error *error, struct nd_training_state *state_r) ND_MUST_CHECK;

/* How a training ended that publishes nothing. */
struct nd_finish {
    const struct nd_journal_entry *entry;
    const struct nd_sample_info *consumed; /* may be empty; dropped as under a
                                              publish (balanced) */
    size_t consumed_count;
    uint64_t watermark; /* of the snapshot that it trained on */
};

/* Ends a rejected or failed training: journal, release, and failures + 1, in
 * one step. A repeat with the same token gives the first answer. ND_LOST where
 * the lease was lost. */
enum nd_status nd_store_training_finish(struct nd_store *store,
                                        const struct nd_scope *scope,
                                        const struct nd_lease *lease,
                                        const struct nd_finish *finish,
                                        struct nd_error *error) ND_MUST_CHECK;

struct nd_model_info {
    uint64_t generation; /* token of its grant, or given by import */
    uint8_t digest[ND_DIGEST_BYTES]; /* BLAKE2b-256 of the blob */
    uint64_t size_bytes;
    int64_t published_ms;
    uint8_t profile[ND_PROFILE_DIGEST_BYTES];
    char origin[ND_HOLDER_BYTES]; /* trainer's holder, or "import" */
    bool live, pinned;
};

/* The live pointer. Hosts reload when revision or digest differs. */
struct nd_model_pointer {
    uint64_t generation; /* 0: no model */
    uint64_t revision;   /* raised by publish, pin, unpin and rollback */
    bool pinned;
    uint8_t digest[ND_DIGEST_BYTES];
};

/* Stores a blob that nothing points to yet, checks it by reading it back, and
 * answers its digest. Repeating it is harmless. */
enum nd_status nd_store_model_upload(
    struct nd_store *store, const struct nd_scope *scope, const void *blob,
    size_t length, struct nd_error *error,
    uint8_t digest_r[ND_DIGEST_BYTES]) ND_MUST_CHECK;

struct nd_publish {
    uint8_t digest[ND_DIGEST_BYTES]; /* of an uploaded blob */
    uint64_t judged_revision; /* the pointer that it was judged against */
    uint8_t profile[ND_PROFILE_DIGEST_BYTES];
    const struct nd_journal_entry *entry;
    const struct nd_sample_info *consumed; /* balanced: dropped where their
                                              version is unchanged */
    size_t consumed_count;
    uint64_t watermark;
    uint32_t keep; /* generations to keep; the live and the pinned one always,
                      and those that hosts reported within
                      ND_HOST_RECENT_MS */
};

/* In one step: checks the token, moves the pointer to generation = token,
 * drops the consumed, writes the journal, releases the lease, drops
 * generations over keep. A repeat with the same token gives the first answer.
 * ND_LOST: not the holder; ND_SUPERSEDED: the revision moved or is pinned (the
 * lease is then released); ND_NO_INPUT: no such blob. */
enum nd_status nd_store_model_publish(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const struct nd_lease *lease,
                                      const struct nd_publish *publish,
                                      struct nd_error *error,
                                      uint64_t *generation_r) ND_MUST_CHECK;

/* Makes an uploaded blob live without a training: model import. The revision
 * is not compared; ND_SUPERSEDED where a model is pinned. A repeat while it is
 * live gives the first answer. */
enum nd_status nd_store_model_import(struct nd_store *store,
                                     const struct nd_scope *scope,
                                     const struct nd_publish *publish,
                                     struct nd_error *error,
                                     uint64_t *generation_r) ND_MUST_CHECK;

/* The live pointer of scope; generation 0 where there is no model. */
enum nd_status nd_store_model_current(
    struct nd_store *store, const struct nd_scope *scope,
    struct nd_error *error, struct nd_model_pointer *pointer_r) ND_MUST_CHECK;
/* Waits until a live pointer of the store may have moved, at most timeout_ms;
 * changed_r false: time is up. Only a hint that hot reload comes sooner: what
 * polls goes on polling. Where the backend cannot tell it sleeps. For a handle
 * that nothing else is asked of meanwhile. A failure comes at once: do not
 * loop over it without a pause. */
enum nd_status nd_store_wait_change(struct nd_store *store, int64_t timeout_ms,
                                    struct nd_error *error,
                                    bool *changed_r) ND_MUST_CHECK;
/* The blob of a generation, appended; checked against its digest (ND_DATA). */
enum nd_status nd_store_model_get(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  uint64_t generation, struct nd_error *error,
                                  struct nd_buffer *blob) ND_MUST_CHECK;
/* The same without that check, for nd_model_read, which checks a digest inside
 * the blob: for whom a second one would only take time. */
enum nd_status nd_store_model_fetch(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    uint64_t generation, struct nd_error *error,
                                    struct nd_buffer *blob) ND_MUST_CHECK;
/* All kept generations, newest first; the caller frees *models_r. */
enum nd_status nd_store_model_list(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   struct nd_error *error,
                                   struct nd_model_info **models_r,
                                   size_t *count_r) ND_MUST_CHECK;
/* Points to an older generation and, with pin, stays there: publishes and
 * imports are refused until unpinned. generation 0 means the live one, so 0
 * with pin false unpins. ND_NO_INPUT where there is no such generation. A
 * repeat changes nothing. */
enum nd_status nd_store_model_pin(
    struct nd_store *store, const struct nd_scope *scope, uint64_t generation,
    bool pin, struct nd_error *error,
    struct nd_model_pointer *pointer_r) ND_MUST_CHECK;

/* Drops generations that the live one has superseded and whose successor was
 * published more than expire_ms ago: what has not been in use for so long. The
 * live and the pinned one stay whatever their age, as do those that running
 * hosts reported and those newer than it, which a rollback left. count_r says
 * how many went. */
enum nd_status nd_store_model_expire(struct nd_store *store,
                                     const struct nd_scope *scope,
                                     int64_t expire_ms, struct nd_error *error,
                                     uint64_t *count_r) ND_MUST_CHECK;

/* ---- what people look at ---- */

/* Adds to a counter of refused samples. Losing it is no failure of a mail
 * path: callers may ignore the result. */
enum nd_status nd_store_count(struct nd_store *store,
                              const struct nd_scope *scope,
                              enum nd_refusal reason, uint64_t add,
                              struct nd_error *error);

struct nd_store_stats {
    uint64_t count[2];
    uint64_t sources[2][ND_SOURCE_COUNT];
    uint64_t refused[ND_REFUSAL_COUNT];
    /* events; put_stored = replaced + forgotten + consumed + those present */
    uint64_t put_stored, put_relabelled, put_merged, put_duplicate;
    uint64_t replaced, forgotten, consumed;
    uint64_t payload_bytes;   /* of samples present */
    uint64_t registry_length; /* of the rule */
    uint64_t store_bytes;     /* of the whole store */
};
/* What the store holds and has counted for scope. */
enum nd_status nd_store_stats(struct nd_store *store,
                              const struct nd_scope *scope,
                              struct nd_error *error,
                              struct nd_store_stats *stats_r) ND_MUST_CHECK;

/* The newest entries of the journal, newest first, at most limit; strings in
 * the arena. */
enum nd_status nd_store_journal(struct nd_store *store,
                                const struct nd_scope *scope, size_t limit,
                                struct nd_arena *arena, struct nd_error *error,
                                const struct nd_journal_entry **entries_r,
                                size_t *count_r) ND_MUST_CHECK;

/* Scopes that have samples or models; the caller frees *scopes_r as one
 * block (the strings lie in it). */
enum nd_status nd_store_scopes(struct nd_store *store, struct nd_error *error,
                               struct nd_scope **scopes_r,
                               size_t *count_r) ND_MUST_CHECK;

/* A host says which generation it has loaded; others read it. One that said so
 * no longer ago than this counts as running, and what it runs is kept. */
#define ND_HOST_RECENT_MS (INT64_C(3600) * 1000)
struct nd_host_report {
    char host[ND_HOLDER_BYTES];
    uint64_t generation;
    int64_t seen_ms;
};
enum nd_status nd_store_host_report(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const char *host, uint64_t generation,
                                    struct nd_error *error) ND_MUST_CHECK;
enum nd_status nd_store_host_list(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  struct nd_error *error,
                                  struct nd_host_report **hosts_r,
                                  size_t *count_r) ND_MUST_CHECK;

/* Checks the store's own integrity, then drops what is older than keep_ms:
 * blobs that nothing points to, tombstones, reports of hosts. One line a
 * finding to report (may be NULL). ND_DATA where it is damaged: nothing is
 * dropped then. */
enum nd_status nd_store_maintain(
    struct nd_store *store, int64_t keep_ms, bool dry_run,
    void (*report)(const char *line, void *context), void *context,
    struct nd_error *error) ND_MUST_CHECK;

#endif
