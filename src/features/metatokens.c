/* SPDX-License-Identifier: Apache-2.0
 *
 * Metatokens: facts about a message as numbers from 0 to 1. Counts are damped
 * by a logarithm that reaches 1 at a cap; shares are taken as they are. Names
 * and formulas stand in docs/features.md and never change: a better formula
 * gets a new name. A fact that is 0 is left out, which means the same.
 */
#include <math.h>
#include <string.h>

#include "features/characters.h"
#include "features/named.h"

/* log(1 + count) / log(1 + cap), at most 1. */
static double damp(double count, double cap)
{
    double value = log1p(count) / log1p(cap);
    return value < 1 ? value : 1;
}

static double share(double part, double whole)
{
    return whole > 0 ? (part < whole ? part / whole : 1) : 0;
}

static void put(struct nd_named_list *list, const char *name, double value)
{
    if (value > 0) {
        nd_named_add(list, name, value);
    }
}

static bool text_is(struct nd_text text, const char *value)
{
    return strcmp(text.data, value) == 0;
}

static bool text_begins(struct nd_text text, const char *value)
{
    return strncmp(text.data, value, strlen(value)) == 0;
}

static void put_size(struct nd_named_list *list,
                     const struct nd_message *message)
{
    double size = (double)message->raw_bytes - (double)message->filter_bytes;
    double headers =
        (double)message->header_count - (double)message->filter_headers;
    put(list, "meta:size", damp(size, 4.0 * 1024 * 1024));
    put(list, "meta:unread", share((double)message->unread_bytes, size));
    put(list, "meta:cut",
        damp((double)message->cut_headers + message->cut_parts +
                 message->cut_urls + message->cut_depth,
             1000));
    put(list, "meta:defects", damp(message->defects, 100));
    put(list, "meta:nul", damp(message->nul_bytes, 1000));
    put(list, "meta:headers", damp(headers, 100));
    put(list, "meta:recipients", damp(message->recipients_to, 100));
    put(list, "meta:copies", damp(message->recipients_cc, 100));
    put(list, "meta:hops", damp(message->hops, 30));
}

struct part_counts {
    double leaves, images, html, attachments, base64, quoted, eight_bit;
    double unicode, depth;
};

static void count_part(const struct nd_part *part, struct part_counts *count)
{
    count->depth = fmax(count->depth, part->depth);
    if (part->is_container) {
        return;
    }
    count->leaves++;
    count->images += text_begins(part->type, "image/");
    count->html += text_is(part->type, "text/html");
    count->attachments += text_is(part->disposition, "attachment");
    count->base64 += text_is(part->encoding, "base64");
    count->quoted += text_is(part->encoding, "quoted-printable");
    count->eight_bit += text_is(part->encoding, "8bit");
    count->unicode += text_begins(part->charset, "utf");
}

static void put_parts(struct nd_named_list *list,
                      const struct nd_message *message)
{
    struct part_counts count = {0};
    for (size_t i = 0; i < message->part_count; i++) {
        count_part(&message->parts[i], &count);
    }
    put(list, "meta:parts", damp((double)message->part_count, 100));
    put(list, "meta:depth", damp(count.depth, 30));
    put(list, "meta:images", damp(count.images, 30));
    put(list, "meta:attachments", damp(count.attachments, 30));
    put(list, "meta:html_parts", share(count.html, count.leaves));
    put(list, "meta:base64_parts", share(count.base64, count.leaves));
    put(list, "meta:quoted_parts", share(count.quoted, count.leaves));
    put(list, "meta:eight_bit_parts", share(count.eight_bit, count.leaves));
    put(list, "meta:unicode_parts", share(count.unicode, count.leaves));
}

static void put_urls(struct nd_named_list *list,
                     const struct nd_message *message)
{
    double count = (double)message->url_count;
    double images = 0;
    double differing = 0;
    double secure = 0;
    for (size_t i = 0; i < message->url_count; i++) {
        images += message->urls[i].is_image;
        differing += message->urls[i].text_differs;
        secure += text_begins(message->urls[i].url, "https:");
    }
    put(list, "meta:urls", damp(count, 100));
    put(list, "meta:image_urls", share(images, count));
    put(list, "meta:misleading_urls", damp(differing, 10));
    put(list, "meta:secure_urls", share(secure, count));
}

