/* SPDX-License-Identifier: Apache-2.0
 *
 * The identity of a message, exactly as docs/formats/identity.md defines it. It
 * takes raw bytes and knows no limits of reading, so that every host works out
 * the same, whatever its settings are.
 */
#include "mail/identity.h"

#include <string.h>

#define BODY_BYTES 65536

enum { MESSAGE_ID, DATE, FROM, SUBJECT, FIELDS };

static const char *const names[FIELDS] = {"message-id", "date", "from",
                                          "subject"};

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* The value with each run of white space as one blank. */
static void add_folded(struct nd_digest_state *state, struct nd_span value)
{
    const char *at = value.data;
    const char *end = value.data + value.length;
    while (at < end) {
        const char *word = at;
        while (at < end && !is_space(*at))
            at++;
        nd_digest_add(state, word, (size_t)(at - word));
        while (at < end && is_space(*at))
            at++;
        if (at < end)
            nd_digest_add(state, " ", 1);
    }
}

static void add_field(struct nd_digest_state *state, const char *name,
                      struct nd_span value)
{
    nd_digest_add(state, name, strlen(name));
    nd_digest_add(state, ":", 1);
    if (value.data != NULL)
        add_folded(state, value);
    nd_digest_add(state, "\n", 1);
}

/* "<>" and the like identify nothing. */
static bool is_void(struct nd_span value)
{
    for (size_t i = 0; i < value.length; i++)
        if (!is_space(value.data[i]) && value.data[i] != '<' &&
            value.data[i] != '>')
            return false;
    return true;
}

/* The first occurrence of each field; answers where the body begins. */
static const char *find_fields(struct nd_span message,
                               struct nd_span values[FIELDS])
{
    struct nd_field_reader reader;
    struct nd_field field;
    nd_field_reader_init(&reader, message.data, message.length);
    while (nd_field_next(&reader, &field))
        for (size_t i = 0; i < FIELDS; i++)
            if (values[i].data == NULL && nd_field_is(&field, names[i]))
                values[i] = field.value;
    return reader.at;
}

/* The body with LF line ends, its first bytes, without the ends of its last
 * lines: what travels unchanged through every server and mailbox. */
static void add_body(struct nd_digest_state *state, const char *body,
                     const char *end)
{
    char normal[BODY_BYTES];
    size_t length = 0;
    for (; body < end && length < sizeof normal; body++)
        if (*body != '\r' || body + 1 == end || body[1] != '\n')
            normal[length++] = *body;
    while (length > 0 && normal[length - 1] == '\n')
        length--;
    nd_digest_add(state, normal, length);
}

bool nd_identity(struct nd_span message, uint8_t identity_r[ND_IDENTITY_BYTES])
{
    struct nd_span values[FIELDS] = {{NULL, 0}};
    const char *body = find_fields(message, values);
    bool has_id = !is_void(values[MESSAGE_ID]);
    if (!has_id)
        values[MESSAGE_ID].data = NULL;
    struct nd_digest_state state;
    nd_digest_begin(&state, NULL, ND_IDENTITY_BYTES);
    for (size_t i = 0; i < FIELDS; i++)
        add_field(&state, names[i], values[i]);
    if (!has_id)
        add_body(&state, body, message.data + message.length);
    nd_digest_end(&state, identity_r, ND_IDENTITY_BYTES);
    return has_id;
}
