/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames between trainer and child: what one side builds the other reads, and
 * nothing else is read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learn/child_messages.h"
#include "learn/frame.h"

static void a_frame_comes_back_as_it_was_built(void **state)
{
    struct nd_buffer buffer = {0};
    size_t start = nd_frame_begin(&buffer, ND_FRAME_MODEL);
    nd_buffer_append(&buffer, "weights", 7);
    nd_frame_end(&buffer, start);
    struct nd_frame frame;
    size_t used;
    assert_int_equal(nd_frame_parse(buffer.data, buffer.length, ND_FRAME_CHILD,
                                    NULL, &frame, &used),
                     ND_OK);
    assert_int_equal(frame.type, ND_FRAME_MODEL);
    assert_int_equal(frame.length, 7);
    assert_memory_equal(frame.data, "weights", 7);
    assert_int_equal(used, buffer.length);
    nd_buffer_free(&buffer);
}

static void every_cut_of_a_frame_is_incomplete_and_says_what_is_missing(
    void **state)
{
    struct nd_buffer buffer = {0};
    size_t start = nd_frame_begin(&buffer, ND_FRAME_SAMPLES);
    nd_buffer_append(&buffer, "0123456789", 10);
    nd_frame_end(&buffer, start);
    for (size_t cut = 0; cut < buffer.length; cut++) {
        struct nd_frame frame;
        size_t used = 0;
        assert_int_equal(nd_frame_parse(buffer.data, cut, ND_FRAME_PARENT, NULL,
                                        &frame, &used),
                         ND_NOTHING);
        assert_int_equal(used, cut < ND_FRAME_HEADER_BYTES
                                   ? ND_FRAME_HEADER_BYTES
                                   : buffer.length);
    }
    nd_buffer_free(&buffer);
}

static enum nd_status parse_header(uint32_t magic, uint32_t type,
                                   uint32_t length, enum nd_frame_side writer)
{
    struct nd_buffer buffer = {0};
    nd_buffer_u32(&buffer, magic);
    nd_buffer_u32(&buffer, type);
    nd_buffer_u32(&buffer, length);
    struct nd_frame frame;
    struct nd_error error = {""};
    size_t used;
    enum nd_status status = nd_frame_parse(buffer.data, buffer.length, writer,
                                           &error, &frame, &used);
    assert_true(status != ND_DATA || error.text[0] != '\0');
    nd_buffer_free(&buffer);
    return status;
}

#define MAGIC 0x3146444eU

static void a_wrong_magic_type_or_length_is_refused_by_the_header_alone(
    void **state)
{
    assert_int_equal(parse_header(MAGIC, ND_FRAME_PROGRESS, 24, ND_FRAME_CHILD),
                     ND_NOTHING);
    assert_int_equal(
        parse_header(MAGIC + 1, ND_FRAME_PROGRESS, 24, ND_FRAME_CHILD),
        ND_DATA);
    assert_int_equal(parse_header(MAGIC, 99, 0, ND_FRAME_CHILD), ND_DATA);
    assert_int_equal(
        parse_header(MAGIC, ND_FRAME_PROGRESS, 257, ND_FRAME_CHILD), ND_DATA);
    assert_int_equal(
        parse_header(MAGIC, ND_FRAME_MODEL, UINT32_MAX, ND_FRAME_CHILD),
        ND_DATA);
    assert_int_equal(parse_header(MAGIC, ND_FRAME_MODEL, ND_FRAME_MAX_MODEL + 1,
                                  ND_FRAME_CHILD),
                     ND_DATA);
}

static void each_side_may_only_send_its_own_types(void **state)
{
    assert_int_equal(parse_header(MAGIC, ND_FRAME_REFIT, 0, ND_FRAME_CHILD),
                     ND_DATA);
    assert_int_equal(parse_header(MAGIC, ND_FRAME_MODEL, 0, ND_FRAME_PARENT),
                     ND_DATA);
    assert_int_equal(parse_header(MAGIC, ND_FRAME_REFIT, 0, ND_FRAME_PARENT),
                     ND_OK);
}

