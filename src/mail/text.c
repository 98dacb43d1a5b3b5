/* SPDX-License-Identifier: Apache-2.0
 *
 * Folds white space while text is appended, in one pass and without a second
 * copy: the memory is taken once, at the limit or at what the message could
 * need, whichever is less. It knows nothing of MIME or HTML.
 */
#include "mail/text.h"

#include <string.h>

void nd_text_begin(struct nd_text_builder *text, size_t limit,
                   struct nd_arena *arena)
{
    *text = (struct nd_text_builder){.data = nd_arena_take(arena, limit + 1),
                                     .capacity = limit};
}

void nd_text_break(struct nd_text_builder *text)
{
    text->pending = '\n';
}

void nd_text_blank(struct nd_text_builder *text)
{
    if (text->pending == 0)
        text->pending = ' ';
}

/* Control characters are white space here, and so is the no-break space,
 * U+00A0, C2 A0 in UTF-8; only LF is a line end. */
enum { WORD, WHITE, PERHAPS_WHITE };

static const unsigned char classes[256] = {
    [0 ... ' '] = WHITE,
    [127] = WHITE,
    [0xc2] = PERHAPS_WHITE,
};

/* Bytes of the white space at data, 0 where a word goes on. */
static size_t white_space(const char *data, const char *end)
{
    unsigned char class = classes[(unsigned char)*data];
    if (class != PERHAPS_WHITE)
        return class == WHITE;
    return end - data >= 2 && data[1] == '\xa0' ? 2 : 0;
}

/* The end of the word that starts at data. */
static const char *word_end(const char *data, const char *end)
{
    do {
        data++;
        while (data < end && classes[(unsigned char)*data] == WORD)
            data++;
    } while (data < end && white_space(data, end) == 0);
    return data;
}

/* The end of the words from data on that stand one blank apart, as they will
 * in the text, and at most room bytes; blanks_r is how many blanks these are.
 */
static const char *words_end(const char *data, const char *end, size_t room,
                             size_t *blanks_r)
{
    const char *stop = word_end(data, end);
    *blanks_r = 0;
    while (end - stop >= 2 && *stop == ' ' && white_space(stop + 1, end) == 0) {
        const char *next = word_end(stop + 1, end);
        if ((size_t)(next - data) >= room)
            break;
        stop = next;
        (*blanks_r)++;
    }
    return stop;
}

/* A limit may not cut a character in two. */
static size_t whole_characters(const char *data, size_t length)
{
    while (length > 0 && ((unsigned char)data[length] & 0xc0) == 0x80)
        length--;
    return length;
}

static void put(struct nd_text_builder *text, const char *word, size_t length)
{
    size_t room = text->capacity - text->length;
    if (text->pending != 0 && text->length > 0 && room > 0) {
        text->data[text->length++] = text->pending;
        room--;
    }
    text->pending = 0;
    size_t kept = length;
    if (length > room)
        kept = whole_characters(word, room);
    memcpy(text->data + text->length, word, kept);
    text->length += kept;
    if (kept < length) {
        text->dropped += length - kept;
        text->capacity = text->length;
    }
}

size_t nd_text_append(struct nd_text_builder *text, const char *data,
                      size_t length, bool lines)
{
    const char *end = data + length;
    size_t visible = 0;
    while (data < end) {
        size_t white = white_space(data, end);
        if (white == 0) {
            size_t blanks;
            const char *next =
                words_end(data, end, text->capacity - text->length, &blanks);
            put(text, data, (size_t)(next - data));
            visible += (size_t)(next - data) - blanks;
            data = next;
            continue;
        }
        if (*data == '\n' && lines)
            nd_text_break(text);
        else
            nd_text_blank(text);
        data += white;
    }
    return visible;
}

struct nd_text nd_text_end(struct nd_text_builder *text)
{
    text->data[text->length] = '\0';
    return (struct nd_text){text->data, text->length};
}
