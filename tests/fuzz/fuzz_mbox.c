/* SPDX-License-Identifier: Apache-2.0
 *
 * A mailbox file: its messages, one behind the other, are the file again but
 * for the '>' of quoted "From " lines, and a limit changes what is kept of them
 * but not where they part.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mail/mailbox.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* Appends to text up to limit bytes of each message, and to bounds where each
 * ends in the whole; answers whether the file holds messages at all. */
static bool split(int file, size_t limit, struct nd_buffer *text,
                  struct nd_buffer *bounds)
{
    struct nd_mailbox mailbox = {0};
    struct nd_buffer message = {0};
    uint64_t total = 0;
    uint64_t full;
    require(lseek(file, 0, SEEK_SET) == 0);
    nd_mailbox_begin(&mailbox, file);
    bool is_compressed = mailbox.is_compressed;
    while (nd_mailbox_next(&mailbox, limit, &message, &full)) {
        require(full > 0 && message.length == (full < limit ? full : limit));
        nd_buffer_append(text, message.data, message.length);
        total += full;
        nd_buffer_append(bounds, &total, sizeof(total));
    }
    require(!mailbox.failed);
    nd_mailbox_free(&mailbox);
    nd_buffer_free(&message);
    return !is_compressed;
}

/* Whether text is data but for bytes '>' in front of '>' or "From ". */
static bool same_but_for_quotes(const struct nd_buffer *text,
                                const uint8_t *data, size_t size)
{
    size_t i = 0;
    for (size_t at = 0; at < size; at++) {
        if (i < text->length && text->data[i] == data[at]) {
            i++;
            continue;
        }
        bool quotes = data[at] == '>' && at + 1 < size && i < text->length &&
                      data[at + 1] == text->data[i];
        if (!quotes)
            return false;
    }
    return i == text->length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nd_buffer whole = {0};
    struct nd_buffer cut = {0};
    struct nd_buffer bounds = {0};
    struct nd_buffer again = {0};
    int file = memfd_create("mbox", MFD_CLOEXEC);
    require(file >= 0);
    require(write(file, data, size) == (ssize_t)size);
    if (split(file, SIZE_MAX, &whole, &bounds)) {
        require(same_but_for_quotes(&whole, data, size));
        require(split(file, 30, &cut, &again));
        require(again.length == bounds.length);
        require(bounds.length == 0 ||
                memcmp(again.data, bounds.data, bounds.length) == 0);
    }
    close(file);
    nd_buffer_free(&whole);
    nd_buffer_free(&cut);
    nd_buffer_free(&bounds);
    nd_buffer_free(&again);
    return 0;
}
