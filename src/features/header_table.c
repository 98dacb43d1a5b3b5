/* SPDX-License-Identifier: Apache-2.0
 *
 * Which headers say something that holds elsewhere too. Those that the
 * receiving side, a mailing list or a mailbox program writes mark where a
 * message was collected, not what it is: a network that learns them is right
 * on the mail of its own server and wrong on all other. Dates mark when. The
 * recipient's address is the reader's own.
 */
#include "features/header_table.h"

#include <string.h>
#include <strings.h>

struct row {
    const char *name;
    struct nd_header_use use;
};

#define NOTHING             \
    {                       \
        false, false, false \
    }
#define PRESENCE           \
    {                      \
        true, false, false \
    }
#define PRESENCE_SHAPE    \
    {                     \
        true, false, true \
    }
#define PRESENCE_WORDS    \
    {                     \
        true, true, false \
    }
#define ALL              \
    {                    \
        true, true, true \
    }

/* In the order of strcasecmp. Headers not named here: PRESENCE_WORDS. */
static const struct row table[] = {
    {"apparently-to", NOTHING},
    {"bcc", PRESENCE},
    {"cc", PRESENCE},
    {"content-length", NOTHING},
    {"content-type", ALL},
    {"date", PRESENCE_SHAPE},
    {"delivered-to", NOTHING},
    {"delivery-date", NOTHING},
    {"envelope-to", NOTHING},
    {"errors-to", NOTHING},
    {"from", ALL},
    {"in-reply-to", PRESENCE},
    {"lines", NOTHING},
    {"message-id", PRESENCE_SHAPE},
    {"old-subject", NOTHING},
    {"posted-date", NOTHING},
    {"received", NOTHING},
    {"received-date", NOTHING},
    {"references", PRESENCE},
    {"reply-by", PRESENCE},
    {"reply-to", ALL},
    {"resent-date", NOTHING},
    {"resent-from", NOTHING},
    {"resent-message-id", NOTHING},
    {"resent-sender", NOTHING},
    {"resent-to", NOTHING},
    {"return-path", NOTHING},
    {"sender", NOTHING},
    {"status", NOTHING},
    {"subject", PRESENCE},
    {"to", PRESENCE},
    {"x-apparently-to", NOTHING},
    {"x-authentication-warning", NOTHING},
    {"x-envelope-from", NOTHING},
    {"x-envelope-to", NOTHING},
    {"x-keywords", NOTHING},
    {"x-loop", NOTHING},
    {"x-mime-autoconverted", NOTHING},
    {"x-original-date", NOTHING},
    {"x-original-to", NOTHING},
    {"x-originalarrivaltime", PRESENCE},
    {"x-precedence-ref", NOTHING},
    {"x-status", NOTHING},
    {"x-uid", NOTHING},
    {"x-uidl", NOTHING},
};

static const struct nd_header_use *find(const char *name)
{
    size_t low = 0;
    size_t high = sizeof table / sizeof table[0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcasecmp(name, table[middle].name);
        if (order == 0) {
            return &table[middle].use;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

struct nd_header_use nd_header_use(const struct nd_header *header)
{
    static const struct nd_header_use nothing = NOTHING;
    static const struct nd_header_use unknown = PRESENCE_WORDS;
    if (header->role != ND_HEADER_PLAIN) {
        return nothing;
    }
    const struct nd_header_use *use = find(header->name.data);
    return use != NULL ? *use : unknown;
}
