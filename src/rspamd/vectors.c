/* SPDX-License-Identifier: Apache-2.0
 *
 * Vectors in memory, and their two forms in text: rspamd's own, numbers joined
 * by ';', and lines of a file with the label in front. Most numbers are a
 * single digit, so those are read without strtod. It is strict, since a vector
 * that is one number short is another vector.
 */
#include "rspamd/vectors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

#define MOST_BYTES ((size_t)1 << 31)

void nd_vectors_free(struct nd_vectors *vectors)
{
    free(vectors->values);
    free(vectors->labels);
    *vectors = (struct nd_vectors){0};
}

static void grow(struct nd_vectors *vectors)
{
    if (vectors->count < vectors->capacity)
        return;
    vectors->capacity = vectors->capacity == 0 ? 256 : vectors->capacity * 2;
    vectors->values =
        nd_realloc(vectors->values, vectors->capacity * vectors->width,
                   sizeof(*vectors->values));
    vectors->labels = nd_realloc(vectors->labels, vectors->capacity,
                                 sizeof(*vectors->labels));
}

enum nd_status nd_vectors_add(struct nd_vectors *vectors, const float *values,
                              uint32_t width, int label, struct nd_error *error)
{
    if (width == 0 || width > ND_VECTORS_MAX_WIDTH ||
        (vectors->count + 1) * width > ND_VECTORS_MAX_VALUES)
        return nd_fail(error, ND_LIMIT,
                       "%zu vectors of %u numbers are too many",
                       vectors->count + 1, width);
    if (vectors->count > 0 && width != vectors->width)
        return nd_fail(error, ND_DATA,
                       "a vector has %u numbers where the others have %u",
                       width, vectors->width);
    for (uint32_t i = 0; i < width; i++)
        if (!isfinite(values[i]))
            return nd_fail(error, ND_DATA,
                           "number %u of a vector is not "
                           "finite",
                           i + 1);
    vectors->width = width;
    grow(vectors);
    memcpy(vectors->values + vectors->count * width, values,
           width * sizeof(*values));
    vectors->labels[vectors->count++] = label > 0;
    return ND_OK;
}

const float *nd_vectors_row(const struct nd_vectors *vectors, size_t row)
{
    return vectors->values + row * vectors->width;
}

size_t nd_vectors_of(const struct nd_vectors *vectors, int label)
{
    size_t count = 0;
    for (size_t i = 0; i < vectors->count; i++)
        count += vectors->labels[i] == (label > 0);
    return count;
}

/* A number that strtod takes, but none of its hexadecimal, "inf" and "nan".
 * Answers where it ends, NULL where there is none. */
static const char *read_number(const char *text, const char *end, float *value)
{
    if (text < end && *text >= '0' && *text <= '9' &&
        (text + 1 == end || text[1] == ' ' || text[1] == ';')) {
        *value = (float)(*text - '0');
        return text + 1;
    }
    size_t span = strspn(text, "+-.0123456789eE");
    char *stop;
    if (span == 0 || span > (size_t)(end - text))
        return NULL;
    *value = strtof(text, &stop);
    return stop == text + span && isfinite(*value) ? stop : NULL;
}

uint32_t nd_vectors_parse_numbers(const char *text, size_t length,
                                  char separator, uint32_t count,
                                  float *values_r)
{
    const char *end = text + length;
    for (uint32_t i = 0; i < count; i++) {
        text = read_number(text, end, &values_r[i]);
        if (text == NULL)
            return 0;
        if (text == end)
            return i + 1;
        if (*text++ != separator)
            return 0;
    }
    return 0;
}

/* Where the parser of a file stands. */
struct lines {
    const char *name;
    size_t line;
    float *numbers; /* the label, then the vector */
    struct nd_error *error;
};

#define SHOWN_BYTES 20

/* The word at text, cut and made printable. */
static void show_word(const char *text, const char *end,
                      char word_r[SHOWN_BYTES + 1])
{
    size_t length = 0;
    for (; length < SHOWN_BYTES && text < end && *text != ' '; text++)
        word_r[length++] = *text > ' ' && *text <= '~' ? *text : '?';
    word_r[length] = '\0';
}

