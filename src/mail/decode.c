/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoding, with GMime's decoders for transfer encodings and encoded words
 * and iconv for charsets. The main idea is to do nothing where nothing is to be
 * done: most mail is ASCII or UTF-8 already, and is handed on without a copy.
 * Broken input never fails, it is repaired and counted.
 */
#include "mail/decode.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

#include <gmime/gmime.h>

#include "base/utf8.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)
#define REPLACEMENT "\xef\xbf\xbd"
#define PIECE 1024 /* bytes given to iconv at once */

static void init_gmime(void)
{
    g_mime_init();
}

void nd_mail_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_gmime);
}

/* Length of the run of ASCII at the start of data. */
static size_t ascii_run(const char *data, size_t length)
{
    size_t at = 0;
    for (; at + sizeof(uint64_t) <= length; at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, data + at, sizeof word);
        if ((word & HIGH_BITS) != 0)
            break;
    }
    while (at < length && (unsigned char)data[at] < 128)
        at++;
    return at;
}

bool nd_is_ascii(const char *data, size_t length)
{
    return ascii_run(data, length) == length;
}

/* Length of the run of valid UTF-8 at the start of data. */
static size_t utf8_run(const char *data, size_t length)
{
    size_t at = 0;
    for (;;) {
        at += ascii_run(data + at, length - at);
        uint32_t code_point;
        size_t bytes = nd_utf8_decode(data + at, length - at, &code_point);
        if (bytes == 0)
            return at;
        at += bytes;
    }
}

bool nd_is_utf8(const char *data, size_t length)
{
    return utf8_run(data, length) == length;
}

uint32_t nd_append_utf8(struct nd_buffer *buffer, const char *data,
                        size_t length)
{
    uint32_t broken = 0;
    nd_buffer_reserve(buffer, length);
    while (length > 0) {
        size_t run = utf8_run(data, length);
        nd_buffer_append(buffer, data, run);
        data += run;
        length -= run;
        if (length > 0) {
            nd_buffer_append_text(buffer, REPLACEMENT);
            broken++;
            data++;
            length--;
        }
    }
    return broken;
}

static struct nd_span contents(const struct nd_buffer *buffer)
{
    return buffer->length == 0
               ? (struct nd_span){"", 0}
               : (struct nd_span){(const char *)buffer->data, buffer->length};
}

static GMimeContentEncoding find_encoding(const char *encoding)
{
    if (strcmp(encoding, "base64") == 0)
        return GMIME_CONTENT_ENCODING_BASE64;
    if (strcmp(encoding, "quoted-printable") == 0)
        return GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
    if (strcmp(encoding, "x-uuencode") == 0 ||
        strcmp(encoding, "uuencode") == 0 || strcmp(encoding, "x-uue") == 0)
        return GMIME_CONTENT_ENCODING_UUENCODE;
    return GMIME_CONTENT_ENCODING_DEFAULT;
}

/* Base64 has 65 characters; a body with others is broken or no base64. */
static bool is_base64(const char *data, size_t length)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz"
                                   "0123456789+/= \t\r\n";
    bool allowed[256] = {false};
    for (const char *at = alphabet; *at != '\0'; at++)
        allowed[(unsigned char)*at] = true;
    for (size_t i = 0; i < length; i++)
        if (!allowed[(unsigned char)data[i]])
            return false;
    return true;
}

/* Appends what one run of GMime's decoder makes of data. */
static void append_decoded(struct nd_buffer *buffer, GMimeContentEncoding kind,
                           struct nd_span data)
{
    GMimeEncoding state;
    g_mime_encoding_init_decode(&state, kind);
    char *out = (char *)nd_buffer_reserve(
        buffer, g_mime_encoding_outlen(&state, data.length) + 8);
    size_t length = g_mime_encoding_step(&state, data.data, data.length, out);
    if (kind == GMIME_CONTENT_ENCODING_BASE64) /* padding may be left out */
        length += g_mime_encoding_step(&state, "==", 2, out + length);
    buffer->length += length;
}

/* GMime ends at the first padding. Some senders join blocks of base64, and
 * mailing lists add their footer to it as it is: such text is kept. */
