/* SPDX-License-Identifier: Apache-2.0
 *
 * What the milter's worker and the daemon say to each other: questions about
 * messages, answers, and the settings that the worker lives by. Each is one
 * frame: magic, type and length (little-endian, 12 bytes), then the contents.
 * Lengths are checked before memory is taken. Readers without I/O;
 * link_socket.h carries the frames.
 */
#ifndef ND_SERVE_LINK_H
#define ND_SERVE_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

enum nd_link_type {
    ND_LINK_SETTINGS = 1, /* daemon to worker: how to live, from now on */
    ND_LINK_STOP,         /* daemon to worker: finish what is open, and end */
    ND_LINK_ASK,          /* worker to daemon: a descriptor to answer on */
    ND_LINK_EVENTS,       /* worker to daemon: what happened without it */
    ND_LINK_LOG,          /* worker to daemon: a line for the log */
    ND_LINK_QUESTION,     /* on that descriptor, to the daemon */
    ND_LINK_ANSWER,       /* on that descriptor, to the worker */
};

#define ND_LINK_HEADER_BYTES 12U
#define ND_LINK_MOST_SMALL 8192U  /* contents of all types but a question */
#define ND_LINK_FACTS_BYTES 4096U /* of a question, beside its message */

/* Frames: the same two steps for every type. */
size_t nd_link_begin(struct nd_buffer *buffer,
                     enum nd_link_type type) ND_MUST_CHECK;
void nd_link_end(struct nd_buffer *buffer, size_t start);

/* Reads a frame's header, which has to be of this type with at most limit
 * bytes of contents. ND_DATA for anything else. data has
 * ND_LINK_HEADER_BYTES. */
enum nd_status nd_link_header(const uint8_t *data, enum nd_link_type type,
                              size_t limit, struct nd_error *error,
                              size_t *length_r) ND_MUST_CHECK;
/* The type alone of a frame that begins like this; 0 where it is none. */
uint32_t nd_link_type_of(const uint8_t *data, size_t length);

/* ---- settings ---- */

#define ND_LINK_NAME_BYTES 64 /* of a header's name, with its NUL */

/* What the worker needs to know. Verdicts and what follows from them are
 * decided in the daemon. */
struct nd_link_settings {
    char header[ND_LINK_NAME_BYTES];     /* ours: "X-Neurald" */
    char tag_header[ND_LINK_NAME_BYTES]; /* name of the tag's; "" none */
    uint32_t deadline_ms;                /* for a verdict */
    uint64_t max_message;                /* bytes that are kept of one */
    uint64_t max_memory;                 /* bytes kept of all open ones */
};
void nd_link_write_settings(const struct nd_link_settings *settings,
                            struct nd_buffer *buffer);
/* Contents of a frame. ND_DATA where they are not what was written, or a name
 * is no header's. */
enum nd_status nd_link_read_settings(
    const uint8_t *data, size_t length, struct nd_error *error,
    struct nd_link_settings *settings_r) ND_MUST_CHECK;

/* Whether text may be a header's name (RFC 5322, 2.2): printable, without
 * blanks and colons, and short enough for the array above. */
bool nd_link_is_header_name(const char *text);

/* ---- questions and answers ---- */

/* Texts are never NULL and have no control characters but in message. */
struct nd_link_question {
    const char *queue_id; /* of the mail server; "" unknown */
    const char *client;   /* "host [address]" */
    const char *sender;   /* of the envelope */
    bool authenticated;   /* the client gave a valid password */
    const uint8_t *message;
    size_t length;
    uint64_t full_length; /* of the message as it came; >= length */
};
/* Appends all of the question's frame but the message itself, which the sender
 * lets follow. */
void nd_link_write_question(const struct nd_link_question *question,
                            struct nd_buffer *buffer);
/* Pointers are into data. */
enum nd_status nd_link_read_question(
    const uint8_t *data, size_t length, struct nd_error *error,
    struct nd_link_question *question_r) ND_MUST_CHECK;

/* What is to be done with a message. Texts are never NULL, of printable
 * characters, and fit into one header line. */
struct nd_link_answer {
    const char *header;      /* our header's value */
    const char *subject_tag; /* to go in front of the subject; "" nothing */
    const char *tag_value;   /* of the tag's header; "" none is added */
    const char *quarantine;  /* why it is held; "" it is not */
};
void nd_link_write_answer(const struct nd_link_answer *answer,
                          struct nd_buffer *buffer);
/* Pointers are into data. */
enum nd_status nd_link_read_answer(
    const uint8_t *data, size_t length, struct nd_error *error,
    struct nd_link_answer *answer_r) ND_MUST_CHECK;

/* ---- events and log ---- */

/* What the worker saw and the daemon cannot know. */
enum nd_link_event {
    ND_LINK_LATE,    /* no verdict within the deadline */
    ND_LINK_GONE,    /* the daemon did not answer: stopping, or dead */
    ND_LINK_CROWDED, /* not kept: open messages had all of max_memory */
    ND_LINK_ABORTED, /* the client or server gave it up: no message */
    ND_LINK_FORGED,  /* headers with our names that came from outside */
    ND_LINK_REFUSED, /* changes that the mail server did not take */
    ND_LINK_EVENT_COUNT
};
/* "late", ...; static. */
const char *nd_link_event_name(enum nd_link_event event);

/* Counts since the last frame of them. */
struct nd_link_events {
    uint64_t of[ND_LINK_EVENT_COUNT];
};
void nd_link_write_events(const struct nd_link_events *events,
                          struct nd_buffer *buffer);
enum nd_status nd_link_read_events(
    const uint8_t *data, size_t length, struct nd_error *error,
    struct nd_link_events *events_r) ND_MUST_CHECK;

/* A line of the worker's log; level is an enum nd_log_level. A line that is
 * too long is cut; line_r points into data. */
void nd_link_write_log(unsigned level, const char *line,
                       struct nd_buffer *buffer);
enum nd_status nd_link_read_log(const uint8_t *data, size_t length,
                                struct nd_error *error, unsigned *level_r,
                                const char **line_r) ND_MUST_CHECK;

#endif
