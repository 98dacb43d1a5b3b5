/* SPDX-License-Identifier: Apache-2.0
 *
 * A message as a mail server tells it to a milter, piece by piece, put together
 * again. Takes events in any order and any number; what does not belong is left
 * out. Knows neither libmilter nor the link.
 */
#ifndef ND_SERVE_MILTER_GATHER_H
#define ND_SERVE_MILTER_GATHER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "serve/link.h"

#define ND_GATHER_MOST_SUBJECT 4096U /* a longer one is not tagged */

/* What all open messages of a process share. Zero-initialise. */
struct nd_gather_room {
    atomic_size_t used_bytes; /* kept of all open messages */
    atomic_int open;          /* messages between their sender and their end */
};

/* One connection of a mail server. One thread at a time. */
struct nd_gather;
struct nd_gather *nd_gather_create(struct nd_gather_room *room) ND_MUST_CHECK;
/* Also gives back what an open message has of the room. NULL and a pointer to
 * NULL are accepted. */
void nd_gather_destroy(struct nd_gather **gather);

/* The client's host and address, and how it named itself. Texts may be NULL and
 * may have any bytes; they are made printable and cut. */
void nd_gather_client(struct nd_gather *gather, const char *host,
                      const char *address);
void nd_gather_helo(struct nd_gather *gather, const char *name);

/* A message begins, and an open one ends without a verdict. The settings hold
 * for this message. user is the client's name where it gave a password, NULL or
 * "" where it did not; wall_ms goes into the trace. False: a message was open
 * and was given up. */
bool nd_gather_begin(struct nd_gather *gather,
                     const struct nd_link_settings *settings,
                     const char *sender, const char *user, int64_t wall_ms);
/* A header field: value as libmilter gives it, with "\n" where it is folded;
 * spaced says that the blanks behind the colon are part of it. */
void nd_gather_header(struct nd_gather *gather, const char *name,
                      const char *value, bool spaced);
void nd_gather_end_of_headers(struct nd_gather *gather);
void nd_gather_body(struct nd_gather *gather, const uint8_t *data,
                    size_t length);

/* What has been gathered, until the next event. False where no message is open,
 * or nothing of it was kept because the room was full. */
bool nd_gather_question(struct nd_gather *gather, const char *queue_id,
                        struct nd_link_question *question_r);
/* Whether the message lost its place: the room was full. */
bool nd_gather_is_crowded(const struct nd_gather *gather);
/* The settings that the open message lives by. */
const struct nd_link_settings *nd_gather_settings(
    const struct nd_gather *gather);

/* How many fields of these names came from outside. */
uint32_t nd_gather_forged(const struct nd_gather *gather);
uint32_t nd_gather_forged_tags(const struct nd_gather *gather);
/* The first Subject's value, "" without one; NULL where it is too long. */
const char *nd_gather_subject(const struct nd_gather *gather);

/* The message is over, with a verdict or without. False: none was open. */
bool nd_gather_end(struct nd_gather *gather);

#endif
