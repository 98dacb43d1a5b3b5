/* SPDX-License-Identifier: Apache-2.0
 *
 * Ties mail/source, mail/message and mail/scan together for the commands, so
 * that learn, score, explain and eval read a message in one and the same way.
 */
#include "cli/reading.h"

#include <stdlib.h>

struct nd_reading {
    struct nd_cli *cli;
    const struct nd_scan_file *scans;
    struct nd_mail_source *source;
    struct nd_arena *arena;
    uint64_t full_length; /* of the present message */
    uint64_t skipped;
};

static void tell_skipped(const char *path, const char *reason, void *context)
{
    struct nd_reading *reading = context;
    reading->skipped++;
    nd_cli_remark(reading->cli, "skipped %s: %s", path, reason);
}

enum nd_status nd_reading_open(struct nd_cli *cli, const char *const *paths,
                               size_t count, const struct nd_scan_file *scans,
                               struct nd_reading **reading_r)
{
    struct nd_reading *reading = nd_calloc(1, sizeof(*reading));
    struct nd_source_options options = {
        .max_message = cli->config->limits.max_message,
        .skipped = tell_skipped,
        .context = reading,
    };
    reading->cli = cli;
    reading->scans = scans;
    enum nd_status status =
        nd_source_open(paths, count, &options, &cli->error, &reading->source);
    if (status != ND_OK) {
        free(reading);
        return status;
    }
    reading->arena = nd_arena_create(0);
    *reading_r = reading;
    return ND_OK;
}

void nd_reading_close(struct nd_reading **reading)
{
    if (reading == NULL || *reading == NULL) {
        return;
    }
    nd_source_close(&(*reading)->source);
    nd_arena_destroy(&(*reading)->arena);
    free(*reading);
    *reading = NULL;
}

enum nd_status nd_reading_next_raw(struct nd_reading *reading,
                                   struct nd_item *item_r)
{
    struct nd_raw_message raw;
    enum nd_status status =
        nd_source_next(reading->source, &reading->cli->error, &raw);
    if (status == ND_OK) {
        nd_arena_reset(reading->arena);
        reading->full_length = raw.full_length;
        *item_r = (struct nd_item){.path = raw.path,
                                   .data = raw.data,
                                   .length = raw.length,
                                   .arena = reading->arena};
    }
    return status;
}

enum nd_status nd_item_parse(struct nd_cli *cli, uint64_t full_length,
                             const struct nd_scan_file *scans,
                             struct nd_item *item)
{
    enum nd_status status = nd_message_read(
        item->data, item->length, &cli->config->limits,
        &cli->config->global.trust, item->arena, &cli->error, &item->message);
    if (status != ND_OK) {
        return status;
    }
    if (full_length > item->length) {
        item->message.raw_bytes = (size_t)full_length;
        item->message.unread_bytes += (size_t)(full_length - item->length);
    }
    item->scan = scans != NULL ? nd_scan_file_find(scans, item->path) : NULL;
    if (item->scan == NULL && item->message.scan.count > 0) {
        item->scan = &item->message.scan;
    }
    return ND_OK;
}

enum nd_status nd_reading_parse(struct nd_reading *reading,
                                struct nd_item *item)
{
    enum nd_status status =
        nd_item_parse(reading->cli, reading->full_length, reading->scans, item);
    if (status == ND_DATA) {
        tell_skipped(item->path, reading->cli->error.text, reading);
    }
    return status;
}

enum nd_status nd_reading_next(struct nd_reading *reading,
                               struct nd_item *item_r)
{
    enum nd_status status;
    do {
        status = nd_reading_next_raw(reading, item_r);
        if (status != ND_OK) {
            return status;
        }
        status = nd_reading_parse(reading, item_r);
    } while (status == ND_DATA);
    return status;
}

double nd_reading_done(const struct nd_reading *reading)
{
    size_t files = nd_source_files(reading->source);
    return files == 0
               ? 1.0
               : (double)nd_source_files_done(reading->source) / (double)files;
}

uint64_t nd_reading_skipped(const struct nd_reading *reading)
{
    return reading->skipped;
}

enum nd_status nd_reading_scans(struct nd_cli *cli,
                                struct nd_scan_file **scans_r)
{
    const char *path = nd_arguments_value(cli->arguments, "scan");
    *scans_r = NULL;
    if (path == NULL) {
        return ND_OK;
    }
    nd_progress_stage(&cli->progress, "reading scan results");
    enum nd_status status = nd_scan_file_open(path, &cli->error, scans_r);
    if (status == ND_OK) {
        char detail[64];
        snprintf(detail, sizeof(detail), "%zu results",
                 nd_scan_file_count(*scans_r));
        nd_progress_end(&cli->progress, detail);
    }
    return status;
}
