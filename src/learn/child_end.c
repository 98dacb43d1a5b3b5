/* SPDX-License-Identifier: Apache-2.0
 *
 * The trainer's child's end of its pipes. It blocks wherever it waits: the
 * limits are its parent's to keep (child.c). It knows no training; that is
 * trainer_child.c's, and for rspamd's networks src/rspamd's.
 */
#include "learn/child_end.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "learn/confine.h"

#define CHUNK_BYTES 65536
#define PROGRESS_EVERY_US 100000

enum nd_status nd_child_end_send(struct nd_child_end *end,
                                 struct nd_error *error)
{
    size_t sent = 0;
    while (sent < end->outgoing.length) {
        ssize_t written = write(STDOUT_FILENO, end->outgoing.data + sent,
                                end->outgoing.length - sent);
        if (written < 0 && errno != EINTR) {
            return nd_fail_errno(error, "writing to the trainer");
        }
        sent += written > 0 ? (size_t)written : 0;
    }
    nd_buffer_clear(&end->outgoing);
    return ND_OK;
}

static enum nd_status read_more(struct nd_child_end *end,
                                struct nd_error *error)
{
    uint8_t *room = nd_buffer_reserve(&end->incoming, CHUNK_BYTES);
    ssize_t length = read(STDIN_FILENO, room, CHUNK_BYTES);
    if (length == 0) {
        return nd_fail(error, ND_CANCELLED, "the trainer is gone");
    }
    if (length < 0 && errno != EINTR) {
        return nd_fail_errno(error, "reading from the trainer");
    }
    end->incoming.length += length > 0 ? (size_t)length : 0;
    return ND_OK;
}

enum nd_status nd_child_end_next(struct nd_child_end *end,
                                 struct nd_error *error,
                                 struct nd_frame *frame_r)
{
    struct nd_buffer *incoming = &end->incoming;
    if (end->used > 0) {
        incoming->length -= end->used;
        memmove(incoming->data, incoming->data + end->used, incoming->length);
        end->used = 0;
    }
    for (;;) {
        size_t used;
        enum nd_status status =
            nd_frame_parse(incoming->data, incoming->length, ND_FRAME_PARENT,
                           error, frame_r, &used);
        if (status == ND_OK) {
            end->used = used;
        }
        if (status != ND_NOTHING) {
            return status;
        }
        status = read_more(end, error);
        if (status != ND_OK) {
            return status;
        }
    }
}

enum nd_status nd_child_end_expect(struct nd_child_end *end,
                                   enum nd_frame_type type,
                                   struct nd_error *error,
                                   struct nd_frame *frame_r)
{
    enum nd_status status = nd_child_end_next(end, error, frame_r);
    if (status == ND_OK && frame_r->type != type) {
        return nd_fail(error, ND_DATA,
                       "the trainer sent frame %d where %d was due",
                       (int)frame_r->type, (int)type);
    }
    return status;
}

void nd_child_end_stage(struct nd_child_end *end, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(end->stage, sizeof end->stage, format, arguments);
    va_end(arguments);
    end->told_us = 0;
}

bool nd_child_end_progress(struct nd_child_end *end, double done, double loss)
{
    int64_t now_us = nd_clock_monotonic_us();
    if (end->told_us != 0 && now_us - end->told_us < PROGRESS_EVERY_US) {
        return true;
    }
    end->told_us = now_us;
    struct nd_child_progress progress = {.counter = ++end->counter,
                                         .done = fmin(fmax(done, 0), 1),
                                         .loss = loss};
    memcpy(progress.stage, end->stage, sizeof progress.stage);
    nd_child_write_progress(&progress, &end->outgoing);
    struct nd_error ignored;
    return nd_child_end_send(end, &ignored) == ND_OK;
}

enum nd_status nd_child_end_begin(struct nd_child_end *end,
                                  struct nd_error *error,
                                  struct nd_frame *settings_r)
{
    const char *parent = getenv("NEURALD_PARENT");
    enum nd_status status =
        nd_confine_begin(parent != NULL ? strtol(parent, NULL, 10) : 0, error);
    if (status == ND_OK) {
        status = nd_hash_init(error);
    }
    return status == ND_OK
               ? nd_child_end_expect(end, ND_FRAME_SETTINGS, error, settings_r)
               : status;
}

_Noreturn void nd_child_end_finish(struct nd_child_end *end,
                                   enum nd_status status,
                                   const struct nd_error *error)
{
    struct nd_error ignored;
    enum nd_status told = ND_OK;
    if (status != ND_OK) {
        nd_buffer_clear(&end->outgoing);
        nd_child_write_failure(status, error->text, &end->outgoing);
        told = nd_child_end_send(end, &ignored);
    }
    /* No destructors: they would run under the filter, and nothing is owed. */
    _exit(status == ND_OK && told == ND_OK ? 0 : 1);
}