static void put_html(struct nd_named_list *list,
                     const struct nd_html_facts *html)
{
    double visible = (double)html->visible_chars;
    double hidden = (double)html->hidden_chars;
    double markup = (double)html->markup_bytes;
    put(list, "meta:html_tags", damp(html->tags, 1000));
    put(list, "meta:html_links", damp(html->links, 100));
    put(list, "meta:html_images", damp(html->images, 100));
    put(list, "meta:html_remote_images", damp(html->remote_images, 100));
    put(list, "meta:html_forms", damp(html->forms, 10));
    put(list, "meta:html_scripts", damp(html->scripts, 10));
    put(list, "meta:html_styles", damp(html->styles, 10));
    put(list, "meta:html_tables", damp(html->tables, 100));
    put(list, "meta:html_fonts", damp(html->fonts, 300));
    put(list, "meta:html_comments", damp(html->comments, 100));
    put(list, "meta:html_iframes", damp(html->iframes, 10));
    put(list, "meta:html_unknown_tags", damp(html->unknown_tags, 100));
    put(list, "meta:html_depth", damp(html->max_depth, 100));
    put(list, "meta:html_markup", share(markup, markup + visible + hidden));
    put(list, "meta:html_hidden", share(hidden, visible + hidden));
}

static void put_text(struct nd_named_list *list,
                     const struct nd_counted_message *counted)
{
    struct nd_characters body = counted->text;
    double words = (double)body.words;
    double length = (double)counted->message->text.length;
    put(list, "meta:words", damp(words, 20000));
    put(list, "meta:long_words", share((double)body.long_words, words));
    put(list, "meta:word_length", share(length, 16 * words));
    put(list, "meta:upper",
        share((double)body.upper, (double)(body.upper + body.lower)));
    put(list, "meta:digits", share((double)body.digits, length));
    put(list, "meta:signs", share((double)body.signs, length));
    put(list, "meta:high", share((double)body.high, length));
}

static void put_subject(struct nd_named_list *list,
                        const struct nd_counted_message *counted)
{
    struct nd_characters subject = counted->subject;
    double length = (double)counted->message->subject.length;
    put(list, "meta:subject", damp(length, 300));
    put(list, "meta:subject_upper",
        share((double)subject.upper, (double)(subject.upper + subject.lower)));
    put(list, "meta:subject_digits", share((double)subject.digits, length));
    put(list, "meta:subject_high", share((double)subject.high, length));
}

static void put_result(struct nd_named_list *list, enum nd_auth_result result,
                       const char *const names[3])
{
    put(list, names[0], result == ND_AUTH_PASS);
    put(list, names[1], result == ND_AUTH_FAIL);
    put(list, names[2], result == ND_AUTH_SOFT || result == ND_AUTH_ERROR);
}

static void put_authentication(struct nd_named_list *list,
                               const struct nd_message *message)
{
    static const char *const spf[] = {"meta:spf_pass", "meta:spf_fail",
                                      "meta:spf_other"};
    static const char *const dkim[] = {"meta:dkim_pass", "meta:dkim_fail",
                                       "meta:dkim_other"};
    static const char *const dmarc[] = {"meta:dmarc_pass", "meta:dmarc_fail",
                                        "meta:dmarc_other"};
    put_result(list, message->spf, spf);
    put_result(list, message->dkim, dkim);
    put_result(list, message->dmarc, dmarc);
    put(list, "meta:authenticated", message->authenticated_user);
}

void nd_collect_metatokens(struct nd_named_list *list,
                           const struct nd_counted_message *counted)
{
    const struct nd_message *message = counted->message;
    put_size(list, message);
    put_parts(list, message);
    put_urls(list, message);
    put_html(list, &message->html);
    put_text(list, counted);
    put_subject(list, counted);
    put_authentication(list, message);
}
