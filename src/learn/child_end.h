/* SPDX-License-Identifier: Apache-2.0
 *
 * The trainer's child's own end of its two pipes: what it is told and what it
 * says (frame.h), whatever it trains. One thread.
 */
#ifndef ND_LEARN_CHILD_END_H
#define ND_LEARN_CHILD_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "learn/child_messages.h"
#include "learn/frame.h"

/* Zero-initialise ({0}). */
struct nd_child_end {
    struct nd_buffer incoming;
    struct nd_buffer outgoing; /* frames to be sent; appended to by the user */
    size_t used;               /* bytes of incoming that the last frame took */
    uint64_t counter;          /* of the progress that was told */
    int64_t told_us;           /* when; 0: not in this stage */
    char stage[ND_CHILD_STAGE_BYTES];
};

/* First thing in the child: confines it (nd_confine_begin) and waits for the
 * SETTINGS frame, by which the caller then sets limits and closes the door
 * (confine.h) before it reads more. */
enum nd_status nd_child_end_begin(struct nd_child_end *end,
                                  struct nd_error *error,
                                  struct nd_frame *settings_r) ND_MUST_CHECK;

/* Waits for the next frame; its data are valid until the next call. ND_DATA
 * for what is none, ND_CANCELLED where the parent is gone. */
enum nd_status nd_child_end_next(struct nd_child_end *end,
                                 struct nd_error *error,
                                 struct nd_frame *frame_r) ND_MUST_CHECK;

/* The same; a frame of another type is ND_DATA. */
enum nd_status nd_child_end_expect(struct nd_child_end *end,
                                   enum nd_frame_type type,
                                   struct nd_error *error,
                                   struct nd_frame *frame_r) ND_MUST_CHECK;

/* Sends outgoing and clears it. */
enum nd_status nd_child_end_send(struct nd_child_end *end,
                                 struct nd_error *error) ND_MUST_CHECK;

/* Names what is done from now on; the parent is told at the next progress. */
void nd_child_end_stage(struct nd_child_end *end, const char *format, ...)
    ND_PRINTF(2, 3);

/* Tells the parent that work goes on, and how much of all is done (0 to 1);
 * often enough to be seen alive, seldom enough to cost nothing: call it as
 * often as you like. False where the parent is gone. */
bool nd_child_end_progress(struct nd_child_end *end, double done, double loss);

/* The child's end: a failure is told, and the process exits. */
_Noreturn void nd_child_end_finish(struct nd_child_end *end,
                                   enum nd_status status,
                                   const struct nd_error *error);

#endif
