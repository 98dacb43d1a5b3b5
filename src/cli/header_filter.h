/* SPDX-License-Identifier: Apache-2.0
 *
 * A message on its way through: our header put on top, and those of the same
 * name that came from outside taken away. All other bytes pass unchanged.
 */
#ifndef ND_CLI_HEADER_FILTER_H
#define ND_CLI_HEADER_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

#define ND_OUR_HEADER "X-Neurald"

/* Zero-initialise. Holds no memory of its own, so it takes messages of any
 * size in pieces of any size. */
struct nd_header_filter {
    bool in_body;     /* past the empty line: all passes */
    bool dropping;    /* within a header of ours */
    bool within_line; /* its fate is known */
    char start[32];   /* of a line whose fate is not known yet */
    size_t start_length;
};

/* Appends to out what of data is to pass. */
void nd_header_filter_feed(struct nd_header_filter *filter, const void *data,
                           size_t length, struct nd_buffer *out);
/* At the end of the message: what was held back passes. */
void nd_header_filter_end(struct nd_header_filter *filter,
                          struct nd_buffer *out);

/* Where a header is to be put in a message that starts with these bytes: 0, or
 * behind an mbox "From " line. */
size_t nd_header_place(const void *data, size_t length);

/* "\r\n" where the first line of these bytes ends so, else "\n". */
const char *nd_header_line_end(const void *data, size_t length);

#endif
