/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of svmlight text, the common form of sparse vectors in files. It
 * is for benchmarks and for trying the network on data from elsewhere; samples
 * from mail never take this way. A line is parsed in place and strictly: what
 * is not a number, twice the same column, or a column out of range is an error
 * with file and line, since a silent repair would spoil a measurement.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "nn/dataset.h"
#include "nn/network.h"
#include "nn/svmlight.h"

#define MAX_FILE_BYTES ((size_t)4 << 30)

/* Where the parser stands, for its messages, and the row being read. */
struct parser {
    const char *name;
    size_t line;
    const char *position, *end;
    uint32_t count, capacity;
    uint32_t *columns;
    float *values;
    struct nd_error *error;
};

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static bool ends_number(const struct parser *parser, const char *end)
{
    return end == parser->end || is_blank(*end) || *end == ':' || *end == '#';
}

static void skip_blanks(struct parser *parser)
{
    while (parser->position < parser->end && is_blank(*parser->position))
        parser->position++;
}

static bool at_end(const struct parser *parser)
{
    return parser->position == parser->end || *parser->position == '#';
}

static enum nd_status malformed(const struct parser *parser, const char *what)
{
    return nd_fail(parser->error, ND_DATA, "%s:%zu: %s", parser->name,
                   parser->line, what);
}

/* A number that strtod takes, but none of its hexadecimal, "inf" and "nan".
 * The text behind the line ends in a NUL, so strtod cannot run away. */
static bool read_number(struct parser *parser, double *number_r)
{
    const char *start = parser->position;
    size_t span = strspn(start, "+-.0123456789eE");
    if (span == 0 || span > (size_t)(parser->end - start))
        return false;
    char *end;
    double number = strtod(start, &end);
    if (end != start + span || !ends_number(parser, end) || !isfinite(number))
        return false;
    parser->position = end;
    *number_r = number;
    return true;
}

static bool read_column(struct parser *parser, uint32_t *column_r)
{
    uint32_t column = 0;
    const char *start = parser->position;
    while (parser->position < parser->end && *parser->position >= '0' &&
           *parser->position <= '9' && column <= ND_MAX_INPUTS) {
        column = column * 10 + (uint32_t)(*parser->position - '0');
        parser->position++;
    }
    if (parser->position == start || column == 0 || column > ND_MAX_INPUTS)
        return false;
    if (parser->position == parser->end || *parser->position != ':')
        return false;
    parser->position++;
    *column_r = column - 1;
    return true;
}

static void keep_entry(struct parser *parser, uint32_t column, float value)
{
    if (parser->count == parser->capacity) {
        parser->capacity = parser->capacity == 0 ? 256 : parser->capacity * 2;
        parser->columns = nd_realloc(parser->columns, parser->capacity,
                                     sizeof(*parser->columns));
        parser->values = nd_realloc(parser->values, parser->capacity,
                                    sizeof(*parser->values));
    }
    parser->columns[parser->count] = column;
    parser->values[parser->count] = value;
    parser->count++;
}

/* Entries of value 0 say nothing and are not kept. */
static enum nd_status read_entry(struct parser *parser, int64_t *last)
{
    uint32_t column;
    double value;
    if (!read_column(parser, &column))
        return malformed(parser, "expected COLUMN:VALUE, columns from 1 up");
    if ((int64_t)column <= *last)
        return malformed(parser, "columns must ascend, each at most once");
    if (!read_number(parser, &value) || !isfinite((float)value))
        return malformed(parser, "expected a finite number behind the colon");
    *last = column;
    if ((float)value != 0)
        keep_entry(parser, column, (float)value);
    return ND_OK;
}

/* "qid:N" behind a label groups lines for ranking: nothing to a classifier. */
static void skip_query(struct parser *parser)
{
    skip_blanks(parser);
    if (parser->end - parser->position < 4 ||
        memcmp(parser->position, "qid:", 4) != 0)
        return;
    while (!at_end(parser) && !is_blank(*parser->position))
        parser->position++;
}

static enum nd_status read_line(struct parser *parser, struct nd_dataset *set)
{
    double label;
    int64_t last = -1;
    parser->count = 0;
    skip_blanks(parser);
    if (at_end(parser))
        return ND_OK;
    if (!read_number(parser, &label))
        return malformed(parser, "expected a label, a number");
    skip_query(parser);
    for (skip_blanks(parser); !at_end(parser); skip_blanks(parser)) {
        enum nd_status status = read_entry(parser, &last);
        if (status != ND_OK)
            return status;
    }
    struct nd_sparse row = {parser->count, parser->columns, parser->values};
    return nd_dataset_add(set, &row, label > 0, 1, parser->error);
}

enum nd_status nd_svmlight_parse(const char *name, const char *text,
                                 size_t length, struct nd_error *error,
                                 struct nd_dataset **dataset_r)
{
    struct nd_dataset *set = nd_dataset_create();
    struct parser parser = {.name = name, .position = text, .error = error};
    enum nd_status status = ND_OK;
    const char *end = text + length;
    while (status == ND_OK && parser.position < end) {
        const char *start = parser.position;
        const char *newline = memchr(start, '\n', (size_t)(end - start));
        parser.end = newline == NULL ? end : newline;
        parser.line++;
        status = read_line(&parser, set);
        parser.position = newline == NULL ? end : newline + 1;
    }
    free(parser.columns);
    free(parser.values);
    if (status != ND_OK)
        nd_dataset_destroy(&set);
    else
        *dataset_r = set;
    return status;
}

enum nd_status nd_dataset_read_svmlight(const char *path,
                                        struct nd_error *error,
                                        struct nd_dataset **dataset_r)
{
    struct nd_buffer text = {0};
    enum nd_status status = nd_file_read(path, MAX_FILE_BYTES, error, &text);
    if (status == ND_OK)
        status = nd_svmlight_parse(path, (const char *)text.data, text.length,
                                   error, dataset_r);
    nd_buffer_free(&text);
    return status;
}
