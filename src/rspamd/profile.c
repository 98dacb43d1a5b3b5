/* SPDX-License-Identifier: Apache-2.0
 *
 * Profiles out of rspamd's JSON and back into it. The next version is made from
 * the object that was read, so that what a later rspamd keeps in there goes
 * along.
 */
#include "rspamd/profile.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const known[] = {"digest",    "symbols",  "version",
                                    "redis_key", "distance", "providers_digest",
                                    NULL};

static const char *copy_text(struct nd_arena *arena, const json_t *value)
{
    return nd_arena_strndup(arena, json_string_value(value),
                            json_string_length(value));
}

static bool is_text(const json_t *value)
{
    return json_is_string(value) && json_string_length(value) > 0 &&
           strlen(json_string_value(value)) == json_string_length(value);
}

static const char *unknown_field(json_t *object, struct nd_arena *arena)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], name) != 0)
            i++;
        if (known[i] == NULL)
            return nd_arena_strndup(arena, name, strlen(name));
    }
    return NULL;
}

static int by_name(const void *first, const void *second)
{
    return strcmp(*(const char *const *)first, *(const char *const *)second);
}

/* A name that is there twice; NULL: none. */
static const char *name_twice(const char *const *names, size_t count)
{
    const char *twice = NULL;
    const char **sorted = nd_calloc(count, sizeof(*sorted));
    for (size_t i = 0; i < count; i++)
        sorted[i] = names[i];
    qsort(sorted, count, sizeof(*sorted), by_name);
    for (size_t i = 1; i < count && twice == NULL; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            twice = sorted[i];
    free(sorted);
    return twice;
}

static enum nd_status parse_symbols(const json_t *list, struct nd_arena *arena,
                                    struct nd_error *error,
                                    struct nd_rspamd_profile *profile)
{
    size_t count = json_array_size(list);
    const char **symbols = nd_arena_take(arena, (count + 1) * sizeof(*symbols));
    if (!json_is_array(list) || count > UINT16_MAX)
        return nd_fail(error, ND_DATA,
                       "a profile of rspamd's has no symbols, "
                       "or over 65,535");
    for (size_t i = 0; i < count; i++) {
        const json_t *name = json_array_get(list, i);
        if (!is_text(name))
            return nd_fail(error, ND_DATA,
                           "symbol %zu of a profile of rspamd's is no name", i);
        symbols[i] = copy_text(arena, name);
    }
    const char *twice = name_twice(symbols, count);
    if (twice != NULL)
        return nd_fail(error, ND_DATA,
                       "a profile of rspamd's has the symbol %s twice", twice);
    profile->symbols = symbols;
    profile->symbol_count = (uint32_t)count;
    return ND_OK;
}

/* The key's length without the version that it ends in; 0 where it ends in
 * something else. */
static size_t stem_length(const char *key, uint64_t version)
{
    char ending[32];
    (void)snprintf(ending, sizeof(ending), "_%llu",
                   (unsigned long long)version);
    size_t length = strlen(key), end = strlen(ending);
    return length > end && strcmp(key + length - end, ending) == 0
               ? length - end
               : 0;
}

/* Lua has no whole numbers: a version may be written "1.0". */
static bool read_version(const json_t *value, uint64_t *version_r)
{
    double number = json_is_number(value) ? json_number_value(value) : -1;
    if (!(number >= 0) || number > ND_RSPAMD_MAX_VERSION)
        return false;
    *version_r = (uint64_t)number;
    return (double)*version_r == number;
}

static enum nd_status parse_object(json_t *object, struct nd_arena *arena,
                                   struct nd_error *error,
                                   struct nd_rspamd_profile *profile)
{
    const json_t *digest = json_object_get(object, "digest");
    const json_t *key = json_object_get(object, "redis_key");
    const json_t *version = json_object_get(object, "version");
    if (!is_text(digest) || !is_text(key) ||
        !read_version(version, &profile->version))
        return nd_fail(error, ND_DATA,
                       "a profile of rspamd's lacks digest, redis_key or "
                       "version");
    profile->digest = copy_text(arena, digest);
    profile->redis_key = copy_text(arena, key);
    profile->unknown = unknown_field(object, arena);
    const json_t *providers = json_object_get(object, "providers_digest");
    profile->is_foreign = providers != NULL && !json_is_null(providers);
    if (stem_length(profile->redis_key, profile->version) == 0)
        return nd_fail(error, ND_DATA,
                       "the key %s of a profile of rspamd's does not end in "
                       "its version, %llu",
                       profile->redis_key,
                       (unsigned long long)profile->version);
    return parse_symbols(json_object_get(object, "symbols"), arena, error,
                         profile);
}

enum nd_status nd_rspamd_profile_parse(const char *text, size_t length,
                                       struct nd_arena *arena,
                                       struct nd_error *error,
                                       struct nd_rspamd_profile *profile_r)
{
    json_error_t problem;
    struct nd_rspamd_profile profile = {.text_length = length,
                                        .metatokens_version = 1};
    if (length > ND_RSPAMD_MAX_PROFILE_BYTES)
        return nd_fail(error, ND_LIMIT, "a profile of rspamd's has %zu bytes",
                       length);
    json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
    if (!json_is_object(object)) {
        json_decref(object);
        return nd_fail(error, ND_DATA,
                       "a profile of rspamd's is no JSON object: %s",
                       problem.text);
    }
    enum nd_status status = parse_object(object, arena, error, &profile);
    json_decref(object);
    if (status == ND_OK) {
        profile.text = nd_arena_strndup(arena, text, length);
        *profile_r = profile;
    }
    return status;
}

void nd_rspamd_profile_next(const struct nd_rspamd_profile *profile,
                            struct nd_arena *arena,
                            struct nd_rspamd_profile *next_r)
{
    struct nd_rspamd_profile next = *profile;
    size_t stem = stem_length(profile->redis_key, profile->version);
    char *key = nd_arena_take(arena, stem + 32);
    next.version++;
    (void)snprintf(key, stem + 32, "%.*s_%llu", (int)stem, profile->redis_key,
                   (unsigned long long)next.version);
    next.redis_key = key;
    json_t *object = json_loadb(profile->text, profile->text_length, 0, NULL);
    json_object_set_new(object, "version",
                        json_integer((json_int_t)next.version));
    json_object_set_new(object, "redis_key", json_string(key));
    char *text = json_dumps(object, JSON_COMPACT);
    next.text_length = strlen(text);
    next.text = nd_arena_strndup(arena, text, next.text_length);
    free(text);
    json_decref(object);
    *next_r = next;
}
