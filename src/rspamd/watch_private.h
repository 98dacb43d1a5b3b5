/* SPDX-License-Identifier: Apache-2.0
 *
 * What watch.c and watch_train.c share. Not for other files.
 */
#ifndef ND_RSPAMD_WATCH_PRIVATE_H
#define ND_RSPAMD_WATCH_PRIVATE_H

#include "rspamd/remote.h"
#include "rspamd/watch.h"

struct nd_rspamd_watch {
    struct nd_store *store;
    const struct nd_rule *rule;
    struct nd_scope scope;
    struct nd_rspamd_remote *remote;
    uint8_t nonce[ND_NONCE_BYTES];
    char holder[ND_HOLDER_BYTES];
    bool (*goes_on)(void *context); /* NULL: always */
    void *context;
    uint64_t left_out; /* vectors, by the last look */
};

/* What one look works with. */
struct nd_rspamd_look {
    struct nd_rspamd_watch *watch;
    struct nd_arena *arena;
    struct nd_rspamd_report *report;
    const struct nd_rspamd_profile *profiles; /* newest use first */
    size_t profile_count;
    const struct nd_rspamd_profile *newest; /* highest version of the group */
    const struct nd_rspamd_profile *live;   /* the highest with a network */
    struct nd_rspamd_network network;       /* of live */
    struct nd_kann *live_kann;
    uint32_t metatokens;
    struct nd_vectors vectors;
    uint64_t *sequences;
    uint64_t watermark;
    uint64_t seen; /* the live network's mark */
    struct nd_rspamd_training training;
    struct nd_lease lease;
    bool leased;
    uint64_t progress;  /* counted up */
    int64_t renewed_us; /* the lease; monotonic */
};

/* Ends the look early with an outcome and why; answers ND_CANCELLED, which says
 * so to the callers. */
enum nd_status nd_rspamd_end(struct nd_rspamd_look *look,
                             enum nd_rspamd_outcome outcome, const char *format,
                             ...) ND_PRINTF(3, 4);

/* Takes the vectors of one profile into our store. */
enum nd_status nd_rspamd_copy(struct nd_rspamd_look *look,
                              const struct nd_rspamd_profile *profile,
                              struct nd_error *error) ND_MUST_CHECK;

/* Trains on the vectors that were read, judges, and publishes or finishes. The
 * lease is held. */
enum nd_status nd_rspamd_train_and_decide(struct nd_rspamd_look *look,
                                          struct nd_error *error) ND_MUST_CHECK;

#endif
