/* SPDX-License-Identifier: Apache-2.0
 *
 * What waits on this machine while the store is away: an SQLite file that takes
 * lessons durably, in order, and keeps each until it is taken off. Since the
 * store knows a lesson that it has seen before, one that is handed over and
 * taken off only afterwards ends in it once, however often that breaks off.
 */
#ifndef ND_STORE_SPOOL_H
#define ND_STORE_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "store/store.h"

/* One owner at a time; processes each open their own handle. */
struct nd_spool;

struct nd_spool_options {
    uint64_t most_bytes; /* 0: 64 MiB */
    int64_t most_age_ms; /* 0: 7 days. Must be below the time for which the
                            store keeps tombstones: an older sample might be
                            one that was forgotten, so it is late */
};

struct nd_spool_counts {
    uint64_t samples, bytes; /* that wait */
};

#define ND_SPOOL_MOST_PAYLOAD (4U << 20)

enum nd_spool_kind { ND_SPOOL_LEARN, ND_SPOOL_FORGET, ND_SPOOL_RELABEL };

/* One lesson. payload is the caller's own encoding of the sample's features,
 * empty but for ND_SPOOL_LEARN; nothing here reads it. */
struct nd_spool_record {
    enum nd_spool_kind kind;
    enum nd_class label;
    enum nd_source source;
    bool late;  /* set by the spool: older than most_age_ms, not to deliver */
    int64_t id; /* set by the spool */
    int64_t label_ms, time_ms;
    struct nd_scope scope;
    uint8_t identity[ND_IDENTITY_BYTES];
    const void *payload;
    size_t payload_length;
};

/* Opens the spool in the file path, which is made if need be (mode 0600; its
 * folder is not). ND_DATA where it is something else or damaged, ND_VERSION,
 * ND_PERMISSION, ND_FULL, ND_IO. */
enum nd_status nd_spool_open(const char *path,
                             const struct nd_spool_options *options,
                             struct nd_error *error,
                             struct nd_spool **spool_r) ND_MUST_CHECK;
/* Accepts NULL, and clears *spool. */
void nd_spool_close(struct nd_spool **spool);

/* Takes count records, all or none; on ND_OK they survive a crash. ND_FULL over
 * most_bytes; ND_LIMIT and ND_USAGE for what no store would take. */
enum nd_status nd_spool_add(struct nd_spool *spool,
                            const struct nd_spool_record *records, size_t count,
                            struct nd_error *error) ND_MUST_CHECK;

/* The oldest that wait, at most limit, into the arena: those of scope, or with
 * NULL the late ones of all scopes. Stops short of a mebibyte of payload beyond
 * the first. */
enum nd_status nd_spool_peek(struct nd_spool *spool,
                             const struct nd_scope *scope, size_t limit,
                             struct nd_arena *arena, struct nd_error *error,
                             const struct nd_spool_record **records_r,
                             size_t *count_r) ND_MUST_CHECK;

/* Takes off what was peeked at; what has gone already is passed over. */
enum nd_status nd_spool_remove(struct nd_spool *spool,
                               const struct nd_spool_record *records,
                               size_t count,
                               struct nd_error *error) ND_MUST_CHECK;

/* How much waits. */
enum nd_status nd_spool_counts(struct nd_spool *spool, struct nd_error *error,
                               struct nd_spool_counts *counts_r) ND_MUST_CHECK;

/* The installation's key, remembered so that a host may learn before it has
 * reached the store. ND_NO_INPUT where none was kept. */
enum nd_status nd_spool_key(struct nd_spool *spool, struct nd_error *error,
                            struct nd_key *key_r) ND_MUST_CHECK;
enum nd_status nd_spool_keep_key(struct nd_spool *spool,
                                 const struct nd_key *key,
                                 struct nd_error *error) ND_MUST_CHECK;

#endif
