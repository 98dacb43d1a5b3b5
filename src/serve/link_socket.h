/* SPDX-License-Identifier: Apache-2.0
 *
 * The link's descriptors. One pair of sockets joins worker and daemon for as
 * long as the daemon lives; it keeps the bounds of messages, so that several
 * threads may send and take on each end. A question travels on a pair of its
 * own, whose other end goes through the link: whoever takes it answers there,
 * and a question whose asker has gone shows as closed.
 */
#ifndef ND_SERVE_LINK_SOCKET_H
#define ND_SERVE_LINK_SOCKET_H

#include "serve/link.h"

/* The pair that joins both processes, close-on-exec. ND_OS, ND_IO. */
enum nd_status nd_link_pair(struct nd_error *error,
                            int ends_r[2]) ND_MUST_CHECK;

/* Sends a small frame (not a question, not an ask); never waits. ND_BUSY where
 * the link is full, ND_UNAVAILABLE where the other side is gone. Any thread. */
enum nd_status nd_link_send(int link, const struct nd_buffer *frame,
                            struct nd_error *error) ND_MUST_CHECK;

/* What came through the link: type's contents are in data, or asker is a
 * descriptor that the caller closes (ND_LINK_ASK). */
struct nd_link_parcel {
    uint32_t type;
    int asker; /* -1: none */
    size_t length;
    uint8_t data[ND_LINK_MOST_SMALL];
};
/* Waits for a frame without end. ND_NOTHING once the other side is gone or the
 * link was shut down; ND_DATA for what is no frame (the link goes on). Any
 * thread: each frame goes to one. */
enum nd_status nd_link_take(int link, struct nd_error *error,
                            struct nd_link_parcel *parcel_r) ND_MUST_CHECK;

/* Asks and waits until until_us (nd_clock_monotonic_us). The answer's frame
 * replaces what is in frame, and answer_r points into it. ND_TEMPORARY when the
 * time is over, ND_UNAVAILABLE where nobody answers, ND_DATA for a malformed
 * answer, ND_IO. Any thread. */
enum nd_status nd_link_ask(int link, const struct nd_link_question *question,
                           int64_t until_us, struct nd_error *error,
                           struct nd_buffer *frame,
                           struct nd_link_answer *answer_r) ND_MUST_CHECK;

/* Receives the question of an asker; its frame replaces what is in frame, and
 * question_r points into it. max_message bounds the message. ND_UNAVAILABLE
 * where the asker has given up, ND_TEMPORARY when the time is over, ND_DATA. */
enum nd_status nd_link_hear(int asker, size_t max_message, int64_t until_us,
                            struct nd_error *error, struct nd_buffer *frame,
                            struct nd_link_question *question_r) ND_MUST_CHECK;

/* Answers an asker. ND_UNAVAILABLE where it has gone. */
enum nd_status nd_link_answer(int asker, const struct nd_link_answer *answer,
                              struct nd_error *error) ND_MUST_CHECK;

#endif
