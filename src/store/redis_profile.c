/* SPDX-License-Identifier: Apache-2.0
 *
 * Profiles of a rule in Redis. Ranks, trimming and what counts as in use are
 * decided by the scripts; here symbols are packed and answers unpacked.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "store/redis_operations.h"
#include "store/redis_script.h"

/* ---- symbols: names, each ended by a NUL ---- */

static void pack_symbols(const struct nd_profile *profile,
                         struct nd_buffer *packed)
{
    for (uint32_t i = 0; i < profile->symbol_count; i++)
        nd_buffer_append(packed, profile->symbols[i],
                         strlen(profile->symbols[i]) + 1);
}

static bool unpack_symbols(const struct nd_redis_reply *packed,
                           struct nd_arena *arena, struct nd_profile *profile)
{
    if (packed->type != ND_REDIS_STRING ||
        (packed->length > 0 && packed->text[packed->length - 1] != '\0'))
        return false;
    uint32_t count = 0;
    for (size_t i = 0; i < packed->length; i++)
        count += packed->text[i] == '\0';
    const char **symbols =
        nd_arena_take(arena, ((size_t)count + 1) * sizeof(*symbols));
    const char *copy = nd_arena_strndup(arena, packed->text, packed->length);
    for (uint32_t i = 0; i < count; i++) {
        symbols[i] = copy;
        copy += strlen(copy) + 1;
    }
    profile->symbols = symbols;
    profile->symbol_count = count;
    return true;
}

/* ---- register and touch ---- */

static enum nd_status use_profile(struct nd_store *store, const char *rule,
                                  const struct nd_profile *profile, bool create,
                                  struct nd_error *error, bool *created_r)
{
    struct nd_scope scope = {rule, profile->settings};
    struct nd_redis_call call;
    const struct nd_redis_reply *reply;
    struct nd_buffer symbols = {0};
    pack_symbols(profile, &symbols);
    nd_redis_call_begin(&call, store, ND_REDIS_PROFILE_USE, &scope);
    nd_redis_call_text(&call, profile->settings);
    nd_redis_call_bytes(&call, profile->digest, ND_PROFILE_DIGEST_BYTES);
    nd_redis_call_text(&call, create ? "1" : "0");
    nd_redis_call_bytes(&call, symbols.data, symbols.length);
    nd_redis_call_bytes(&call, profile->grown_from,
                        profile->grown_from != NULL ? ND_PROFILE_DIGEST_BYTES
                                                    : 0);
    enum nd_status status = nd_redis_call_run(&call, error, &reply);
    nd_buffer_free(&symbols);
    if (status != ND_OK)
        return status;
    if (nd_redis_says(reply, "absent"))
        return nd_fail(error, ND_NO_INPUT,
                       "no such profile under %s/%s: register it", rule,
                       profile->settings);
    *created_r = nd_redis_says(reply, "created");
    return ND_OK;
}

enum nd_status nd_redis_profile_register(struct nd_store *store,
                                         const char *rule,
                                         const struct nd_profile *profile,
                                         struct nd_error *error,
                                         bool *created_r)
{
    return use_profile(store, rule, profile, true, error, created_r);
}

enum nd_status nd_redis_profile_touch(
    struct nd_store *store, const char *rule, const char *settings,
    const uint8_t digest[ND_PROFILE_DIGEST_BYTES], struct nd_error *error)
{
    struct nd_profile profile = {.symbol_count = 0};
    bool created;
    size_t length = strnlen(settings, ND_NAME_BYTES - 1);
    memcpy(profile.settings, settings, length);
    memcpy(profile.digest, digest, ND_PROFILE_DIGEST_BYTES);
    return use_profile(store, rule, &profile, false, error, &created);
}

/* ---- lists ---- */

/* settings, digest, last use, generation, symbols */
static bool read_profile(const struct nd_redis_reply *reply,
                         struct nd_arena *arena, struct nd_profile *profile_r)
{
    const struct nd_redis_reply *settings = nd_redis_item(reply, 0);
    const struct nd_redis_reply *digest = nd_redis_item(reply, 1);
    if (settings->type != ND_REDIS_STRING ||
        settings->length >= ND_NAME_BYTES ||
        digest->length != ND_PROFILE_DIGEST_BYTES)
        return false;
    memset(profile_r, 0, sizeof(*profile_r));
    memcpy(profile_r->settings, settings->text, settings->length);
    memcpy(profile_r->digest, digest->text, ND_PROFILE_DIGEST_BYTES);
    profile_r->used_ms = nd_redis_number(nd_redis_item(reply, 2));
    profile_r->generation = nd_redis_count(nd_redis_item(reply, 3));
    return unpack_symbols(nd_redis_item(reply, 4), arena, profile_r);
}

static enum nd_status run_list(struct nd_redis_call *call,
                               struct nd_arena *arena, struct nd_error *error,
                               const struct nd_profile **profiles_r,
                               size_t *count_r)
{
    const struct nd_redis_reply *reply;
    enum nd_status status = nd_redis_call_run(call, error, &reply);
    if (status != ND_OK)
        return status;
    if (reply->type != ND_REDIS_ARRAY)
        return nd_redis_strange(call, error);
    struct nd_profile *profiles =
        nd_arena_take(arena, (reply->length + 1) * sizeof(*profiles));
    for (size_t i = 0; i < reply->length; i++) {
        if (!read_profile(nd_redis_item(reply, i), arena, &profiles[i]))
            return nd_redis_strange(call, error);
    }
    *profiles_r = profiles;
    *count_r = reply->length;
    return ND_OK;
}

enum nd_status nd_redis_profile_list(struct nd_store *store, const char *rule,
                                     struct nd_arena *arena,
                                     struct nd_error *error,
                                     const struct nd_profile **profiles_r,
                                     size_t *count_r)
{
    struct nd_scope scope = {rule, ""};
    struct nd_redis_call call;
    nd_redis_call_begin(&call, store, ND_REDIS_PROFILE_LIST, &scope);
    return run_list(&call, arena, error, profiles_r, count_r);
}

enum nd_status nd_redis_profile_trim(struct nd_store *store, const char *rule,
                                     uint32_t keep, int64_t recent_ms,
                                     struct nd_arena *arena,
                                     struct nd_error *error,
                                     const struct nd_profile **dropped_r,
                                     size_t *count_r)
{
    struct nd_scope scope = {rule, ""};
    struct nd_redis_call call;
    char scope_key[ND_REDIS_KEY_BYTES];
    nd_redis_call_begin(&call, store, ND_REDIS_PROFILE_TRIM, &scope);
    nd_redis_key(call.store, 's', &scope, "", scope_key);
    nd_redis_call_number(&call, keep);
    nd_redis_call_number(&call, recent_ms);
    nd_redis_call_text(&call, scope_key);
    return run_list(&call, arena, error, dropped_r, count_r);
}
