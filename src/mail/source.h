/* SPDX-License-Identifier: Apache-2.0
 *
 * Where messages come from: a file, an mbox, a Maildir, a folder of any of
 * these, or standard input; each message is handed over raw, one at a time.
 */
#ifndef ND_MAIL_SOURCE_H
#define ND_MAIL_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct nd_raw_message {
    const char *path;     /* file; "PATH:NUMBER" for the n-th of an mbox; "-" */
    const void *data;     /* valid until the next call */
    size_t length;        /* bytes at data: at most the source's limit */
    uint64_t full_length; /* bytes that it really has */
};

struct nd_source_options {
    size_t max_message; /* bytes handed over of one message */
    /* Told of a file that was left out (unreadable, a fifo, empty) and why;
     * reading goes on. May be NULL: nothing is said. */
    void (*skipped)(const char *path, const char *reason, void *context);
    void *context;
};

/* Not nd_source: that is the tag of who gave a label (store/store.h). */
struct nd_mail_source;

/* Opens paths ("-": standard input). Folders are walked in byte order of
 * names, without following links to folders; a Maildir's cur and new are
 * read, its tmp and the files beside them not; hidden files and Dovecot's index
 * files are left out. A file that starts with "From " and holds more such lines
 * is an mbox. Devices, fifos, sockets and compressed files are skipped (a fifo
 * named itself is an error). ND_NO_INPUT
 * where a path does not exist; ND_NOTHING where no file is found in any. */
enum nd_status nd_source_open(const char *const *paths, size_t count,
                              const struct nd_source_options *options,
                              struct nd_error *error,
                              struct nd_mail_source **source_r) ND_MUST_CHECK;
void nd_source_close(struct nd_mail_source **source);

/* Files found, for progress. Messages of an mbox are not known before. */
size_t nd_source_files(const struct nd_mail_source *source);
size_t nd_source_files_done(const struct nd_mail_source *source);

/* The next message; ND_NOTHING after the last. Memory stays bounded by
 * max_message, also for one line of 50 MB. */
enum nd_status nd_source_next(struct nd_mail_source *source,
                              struct nd_error *error,
                              struct nd_raw_message *message_r) ND_MUST_CHECK;

#endif
