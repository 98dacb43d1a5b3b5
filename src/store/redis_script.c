/* SPDX-License-Identifier: Apache-2.0
 *
 * One operation of the store is one script and so one atomic step. A call goes
 * out as EVALSHA, and as EVAL where the server answers NOSCRIPT (it did not act
 * then); the rule's name goes into the index of rules in front of it, in the
 * same round trip, so that no key is ever out of the index's reach.
 */
#include "store/redis_script.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* ---- keys ---- */

enum key_place { OF_RULE, OF_SCOPE };

/* The keys of a rule: all hold "{PREFIX:RULE}", so that they share a slot. */
static const struct {
    char letter;
    enum key_place place;
    const char *suffix;
} keys[] = {
    {'r', OF_RULE, ""},          {'n', OF_RULE, ":names"},
    {'l', OF_RULE, ":slots"},    {'f', OF_RULE, ":profiles"},
    {'c', OF_RULE, ":scopes"},   {'s', OF_SCOPE, ""},
    {'p', OF_SCOPE, ":samples"}, {'m', OF_SCOPE, ":models"},
    {'j', OF_SCOPE, ":journal"}, {'e', OF_SCOPE, ":endings"},
    {'h', OF_SCOPE, ":hosts"},   {'b', OF_SCOPE, ":blobs"},
    {'B', OF_SCOPE, ":blobs:"},
};

void nd_redis_store_key(const struct nd_redis_store *store, const char *name,
                        char key_r[ND_REDIS_KEY_BYTES])
{
    (void)snprintf(key_r, ND_REDIS_KEY_BYTES, "%s:%s", store->options.prefix,
                   name);
}

void nd_redis_key(const struct nd_redis_store *store, char letter,
                  const struct nd_scope *scope, const char *blob,
                  char key_r[ND_REDIS_KEY_BYTES])
{
    size_t which = 0;
    while (which + 1 < sizeof(keys) / sizeof(keys[0]) &&
           keys[which].letter != letter)
        which++;
    bool of_scope = keys[which].place == OF_SCOPE;
    (void)snprintf(key_r, ND_REDIS_KEY_BYTES, "{%s:%s}%s%s%s%s",
                   store->options.prefix, scope->rule, of_scope ? ":s:" : "",
                   of_scope ? scope->settings : "", keys[which].suffix,
                   letter == 'B' ? blob : "");
}

/* ---- scripts ---- */

enum script_way { WAY_READ, WAY_WRITE, WAY_LOCAL, WAY_ONCE, WAY_WAIT };

static const struct {
    const char *file;
    const char *keys;
    enum script_way way;
} scripts[] = {
#define SCRIPT(name, file, keys, way) {file, keys, WAY_##way},
    ND_REDIS_SCRIPT_MAP(SCRIPT)
#undef SCRIPT
};

static const struct nd_redis_text *text_of(enum nd_redis_script script)
{
    size_t i = 0;
    while (i + 1 < nd_redis_text_count &&
           strcmp(nd_redis_texts[i].name, scripts[script].file) != 0)
        i++;
    return &nd_redis_texts[i];
}

static bool does_write(enum script_way way)
{
    return way != WAY_READ && way != WAY_WAIT;
}

/* ---- building a call ---- */

void nd_redis_call_bytes(struct nd_redis_call *call, const void *data,
                         size_t length)
{
    if (call->count == call->capacity) {
        size_t capacity = call->capacity * 2;
        struct nd_redis_argument *grown =
            nd_arena_take(call->store->scratch, capacity * sizeof(*grown));
        memcpy(grown, call->arguments, call->count * sizeof(*grown));
        call->arguments = grown;
        call->capacity = capacity;
    }
    call->arguments[call->count++] = (struct nd_redis_argument){data, length};
}

void nd_redis_call_text(struct nd_redis_call *call, const char *text)
{
    nd_redis_call_bytes(call, text, strlen(text));
}

