/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of one open file or stream, an mbox or a single message.
 */
#ifndef ND_MAIL_MAILBOX_H
#define ND_MAIL_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

/* Zero-initialise; one can be used for many files in turn. */
struct nd_mailbox {
    int file;
    uint8_t *block; /* bytes read and not yet used: from position to length */
    size_t position;
    size_t length;
    bool at_end;        /* the file has no more */
    bool failed;        /* reading it went wrong; errno is in error_number */
    bool is_mbox;       /* it starts with "From " */
    bool is_compressed; /* by gzip, bzip2, xz, zstd or zip: no message in it */
    int error_number;
    uint64_t read_bytes;
};

/* Begins with file, which the caller closes. */
void nd_mailbox_begin(struct nd_mailbox *mailbox, int file);
void nd_mailbox_free(struct nd_mailbox *mailbox);

/* The next message into message, at most limit bytes of it; full_length_r gets
 * what it really has. Of an mbox without the '>' that quotes "From " at the
 * start of a line of the body. False after the last, and where reading failed.
 * Passes over what is beyond the limit without keeping it. */
bool nd_mailbox_next(struct nd_mailbox *mailbox, size_t limit,
                     struct nd_buffer *message, uint64_t *full_length_r);

/* Whether another message follows. */
bool nd_mailbox_more(struct nd_mailbox *mailbox);

/* Whether a line is the first of a message in an mbox: "From ", an address, and
 * a date with a day of the week, a time and a year. */
bool nd_mailbox_is_from(const char *line, size_t length);

#endif
