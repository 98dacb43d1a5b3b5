/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a Redis store's URL. One table names the query parameters, so that
 * the URL, the struct that overrides it, and their limits cannot drift apart.
 * Nothing here connects; passwords in files are read at each connect by
 * nd_redis_login_password, so that changing one needs no restart.
 */
#include "store/redis_url.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/units.h"

#define MAX_URL_BYTES 4096
#define MAX_PREFIX_BYTES 63
#define MAX_DATABASE 65535
#define MAX_REPLICAS 64

enum parameter_kind { TEXT, NUMBER };

struct parameter {
    const char *name;
    enum parameter_kind kind;
    size_t offset;
    int64_t most;
};

#define TEXT_PARAMETER(name, field)                             \
    {                                                           \
        name, TEXT, offsetof(struct nd_redis_options, field), 0 \
    }
#define NUMBER_PARAMETER(name, field, most)                          \
    {                                                                \
        name, NUMBER, offsetof(struct nd_redis_options, field), most \
    }

static const struct parameter parameters[] = {
    TEXT_PARAMETER("user", login.user),
    TEXT_PARAMETER("password_file", login.password_file),
    TEXT_PARAMETER("password_env", login.password_env),
    TEXT_PARAMETER("sentinel_user", sentinel_login.user),
    TEXT_PARAMETER("sentinel_password_file", sentinel_login.password_file),
    TEXT_PARAMETER("sentinel_password_env", sentinel_login.password_env),
    TEXT_PARAMETER("prefix", prefix),
    TEXT_PARAMETER("ca_file", ca_file),
    TEXT_PARAMETER("certificate_file", certificate_file),
    TEXT_PARAMETER("key_file", key_file),
    TEXT_PARAMETER("server_name", server_name),
    NUMBER_PARAMETER("db", database, MAX_DATABASE),
    NUMBER_PARAMETER("wait_replicas", wait_replicas, MAX_REPLICAS),
};
#define PARAMETER_COUNT (sizeof(parameters) / sizeof(parameters[0]))

/* What else an options struct may set, beside the parameters. */
static const struct parameter only_given[] = {
    TEXT_PARAMETER("", login.password),
    TEXT_PARAMETER("", sentinel_login.password),
    TEXT_PARAMETER("", master),
};
#define ONLY_GIVEN_COUNT (sizeof(only_given) / sizeof(only_given[0]))

struct parse {
    struct nd_arena *arena;
    struct nd_error *error;
    struct nd_redis_options *options;
    bool seen[PARAMETER_COUNT];
};

static const char **text_field(struct nd_redis_options *options,
                               const struct parameter *parameter)
{
    return (const char **)(void *)((char *)options + parameter->offset);
}

static uint32_t *number_field(struct nd_redis_options *options,
                              const struct parameter *parameter)
{
    return (uint32_t *)(void *)((char *)options + parameter->offset);
}

/* Undoes %XX; a NUL or half an escape is refused. */
static enum nd_status decode(struct parse *parse, const char *text,
                             size_t length, const char *what,
                             const char **text_r)
{
    char *decoded = nd_arena_take(parse->arena, length + 1);
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '%') {
            decoded[used++] = text[i];
            continue;
        }
        int high = i + 2 < length ? nd_hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? nd_hex_digit(text[i + 2]) : -1;
        if (low < 0 || high * 16 + low == 0)
            return nd_fail(parse->error, ND_CONFIG,
                           "store URL: bad %%-escape in the %s; write a "
                           "percent sign as %%25",
                           what);
        decoded[used++] = (char)(high * 16 + low);
        i += 2;
    }
    decoded[used] = '\0';
    *text_r = decoded;
    return ND_OK;
}

