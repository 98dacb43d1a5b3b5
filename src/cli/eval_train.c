/* SPDX-License-Identifier: Apache-2.0
 *
 * The training part of an evaluation. Samples go through the store's encoding
 * on their way to the fit, so that what is judged is what a store would train
 * on.
 */
#include "cli/eval_parts.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/sha1.h"
#include "learn/samples.h"

static void register_names(struct nd_evaluation *run,
                           const struct nd_features *features)
{
    for (size_t i = 0; i < features->named_count; i++) {
        if (nd_registry_length(run->registry) < run->rule->max_symbols) {
            (void)nd_registry_add(run->registry, features->named[i].name);
        }
    }
}

static uint64_t count_features(const struct nd_slotted *features)
{
    uint64_t count = features->named_count;
    for (size_t i = 0; i < ND_FAMILY_COUNT; i++) {
        count += features->text[i].count;
    }
    return count;
}

static enum nd_status add_sample(struct nd_evaluation *run,
                                 const struct nd_item *item, uint8_t label)
{
    struct nd_features features;
    struct nd_buffer payload = {0};
    size_t unknown;
    struct nd_fit_sample sample = {.label = label,
                                   .time_ms = item->message.received_ms};
    nd_eval_extract(run, item, &features);
    register_names(run, &features);
    enum nd_refusal refusal = nd_sample_pack(&features, run->registry,
                                             item->arena, &payload, &unknown);
    if (refusal != ND_REFUSED_NONE) {
        nd_cli_remark(run->cli, "left out %s: %s", item->path,
                      nd_refusal_name(refusal));
        run->result->skipped++;
        nd_buffer_free(&payload);
        return ND_OK;
    }
    struct nd_payload packed = {payload.data, payload.length};
    enum nd_status status =
        nd_sample_unpack(&packed, nd_registry_length(run->registry), run->arena,
                         &run->cli->error, &sample.features);
    if (status == ND_OK) {
        run->samples =
            nd_eval_make_room(run->samples, run->sample_count,
                              &run->sample_room, sizeof(*run->samples));
        run->samples[run->sample_count++] = sample;
        run->sample_bytes += payload.length;
        run->feature_count += count_features(&sample.features);
        run->count[label]++;
    }
    nd_buffer_free(&payload);
    return status;
}

static void add_pending(struct nd_evaluation *run, const struct nd_item *item,
                        uint8_t label)
{
    struct nd_eval_pending pending = {.path = nd_strdup(item->path),
                                      .label = label};
    if (access(item->path, F_OK) != 0) {
        pending.data = nd_strndup(item->data, item->length);
        pending.length = item->length;
    }
    run->pending = nd_eval_make_room(run->pending, run->pending_count,
                                     &run->pending_room, sizeof(*run->pending));
    run->pending[run->pending_count++] = pending;
}

static bool is_test(const struct nd_evaluation *run,
                    const struct nd_eval_entry *entry, const char *path)
{
    const char *slash = strrchr(path, '/');
    return entry->part == ND_EVAL_BY_NAME &&
           nd_sha1_modulo(slash != NULL ? slash + 1 : path,
                          run->plan->divisor) == 0;
}

/* Reading what only turns out to be of the test part is no part of the time
 * that training takes. */
static enum nd_status read_training_entry(struct nd_evaluation *run,
                                          const struct nd_eval_entry *entry,
                                          double before, double share)
{
    const char *path = entry->path;
    struct nd_reading *reading = NULL;
    struct nd_item item;
    enum nd_status status =
        nd_reading_open(run->cli, &path, 1, run->scans, &reading);
    bool opened = status == ND_OK;
    while (status == ND_OK) {
        int64_t began = nd_clock_monotonic_us();
        status = nd_reading_next_raw(reading, &item);
        if (status != ND_OK) {
            break;
        }
        if (is_test(run, entry, item.path)) {
            add_pending(run, &item, entry->label);
            continue;
        }
        status = nd_reading_parse(reading, &item);
        if (status == ND_OK) {
            nd_eval_note_identity(run, &item, entry->label);
            status = add_sample(run, &item, entry->label);
        } else if (status == ND_DATA) {
            status = ND_OK;
        }
        run->result->train_seconds += nd_eval_seconds_since(began);
        nd_progress_update(&run->cli->progress,
                           before + share * nd_reading_done(reading), NULL);
    }
    if (opened) {
        run->result->skipped += nd_reading_skipped(reading);
    }
    nd_reading_close(&reading);
    return status == ND_NOTHING && opened ? ND_OK : status;
}

enum nd_status nd_eval_read_training(struct nd_evaluation *run)
{
    enum nd_status status = ND_OK;
    double share = 1.0 / (double)run->plan->count;
    nd_progress_stage(&run->cli->progress, "reading");
    for (size_t i = 0; i < run->plan->count && status == ND_OK; i++) {
        const struct nd_eval_entry *entry = &run->plan->entries[i];
        if (entry->part != ND_EVAL_TEST) {
            status = read_training_entry(run, entry, share * (double)i, share);
        }
    }
    char detail[64];
    snprintf(detail, sizeof(detail), "%zu messages to train on",
             run->sample_count);
    nd_progress_end(&run->cli->progress, detail);
    return status;
}
