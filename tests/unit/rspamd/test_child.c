/* SPDX-License-Identifier: Apache-2.0
 *
 * Training for rspamd in a child: the same network as without one; and however
 * the child ends, the parent says why, in time, and leaves no process behind.
 */
#include "fixture.h"

#include <errno.h>
#include <math.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/hash.h"
#include "learn/child_messages.h"
#include "misbehave.h"
#include "rspamd/child.h"
#include "rspamd/child_messages.h"

#define WIDTH 40

static struct nd_vectors some_vectors(void)
{
    return made_up_vectors(300, WIDTH, 5);
}

/* Trains in a child that fails; what it says has these words. */
static void fails(const struct nd_vectors *vectors,
                  const struct nd_rspamd_child_options *options,
                  enum nd_status expected, const char *words)
{
    struct nd_rspamd_training training;
    struct nd_error error = {{0}};
    int64_t began_us = nd_clock_monotonic_us();
    enum nd_status status =
        nd_rspamd_train_apart(vectors, options, &error, &training);
    print_message("%s: %s\n", nd_status_name(status), error.text);
    assert_int_equal(status, expected);
    if (strstr(error.text, words) == NULL)
        fail_msg("no %s in: %s", words, error.text);
    assert_true(nd_clock_monotonic_us() - began_us < 20000000);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static enum nd_status count_ticks(bool went_on, void *context,
                                  struct nd_error *error)
{
    size_t *ticks = context;
    ticks[went_on]++;
    return ND_OK;
}

static void the_child_trains_what_its_parent_would(void **state)
{
    size_t ticks[2] = {0};
    struct nd_vectors vectors = some_vectors();
    struct nd_rspamd_training here, there;
    struct nd_rspamd_train_options plain = {.seed = 7};
    struct nd_rspamd_child_options apart = {
        .seed = 7, .tick = count_ticks, .context = ticks};
    struct nd_error error = {{0}};
    assert_int_equal(nd_rspamd_train(&vectors, &plain, &error, &here), ND_OK);
    if (nd_rspamd_train_apart(&vectors, &apart, &error, &there) != ND_OK)
        fail_msg("%s", error.text);
    struct nd_buffer first = {0}, second = {0};
    nd_kann_write(here.kann, &first);
    nd_kann_write(there.kann, &second);
    assert_int_equal(first.length, second.length);
    assert_memory_equal(first.data, second.data, first.length);
    assert_memory_equal(here.held_scores, there.held_scores,
                        vectors.count * sizeof(double));
    assert_memory_equal(here.thresholds, there.thresholds,
                        sizeof(here.thresholds));
    assert_memory_equal(&here.figures, &there.figures, sizeof(here.figures));
    assert_true(there.seconds > 0);
    assert_true(ticks[true] > 1);
    nd_buffer_free(&first);
    nd_buffer_free(&second);
    nd_rspamd_training_free(&here);
    nd_rspamd_training_free(&there);
    nd_vectors_free(&vectors);
}

static void its_memory_is_limited(void **state)
{
    struct nd_rspamd_child_options options = {.seed = 1,
                                              .memory_bytes = 2 << 20};
    struct nd_vectors vectors = made_up_vectors(2000, 1000, 5); /* 8 MB */
    if (!has_shadow_memory())
        fails(&vectors, &options, ND_INTERNAL, "train_memory");
    nd_vectors_free(&vectors);
}

static enum nd_status refuse(bool went_on, void *context,
                             struct nd_error *error)
{
    return nd_fail(error, ND_CANCELLED, "enough");
}

/* ... where it waits for the child, and for no other reason. */
static enum nd_status refuse_to_wait(bool went_on, void *context,
                                     struct nd_error *error)
{
    return went_on ? ND_OK : refuse(went_on, context, error);
}

static void the_parent_can_stop_a_child_that_does_not_read(void **state)
{
    struct nd_vectors vectors = made_up_vectors(500, 1000, 5);
    struct nd_rspamd_child_options options = {.seed = 1,
                                              .tick = refuse_to_wait};
    misbehave_like("no reading");
    fails(&vectors, &options, ND_CANCELLED, "enough");
    misbehave_like(NULL);
    nd_vectors_free(&vectors);
}

static void the_parent_can_stop_it(void **state)
{
    struct nd_rspamd_child_options options = {.seed = 1, .tick = refuse};
    struct nd_vectors vectors = some_vectors();
    fails(&vectors, &options, ND_CANCELLED, "enough");
    misbehave_like("stubborn");
    fails(&vectors, &options, ND_CANCELLED, "enough");
    misbehave_like(NULL);
    nd_vectors_free(&vectors);
}

static void what_goes_wrong_is_said(void **state)
{
    static const struct {
        const char *manner;
        int64_t time_ms, idle_ms;
        enum nd_status status;
        const char *words;
    } cases[] = {
        {"die", 0, 0, ND_INTERNAL, "exit status 7"},
        {"silence", 0, 0, ND_INTERNAL, "without an answer"},
        {"rubbish", 0, 0, ND_DATA, "no valid frame"},
        {"hang", 0, 300, ND_LIMIT, "no progress"},
        {"no reading", 0, 300, ND_LIMIT, "no progress"},
        {"oversize", 0, 0, ND_DATA, "no valid frame"},
        {"failure", 0, 0, ND_DATA, "the loss stopped"},
        {"abort", 0, 0, ND_INTERNAL, "signal 6"},
        {"wrong order", 0, 0, ND_DATA, "was due"},
        {"wrong count", 0, 0, ND_DATA, "judged"},
        {"busy", 500, 0, ND_LIMIT, "train_time"},
    };
    struct nd_vectors vectors = some_vectors();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct nd_rspamd_child_options options = {.seed = 1,
                                                  .time_ms = cases[i].time_ms,
                                                  .idle_ms = cases[i].idle_ms};
        print_message("%s\n", cases[i].manner);
        misbehave_like(cases[i].manner);
        fails(&vectors, &options, cases[i].status, cases[i].words);
    }
    misbehave_like(NULL);
    nd_vectors_free(&vectors);
}

