/* SPDX-License-Identifier: Apache-2.0
 *
 * The one error convention of the project.
 *
 * A function that can fail returns enum nd_status (ND_OK is 0) and, when the
 * caller passes a struct nd_error, leaves a sentence there that says what went
 * wrong, where, and what to do. Out-parameters come last, end in _r, and are
 * untouched on failure.
 */
#ifndef ND_BASE_STATUS_H
#define ND_BASE_STATUS_H

#include <stddef.h>

#define ND_MUST_CHECK __attribute__((warn_unused_result))
#define ND_PRINTF(string, first) __attribute__((format(printf, string, first)))
/* name, exit status of the program (sysexits.h), words */
#define ND_STATUS_MAP(X)                                \
    X(OK, 0, "success")                                 \
    X(NOTHING, 1, "nothing to do")                      \
    X(USAGE, 64, "wrong usage")                         \
    X(DATA, 65, "malformed data")                       \
    X(LIMIT, 65, "limit exceeded")                      \
    X(NO_INPUT, 66, "not found")                        \
    X(UNAVAILABLE, 69, "store or service unavailable")  \
    X(INTERNAL, 70, "internal error")                   \
    X(OS, 71, "operating system error")                 \
    X(OUTPUT, 73, "cannot create output")               \
    X(IO, 74, "input or output error")                  \
    X(FULL, 74, "no room left")                         \
    X(TEMPORARY, 75, "temporary failure")               \
    X(BUSY, 75, "held by another")                      \
    X(LOST, 75, "lease lost")                           \
    X(SUPERSEDED, 75, "superseded meanwhile")           \
    X(UNCERTAIN, 75, "outcome unknown, safe to repeat") \
    X(CANCELLED, 75, "cancelled")                       \
    X(VERSION, 76, "made by a later version")           \
    X(PERMISSION, 77, "permission denied")              \
    X(CONFIG, 78, "configuration error")                \
    X(KEY, 78, "made with another key")

enum nd_status {
#define ND_STATUS_ENUM(name, exit_status, words) ND_##name,
    ND_STATUS_MAP(ND_STATUS_ENUM)
#undef ND_STATUS_ENUM
};

#define ND_ERROR_BYTES 512

/* Filled by the function that fails; empty text when nothing was said. */
struct nd_error {
    char text[ND_ERROR_BYTES];
};

/* Formats a sentence into error (which may be NULL) and returns status, so
 * that a failing function can end with `return nd_fail(error, ND_DATA, ...)`.
 * Control characters in the formatted text become '?', since parts of it may
 * come from a message. error->text may be among the arguments. Thread-safe. */
enum nd_status nd_fail(struct nd_error *error, enum nd_status status,
                       const char *format, ...) ND_PRINTF(3, 4);
/* The analyzer looks into one file at a time: tell it what comes back. */
#ifdef __clang_analyzer__
#define nd_fail(error, status, ...) \
    ((void)nd_fail(error, status, __VA_ARGS__), (status))
#endif

/* The same, with strerror(errno) appended after ": ". The status is
 * ND_PERMISSION for EACCES, EPERM and EROFS, ND_NO_INPUT for ENOENT, ND_FULL
 * for ENOSPC and EDQUOT, else ND_IO. errno is read on entry. */
enum nd_status nd_fail_errno(struct nd_error *error, const char *format, ...)
    ND_PRINTF(2, 3);

/* A static English phrase for status, never NULL. */
const char *nd_status_text(enum nd_status status);

/* The status's short name in lower case ("no_input"), for JSON, metrics and
 * logs; never NULL, valid until this thread asks again. */
const char *nd_status_name(enum nd_status status);

/* The exit status of a program that ends with status: 0, 1, or one of
 * sysexits.h (64 to 78). */
int nd_status_exit(enum nd_status status);

#endif
