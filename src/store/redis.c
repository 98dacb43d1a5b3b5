/* SPDX-License-Identifier: Apache-2.0
 *
 * The Redis backend's handle: opens it, checks that the store is of a version
 * that we know and that Redis may not evict our keys, and gives the clock and
 * the installation's key. The operations themselves are in redis_*.c, their
 * atomic halves in lua/.
 */
#include "store/redis.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "store/redis_operations.h"
#include "store/redis_policy.h"
#include "store/redis_script.h"

#define DEFAULT_TIMEOUT_MS 5000

/* ---- plain commands on the store's own key ---- */

enum nd_status nd_redis_now(struct nd_store *store, struct nd_error *error,
                            int64_t *now_ms_r)
{
    struct nd_redis_store *redis = (struct nd_redis_store *)store;
    static const char *const words[] = {"TIME", NULL};
    const struct nd_redis_reply *reply;
    enum nd_status status =
        nd_redis_client_ask(redis->client, words, false, error, &reply);
    if (status == ND_OK)
        *now_ms_r = nd_redis_number(nd_redis_item(reply, 0)) * 1000 +
                    nd_redis_number(nd_redis_item(reply, 1)) / 1000;
    return status;
}

static enum nd_status read_key(struct nd_redis_store *redis,
                               struct nd_error *error, struct nd_key *key_r,
                               bool *found_r)
{
    char name[ND_REDIS_KEY_BYTES];
    nd_redis_store_key(redis, "store", name);
    const char *words[] = {"HGET", name, "key", NULL};
    const struct nd_redis_reply *reply;
    enum nd_status status =
        nd_redis_client_ask(redis->client, words, false, error, &reply);
    if (status != ND_OK)
        return status;
    *found_r = reply->type == ND_REDIS_STRING;
    if (!*found_r)
        return ND_OK;
    if (reply->length != ND_KEY_BYTES)
        return nd_fail(error, ND_DATA,
                       "Redis: the key in %s has %zu bytes, not %d", name,
                       reply->length, ND_KEY_BYTES);
    uint8_t secret[ND_KEY_BYTES];
    memcpy(secret, reply->text, ND_KEY_BYTES);
    nd_key_from_secret(secret, key_r);
    nd_wipe(secret, sizeof(secret));
    redis->has_key = true;
    memcpy(redis->key_id, key_r->id, ND_KEY_ID_BYTES);
    return ND_OK;
}

static enum nd_status create_key(struct nd_redis_store *redis,
                                 const struct nd_key *candidate,
                                 struct nd_error *error)
{
    char name[ND_REDIS_KEY_BYTES];
    nd_redis_store_key(redis, "store", name);
    struct nd_redis_argument arguments[] = {{"HSETNX", 6},
                                            {name, strlen(name)},
                                            {"key", 3},
                                            {candidate->secret, ND_KEY_BYTES}};
    struct nd_redis_command command = {arguments, 4};
    struct nd_redis_request request = {
        .commands = &command, .count = 1, .writes = true, .durable = true};
    const struct nd_redis_reply *reply;
    return nd_redis_client_exchange(redis->client, &request, error, &reply);
}

enum nd_status nd_redis_installation_key(struct nd_store *store,
                                         const struct nd_key *candidate,
                                         struct nd_error *error,
                                         struct nd_key *key_r)
{
    struct nd_redis_store *redis = (struct nd_redis_store *)store;
    struct nd_key key;
    bool found = false;
    enum nd_status status = read_key(redis, error, &key, &found);
    if (status == ND_OK && !found && candidate != NULL) {
        if (redis->read_only)
            return nd_fail(error, ND_PERMISSION,
                           "the store was opened to read only");
        status = create_key(redis, candidate, error);
        if (status == ND_OK)
            status = read_key(redis, error, &key, &found);
    }
    if (status == ND_OK && !found)
        status = nd_fail(error, ND_NO_INPUT, "the store has no key yet");
    if (status == ND_OK)
        *key_r = key;
    nd_wipe(&key, sizeof(key));
    return status;
}

/* ---- opening ---- */

static const struct nd_backend backend;

static enum nd_status create_store(struct nd_redis_store *redis,
                                   const char *name, struct nd_error *error)
{
    const char *words[] = {"HSETNX", name, "version", "1", NULL};
    _Static_assert(ND_STORE_VERSION == 1, "the version written here");
    const struct nd_redis_reply *reply;
    return nd_redis_client_ask(redis->client, words, true, error, &reply);
}

static enum nd_status check_version(struct nd_redis_store *redis, bool create,
                                    struct nd_error *error)
{
    char name[ND_REDIS_KEY_BYTES];
    nd_redis_store_key(redis, "store", name);
    const char *words[] = {"HGET", name, "version", NULL};
    const struct nd_redis_reply *reply;
    enum nd_status status =
        nd_redis_client_ask(redis->client, words, false, error, &reply);
    if (status != ND_OK)
        return status;
    if (reply->type == ND_REDIS_NIL) {
        if (create && !redis->read_only)
            return create_store(redis, name, error);
        return nd_fail(error, ND_NO_INPUT,
                       "Redis holds no store under the prefix '%s'",
                       redis->options.prefix);
    }
    int64_t version = nd_redis_number(reply);
    if (version < 1)
        return nd_fail(error, ND_DATA, "Redis: %s is not a store", name);
    if (version > ND_STORE_VERSION)
        return nd_fail(error, ND_VERSION,
                       "Redis: a store of version %lld, this neurald knows "
                       "%d: use a later neurald",
                       (long long)version, ND_STORE_VERSION);
    return ND_OK;
}

