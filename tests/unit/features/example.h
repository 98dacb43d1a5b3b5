/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the extractors share: messages put together by hand, and
 * features asked for by name.
 */
#ifndef TEST_FEATURES_EXAMPLE_H
#define TEST_FEATURES_EXAMPLE_H

#include <stdbool.h>
#include <string.h>

#include "features/features.h"

static struct nd_arena *arena;
static struct nd_key key;

static int set_up_example(void **state)
{
    uint8_t secret[ND_KEY_BYTES];
    if (nd_hash_init(NULL) != ND_OK)
        return -1;
    for (size_t i = 0; i < sizeof(secret); i++)
        secret[i] = (uint8_t)(i * 7 + 1);
    nd_key_from_secret(secret, &key);
    arena = nd_arena_create(0);
    return 0;
}

static int tear_down_example(void **state)
{
    nd_arena_destroy(&arena);
    return 0;
}

static inline struct nd_text text_of(const char *text)
{
    return (struct nd_text){text, strlen(text)};
}

static inline struct nd_header header_of(const char *name, const char *value)
{
    return (struct nd_header){text_of(name), text_of(value), ND_HEADER_PLAIN};
}

/* A message with nothing in it. */
static inline struct nd_message empty_message(void)
{
    struct nd_message message;
    memset(&message, 0, sizeof(message));
    message.subject = text_of("");
    message.text = text_of("");
    message.message_id = text_of("");
    return message;
}

/* All features of message with their names. */
static inline struct nd_features named_features(
    const struct nd_message *message)
{
    struct nd_extract_options options = {.families = ND_GROUP_ALL,
                                         .flags = ND_EXTRACT_NAMES};
    struct nd_features features;
    nd_features_extract(message, NULL, &key, &options, arena, &features);
    return features;
}

static inline bool has(const struct nd_features *features,
                       enum nd_family family, const char *name)
{
    for (uint32_t i = 0; i < features->text[family].count; i++)
        if (strcmp(features->text_names[family][i], name) == 0)
            return true;
    return false;
}

/* Whether any text feature's name holds part. */
static inline bool mentions(const struct nd_features *features,
                            const char *part)
{
    for (uint32_t family = 0; family < ND_FAMILY_COUNT; family++)
        for (uint32_t i = 0; i < features->text[family].count; i++)
            if (strstr(features->text_names[family][i], part) != NULL)
                return true;
    return false;
}

/* The value of a named feature, 0 where it is absent. */
static inline float value_of(const struct nd_features *features,
                             const char *name)
{
    for (size_t i = 0; i < features->named_count; i++)
        if (strcmp(features->named[i].name, name) == 0)
            return features->named[i].value;
    return 0;
}

#endif