/* Where the numbers of a line end to be such: how many came before, and what
 * is there. */
static const char *find_fault(const char *text, const char *end,
                              size_t *numbers_r)
{
    float value;
    size_t numbers = 0;
    while (text < end && numbers <= ND_VECTORS_MAX_WIDTH) {
        const char *stop = read_number(text, end, &value);
        if (stop == NULL || (stop < end && *stop != ' '))
            break;
        text = stop == end ? end : stop + 1;
        numbers++;
    }
    *numbers_r = numbers;
    return text;
}

/* What keeps a line from being read, in words. */
static enum nd_status explain_line(const char *text, size_t length,
                                   struct nd_error *why)
{
    char word[SHOWN_BYTES + 1];
    size_t numbers;
    const char *packing = nd_file_packing(text, length);
    const char *end = text + length, *fault = find_fault(text, end, &numbers);
    if (packing != NULL)
        return nd_fail(why, ND_DATA, "it is packed by %s; unpack it first",
                       packing);
    if (numbers > ND_VECTORS_MAX_WIDTH)
        return nd_fail(why, ND_DATA, "it has more than %u numbers",
                       ND_VECTORS_MAX_WIDTH);
    if (fault == end)
        return nd_fail(why, ND_DATA, "it has a label, and no number");
    show_word(fault, end, word);
    if (numbers == 0)
        return nd_fail(why, ND_DATA,
                       "it begins with '%s', where a label is expected, one "
                       "blank behind it",
                       word);
    return nd_fail(why, ND_DATA,
                   "its number %zu is '%s', where a finite number is expected, "
                   "one blank before it",
                   numbers, word);
}

static enum nd_status add_line(struct nd_vectors *vectors, struct lines *lines,
                               const char *text, size_t length)
{
    struct nd_error why;
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\r'))
        length--;
    if (length == 0)
        return ND_OK;
    uint32_t count = nd_vectors_parse_numbers(
        text, length, ' ', ND_VECTORS_MAX_WIDTH + 1, lines->numbers);
    float label = lines->numbers[0];
    enum nd_status status = ND_DATA;
    if (count < 2)
        status = explain_line(text, length, &why);
    else if (label != 1 && label != 0 && label != -1)
        (void)nd_fail(&why, ND_DATA,
                      "the label is %g; 1 is spam, 0 or -1 is ham",
                      (double)label);
    else
        status = nd_vectors_add(vectors, lines->numbers + 1, count - 1,
                                label > 0, &why);
    if (status != ND_OK)
        return nd_fail(lines->error, status, "%s:%zu: %s", lines->name,
                       lines->line, why.text);
    return ND_OK;
}

enum nd_status nd_vectors_parse(struct nd_vectors *vectors, const char *name,
                                const char *text, size_t length,
                                struct nd_error *error)
{
    struct lines lines = {.name = name, .line = 1, .error = error};
    const char *end = text + length;
    enum nd_status status = ND_OK;
    lines.numbers = nd_calloc(ND_VECTORS_MAX_WIDTH + 1, sizeof(*lines.numbers));
    while (status == ND_OK && text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t span = (size_t)((stop != NULL ? stop : end) - text);
        status = add_line(vectors, &lines, text, span);
        text += span + 1;
        lines.line++;
    }
    free(lines.numbers);
    return status;
}

enum nd_status nd_vectors_read(struct nd_vectors *vectors, const char *path,
                               struct nd_error *error)
{
    struct nd_buffer text = {0};
    enum nd_status status = nd_file_read(path, MOST_BYTES, error, &text);
    if (status == ND_OK)
        status = nd_vectors_parse(vectors, path, (const char *)text.data,
                                  text.length, error);
    if (status == ND_OK && vectors->count == 0)
        status = nd_fail(error, ND_NOTHING, "%s holds no vector", path);
    nd_buffer_free(&text);
    return status;
}