static enum nd_status parse_number(struct parse *parse, const char *name,
                                   const char *text, int64_t most,
                                   uint32_t *number_r)
{
    int64_t number;
    struct nd_error ignored;
    if (nd_parse_integer(text, &ignored, &number) != ND_OK || number < 0 ||
        number > most)
        return nd_fail(parse->error, ND_CONFIG,
                       "store URL: %s must be a number from 0 to %lld", name,
                       (long long)most);
    *number_r = (uint32_t)number;
    return ND_OK;
}

static enum nd_status parse_port(struct parse *parse, const char *text,
                                 size_t length, uint16_t *port_r)
{
    char digits[8];
    uint32_t port = 0;
    if (length == 0 || length >= sizeof(digits))
        return nd_fail(parse->error, ND_CONFIG, "store URL: bad port");
    memcpy(digits, text, length);
    digits[length] = '\0';
    enum nd_status status =
        parse_number(parse, "the port", digits, UINT16_MAX, &port);
    if (status == ND_OK && port == 0)
        status = nd_fail(parse->error, ND_CONFIG, "store URL: port 0");
    if (status == ND_OK)
        *port_r = (uint16_t)port;
    return status;
}

/* "HOST", "HOST:PORT", "[ADDRESS]:PORT". */
static enum nd_status parse_endpoint(struct parse *parse, const char *text,
                                     size_t length, uint16_t port,
                                     struct nd_redis_endpoint *endpoint_r)
{
    const char *end = text + length;
    const char *host = text, *host_end;
    if (length > 0 && text[0] == '[') {
        host++;
        host_end = memchr(text, ']', length);
        if (host_end == NULL)
            return nd_fail(parse->error, ND_CONFIG,
                           "store URL: '[' without ']' in the host");
        text = host_end + 1;
    } else {
        host_end = memchr(text, ':', length);
        if (host_end == NULL)
            host_end = end;
        text = host_end;
    }
    if (host == host_end)
        return nd_fail(parse->error, ND_CONFIG, "store URL: no host");
    if (text < end && *text != ':')
        return nd_fail(parse->error, ND_CONFIG,
                       "store URL: a port must follow the host");
    enum nd_status status = ND_OK;
    if (text < end)
        status = parse_port(parse, text + 1, (size_t)(end - text - 1), &port);
    endpoint_r->port = port;
    if (status == ND_OK)
        status = decode(parse, host, (size_t)(host_end - host), "host",
                        &endpoint_r->host);
    return status;
}

static enum nd_status parse_sentinels(struct parse *parse, const char *text,
                                      size_t length)
{
    const char *end = text + length;
    struct nd_redis_options *options = parse->options;
    for (;;) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *stop = comma != NULL ? comma : end;
        if (options->sentinel_count == ND_REDIS_MAX_SENTINELS)
            return nd_fail(parse->error, ND_CONFIG,
                           "store URL: more than %d Sentinels",
                           ND_REDIS_MAX_SENTINELS);
        enum nd_status status = parse_endpoint(
            parse, text, (size_t)(stop - text), ND_REDIS_SENTINEL_PORT,
            &options->sentinels[options->sentinel_count]);
        if (status != ND_OK)
            return status;
        options->sentinel_count++;
        if (comma == NULL)
            return ND_OK;
        text = comma + 1;
    }
}

/* "USER:PASSWORD", "USER", ":PASSWORD". */
static enum nd_status parse_login(struct parse *parse, const char *text,
                                  size_t length)
{
    struct nd_redis_login *login = &parse->options->login;
    const char *colon = memchr(text, ':', length);
    size_t user_length = colon != NULL ? (size_t)(colon - text) : length;
    enum nd_status status = ND_OK;
    if (user_length > 0)
        status = decode(parse, text, user_length, "user", &login->user);
    if (status == ND_OK && colon != NULL)
        status = decode(parse, colon + 1, length - user_length - 1, "password",
                        &login->password);
    return status;
}

