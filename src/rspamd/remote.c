/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands behind remote.h, on the connection that src/store has for its
 * own Redis. What must happen together is a script; times are the server's,
 * unlike rspamd's, whose hosts compare their own clocks. Sets are walked in
 * pieces, never asked for whole.
 */
#include "rspamd/remote.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/log.h"
#include "rspamd/remote_scripts.h"
#include "store/redis_client.h"

#define MOST_FILE_BYTES ((size_t)64 << 20)
#define MOST_VECTOR_BYTES ((size_t)2 << 20)
#define MOST_ARGUMENTS 16
#define KEY_BYTES 512
#define SCAN_COUNT "512"
#define MOST_WARNINGS 64
/* Of the keys of profiles: versions of the module from this on, and with each
 * of them the metatokens' from 1 on. */
#define FIRST_MODULE 2
#define METATOKENS 5
#define KNOWN_VERSIONS (3 * METATOKENS)

struct nd_rspamd_remote {
    struct nd_arena *arena; /* of options */
    struct nd_redis_options options;
    struct nd_redis_client *client;
    char *prefix, *rule, *settings;
    char *profiles;                /* the sorted set's key once it is known */
    char *warnings[MOST_WARNINGS]; /* that were given; more are not kept */
    size_t warning_count;
};

enum nd_status nd_rspamd_remote_create(const struct nd_rspamd_place *place,
                                       struct nd_error *error,
                                       struct nd_rspamd_remote **remote_r)
{
    struct nd_rspamd_remote *remote = nd_calloc(1, sizeof(*remote));
    remote->arena = nd_arena_create(0);
    remote->prefix = nd_strdup(place->prefix);
    remote->rule = nd_strdup(place->rule);
    remote->settings = nd_strdup(place->settings);
    enum nd_status status = nd_redis_options_parse(
        place->url, NULL, remote->arena, error, &remote->options);
    if (status != ND_OK) {
        nd_rspamd_remote_destroy(&remote);
        return status;
    }
    remote->client =
        nd_redis_client_create(&remote->options, place->timeout_ms);
    *remote_r = remote;
    return ND_OK;
}

void nd_rspamd_remote_destroy(struct nd_rspamd_remote **remote)
{
    if (remote == NULL || *remote == NULL)
        return;
    nd_redis_client_destroy(&(*remote)->client);
    nd_arena_destroy(&(*remote)->arena);
    free((*remote)->prefix);
    free((*remote)->rule);
    free((*remote)->settings);
    free((*remote)->profiles);
    for (size_t i = 0; i < (*remote)->warning_count; i++)
        free((*remote)->warnings[i]);
    free(*remote);
    *remote = NULL;
}

void nd_rspamd_remote_warn(struct nd_rspamd_remote *remote, const char *format,
                           ...)
{
    char text[ND_ERROR_BYTES];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    for (size_t i = 0; i < remote->warning_count; i++)
        if (strcmp(remote->warnings[i], text) == 0)
            return;
    nd_log(ND_LOG_WARNING, "%s", text);
    if (remote->warning_count < MOST_WARNINGS)
        remote->warnings[remote->warning_count++] = nd_strdup(text);
}

static enum nd_status strange(struct nd_error *error)
{
    return nd_fail(error, ND_DATA,
                   "rspamd's Redis holds something else than rspamd's neural "
                   "module keeps under its keys");
}

/* ---- commands ---- */

static struct nd_redis_argument word(const char *text)
{
    return (struct nd_redis_argument){text, strlen(text)};
}

/* Sends one command; an error reply that means nothing else is ND_DATA. */
static enum nd_status run(struct nd_rspamd_remote *remote,
                          const struct nd_redis_argument *arguments,
                          size_t count, bool writes, struct nd_error *error,
                          const struct nd_redis_reply **reply_r)
{
    struct nd_redis_command command = {arguments, count};
    struct nd_redis_request request = {
        .commands = &command, .count = 1, .writes = writes};
    const struct nd_redis_reply *reply;
    enum nd_status status =
        nd_redis_client_exchange(remote->client, &request, error, &reply);
    if (status == ND_OK && reply->type == ND_REDIS_ERROR)
        status =
            nd_fail(error, ND_DATA, "rspamd's Redis refuses: %s", reply->text);
    if (status == ND_OK)
        *reply_r = reply;
    return status;
}

