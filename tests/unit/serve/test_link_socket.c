/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames between processes: questions of many threads at once, deadlines, and
 * sides that go away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/link_socket.h"

#define MOST ((size_t)4 << 20)

static int64_t in_ms(int64_t milliseconds)
{
    return nd_clock_monotonic_us() + milliseconds * 1000;
}

/* ---- the daemon's side: answers with the queue id and the length ---- */

static void answer_one(int asker)
{
    struct nd_buffer frame = {0};
    struct nd_link_question question;
    if (nd_link_hear(asker, MOST, in_ms(5000), NULL, &frame, &question) ==
        ND_OK) {
        char text[100];
        (void)snprintf(text, sizeof(text), "%s %zu", question.queue_id,
                       question.length);
        struct nd_link_answer answer = {text, "", "", ""};
        (void)!nd_link_answer(asker, &answer, NULL);
    }
    nd_buffer_free(&frame);
    (void)close(asker);
}

static void *answer_all(void *context)
{
    struct nd_link_parcel parcel;
    while (nd_link_take(*(int *)context, NULL, &parcel) != ND_NOTHING) {
        if (parcel.asker >= 0) {
            answer_one(parcel.asker);
        }
    }
    return NULL;
}

/* ---- the worker's side ---- */

static struct nd_link_question question_of(const char *id, const uint8_t *data,
                                           size_t length)
{
    return (struct nd_link_question){.queue_id = id,
                                     .client = "",
                                     .sender = "",
                                     .message = data,
                                     .length = length,
                                     .full_length = length};
}

struct asking {
    int link;
    size_t length;
    int number, wrong;
};

static void *ask_often(void *context)
{
    struct asking *asking = context;
    uint8_t *data = nd_calloc(asking->length, 1);
    struct nd_buffer frame = {0};
    for (int i = 0; i < 50; i++) {
        char id[32], expected[64];
        (void)snprintf(id, sizeof(id), "%d-%d", asking->number, i);
        (void)snprintf(expected, sizeof(expected), "%s %zu", id,
                       asking->length);
        struct nd_link_question question =
            question_of(id, data, asking->length);
        struct nd_link_answer answer;
        enum nd_status status = nd_link_ask(
            asking->link, &question, in_ms(60000), NULL, &frame, &answer);
        if (status != ND_OK || strcmp(answer.header, expected) != 0) {
            asking->wrong++;
        }
    }
    nd_buffer_free(&frame);
    free(data);
    return NULL;
}

