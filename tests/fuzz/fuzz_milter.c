/* SPDX-License-Identifier: Apache-2.0
 *
 * What a mail server tells a milter, in any order: events of two connections
 * that share their room. No message takes more than its share, what has been
 * gathered survives the way to the daemon, and nothing stays behind.
 *
 * An event is a byte for its kind, two for the length of its text, the text.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "serve/milter_gather.h"

#define MOST_MESSAGE 3000U
#define MOST_MEMORY 30000U

static const struct nd_link_settings settings = {.header = "X-Neurald",
                                                 .tag_header = "X-Spam",
                                                 .deadline_ms = 1000,
                                                 .max_message = MOST_MESSAGE,
                                                 .max_memory = MOST_MEMORY};

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void require_same(const struct nd_link_question *question)
{
    struct nd_buffer frame = {0};
    struct nd_link_question found;
    nd_link_write_question(question, &frame);
    nd_buffer_append(&frame, question->message, question->length);
    size_t length = 0;
    require(nd_link_header(frame.data, ND_LINK_QUESTION,
                           MOST_MESSAGE + ND_LINK_FACTS_BYTES, NULL,
                           &length) == ND_OK);
    require(nd_link_read_question(frame.data + ND_LINK_HEADER_BYTES, length,
                                  NULL, &found) == ND_OK);
    require(strcmp(found.queue_id, question->queue_id) == 0);
    require(strcmp(found.client, question->client) == 0);
    require(strcmp(found.sender, question->sender) == 0);
    require(found.authenticated == question->authenticated);
    require(found.full_length == question->full_length);
    require(found.length == question->length &&
            memcmp(found.message, question->message, found.length) == 0);
    nd_buffer_free(&frame);
}

static void look(struct nd_gather *gather, const char *queue_id)
{
    struct nd_link_question question;
    const char *subject = nd_gather_subject(gather);
    require(subject == NULL || strlen(subject) <= ND_GATHER_MOST_SUBJECT);
    if (nd_gather_question(gather, queue_id, &question)) {
        require(!nd_gather_is_crowded(gather));
        require(question.length <= MOST_MESSAGE);
        require(question.full_length >= question.length);
        require_same(&question);
    }
}

static void play(struct nd_gather *gather, uint8_t kind, char *text,
                 size_t length)
{
    char *second = strchr(text, '\n'); /* a name, and what belongs to it */
    if (second != NULL && kind != 5) {
        *second++ = '\0';
    }
    switch (kind) {
    case 0:
        nd_gather_client(gather, text, second);
        break;
    case 1:
        nd_gather_helo(gather, text);
        break;
    case 2:
        (void)nd_gather_begin(gather, &settings, text, second, 0);
        break;
    case 3:
        nd_gather_header(gather, text, second != NULL ? second : "",
                         length % 2 == 0);
        break;
    case 4:
        nd_gather_end_of_headers(gather);
        break;
    case 5:
        nd_gather_body(gather, (const uint8_t *)text, length);
        break;
    case 6:
        look(gather, text);
        break;
    default:
        (void)nd_gather_end(gather);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nd_gather_room room = {0};
    struct nd_gather *gathers[2] = {nd_gather_create(&room),
                                    nd_gather_create(&room)};
    while (size >= 3) {
        size_t length = data[1] | (size_t)data[2] << 8;
        length = length < size - 3 ? length : size - 3;
        char *text = nd_strndup((const char *)data + 3, length);
        play(gathers[data[0] >> 7], data[0] & 7, text, length);
        require(room.used_bytes <= MOST_MEMORY);
        require(room.open >= 0 && room.open <= 2);
        free(text);
        data += 3 + length;
        size -= 3 + length;
    }
    nd_gather_destroy(&gathers[0]);
    nd_gather_destroy(&gathers[1]);
    require(room.used_bytes == 0 && room.open == 0);
    return 0;
}