/* Evicting a token or the registry would break the fencing. */
static void warn_of_policy(struct nd_redis_store *redis)
{
    struct nd_error error;
    enum nd_status status = nd_redis_check_policy(redis, &error);
    if (status == ND_CONFIG)
        nd_log(ND_LOG_WARNING, "%s", error.text);
}

static enum nd_status learn_key(struct nd_redis_store *redis,
                                struct nd_error *error)
{
    struct nd_key key;
    bool found;
    enum nd_status status = read_key(redis, error, &key, &found);
    nd_wipe(&key, sizeof(key));
    return status;
}

static void close_store(struct nd_store *store)
{
    struct nd_redis_store *redis = (struct nd_redis_store *)store;
    nd_redis_client_destroy(&redis->watch);
    nd_redis_client_destroy(&redis->client);
    nd_arena_destroy(&redis->scratch);
    nd_arena_destroy(&redis->arena);
    free(redis);
}

static void seed(struct nd_redis_store *redis, uint64_t given)
{
    if (given == 0)
        nd_random_system(&given, sizeof(given));
    nd_random_seed(&redis->random, given);
}

enum nd_status nd_redis_open(const char *url,
                             const struct nd_store_options *options,
                             struct nd_error *error, struct nd_store **store_r)
{
    struct nd_redis_store *redis = nd_calloc(1, sizeof(*redis));
    redis->base.backend = &backend;
    redis->arena = nd_arena_create(1024);
    redis->scratch = nd_arena_create(0);
    redis->read_only = options->read_only;
    redis->timeout_ms =
        options->timeout_ms > 0 ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    seed(redis, options->random_seed);
    enum nd_status status = nd_redis_options_parse(
        url, options->backend, redis->arena, error, &redis->options);
    redis->options.interrupt = options->interrupt;
    if (status == ND_OK) {
        redis->client =
            nd_redis_client_create(&redis->options, redis->timeout_ms);
        status = check_version(redis, options->create, error);
    }
    if (status == ND_OK)
        status = learn_key(redis, error);
    if (status == ND_OK) {
        warn_of_policy(redis);
        *store_r = &redis->base;
    } else {
        close_store(&redis->base);
    }
    return status;
}

enum nd_status nd_redis_check(const char *url,
                              const struct nd_store_options *options,
                              struct nd_error *error)
{
    struct nd_redis_options parsed;
    struct nd_arena *arena = nd_arena_create(1024);
    enum nd_status status =
        nd_redis_options_parse(url, options->backend, arena, error, &parsed);
    nd_arena_destroy(&arena);
    return status;
}

uint64_t nd_redis_trips(const struct nd_store *store)
{
    return nd_redis_client_trips(
        ((const struct nd_redis_store *)store)->client);
}

static const struct nd_backend backend = {
    .name = "redis",
    .close = close_store,
    .now = nd_redis_now,
    .key = nd_redis_installation_key,
    .put_many = nd_redis_put_many,
    .forget = nd_redis_forget,
    .forget_matching = nd_redis_forget_matching,
    .relabel = nd_redis_relabel,
    .snapshot = nd_redis_snapshot,
    .read = nd_redis_read,
    .find = nd_redis_find,
    .registry_slots = nd_redis_registry_slots,
    .registry_read = nd_redis_registry_read,
    .profile_register = nd_redis_profile_register,
    .profile_list = nd_redis_profile_list,
    .profile_touch = nd_redis_profile_touch,
    .profile_trim = nd_redis_profile_trim,
    .lease_acquire = nd_redis_lease_acquire,
    .lease_renew = nd_redis_lease_renew,
    .lease_release = nd_redis_lease_release,
    .lease_show = nd_redis_lease_show,
    .training_state = nd_redis_training_state,
    .training_finish = nd_redis_training_finish,
    .model_upload = nd_redis_model_upload,
    .model_publish = nd_redis_model_publish,
    .model_import = nd_redis_model_import,
    .model_current = nd_redis_model_current,
    .wait_change = nd_redis_wait_change,
    .model_get = nd_redis_model_get,
    .model_list = nd_redis_model_list,
    .model_pin = nd_redis_model_pin,
    .model_expire = nd_redis_model_expire,
    .image_read = nd_redis_image_read,
    .image_write = nd_redis_image_write,
    .count = nd_redis_count_refused,
    .stats = nd_redis_stats,
    .journal = nd_redis_journal,
    .scopes = nd_redis_scopes,
    .host_report = nd_redis_host_report,
    .host_list = nd_redis_host_list,
    .maintain = nd_redis_maintain,
};
