/* SPDX-License-Identifier: Apache-2.0
 *
 * Words and 4-grams of the headers that the sender wrote, each marked with
 * its header's name. Which headers count stands in header_table.c; digits all
 * count as 0, so that ids, versions and dates leave only their form.
 */
#include <string.h>

#include "features/header_table.h"
#include "features/text.h"

/* Bytes taken of one value, so that one header cannot fill the family. */
#define LONGEST_VALUE 400U

static void collect_value(struct nd_collector *collector,
                          const struct nd_header *header)
{
    struct nd_token prefix;
    nd_token_start(&prefix, "");
    nd_token_add_folded(&prefix, header->name.data,
                        header->name.length > 40 ? 40 : header->name.length);
    nd_token_add(&prefix, ":", 2);
    struct nd_text_plan plan = {ND_FAMILY_HEADERS,
                                ND_NO_FAMILY,
                                ND_FAMILY_HEADER_GRAMS,
                                prefix.text,
                                "",
                                "header gram:",
                                NULL};
    struct nd_text value = header->value;
    if (value.length > LONGEST_VALUE) {
        value.length = LONGEST_VALUE;
    }
    nd_collect_text(collector, &plan, value);
}

void nd_collect_headers(struct nd_collector *collector,
                        const struct nd_message *message)
{
    for (size_t i = 0; i < message->header_count; i++) {
        if (nd_header_use(&message->headers[i]).words) {
            collect_value(collector, &message->headers[i]);
        }
    }
}
