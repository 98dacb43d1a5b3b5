/* SPDX-License-Identifier: Apache-2.0
 *
 * Links in text, and the hosts that they name. The scan looks for the few ways
 * in which a mail reader makes a link of plain text; it follows no standard
 * further than that, since senders do not either.
 */
#include "mail/text.h"

#include <string.h>
#include <strings.h>

void nd_urls_begin(struct nd_url_list *list, size_t limit,
                   struct nd_arena *arena)
{
    *list = (struct nd_url_list){.limit = limit, .arena = arena};
}

static void grow(struct nd_url_list *list)
{
    size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
    struct nd_url *urls = nd_arena_take(list->arena, capacity * sizeof *urls);
    if (list->count > 0)
        memcpy(urls, list->urls, list->count * sizeof *urls);
    list->urls = urls;
    list->capacity = capacity;
}

struct nd_url *nd_urls_add(struct nd_url_list *list, const char *url,
                           size_t length)
{
    if (list->count >= list->limit) {
        list->cut++;
        return NULL;
    }
    if (list->count == list->capacity)
        grow(list);
    struct nd_url *added = &list->urls[list->count++];
    *added = (struct nd_url){
        .url = {nd_arena_strndup(list->arena, url, length), length}};
    return added;
}

static bool starts_with(const char *data, const char *end, const char *start)
{
    size_t length = strlen(start);
    return (size_t)(end - data) >= length &&
           strncasecmp(data, start, length) == 0;
}

static bool is_word(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte & 0x80) != 0;
}

/* Where a link that starts at data ends: before white space, a quote, or a
 * bracket, without the punctuation of the sentence around it. */
static const char *url_end(const char *data, const char *end)
{
    static const bool stops[256] = {
        [0 ... ' '] = true, [127] = true,  ['<'] = true, ['>'] = true,
        ['"'] = true,       ['\''] = true, ['`'] = true, ['('] = true,
        [')'] = true,       ['['] = true,  [']'] = true, ['{'] = true,
        ['}'] = true,       ['|'] = true,
    };
    const char *at = data;
    while (at < end && !stops[(unsigned char)*at])
        at++;
    while (at > data && strchr(".,;:!?*_", at[-1]) != NULL)
        at--;
    return at;
}

/* The start of the scheme that "://" at colon belongs to; NULL if none. */
static const char *find_scheme(const char *data, const char *colon)
{
    static const char *const schemes[] = {"https", "http", "ftp"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t length = strlen(schemes[i]);
        if ((size_t)(colon - data) >= length &&
            strncasecmp(colon - length, schemes[i], length) == 0)
            return colon - length;
    }
    return NULL;
}

/* The next link's start at or after data; end if there is none. */
static const char *find_url(const char *start, const char *data,
                            const char *end)
{
    static const bool marks[256] = {[':'] = true, ['w'] = true, ['W'] = true};
    for (const char *at = data; at < end; at++) {
        if (!marks[(unsigned char)*at])
            continue;
        if (*at == ':' && starts_with(at, end, "://")) {
            const char *scheme = find_scheme(data, at);
            if (scheme != NULL)
                return scheme;
        }
        if ((*at == 'w' || *at == 'W') && starts_with(at, end, "www.") &&
            (at == start || !is_word(at[-1])))
            return at;
    }
    return end;
}

/* The host without a "www." or a bare "www" in front. */
static struct nd_span without_www(struct nd_span host)
{
    const char *end = host.data + host.length;
    if (starts_with(host.data, end, "www.") ||
        (host.length == 3 && starts_with(host.data, end, "www"))) {
        size_t skipped = host.length < 4 ? host.length : 4;
        return (struct nd_span){host.data + skipped, host.length - skipped};
    }
    return host;
}

void nd_urls_scan(struct nd_url_list *list, const char *data, size_t length)
{
    const char *end = data + length;
    const char *at = data;
    while ((at = find_url(data, at, end)) < end) {
        const char *stop = url_end(at, end);
        struct nd_span host = nd_url_host(at, (size_t)(stop - at));
        if (host.length > 0 && without_www(host).length > 0)
            nd_urls_add(list, at, (size_t)(stop - at));
        at = stop > at + 3 ? stop : at + 4 < end ? at + 4 : end;
    }
}

/* The part of url behind "scheme://" or "//". */
static const char *authority(const char *url, const char *end)
{
    for (const char *at = url; at < end; at++) {
        if (at[0] == '/')
            return starts_with(at, end, "//") ? at + 2 : url;
        if (at[0] == ':')
            return starts_with(at, end, "://") ? at + 3 : url;
        if (!is_word(at[0]))
            break;
    }
    return url;
}

struct nd_span nd_url_host(const char *url, size_t length)
{
    const char *end = url + length;
    const char *host = authority(url, end);
    const char *stop = host;
    while (stop < end && strchr("/?#\\", *stop) == NULL)
        stop++;
    const char *user = memrchr(host, '@', (size_t)(stop - host));
    if (user != NULL)
        host = user + 1;
    const char *port = memchr(host, ':', (size_t)(stop - host));
    if (port != NULL)
        stop = port;
    while (stop > host && stop[-1] == '.')
        stop--;
    return (struct nd_span){host, (size_t)(stop - host)};
}

/* Whether inner is outer or a name below it. */
static bool is_below(struct nd_span inner, struct nd_span outer)
{
    if (outer.length == 0 || inner.length < outer.length)
        return false;
    size_t extra = inner.length - outer.length;
    return strncasecmp(inner.data + extra, outer.data, outer.length) == 0 &&
           (extra == 0 || inner.data[extra - 1] == '.');
}

/* A text that names a host: one word, with a dot, all of it a host's or URL's
 * characters, and letters behind the last dot. */
static struct nd_span host_in_text(struct nd_span text)
{
    const struct nd_span none = {"", 0};
    if (memchr(text.data, ' ', text.length) != NULL ||
        memchr(text.data, '\n', text.length) != NULL ||
        memchr(text.data, '@', text.length) != NULL)
        return none;
    struct nd_span host = nd_url_host(text.data, text.length);
    const char *dot = memrchr(host.data, '.', host.length);
    if (dot == NULL || dot == host.data)
        return none;
    size_t last = (size_t)(host.data + host.length - dot) - 1;
    return last >= 2 && !(dot[1] >= '0' && dot[1] <= '9') ? host : none;
}

bool nd_url_text_differs(struct nd_span text, struct nd_span target)
{
    struct nd_span shown = without_www(host_in_text(text));
    struct nd_span real = without_www(nd_url_host(target.data, target.length));
    return shown.length > 0 && real.length > 0 && !is_below(shown, real) &&
           !is_below(real, shown);
}
