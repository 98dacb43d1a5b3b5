/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks up routes. The table is short and its most asked route stands first,
 * so it is searched from the top.
 */
#include "serve/route.h"

#include <string.h>
#include <strings.h>

#define QUICK false
#define SLOW true

static const struct nd_route routes[ND_ROUTE_COUNT] = {
#define ROW(id, handler, method, path, name, access, takes, slow, parameters, \
            text)                                                             \
    {handler,    method, path,          name,                                 \
     parameters, text,   ND_ROUTE_##id, ND_ACCESS_##access,                   \
     takes,      slow},
    ND_ROUTE_MAP(ROW)
#undef ROW
};

const struct nd_route *nd_routes(void)
{
    return routes;
}

/* Whether path fits pattern, and where in path its variable word begins. */
static bool fits(const char *pattern, const char *path, const char **word_r)
{
    size_t fixed = strcspn(pattern, "{");
    if (pattern[fixed] == '\0') {
        *word_r = path + fixed;
        return strcmp(pattern, path) == 0;
    }
    if (strncmp(pattern, path, fixed) != 0) {
        return false;
    }
    *word_r = path + fixed;
    return path[fixed] != '\0' && strchr(path + fixed, '/') == NULL;
}

static bool same_method(const struct nd_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

static void allow(struct nd_buffer *allowed, const struct nd_route *route)
{
    if (allowed == NULL) {
        return;
    }
    nd_buffer_printf(allowed, "%s%s%s", allowed->length > 0 ? ", " : "",
                     route->method,
                     strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
}

const struct nd_route *nd_route_find(const char *method, const char *path,
                                     const char **parameter_r,
                                     struct nd_buffer *allowed)
{
    bool known = false;
    for (size_t i = 0; i < ND_ROUTE_COUNT; i++) {
        const char *word;
        /* A path that is known word by word is no variable one. */
        if (!fits(routes[i].path, path, &word) || (known && *word != '\0')) {
            continue;
        }
        if (same_method(&routes[i], method)) {
            *parameter_r = word;
            return &routes[i];
        }
        allow(allowed, &routes[i]);
        known = true;
    }
    return NULL;
}

uint32_t nd_route_body(const char *content_type)
{
    static const struct {
        const char *type;
        uint32_t body;
    } types[] = {
        {"application/json", ND_TAKES_JSON},
        {"message/rfc822", ND_TAKES_MESSAGE},
        {"multipart/form-data", ND_TAKES_PARTS},
        {"multipart/mixed", ND_TAKES_PARTS},
    };
    if (content_type == NULL) {
        return ND_TAKES_NOTHING;
    }
    size_t length = strcspn(content_type, "; \t");
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strlen(types[i].type) == length &&
            strncasecmp(types[i].type, content_type, length) == 0) {
            return types[i].body;
        }
    }
    return 0;
}

bool nd_route_knows(const struct nd_route *route, const char *name)
{
    const char *at = route->parameters;
    size_t length = strlen(name);
    while (*at != '\0') {
        size_t word = strcspn(at, " ");
        if (word == length && strncmp(at, name, length) == 0) {
            return true;
        }
        at += word + (at[word] == ' ');
    }
    return false;
}