static enum nd_status ask(struct nd_rspamd_remote *remote,
                          const char *const *words, struct nd_error *error,
                          const struct nd_redis_reply **reply_r)
{
    struct nd_redis_argument arguments[MOST_ARGUMENTS];
    size_t count = 0;
    while (words[count] != NULL && count < MOST_ARGUMENTS) {
        arguments[count] = word(words[count]);
        count++;
    }
    return run(remote, arguments, count, false, error, reply_r);
}

/* A script with its keys (NULL at the end) and arguments. */
struct call {
    const char *script;
    const char *const *keys;
    const struct nd_redis_argument *arguments;
    size_t count;
};

static enum nd_status run_script(struct nd_rspamd_remote *remote,
                                 const struct call *call,
                                 struct nd_error *error,
                                 const struct nd_redis_reply **reply_r)
{
    struct nd_redis_argument all[MOST_ARGUMENTS];
    char number[24];
    size_t keys = 0, count = 3;
    for (; call->keys[keys] != NULL; keys++)
        all[count++] = word(call->keys[keys]);
    (void)snprintf(number, sizeof(number), "%zu", keys);
    all[0] = word("EVAL");
    all[1] = word(call->script);
    all[2] = word(number);
    for (size_t i = 0; i < call->count; i++)
        all[count++] = call->arguments[i];
    return run(remote, all, count, true, error, reply_r);
}

/* ---- profiles ---- */

/* Whether a failure is of what lies under one key, and the connection goes on:
 * then it is said, and that key is left alone. */
static bool is_keys_fault(struct nd_rspamd_remote *remote,
                          enum nd_status status, const char *key,
                          const struct nd_error *error)
{
    if (status != ND_DATA)
        return false;
    nd_rspamd_remote_warn(remote, "%s; %s is left alone", error->text, key);
    return true;
}

/* When a sorted set of profiles was used last, by rspamd's own clock; below 0
 * where there is none. */
static enum nd_status last_use(struct nd_rspamd_remote *remote, const char *key,
                               struct nd_error *error, double *used_r)
{
    const struct nd_redis_reply *reply;
    const char *words[] = {"ZREVRANGE", key, "0", "0", "WITHSCORES", NULL};
    enum nd_status status = ask(remote, words, error, &reply);
    *used_r = -1;
    if (status == ND_OK && reply->type == ND_REDIS_ARRAY && reply->length == 2)
        *used_r = strtod(nd_redis_item(reply, 1)->text, NULL);
    return is_keys_fault(remote, status, key, error) ? ND_OK : status;
}

static void set_profiles(struct nd_rspamd_remote *remote, const char *key)
{
    free(remote->profiles);
    remote->profiles = nd_strdup(key);
}

/* The versions that are known, and those to come, each under a key of its own:
 * of the module (2 until rspamd 3.12, 3 since 3.13) and of the metatokens (1,
 * and 3). After an upgrade both are there: the one used last counts. */
static enum nd_status find_known(struct nd_rspamd_remote *remote,
                                 struct nd_error *error)
{
    double latest = 0;
    enum nd_status status = ND_OK;
    for (unsigned i = 0; i < KNOWN_VERSIONS && status == ND_OK; i++) {
        char key[KEY_BYTES];
        double used;
        (void)snprintf(key, sizeof(key), "%s%u_%s_%u_%s", remote->prefix,
                       FIRST_MODULE + i / METATOKENS, remote->rule,
                       1 + i % METATOKENS, remote->settings);
        status = last_use(remote, key, error, &used);
        if (status != ND_OK || used < latest)
            continue;
        latest = used;
        set_profiles(remote, key);
    }
    return status;
}

/* Others are looked for, since a walk over all keys costs a large server
 * something. */
static enum nd_status find_others(struct nd_rspamd_remote *remote,
                                  struct nd_error *error)
{
    const struct nd_redis_reply *reply;
    char cursor[32] = "0", pattern[KEY_BYTES];
    enum nd_status status = ND_OK;
    (void)snprintf(pattern, sizeof(pattern), "%s[0-9]*_%s_[0-9]*_%s",
                   remote->prefix, remote->rule, remote->settings);
    do {
        const char *words[] = {"SCAN",  cursor, "MATCH", pattern, "COUNT",
                               "10000", "TYPE", "zset",  NULL};
        status = ask(remote, words, error, &reply);
        if (status != ND_OK)
            return status;
        (void)snprintf(cursor, sizeof(cursor), "%lld",
                       (long long)nd_redis_number(nd_redis_item(reply, 0)));
        const struct nd_redis_reply *keys = nd_redis_item(reply, 1);
        const struct nd_redis_reply *first = nd_redis_item(keys, 0);
        if (keys->type == ND_REDIS_ARRAY && first->type == ND_REDIS_STRING)
            set_profiles(remote, first->text);
    } while (remote->profiles == NULL && strcmp(cursor, "0") != 0);
    return status;
}

