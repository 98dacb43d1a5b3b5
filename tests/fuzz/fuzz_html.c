/* SPDX-License-Identifier: Apache-2.0
 *
 * HTML by itself: the same page twice gives the same, and nothing is lost that
 * stands outside of any tag.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "mail/decode.h"
#include "mail/html.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

struct page {
    struct nd_text text;
    struct nd_html_facts facts;
    size_t url_count;
};

static struct page read_page(struct nd_span html, struct nd_arena *arena)
{
    struct nd_text_builder text;
    struct nd_url_list urls;
    struct nd_html reader;
    nd_text_begin(&text, 1U << 16, arena);
    nd_urls_begin(&urls, 100, arena);
    nd_html_begin(&reader, &text, &urls, arena);
    nd_html_read(&reader, html);
    return (struct page){nd_text_end(&text), nd_html_end(&reader), urls.count};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nd_buffer clean = {0};
    nd_mail_init();
    nd_append_utf8(&clean, (const char *)data, size);
    for (size_t i = 0; i < clean.length; i++)
        if (clean.data[i] == '\0')
            clean.data[i] = ' ';
    struct nd_span html = {(const char *)clean.data, clean.length};
    struct nd_arena *arena = nd_arena_create(0);
    if (size > 0) {
        struct page one = read_page(html, arena);
        struct page other = read_page(html, arena);
        require(nd_is_utf8(one.text.data, one.text.length));
        require(one.text.length <= 2 * clean.length);
        require(one.facts.visible_chars <= one.text.length);
        require(one.facts.markup_bytes <= clean.length);
        require(one.facts.max_depth <= one.facts.tags);
        require(one.text.length == other.text.length);
        require(memcmp(one.text.data, other.text.data, one.text.length) == 0);
        require(one.url_count == other.url_count);
    }
    nd_arena_destroy(&arena);
    nd_buffer_free(&clean);
    return 0;
}
