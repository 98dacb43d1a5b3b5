/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames through sockets, with deadlines. The link itself (SOCK_SEQPACKET)
 * never carries a message of mail, only descriptors and small frames, so that
 * no thread waits behind another one's four megabytes, and a worker or daemon
 * that was stopped in mid-write leaves no half frame behind. What is said is
 * link.c's.
 */
#include "serve/link_socket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"

#define MOST_FRAME (ND_LINK_HEADER_BYTES + ND_LINK_MOST_SMALL)

static enum nd_status is_gone(struct nd_error *error)
{
    return nd_fail(error, ND_UNAVAILABLE,
                   "the other side of the milter's link is gone");
}

/* The status of a failed call; ND_BUSY where it would have waited. */
static enum nd_status of_errno(struct nd_error *error)
{
    switch (errno) {
    case EAGAIN:
        return nd_fail(error, ND_BUSY, "the milter's link is full");
    case EPIPE:
    case ECONNRESET:
    case ECONNREFUSED:
    case ENOTCONN:
        return is_gone(error);
    default:
        return nd_fail_errno(error, "the milter's link");
    }
}

enum nd_status nd_link_pair(struct nd_error *error, int ends_r[2])
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return nd_fail_errno(error, "no pair of sockets for the milter");
    }
    ends_r[0] = ends[0];
    ends_r[1] = ends[1];
    return ND_OK;
}

/* ---- the link ---- */

union control {
    struct cmsghdr header; /* for its alignment */
    char bytes[CMSG_SPACE(sizeof(int))];
};

/* Sends bytes, and with them a descriptor unless it is -1. */
static enum nd_status send_parcel(int link, const struct nd_buffer *frame,
                                  int descriptor, struct nd_error *error)
{
    struct iovec part = {frame->data, frame->length};
    union control control = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(link, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? of_errno(error) : ND_OK;
}

enum nd_status nd_link_send(int link, const struct nd_buffer *frame,
                            struct nd_error *error)
{
    return send_parcel(link, frame, -1, error);
}

static int descriptor_of(struct msghdr *message)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    int descriptor = -1;
    if (header != NULL && header->cmsg_level == SOL_SOCKET &&
        header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int))) {
        memcpy(&descriptor, CMSG_DATA(header), sizeof(int));
    }
    return descriptor;
}

/* What was received, checked. */
static enum nd_status open_parcel(const uint8_t *data, size_t length,
                                  struct nd_error *error,
                                  struct nd_link_parcel *parcel)
{
    size_t contents = 0;
    uint32_t type = nd_link_type_of(data, length);
    if (length < ND_LINK_HEADER_BYTES) {
        return nd_fail(error, ND_DATA, "the milter's link carries no frame");
    }
    enum nd_status status = nd_link_header(
        data, (enum nd_link_type)type, ND_LINK_MOST_SMALL, error, &contents);
    if (status != ND_OK) {
        return status;
    }
    if (contents != length - ND_LINK_HEADER_BYTES ||
        (type == ND_LINK_ASK) != (parcel->asker >= 0)) {
        return nd_fail(error, ND_DATA,
                       "the milter's link carries a frame that is not whole");
    }
    parcel->type = type;
    parcel->length = contents;
    memcpy(parcel->data, data + ND_LINK_HEADER_BYTES, contents);
    return ND_OK;
}

enum nd_status nd_link_take(int link, struct nd_error *error,
                            struct nd_link_parcel *parcel_r)
{
    uint8_t data[MOST_FRAME];
    union control control;
    struct iovec part = {data, sizeof(data)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             /* one descriptor; the kernel drops more */
                             .msg_controllen = CMSG_LEN(sizeof(int))};
    ssize_t length;
    do {
        length = recvmsg(link, &message, MSG_CMSG_CLOEXEC);
    } while (length < 0 && errno == EINTR);
    if (length == 0) {
        return ND_NOTHING;
    }
    if (length < 0) {
        enum nd_status status = of_errno(error);
        return status == ND_UNAVAILABLE ? ND_NOTHING : status;
    }
    parcel_r->asker = descriptor_of(&message);
    enum nd_status status = open_parcel(data, (size_t)length, error, parcel_r);
    if (status != ND_OK && parcel_r->asker >= 0) {
        (void)close(parcel_r->asker);
    }
    return status;
}

/* ---- questions ---- */

/* Waits for what poll() waits for; ND_TEMPORARY when the time is over. */
static enum nd_status wait_for(int descriptor, short what, int64_t until_us,
                               struct nd_error *error)
{
    struct pollfd wanted = {.fd = descriptor, .events = what};
    for (;;) {
        int64_t left_us = until_us - nd_clock_monotonic_us();
        int ready =
            left_us <= 0 ? 0 : poll(&wanted, 1, (int)((left_us + 999) / 1000));
        if (ready == 0) {
            return nd_fail(error, ND_TEMPORARY,
                           "the milter's deadline has passed");
        }
        if (ready > 0) {
            return ND_OK;
        }
        if (errno != EINTR) {
            return nd_fail_errno(error, "the milter's link");
        }
    }
}

