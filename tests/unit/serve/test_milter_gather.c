/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages put together from what a mail server tells, in the right order and
 * in others; and that none takes more than its share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/milter_gather.h"

static const struct nd_link_settings settings = {.header = "X-Neurald",
                                                 .tag_header = "X-Spam",
                                                 .deadline_ms = 1000,
                                                 .max_message = 100000,
                                                 .max_memory = 1000000};
static struct nd_gather_room room;
static struct nd_gather *gather;

static int set_up(void **state)
{
    memset(&room, 0, sizeof(room));
    gather = nd_gather_create(&room);
    nd_gather_client(gather, "mail.example", "192.0.2.1");
    nd_gather_helo(gather, "mail.example");
    return 0;
}

static int tear_down(void **state)
{
    nd_gather_destroy(&gather);
    return room.used_bytes == 0 && room.open == 0 ? 0 : -1;
}

static void body(const char *text)
{
    nd_gather_body(gather, (const uint8_t *)text, strlen(text));
}

static void begin(void)
{
    assert_true(nd_gather_begin(gather, &settings, "<a@example.org>", NULL,
                                INT64_C(1795620011000)));
}

static void a_message_is_put_together_under_its_trace(void **state)
{
    struct nd_link_question question;
    begin();
    nd_gather_header(gather, "Subject", "one\n\ttwo", false);
    nd_gather_header(gather, "X-Tight", "a", true);
    nd_gather_end_of_headers(gather);
    body("first\r\n");
    body("second\r\n");
    assert_true(nd_gather_question(gather, "4ABC", &question));
    static const char expected[] =
        "Return-Path: <a@example.org>\r\n"
        "Received: from mail.example (mail.example [192.0.2.1])\r\n"
        "\tby localhost with ESMTP;\r\n"
        "\tWed, 25 Nov 2026 15:20:11 +0000\r\n"
        "Subject: one\r\n\ttwo\r\nX-Tight:a\r\n\r\nfirst\r\nsecond\r\n";
    assert_int_equal(question.length, strlen(expected));
    assert_memory_equal(question.message, expected, question.length);
    assert_int_equal(question.full_length, question.length);
    assert_string_equal(question.queue_id, "4ABC");
    assert_string_equal(question.client, "mail.example[192.0.2.1]");
    assert_string_equal(question.sender, "a@example.org");
    assert_false(question.authenticated);
    assert_string_equal(nd_gather_subject(gather), "one\n\ttwo");
    assert_int_equal(room.open, 1);
    assert_true(nd_gather_end(gather));
    assert_false(nd_gather_end(gather));
    assert_int_equal(room.open, 0);
    assert_int_equal(room.used_bytes, 0);
}

static void what_belongs_to_no_message_is_left_out(void **state)
{
    struct nd_link_question question;
    nd_gather_header(gather, "Subject", "early", false);
    nd_gather_end_of_headers(gather);
    body("early");
    assert_false(nd_gather_question(gather, "a", &question));
    begin();
    body("text");
    nd_gather_header(gather, "Late", "1", false);
    assert_true(nd_gather_question(gather, NULL, &question));
    assert_non_null(strstr((const char *)question.message, "\r\n\r\ntext"));
    assert_null(strstr((const char *)question.message, "Late"));
    assert_string_equal(question.queue_id, "");
}

static void a_second_beginning_gives_the_first_up(void **state)
{
    struct nd_link_question question;
    begin();
    nd_gather_header(gather, "Subject", "first", false);
    assert_false(
        nd_gather_begin(gather, &settings, "<b@example.org>", "ann", 0));
    assert_int_equal(room.open, 1);
    assert_true(nd_gather_question(gather, "a", &question));
    assert_null(strstr((const char *)question.message, "first"));
    assert_non_null(strstr((const char *)question.message, "with ESMTPA;"));
    assert_true(question.authenticated);
    assert_string_equal(nd_gather_subject(gather), "");
}

