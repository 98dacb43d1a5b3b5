/* SPDX-License-Identifier: Apache-2.0
 *
 * rspamd's keys on its Redis: what its neural module keeps there, read and
 * written as it does itself. Nothing else on that server is touched.
 */
#ifndef ND_RSPAMD_REMOTE_H
#define ND_RSPAMD_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/status.h"
#include "rspamd/profile.h"

#define ND_RSPAMD_MAX_PROFILES 64

/* Where rspamd keeps its networks. Strings are borrowed. */
struct nd_rspamd_place {
    const char *url; /* of its Redis, as docs/redis.md has them */
    int64_t timeout_ms;
    const char *prefix;   /* settings.prefix of its module: "rn" */
    const char *rule;     /* the rule's prefix: "default" */
    const char *settings; /* "default" */
};

/* One owner at a time. */
struct nd_rspamd_remote;

/* Does not connect yet. ND_CONFIG for the URL. */
enum nd_status nd_rspamd_remote_create(
    const struct nd_rspamd_place *place, struct nd_error *error,
    struct nd_rspamd_remote **remote_r) ND_MUST_CHECK;
void nd_rspamd_remote_destroy(struct nd_rspamd_remote **remote);

/* Warns in the log of something that is left alone, once for the same words. */
void nd_rspamd_remote_warn(struct nd_rspamd_remote *remote, const char *format,
                           ...) ND_PRINTF(2, 3);

/* The profiles of the place, newest use first, into the arena; of the versions
 * of rspamd's module that have been at work there, those of the one used last.
 * Those that cannot be parsed, or whose key is not the place's, are passed over
 * with a warning in the log, and so is below what has another type than
 * rspamd's. ND_NOTHING where
 * there is none. All failures of a connection here and below are those of
 * nd_redis_client_exchange. */
enum nd_status nd_rspamd_remote_profiles(
    struct nd_rspamd_remote *remote, struct nd_arena *arena,
    struct nd_error *error, const struct nd_rspamd_profile **profiles_r,
    size_t *count_r) ND_MUST_CHECK;

/* What lies under a profile's key beside its vectors. */
struct nd_rspamd_network {
    bool there;          /* there is a network */
    const char *unknown; /* a field that is not known, else NULL */
    const char *changes; /* a field that changes what goes into the network
                            (PCA, other providers), else NULL */
    const char *mark;    /* what nd_rspamd_remote_mark left, else NULL */
};
enum nd_status nd_rspamd_remote_network(
    struct nd_rspamd_remote *remote, const char *key, struct nd_arena *arena,
    struct nd_error *error, struct nd_rspamd_network *network_r) ND_MUST_CHECK;

/* Appends the network, decompressed: a KANN file. ND_NOTHING where there is
 * none, ND_DATA where it cannot be decompressed, ND_LIMIT. */
enum nd_status nd_rspamd_remote_fetch(struct nd_rspamd_remote *remote,
                                      const char *key, struct nd_error *error,
                                      struct nd_buffer *file) ND_MUST_CHECK;

/* Each vector under key, one class after the other, as text (numbers joined by
 * ';', a NUL behind), to the callback; text NULL where one cannot be
 * decompressed. A status other than ND_OK from it ends the walk and is
 * answered. */
typedef enum nd_status nd_rspamd_vector_callback(const char *text,
                                                 size_t length, int label,
                                                 void *context,
                                                 struct nd_error *error);
enum nd_status nd_rspamd_remote_vectors(struct nd_rspamd_remote *remote,
                                        const char *key,
                                        nd_rspamd_vector_callback *callback,
                                        void *context,
                                        struct nd_error *error) ND_MUST_CHECK;

/* Marks a live network with text, if it has no mark yet, and lets it live for
 * expire_s from now, if it would die sooner. */
enum nd_status nd_rspamd_remote_mark(struct nd_rspamd_remote *remote,
                                     const char *key, const char *text,
                                     int64_t expire_s,
                                     struct nd_error *error) ND_MUST_CHECK;

/* A network to put in the place of that under old. */
struct nd_rspamd_release {
    const struct nd_rspamd_profile *old, *next;
    const void *file; /* KANN */
    size_t file_length;
    double thresholds[2];
    int64_t stale_s; /* a lock this old, or as far in the future, is nobody's */
    const char *mark;
    int64_t expire_s;
};

/* In one step: stores network, thresholds, mark and profile of next with their
 * expiry, marks old as obsolete, and lets its vectors go in ten minutes.
 * ND_BUSY where another holds the lock of old, and says who; a stale one is
 * removed. ND_SUPERSEDED where old has gone or next is there already. */
enum nd_status nd_rspamd_remote_publish(struct nd_rspamd_remote *remote,
                                        const struct nd_rspamd_release *release,
                                        struct nd_error *error) ND_MUST_CHECK;

#endif
