/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies of requests: JSON under limits, parts, and what they say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "serve/input.h"
#include "serve/json_guard.h"
#include "serve/multipart.h"
#include "serve/route.h"

#define MESSAGE "From: a@example.org\r\nSubject: x\r\n\r\nhello\r\n"
#define PARTS "multipart/form-data; boundary=\"b-1\""

static struct nd_arena *arena;
static struct nd_error error;
static struct nd_mail_limits limits;

static int set_up(void **state)
{
    (void)state;
    arena = nd_arena_create(0);
    nd_mail_limits_default(&limits);
    return nd_hash_init(&error) == ND_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    nd_arena_destroy(&arena);
    return 0;
}

static enum nd_status read_body(const char *type, const char *text,
                                struct nd_scored_input *input_r)
{
    struct nd_body body = {.kind = nd_route_body(type),
                           .content_type = type,
                           .data = text,
                           .length = strlen(text),
                           .full_length = strlen(text)};
    error.text[0] = '\0';
    return nd_scored_input_read(&body, &limits, NULL, arena, &error, input_r);
}

static struct nd_scored_input readable(const char *type, const char *text)
{
    struct nd_scored_input input;
    if (read_body(type, text, &input) != ND_OK) {
        fail_msg("%s", error.text);
    }
    return input;
}

static void refused(const char *type, const char *text, const char *words)
{
    struct nd_scored_input input = {.id = "untouched"};
    enum nd_status status = read_body(type, text, &input);
    assert_true(status == ND_DATA || status == ND_LIMIT);
    assert_string_equal(input.id, "untouched");
    if (strstr(error.text, words) == NULL) {
        fail_msg("\"%s\" is not in: %s", words, error.text);
    }
}

static void a_scan_result_says_whose_it_is(void **state)
{
    struct nd_scored_input input =
        readable("application/json",
                 "{\"symbols\":{\"A\":1,\"B\":0},\"metatokens\":{\"size\":0.5},"
                 "\"id\":\"<1@x>\",\"settings\":\"outbound\","
                 "\"identity\":\"000102030405060708090a0b0c0d0e0f\"}");
    (void)state;
    assert_null(input.message);
    assert_int_equal(input.scan->count, 2);
    assert_int_equal(input.scan->metatoken_count, 1);
    assert_string_equal(input.id, "<1@x>");
    assert_string_equal(input.settings, "outbound");
    assert_int_equal(input.identity[15], 15);
    input = readable("application/json", "{\"id\":null}");
    assert_string_equal(input.id, "");
    assert_null(input.identity);
}

static void a_message_is_read_within_the_limits(void **state)
{
    struct nd_scored_input input = readable("message/rfc822", MESSAGE);
    struct nd_body body = {.kind = ND_TAKES_MESSAGE,
                           .data = MESSAGE,
                           .length = strlen(MESSAGE),
                           .full_length = 1000000};
    (void)state;
    assert_string_equal(input.message->subject.data, "x");
    assert_null(input.scan);
    assert_int_equal(
        nd_scored_input_read(&body, &limits, NULL, arena, &error, &input),
        ND_OK);
    assert_int_equal(input.message->raw_bytes, 1000000);
    assert_int_equal(input.message->unread_bytes, 1000000 - strlen(MESSAGE));
}

static void parts_may_bring_both(void **state)
{
    struct nd_scored_input input = readable(
        PARTS, "preamble\r\n--b-1\r\nContent-Disposition: form-data; "
               "name=\"scan\"\r\n\r\n{\"symbols\":{\"A\":1}}\r\n--b-1\r\n"
               "Content-Type: message/rfc822\r\n\r\n" MESSAGE
               "\r\n--b-1--\r\nepilogue");
    (void)state;
    assert_int_equal(input.scan->count, 1);
    assert_int_equal(input.message->raw_bytes, strlen(MESSAGE));
    input = readable("multipart/mixed; boundary=b-1",
                     "--b-1\nContent-Type: message/rfc822\n\nA: b\n\n--b-12 is "
                     "no delimiter?\n--b-1--");
    assert_non_null(input.message);
}

static void what_is_wrong_with_json_is_said(void **state)
{
    static const char *const json = "application/json";
    (void)state;
    refused(json, "", "not JSON");
    refused(json, "{", "not JSON");
    refused(json, "[]", "not an object");
    refused(json, "7", "not JSON");
    refused(json, "{\"symbols\":7}", "symbols");
    refused(json, "{\"id\":7}", "\"id\" is not a text");
    refused(json, "{\"id\":\"a\\u0000b\"}", "\"id\" is not a text");
    refused(json, "{\"settings\":[]}", "\"settings\"");
    refused(json, "{\"identity\":\"00\"}", "\"identity\" is not 32");
}

