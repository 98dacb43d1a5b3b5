/* SPDX-License-Identifier: Apache-2.0
 *
 * Running the scripts of src/store/lua: which keys each takes, its arguments,
 * and what a failure means. Private to the Redis backend.
 */
#ifndef ND_STORE_REDIS_SCRIPT_H
#define ND_STORE_REDIS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "store/backend.h"
#include "store/redis_client.h"

/* A script's source as it is sent, and the SHA-1 that Redis knows it by;
 * generated from the files by tools/embed-lua. */
struct nd_redis_text {
    const char *name;
    const char *sha1;
    const char *source;
};
extern const struct nd_redis_text nd_redis_texts[];
extern const size_t nd_redis_text_count;

/* Name, keys and ways of each script. Keys are letters of the table in
 * redis_script.c. READ: writes nothing. WRITE: may be repeated, counts once
 * replicated. LOCAL: the same, whatever the replicas have. WAIT: writes
 * nothing, but what it answers counts only once replicated. ONCE: is not
 * repeated, and losing it does no harm. */
#define ND_REDIS_SCRIPT_MAP(X)                            \
    X(COUNT, "count", "rsc", ONCE)                        \
    X(FIND, "find", "rsp", READ)                          \
    X(FINISH, "finish", "rspje", WRITE)                   \
    X(FORGET, "forget", "rspc", WRITE)                    \
    X(FORGET_MATCHING, "forget_matching", "rsp", WRITE)   \
    X(HOST_REPORT, "host_report", "rhc", LOCAL)           \
    X(IMAGE_WRITE, "image_write", "rspmjebfc", WRITE)     \
    X(LEASE_ACQUIRE, "lease_acquire", "rsc", WRITE)       \
    X(LEASE_RELEASE, "lease_release", "rs", LOCAL)        \
    X(LEASE_RENEW, "lease_renew", "rs", LOCAL)            \
    X(MAINTAIN, "maintain", "rspmbh", LOCAL)              \
    X(MODEL_CURRENT, "model_current", "rsm", READ)        \
    X(MODEL_EXPIRE, "model_expire", "rsmbh", LOCAL)       \
    X(MODEL_IMPORT, "model_import", "rsjembfh", WRITE)    \
    X(MODEL_PIN, "model_pin", "rsm", WRITE)               \
    X(MODEL_PUBLISH, "model_publish", "rspjembfh", WRITE) \
    X(MODEL_UPLOAD, "model_upload", "rbBc", WRITE)        \
    X(PROFILE_LIST, "profile_list", "rf", READ)           \
    X(PROFILE_TRIM, "profile_trim", "rf", WRITE)          \
    X(PROFILE_USE, "profile_use", "rfcs", WRITE)          \
    X(PUT, "put", "rspnc", WRITE)                         \
    X(READ, "read", "rsp", READ)                          \
    X(REGISTRY_ADD, "registry_add", "rln", WRITE)         \
    X(REGISTRY_FIND, "registry_find", "rln", WAIT)        \
    X(RELABEL, "relabel", "rsp", WRITE)                   \
    X(SNAPSHOT, "snapshot", "rsp", READ)                  \
    X(STATE, "state", "rsn", READ)
enum nd_redis_script {
#define ND_REDIS_SCRIPT_ENUM(name, file, keys, way) ND_REDIS_##name,
    ND_REDIS_SCRIPT_MAP(ND_REDIS_SCRIPT_ENUM)
#undef ND_REDIS_SCRIPT_ENUM
        ND_REDIS_SCRIPT_COUNT
};

struct nd_redis_store {
    struct nd_store base; /* first: a struct nd_store * is one of these */
    struct nd_redis_options options;
    struct nd_redis_client *client;
    struct nd_redis_client *watch; /* subscribed to changes; NULL: not yet */
    int64_t watched_us;            /* when it was heard of last */
    int64_t timeout_ms;
    struct nd_arena *arena;   /* of options */
    struct nd_arena *scratch; /* of the call under way */
    struct nd_random random;  /* draws of reservoirs */
    bool read_only;
    bool has_key; /* the store's key is known to be key_id's */
    uint8_t key_id[ND_KEY_ID_BYTES];
};

#define ND_REDIS_KEY_BYTES 512

/* A key of the store itself: "PREFIX:NAME". */
void nd_redis_store_key(const struct nd_redis_store *store, const char *name,
                        char key_r[ND_REDIS_KEY_BYTES]);
/* The key of a rule or scope (settings may be NULL) that letter stands for;
 * blob is the digest in hexadecimal for 'B'. */
void nd_redis_key(const struct nd_redis_store *store, char letter,
                  const struct nd_scope *scope, const char *blob,
                  char key_r[ND_REDIS_KEY_BYTES]);

/* ---- one call ---- */

/* A script with its keys, ready for arguments; one at a time for each store. */
struct nd_redis_call {
    struct nd_redis_store *store;
    enum nd_redis_script script;
    struct nd_redis_argument *arguments; /* in the store's scratch arena */
    size_t count, capacity;
    const char *rule;
    bool looks; /* of a script that may write: told not to, this time */
};

/* Begins a call of script for scope; what was begun before is forgotten. */
void nd_redis_call_begin(struct nd_redis_call *call, struct nd_store *store,
                         enum nd_redis_script script,
                         const struct nd_scope *scope);
/* As begin, for a script that also takes a blob's key. */
void nd_redis_call_begin_blob(struct nd_redis_call *call,
                              struct nd_store *store,
                              enum nd_redis_script script,
                              const struct nd_scope *scope, const char *blob);

/* The next argument: bytes (not copied), text (not copied), a number. */
void nd_redis_call_bytes(struct nd_redis_call *call, const void *data,
                         size_t length);
void nd_redis_call_text(struct nd_redis_call *call, const char *text);
void nd_redis_call_number(struct nd_redis_call *call, int64_t number);

/* Sends it; the source too, where the server does not know it. The reply lives
 * until the next exchange of the store. */
enum nd_status nd_redis_call_run(
    struct nd_redis_call *call, struct nd_error *error,
    const struct nd_redis_reply **reply_r) ND_MUST_CHECK;

/* Whether reply, or its first item, is this word. */
bool nd_redis_says(const struct nd_redis_reply *reply, const char *word);

/* An answer that no script gives: the server was tampered with. */
enum nd_status nd_redis_strange(const struct nd_redis_call *call,
                                struct nd_error *error);

#endif