static void many_threads_ask_at_once_and_each_gets_its_answer(void **state)
{
    int ends[2];
    pthread_t askers[8], answerers[2];
    struct asking asking[8];
    assert_int_equal(nd_link_pair(NULL, ends), ND_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            pthread_create(&answerers[i], NULL, answer_all, &ends[0]), 0);
    }
    for (int i = 0; i < 8; i++) {
        /* Some are far larger than what a socket holds. */
        asking[i] = (struct asking){ends[1], i < 2 ? 1000000U : 3000U, i, 0};
        assert_int_equal(
            pthread_create(&askers[i], NULL, ask_often, &asking[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(askers[i], NULL), 0);
        assert_int_equal(asking[i].wrong, 0);
    }
    (void)shutdown(ends[0], SHUT_RDWR);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(answerers[i], NULL), 0);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void without_an_answer_the_deadline_holds(void **state)
{
    int ends[2];
    struct nd_buffer frame = {0};
    struct nd_link_answer answer;
    assert_int_equal(nd_link_pair(NULL, ends), ND_OK);
    for (size_t length = 10; length < MOST; length *= 1000) {
        uint8_t *data = nd_calloc(length, 1);
        struct nd_link_question question = question_of("a", data, length);
        int64_t start = nd_clock_monotonic_us();
        assert_int_equal(
            nd_link_ask(ends[1], &question, in_ms(200), NULL, &frame, &answer),
            ND_TEMPORARY);
        assert_true(nd_clock_monotonic_us() - start >= 200000);
        free(data);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
    nd_buffer_free(&frame);
}

static void a_full_link_waits_no_longer_than_the_deadline(void **state)
{
    int ends[2];
    struct nd_buffer frame = {0};
    struct nd_link_events events = {{0}};
    assert_int_equal(nd_link_pair(NULL, ends), ND_OK);
    nd_link_write_events(&events, &frame);
    enum nd_status status;
    do {
        status = nd_link_send(ends[1], &frame, NULL);
    } while (status == ND_OK);
    assert_int_equal(status, ND_BUSY);
    struct nd_link_question question =
        question_of("a", (const uint8_t *)"b", 1);
    struct nd_link_answer answer;
    assert_int_equal(
        nd_link_ask(ends[1], &question, in_ms(100), NULL, &frame, &answer),
        ND_TEMPORARY);
    (void)close(ends[0]);
    (void)close(ends[1]);
    nd_buffer_free(&frame);
}

static void a_daemon_that_is_gone_is_seen_at_once(void **state)
{
    int ends[2];
    struct nd_buffer frame = {0};
    struct nd_link_answer answer;
    struct nd_link_question question =
        question_of("a", (const uint8_t *)"b", 1);
    assert_int_equal(nd_link_pair(NULL, ends), ND_OK);
    (void)close(ends[0]);
    int64_t start = nd_clock_monotonic_us();
    assert_int_equal(
        nd_link_ask(ends[1], &question, in_ms(20000), NULL, &frame, &answer),
        ND_UNAVAILABLE);
    assert_true(nd_clock_monotonic_us() - start < 10000000);
    (void)close(ends[1]);
    nd_buffer_free(&frame);
}

/* Takes one question and goes away with it. */
static void *take_and_drop(void *context)
{
    struct nd_link_parcel parcel;
    if (nd_link_take(*(int *)context, NULL, &parcel) == ND_OK) {
        (void)close(parcel.asker);
    }
    return NULL;
}

static void a_question_that_is_dropped_is_seen_at_once(void **state)
{
    int ends[2];
    pthread_t dropper;
    struct nd_buffer frame = {0};
    struct nd_link_answer answer;
    struct nd_link_question question =
        question_of("a", (const uint8_t *)"b", 1);
    assert_int_equal(nd_link_pair(NULL, ends), ND_OK);
    assert_int_equal(pthread_create(&dropper, NULL, take_and_drop, &ends[0]),
                     0);
    assert_int_equal(
        nd_link_ask(ends[1], &question, in_ms(60000), NULL, &frame, &answer),
        ND_UNAVAILABLE);
    assert_int_equal(pthread_join(dropper, NULL), 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    nd_buffer_free(&frame);
}

static void an_asker_that_gave_up_is_not_heard(void **state)
{
    int ends[2];
    struct nd_buffer frame = {0};
    struct nd_link_answer answer;
    struct nd_link_parcel parcel;
    struct nd_link_question question =
        question_of("a", (const uint8_t *)"b", 1);
    assert_int_equal(nd_link_pair(NULL, ends), ND_OK);
    assert_int_equal(
        nd_link_ask(ends[1], &question, in_ms(50), NULL, &frame, &answer),
        ND_TEMPORARY);
    assert_int_equal(nd_link_take(ends[0], NULL, &parcel), ND_OK);
    assert_int_equal(parcel.type, ND_LINK_ASK);
    assert_int_equal(
        nd_link_hear(parcel.asker, MOST, in_ms(5000), NULL, &frame, &question),
        ND_UNAVAILABLE);
    (void)close(parcel.asker);
    (void)close(ends[0]);
    (void)close(ends[1]);
    nd_buffer_free(&frame);
}

static void a_question_over_the_limit_is_not_read(void **state)
{
    int pair[2];
    struct nd_buffer frame = {0};
    struct nd_link_question found;
    uint8_t *data = nd_calloc(20000, 1);
    struct nd_link_question question = question_of("a", data, 20000);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    nd_link_write_question(&question, &frame);
    assert_int_equal(write(pair[0], frame.data, frame.length), frame.length);
    assert_int_equal(
        nd_link_hear(pair[1], 10000, in_ms(1000), NULL, &frame, &found),
        ND_DATA);
    (void)close(pair[0]);
    (void)close(pair[1]);
    free(data);
    nd_buffer_free(&frame);
}

static void what_is_no_frame_is_refused_and_the_link_goes_on(void **state)
{
    int ends[2];
    struct nd_link_parcel parcel;
    struct nd_buffer frame = {0};
    struct nd_link_events events = {{7}};
    assert_int_equal(nd_link_pair(NULL, ends), ND_OK);
    assert_int_equal(send(ends[1], "nonsense", 8, 0), 8);
    assert_int_equal(nd_link_take(ends[0], NULL, &parcel), ND_DATA);
    /* An ask without its descriptor. */
    nd_link_end(&frame, nd_link_begin(&frame, ND_LINK_ASK));
    assert_int_equal(send(ends[1], frame.data, frame.length, 0), frame.length);
    assert_int_equal(nd_link_take(ends[0], NULL, &parcel), ND_DATA);
    nd_buffer_clear(&frame);
    nd_link_write_events(&events, &frame);
    assert_int_equal(nd_link_send(ends[1], &frame, NULL), ND_OK);
    assert_int_equal(nd_link_take(ends[0], NULL, &parcel), ND_OK);
    assert_int_equal(parcel.type, ND_LINK_EVENTS);
    assert_int_equal(parcel.asker, -1);
    (void)close(ends[1]);
    assert_int_equal(nd_link_take(ends[0], NULL, &parcel), ND_NOTHING);
    (void)close(ends[0]);
    nd_buffer_free(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads_ask_at_once_and_each_gets_its_answer),
        cmocka_unit_test(without_an_answer_the_deadline_holds),
        cmocka_unit_test(a_full_link_waits_no_longer_than_the_deadline),
        cmocka_unit_test(a_daemon_that_is_gone_is_seen_at_once),
        cmocka_unit_test(a_question_that_is_dropped_is_seen_at_once),
        cmocka_unit_test(an_asker_that_gave_up_is_not_heard),
        cmocka_unit_test(a_question_over_the_limit_is_not_read),
        cmocka_unit_test(what_is_no_frame_is_refused_and_the_link_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
