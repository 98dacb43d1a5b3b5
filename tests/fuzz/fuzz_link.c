/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames between the milter's worker and the daemon, of every type. Whatever
 * arrives, what is accepted is within its limits and is written back as it was.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serve/link.h"

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Varints can be written longer than need be, so lengths may differ, but what
 * was written is read the same again. */
static void require_settings(const uint8_t *data, size_t length)
{
    struct nd_link_settings settings, again;
    struct nd_buffer frame = {0};
    if (nd_link_read_settings(data, length, NULL, &settings) != ND_OK) {
        return;
    }
    require(nd_link_is_header_name(settings.header));
    nd_link_write_settings(&settings, &frame);
    require(nd_link_read_settings(frame.data + ND_LINK_HEADER_BYTES,
                                  frame.length - ND_LINK_HEADER_BYTES, NULL,
                                  &again) == ND_OK);
    require(strcmp(settings.header, again.header) == 0);
    require(settings.max_memory == again.max_memory);
    nd_buffer_free(&frame);
}

static void require_question(const uint8_t *data, size_t length)
{
    struct nd_link_question question, again;
    struct nd_buffer frame = {0};
    if (nd_link_read_question(data, length, NULL, &question) != ND_OK) {
        return;
    }
    require(question.length <= length);
    require(question.full_length >= question.length);
    nd_link_write_question(&question, &frame);
    nd_buffer_append(&frame, question.message, question.length);
    require(nd_link_read_question(frame.data + ND_LINK_HEADER_BYTES,
                                  frame.length - ND_LINK_HEADER_BYTES, NULL,
                                  &again) == ND_OK);
    require(strcmp(question.sender, again.sender) == 0);
    require(question.length == again.length);
    nd_buffer_free(&frame);
}

static void require_answer(const uint8_t *data, size_t length)
{
    struct nd_link_answer answer;
    struct nd_buffer frame = {0};
    if (nd_link_read_answer(data, length, NULL, &answer) != ND_OK) {
        return;
    }
    require(strpbrk(answer.header, "\r\n") == NULL);
    require(strpbrk(answer.quarantine, "\r\n") == NULL);
    nd_link_write_answer(&answer, &frame);
    require(frame.length - ND_LINK_HEADER_BYTES <= length);
    nd_buffer_free(&frame);
}

static void require_notes(const uint8_t *data, size_t length)
{
    struct nd_link_events events;
    unsigned level;
    const char *line;
    if (nd_link_read_log(data, length, NULL, &level, &line) == ND_OK) {
        require(level < 4 && strlen(line) < length);
    }
    if (nd_link_read_events(data, length, NULL, &events) == ND_OK) {
        require(length >= ND_LINK_EVENT_COUNT);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t length = 0;
    if (size < ND_LINK_HEADER_BYTES) {
        require(nd_link_type_of(data, size < 8 ? size : 7) == 0);
        return 0;
    }
    uint32_t type = nd_link_type_of(data, size);
    if (nd_link_header(data, (enum nd_link_type)type, ND_LINK_MOST_SMALL, NULL,
                       &length) == ND_OK) {
        require(length <= ND_LINK_MOST_SMALL);
    }
    data += ND_LINK_HEADER_BYTES;
    size -= ND_LINK_HEADER_BYTES;
    require_settings(data, size);
    require_question(data, size);
    require_answer(data, size);
    require_notes(data, size);
    return 0;
}