static void append_base64(struct nd_buffer *buffer, struct nd_span data)
{
    const char *at = data.data;
    const char *end = data.data + data.length;
    bool rest_is_base64 = is_base64(at, data.length);
    while (at < end) {
        const char *stop = memchr(at, '=', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        append_decoded(buffer, GMIME_CONTENT_ENCODING_BASE64,
                       (struct nd_span){at, (size_t)(stop - at)});
        for (at = stop; at < end && *at == '=';)
            at++;
        if (!rest_is_base64 && at > stop)
            rest_is_base64 = is_base64(at, (size_t)(end - at));
        if (!rest_is_base64 && at > stop) {
            nd_buffer_append(buffer, at, (size_t)(end - at));
            return;
        }
    }
}

/* GMime wants to begin behind the line "begin 644 NAME". */
static struct nd_span without_begin(struct nd_span data)
{
    if (data.length < 5 || memcmp(data.data, "begin", 5) != 0)
        return data;
    const char *newline = memchr(data.data, '\n', data.length);
    size_t skipped =
        newline == NULL ? data.length : (size_t)(newline + 1 - data.data);
    return (struct nd_span){data.data + skipped, data.length - skipped};
}

struct nd_span nd_decode_transfer(struct nd_span data, const char *encoding,
                                  struct nd_buffer *buffer, uint32_t *defects)
{
    GMimeContentEncoding kind = find_encoding(encoding);
    if (kind == GMIME_CONTENT_ENCODING_DEFAULT)
        return data;
    nd_buffer_clear(buffer);
    if (kind == GMIME_CONTENT_ENCODING_BASE64) {
        if (!is_base64(data.data, data.length))
            (*defects)++;
        append_base64(buffer, data);
    } else if (kind == GMIME_CONTENT_ENCODING_UUENCODE) {
        append_decoded(buffer, kind, without_begin(data));
    } else {
        append_decoded(buffer, kind, data);
    }
    return contents(buffer);
}

/* Charsets whose bytes are all below 128 and still are not ASCII. */
static bool is_shifted(const char *charset)
{
    return strncmp(charset, "iso-2022", 8) == 0 ||
           strncmp(charset, "utf-7", 5) == 0 ||
           strncmp(charset, "hz", 2) == 0 ||
           strncmp(charset, "utf-16", 6) == 0 ||
           strncmp(charset, "utf-32", 6) == 0;
}

static bool is_one_of(const char *charset, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(charset, *names) == 0)
            return true;
    return false;
}

static bool is_western(const char *charset)
{
    static const char *const names[] = {
        "iso-8859-1", "windows-1252", "cp1252",     "latin1",
        "x-latin1",   "iso8859-1",    "iso_8859-1", NULL,
    };
    return is_one_of(charset, names);
}

/* Charsets that say nothing about bytes above 127. */
static bool is_unstated(const char *charset)
{
    static const char *const names[] = {
        "",        "us-ascii",  "ascii",  "7bit",    "8bit", "unknown-8bit",
        "unknown", "x-unknown", "binary", "default", NULL,
    };
    return is_one_of(charset, names);
}

uint32_t nd_western_code_point(uint8_t byte)
{
    static const uint16_t upper[32] = {
        0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
        0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd,
        0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
        0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e, 0x0178,
    };
    return byte >= 128 && byte < 160 ? upper[byte - 128] : byte;
}

/* Windows-1252 stands for ISO-8859-1 too, as in every mail reader. */
static void append_western(struct nd_buffer *buffer, struct nd_span data)
{
    const char *at = data.data;
    const char *end = data.data + data.length;
    while (at < end) {
        size_t run = ascii_run(at, (size_t)(end - at));
        nd_buffer_append(buffer, at, run);
        at += run;
        if (at == end)
            break;
        char *out = (char *)nd_buffer_reserve(buffer, 4);
        buffer->length +=
            nd_utf8_encode(nd_western_code_point((uint8_t)*at++), out);
    }
}

/* Converts with iconv, in pieces; a byte that it refuses becomes U+FFFD. A
 * character that a piece cuts in two begins the next piece. */