static void what_is_wrong_with_parts_is_said(void **state)
{
    (void)state;
    refused("multipart/mixed", "x", "names no boundary");
    refused("multipart/mixed; boundary=", "x", "names no boundary");
    refused(PARTS, "x", "boundary is not in the body");
    refused(PARTS, "--b-1--", "no part");
    refused(PARTS, "--b-1\r\nContent-Type: message/rfc822\r\n\r\nx",
            "has no end");
    refused(PARTS, "--b-1\r\nContent-Type: message/rfc822", "does not end");
    refused(PARTS, "--b-1\r\nno field\r\n\r\nx\r\n--b-1--", "no header field");
    refused(PARTS, "--b-1\r\nContent-Type: text/html\r\n\r\nx\r\n--b-1--",
            "neither message");
    refused(PARTS,
            "--b-1\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n--b-1\r\n"
            "Content-Type: message/rfc822\r\n\r\nA: b\r\n--b-1--",
            "more than one message");
    refused(PARTS,
            "--b-1\nContent-Type: application/json\n\n{}\n--b-1\n"
            "Content-Type: application/json\n\n{}\n--b-1--",
            "more than one scan result");
}

static void no_body_is_said(void **state)
{
    struct nd_body body = {.kind = ND_TAKES_NOTHING, .data = ""};
    struct nd_scored_input input;
    (void)state;
    assert_int_equal(
        nd_scored_input_read(&body, &limits, NULL, arena, &error, &input),
        ND_DATA);
}

static void json_is_counted_before_it_is_read(void **state)
{
    struct nd_buffer text = {0};
    (void)state;
    for (int i = 0; i < ND_JSON_MAX_DEPTH; i++) {
        nd_buffer_append_text(&text, "[");
    }
    const char *data = (const char *)text.data;
    assert_int_equal(nd_json_guard(data, text.length, &error), ND_OK);
    nd_buffer_append_text(&text, "[");
    data = (const char *)text.data;
    assert_int_equal(nd_json_guard(data, text.length, &error), ND_LIMIT);
    nd_buffer_clear(&text);
    nd_buffer_append_text(&text, "[0");
    for (int i = 0; i < ND_JSON_MAX_VALUES - 2; i++) {
        nd_buffer_append_text(&text, ",0");
    }
    data = (const char *)text.data;
    assert_int_equal(nd_json_guard(data, text.length, &error), ND_OK);
    nd_buffer_append_text(&text, ",0");
    data = (const char *)text.data;
    assert_int_equal(nd_json_guard(data, text.length, &error), ND_LIMIT);
    nd_buffer_free(&text);
    assert_int_equal(nd_json_guard("", ND_JSON_MAX_BYTES + 1, &error),
                     ND_LIMIT);
    /* What a string holds counts for nothing. */
    data = "{\"[[[[[[[[[[[[[[[[[[[[\\\"{{{{{{{{{{{{{{{{{{\":1}";
    assert_int_equal(nd_json_guard(data, strlen(data), &error), ND_OK);
}

static void parts_have_limits(void **state)
{
    struct nd_body_part parts[ND_MAX_BODY_PARTS];
    struct nd_buffer text = {0};
    size_t count = 0;
    (void)state;
    for (int i = 0; i <= ND_MAX_BODY_PARTS; i++) {
        nd_buffer_append_text(&text, "--b-1\n\nx\n");
    }
    nd_buffer_append_text(&text, "--b-1--");
    assert_int_equal(nd_multipart_read(PARTS, (const char *)text.data,
                                       text.length, arena, &error, parts,
                                       &count),
                     ND_LIMIT);
    nd_buffer_clear(&text);
    nd_buffer_append_text(&text, "--b-1\nA: ");
    for (int i = 0; i < 5000; i++) {
        nd_buffer_append_text(&text, "x");
    }
    nd_buffer_append_text(&text, "\n\nx\n--b-1--");
    assert_int_equal(nd_multipart_read(PARTS, (const char *)text.data,
                                       text.length, arena, &error, parts,
                                       &count),
                     ND_LIMIT);
    nd_buffer_free(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_scan_result_says_whose_it_is),
        TEST(a_message_is_read_within_the_limits),
        TEST(parts_may_bring_both),
        TEST(what_is_wrong_with_json_is_said),
        TEST(what_is_wrong_with_parts_is_said),
        TEST(no_body_is_said),
        TEST(json_is_counted_before_it_is_read),
        TEST(parts_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