static enum nd_status set_parameter(struct parse *parse, const char *name,
                                    size_t name_length, const char *value)
{
    for (size_t i = 0; i < PARAMETER_COUNT; i++) {
        const struct parameter *parameter = &parameters[i];
        if (strlen(parameter->name) != name_length ||
            memcmp(parameter->name, name, name_length) != 0)
            continue;
        if (parse->seen[i])
            return nd_fail(parse->error, ND_CONFIG,
                           "store URL: %s is given twice", parameter->name);
        parse->seen[i] = true;
        if (parameter->kind == NUMBER)
            return parse_number(parse, parameter->name, value, parameter->most,
                                number_field(parse->options, parameter));
        *text_field(parse->options, parameter) = value;
        return ND_OK;
    }
    return nd_fail(parse->error, ND_CONFIG,
                   "store URL: unknown parameter '%.*s'; docs/redis.md has "
                   "the list",
                   (int)(name_length < 40 ? name_length : 40), name);
}

static enum nd_status parse_query(struct parse *parse, const char *query)
{
    while (*query != '\0') {
        size_t length = strcspn(query, "&");
        const char *equals = memchr(query, '=', length);
        if (equals == NULL)
            return nd_fail(parse->error, ND_CONFIG,
                           "store URL: a parameter without '='");
        size_t name_length = (size_t)(equals - query);
        const char *value = NULL;
        enum nd_status status = decode(
            parse, equals + 1, length - name_length - 1, "parameter", &value);
        if (status == ND_OK)
            status = set_parameter(parse, query, name_length, value);
        if (status != ND_OK)
            return status;
        query += length;
        query += *query == '&';
    }
    return ND_OK;
}

/* The path of a TCP URL: "", "/", "/DATABASE". */
static enum nd_status parse_database(struct parse *parse, const char *text,
                                     size_t length)
{
    const char *number = NULL;
    if (length > 0 && *text == '/') {
        text++;
        length--;
    }
    if (length == 0)
        return ND_OK;
    enum nd_status status = decode(parse, text, length, "database", &number);
    if (status == ND_OK)
        status = parse_number(parse, "the database", number, MAX_DATABASE,
                              &parse->options->database);
    return status;
}

/* The path of a Sentinel URL: "/MASTER[/DATABASE]". */
static enum nd_status parse_master(struct parse *parse, const char *text,
                                   size_t length)
{
    if (length < 2)
        return nd_fail(parse->error, ND_CONFIG,
                       "store URL: no name of a master; write "
                       "redis+sentinel://HOST,HOST/MASTER");
    const char *slash = memchr(text + 1, '/', length - 1);
    size_t used = slash != NULL ? (size_t)(slash - text) : length;
    enum nd_status status = decode(parse, text + 1, used - 1, "master's name",
                                   &parse->options->master);
    if (status == ND_OK)
        status = parse_database(parse, text + used, length - used);
    return status;
}

enum place { PLACE_TCP, PLACE_UNIX, PLACE_SENTINEL };

struct scheme {
    const char *name;
    enum place place;
    bool tls;
};

static const struct scheme schemes[] = {
    {"redis://", PLACE_TCP, false},
    {"rediss://", PLACE_TCP, true},
    {"redis+unix://", PLACE_UNIX, false},
    {"redis+sentinel://", PLACE_SENTINEL, false},
    {"rediss+sentinel://", PLACE_SENTINEL, true},
};

static const struct scheme *find_scheme(const char *url)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(url, schemes[i].name, strlen(schemes[i].name)) == 0)
            return &schemes[i];
    }
    return NULL;
}

