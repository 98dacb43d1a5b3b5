/* SPDX-License-Identifier: Apache-2.0
 *
 * What a mail program leaves in the headers without meaning to: which ones it
 * writes, how it spells them, in which order, what its ids, boundaries and
 * dates look like; and which of the addresses agree with each other. The forms
 * travel from server to server unchanged, and are the same a year later.
 */
#include <string.h>

#include "features/addresses.h"
#include "features/header_table.h"
#include "features/structure.h"
#include "features/unicode.h"

#define LONGEST_SHAPE 80U

enum run { RUN_NONE, RUN_LETTERS, RUN_DIGITS, RUN_MIXED, RUN_OTHER };

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           ((unsigned char)byte & 0x80) != 0;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Length of the run of letters and digits at text, and what it is made of. */
static size_t run_length(struct nd_text text, size_t at, enum run *kind_r)
{
    size_t length = 0;
    enum run kind = RUN_NONE;
    while (at + length < text.length) {
        char byte = text.data[at + length];
        if (!is_letter(byte) && !is_digit(byte)) {
            break;
        }
        enum run here = is_digit(byte) ? RUN_DIGITS : RUN_LETTERS;
        kind = kind == RUN_NONE || kind == here ? here : RUN_MIXED;
        length++;
    }
    *kind_r = kind;
    return length;
}

/* The form of a value: runs of letters become a, of digits 0, of both x, the
 * signs between them stay, and labels of a host count as one. */
static void add_shape(struct nd_token *token, struct nd_text value)
{
    static const char marks[] = {'?', 'a', '0', 'x'};
    char last = '\0';
    if (value.length > 4 * LONGEST_SHAPE) {
        value.length = 4 * LONGEST_SHAPE;
    }
    for (size_t at = 0; at < value.length && token->length < LONGEST_SHAPE;) {
        enum run kind;
        size_t length = run_length(value, at, &kind);
        char mark = length > 0 ? marks[kind] : value.data[at];
        at += length > 0 ? length : 1;
        if (mark != last) {
            nd_token_add(token, &mark, 1);
        }
        last = mark;
    }
}

static void collect_shape(struct nd_collector *collector, const char *prefix,
                          struct nd_text name, struct nd_text value)
{
    struct nd_token token;
    nd_token_start(&token, prefix);
    nd_token_add_folded(&token, name.data, name.length > 24 ? 24 : name.length);
    nd_token_add_text(&token, " ");
    add_shape(&token, value);
    nd_collect_token(collector, ND_FAMILY_STRUCTURE, &token);
}

/* What follows "boundary=" in a content type. */
static void collect_boundary(struct nd_collector *collector,
                             const struct nd_header *header)
{
    static const char parameter[] = "boundary=";
    const char *found = strcasestr(header->value.data, parameter);
    if (found == NULL) {
        return;
    }
    found += sizeof parameter - 1;
    size_t length = strcspn(found, "; ");
    collect_shape(collector, "boundary", (struct nd_text){"", 0},
                  (struct nd_text){found, length});
}

/* The half of a message id before the at sign: its program's handwriting. */
static struct nd_text before_at(struct nd_text value)
{
    return (struct nd_text){value.data, strcspn(value.data, "@")};
}

static void collect_form(struct nd_collector *collector,
                         const struct nd_header *header)
{
    if (nd_header_is(header, "content-type")) {
        collect_boundary(collector, header);
        return;
    }
    if (nd_header_is(header, "message-id")) {
        struct nd_text local = before_at(header->value);
        collect_shape(collector, "shape:", header->name, local);
        nd_structure_add_step(collector, "id length:", local.length / 4);
        return;
    }
    collect_shape(collector, "shape:", header->name, header->value);
}

static void collect_order(struct nd_collector *collector,
                          const struct nd_header *before,
                          const struct nd_header *header)
{
    struct nd_token token;
    nd_token_start(&token, "order:");
    if (before != NULL) {
        nd_token_add_folded(&token, before->name.data,
                            before->name.length > 30 ? 30
                                                     : before->name.length);
    }
    nd_token_add_text(&token, " ");
    nd_token_add_folded(&token, header->name.data, header->name.length);
    nd_collect_token(collector, ND_FAMILY_STRUCTURE, &token);
}

/* "Message-Id", where each word has its first letter alone in capitals: the
 * spelling that says nothing. */
static bool is_plain_spelling(struct nd_text name)
{
    for (size_t i = 0; i < name.length; i++) {
        bool first = i == 0 || name.data[i - 1] == '-';
        bool upper = name.data[i] >= 'A' && name.data[i] <= 'Z';
        if (is_letter(name.data[i]) && upper != first)
            return false;
    }
    return true;
}

/* Headers that all mail has say something by their absence alone. */
static const char *const expected[] = {"from", "to", "date", "subject",
                                       "message-id"};
#define EXPECTED (sizeof expected / sizeof expected[0])

static bool is_expected(const struct nd_header *header)
{
    for (size_t i = 0; i < EXPECTED; i++)
        if (nd_header_is(header, expected[i]))
            return true;
    return false;
}

static void collect_presence(struct nd_collector *collector,
                             const struct nd_header *header)
{
    if (!is_expected(header))
        nd_structure_add(collector, "has:", header->name);
    if (is_plain_spelling(header->name))
        return;
    struct nd_token spelling;
    nd_token_start(&spelling, "spelling:");
    nd_token_add(&spelling, header->name.data, header->name.length);
    nd_collect_token(collector, ND_FAMILY_STRUCTURE, &spelling);
}

static void collect_absences(struct nd_collector *collector,
                             const struct nd_message *message)
{
    for (size_t i = 0; i < EXPECTED; i++)
        if (nd_header_value(message, expected[i]).length == 0)
            nd_structure_add(
                collector,
                "lacks:", (struct nd_text){expected[i], strlen(expected[i])});
}

static void collect_agreement(struct nd_collector *collector, const char *name,
                              struct nd_text first, struct nd_text second)
{
    struct nd_token token;
    nd_token_start(&token, "agree:");
    nd_token_add_text(&token, name);
    if (first.length == 0 || second.length == 0) {
        nd_token_add_text(&token, " absent");
    } else if (nd_domains_agree(first, second)) {
        nd_token_add_text(&token, " yes");
    } else {
        nd_token_add_text(&token, " no");
    }
    nd_collect_token(collector, ND_FAMILY_STRUCTURE, &token);
}

static void collect_agreements(struct nd_collector *collector,
                               const struct nd_message *message)
{
    struct nd_text from = nd_domain_of(nd_header_value(message, "from"));
    struct nd_text to = nd_domain_of(nd_header_value(message, "to"));
    struct nd_text reply = nd_domain_of(nd_header_value(message, "reply-to"));
    struct nd_text id = nd_domain_of(nd_header_value(message, "message-id"));
    collect_agreement(collector, "from reply-to", from, reply);
    collect_agreement(collector, "from message-id", from, id);
    collect_agreement(collector, "from to", from, to);
    collect_agreement(collector, "to message-id", to, id);
}

void nd_collect_header_structure(struct nd_collector *collector,
                                 const struct nd_message *message)
{
    const struct nd_header *before = NULL;
    for (size_t i = 0; i < message->header_count; i++) {
        const struct nd_header *header = &message->headers[i];
        unsigned use = nd_header_use(header);
        if (use & ND_USE_SHAPE) {
            collect_form(collector, header);
        }
        if (use & ND_USE_PRESENCE) {
            collect_presence(collector, header);
            collect_order(collector, before, header);
            before = header;
        }
    }
    collect_absences(collector, message);
    collect_agreements(collector, message);
}
