/* SPDX-License-Identifier: Apache-2.0
 *
 * The front of the store: finds the backend by URL, checks every argument, and
 * hands the call over. A backend can so rely on what it is given, and a wrong
 * call fails alike on all of them. No state and no policy live here; samples
 * and models have files of their own.
 */
#include "store/store.h"

#include <string.h>

#include "base/memory.h"
#include "store/backend.h"
#include "store/check.h"
#include "store/faulty.h"
#include "store/redis.h"
#include "store/sqlite.h"

/* ---- schemes ---- */

/* whole: the backend reads the URL itself, scheme included. */
struct scheme {
    const char *name;
    enum nd_status (*open)(const char *rest,
                           const struct nd_store_options *options,
                           struct nd_error *error, struct nd_store **store_r);
    bool whole;
    enum nd_status (*check)(const char *url,
                            const struct nd_store_options *options,
                            struct nd_error *error); /* may be NULL */
};

static const struct scheme schemes[] = {
    {"sqlite", nd_sqlite_open, false, NULL},
    {"redis", nd_redis_open, true, nd_redis_check},
    {"rediss", nd_redis_open, true, nd_redis_check},
    {"redis+unix", nd_redis_open, true, nd_redis_check},
    {"redis+sentinel", nd_redis_open, true, nd_redis_check},
    {"rediss+sentinel", nd_redis_open, true, nd_redis_check},
    {"faulty", nd_faulty_open, false, NULL},
};

/* The length of a scheme in front of ':'; 0 where url is a bare path. */
static size_t scheme_length(const char *url)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789+-";
    size_t length = strspn(url, letters);
    return url[length] == ':' ? length : 0;
}

/* Where url is a bare path the scheme is sqlite's. */
static enum nd_status find_scheme(const char *url, struct nd_error *error,
                                  const struct scheme **scheme_r,
                                  const char **rest_r)
{
    size_t length = scheme_length(url);
    *rest_r = length == 0 ? url : url + length + 1;
    *scheme_r = &schemes[0];
    if ((*rest_r)[0] == '\0')
        return nd_fail(error, ND_CONFIG,
                       "'%s' names no store: use sqlite:PATH or redis://HOST",
                       url);
    if (length == 0)
        return ND_OK;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        *scheme_r = &schemes[i];
        if (strlen(schemes[i].name) == length &&
            strncmp(schemes[i].name, url, length) == 0)
            return ND_OK;
    }
    return nd_fail(error, ND_CONFIG,
                   "'%.*s:' is no kind of store that this neurald knows: use "
                   "sqlite:PATH or redis://HOST",
                   (int)length, url);
}

enum nd_status nd_store_check(const char *url,
                              const struct nd_store_options *options,
                              struct nd_error *error)
{
    const struct scheme *scheme;
    const char *rest;
    enum nd_status status = find_scheme(url, error, &scheme, &rest);
    if (status == ND_OK && scheme->check != NULL)
        status = scheme->check(url, options, error);
    return status;
}

enum nd_status nd_store_open(const char *url,
                             const struct nd_store_options *options,
                             struct nd_error *error, struct nd_store **store_r)
{
    static const struct nd_store_options none;
    const struct scheme *scheme;
    const char *rest;
    if (options == NULL)
        options = &none;
    enum nd_status status = nd_hash_init(error);
    if (status == ND_OK)
        status = find_scheme(url, error, &scheme, &rest);
    if (status != ND_OK)
        return status;
    return scheme->open(scheme->whole ? url : rest, options, error, store_r);
}

void nd_store_close(struct nd_store **store)
{
    if (store == NULL || *store == NULL)
        return;
    (*store)->backend->close(*store);
    *store = NULL;
}

/* ---- the store itself ---- */

enum nd_status nd_store_now(struct nd_store *store, struct nd_error *error,
                            int64_t *now_ms_r)
{
    return store->backend->now(store, error, now_ms_r);
}

enum nd_status nd_store_key(struct nd_store *store,
                            const struct nd_key *candidate,
                            struct nd_error *error, struct nd_key *key_r)
{
    return store->backend->key(store, candidate, error, key_r);
}

enum nd_status nd_store_maintain(struct nd_store *store, int64_t keep_ms,
                                 bool dry_run,
                                 void (*report)(const char *line,
                                                void *context),
                                 void *context, struct nd_error *error)
{
    return store->backend->maintain(store, keep_ms < 0 ? 0 : keep_ms, dry_run,
                                    report, context, error);
}

/* The structs first, then the words that they point to. */
struct nd_scope *nd_scopes_pack(const struct nd_buffer *words, size_t count)
{
    size_t head = count * sizeof(struct nd_scope);
    struct nd_scope *scopes = nd_calloc(1, head + words->length + 1);
    char *word = (char *)scopes + head;
    if (words->length > 0)
        memcpy(word, words->data, words->length);
    for (size_t i = 0; i < count; i++) {
        scopes[i].rule = word;
        word += strlen(word) + 1;
        scopes[i].settings = word;
        word += strlen(word) + 1;
    }
    return scopes;
}

enum nd_status nd_store_scopes(struct nd_store *store, struct nd_error *error,
                               struct nd_scope **scopes_r, size_t *count_r)
{
    return store->backend->scopes(store, error, scopes_r, count_r);
}

/* ---- what people look at ---- */

enum nd_status nd_store_count(struct nd_store *store,
                              const struct nd_scope *scope,
                              enum nd_refusal reason, uint64_t add,
                              struct nd_error *error)
{
    enum nd_status status = nd_check_scope(scope, error);
    if (status != ND_OK)
        return status;
    if ((unsigned)reason >= ND_REFUSAL_COUNT)
        return nd_fail(error, ND_USAGE, "no such reason: %u", (unsigned)reason);
    if (add == 0)
        return ND_OK;
    return store->backend->count(store, scope, reason, add, error);
}

enum nd_status nd_store_stats(struct nd_store *store,
                              const struct nd_scope *scope,
                              struct nd_error *error,
                              struct nd_store_stats *stats_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    return status == ND_OK ? store->backend->stats(store, scope, error, stats_r)
                           : status;
}

enum nd_status nd_store_journal(struct nd_store *store,
                                const struct nd_scope *scope, size_t limit,
                                struct nd_arena *arena, struct nd_error *error,
                                const struct nd_journal_entry **entries_r,
                                size_t *count_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    return status == ND_OK ? store->backend->journal(store, scope, limit, arena,
                                                     error, entries_r, count_r)
                           : status;
}

enum nd_status nd_store_host_report(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const char *host, uint64_t generation,
                                    struct nd_error *error)
{
    enum nd_status status = nd_check_scope(scope, error);
    if (status != ND_OK)
        return status;
    char name[ND_HOLDER_BYTES];
    size_t length = host == NULL ? 0 : strnlen(host, sizeof(name) - 1);
    memcpy(name, host == NULL ? "" : host, length);
    name[length] = '\0';
    return store->backend->host_report(store, scope, name, generation, error);
}

enum nd_status nd_store_host_list(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  struct nd_error *error,
                                  struct nd_host_report **hosts_r,
                                  size_t *count_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    return status == ND_OK ? store->backend->host_list(store, scope, error,
                                                       hosts_r, count_r)
                           : status;
}
