/* SPDX-License-Identifier: Apache-2.0
 *
 * What the worker can tell of the store, for the driver's accounts, and the
 * scripts that neurald sends, so that a proxy knows them by their digests.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis_script.h"
#include "worker.h"

#define JOURNAL_LINES 1000

static enum nd_status tell_samples(struct worker *worker, const char *number)
{
    struct nd_snapshot snapshot;
    enum nd_status status = nd_store_snapshot(worker->store, &worker->scope,
                                              &worker->error, &snapshot);
    if (status != ND_OK)
        return status;
    for (size_t i = 0; i < snapshot.count; i++) {
        const struct nd_sample_info *info = &snapshot.samples[i];
        char hex[2 * ND_IDENTITY_BYTES + 1];
        nd_hex(info->identity, ND_IDENTITY_BYTES, hex);
        printf("%s sample %s %d %" PRId64 " %" PRIu64 "\n", number, hex,
               (int)info->label, info->label_ms, info->sequence);
    }
    free(snapshot.samples);
    return ND_OK;
}

static enum nd_status tell_stats(struct worker *worker, const char *number)
{
    struct nd_store_stats stats;
    enum nd_status status =
        nd_store_stats(worker->store, &worker->scope, &worker->error, &stats);
    if (status != ND_OK)
        return status;
    printf("%s stats ham %" PRIu64 " spam %" PRIu64 " stored %" PRIu64
           " relabelled %" PRIu64 " replaced %" PRIu64 " forgotten %" PRIu64
           " consumed %" PRIu64 "\n",
           number, stats.count[ND_HAM], stats.count[ND_SPAM], stats.put_stored,
           stats.put_relabelled, stats.replaced, stats.forgotten,
           stats.consumed);
    return ND_OK;
}

/* Oldest first. */
static enum nd_status tell_journal(struct worker *worker, const char *number)
{
    struct nd_arena *arena = nd_arena_create(0);
    const struct nd_journal_entry *entries;
    size_t count = 0;
    enum nd_status status =
        nd_store_journal(worker->store, &worker->scope, JOURNAL_LINES, arena,
                         &worker->error, &entries, &count);
    for (size_t i = count; status == ND_OK && i > 0; i--) {
        const struct nd_journal_entry *entry = &entries[i - 1];
        printf("%s entry %" PRId64 " %" PRIu64 " %s %s\n", number,
               entry->time_ms, entry->token, nd_decision_name(entry->decision),
               entry->reason);
    }
    nd_arena_destroy(&arena);
    return status;
}

static enum nd_status tell_model(struct worker *worker, const char *number)
{
    struct nd_model_pointer pointer;
    struct nd_buffer blob = {0};
    enum nd_status status = nd_store_model_current(
        worker->store, &worker->scope, &worker->error, &pointer);
    if (status == ND_OK && pointer.generation != 0)
        status = nd_store_model_get(worker->store, &worker->scope,
                                    pointer.generation, &worker->error, &blob);
    if (status == ND_OK)
        printf("%s live %" PRIu64 " %" PRIu64 "\n", number, pointer.generation,
               pointer.revision);
    nd_buffer_free(&blob);
    return status;
}

static void dump(struct worker *worker, const char *number)
{
    enum nd_status status = tell_samples(worker, number);
    if (status == ND_OK)
        status = tell_stats(worker, number);
    if (status == ND_OK)
        status = tell_journal(worker, number);
    if (status == ND_OK)
        status = tell_model(worker, number);
    if (status == ND_OK)
        status = nd_store_maintain(worker->store, INT64_C(86400000), true, NULL,
                                   NULL, &worker->error);
    if (status == ND_OK)
        worker_answer(number, "end");
    else
        worker_answer_failure(worker, number, status);
}

static void tell_scripts(const char *number)
{
    for (size_t i = 0; i < nd_redis_text_count; i++) {
        const struct nd_redis_text *text = &nd_redis_texts[i];
        printf("%s script %s %s ", number, text->name, text->sha1);
        for (const char *byte = text->source; *byte != '\0'; byte++)
            printf("%02x", (unsigned)(unsigned char)*byte);
        printf("\n");
    }
    worker_answer(number, "end");
}

bool worker_look(struct worker *worker, const char *number, const char *command)
{
    if (strcmp(command, "dump") == 0)
        dump(worker, number);
    else if (strcmp(command, "scripts") == 0)
        tell_scripts(number);
    else
        return false;
    return true;
}
