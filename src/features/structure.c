/* SPDX-License-Identifier: Apache-2.0
 *
 * How a message is built, whatever it says: its parts, its HTML, and counts.
 * Counts become steps (0, 1, 2, 3, 4, 8, 16, ...), each a feature, so that a
 * network can give every step a weight of its own. What headers say about the
 * structure is in header_structure.c.
 */
#include <string.h>

#include "features/characters.h"
#include "features/structure.h"
#include "features/text.h"

void nd_structure_add(struct nd_collector *collector, const char *prefix,
                      struct nd_text value)
{
    struct nd_token token;
    nd_token_start(&token, prefix);
    nd_token_add_folded(&token, value.data, value.length);
    nd_collect_token(collector, ND_FAMILY_STRUCTURE, &token);
}

void nd_structure_add_step(struct nd_collector *collector, const char *prefix,
                           uint64_t count)
{
    struct nd_token token;
    nd_token_start(&token, prefix);
    nd_token_add_step(&token, count);
    nd_collect_token(collector, ND_FAMILY_STRUCTURE, &token);
}

static struct nd_text extension(struct nd_text filename)
{
    size_t at = filename.length;
    while (at > 0 && filename.data[at - 1] != '.') {
        at--;
    }
    size_t length = filename.length - at;
    if (at == 0 || length > 8) {
        return (struct nd_text){"", 0};
    }
    return (struct nd_text){filename.data + at, length};
}

static void add_blank(struct nd_token *token, struct nd_text text)
{
    nd_token_add_text(token, " ");
    nd_token_add_folded(token, text.data, text.length);
}

static void add_part(struct nd_collector *collector, const struct nd_part *part)
{
    nd_structure_add(collector, "type:", part->type);
    if (part->is_container) {
        return;
    }
    nd_structure_add(collector, "charset:", part->charset);
    nd_structure_add(collector, "encoding:", part->encoding);
    struct nd_token whole;
    nd_token_start(&whole, "part:");
    nd_token_add_step(&whole, part->depth);
    add_blank(&whole, part->type);
    add_blank(&whole, part->charset);
    add_blank(&whole, part->encoding);
    nd_collect_token(collector, ND_FAMILY_STRUCTURE, &whole);
    if (part->disposition.length > 0) {
        nd_structure_add(collector, "disposition:", part->disposition);
    }
    if (part->filename.length > 0) {
        nd_structure_add(collector, "extension:", extension(part->filename));
    }
}

static void add_html(struct nd_collector *collector,
                     const struct nd_html_facts *html)
{
    if (html->tags == 0) {
        return;
    }
    for (size_t i = 0; i < html->token_count; i++) {
        nd_structure_add(collector, "html:", html->tokens[i]);
    }
    nd_structure_add_step(collector, "html tags:", html->tags);
    nd_structure_add_step(collector, "html links:", html->links);
    nd_structure_add_step(collector, "html images:", html->images);
    nd_structure_add_step(collector, "html remote:", html->remote_images);
    nd_structure_add_step(collector, "html tables:", html->tables);
    nd_structure_add_step(collector, "html fonts:", html->fonts);
    nd_structure_add_step(collector, "html comments:", html->comments);
    nd_structure_add_step(collector, "html unknown:", html->unknown_tags);
    nd_structure_add_step(collector, "html depth:", html->max_depth);
    nd_structure_add_step(collector, "html hidden:", html->hidden_chars);
    uint64_t share = html->markup_bytes * 10 /
                     (html->markup_bytes + html->visible_chars + 1);
    nd_structure_add_step(collector, "html markup:", share);
}

static void add_share(struct nd_collector *collector, const char *prefix,
                      uint64_t part, uint64_t whole)
{
    nd_structure_add_step(collector, prefix, part * 32 / (whole + 1));
}

static void add_text(struct nd_collector *collector,
                     const struct nd_counted_message *counted)
{
    struct nd_characters count = counted->text;
    struct nd_text text = counted->message->text;
    nd_structure_add_step(collector, "text bytes:", text.length);
    add_share(collector, "text upper:", count.upper, count.upper + count.lower);
    add_share(collector, "text digits:", count.digits, text.length);
    add_share(collector, "text high:", count.high, text.length);
    add_share(collector, "text signs:", count.signs, text.length);
    add_share(collector, "text blanks:", count.blanks, text.length);
    nd_structure_add_step(collector, "text exclamations:", count.exclamations);
    nd_structure_add_step(collector, "text money:", count.money);
}

static void add_subject(struct nd_collector *collector,
                        const struct nd_counted_message *counted)
{
    struct nd_characters count = counted->subject;
    struct nd_text subject = counted->message->subject;
    nd_structure_add_step(collector, "subject bytes:", subject.length);
    add_share(collector, "subject upper:", count.upper,
              count.upper + count.lower);
    add_share(collector, "subject digits:", count.digits, subject.length);
    add_share(collector, "subject high:", count.high, subject.length);
    nd_structure_add_step(collector,
                          "subject exclamations:", count.exclamations);
    nd_structure_add_step(collector, "subject money:", count.money);
    if (subject.length > 0) {
        nd_structure_add(
            collector, "subject ends:",
            (struct nd_text){subject.data + subject.length - 1, 1});
    }
}

void nd_collect_structure(struct nd_collector *collector,
                          const struct nd_counted_message *counted)
{
    const struct nd_message *message = counted->message;
    if (!nd_collect_wants(collector, ND_FAMILY_STRUCTURE)) {
        return;
    }
    for (size_t i = 0; i < message->part_count; i++) {
        add_part(collector, &message->parts[i]);
    }
    nd_structure_add_step(collector, "parts:", message->part_count);
    nd_structure_add_step(collector, "urls:", message->url_count);
    nd_structure_add_step(collector, "to:", message->recipients_to);
    nd_structure_add_step(collector, "cc:", message->recipients_cc);
    nd_structure_add_step(collector, "defects:", message->defects);
    add_text(collector, counted);
    add_subject(collector, counted);
    nd_collect_header_structure(collector, message);
    add_html(collector, &message->html);
}