/* The one frame in buffer. */
static struct nd_frame only_frame(const struct nd_buffer *buffer,
                                  enum nd_frame_side writer)
{
    struct nd_frame frame;
    size_t used;
    assert_int_equal(nd_frame_parse(buffer->data, buffer->length, writer, NULL,
                                    &frame, &used),
                     ND_OK);
    return frame;
}

static const struct nd_child_settings sound = {.sample_count = 40,
                                               .families = 3,
                                               .registry_length = 12,
                                               .seed = 7,
                                               .seeds = 2,
                                               .folds = 5,
                                               .target_fpr = 0.001,
                                               .target_fnr = 0.01,
                                               .memory_bytes = 1000000,
                                               .cpu_seconds = 60,
                                               .nice = -3,
                                               .threads = 2};

static void settings_come_back(void **state)
{
    struct nd_buffer buffer = {0};
    nd_child_write_settings(&sound, &buffer);
    struct nd_frame frame = only_frame(&buffer, ND_FRAME_PARENT);
    struct nd_child_settings settings;
    assert_int_equal(nd_child_read_settings(&frame, NULL, &settings), ND_OK);
    assert_int_equal(settings.sample_count, 40);
    assert_int_equal(settings.folds, 5);
    assert_int_equal(settings.nice, -3);
    assert_int_equal(settings.threads, 2);
    assert_true(settings.target_fnr == 0.01);
    nd_buffer_free(&buffer);
}

static void settings_out_of_range_or_cut_are_refused(void **state)
{
    struct nd_child_settings bad[5] = {sound, sound, sound, sound, sound};
    bad[0].folds = 0;
    bad[1].sample_count = ND_CHILD_MAX_SAMPLES + 1;
    bad[2].target_fpr = NAN;
    bad[3].families = 1U << 31;
    bad[4].threads = 0;
    for (size_t i = 0; i < 5; i++) {
        struct nd_buffer buffer = {0};
        nd_child_write_settings(&bad[i], &buffer);
        struct nd_frame frame = only_frame(&buffer, ND_FRAME_PARENT);
        struct nd_child_settings settings;
        assert_int_equal(nd_child_read_settings(&frame, NULL, &settings),
                         ND_DATA);
        frame.length--;
        assert_int_equal(nd_child_read_settings(&frame, NULL, &settings),
                         ND_DATA);
        nd_buffer_free(&buffer);
    }
}

static void samples_come_back_in_order_and_rubbish_is_refused(void **state)
{
    struct nd_buffer buffer = {0};
    struct nd_child_sample sent = {
        .label = 1, .fold = 1, .time_ms = -5, .payload = "abc", .length = 3};
    nd_child_write_sample(&sent, &buffer);
    sent.label = 0;
    sent.length = 0;
    nd_child_write_sample(&sent, &buffer);
    struct nd_reader reader;
    struct nd_child_sample sample;
    nd_reader_init(&reader, buffer.data, buffer.length);
    assert_int_equal(nd_child_read_sample(&reader, 1, NULL, &sample), ND_OK);
    assert_int_equal(sample.time_ms, -5);
    assert_memory_equal(sample.payload, "abc", 3);
    assert_int_equal(nd_child_read_sample(&reader, 1, NULL, &sample), ND_OK);
    assert_int_equal(sample.label, 0);
    assert_int_equal(nd_child_read_sample(&reader, 1, NULL, &sample),
                     ND_NOTHING);
    nd_reader_init(&reader, buffer.data, buffer.length);
    assert_int_equal(nd_child_read_sample(&reader, 0, NULL, &sample), ND_DATA);
    nd_reader_init(&reader, buffer.data, 16);
    assert_int_equal(nd_child_read_sample(&reader, 1, NULL, &sample), ND_DATA);
    nd_buffer_free(&buffer);
}

