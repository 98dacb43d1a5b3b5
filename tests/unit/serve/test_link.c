/* SPDX-License-Identifier: Apache-2.0
 *
 * Words between worker and daemon: what one side writes the other reads, and
 * nothing else is read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/log.h"
#include "serve/link.h"

#define CONTENTS(buffer) \
    (buffer).data + ND_LINK_HEADER_BYTES, (buffer).length - ND_LINK_HEADER_BYTES

static const struct nd_link_settings settings = {.header = "X-Neurald",
                                                 .tag_header = "X-Spam",
                                                 .deadline_ms = 5000,
                                                 .max_message = 1 << 22,
                                                 .max_memory = 1 << 28};

static const struct nd_link_question question = {
    .queue_id = "4XyZ1b2C3d",
    .client = "mail.example[192.0.2.1]",
    .sender = "someone@example.org",
    .authenticated = true,
    .message = (const uint8_t *)"Subject: a\r\n\r\n\0b",
    .length = 16,
    .full_length = 20};

static const struct nd_link_answer answer = {.header =
                                                 "spam, probability=0.99000",
                                             .subject_tag = "[SPAM] ",
                                             .tag_value = "yes",
                                             .quarantine = "neurald: spam"};

static void check_header(const struct nd_buffer *frame, enum nd_link_type type)
{
    size_t length = 0;
    assert_int_equal(nd_link_type_of(frame->data, frame->length), type);
    assert_int_equal(nd_link_header(frame->data, type, 100000, NULL, &length),
                     ND_OK);
    assert_int_equal(length, frame->length - ND_LINK_HEADER_BYTES);
}

static void settings_come_back_as_they_were_written(void **state)
{
    struct nd_buffer frame = {0};
    struct nd_link_settings found;
    nd_link_write_settings(&settings, &frame);
    check_header(&frame, ND_LINK_SETTINGS);
    assert_int_equal(nd_link_read_settings(CONTENTS(frame), NULL, &found),
                     ND_OK);
    assert_string_equal(found.header, "X-Neurald");
    assert_string_equal(found.tag_header, "X-Spam");
    assert_int_equal(found.deadline_ms, 5000);
    assert_int_equal(found.max_message, 1 << 22);
    assert_int_equal(found.max_memory, 1 << 28);
    nd_buffer_free(&frame);
}

static void questions_and_their_messages_come_back(void **state)
{
    struct nd_buffer frame = {0};
    struct nd_link_question found;
    nd_link_write_question(&question, &frame);
    nd_buffer_append(&frame, question.message, question.length);
    check_header(&frame, ND_LINK_QUESTION);
    assert_int_equal(nd_link_read_question(CONTENTS(frame), NULL, &found),
                     ND_OK);
    assert_string_equal(found.queue_id, question.queue_id);
    assert_string_equal(found.client, question.client);
    assert_string_equal(found.sender, question.sender);
    assert_true(found.authenticated);
    assert_int_equal(found.length, 16);
    assert_memory_equal(found.message, question.message, 16);
    assert_int_equal(found.full_length, 20);
    nd_buffer_free(&frame);
}

static void answers_come_back(void **state)
{
    struct nd_buffer frame = {0};
    struct nd_link_answer found;
    nd_link_write_answer(&answer, &frame);
    check_header(&frame, ND_LINK_ANSWER);
    assert_int_equal(nd_link_read_answer(CONTENTS(frame), NULL, &found), ND_OK);
    assert_string_equal(found.header, answer.header);
    assert_string_equal(found.subject_tag, answer.subject_tag);
    assert_string_equal(found.tag_value, answer.tag_value);
    assert_string_equal(found.quarantine, answer.quarantine);
    nd_buffer_free(&frame);
}

static void events_and_log_lines_come_back(void **state)
{
    struct nd_buffer frame = {0};
    struct nd_link_events events = {{0}}, found;
    events.of[ND_LINK_LATE] = 3;
    events.of[ND_LINK_REFUSED] = UINT64_MAX;
    nd_link_write_events(&events, &frame);
    check_header(&frame, ND_LINK_EVENTS);
    assert_int_equal(nd_link_read_events(CONTENTS(frame), NULL, &found), ND_OK);
    assert_memory_equal(&found, &events, sizeof(events));

    unsigned level = 0;
    const char *line = NULL;
    nd_buffer_clear(&frame);
    nd_link_write_log(ND_LOG_INFO, "ABC: no opinion", &frame);
    check_header(&frame, ND_LINK_LOG);
    assert_int_equal(nd_link_read_log(CONTENTS(frame), NULL, &level, &line),
                     ND_OK);
    assert_int_equal(level, ND_LOG_INFO);
    assert_string_equal(line, "ABC: no opinion");
    nd_buffer_free(&frame);
}

static void a_long_text_is_cut_and_still_read(void **state)
{
    static char many[5000];
    memset(many, 'x', sizeof(many) - 1);
    struct nd_link_answer longer = answer, found;
    struct nd_buffer frame = {0};
    longer.header = many;
    nd_link_write_answer(&longer, &frame);
    assert_int_equal(nd_link_read_answer(CONTENTS(frame), NULL, &found), ND_OK);
    assert_int_equal(strlen(found.header), 1023);
    nd_buffer_free(&frame);
}

/* Every cut of each kind of contents, and one byte more. */
static void assert_only_whole(const struct nd_buffer *frame,
                              enum nd_status (*read)(const uint8_t *, size_t))
{
    const uint8_t *data = frame->data + ND_LINK_HEADER_BYTES;
    size_t length = frame->length - ND_LINK_HEADER_BYTES;
    for (size_t cut = 0; cut < length; cut++) {
        assert_int_equal(read(data, cut), ND_DATA);
    }
    assert_int_equal(read(data, length), ND_OK);
    struct nd_buffer longer = {0};
    nd_buffer_append(&longer, data, length);
    nd_buffer_u8(&longer, 0);
    assert_int_equal(read(longer.data, longer.length), ND_DATA);
    nd_buffer_free(&longer);
}