static enum nd_status find_profiles(struct nd_rspamd_remote *remote,
                                    struct nd_error *error)
{
    free(remote->profiles);
    remote->profiles = NULL;
    enum nd_status status = find_known(remote, error);
    if (status == ND_OK && remote->profiles == NULL)
        status = find_others(remote, error);
    if (status == ND_OK && remote->profiles == NULL)
        return nd_fail(error, ND_NOTHING,
                       "rspamd has stored no profile yet under %s2_%s_1_%s; is "
                       "its neural module on?",
                       remote->prefix, remote->rule, remote->settings);
    return status;
}

/* The metatokens' version, which stands in the key of the profiles. */
static uint32_t metatokens_version(const struct nd_rspamd_remote *remote)
{
    const char *end = remote->profiles + strlen(remote->profiles) -
                      strlen(remote->settings) - 1;
    while (end > remote->profiles && end[-1] >= '0' && end[-1] <= '9')
        end--;
    return (uint32_t)strtoul(end, NULL, 10);
}

/* Parses a profile. Its key is one of this place's, or it would be written to
 * where another program keeps something. */
static enum nd_status read_profile(const struct nd_rspamd_remote *remote,
                                   const struct nd_redis_reply *item,
                                   struct nd_arena *arena,
                                   struct nd_error *error,
                                   struct nd_rspamd_profile *profile_r)
{
    char stem[KEY_BYTES];
    struct nd_rspamd_profile profile;
    if (item->type != ND_REDIS_STRING)
        return strange(error);
    enum nd_status status = nd_rspamd_profile_parse(item->text, item->length,
                                                    arena, error, &profile);
    if (status != ND_OK)
        return status;
    (void)snprintf(stem, sizeof(stem), "%s_%s_%s_", remote->prefix,
                   remote->rule, remote->settings);
    if (strncmp(profile.redis_key, stem, strlen(stem)) != 0)
        return nd_fail(error, ND_DATA,
                       "the key %s of a profile of rspamd's does not begin "
                       "with %s",
                       profile.redis_key, stem);
    profile.metatokens_version = metatokens_version(remote);
    *profile_r = profile;
    return ND_OK;
}

enum nd_status nd_rspamd_remote_profiles(
    struct nd_rspamd_remote *remote, struct nd_arena *arena,
    struct nd_error *error, const struct nd_rspamd_profile **profiles_r,
    size_t *count_r)
{
    const struct nd_redis_reply *reply;
    enum nd_status status = find_profiles(remote, error);
    if (status != ND_OK)
        return status;
    const char *words[] = {"ZREVRANGE", remote->profiles, "0", "63", NULL};
    status = ask(remote, words, error, &reply);
    if (status != ND_OK)
        return status;
    if (reply->type != ND_REDIS_ARRAY)
        return strange(error);
    struct nd_rspamd_profile *profiles =
        nd_arena_take(arena, (reply->length + 1) * sizeof(*profiles));
    size_t count = 0;
    for (size_t i = 0; i < reply->length; i++) {
        struct nd_error why = {{0}};
        if (read_profile(remote, nd_redis_item(reply, i), arena, &why,
                         &profiles[count]) == ND_OK)
            count++;
        else
            nd_rspamd_remote_warn(remote, "%s; it is passed over", why.text);
    }
    if (count == 0)
        return nd_fail(error, ND_NOTHING,
                       "rspamd has stored no profile yet under %s",
                       remote->profiles);
    *profiles_r = profiles;
    *count_r = count;
    return ND_OK;
}

/* ---- networks ---- */

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

