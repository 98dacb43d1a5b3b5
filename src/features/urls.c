/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts of links: scheme, host, the labels of the host and its top-level
 * domain, the words of the path, and what is unusual about it (a numeric host,
 * a port, a user name, another host in the visible text).
 */
#include <string.h>

#include "features/footer.h"
#include "features/text.h"

#define LONGEST_PATH 160U

/* A piece of text between two pointers. */
struct span {
    const char *begin, *end;
};

/* NUL stops, too. */
static bool is_stop(char byte, const char *stops)
{
    while (*stops != '\0' && *stops != byte) {
        stops++;
    }
    return *stops == byte;
}

static struct span span_until(struct span in, const char *stops)
{
    struct span piece = {in.begin, in.begin};
    while (piece.end < in.end && !is_stop(*piece.end, stops)) {
        piece.end++;
    }
    return piece;
}

static void add_part(struct nd_collector *collector, const char *prefix,
                     struct span part)
{
    struct nd_token token;
    nd_token_start(&token, prefix);
    nd_token_add_folded(&token, part.begin, (size_t)(part.end - part.begin));
    nd_collect_token(collector, ND_FAMILY_URLS, &token);
}

static void add_fact(struct nd_collector *collector, const char *fact)
{
    struct nd_token token;
    nd_token_start(&token, fact);
    nd_collect_token(collector, ND_FAMILY_URLS, &token);
}

static bool is_numeric(struct span host)
{
    for (const char *at = host.begin; at < host.end; at++) {
        if ((*at < '0' || *at > '9') && *at != '.') {
            return false;
        }
    }
    return host.begin < host.end;
}

static void add_labels(struct nd_collector *collector, struct span host)
{
    struct span rest = host;
    uint32_t labels = 0;
    while (rest.begin < rest.end) {
        struct span label = span_until(rest, ".");
        rest.begin = label.end < rest.end ? label.end + 1 : rest.end;
        labels++;
        add_part(collector, rest.begin < rest.end ? "label:" : "tld:", label);
    }
    struct nd_token count;
    nd_token_start(&count, "labels:");
    nd_token_add_step(&count, labels);
    nd_collect_token(collector, ND_FAMILY_URLS, &count);
}

static void add_host(struct nd_collector *collector, struct span authority)
{
    struct span user = span_until(authority, "@");
    if (user.end < authority.end) {
        add_fact(collector, "url:user");
        authority.begin = user.end + 1;
    }
    struct span host = span_until(authority, ":");
    if (host.end < authority.end) {
        add_part(collector, "port", (struct span){host.end, authority.end});
    }
    if (is_numeric(host)) {
        add_fact(collector, "url:numeric host");
        return;
    }
    add_part(collector, "host:", host);
    add_labels(collector, host);
}

static void add_path(struct nd_collector *collector, struct span path)
{
    if (path.end - path.begin > LONGEST_PATH) {
        path.end = path.begin + LONGEST_PATH;
    }
    struct nd_text_plan plan = {
        .words = ND_FAMILY_URLS,
        .pairs = ND_NO_FAMILY,
        .grams = ND_NO_FAMILY,
        .word_prefix = "path:",
    };
    nd_collect_text(
        collector, &plan,
        (struct nd_text){path.begin, (size_t)(path.end - path.begin)});
    struct nd_token depth;
    uint64_t slashes = 0;
    for (const char *at = path.begin; at < path.end; at++) {
        slashes += *at == '/';
    }
    nd_token_start(&depth, "slashes:");
    nd_token_add_step(&depth, slashes);
    nd_collect_token(collector, ND_FAMILY_URLS, &depth);
}

static void add_url(struct nd_collector *collector, const struct nd_url *url)
{
    struct span all = {url->url.data, url->url.data + url->url.length};
    struct span scheme = span_until(all, ":/?#");
    if (scheme.end == all.end || *scheme.end != ':') {
        add_fact(collector, "url:relative");
        scheme.end = scheme.begin;
    } else {
        add_part(collector,
                 url->is_image ? "image scheme:" : "scheme:", scheme);
        all.begin = scheme.end + 1;
    }
    while (all.begin < all.end && *all.begin == '/') {
        all.begin++;
    }
    struct span authority = span_until(all, "/?#");
    add_host(collector, authority);
    add_path(collector, (struct span){authority.end, all.end});
    if (url->text_differs) {
        add_fact(collector, "url:text differs");
    }
}

/* Whether a link of the plain text stands in a mailing list's footer. */
static bool is_within(const struct nd_url *url, struct nd_text footer)
{
    return !url->from_html && url->url.length > 0 &&
           memmem(footer.data, footer.length, url->url.data, url->url.length) !=
               NULL;
}

void nd_collect_urls(struct nd_collector *collector,
                     const struct nd_message *message)
{
    if (!nd_collect_wants(collector, ND_FAMILY_URLS)) {
        return;
    }
    struct nd_text footer = nd_list_footer(message->text);
    for (size_t i = 0; i < message->url_count; i++)
        if (!is_within(&message->urls[i], footer))
            add_url(collector, &message->urls[i]);
}
