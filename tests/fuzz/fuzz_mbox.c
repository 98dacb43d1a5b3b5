/* SPDX-License-Identifier: Apache-2.0
 *
 * A mailbox file: its messages, one behind the other, are the file again, and
 * a limit changes what is kept of them but not where they part.
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

/* Answers the number of messages. */
static size_t split(int file, const uint8_t *data, size_t size, size_t limit)
{
    struct nd_mailbox mailbox = {0};
    struct nd_buffer message = {0};
    size_t total = 0;
    size_t count = 0;
    uint64_t full;
    require(lseek(file, 0, SEEK_SET) == 0);
    nd_mailbox_begin(&mailbox, file);
    while (nd_mailbox_next(&mailbox, limit, &message, &full)) {
        require(full > 0 && full <= size - total);
        require(message.length == (full < limit ? full : limit));
        require(memcmp(message.data, data + total, message.length) == 0);
        total += full;
        count++;
    }
    require(!mailbox.failed && total == size);
    nd_mailbox_free(&mailbox);
    nd_buffer_free(&message);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int file = memfd_create("mbox", MFD_CLOEXEC);
    require(file >= 0);
    require(write(file, data, size) == (ssize_t)size);
    size_t count = split(file, data, size, SIZE_MAX);
    require(split(file, data, size, 30) == count);
    close(file);
    return 0;
}