static enum nd_status parse_place(struct parse *parse, enum place place,
                                  const char *text, size_t length)
{
    const char *slash = memchr(text, '/', length);
    size_t authority = slash != NULL ? (size_t)(slash - text) : length;
    const char *path = text + authority;
    size_t path_length = length - authority;
    const char *at = memrchr(text, '@', authority);
    enum nd_status status = ND_OK;
    if (at != NULL) {
        status = parse_login(parse, text, (size_t)(at - text));
        authority -= (size_t)(at + 1 - text);
        text = at + 1;
    }
    if (status != ND_OK)
        return status;
    struct nd_redis_endpoint *endpoint = &parse->options->endpoint;
    if (place == PLACE_UNIX) {
        if (authority > 0 || path_length < 2)
            return nd_fail(parse->error, ND_CONFIG,
                           "store URL: write redis+unix:///PATH, with an "
                           "absolute path");
        return decode(parse, path, path_length, "path", &endpoint->path);
    }
    if (place == PLACE_SENTINEL) {
        status = parse_sentinels(parse, text, authority);
        return status != ND_OK ? status
                               : parse_master(parse, path, path_length);
    }
    status = parse_endpoint(parse, text, authority, ND_REDIS_PORT, endpoint);
    return status != ND_OK ? status : parse_database(parse, path, path_length);
}

static void apply_fields(struct parse *parse, const struct parameter *table,
                         size_t count, const struct nd_redis_options *given)
{
    struct nd_redis_options copy = *given;
    for (size_t i = 0; i < count; i++) {
        if (table[i].kind == NUMBER) {
            uint32_t number = *number_field(&copy, &table[i]);
            if (number != 0)
                *number_field(parse->options, &table[i]) = number;
            continue;
        }
        const char *text = *text_field(&copy, &table[i]);
        if (text != NULL)
            *text_field(parse->options, &table[i]) =
                nd_arena_strndup(parse->arena, text, strlen(text));
    }
}

static struct nd_redis_endpoint copy_endpoint(
    struct nd_arena *arena, const struct nd_redis_endpoint *endpoint)
{
    struct nd_redis_endpoint copy = *endpoint;
    if (copy.host != NULL)
        copy.host = nd_arena_strndup(arena, copy.host, strlen(copy.host));
    if (copy.path != NULL)
        copy.path = nd_arena_strndup(arena, copy.path, strlen(copy.path));
    return copy;
}

static void apply_given(struct parse *parse,
                        const struct nd_redis_options *given)
{
    struct nd_redis_options *options = parse->options;
    apply_fields(parse, parameters, PARAMETER_COUNT, given);
    apply_fields(parse, only_given, ONLY_GIVEN_COUNT, given);
    options->tls = options->tls || given->tls;
    if (given->endpoint.host != NULL || given->endpoint.path != NULL)
        options->endpoint = copy_endpoint(parse->arena, &given->endpoint);
    if (given->sentinel_count == 0)
        return;
    options->sentinel_count = given->sentinel_count;
    for (size_t i = 0; i < given->sentinel_count; i++)
        options->sentinels[i] =
            copy_endpoint(parse->arena, &given->sentinels[i]);
}

static enum nd_status check_prefix(const char *prefix, struct nd_error *error)
{
    size_t length = strlen(prefix);
    size_t good = strspn(prefix, "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789_.:-");
    if (length == 0 || length > MAX_PREFIX_BYTES || good != length)
        return nd_fail(error, ND_CONFIG,
                       "store URL: a prefix has 1 to %d letters, digits and "
                       "_.:-",
                       MAX_PREFIX_BYTES);
    return ND_OK;
}

static enum nd_status check_options(const struct nd_redis_options *options,
                                    struct nd_error *error)
{
    if ((options->certificate_file == NULL) != (options->key_file == NULL))
        return nd_fail(error, ND_CONFIG,
                       "store URL: certificate_file and key_file go together");
    if (options->sentinel_count > 0 && options->master == NULL)
        return nd_fail(error, ND_CONFIG,
                       "store URL: Sentinels without a master's name");
    bool uses_tls_files = options->ca_file != NULL ||
                          options->certificate_file != NULL ||
                          options->server_name != NULL;
    if (uses_tls_files && !options->tls)
        return nd_fail(error, ND_CONFIG,
                       "store URL: certificates are given, but not TLS; "
                       "write rediss://");
    return check_prefix(options->prefix, error);
}

