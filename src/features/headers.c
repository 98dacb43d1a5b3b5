/* SPDX-License-Identifier: Apache-2.0
 *
 * Words and 4-grams of the headers that the sender wrote, each word marked
 * with its header's name. Which headers count stands in header_table.c; digits
 * all count as 0, so that ids, versions and dates leave only their form. The
 * recipient's domain is cut out wherever it stands: it is the reader's own.
 */
#include <string.h>
#include <strings.h>

#include "features/addresses.h"
#include "features/header_table.h"
#include "features/text.h"

/* Bytes taken of a name and of a value, so that one header cannot fill the
 * family. */
#define LONGEST_NAME 40U
#define LONGEST_VALUE 400U

static const char *find_domain(struct nd_text value, struct nd_text domain)
{
    for (size_t i = 0; i + domain.length <= value.length; i++)
        if (((value.data[i] ^ domain.data[0]) & ~32) == 0 && /* most differ */
            strncasecmp(value.data + i, domain.data, domain.length) == 0)
            return value.data + i;
    return NULL;
}

/* value without domain, in the arena where something was cut. */
static struct nd_text without_domain(struct nd_text value,
                                     struct nd_text domain,
                                     struct nd_arena *arena)
{
    const char *found = domain.length > 0 ? find_domain(value, domain) : NULL;
    if (found == NULL)
        return value;
    char *rest = nd_arena_strndup(arena, value.data, value.length);
    size_t length = value.length;
    while (found != NULL) {
        size_t at = (size_t)(found - value.data);
        memmove(rest + at, rest + at + domain.length,
                length - at - domain.length + 1);
        length -= domain.length;
        value = (struct nd_text){rest, length};
        found = find_domain(value, domain);
    }
    return value;
}

/* The commonest ends of addresses: they tell countries and trades apart, and
 * would be taken for a sign of spam where the ham of a corpus has others. */
static const char *const common_ends[] = {"com", "org", "net", "edu", NULL};

static void collect_value(struct nd_collector *collector,
                          const struct nd_header *header, struct nd_text domain)
{
    struct nd_token prefix;
    size_t length = header->name.length;
    nd_token_start(&prefix, "");
    nd_token_add_folded(&prefix, header->name.data,
                        length < LONGEST_NAME ? length : LONGEST_NAME);
    nd_token_add(&prefix, ":", 2); /* with the NUL behind it */
    struct nd_text_plan plan = {
        .words = ND_FAMILY_HEADERS,
        .pairs = ND_NO_FAMILY,
        .grams = ND_FAMILY_HEADER_GRAMS,
        .word_prefix = prefix.text,
        .gram_prefix = "header gram:",
        .silent = common_ends,
    };
    struct nd_text value = header->value;
    if (value.length > LONGEST_VALUE)
        value.length = LONGEST_VALUE;
    value = without_domain(value, domain, collector->arena);
    nd_collect_text(collector, &plan, value);
}

void nd_collect_headers(struct nd_collector *collector,
                        const struct nd_message *message)
{
    struct nd_text own = nd_domain_of(nd_header_value(message, "to"));
    for (size_t i = 0; i < message->header_count; i++)
        if (nd_header_use(&message->headers[i]) & ND_USE_WORDS)
            collect_value(collector, &message->headers[i], own);
}