static void append_iconv(struct nd_buffer *buffer, iconv_t converter,
                         struct nd_span data, uint32_t *defects)
{
    char *in = (char *)data.data; /* iconv does not write there */
    const char *end = data.data + data.length;
    while (in < end) {
        const char *start = in;
        size_t left = (size_t)(end - in) < PIECE ? (size_t)(end - in) : PIECE;
        char *out = (char *)nd_buffer_reserve(buffer, 4 * PIECE);
        size_t room = 4 * PIECE;
        size_t result = iconv(converter, &in, &left, &out, &room);
        buffer->length += 4 * PIECE - room;
        if (result != (size_t)-1 || errno == E2BIG ||
            (errno == EINVAL && in > start))
            continue;
        nd_buffer_append_text(buffer, REPLACEMENT);
        (*defects)++;
        in++;
        iconv(converter, NULL, NULL, NULL, NULL);
    }
}

/* Names with other characters are options to iconv, or nonsense. */
static bool is_charset_name(const char *charset)
{
    size_t length = strspn(charset, "abcdefghijklmnopqrstuvwxyz0123456789_-.:");
    return length > 0 && length <= 40 && charset[length] == '\0';
}

/* False where the charset is unknown to iconv. */
static bool convert(struct nd_buffer *buffer, struct nd_span data,
                    const char *charset, uint32_t *defects)
{
    if (!is_charset_name(charset))
        return false;
    iconv_t converter = g_mime_iconv_open("utf-8", charset);
    if (converter == (iconv_t)-1)
        return false;
    append_iconv(buffer, converter, data, defects);
    g_mime_iconv_close(converter);
    return true;
}

static void append_unstated(struct nd_buffer *buffer, struct nd_span data)
{
    if (nd_is_utf8(data.data, data.length))
        nd_buffer_append(buffer, data.data, data.length);
    else
        append_western(buffer, data);
}

struct nd_span nd_decode_charset(struct nd_span data, const char *charset,
                                 struct nd_buffer *buffer, uint32_t *defects)
{
    bool shifted = is_shifted(charset);
    if (!shifted && nd_is_ascii(data.data, data.length))
        return data;
    nd_buffer_clear(buffer);
    if (strcmp(charset, "utf-8") == 0 || strcmp(charset, "utf8") == 0) {
        if (nd_is_utf8(data.data, data.length))
            return data;
        *defects += nd_append_utf8(buffer, data.data, data.length);
    } else if (is_western(charset)) {
        append_western(buffer, data);
    } else if (is_unstated(charset) && !shifted) {
        append_unstated(buffer, data);
    } else if (!convert(buffer, data, charset, defects)) {
        (*defects)++;
        append_unstated(buffer, data);
    }
    return contents(buffer);
}

static struct nd_text keep(const struct nd_buffer *buffer,
                           struct nd_arena *arena)
{
    struct nd_span all = contents(buffer);
    return (struct nd_text){nd_arena_strndup(arena, all.data, all.length),
                            all.length};
}

/* GMime answers in UTF-8, but a charset's name may be a lie. */
static struct nd_text decode_words(struct nd_text value, struct nd_arena *arena,
                                   uint32_t *defects)
{
    char *decoded = g_mime_utils_header_decode_text(NULL, value.data);
    struct nd_buffer buffer = {0};
    *defects += nd_append_utf8(&buffer, decoded, strlen(decoded));
    g_free(decoded);
    struct nd_text text = keep(&buffer, arena);
    nd_buffer_free(&buffer);
    return text;
}

struct nd_text nd_decode_header(struct nd_text value, const char *charset,
                                struct nd_arena *arena, uint32_t *defects)
{
    bool has_words = strstr(value.data, "=?") != NULL;
    if (!has_words && nd_is_ascii(value.data, value.length))
        return value;
    struct nd_buffer buffer = {0};
    struct nd_span raw = {value.data, value.length};
    struct nd_span all =
        nd_is_utf8(value.data, value.length)
            ? raw
            : nd_decode_charset(raw, charset, &buffer, defects);
    struct nd_text text = value;
    if (all.data != value.data)
        text = keep(&buffer, arena);
    nd_buffer_free(&buffer);
    return has_words ? decode_words(text, arena, defects) : text;
}
