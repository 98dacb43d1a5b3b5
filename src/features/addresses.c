/* SPDX-License-Identifier: Apache-2.0
 *
 * Domains of addresses in headers, found without parsing the address: what
 * follows the last at sign, down to its last two labels. That is no public
 * suffix list, and needs to be none: the features only ask whether two
 * domains are the same.
 */
#include "features/addresses.h"

#include <string.h>
#include <strings.h>

struct nd_text nd_header_value(const struct nd_message *message,
                               const char *name)
{
    for (size_t i = 0; i < message->header_count; i++)
        if (nd_header_is(&message->headers[i], name))
            return message->headers[i].value;
    return (struct nd_text){"", 0};
}

static bool is_host_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '.' || byte == '-' ||
           ((unsigned char)byte & 0x80) != 0;
}

struct nd_text nd_domain_of(struct nd_text value)
{
    const char *at = memrchr(value.data, '@', value.length);
    if (at == NULL)
        return (struct nd_text){"", 0};
    const char *begin = at + 1;
    const char *end = begin;
    while (end < value.data + value.length && is_host_byte(*end))
        end++;
    int dots = 0;
    for (const char *byte = end; byte > begin; byte--) {
        dots += byte[-1] == '.';
        if (dots == 2)
            begin = byte;
    }
    return (struct nd_text){begin, (size_t)(end - begin)};
}

bool nd_domains_agree(struct nd_text first, struct nd_text second)
{
    return first.length == second.length &&
           strncasecmp(first.data, second.data, first.length) == 0;
}
