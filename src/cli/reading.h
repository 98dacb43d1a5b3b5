/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages for the commands, one after the other: read, parsed, with the scan
 * result that belongs to them.
 */
#ifndef ND_CLI_READING_H
#define ND_CLI_READING_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "cli/command.h"
#include "mail/message.h"
#include "mail/scan.h"
#include "mail/source.h"

struct nd_reading;

/* One message; all of it valid until the next call. */
struct nd_item {
    const char *path;
    const void *data; /* raw, cut at max_message */
    size_t length;
    struct nd_message message;
    const struct nd_scan *scan; /* of the scan file, else the message's own,
                                   else NULL */
    struct nd_arena *arena;     /* the message's: for what is made of it */
};

/* Opens paths ("-": standard input). scans (may be NULL) is borrowed. Limits
 * and trust are those of the configuration. Files that are left out are told
 * on standard error and counted. Errors are left in cli->error. */
enum nd_status nd_reading_open(struct nd_cli *cli, const char *const *paths,
                               size_t count, const struct nd_scan_file *scans,
                               struct nd_reading **reading_r) ND_MUST_CHECK;
void nd_reading_close(struct nd_reading **reading);

/* The next message that can be read; ND_NOTHING after the last. */
enum nd_status nd_reading_next(struct nd_reading *reading,
                               struct nd_item *item_r) ND_MUST_CHECK;

/* The next message without parsing it: message and scan are not filled. */
enum nd_status nd_reading_next_raw(struct nd_reading *reading,
                                   struct nd_item *item_r) ND_MUST_CHECK;
/* Parses what nd_reading_next_raw gave. ND_DATA where it is empty: it is then
 * told and counted as left out. */
enum nd_status nd_reading_parse(struct nd_reading *reading,
                                struct nd_item *item) ND_MUST_CHECK;

/* What nd_reading_each does with a message. work runs on any thread, for
 * several messages at a time, and fills in result, of result_size bytes; tell
 * runs on one at a time, in the order of the messages, and ends it all where it
 * fails. */
struct nd_reading_work {
    size_t result_size;
    void (*work)(const struct nd_item *item, void *result, void *context);
    enum nd_status (*tell)(const char *path, const void *result, void *context);
    void *context;
};
/* Reads all messages that are left and works on them with as many threads as
 * there are processors; few messages take one. count_r: messages told.
 * ND_NOTHING after the last, else tell's status. */
enum nd_status nd_reading_each(struct nd_reading *reading,
                               const struct nd_reading_work *work,
                               uint64_t *count_r) ND_MUST_CHECK;

/* Share of files done, 0 to 1, and how many messages were left out. */
double nd_reading_done(const struct nd_reading *reading);
uint64_t nd_reading_skipped(const struct nd_reading *reading);

/* Opens the file of --scan, if there is one; *scans_r is NULL without. */
enum nd_status nd_reading_scans(struct nd_cli *cli,
                                struct nd_scan_file **scans_r) ND_MUST_CHECK;

/* Parses length bytes of one message that has full_length, as nd_reading_parse
 * does, for callers with bytes of their own. */
enum nd_status nd_item_parse(struct nd_cli *cli, uint64_t full_length,
                             const struct nd_scan_file *scans,
                             struct nd_item *item) ND_MUST_CHECK;

#endif