static enum nd_status read_settings(const uint8_t *data, size_t length)
{
    struct nd_link_settings found;
    return nd_link_read_settings(data, length, NULL, &found);
}

static enum nd_status read_answer(const uint8_t *data, size_t length)
{
    struct nd_link_answer found;
    return nd_link_read_answer(data, length, NULL, &found);
}

static enum nd_status read_events(const uint8_t *data, size_t length)
{
    struct nd_link_events found;
    return nd_link_read_events(data, length, NULL, &found);
}

static enum nd_status read_log(const uint8_t *data, size_t length)
{
    unsigned level;
    const char *line;
    return nd_link_read_log(data, length, NULL, &level, &line);
}

static void nothing_but_the_whole_is_read(void **state)
{
    struct nd_buffer frame = {0};
    struct nd_link_events events = {{300, 0, 1}};
    nd_link_write_settings(&settings, &frame);
    assert_only_whole(&frame, read_settings);
    nd_buffer_clear(&frame);
    nd_link_write_answer(&answer, &frame);
    assert_only_whole(&frame, read_answer);
    nd_buffer_clear(&frame);
    nd_link_write_events(&events, &frame);
    assert_only_whole(&frame, read_events);
    nd_buffer_clear(&frame);
    nd_link_write_log(ND_LOG_ERROR, "line", &frame);
    assert_only_whole(&frame, read_log);
    nd_buffer_free(&frame);
}

static void a_question_must_not_be_longer_than_its_message(void **state)
{
    struct nd_buffer frame = {0};
    struct nd_link_question shorter = question, found;
    shorter.full_length = 15;
    nd_link_write_question(&shorter, &frame);
    nd_buffer_append(&frame, question.message, question.length);
    assert_int_equal(nd_link_read_question(CONTENTS(frame), NULL, &found),
                     ND_DATA);
    nd_buffer_free(&frame);
}

static void control_characters_are_refused(void **state)
{
    struct nd_link_answer worse = answer;
    struct nd_buffer frame = {0};
    worse.header = "spam\r\nX-Other: 1";
    nd_link_write_answer(&worse, &frame);
    assert_int_equal(read_answer(CONTENTS(frame)), ND_DATA);
    nd_buffer_free(&frame);
}

static void only_names_of_headers_are_taken(void **state)
{
    static char longest[80];
    memset(longest, 'a', ND_LINK_NAME_BYTES - 1);
    assert_true(nd_link_is_header_name("X-Neurald"));
    assert_true(nd_link_is_header_name(longest));
    longest[ND_LINK_NAME_BYTES - 1] = 'a';
    assert_false(nd_link_is_header_name(longest));
    assert_false(nd_link_is_header_name(""));
    assert_false(nd_link_is_header_name("X Neurald"));
    assert_false(nd_link_is_header_name("X-Neurald:"));
    assert_false(nd_link_is_header_name("X-N\xc3\xa4"));

    struct nd_link_settings worse = settings;
    struct nd_buffer frame = {0};
    strcpy(worse.header, "X Y");
    nd_link_write_settings(&worse, &frame);
    assert_int_equal(read_settings(CONTENTS(frame)), ND_DATA);
    nd_buffer_free(&frame);
}

static void a_header_of_another_type_or_length_is_refused(void **state)
{
    struct nd_error error;
    struct nd_buffer frame = {0};
    size_t length;
    nd_link_write_answer(&answer, &frame);
    assert_int_equal(
        nd_link_header(frame.data, ND_LINK_QUESTION, 1000, &error, &length),
        ND_DATA);
    assert_non_null(strstr(error.text, "type 7"));
    assert_int_equal(
        nd_link_header(frame.data, ND_LINK_ANSWER, 3, NULL, &length), ND_DATA);
    frame.data[0] ^= 1;
    assert_int_equal(
        nd_link_header(frame.data, ND_LINK_ANSWER, 1000, NULL, &length),
        ND_DATA);
    assert_int_equal(nd_link_type_of(frame.data, frame.length), 0);
    nd_buffer_free(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_come_back_as_they_were_written),
        cmocka_unit_test(questions_and_their_messages_come_back),
        cmocka_unit_test(answers_come_back),
        cmocka_unit_test(events_and_log_lines_come_back),
        cmocka_unit_test(a_long_text_is_cut_and_still_read),
        cmocka_unit_test(nothing_but_the_whole_is_read),
        cmocka_unit_test(a_question_must_not_be_longer_than_its_message),
        cmocka_unit_test(control_characters_are_refused),
        cmocka_unit_test(only_names_of_headers_are_taken),
        cmocka_unit_test(a_header_of_another_type_or_length_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
