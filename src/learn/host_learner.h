/* SPDX-License-Identifier: Apache-2.0
 *
 * The learner's own state, as its two files share it: host_learner.c works
 * through calls, host_spool.c through what waits on this machine.
 */
#ifndef ND_LEARN_HOST_LEARNER_H
#define ND_LEARN_HOST_LEARNER_H

#include "learn/host_private.h"

struct nd_host_learner {
    struct nd_host *host;
    struct nd_host_line line;
    struct nd_host_crew crew;
    uint8_t kept_key[ND_KEY_ID_BYTES]; /* of the key that the spool has */
    uint64_t waiting;                  /* records in the spool */
    uint64_t delivered;                /* since it was last empty */
    int64_t deliver_not_before_us;
};

/* The learner's engine at a place; its key becomes the host's. */
enum nd_status nd_host_learner_engine(
    struct nd_host_learner *learner, size_t place, struct nd_error *error,
    struct nd_engine **engine_r) ND_MUST_CHECK;

/* A forget or relabel, repeated while its outcome is unknown. result_r is of a
 * relabel, existed_r of a forget. */
enum nd_status nd_host_learner_change(struct nd_store *store,
                                      const struct nd_spool_record *record,
                                      struct nd_error *error,
                                      struct nd_put_result *result_r,
                                      bool *existed_r) ND_MUST_CHECK;

/* Puts records into the spool; ND_UNAVAILABLE with the reason why they could
 * not go to the store instead, where there is none. */
enum nd_status nd_host_spool_add(struct nd_host_learner *learner,
                                 const struct nd_spool_record *records,
                                 size_t count,
                                 struct nd_error *error) ND_MUST_CHECK;

/* Hands over some of what waits. Until when there is nothing to do, in
 * microseconds of the monotonic clock, is answered by nd_host_spool_due. */
void nd_host_spool_deliver(struct nd_host_learner *learner);
int64_t nd_host_spool_due(const struct nd_host_learner *learner);
/* Looks at what waits from before. */
void nd_host_spool_begin(struct nd_host_learner *learner);

#endif
