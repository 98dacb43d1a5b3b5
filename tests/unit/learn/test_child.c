/* SPDX-License-Identifier: Apache-2.0
 *
 * The parent's handle on the trainer's child: whatever the child does, the
 * parent gets an answer in time, says what happened, and leaves no process
 * behind. (test_training.c shows the same through a whole training.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/random.h"
#include "learn/child.h"
#include "learn/trainer.h"
#include "misbehave.h"
#include "nn/model.h"
#include "store/sample.h"

static const struct nd_child_limits patient = {.time_ms = 20000,
                                               .idle_ms = 10000};

static int set_up(void **state)
{
    (void)signal(SIGPIPE, SIG_DFL); /* it must not matter */
    return nd_hash_init(NULL) == ND_OK ? 0 : -1;
}

/* Frames for a set of count samples that one symbol tells apart: slot 1 for
 * spam, slot 2 for ham; every fifth is held out. */
static void write_set(struct nd_buffer *frames, uint32_t count)
{
    struct nd_child_settings settings = {.sample_count = count,
                                         .families = 1,
                                         .registry_length = 40,
                                         .seed = 3,
                                         .seeds = 2,
                                         .folds = 1,
                                         .target_fpr = 0.01,
                                         .target_fnr = 0.01,
                                         .memory_bytes = (uint64_t)1 << 30,
                                         .cpu_seconds = 60,
                                         .threads = 2};
    nd_child_write_settings(&settings, frames);
    size_t start = nd_frame_begin(frames, ND_FRAME_SAMPLES);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slots[2] = {i % 2 == 0 ? 1 : 2, 3 + i % 30};
        struct nd_section section = {.family = 0, .count = 2, .slots = slots};
        struct nd_buffer payload = {0};
        assert_int_equal(nd_sample_encode(&section, 1, &payload, NULL), ND_OK);
        struct nd_child_sample sample = {.label = i % 2 == 0,
                                         .fold = i % 5 == 0,
                                         .time_ms = i,
                                         .payload = payload.data,
                                         .length = (uint32_t)payload.length};
        nd_child_write_sample(&sample, frames);
        nd_buffer_free(&payload);
    }
    nd_frame_end(frames, start);
    start = nd_frame_begin(frames, ND_FRAME_TRAIN);
    nd_frame_end(frames, start);
}

/* Waits for a frame other than progress. */
static enum nd_status hear(struct nd_child *child, struct nd_error *error,
                           struct nd_frame *frame_r)
{
    struct nd_child_progress progress;
    enum nd_status status;
    do {
        status = nd_child_receive(child, 200, error, frame_r, &progress);
    } while (status == ND_NOTHING ||
             (status == ND_OK && frame_r->type == ND_FRAME_PROGRESS));
    return status;
}