static void progress_is_made_printable_and_kept_within_0_and_1(void **state)
{
    struct nd_buffer buffer = {0};
    struct nd_child_progress progress = {
        .counter = 4, .done = 0.5, .loss = NAN, .stage = "one\033[2Jtwo"};
    nd_child_write_progress(&progress, &buffer);
    struct nd_frame frame = only_frame(&buffer, ND_FRAME_CHILD);
    struct nd_child_progress read;
    assert_int_equal(nd_child_read_progress(&frame, NULL, &read), ND_OK);
    assert_string_equal(read.stage, "one?[2Jtwo");
    assert_int_equal(read.counter, 4);
    assert_true(isnan(read.loss));
    nd_buffer_clear(&buffer);
    progress.done = NAN;
    nd_child_write_progress(&progress, &buffer);
    frame = only_frame(&buffer, ND_FRAME_CHILD);
    assert_int_equal(nd_child_read_progress(&frame, NULL, &read), ND_DATA);
    nd_buffer_free(&buffer);
}

static void judged_samples_must_be_as_many_as_were_sent(void **state)
{
    double odds[3] = {-2.5, 0, 9};
    struct nd_buffer buffer = {0};
    struct nd_child_judged judged = {
        .seed = 9, .thrown_away = 1, .count = 3, .log_odds = odds};
    nd_child_write_judged(&judged, &buffer);
    struct nd_frame frame = only_frame(&buffer, ND_FRAME_CHILD);
    struct nd_child_judged read;
    assert_int_equal(nd_child_read_judged(&frame, 2, NULL, &read), ND_DATA);
    assert_int_equal(nd_child_read_judged(&frame, 4, NULL, &read), ND_DATA);
    assert_int_equal(nd_child_read_judged(&frame, 3, NULL, &read), ND_OK);
    assert_true(read.log_odds[0] == -2.5 && read.log_odds[2] == 9);
    assert_int_equal(read.seed, 9);
    free(read.log_odds);
    odds[1] = INFINITY;
    nd_buffer_clear(&buffer);
    nd_child_write_judged(&judged, &buffer);
    frame = only_frame(&buffer, ND_FRAME_CHILD);
    assert_int_equal(nd_child_read_judged(&frame, 3, NULL, &read), ND_DATA);
    nd_buffer_free(&buffer);
}

static void a_failure_keeps_its_status_and_text_but_never_success(void **state)
{
    struct nd_buffer buffer = {0};
    struct nd_error error;
    nd_child_write_failure(ND_LIMIT, "too\nmuch", &buffer);
    struct nd_frame frame = only_frame(&buffer, ND_FRAME_CHILD);
    assert_int_equal(nd_child_read_failure(&frame, &error), ND_LIMIT);
    assert_string_equal(error.text, "the trainer child: too?much");
    nd_buffer_clear(&buffer);
    nd_child_write_failure(ND_OK, "", &buffer);
    frame = only_frame(&buffer, ND_FRAME_CHILD);
    assert_int_equal(nd_child_read_failure(&frame, &error), ND_INTERNAL);
    frame.length = 2;
    assert_int_equal(nd_child_read_failure(&frame, &error), ND_INTERNAL);
    nd_buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_comes_back_as_it_was_built),
        cmocka_unit_test(
            every_cut_of_a_frame_is_incomplete_and_says_what_is_missing),
        cmocka_unit_test(
            a_wrong_magic_type_or_length_is_refused_by_the_header_alone),
        cmocka_unit_test(each_side_may_only_send_its_own_types),
        cmocka_unit_test(settings_come_back),
        cmocka_unit_test(settings_out_of_range_or_cut_are_refused),
        cmocka_unit_test(samples_come_back_in_order_and_rubbish_is_refused),
        cmocka_unit_test(progress_is_made_printable_and_kept_within_0_and_1),
        cmocka_unit_test(judged_samples_must_be_as_many_as_were_sent),
        cmocka_unit_test(a_failure_keeps_its_status_and_text_but_never_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
