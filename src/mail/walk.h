/* SPDX-License-Identifier: Apache-2.0
 *
 * The files that paths stand for.
 */
#ifndef ND_MAIL_WALK_H
#define ND_MAIL_WALK_H

#include "mail/source.h"

struct nd_file_list {
    char **paths;
    size_t count;
    size_t capacity;
};
/* Frees the paths too, and empties the list. */
void nd_file_list_free(struct nd_file_list *list);

/* Appends the files under path to list, in the order and with the exceptions
 * that nd_source_open promises; "-" is appended as it is. options may be NULL.
 * ND_NO_INPUT where path does not exist, ND_DATA where it is a device, a fifo
 * or a socket, ND_PERMISSION where it cannot be looked into. */
enum nd_status nd_walk(const char *path,
                       const struct nd_source_options *options,
                       struct nd_file_list *list,
                       struct nd_error *error) ND_MUST_CHECK;

#endif
