/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's half of the milter protocol: a packet is a length of 4 bytes,
 * big-endian, a letter, and data.
 */
#include "milter_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define NO_REPLY_HEADER 0x80U
#define NO_REPLY_CONNECT 0x1000U
#define NO_REPLY_HELO 0x2000U
#define NO_REPLY_MAIL 0x4000U
#define NO_REPLY_END_OF_HEADERS 0x40000U
#define NO_REPLY_BODY 0x80000U
#define MOST_PACKET 65536U

static bool send_packet(struct milter_client *client, char letter,
                        const void *data, size_t length)
{
    uint8_t head[5];
    uint32_t size = htonl((uint32_t)length + 1);
    memcpy(head, &size, 4);
    head[4] = (uint8_t)letter;
    return send(client->socket, head, 5, MSG_NOSIGNAL) == 5 &&
           (length == 0 || send(client->socket, data, length, MSG_NOSIGNAL) ==
                               (ssize_t)length);
}

/* 0 where the connection is gone or says nothing for a minute. */
static char receive_packet(struct milter_client *client, uint8_t *data,
                           size_t *length_r)
{
    uint8_t head[5];
    uint32_t size = 0;
    if (recv(client->socket, head, 5, MSG_WAITALL) != 5) {
        return 0;
    }
    memcpy(&size, head, 4);
    size = ntohl(size) - 1;
    if (size > MOST_PACKET ||
        (size > 0 &&
         recv(client->socket, data, size, MSG_WAITALL) != (ssize_t)size)) {
        return 0;
    }
    *length_r = size;
    return (char)head[4];
}

static bool go_on(struct milter_client *client, uint32_t silent_step)
{
    static uint8_t data[MOST_PACKET];
    size_t length;
    return (client->steps & silent_step) != 0 ||
           receive_packet(client, data, &length) == 'c';
}

bool milter_connect(struct milter_client *client, int port, uint32_t steps)
{
    struct sockaddr_in place = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {60, 0};
    uint32_t offer[3] = {htonl(6), htonl(0x1ff), htonl(steps)};
    static uint8_t data[MOST_PACKET];
    size_t length = 0;
    client->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &patience,
                     sizeof(patience));
    if (connect(client->socket, (struct sockaddr *)&place, sizeof(place)) !=
            0 ||
        !send_packet(client, 'O', offer, sizeof(offer)) ||
        receive_packet(client, data, &length) != 'O' || length < 12) {
        return false;
    }
    memcpy(&client->actions, data + 4, 4);
    memcpy(&client->steps, data + 8, 4);
    client->actions = ntohl(client->actions);
    client->steps = ntohl(client->steps);
    return true;
}

void milter_close(struct milter_client *client)
{
    (void)send_packet(client, 'Q', NULL, 0);
    (void)close(client->socket);
}

bool milter_tell_client(struct milter_client *client)
{
    static const char place[] = "mail.example\0"
                                "4"
                                "\0\031"
                                "192.0.2.1";
    return send_packet(client, 'C', place, sizeof(place)) &&
           go_on(client, NO_REPLY_CONNECT) &&
           send_packet(client, 'H', "mail.example", 13) &&
           go_on(client, NO_REPLY_HELO);
}

bool milter_tell_macro(struct milter_client *client, char command,
                       const char *name, const char *value)
{
    struct nd_buffer text = {0};
    nd_buffer_append(&text, &command, 1);
    nd_buffer_append(&text, name, strlen(name) + 1);
    nd_buffer_append(&text, value, strlen(value) + 1);
    bool sent = send_packet(client, 'D', text.data, text.length);
    nd_buffer_free(&text);
    return sent;
}

bool milter_tell_sender(struct milter_client *client, const char *sender)
{
    return send_packet(client, 'M', sender, strlen(sender) + 1) &&
           go_on(client, NO_REPLY_MAIL);
}

bool milter_tell_header(struct milter_client *client, const char *name,
                        const char *value)
{
    struct nd_buffer text = {0};
    nd_buffer_append(&text, name, strlen(name) + 1);
    nd_buffer_append(&text, value, strlen(value) + 1);
    bool sent = send_packet(client, 'L', text.data, text.length);
    nd_buffer_free(&text);
    return sent && go_on(client, NO_REPLY_HEADER);
}

bool milter_tell_body(struct milter_client *client, const char *text,
                      size_t length)
{
    return send_packet(client, 'N', NULL, 0) &&
           go_on(client, NO_REPLY_END_OF_HEADERS) &&
           send_packet(client, 'B', text, length) &&
           go_on(client, NO_REPLY_BODY);
}

bool milter_abort(struct milter_client *client)
{
    return send_packet(client, 'A', NULL, 0);
}

static void note_change(char letter, const uint8_t *data, size_t length,
                        struct nd_buffer *changes)
{
    uint32_t index = 0;
    if (letter == 'q') {
        nd_buffer_printf(changes, "q %s\n", (const char *)data);
    } else if ((letter == 'i' || letter == 'm') && length > 5) {
        memcpy(&index, data, 4);
        const char *name = (const char *)data + 4;
        const char *value = name + strlen(name) + 1;
        if (letter == 'm') {
            nd_buffer_printf(changes, "m %u %s:%s\n", ntohl(index), name,
                             value);
        } else {
            nd_buffer_printf(changes, "i %s:%s\n", name, value);
        }
    } else {
        nd_buffer_printf(changes, "%c\n", letter);
    }
}

void milter_finish(struct milter_client *client, struct milter_end *end_r)
{
    static uint8_t data[MOST_PACKET];
    size_t length = 0;
    *end_r = (struct milter_end){0};
    nd_buffer_append_text(&end_r->changes, "");
    if (!send_packet(client, 'E', NULL, 0)) {
        return;
    }
    for (;;) {
        char letter = receive_packet(client, data, &length);
        if (letter == 0 || strchr("actrd", letter) != NULL) {
            end_r->answer = letter;
            return;
        }
        note_change(letter, data, length, &end_r->changes);
    }
}

void milter_send(struct milter_client *client, const char *name,
                 const char *value, struct milter_end *end_r)
{
    if (milter_tell_sender(client, "<a@example.org>") &&
        milter_tell_header(client, "Subject", "hello") &&
        (name == NULL || milter_tell_header(client, name, value)) &&
        milter_tell_body(client, "text\r\n", 6) &&
        milter_tell_macro(client, 'E', "i", "4ABC")) {
        milter_finish(client, end_r);
    } else {
        *end_r = (struct milter_end){0};
        nd_buffer_append_text(&end_r->changes, "");
    }
}

int milter_port(int listener)
{
    struct sockaddr_in place = {0};
    socklen_t length = sizeof(place);
    (void)getsockname(listener, (struct sockaddr *)&place, &length);
    return ntohs(place.sin_port);
}
