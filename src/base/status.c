/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns a status into words, and words into the caller's error buffer. The
 * table is ND_STATUS_MAP; nothing here knows what any status is used for.
 */
#include "base/status.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const status_names[] = {
#define STATUS_NAME(name, exit_status, words) [ND_##name] = #name,
    ND_STATUS_MAP(STATUS_NAME)};

static const char *const status_words[] = {
#define STATUS_WORDS(name, exit_status, words) [ND_##name] = (words),
    ND_STATUS_MAP(STATUS_WORDS)};

static const int status_exits[] = {
#define STATUS_EXIT(name, exit_status, words) [ND_##name] = (exit_status),
    ND_STATUS_MAP(STATUS_EXIT)};

static const size_t status_count =
    sizeof(status_exits) / sizeof(status_exits[0]);

/* Parts of an error may come from a message: nothing in it may move a
 * terminal's cursor or start a line of its own in a log. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == 0x7f)
            *text = '?';
    }
}

/* By way of a copy, since the error's old text may be among the arguments of
 * a caller that adds where it happened. */
static int compose(struct nd_error *error, const char *format,
                   va_list arguments)
{
    char text[ND_ERROR_BYTES] = "";
    int length = vsnprintf(text, sizeof(text), format, arguments);
    memcpy(error->text, text, sizeof(text));
    return length;
}

#undef nd_fail /* the analyzer's */
enum nd_status nd_fail(struct nd_error *error, enum nd_status status,
                       const char *format, ...)
{
    if (error == NULL)
        return status;
    va_list arguments;
    va_start(arguments, format);
    (void)compose(error, format, arguments);
    va_end(arguments);
    make_printable(error->text);
    return status;
}

static enum nd_status status_of_errno(int number)
{
    switch (number) {
    case EACCES:
    case EPERM:
    case EROFS:
        return ND_PERMISSION;
    case ENOENT:
    case ENOTDIR:
        return ND_NO_INPUT;
    case ENOSPC:
    case EDQUOT:
        return ND_FULL;
    default:
        return ND_IO;
    }
}

enum nd_status nd_fail_errno(struct nd_error *error, const char *format, ...)
{
    int number = errno;
    enum nd_status status = status_of_errno(number);
    if (error == NULL)
        return status;
    va_list arguments;
    va_start(arguments, format);
    int length = compose(error, format, arguments);
    va_end(arguments);
    char reason[128];
    const char *words = strerror_r(number, reason, sizeof(reason));
    if (length >= 0 && (size_t)length < sizeof(error->text))
        (void)snprintf(error->text + length,
                       sizeof(error->text) - (size_t)length, ": %s", words);
    make_printable(error->text);
    return status;
}

const char *nd_status_text(enum nd_status status)
{
    return (size_t)status < status_count ? status_words[status]
                                         : "unknown status";
}

#define LOWER_NAME_BYTES 16

static char lower_names[sizeof(status_names) / sizeof(status_names[0])]
                       [LOWER_NAME_BYTES];

static void fill_lower_names(void)
{
    for (size_t i = 0; i < status_count; i++) {
        for (size_t at = 0;
             status_names[i][at] != '\0' && at + 1 < LOWER_NAME_BYTES; at++)
            lower_names[i][at] =
                (char)tolower((unsigned char)status_names[i][at]);
    }
}

const char *nd_status_name(enum nd_status status)
{
    static pthread_once_t filled = PTHREAD_ONCE_INIT;
    (void)pthread_once(&filled, fill_lower_names);
    return (size_t)status < status_count ? lower_names[status] : "unknown";
}

int nd_status_exit(enum nd_status status)
{
    return (size_t)status < status_count ? status_exits[status]
                                         : status_exits[ND_INTERNAL];
}
