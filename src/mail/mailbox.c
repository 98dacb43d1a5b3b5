/* SPDX-License-Identifier: Apache-2.0
 *
 * Splits an mbox while it is read, a block at a time: memory is one block and
 * one message up to its limit, whatever the file's size and its lines' lengths.
 * A message begins with a "From " line behind an empty line, or at the start of
 * the file; the line has to look like one that a mailbox program writes, since
 * not all of them quote such lines in bodies. A '>' that quotes one is taken
 * off, so that a message is the same in an mbox as it was at the door. A file
 * that does not start with such a line is a single message.
 */
#include "mail/mailbox.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

#define BLOCK_BYTES 65536
#define FROM_BYTES 512 /* of a line that are looked at */

void nd_mailbox_free(struct nd_mailbox *mailbox)
{
    free(mailbox->block);
    *mailbox = (struct nd_mailbox){0};
}

/* Reads until the block holds wanted bytes or the file ends. */
static void fill(struct nd_mailbox *mailbox, size_t wanted)
{
    size_t left = mailbox->length - mailbox->position;
    if (left >= wanted || mailbox->at_end)
        return;
    memmove(mailbox->block, mailbox->block + mailbox->position, left);
    mailbox->position = 0;
    mailbox->length = left;
    while (mailbox->length < wanted && !mailbox->at_end) {
        ssize_t got = read(mailbox->file, mailbox->block + mailbox->length,
                           BLOCK_BYTES - mailbox->length);
        if (got > 0) {
            mailbox->length += (size_t)got;
            mailbox->read_bytes += (uint64_t)got;
        } else if (got == 0 || errno != EINTR) {
            mailbox->at_end = true;
            mailbox->failed = got < 0;
            mailbox->error_number = got < 0 ? errno : 0;
        }
    }
}

void nd_mailbox_begin(struct nd_mailbox *mailbox, int file)
{
    uint8_t *block = mailbox->block;
    if (block == NULL)
        block = nd_calloc(BLOCK_BYTES, 1);
    *mailbox = (struct nd_mailbox){.file = file, .block = block};
    fill(mailbox, FROM_BYTES);
    mailbox->is_mbox = mailbox->length >= 5 && memcmp(block, "From ", 5) == 0;
    mailbox->is_compressed = nd_file_packing(block, mailbox->length) != NULL;
}

bool nd_mailbox_more(struct nd_mailbox *mailbox)
{
    fill(mailbox, 1);
    return mailbox->position < mailbox->length;
}

/* The byte behind " Mon " or another day of the week; NULL where none is. */
static const char *behind_weekday(const char *text, const char *end)
{
    static const char days[] = "MonTueWedThuFriSatSun";
    for (; end - text >= 5; text++)
        for (const char *day = days; *text == ' ' && *day != '\0'; day += 3)
            if (memcmp(text + 1, day, 3) == 0 &&
                (text[4] == ' ' || text[4] == ','))
                return text + 4;
    return NULL;
}

/* "10:15" somewhere in the text, and four digits in a row behind it. */
static bool has_time_and_year(const char *text, const char *end)
{
    unsigned digits = 0;
    bool time = false;
    for (; text < end; text++) {
        if (*text == ':' && digits > 0 && digits <= 2)
            time = true;
        digits = isdigit((unsigned char)*text) ? digits + 1 : 0;
        if (time && digits == 4)
            return true;
    }
    return false;
}

bool nd_mailbox_is_from(const char *line, size_t length)
{
    if (length < 5 || memcmp(line, "From ", 5) != 0)
        return false;
    const char *end = line + length;
    const char *newline = memchr(line, '\n', length);
    if (newline != NULL)
        end = newline;
    const char *at = line + 5;
    while (at < end && *at == ' ')
        at++;
    const char *blank = memchr(at, ' ', (size_t)(end - at));
    const char *date = blank == NULL ? NULL : behind_weekday(blank, end);
    return date != NULL && has_time_and_year(date, end);
}

static bool next_is_from(struct nd_mailbox *mailbox)
{
    fill(mailbox, FROM_BYTES);
    size_t left = mailbox->length - mailbox->position;
    return nd_mailbox_is_from((const char *)mailbox->block + mailbox->position,
                              left < FROM_BYTES ? left : FROM_BYTES);
}

/* Moves count bytes from the block to the message, as far as it may grow. */
static void move(struct nd_mailbox *mailbox, size_t count, size_t limit,
                 struct nd_buffer *message)
{
    size_t room = limit > message->length ? limit - message->length : 0;
    nd_buffer_append(message, mailbox->block + mailbox->position,
                     count < room ? count : room);
    mailbox->position += count;
}

/* Moves what is left of a line, as far as the block has it; true at its end. */
static bool move_line(struct nd_mailbox *mailbox, size_t limit,
                      struct nd_buffer *message, size_t *moved_r)
{
    const uint8_t *start = mailbox->block + mailbox->position;
    size_t left = mailbox->length - mailbox->position;
    const uint8_t *newline = memchr(start, '\n', left);
    size_t count = newline == NULL ? left : (size_t)(newline - start) + 1;
    *moved_r = count;
    move(mailbox, count, limit, message);
    return newline != NULL;
}

static bool is_empty_line(const struct nd_mailbox *mailbox)
{
    const uint8_t *line = mailbox->block + mailbox->position;
    size_t left = mailbox->length - mailbox->position;
    return (left >= 1 && line[0] == '\n') ||
           (left >= 2 && line[0] == '\r' && line[1] == '\n');
}

/* "From " behind one '>' or several, which an mbox's writer put there. */
static bool next_is_quoted(struct nd_mailbox *mailbox)
{
    if (mailbox->block[mailbox->position] != '>')
        return false;
    fill(mailbox, FROM_BYTES);
    const uint8_t *line = mailbox->block + mailbox->position;
    size_t left = mailbox->length - mailbox->position;
    size_t quotes = 1;
    while (quotes < left && quotes < FROM_BYTES && line[quotes] == '>')
        quotes++;
    return left - quotes >= 5 && memcmp(line + quotes, "From ", 5) == 0;
}

/* Lines up to the next message. */
static uint64_t read_lines(struct nd_mailbox *mailbox, size_t limit,
                           struct nd_buffer *message)
{
    uint64_t total = 0;
    bool line_start = true;
    bool after_empty = false;
    bool in_body = false;
    while (nd_mailbox_more(mailbox)) {
        if (line_start && after_empty && next_is_from(mailbox))
            break;
        if (line_start) {
            fill(mailbox, 2);
            after_empty = is_empty_line(mailbox);
            in_body = in_body || after_empty;
            mailbox->position += in_body && next_is_quoted(mailbox) ? 1 : 0;
        }
        size_t moved;
        line_start = move_line(mailbox, limit, message, &moved);
        total += moved;
    }
    return total;
}

static uint64_t read_all(struct nd_mailbox *mailbox, size_t limit,
                         struct nd_buffer *message)
{
    uint64_t total = 0;
    while (nd_mailbox_more(mailbox)) {
        size_t count = mailbox->length - mailbox->position;
        move(mailbox, count, limit, message);
        total += count;
    }
    return total;
}

bool nd_mailbox_next(struct nd_mailbox *mailbox, size_t limit,
                     struct nd_buffer *message, uint64_t *full_length_r)
{
    nd_buffer_clear(message);
    if (mailbox->is_compressed || !nd_mailbox_more(mailbox))
        return false;
    *full_length_r = mailbox->is_mbox ? read_lines(mailbox, limit, message)
                                      : read_all(mailbox, limit, message);
    return !mailbox->failed;
}
