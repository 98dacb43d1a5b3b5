/* SPDX-License-Identifier: Apache-2.0
 *
 * Hands over messages one at a time from the files that paths stand for. The
 * files were listed by walk.c; here each is opened in its turn, without ever
 * waiting for a fifo, and mailbox.c takes its messages out. A file that cannot
 * be read is told of and left out.
 */
#include "mail/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "mail/mailbox.h"
#include "mail/walk.h"

struct nd_mail_source {
    struct nd_source_options options;
    struct nd_file_list files;
    size_t next;      /* file to be opened next */
    const char *path; /* file that is open, or NULL */
    int file;
    struct nd_mailbox mailbox;
    uint64_t number; /* messages taken from the file */
    struct nd_buffer message;
    char *name; /* of the message handed over */
};

enum nd_status nd_source_open(const char *const *paths, size_t count,
                              const struct nd_source_options *options,
                              struct nd_error *error,
                              struct nd_mail_source **source_r)
{
    struct nd_mail_source *source = nd_calloc(1, sizeof *source);
    source->options = *options;
    for (size_t i = 0; i < count; i++) {
        enum nd_status status =
            nd_walk(paths[i], options, &source->files, error);
        if (status != ND_OK) {
            nd_source_close(&source);
            return status;
        }
    }
    if (source->files.count == 0) {
        nd_source_close(&source);
        return nd_fail(error, ND_NOTHING, "no mail found in %s",
                       count > 0 ? paths[0] : "no paths");
    }
    *source_r = source;
    return ND_OK;
}

static void close_file(struct nd_mail_source *source)
{
    if (source->path != NULL && source->file != STDIN_FILENO)
        close(source->file);
    source->path = NULL;
}

void nd_source_close(struct nd_mail_source **source)
{
    if (source == NULL || *source == NULL)
        return;
    close_file(*source);
    nd_file_list_free(&(*source)->files);
    nd_mailbox_free(&(*source)->mailbox);
    nd_buffer_free(&(*source)->message);
    free((*source)->name);
    free(*source);
    *source = NULL;
}

size_t nd_source_files(const struct nd_mail_source *source)
{
    return source->files.count;
}

size_t nd_source_files_done(const struct nd_mail_source *source)
{
    return source->path == NULL ? source->next : source->next - 1;
}

static void skip(const struct nd_mail_source *source, const char *path,
                 const char *reason)
{
    if (source->options.skipped != NULL)
        source->options.skipped(path, reason, source->options.context);
}

/* The file may have changed since it was listed: it is opened so that a fifo
 * does not block, and looked at again. */
static int open_regular(const char *path, const char **reason_r)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat facts;
    if (file < 0 || fstat(file, &facts) != 0) {
        *reason_r = strerror(errno);
    } else if (!S_ISREG(facts.st_mode)) {
        *reason_r = "not a regular file";
    } else {
        return file;
    }
    if (file >= 0)
        close(file);
    return -1;
}

/* Opens the next file that can be opened; false after the last. */
static bool open_next(struct nd_mail_source *source)
{
    while (source->next < source->files.count) {
        const char *path = source->files.paths[source->next++];
        const char *reason = NULL;
        bool standard = strcmp(path, "-") == 0;
        int file = standard ? STDIN_FILENO : open_regular(path, &reason);
        if (file < 0) {
            skip(source, path, reason);
            continue;
        }
        source->path = path;
        source->file = file;
        source->number = 0;
        nd_mailbox_begin(&source->mailbox, file);
        return true;
    }
    return false;
}

/* Says why a file gave no message, if it gave none. */
static void end_file(struct nd_mail_source *source)
{
    if (source->mailbox.failed)
        skip(source, source->path, strerror(source->mailbox.error_number));
    else if (source->mailbox.is_compressed)
        skip(source, source->path, "compressed; unpack it first");
    else if (source->number == 0)
        skip(source, source->path, "empty");
    close_file(source);
}

/* A message of an mbox is called by its number, a single one by its file. */
static const char *name_message(struct nd_mail_source *source)
{
    if (source->number == 1 && !nd_mailbox_more(&source->mailbox))
        return source->path;
    free(source->name);
    source->name =
        nd_sprintf("%s:%llu", source->path, (unsigned long long)source->number);
    return source->name;
}

enum nd_status nd_source_next(struct nd_mail_source *source,
                              struct nd_error *error,
                              struct nd_raw_message *message_r)
{
    for (;;) {
        if (source->path == NULL && !open_next(source))
            return nd_fail(error, ND_NOTHING, "no more messages");
        uint64_t full_length;
        if (!nd_mailbox_next(&source->mailbox, source->options.max_message,
                             &source->message, &full_length)) {
            end_file(source);
            continue;
        }
        source->number++;
        *message_r = (struct nd_raw_message){
            .path = name_message(source),
            .data = source->message.data,
            .length = source->message.length,
            .full_length = full_length,
        };
        return ND_OK;
    }
}
