/* SPDX-License-Identifier: Apache-2.0
 *
 * Which headers say something that holds elsewhere too. Those that the
 * receiving side, a mailing list or a mailbox program writes mark where a
 * message was collected, not what it is: a network that learns them is right
 * on the mail of its own server and wrong on all other. src/mail knows most of
 * them by their role. Dates mark when, ids are not repeated, and the
 * recipient's address is the reader's own.
 */
#include "features/header_table.h"

#include <stddef.h>
#include <strings.h>

#define PRESENCE ND_USE_PRESENCE
#define WORDS ND_USE_WORDS
#define SHAPE ND_USE_SHAPE

/* In the order of strcasecmp. Headers not named here: presence and words. */
static const struct {
    const char *name;
    unsigned use;
} table[] = {
    {"bcc", PRESENCE},
    {"cc", PRESENCE},
    {"content-type", PRESENCE | SHAPE},
    {"date", PRESENCE | SHAPE},
    {"from", PRESENCE | WORDS | SHAPE},
    {"in-reply-to", PRESENCE},
    {"message-id", PRESENCE | SHAPE},
    {"mime-version", PRESENCE},
    {"old-subject", ND_USE_NOTHING},
    {"posted-date", ND_USE_NOTHING},
    {"received-date", ND_USE_NOTHING},
    {"references", PRESENCE},
    {"reply-by", PRESENCE},
    {"reply-to", PRESENCE | WORDS | SHAPE},
    {"resent-date", ND_USE_NOTHING},
    {"resent-from", ND_USE_NOTHING},
    {"resent-message-id", ND_USE_NOTHING},
    {"resent-sender", ND_USE_NOTHING},
    {"resent-to", ND_USE_NOTHING},
    {"subject", PRESENCE},
    {"to", PRESENCE},
    {"x-mail-from", ND_USE_NOTHING},
    {"x-precedence-ref", ND_USE_NOTHING},
    {"x-rcpt-to", ND_USE_NOTHING},
};

unsigned nd_header_use(const struct nd_header *header)
{
    size_t low = 0;
    size_t high = sizeof table / sizeof table[0];
    if (header->role != ND_HEADER_PLAIN)
        return ND_USE_NOTHING;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcasecmp(header->name.data, table[middle].name);
        if (order == 0)
            return table[middle].use;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return PRESENCE | WORDS;
}