void nd_redis_call_number(struct nd_redis_call *call, int64_t number)
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%lld", (long long)number);
    nd_redis_call_bytes(
        call, nd_arena_strndup(call->store->scratch, digits, (size_t)length),
        (size_t)length);
}

void nd_redis_call_begin_blob(struct nd_redis_call *call,
                              struct nd_store *store,
                              enum nd_redis_script script,
                              const struct nd_scope *scope, const char *blob)
{
    struct nd_redis_store *redis = (struct nd_redis_store *)store;
    nd_arena_reset(redis->scratch);
    *call = (struct nd_redis_call){
        .store = redis, .script = script, .capacity = 32, .rule = scope->rule};
    call->arguments = nd_arena_take(redis->scratch,
                                    call->capacity * sizeof(*call->arguments));
    nd_redis_call_text(call, "EVALSHA");
    nd_redis_call_text(call, text_of(script)->sha1);
    nd_redis_call_number(call, (int64_t)strlen(scripts[script].keys));
    for (const char *letter = scripts[script].keys; *letter != '\0'; letter++) {
        char key[ND_REDIS_KEY_BYTES];
        nd_redis_key(redis, *letter, scope, blob, key);
        nd_redis_call_text(call,
                           nd_arena_strndup(redis->scratch, key, strlen(key)));
    }
}

void nd_redis_call_begin(struct nd_redis_call *call, struct nd_store *store,
                         enum nd_redis_script script,
                         const struct nd_scope *scope)
{
    nd_redis_call_begin_blob(call, store, script, scope, "");
}

/* ---- running it ---- */

enum nd_status nd_redis_call_run(struct nd_redis_call *call,
                                 struct nd_error *error,
                                 const struct nd_redis_reply **reply_r)
{
    enum script_way way = scripts[call->script].way;
    bool writes = does_write(way) && !call->looks;
    if (writes && call->store->read_only)
        return nd_fail(error, ND_PERMISSION,
                       "the store was opened to read only");
    char index[ND_REDIS_KEY_BYTES];
    nd_redis_store_key(call->store, "rules", index);
    struct nd_redis_argument add[] = {
        {"SADD", 4}, {index, strlen(index)}, {call->rule, strlen(call->rule)}};
    struct nd_redis_command commands[] = {{add, 3},
                                          {call->arguments, call->count}};
    struct nd_redis_request request = {
        .commands = writes ? commands : commands + 1,
        .count = writes ? 2 : 1,
        .writes = writes,
        .once = way == WAY_ONCE,
        .lenient = writes, /* at maxmemory what frees must still run */
        .durable = way == WAY_WRITE || way == WAY_WAIT,
    };
    const struct nd_redis_reply *replies[2];
    enum nd_status status =
        nd_redis_client_exchange(call->store->client, &request, error, replies);
    const struct nd_redis_reply **last = &replies[request.count - 1];
    if (status == ND_OK && nd_redis_is_error(*last, "NOSCRIPT")) {
        call->arguments[0] = (struct nd_redis_argument){"EVAL", 4};
        const char *source = text_of(call->script)->source;
        call->arguments[1] = (struct nd_redis_argument){source, strlen(source)};
        status = nd_redis_client_exchange(call->store->client, &request, error,
                                          replies);
    }
    if (status == ND_OK)
        *reply_r = *last;
    return status;
}

bool nd_redis_says(const struct nd_redis_reply *reply, const char *word)
{
    if (reply->type == ND_REDIS_ARRAY)
        reply = nd_redis_item(reply, 0);
    return reply->type == ND_REDIS_STRING && strcmp(reply->text, word) == 0;
}

enum nd_status nd_redis_strange(const struct nd_redis_call *call,
                                struct nd_error *error)
{
    return nd_fail(error, ND_DATA,
                   "Redis: a strange answer of the script '%s'; is another "
                   "program writing under this prefix?",
                   scripts[call->script].file);
}
