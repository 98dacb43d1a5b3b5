/* SPDX-License-Identifier: Apache-2.0
 *
 * A store's whole contents as records, so that they can be carried from one
 * backend to another without a loss: with sequences, versions, tombstones, and
 * counters, which the operations of store.h only ever move forward. For
 * copying (copy.h) alone: nothing that runs beside hosts writes records.
 */
#ifndef ND_STORE_IMAGE_H
#define ND_STORE_IMAGE_H

#include "store/rules.h"
#include "store/store.h"

/* What belongs to a scope comes in this order; SCOPE is the list of all
 * scopes. Registry and key have operations of their own in store.h, as blobs
 * of models do. */
enum nd_image_kind {
    ND_IMAGE_SCOPE,
    ND_IMAGE_PROFILE, /* oldest use first */
    ND_IMAGE_SAMPLE,  /* present ones and tombstones */
    ND_IMAGE_MODEL,
    ND_IMAGE_JOURNAL, /* oldest first */
    ND_IMAGE_STATE,   /* one a scope */
    ND_IMAGE_KIND_COUNT
};

struct nd_image_sample {
    struct nd_sample_info info; /* of a tombstone: no sequence, no time */
    enum nd_fate fate;
    int64_t ended_ms;    /* of a tombstone; to the second on some backends */
    const void *payload; /* of a present one */
    size_t payload_length;
};

struct nd_image_entry {
    struct nd_journal_entry entry;
    uint8_t ending; /* how the token's grant ended; as in all backends */
    uint8_t digest[ND_DIGEST_BYTES]; /* of what was published; else zero */
};

/* Events that are counted, in the order of nd_image_event_name. */
#define ND_IMAGE_EVENTS 7

struct nd_image_state {
    uint64_t sequence, attempted, failures, token;
    uint64_t live, revision;
    bool pinned;
    int64_t attempt_ms;
    uint8_t key_id[ND_KEY_ID_BYTES];
    uint64_t events[ND_IMAGE_EVENTS];
    uint64_t refused[ND_REFUSAL_COUNT];
};
/* "stored", "relabelled", "merged", "duplicate", "replaced", "forgotten",
 * "consumed"; static. */
const char *nd_image_event_name(size_t event);

struct nd_image_record {
    enum nd_image_kind kind;
    union {
        struct nd_scope scope;
        struct nd_profile profile;
        struct nd_image_sample sample;
        struct nd_model_info model;
        struct nd_image_entry entry;
        struct nd_image_state state;
    } of;
};

#define ND_IMAGE_END UINT64_MAX

/* The next records of a kind, in arena; *cursor is 0 at first and ND_IMAGE_END
 * once there are no more. scope is of no matter for ND_IMAGE_SCOPE. */
enum nd_status nd_store_image_read(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   enum nd_image_kind kind, uint64_t *cursor,
                                   struct nd_arena *arena,
                                   struct nd_error *error,
                                   const struct nd_image_record **records_r,
                                   size_t *count_r) ND_MUST_CHECK;

/* Writes records of a scope, all or none. What is there already by identity,
 * generation or token is left as it is, so that repeating is harmless; a state
 * replaces. A model's blob must have been uploaded (ND_NO_INPUT). */
enum nd_status nd_store_image_write(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const struct nd_image_record *records,
                                    size_t count,
                                    struct nd_error *error) ND_MUST_CHECK;

/* What backends read alike, by operations of store.h: models and profiles. */
enum nd_status nd_image_read_lists(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   enum nd_image_kind kind, uint64_t *cursor,
                                   struct nd_arena *arena,
                                   struct nd_error *error,
                                   const struct nd_image_record **records_r,
                                   size_t *count_r) ND_MUST_CHECK;

#endif
