/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads INFO, which users may call where CONFIG is closed to them. No key of
 * ours has a time to live, so the volatile policies cannot touch them; they
 * are reported all the same, since they are no protection of ours.
 */
#include "store/redis_policy.h"

#include <stdlib.h>
#include <string.h>

/* The value after "NAME:" in the memory section, up to the end of its line. */
static enum nd_status ask_memory(struct nd_redis_store *redis, const char *name,
                                 struct nd_error *error, char value_r[64])
{
    static const char *const words[] = {"INFO", "memory", NULL};
    const struct nd_redis_reply *reply;
    enum nd_status status =
        nd_redis_client_ask(redis->client, words, false, error, &reply);
    if (status != ND_OK)
        return status;
    const char *text = reply->type == ND_REDIS_STRING ? reply->text : "";
    size_t length = strlen(name);
    while (*text != '\0' &&
           (strncmp(text, name, length) != 0 || text[length] != ':')) {
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    if (*text == '\0')
        return nd_fail(error, ND_DATA, "Redis: INFO does not show %s", name);
    text += length + 1;
    size_t end = strcspn(text, "\r\n");
    if (end > 63)
        end = 63;
    memcpy(value_r, text, end);
    value_r[end] = '\0';
    return ND_OK;
}

enum nd_status nd_redis_check_policy(struct nd_redis_store *redis,
                                     struct nd_error *error)
{
    char policy[64];
    enum nd_status status =
        ask_memory(redis, "maxmemory_policy", error, policy);
    if (status == ND_OK && strcmp(policy, "noeviction") != 0)
        status = nd_fail(error, ND_CONFIG,
                         "Redis may evict keys of the store "
                         "(maxmemory-policy %s): set it to noeviction",
                         policy);
    return status;
}

enum nd_status nd_redis_memory_share(struct nd_redis_store *redis,
                                     struct nd_error *error, double *share_r)
{
    char value[64];
    uint64_t used = 0;
    enum nd_status status = nd_redis_used_memory(redis, error, &used);
    if (status == ND_OK)
        status = ask_memory(redis, "maxmemory", error, value);
    if (status != ND_OK)
        return status;
    uint64_t most = strtoull(value, NULL, 10);
    *share_r = most > 0 ? (double)used / (double)most : 0;
    return ND_OK;
}

enum nd_status nd_redis_used_memory(struct nd_redis_store *redis,
                                    struct nd_error *error, uint64_t *bytes_r)
{
    char value[64];
    enum nd_status status = ask_memory(redis, "used_memory", error, value);
    if (status == ND_OK)
        *bytes_r = strtoull(value, NULL, 10);
    return status;
}