enum nd_status nd_rspamd_remote_network(struct nd_rspamd_remote *remote,
                                        const char *key, struct nd_arena *arena,
                                        struct nd_error *error,
                                        struct nd_rspamd_network *network_r)
{
    static const char *const known[] = {"ann",      "roc_thresholds", "lock",
                                        "hostname", "obsolete",       "neurald",
                                        NULL};
    static const char *const changing[] = {"pca", "providers_meta",
                                           "norm_stats", NULL};
    struct nd_rspamd_network network = {0};
    const struct nd_redis_reply *reply;
    enum nd_status status =
        ask(remote, (const char *[]){"HKEYS", key, NULL}, error, &reply);
    if (is_keys_fault(remote, status, key, error)) {
        *network_r = network;
        return ND_OK;
    }
    for (size_t i = 0; status == ND_OK && i < reply->length; i++) {
        const char *name = nd_redis_item(reply, i)->text;
        if (name == NULL)
            return strange(error);
        network.there = network.there || strcmp(name, "ann") == 0;
        if (is_one_of(name, changing))
            network.changes = nd_arena_strndup(arena, name, strlen(name));
        else if (!is_one_of(name, known))
            network.unknown = nd_arena_strndup(arena, name, strlen(name));
    }
    if (status == ND_OK)
        status = ask(remote, (const char *[]){"HGET", key, "neurald", NULL},
                     error, &reply);
    if (status != ND_OK)
        return status;
    if (reply->type == ND_REDIS_STRING)
        network.mark = nd_arena_strndup(arena, reply->text, reply->length);
    *network_r = network;
    return ND_OK;
}

/* Appends what a zstd frame holds; false where it is none or too large. */
static bool decompress(const void *data, size_t length, size_t most,
                       struct nd_buffer *plain)
{
    unsigned long long size = ZSTD_getFrameContentSize(data, length);
    if (size == ZSTD_CONTENTSIZE_ERROR)
        return false;
    size_t room =
        size == ZSTD_CONTENTSIZE_UNKNOWN || size > most ? most : (size_t)size;
    size_t got =
        ZSTD_decompress(nd_buffer_reserve(plain, room + 1), room, data, length);
    if (ZSTD_isError(got))
        return false;
    plain->length += got;
    plain->data[plain->length] = '\0';
    return true;
}

enum nd_status nd_rspamd_remote_fetch(struct nd_rspamd_remote *remote,
                                      const char *key, struct nd_error *error,
                                      struct nd_buffer *file)
{
    const struct nd_redis_reply *reply;
    enum nd_status status = ask(
        remote, (const char *[]){"HSTRLEN", key, "ann", NULL}, error, &reply);
    if (status == ND_OK && nd_redis_number(reply) > (int64_t)MOST_FILE_BYTES)
        return nd_fail(error, ND_LIMIT,
                       "the network under %s has more than %zu bytes", key,
                       MOST_FILE_BYTES);
    if (status == ND_OK)
        status = ask(remote, (const char *[]){"HGET", key, "ann", NULL}, error,
                     &reply);
    if (status != ND_OK)
        return status;
    if (reply->type != ND_REDIS_STRING)
        return nd_fail(error, ND_NOTHING, "there is no network under %s", key);
    if (!decompress(reply->text, reply->length, MOST_FILE_BYTES, file))
        return nd_fail(error, ND_DATA,
                       "the network under %s cannot be decompressed", key);
    return ND_OK;
}

/* ---- vectors ---- */

/* A walk over one set. */
struct walk {
    struct nd_rspamd_remote *remote;
    nd_rspamd_vector_callback *callback;
    void *context;
    int label;
    struct nd_buffer plain;
};

static enum nd_status tell_vectors(struct walk *walk,
                                   const struct nd_redis_reply *items,
                                   struct nd_error *error)
{
    enum nd_status status = ND_OK;
    for (size_t i = 0; status == ND_OK && i < items->length; i++) {
        const struct nd_redis_reply *item = nd_redis_item(items, i);
        nd_buffer_clear(&walk->plain);
        bool good = item->type == ND_REDIS_STRING &&
                    decompress(item->text, item->length, MOST_VECTOR_BYTES,
                               &walk->plain);
        status = walk->callback(good ? (const char *)walk->plain.data : NULL,
                                walk->plain.length, walk->label, walk->context,
                                error);
    }
    return status;
}

