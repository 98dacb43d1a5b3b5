/* SPDX-License-Identifier: Apache-2.0
 *
 * Header fields in raw bytes: where each begins and ends, without a copy.
 */
#ifndef ND_MAIL_FIELD_H
#define ND_MAIL_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "mail/message.h"

/* Bytes of the message, owned by whoever owns the message. */
struct nd_span {
    const char *data;
    size_t length;
};

/* One field as it stands in the message: the value may be folded over lines,
 * and has neither the blanks around it nor its last line end. */
struct nd_field {
    struct nd_span name;
    struct nd_span value;
};

/* A walk over the fields of a header. After nd_field_next has answered false,
 * at is where the body begins and broken says that no empty line stood in
 * front of it. */
struct nd_field_reader {
    const char *at;
    const char *end;
    bool broken;
};
void nd_field_reader_init(struct nd_field_reader *reader, const char *data,
                          size_t length);
bool nd_field_next(struct nd_field_reader *reader, struct nd_field *field_r);

/* Whether the field's name is name, in any case of letters. */
bool nd_field_is(const struct nd_field *field, const char *name);

/* The value on one line: each run of blanks and line ends becomes one blank,
 * a NUL too. At most limit bytes of it are read. Memory from arena. */
struct nd_text nd_field_unfold(struct nd_span value, size_t limit,
                               struct nd_arena *arena);

/* What a field of this name is to the features; for any name that is not in
 * the table, ND_HEADER_PLAIN. The table is in header_role.c. */
enum nd_header_role nd_header_role(const char *name, size_t length);

#endif
