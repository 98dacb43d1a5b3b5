/* SPDX-License-Identifier: Apache-2.0
 *
 * Trainer children that go wrong. They share nothing with the real one but
 * the frames, so that they can break any rule of the conversation.
 */
#include "misbehave.h"

#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "learn/child_messages.h"
#include "learn/frame.h"
#include "learn/trainer.h"

static char program[] = "test";
static char child_argument[] = "--misbehave";
static char manner_argument[32];
static char *const child_argv[] = {program, child_argument, manner_argument,
                                   NULL};

void misbehave_like(const char *manner)
{
    if (manner == NULL) {
        nd_trainer_set_command(NULL, NULL);
        return;
    }
    strncpy(manner_argument, manner, sizeof manner_argument - 1);
    nd_trainer_set_command("/proc/self/exe", child_argv);
}

static void say(struct nd_buffer *buffer)
{
    size_t sent = 0;
    while (sent < buffer->length) {
        ssize_t written =
            write(STDOUT_FILENO, buffer->data + sent, buffer->length - sent);
        if (written <= 0) {
            _exit(3);
        }
        sent += (size_t)written;
    }
    nd_buffer_clear(buffer);
}

static void say_progress(uint64_t counter)
{
    struct nd_buffer buffer = {0};
    struct nd_child_progress progress = {
        .counter = counter, .done = 0.5, .loss = 0.1, .stage = "test"};
    nd_child_write_progress(&progress, &buffer);
    say(&buffer);
    nd_buffer_free(&buffer);
}

static uint8_t judged_labels[100000];

/* Reads until the TRAIN frame and answers how many samples are judged. */
static uint32_t hear_all(void)
{
    struct nd_buffer incoming = {0};
    uint32_t judged = 0;
    for (;;) {
        struct nd_frame frame;
        size_t used;
        enum nd_status status =
            nd_frame_parse(incoming.data, incoming.length, ND_FRAME_PARENT,
                           NULL, &frame, &used);
        if (status == ND_NOTHING) {
            uint8_t *end = nd_buffer_reserve(&incoming, 65536);
            ssize_t length = read(STDIN_FILENO, end, 65536);
            if (length <= 0) {
                _exit(3);
            }
            incoming.length += (size_t)length;
            continue;
        }
        if (frame.type == ND_FRAME_TRAIN) {
            nd_buffer_free(&incoming);
            return judged;
        }
        struct nd_reader reader;
        struct nd_child_sample sample;
        nd_reader_init(&reader, frame.data, frame.length);
        while (frame.type == ND_FRAME_SAMPLES &&
               nd_child_read_sample(&reader, ND_CHILD_MAX_FOLDS, NULL,
                                    &sample) == ND_OK) {
            if (sample.fold != 0) {
                judged_labels[judged++] = sample.label;
            }
        }
        incoming.length -= used;
        memmove(incoming.data, incoming.data + used, incoming.length);
    }
}

/* Log-odds that are right, so that the candidate is promoted. */
static void say_judged(uint32_t count)
{
    struct nd_buffer buffer = {0};
    struct nd_child_judged judged = {.seed = 1, .count = count};
    judged.log_odds = calloc(count + 1, sizeof(double));
    for (uint32_t i = 0; i < count; i++) {
        judged.log_odds[i] = judged_labels[i] != 0 ? 2 : -2;
    }
    nd_child_write_judged(&judged, &buffer);
    say(&buffer);
    free(judged.log_odds);
    nd_buffer_free(&buffer);
}

static void say_raw(uint32_t magic, uint32_t type, uint32_t length,
                    const char *contents)
{
    struct nd_buffer buffer = {0};
    nd_buffer_u32(&buffer, magic);
    nd_buffer_u32(&buffer, type);
    nd_buffer_u32(&buffer, length);
    nd_buffer_append_text(&buffer, contents);
    say(&buffer);
    nd_buffer_free(&buffer);
}

#define MAGIC 0x3146444eU

static void do_die(void)
{
    _exit(7);
}

static void do_silence(void)
{
    (void)hear_all();
}

static void do_rubbish(void)
{
    (void)hear_all();
    say_raw(0x12345678, 1, 2, "whatever this is, it is no frame");
    (void)pause();
}

static void do_hang(void)
{
    say_progress(1);
    (void)hear_all();
    (void)pause();
}

static void do_stubborn(void)
{
    (void)signal(SIGTERM, SIG_IGN);
    (void)hear_all();
    for (;;) {
        (void)pause();
    }
}

static void do_cut(void)
{
    (void)hear_all();
    say_raw(MAGIC, ND_FRAME_MODEL, 1000, "only the beginning");
}

static void do_oversize(void)
{
    (void)hear_all();
    say_raw(MAGIC, ND_FRAME_MODEL, UINT32_MAX, "");
    (void)pause();
}

static void do_backward(void)
{
    (void)hear_all();
    say_progress(5);
    say_progress(5);
    (void)pause();
}

static void do_no_reading(void)
{
    (void)pause();
}

static void do_early_end(void)
{
    (void)close(STDIN_FILENO);
    (void)close(STDOUT_FILENO);
    (void)pause();
}

static void do_failure(void)
{
    struct nd_buffer buffer = {0};
    (void)hear_all();
    nd_child_write_failure(ND_DATA, "the loss stopped being a number", &buffer);
    say(&buffer);
}

static void do_abort(void)
{
    (void)hear_all();
    abort();
}

static void do_wrong_order(void)
{
    (void)hear_all();
    say_raw(MAGIC, ND_FRAME_MODEL, 4, "abcd");
    (void)pause();
}

static void do_wrong_count(void)
{
    say_judged(hear_all() + 1);
    (void)pause();
}

static void do_broken_model(void)
{
    say_judged(hear_all());
    say_raw(MAGIC, ND_FRAME_MODEL, 4, "abcd");
    (void)pause();
}

/* Works for ever: only its parent's limits end it. */
static void do_busy(void)
{
    (void)hear_all();
    for (uint64_t counter = 1;; counter++) {
        say_progress(counter);
        (void)usleep(10000);
    }
}

static void do_kill_parent(void)
{
    (void)hear_all();
    (void)kill(getppid(), SIGKILL);
    (void)pause();
}

static const struct {
    const char *name;
    void (*act)(void);
} manners[] = {
    {"die", do_die},
    {"silence", do_silence},
    {"rubbish", do_rubbish},
    {"hang", do_hang},
    {"stubborn", do_stubborn},
    {"cut", do_cut},
    {"oversize", do_oversize},
    {"backward", do_backward},
    {"no reading", do_no_reading},
    {"early end", do_early_end},
    {"failure", do_failure},
    {"abort", do_abort},
    {"wrong order", do_wrong_order},
    {"wrong count", do_wrong_count},
    {"broken model", do_broken_model},
    {"busy", do_busy},
    {"kill parent", do_kill_parent},
};

int misbehave_main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], ND_TRAINER_ARGUMENT) == 0) {
        return nd_trainer_child_main();
    }
    if (argc != 3 || strcmp(argv[1], "--misbehave") != 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof manners / sizeof manners[0]; i++) {
        if (strcmp(manners[i].name, argv[2]) == 0) {
            manners[i].act();
        }
    }
    return 0;
}

bool has_shadow_memory(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return true;
#endif
#endif
    return false;
}
