/* SPDX-License-Identifier: Apache-2.0
 *
 * A small machine over lines: the start of each header line is held back until
 * it is clear whether the line is one of ours. It decides by bytes alone and
 * understands no mail beyond header lines, continuations and the empty line.
 */
#include "cli/header_filter.h"

#include <string.h>
#include <strings.h>

enum fate { UNKNOWN, PASS, DROP, CONTINUE, BODY };

/* What becomes of a header line that starts like this. */
static enum fate fate_of(const char *start, size_t length)
{
    static const char name[] = ND_OUR_HEADER;
    size_t size = strlen(name);
    if (start[0] == ' ' || start[0] == '\t') {
        return CONTINUE;
    }
    if (start[0] == '\n' ||
        (length >= 2 && start[0] == '\r' && start[1] == '\n')) {
        return BODY;
    }
    if (length == 1 && start[0] == '\r') {
        return UNKNOWN;
    }
    if (strncasecmp(start, name, length < size ? length : size) != 0) {
        return PASS;
    }
    /* Blanks before the colon are old-fashioned, and no way around us. */
    for (size_t i = size; i < length; i++) {
        if (start[i] == ':') {
            return DROP;
        }
        if (start[i] != ' ' && start[i] != '\t') {
            return PASS;
        }
    }
    return UNKNOWN;
}

/* Lets what was held back pass, or not. */
static void settle(struct nd_header_filter *filter, enum fate fate,
                   struct nd_buffer *out)
{
    if (fate != CONTINUE) {
        filter->dropping = fate == DROP;
    }
    filter->in_body = fate == BODY;
    filter->within_line = true;
    if (!filter->dropping) {
        nd_buffer_append(out, filter->start, filter->start_length);
    }
    if (filter->start[filter->start_length - 1] == '\n') {
        filter->within_line = false;
    }
    filter->start_length = 0;
}

/* Takes bytes of a line whose fate is known, up to its end; answers how many.
 */
static size_t pass_line(struct nd_header_filter *filter, const char *data,
                        size_t length, struct nd_buffer *out)
{
    const char *end = memchr(data, '\n', length);
    size_t taken = end != NULL ? (size_t)(end - data) + 1 : length;
    if (!filter->dropping) {
        nd_buffer_append(out, data, taken);
    }
    filter->within_line = end == NULL;
    return taken;
}

static void hold_byte(struct nd_header_filter *filter, char byte,
                      struct nd_buffer *out)
{
    filter->start[filter->start_length++] = byte;
    enum fate fate = fate_of(filter->start, filter->start_length);
    if (fate == UNKNOWN && (filter->start_length == sizeof(filter->start))) {
        fate = PASS;
    }
    if (fate != UNKNOWN) {
        settle(filter, fate, out);
    }
}

void nd_header_filter_feed(struct nd_header_filter *filter, const void *data,
                           size_t length, struct nd_buffer *out)
{
    const char *bytes = data;
    size_t position = 0;
    while (position < length && !filter->in_body) {
        if (filter->within_line) {
            position +=
                pass_line(filter, bytes + position, length - position, out);
        } else {
            hold_byte(filter, bytes[position++], out);
        }
    }
    nd_buffer_append(out, bytes + position, length - position);
}

void nd_header_filter_end(struct nd_header_filter *filter,
                          struct nd_buffer *out)
{
    nd_buffer_append(out, filter->start, filter->start_length);
    filter->start_length = 0;
}

size_t nd_header_place(const void *data, size_t length)
{
    const char *bytes = data;
    if (length < 5 || memcmp(bytes, "From ", 5) != 0) {
        return 0;
    }
    const char *end = memchr(bytes, '\n', length);
    return end != NULL ? (size_t)(end - bytes) + 1 : 0;
}

const char *nd_header_line_end(const void *data, size_t length)
{
    const char *bytes = data;
    const char *end = length > 0 ? memchr(bytes, '\n', length) : NULL;
    return end != NULL && end > bytes && end[-1] == '\r' ? "\r\n" : "\n";
}
