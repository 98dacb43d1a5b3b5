/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a Redis store is and how to speak to it: the URL with its query
 * parameters, and the same as a struct. docs/redis.md lists them for people.
 *
 *   redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE][?NAME=VALUE&...]
 *   rediss://...                            the same over TLS
 *   redis+unix://[USER[:PASSWORD]@]/PATH[?...]
 *   redis+sentinel://HOST[:PORT],HOST[:PORT],.../MASTER[/DATABASE][?...]
 *   rediss+sentinel://...                   Sentinels and master over TLS
 */
#ifndef ND_STORE_REDIS_URL_H
#define ND_STORE_REDIS_URL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

#define ND_REDIS_MAX_SENTINELS 16
#define ND_REDIS_PORT 6379
#define ND_REDIS_SENTINEL_PORT 26379
#define ND_REDIS_PREFIX "neurald"
#define ND_REDIS_SECRET_BYTES 1024 /* longest password */

/* One server: a host and port, or a unix socket's path. */
struct nd_redis_endpoint {
    const char *host;
    const char *path;
    uint16_t port;
};

/* Who logs in. The password comes from the first of: the file (its first
 * line, read anew at each connect), the environment variable, the URL. All
 * NULL: no login. */
struct nd_redis_login {
    const char *user;
    const char *password_file;
    const char *password_env;
    const char *password;
};

struct nd_redis_options {
    struct nd_redis_endpoint endpoint;
    struct nd_redis_endpoint sentinels[ND_REDIS_MAX_SENTINELS];
    size_t sentinel_count;
    const char *master; /* the name that the Sentinels know it by */
    struct nd_redis_login login;
    struct nd_redis_login sentinel_login;
    const char *prefix; /* of every key; [A-Za-z0-9_.:-], 1 to 63 */
    const char *ca_file;
    const char *certificate_file, *key_file; /* the client's own */
    const char *server_name; /* in the certificate; NULL: the host */
    uint32_t database;
    uint32_t wait_replicas; /* replicas that must have a write; 0: none */
    bool tls;
    const atomic_bool *interrupt; /* of nd_store_options; no part of a URL */
};

/* Reads url into options_r; its strings lie in arena. Where given is not NULL,
 * what it sets (text not NULL, numbers not 0, tls) goes before the URL; its
 * strings are copied. ND_CONFIG for anything malformed, unknown or repeated;
 * no error text holds a password. */
enum nd_status nd_redis_options_parse(
    const char *url, const struct nd_redis_options *given,
    struct nd_arena *arena, struct nd_error *error,
    struct nd_redis_options *options_r) ND_MUST_CHECK;

/* The login's password into secret_r (wipe it after use), empty where there is
 * none. ND_CONFIG, ND_NO_INPUT or ND_PERMISSION where its place cannot be read.
 */
enum nd_status nd_redis_login_password(
    const struct nd_redis_login *login, struct nd_error *error,
    char secret_r[ND_REDIS_SECRET_BYTES]) ND_MUST_CHECK;

/* "host:port" or the path, for messages; always fits and is terminated. */
#define ND_REDIS_ENDPOINT_TEXT_BYTES 300
void nd_redis_endpoint_text(const struct nd_redis_endpoint *endpoint,
                            char text_r[ND_REDIS_ENDPOINT_TEXT_BYTES]);

#endif