static enum nd_status walk_set(struct walk *walk, const char *set,
                               struct nd_error *error)
{
    char cursor[32] = "0";
    enum nd_status status;
    do {
        const struct nd_redis_reply *reply;
        const char *words[] = {"SSCAN", set, cursor, "COUNT", SCAN_COUNT, NULL};
        status = ask(walk->remote, words, error, &reply);
        if (is_keys_fault(walk->remote, status, set, error))
            return ND_OK;
        if (status != ND_OK)
            return status;
        const struct nd_redis_reply *next = nd_redis_item(reply, 0);
        if (next->type != ND_REDIS_STRING || next->length >= sizeof(cursor))
            return strange(error);
        (void)snprintf(cursor, sizeof(cursor), "%s", next->text);
        status = tell_vectors(walk, nd_redis_item(reply, 1), error);
    } while (status == ND_OK && strcmp(cursor, "0") != 0);
    return status;
}

enum nd_status nd_rspamd_remote_vectors(struct nd_rspamd_remote *remote,
                                        const char *key,
                                        nd_rspamd_vector_callback *callback,
                                        void *context, struct nd_error *error)
{
    static const char *const endings[] = {"ham", "spam"};
    struct walk walk = {remote, callback, context, 0, {0}};
    enum nd_status status = ND_OK;
    for (int label = 0; status == ND_OK && label < 2; label++) {
        char *set = nd_sprintf("%s_%s_set", key, endings[label]);
        walk.label = label;
        status = walk_set(&walk, set, error);
        free(set);
    }
    nd_buffer_free(&walk.plain);
    return status;
}

/* ---- writing ---- */

enum nd_status nd_rspamd_remote_mark(struct nd_rspamd_remote *remote,
                                     const char *key, const char *text,
                                     int64_t expire_s, struct nd_error *error)
{
    char expire[32];
    const struct nd_redis_reply *reply;
    (void)snprintf(expire, sizeof(expire), "%lld", (long long)expire_s);
    struct nd_redis_argument arguments[] = {word(text), word(expire)};
    struct call call = {nd_rspamd_mark_script, (const char *[]){key, NULL},
                        arguments, 2};
    return run_script(remote, &call, error, &reply);
}

static enum nd_status publish_status(const struct nd_redis_reply *reply,
                                     const struct nd_rspamd_release *release,
                                     struct nd_error *error)
{
    const char *old = release->old->redis_key;
    if (reply->type == ND_REDIS_ARRAY)
        return nd_fail(error, ND_BUSY,
                       "%s is locked by %s since %lld (Unix time)", old,
                       nd_redis_item(reply, 1)->text,
                       (long long)nd_redis_number(nd_redis_item(reply, 0)));
    if (reply->type == ND_REDIS_STRING &&
        strcmp(reply->text, "superseded") == 0)
        return nd_fail(error, ND_SUPERSEDED,
                       "%s was replaced by another meanwhile", old);
    return ND_OK;
}

enum nd_status nd_rspamd_remote_publish(struct nd_rspamd_remote *remote,
                                        const struct nd_rspamd_release *release,
                                        struct nd_error *error)
{
    char thresholds[64], expire[32], stale[32];
    const struct nd_redis_reply *reply;
    size_t room = ZSTD_compressBound(release->file_length);
    void *packed = nd_calloc(room, 1);
    size_t packed_length =
        ZSTD_compress(packed, room, release->file, release->file_length, 3);
    (void)snprintf(thresholds, sizeof(thresholds), "[%.9g,%.9g]",
                   release->thresholds[0], release->thresholds[1]);
    (void)snprintf(expire, sizeof(expire), "%lld",
                   (long long)release->expire_s);
    (void)snprintf(stale, sizeof(stale), "%lld", (long long)release->stale_s);
    const char *old = release->old->redis_key;
    char *spam = nd_sprintf("%s_spam_set", old);
    char *ham = nd_sprintf("%s_ham_set", old);
    const char *keys[] = {
        remote->profiles, release->next->redis_key, old, spam, ham, NULL};
    struct nd_redis_argument arguments[] = {
        word(stale),
        {release->old->text, release->old->text_length},
        {release->next->text, release->next->text_length},
        {packed, packed_length},
        word(thresholds),
        word(release->mark),
        word(expire),
    };
    struct call call = {nd_rspamd_publish_script, keys, arguments,
                        sizeof(arguments) / sizeof(arguments[0])};
    enum nd_status status = run_script(remote, &call, error, &reply);
    if (status == ND_OK)
        status = publish_status(reply, release, error);
    free(packed);
    free(spam);
    free(ham);
    return status;
}