static enum nd_status send_all(int socket, const void *data, size_t length,
                               int64_t until_us, struct nd_error *error)
{
    const uint8_t *bytes = data;
    enum nd_status status = ND_OK;
    while (length > 0 && status == ND_OK) {
        ssize_t sent = send(socket, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes += sent;
            length -= (size_t)sent;
        } else if (errno != EINTR) {
            status = of_errno(error);
        }
        if (status == ND_BUSY) {
            status = wait_for(socket, POLLOUT, until_us, error);
        }
    }
    return status;
}

static enum nd_status receive_all(int socket, void *data, size_t length,
                                  int64_t until_us, struct nd_error *error)
{
    uint8_t *bytes = data;
    enum nd_status status = ND_OK;
    while (length > 0 && status == ND_OK) {
        ssize_t got = recv(socket, bytes, length, MSG_DONTWAIT);
        if (got > 0) {
            bytes += got;
            length -= (size_t)got;
        } else if (got == 0) {
            status = is_gone(error);
        } else if (errno != EINTR) {
            status = of_errno(error);
        }
        if (status == ND_BUSY) {
            status = wait_for(socket, POLLIN, until_us, error);
        }
    }
    return status;
}

/* A frame of this type; its contents replace those of frame. */
static enum nd_status receive_frame(int socket, enum nd_link_type type,
                                    size_t limit, int64_t until_us,
                                    struct nd_error *error,
                                    struct nd_buffer *frame)
{
    uint8_t header[ND_LINK_HEADER_BYTES];
    size_t length = 0;
    enum nd_status status =
        receive_all(socket, header, sizeof(header), until_us, error);
    if (status == ND_OK) {
        status = nd_link_header(header, type, limit, error, &length);
    }
    nd_buffer_clear(frame);
    if (status == ND_OK) {
        uint8_t *room = nd_buffer_reserve(frame, length);
        status = receive_all(socket, room, length, until_us, error);
        frame->length = status == ND_OK ? length : 0;
    }
    return status;
}

/* Gives the other end of the question's own pair to the daemon. */
static enum nd_status give_end(int link, int end, int64_t until_us,
                               struct nd_error *error)
{
    struct nd_buffer frame = {0};
    nd_link_end(&frame, nd_link_begin(&frame, ND_LINK_ASK));
    enum nd_status status = send_parcel(link, &frame, end, error);
    while (status == ND_BUSY) {
        status = wait_for(link, POLLOUT, until_us, error);
        if (status == ND_OK) {
            status = send_parcel(link, &frame, end, error);
        }
    }
    nd_buffer_free(&frame);
    return status;
}

static enum nd_status talk(int socket, const struct nd_link_question *question,
                           int64_t until_us, struct nd_error *error,
                           struct nd_buffer *frame)
{
    nd_buffer_clear(frame);
    nd_link_write_question(question, frame);
    enum nd_status status =
        send_all(socket, frame->data, frame->length, until_us, error);
    if (status == ND_OK) {
        status = send_all(socket, question->message, question->length, until_us,
                          error);
    }
    if (status == ND_OK) {
        status = receive_frame(socket, ND_LINK_ANSWER, ND_LINK_MOST_SMALL,
                               until_us, error, frame);
    }
    return status;
}

enum nd_status nd_link_ask(int link, const struct nd_link_question *question,
                           int64_t until_us, struct nd_error *error,
                           struct nd_buffer *frame,
                           struct nd_link_answer *answer_r)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return nd_fail_errno(error, "no pair of sockets for a question");
    }
    enum nd_status status = give_end(link, ends[1], until_us, error);
    (void)close(ends[1]);
    if (status == ND_OK) {
        status = talk(ends[0], question, until_us, error, frame);
    }
    (void)close(ends[0]);
    if (status == ND_OK) {
        status =
            nd_link_read_answer(frame->data, frame->length, error, answer_r);
    }
    return status;
}

enum nd_status nd_link_hear(int asker, size_t max_message, int64_t until_us,
                            struct nd_error *error, struct nd_buffer *frame,
                            struct nd_link_question *question_r)
{
    size_t limit = max_message + ND_LINK_FACTS_BYTES;
    enum nd_status status =
        receive_frame(asker, ND_LINK_QUESTION, limit, until_us, error, frame);
    struct pollfd end = {.fd = asker, .events = POLLRDHUP};
    if (status == ND_OK && poll(&end, 1, 0) > 0 &&
        (end.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
        status = is_gone(error);
    }
    if (status == ND_OK) {
        status = nd_link_read_question(frame->data, frame->length, error,
                                       question_r);
    }
    return status;
}

enum nd_status nd_link_answer(int asker, const struct nd_link_answer *answer,
                              struct nd_error *error)
{
    struct nd_buffer frame = {0};
    nd_link_write_answer(answer, &frame);
    /* It fits into the socket's own memory, so nothing has to be waited for. */
    enum nd_status status = send_all(asker, frame.data, frame.length, 0, error);
    nd_buffer_free(&frame);
    return status;
}