static void assert_no_child_is_left(void)
{
    int status;
    assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void the_real_child_judges_and_trains(void **state)
{
    struct nd_child *child;
    struct nd_error error = {""};
    struct nd_buffer frames = {0};
    misbehave_like(NULL);
    assert_int_equal(
        nd_child_start(&patient, ND_TRAINER_ARGUMENT, &error, &child), ND_OK);
    write_set(&frames, 100);
    assert_int_equal(nd_child_send(child, &frames, &error), ND_OK);
    struct nd_frame frame;
    if (hear(child, &error, &frame) != ND_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(frame.type, ND_FRAME_JUDGED);
    struct nd_child_judged judged;
    assert_int_equal(nd_child_read_judged(&frame, 20, &error, &judged), ND_OK);
    for (uint32_t i = 0; i < judged.count; i++) {
        /* Samples 0, 5, 10, ...: spam and ham by turns. */
        assert_int_equal(judged.log_odds[i] > 0, i % 2 == 0);
    }
    free(judged.log_odds);
    nd_buffer_clear(&frames);
    size_t start = nd_frame_begin(&frames, ND_FRAME_REFIT);
    nd_frame_end(&frames, start);
    assert_int_equal(nd_child_send(child, &frames, &error), ND_OK);
    assert_int_equal(hear(child, &error, &frame), ND_OK);
    assert_int_equal(frame.type, ND_FRAME_MODEL);
    struct nd_model *model;
    assert_int_equal(
        nd_model_read(frame.data, frame.length, NULL, &error, &model), ND_OK);
    assert_int_equal(model->figures.spam, 50);
    nd_model_destroy(&model);
    nd_child_stop(&child);
    assert_no_child_is_left();
    nd_buffer_free(&frames);
}

/* What a misbehaving child leads to, in how long at most. */
static void assert_ends(const char *manner, enum nd_status expected,
                        const char *words)
{
    const struct nd_child_limits strict = {.time_ms = 3000, .idle_ms = 300};
    struct nd_child *child;
    struct nd_error error = {""};
    struct nd_buffer frames = {0};
    struct nd_frame frame;
    misbehave_like(manner);
    int64_t begun_us = nd_clock_monotonic_us();
    assert_int_equal(
        nd_child_start(&strict, ND_TRAINER_ARGUMENT, &error, &child), ND_OK);
    write_set(&frames, 4000);
    enum nd_status status = nd_child_send(child, &frames, &error);
    if (status == ND_OK) {
        status = hear(child, &error, &frame);
    }
    nd_child_stop(&child);
    if (status != expected || strstr(error.text, words) == NULL) {
        fail_msg("%d, \"%s\" instead of \"%s\"", (int)status, error.text,
                 words);
    }
    assert_true(nd_clock_monotonic_us() - begun_us < 4500000);
    assert_null(child);
    assert_no_child_is_left();
    nd_buffer_free(&frames);
}

static void a_child_that_dies_at_once(void **state)
{
    assert_ends("die", ND_INTERNAL, "exit status 7");
}

static void a_child_that_answers_nothing(void **state)
{
    assert_ends("silence", ND_INTERNAL, "without an answer");
}

static void a_child_that_sends_rubbish(void **state)
{
    assert_ends("rubbish", ND_DATA, "no valid frame");
}

static void a_child_that_hangs(void **state)
{
    assert_ends("hang", ND_LIMIT, "no progress");
}

static void a_child_that_ignores_termination_is_killed(void **state)
{
    assert_ends("stubborn", ND_LIMIT, "no progress");
}

static void a_child_that_dies_in_mid_frame(void **state)
{
    assert_ends("cut", ND_INTERNAL, "without an answer");
}

static void a_length_beyond_the_limit_takes_no_memory(void **state)
{
    assert_ends("oversize", ND_DATA, "no valid frame");
}

static void progress_that_does_not_rise(void **state)
{
    assert_ends("backward", ND_DATA, "does not rise");
}

static void a_child_that_never_reads(void **state)
{
    assert_ends("no reading", ND_LIMIT, "no progress");
}

static void a_child_that_closes_its_pipes_and_lives_on(void **state)
{
    assert_ends("early end", ND_INTERNAL, "closed its pipe");
}

static void a_childs_own_words_are_passed_on(void **state)
{
    assert_ends("failure", ND_DATA, "the loss stopped being a number");
}

static void a_child_that_aborts_names_the_memory_limit(void **state)
{
    assert_ends("abort", ND_INTERNAL, "train_memory");
}

static void progress_without_end_meets_the_wall_clock(void **state)
{
    assert_ends("busy", ND_LIMIT, "train_time");
}

static void a_program_that_does_not_exist_is_an_error(void **state)
{
    static char name[] = "none";
    static char *const argv[] = {name, NULL};
    struct nd_child *child;
    struct nd_error error = {""};
    nd_trainer_set_command("/nonexistent/program", argv);
    assert_int_equal(
        nd_child_start(&patient, ND_TRAINER_ARGUMENT, &error, &child), ND_OS);
    assert_non_null(strstr(error.text, "/nonexistent/program"));
    assert_no_child_is_left();
    misbehave_like(NULL);
}

static void rubbish_as_a_sample_ends_the_real_child_with_a_reason(void **state)
{
    struct nd_child *child;
    struct nd_error error = {""};
    struct nd_buffer frames = {0};
    struct nd_frame frame;
    misbehave_like(NULL);
    assert_int_equal(
        nd_child_start(&patient, ND_TRAINER_ARGUMENT, &error, &child), ND_OK);
    write_set(&frames, 10);
    for (size_t i = 100; i < frames.length - 20; i++) {
        frames.data[i] = 0xff;
    }
    enum nd_status status = nd_child_send(child, &frames, &error);
    if (status == ND_OK) {
        status = hear(child, &error, &frame);
    }
    assert_int_equal(status, ND_DATA);
    assert_non_null(strstr(error.text, "the trainer child: "));
    nd_child_stop(&child);
    assert_no_child_is_left();
    nd_buffer_free(&frames);
}

static void too_little_memory_ends_the_child_and_not_the_parent(void **state)
{
    if (has_shadow_memory()) {
        skip();
    }
    struct nd_child *child;
    struct nd_error error = {""};
    struct nd_buffer frames = {0}, small = {0};
    struct nd_frame frame;
    misbehave_like(NULL);
    assert_int_equal(
        nd_child_start(&patient, ND_TRAINER_ARGUMENT, &error, &child), ND_OK);
    struct nd_child_settings settings = {.sample_count = ND_CHILD_MAX_SAMPLES,
                                         .families = 1,
                                         .registry_length = 1 << 20,
                                         .seeds = 1,
                                         .folds = 1,
                                         .memory_bytes = 8 << 20,
                                         .threads = 1};
    nd_child_write_settings(&settings, &small);
    enum nd_status status = nd_child_send(child, &small, &error);
    if (status == ND_OK) {
        status = hear(child, &error, &frame);
    }
    assert_int_equal(status, ND_INTERNAL);
    assert_non_null(strstr(error.text, "train_memory"));
    nd_child_stop(&child);
    assert_no_child_is_left();
    nd_buffer_free(&small);
    nd_buffer_free(&frames);
}

static void the_child_gets_no_secret_from_the_environment(void **state)
{
    struct nd_child *child;
    struct nd_error error = {""};
    char path[64], contents[8192];
    misbehave_like("no reading");
    assert_int_equal(setenv("NEURALD_TEST_PASSWORD", "hunter2", 1), 0);
    assert_int_equal(
        nd_child_start(&patient, ND_TRAINER_ARGUMENT, &error, &child), ND_OK);
    (void)snprintf(path, sizeof path, "/proc/%ld/environ",
                   nd_child_process(child));
    size_t length = 0;
    for (int i = 0; i < 1000 && length == 0; i++) {
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        length = fread(contents, 1, sizeof contents - 1, file);
        (void)fclose(file);
        (void)usleep(1000);
    }
    assert_true(length > 0);
    assert_null(memmem(contents, length, "hunter2", 7));
    nd_child_stop(&child);
    unsetenv("NEURALD_TEST_PASSWORD");
}

int main(int argc, char **argv)
{
    int answer = misbehave_main(argc, argv);
    if (answer >= 0) {
        return answer;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_real_child_judges_and_trains),
        cmocka_unit_test(a_child_that_dies_at_once),
        cmocka_unit_test(a_child_that_answers_nothing),
        cmocka_unit_test(a_child_that_sends_rubbish),
        cmocka_unit_test(a_child_that_hangs),
        cmocka_unit_test(a_child_that_ignores_termination_is_killed),
        cmocka_unit_test(a_child_that_dies_in_mid_frame),
        cmocka_unit_test(a_length_beyond_the_limit_takes_no_memory),
        cmocka_unit_test(progress_that_does_not_rise),
        cmocka_unit_test(a_child_that_never_reads),
        cmocka_unit_test(a_child_that_closes_its_pipes_and_lives_on),
        cmocka_unit_test(a_childs_own_words_are_passed_on),
        cmocka_unit_test(a_child_that_aborts_names_the_memory_limit),
        cmocka_unit_test(progress_without_end_meets_the_wall_clock),
        cmocka_unit_test(a_program_that_does_not_exist_is_an_error),
        cmocka_unit_test(rubbish_as_a_sample_ends_the_real_child_with_a_reason),
        cmocka_unit_test(too_little_memory_ends_the_child_and_not_the_parent),
        cmocka_unit_test(the_child_gets_no_secret_from_the_environment),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
