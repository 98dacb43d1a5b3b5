/* SPDX-License-Identifier: Apache-2.0
 *
 * Ties mail/source, mail/message and mail/scan together for the commands, so
 * that learn, score, explain and eval read a message in one and the same way.
 */
#include "cli/reading.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "learn/spare.h"

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

static enum nd_status parse(const struct nd_cli *cli, uint64_t full_length,
                            const struct nd_scan_file *scans,
                            struct nd_error *error, struct nd_item *item)
{
    enum nd_status status = nd_message_read(
        item->data, item->length, &cli->config->limits,
        &cli->config->global.trust, item->arena, error, &item->message);
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

enum nd_status nd_item_parse(struct nd_cli *cli, uint64_t full_length,
                             const struct nd_scan_file *scans,
                             struct nd_item *item)
{
    return parse(cli, full_length, scans, &cli->error, item);
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

/* ---- several at a time ---- */

#define WINDOW 64      /* messages under way or waiting to be told */
#define ALONE 16       /* messages before other threads are started */
#define MOST_THREADS 8 /* beside the first */

/* A message from its reading to its telling. */
struct place {
    struct nd_buffer path;
    struct nd_error error;
    enum nd_status status; /* of its parsing */
    bool is_done;
    void *result;
};

struct crew {
    struct nd_reading *reading;
    const struct nd_reading_work *work;
    pthread_mutex_t lock; /* of all but what work writes to */
    pthread_cond_t moved; /* told has risen */
    enum nd_status reads; /* why no more messages are read */
    enum nd_status tells; /* why no more are told */
    uint64_t taken, told; /* messages, those left out among them */
    uint64_t count;       /* messages told */
    struct place places[WINDOW];
};

/* Takes the next message to copies of its own: data and item. With the lock. */
static struct place *take(struct crew *crew, struct nd_buffer *data,
                          struct nd_item *item, uint64_t *full_length_r)
{
    struct nd_item raw;
    while (crew->taken - crew->told == WINDOW)
        (void)pthread_cond_wait(&crew->moved, &crew->lock);
    if (crew->reads == ND_OK && crew->tells == ND_OK)
        crew->reads = nd_reading_next_raw(crew->reading, &raw);
    if (crew->reads != ND_OK || crew->tells != ND_OK)
        return NULL;
    struct place *place = &crew->places[crew->taken++ % WINDOW];
    nd_buffer_clear(&place->path);
    nd_buffer_append(&place->path, raw.path, strlen(raw.path) + 1);
    nd_buffer_clear(data);
    nd_buffer_append(data, raw.data, raw.length);
    item->path = (const char *)place->path.data;
    item->data = data->data;
    item->length = raw.length;
    *full_length_r = crew->reading->full_length;
    return place;
}

/* Tells all that is done and comes next. With the lock. */
static void tell_done(struct crew *crew)
{
    while (crew->told < crew->taken) {
        struct place *place = &crew->places[crew->told % WINDOW];
        const char *path = (const char *)place->path.data;
        if (!place->is_done)
            break;
        place->is_done = false;
        crew->told++;
        if (place->status != ND_OK) {
            tell_skipped(path, place->error.text, crew->reading);
        } else if (crew->tells == ND_OK) {
            crew->tells =
                crew->work->tell(path, place->result, crew->work->context);
            crew->count++;
        }
    }
    (void)pthread_cond_broadcast(&crew->moved);
}

/* Works on up to most messages. */
static void work_on(struct crew *crew, uint64_t most)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_buffer data = {0};
    struct nd_item item = {.arena = arena};
    struct place *place;
    uint64_t full_length;
    (void)pthread_mutex_lock(&crew->lock);
    while (most-- > 0 &&
           (place = take(crew, &data, &item, &full_length)) != NULL) {
        (void)pthread_mutex_unlock(&crew->lock);
        nd_arena_reset(arena);
        place->status = parse(crew->reading->cli, full_length,
                              crew->reading->scans, &place->error, &item);
        if (place->status == ND_OK)
            crew->work->work(&item, place->result, crew->work->context);
        (void)pthread_mutex_lock(&crew->lock);
        place->is_done = true;
        tell_done(crew);
    }
    (void)pthread_mutex_unlock(&crew->lock);
    nd_buffer_free(&data);
    nd_arena_destroy(&arena);
}

static void *help(void *context)
{
    work_on(context, UINT64_MAX);
    return NULL;
}

enum nd_status nd_reading_each(struct nd_reading *reading,
                               const struct nd_reading_work *work,
                               uint64_t *count_r)
{
    struct crew crew = {.reading = reading,
                        .work = work,
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .moved = PTHREAD_COND_INITIALIZER};
    pthread_t helpers[MOST_THREADS];
    uint32_t count = 0;
    for (size_t i = 0; i < WINDOW; i++)
        crew.places[i].result = nd_calloc(1, work->result_size);
    work_on(&crew, ALONE);
    while (crew.reads == ND_OK && crew.tells == ND_OK && count < MOST_THREADS &&
           count + 1 < nd_spare_threads() &&
           pthread_create(&helpers[count], NULL, help, &crew) == 0)
        count++;
    work_on(&crew, UINT64_MAX);
    while (count > 0)
        (void)pthread_join(helpers[--count], NULL);
    for (size_t i = 0; i < WINDOW; i++) {
        nd_buffer_free(&crew.places[i].path);
        free(crew.places[i].result);
    }
    *count_r = crew.count;
    return crew.tells != ND_OK ? crew.tells : crew.reads;
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
