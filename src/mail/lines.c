/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads lines through zstd or not, in pieces: memory is two pieces and the
 * longest line. It does not look into the lines.
 */
#include "mail/lines.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "base/buffer.h"
#include "base/memory.h"

#define PIECE_BYTES 65536

struct nd_lines {
    FILE *file;
    char *path;
    ZSTD_DStream *decoder; /* NULL where the file is plain */
    bool frame_open;       /* compressed data may not end here */
    uint8_t input[PIECE_BYTES];
    ZSTD_inBuffer pending; /* bytes of input that are left */
    struct nd_buffer text; /* plain bytes, from start on not yet given */
    size_t start;
    bool at_end;
    size_t number;
};

static bool is_compressed(FILE *file)
{
    static const uint8_t magic[4] = {0x28, 0xb5, 0x2f, 0xfd};
    uint8_t first[4];
    bool answer = fread(first, 1, sizeof first, file) == sizeof first &&
                  memcmp(first, magic, sizeof magic) == 0;
    rewind(file);
    return answer;
}

enum nd_status nd_lines_open(const char *path, struct nd_error *error,
                             struct nd_lines **lines_r)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return nd_fail_errno(error, "cannot open %s", path);
    struct nd_lines *lines = nd_calloc(1, sizeof *lines);
    lines->file = file;
    lines->path = nd_strdup(path);
    lines->pending.src = lines->input;
    if (is_compressed(file))
        lines->decoder = ZSTD_createDStream();
    *lines_r = lines;
    return ND_OK;
}

void nd_lines_close(struct nd_lines **lines)
{
    if (lines == NULL || *lines == NULL)
        return;
    fclose((*lines)->file);
    ZSTD_freeDStream((*lines)->decoder);
    nd_buffer_free(&(*lines)->text);
    free((*lines)->path);
    free(*lines);
    *lines = NULL;
}

size_t nd_lines_number(const struct nd_lines *lines)
{
    return lines->number;
}

/* Makes pending hold something, unless the file has ended. */
static enum nd_status read_input(struct nd_lines *lines, struct nd_error *error)
{
    if (lines->pending.pos < lines->pending.size)
        return ND_OK;
    lines->pending.pos = 0;
    lines->pending.size = fread(lines->input, 1, PIECE_BYTES, lines->file);
    if (ferror(lines->file))
        return nd_fail_errno(error, "cannot read %s", lines->path);
    return ND_OK;
}

static enum nd_status decode(struct nd_lines *lines, struct nd_error *error)
{
    ZSTD_outBuffer out = {nd_buffer_reserve(&lines->text, PIECE_BYTES),
                          PIECE_BYTES, 0};
    size_t left = ZSTD_decompressStream(lines->decoder, &out, &lines->pending);
    if (ZSTD_isError(left))
        return nd_fail(error, ND_DATA, "%s is damaged: %s", lines->path,
                       ZSTD_getErrorName(left));
    lines->text.length += out.pos;
    lines->frame_open = left != 0;
    return ND_OK;
}

/* Adds plain bytes to text, or notes the end. */
static enum nd_status read_text(struct nd_lines *lines, struct nd_error *error)
{
    enum nd_status status = read_input(lines, error);
    if (status != ND_OK)
        return status;
    if (lines->pending.size == 0) {
        lines->at_end = true;
        return lines->frame_open
                   ? nd_fail(error, ND_DATA, "%s ends too early", lines->path)
                   : ND_OK;
    }
    if (lines->decoder != NULL)
        return decode(lines, error);
    nd_buffer_append(&lines->text, lines->input, lines->pending.size);
    lines->pending.pos = lines->pending.size;
    return ND_OK;
}

/* Drops what was given, so that text does not grow with the file. */
static void forget_given(struct nd_lines *lines)
{
    size_t left = lines->text.length - lines->start;
    if (lines->start > 0)
        memmove(lines->text.data, lines->text.data + lines->start, left);
    lines->text.length = left;
    lines->start = 0;
}

static void give(struct nd_lines *lines, size_t length, const char **text_r,
                 size_t *length_r)
{
    const char *line = (const char *)lines->text.data + lines->start;
    lines->number++;
    *text_r = line;
    *length_r = length > 0 && line[length - 1] == '\r' ? length - 1 : length;
}

/* Gives the line that ends in text behind searched more bytes; false where
 * none does. */
static bool give_whole(struct nd_lines *lines, size_t searched,
                       const char **text_r, size_t *length_r)
{
    size_t left = lines->text.length - lines->start;
    if (left <= searched)
        return false;
    uint8_t *line = lines->text.data + lines->start;
    uint8_t *newline = memchr(line + searched, '\n', left - searched);
    if (newline == NULL)
        return false;
    give(lines, (size_t)(newline - line), text_r, length_r);
    lines->start += (size_t)(newline - line) + 1;
    return true;
}

enum nd_status nd_lines_next(struct nd_lines *lines, struct nd_error *error,
                             const char **text_r, size_t *length_r)
{
    size_t searched = 0;
    while (!give_whole(lines, searched, text_r, length_r)) {
        forget_given(lines);
        searched = lines->text.length;
        if (searched > ND_MAX_LINE_BYTES)
            return nd_fail(error, ND_LIMIT,
                           "%s, line %zu: more than %u bytes long", lines->path,
                           lines->number + 1, ND_MAX_LINE_BYTES);
        if (lines->at_end && searched == 0)
            return ND_NOTHING;
        if (lines->at_end) {
            give(lines, searched, text_r, length_r);
            lines->start = lines->text.length;
            return ND_OK;
        }
        enum nd_status status = read_text(lines, error);
        if (status != ND_OK)
            return status;
    }
    return ND_OK;
}
