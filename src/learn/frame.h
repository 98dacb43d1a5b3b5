/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames: what travels through the pipes between a trainer and its child. A
 * header of 12 bytes (magic, type, length, little-endian), then the contents.
 * Each type has a largest length, checked before memory is taken, and a
 * direction; anything else is malformed. A parser without I/O.
 */
#ifndef ND_LEARN_FRAME_H
#define ND_LEARN_FRAME_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

enum nd_frame_type {
    /* to the child */
    ND_FRAME_SETTINGS = 1, /* first; once */
    ND_FRAME_SAMPLES = 2,  /* any number; of src/rspamd: vectors */
    ND_FRAME_TRAIN = 3,    /* all samples are there: fit the candidates */
    ND_FRAME_REFIT = 4,    /* the candidate won: fit it on all samples */
    /* from the child */
    ND_FRAME_PROGRESS = 16,
    ND_FRAME_JUDGED = 17, /* the best candidate's held-out log-odds */
    ND_FRAME_MODEL = 18,  /* the refitted model file; the last frame */
    ND_FRAME_FAILURE = 19 /* why there is none; the last frame */
};

/* Who wrote the bytes that are being read. */
enum nd_frame_side { ND_FRAME_PARENT, ND_FRAME_CHILD };

#define ND_FRAME_HEADER_BYTES 12
#define ND_FRAME_MAX_MODEL (64U << 20)
#define ND_FRAME_MAX_SAMPLES (4U << 20)

struct nd_frame {
    enum nd_frame_type type;
    const uint8_t *data; /* inside the bytes that were parsed */
    size_t length;
};

/* Starts a frame in buffer; contents are appended, then nd_frame_end with the
 * answer sets the length. */
size_t nd_frame_begin(struct nd_buffer *buffer,
                      enum nd_frame_type type) ND_MUST_CHECK;
void nd_frame_end(struct nd_buffer *buffer, size_t start);

/* Parses the frame at the start of what writer sent. used_r is its whole size.
 * ND_NOTHING while it is incomplete: then used_r is how many bytes it will
 * have as far as that is known (at least ND_FRAME_HEADER_BYTES). ND_DATA for
 * a wrong magic, type or length. */
enum nd_status nd_frame_parse(const void *data, size_t length,
                              enum nd_frame_side writer, struct nd_error *error,
                              struct nd_frame *frame_r,
                              size_t *used_r) ND_MUST_CHECK;

#endif