static void beyond_its_share_a_message_is_counted_only(void **state)
{
    struct nd_link_question question;
    static char many[1000];
    memset(many, 'x', sizeof(many) - 1);
    begin();
    for (int i = 0; i < 500; i++) {
        body(many);
    }
    assert_true(nd_gather_question(gather, "a", &question));
    assert_int_equal(question.length, settings.max_message);
    assert_true(question.full_length > 499500);
    assert_true(question.full_length < 500000);
    assert_true(room.used_bytes < 3 * settings.max_message);
}

static void without_room_a_message_passes_unread(void **state)
{
    struct nd_link_question question;
    struct nd_gather *others[20];
    static uint8_t many[90000];
    int kept = 0, crowded = 0;
    for (int i = 0; i < 20; i++) {
        others[i] = nd_gather_create(&room);
        assert_true(nd_gather_begin(others[i], &settings, "<>", NULL, 0));
        nd_gather_body(others[i], many, sizeof(many));
        kept += nd_gather_question(others[i], "a", &question);
        crowded += nd_gather_is_crowded(others[i]);
        assert_true(room.used_bytes <= settings.max_memory);
    }
    assert_int_equal(kept, 5);
    assert_int_equal(crowded, 15);
    for (int i = 0; i < 20; i++) {
        nd_gather_destroy(&others[i]);
    }
    assert_int_equal(room.used_bytes, 0);
    begin();
    body("small");
    assert_true(nd_gather_question(gather, "a", &question));
}

static void names_of_ours_from_outside_are_counted(void **state)
{
    begin();
    nd_gather_header(gather, "X-NEURALD", "ham", false);
    nd_gather_header(gather, "X-Neurald ", "ham", false);
    nd_gather_header(gather, "X-Neurald-Other", "ham", false);
    nd_gather_header(gather, "x-spam", "no", false);
    nd_gather_header(gather, "Subject", "", false);
    nd_gather_header(gather, "Subject", "second", false);
    assert_int_equal(nd_gather_forged(gather), 2);
    assert_int_equal(nd_gather_forged_tags(gather), 1);
    assert_string_equal(nd_gather_subject(gather), "");
    nd_gather_end(gather);
    begin();
    assert_int_equal(nd_gather_forged(gather), 0);
    assert_int_equal(nd_gather_forged_tags(gather), 0);
}

static void a_very_long_subject_is_left_as_it_is(void **state)
{
    static char many[ND_GATHER_MOST_SUBJECT + 2];
    memset(many, 'x', sizeof(many) - 1);
    begin();
    nd_gather_header(gather, "Subject", many, false);
    assert_null(nd_gather_subject(gather));
}

static void what_a_stranger_calls_itself_breaks_no_line(void **state)
{
    struct nd_link_question question;
    nd_gather_client(gather, "evil\r\nX-Neurald: ham", NULL);
    nd_gather_helo(gather, "a\nb c\xff");
    assert_true(nd_gather_begin(gather, &settings, "<\r\nX: y>", NULL, 0));
    assert_true(nd_gather_question(gather, "4\n", &question));
    assert_string_equal(question.sender, "??X:?y");
    assert_string_equal(question.client, "evil??X-Neurald:?ham[]");
    assert_string_equal(question.queue_id, "4?");
    assert_null(strstr((const char *)question.message, "\nX"));
    assert_non_null(
        strstr((const char *)question.message, "from a?b?c? (evil"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_put_together_under_its_trace),
        TEST(what_belongs_to_no_message_is_left_out),
        TEST(a_second_beginning_gives_the_first_up),
        TEST(beyond_its_share_a_message_is_counted_only),
        TEST(without_room_a_message_passes_unread),
        TEST(names_of_ours_from_outside_are_counted),
        TEST(a_very_long_subject_is_left_as_it_is),
        TEST(what_a_stranger_calls_itself_breaks_no_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