enum nd_status nd_redis_options_parse(const char *url,
                                      const struct nd_redis_options *given,
                                      struct nd_arena *arena,
                                      struct nd_error *error,
                                      struct nd_redis_options *options_r)
{
    struct nd_redis_options options = {.prefix = ND_REDIS_PREFIX};
    struct parse parse = {arena, error, &options, {false}};
    const struct scheme *scheme = find_scheme(url);
    if (scheme == NULL || strlen(url) > MAX_URL_BYTES)
        return nd_fail(error, ND_CONFIG,
                       "not a Redis store's URL; it begins with redis://, "
                       "rediss://, redis+unix://, redis+sentinel:// or "
                       "rediss+sentinel://");
    options.tls = scheme->tls;
    const char *rest = url + strlen(scheme->name);
    size_t length = strcspn(rest, "?");
    enum nd_status status = parse_place(&parse, scheme->place, rest, length);
    if (status == ND_OK && rest[length] == '?')
        status = parse_query(&parse, rest + length + 1);
    if (status != ND_OK)
        return status;
    if (given != NULL)
        apply_given(&parse, given);
    status = check_options(&options, error);
    if (status == ND_OK)
        *options_r = options;
    return status;
}

static enum nd_status read_secret_file(const char *path, struct nd_error *error,
                                       char *secret)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return nd_fail_errno(error, "password file %s", path);
    size_t used = 0;
    ssize_t got = 1;
    while (used < ND_REDIS_SECRET_BYTES && got > 0) {
        got = read(file, secret + used, ND_REDIS_SECRET_BYTES - used);
        if (got > 0)
            used += (size_t)got;
    }
    enum nd_status status = ND_OK;
    if (got < 0)
        status = nd_fail_errno(error, "password file %s", path);
    (void)close(file);
    if (status != ND_OK)
        return status;
    char *end = memchr(secret, '\n', used);
    if (end != NULL)
        used = (size_t)(end - secret);
    if (used > 0 && secret[used - 1] == '\r')
        used--;
    if (used == 0 || used == ND_REDIS_SECRET_BYTES)
        return nd_fail(error, ND_CONFIG,
                       "password file %s: its first line must have 1 to %d "
                       "bytes",
                       path, ND_REDIS_SECRET_BYTES - 1);
    secret[used] = '\0';
    return ND_OK;
}

enum nd_status nd_redis_login_password(const struct nd_redis_login *login,
                                       struct nd_error *error,
                                       char secret_r[ND_REDIS_SECRET_BYTES])
{
    const char *text = "";
    if (login->password_file != NULL) {
        char secret[ND_REDIS_SECRET_BYTES];
        enum nd_status status =
            read_secret_file(login->password_file, error, secret);
        if (status == ND_OK)
            memcpy(secret_r, secret, sizeof(secret));
        nd_wipe(secret, sizeof(secret));
        return status;
    }
    if (login->password_env != NULL) {
        text = getenv(login->password_env);
        if (text == NULL)
            return nd_fail(error, ND_CONFIG,
                           "environment variable %s, which should hold "
                           "Redis's password, is not set",
                           login->password_env);
    } else if (login->password != NULL) {
        text = login->password;
    }
    if (strlen(text) >= ND_REDIS_SECRET_BYTES)
        return nd_fail(error, ND_CONFIG, "Redis password: too long");
    memcpy(secret_r, text, strlen(text) + 1);
    return ND_OK;
}

void nd_redis_endpoint_text(const struct nd_redis_endpoint *endpoint,
                            char text_r[ND_REDIS_ENDPOINT_TEXT_BYTES])
{
    if (endpoint->path != NULL)
        (void)snprintf(text_r, ND_REDIS_ENDPOINT_TEXT_BYTES, "%s",
                       endpoint->path);
    else
        (void)snprintf(text_r, ND_REDIS_ENDPOINT_TEXT_BYTES, "%.255s:%u",
                       endpoint->host != NULL ? endpoint->host : "",
                       endpoint->port);
}
