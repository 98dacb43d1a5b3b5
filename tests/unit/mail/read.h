/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a message from a string, for the tests of this folder.
 */
#ifndef ND_TESTS_MAIL_READ_H
#define ND_TESTS_MAIL_READ_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "mail/message.h"

/* Under AddressSanitizer memory is not what it is without. */
#if defined(__SANITIZE_ADDRESS__)
#define ND_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ND_SANITIZED 1
#endif
#endif

/* Test state: an arena and limits, made new for each test. */
struct desk {
    struct nd_arena *arena;
    struct nd_mail_limits limits;
    struct nd_mail_trust trust;
    struct nd_message message; /* the one read last */
};

static inline int open_desk(void **state)
{
    struct desk *desk = nd_calloc(1, sizeof *desk);
    struct nd_error error;
    assert_int_equal(nd_hash_init(&error), ND_OK);
    desk->arena = nd_arena_create(0);
    nd_mail_limits_default(&desk->limits);
    *state = desk;
    return 0;
}

static inline int close_desk(void **state)
{
    struct desk *desk = *state;
    nd_arena_destroy(&desk->arena);
    free(desk);
    return 0;
}

static inline const struct nd_message *read_bytes(struct desk *desk,
                                                  const void *data,
                                                  size_t length)
{
    struct nd_error error;
    assert_int_equal(nd_message_read(data, length, &desk->limits, &desk->trust,
                                     desk->arena, &error, &desk->message),
                     ND_OK);
    return &desk->message;
}

static inline const struct nd_message *read_text(struct desk *desk,
                                                 const char *text)
{
    return read_bytes(desk, text, strlen(text));
}

/* Reads from a copy without a byte to spare, so that a sanitizer sees any read
 * past the end, and frees it, since nothing may point into it. */
static inline const struct nd_message *read_buffer(struct desk *desk,
                                                   struct nd_buffer *buffer)
{
    char *exact = malloc(buffer->length);
    assert_non_null(exact);
    memcpy(exact, buffer->data, buffer->length);
    read_bytes(desk, exact, buffer->length);
    free(exact);
    nd_buffer_free(buffer);
    return &desk->message;
}

/* Reads an HTML page as the body of a message. */
static inline const struct nd_message *read_html(struct desk *desk,
                                                 const char *html)
{
    struct nd_buffer buffer = {0};
    nd_buffer_printf(&buffer, "Content-Type: text/html; charset=utf-8\n\n%s",
                     html);
    return read_buffer(desk, &buffer);
}

/* Appends text to buffer count times. */
static inline void repeat(struct nd_buffer *buffer, const char *text,
                          size_t count)
{
    size_t length = strlen(text);
    nd_buffer_reserve(buffer, length * count);
    for (size_t i = 0; i < count; i++)
        nd_buffer_append(buffer, text, length);
}

static inline const struct nd_header *header_named(
    const struct nd_message *message, const char *name)
{
    for (size_t i = 0; i < message->header_count; i++)
        if (strcmp(message->headers[i].name.data, name) == 0)
            return &message->headers[i];
    return NULL;
}

#define with_desk(test) \
    cmocka_unit_test_setup_teardown(test, open_desk, close_desk)

#endif