/* A failure of ND_NOTHING is one, and no silence. */
static void labels_that_mean_nothing_are_a_failure(void **state)
{
    struct nd_vectors vectors = {0};
    const float row[] = {1, 0.5F, 0};
    struct nd_rspamd_child_options options = {.seed = 1};
    struct nd_rspamd_training training;
    struct nd_error error = {{0}};
    for (int i = 0; i < 100; i++)
        assert_int_equal(nd_vectors_add(&vectors, row, 3, i % 2, NULL), ND_OK);
    assert_int_equal(
        nd_rspamd_train_apart(&vectors, &options, &error, &training), ND_DATA);
    assert_non_null(strstr(error.text, "tells spam from ham"));
    nd_vectors_free(&vectors);
    assert_int_equal(
        nd_rspamd_train_apart(&vectors, &options, &error, &training),
        ND_NOTHING);
}

/* The contents of the frame that buffer holds. */
static struct nd_frame frame_in(const struct nd_buffer *buffer)
{
    return (struct nd_frame){.data = buffer->data + ND_FRAME_HEADER_BYTES,
                             .length = buffer->length - ND_FRAME_HEADER_BYTES};
}

static void malformed_vectors_and_settings_are_refused(void **state)
{
    struct nd_vectors vectors = some_vectors(), read = {0};
    struct nd_rspamd_child_settings settings = {.count = 1, .width = 0};
    struct nd_buffer buffer = {0};
    nd_rspamd_write_settings(&settings, &buffer);
    struct nd_frame frame = frame_in(&buffer);
    assert_int_equal(nd_rspamd_read_settings(&frame, NULL, &settings), ND_DATA);
    nd_buffer_clear(&buffer);
    assert_int_equal(nd_rspamd_write_vectors(&vectors, 0, &buffer),
                     vectors.count);
    frame = frame_in(&buffer);
    assert_int_equal(nd_rspamd_read_vectors(&frame, WIDTH, 299, NULL, &read),
                     ND_DATA); /* one too many */
    nd_vectors_free(&read);
    frame.length--;
    assert_int_equal(nd_rspamd_read_vectors(&frame, WIDTH, 300, NULL, &read),
                     ND_DATA);
    nd_vectors_free(&read);
    buffer.data[ND_FRAME_HEADER_BYTES] = 2; /* of no class */
    assert_int_equal(nd_rspamd_read_vectors(&frame, WIDTH, 300, NULL, &read),
                     ND_DATA);
    nd_vectors_free(&read);
    nd_vectors_free(&vectors);
    nd_buffer_free(&buffer);
}

static void a_network_that_does_not_fit_is_refused(void **state)
{
    struct nd_vectors vectors = some_vectors();
    struct nd_rspamd_train_options plain = {.seed = 7};
    struct nd_rspamd_training training;
    struct nd_kann *kann = NULL;
    struct nd_buffer buffer = {0};
    double thresholds[2] = {0.5, NAN};
    assert_int_equal(nd_rspamd_train(&vectors, &plain, NULL, &training), ND_OK);
    nd_rspamd_write_model(training.kann, thresholds, &buffer);
    struct nd_frame frame = frame_in(&buffer);
    assert_int_equal(
        nd_rspamd_read_model(&frame, WIDTH, NULL, &kann, thresholds), ND_DATA);
    nd_buffer_clear(&buffer);
    nd_rspamd_write_model(training.kann, training.thresholds, &buffer);
    frame = frame_in(&buffer);
    assert_int_equal(
        nd_rspamd_read_model(&frame, WIDTH + 1, NULL, &kann, thresholds),
        ND_DATA);
    frame.length -= 4;
    assert_int_equal(
        nd_rspamd_read_model(&frame, WIDTH, NULL, &kann, thresholds), ND_DATA);
    nd_buffer_free(&buffer);
    nd_rspamd_training_free(&training);
    nd_vectors_free(&vectors);
}

static int set_up(void **state)
{
    return nd_hash_init(NULL) == ND_OK ? 0 : -1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], ND_RSPAMD_CHILD_ARGUMENT) == 0)
        return nd_rspamd_child_main();
    int child = misbehave_main(argc, argv);
    if (child >= 0)
        return child;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_child_trains_what_its_parent_would),
        cmocka_unit_test(its_memory_is_limited),
        cmocka_unit_test(the_parent_can_stop_it),
        cmocka_unit_test(the_parent_can_stop_a_child_that_does_not_read),
        cmocka_unit_test(what_goes_wrong_is_said),
        cmocka_unit_test(labels_that_mean_nothing_are_a_failure),
        cmocka_unit_test(malformed_vectors_and_settings_are_refused),
        cmocka_unit_test(a_network_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
