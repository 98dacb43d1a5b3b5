/* SPDX-License-Identifier: Apache-2.0
 *
 * The test part of an evaluation: one pass, with fresh features, as scoring has
 * them elsewhere, each message timed from its file to its verdict.
 */
#include "cli/eval_parts.h"

#include "base/clock.h"
#include "nn/model.h"

static void judge(const struct nd_evaluation *run, const struct nd_item *item,
                  struct nd_eval_outcome *outcome)
{
    const struct nd_live *live = run->result->live;
    const struct nd_calibration *calibration = &live->model->calibration;
    struct nd_features features;
    struct nd_slotted slotted;
    nd_eval_extract(run, item, &features);
    nd_features_resolve(&features, live->names, item->arena, &slotted, NULL);
    outcome->log_odds = nd_scorer_log_odds(live->scorer, &slotted, item->arena);
    outcome->probability = nd_probability(calibration, outcome->log_odds);
    outcome->verdict =
        outcome->probability >= calibration->spam_threshold  ? ND_VERDICT_SPAM
        : outcome->probability <= calibration->ham_threshold ? ND_VERDICT_HAM
                                                             : ND_UNSURE;
}

static void add_outcome(struct nd_evaluation *run, const struct nd_item *item,
                        uint8_t label)
{
    struct nd_eval_result *result = run->result;
    result->outcomes =
        nd_eval_make_room(result->outcomes, result->test, &run->outcome_room,
                          sizeof(*result->outcomes));
    struct nd_eval_outcome *outcome = &result->outcomes[result->test++];
    *outcome = (struct nd_eval_outcome){.label = label};
    judge(run, item, outcome);
    outcome->path = nd_strdup(item->path);
    result->test_spam += label == ND_SPAM;
}

static enum nd_status test_path(struct nd_evaluation *run, const char *path,
                                uint8_t label)
{
    struct nd_reading *reading = NULL;
    struct nd_item item;
    int64_t began = nd_clock_monotonic_us();
    enum nd_status status =
        nd_reading_open(run->cli, &path, 1, run->scans, &reading);
    bool opened = status == ND_OK;
    while (status == ND_OK) {
        status = nd_reading_next(reading, &item);
        if (status == ND_OK) {
            add_outcome(run, &item, label);
            nd_eval_note_identity(run, &item, label);
        }
    }
    if (opened) {
        run->result->skipped += nd_reading_skipped(reading);
    }
    nd_reading_close(&reading);
    run->result->test_seconds += nd_eval_seconds_since(began);
    return status == ND_NOTHING && opened ? ND_OK : status;
}

static enum nd_status test_bytes(struct nd_evaluation *run,
                                 const struct nd_eval_pending *pending)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_item item = {.path = pending->path,
                           .data = pending->data,
                           .length = pending->length,
                           .arena = arena};
    int64_t began = nd_clock_monotonic_us();
    if (nd_item_parse(run->cli, pending->length, run->scans, &item) == ND_OK) {
        add_outcome(run, &item, pending->label);
        nd_eval_note_identity(run, &item, pending->label);
    } else {
        run->result->skipped++;
    }
    run->result->test_seconds += nd_eval_seconds_since(began);
    nd_arena_destroy(&arena);
    return ND_OK;
}

enum nd_status nd_eval_test_all(struct nd_evaluation *run)
{
    enum nd_status status = ND_OK;
    size_t done = 0;
    size_t all = run->pending_count + run->plan->count;
    nd_progress_stage(&run->cli->progress, "scoring");
    for (size_t i = 0; i < run->pending_count && status == ND_OK; i++) {
        const struct nd_eval_pending *pending = &run->pending[i];
        status = pending->data != NULL
                     ? test_bytes(run, pending)
                     : test_path(run, pending->path, pending->label);
        /* An empty file is left out, as it is elsewhere. */
        status = status == ND_NOTHING ? ND_OK : status;
        nd_progress_update(&run->cli->progress, (double)++done / (double)all,
                           NULL);
    }
    for (size_t i = 0; i < run->plan->count && status == ND_OK; i++) {
        const struct nd_eval_entry *entry = &run->plan->entries[i];
        if (entry->part == ND_EVAL_TEST) {
            status = test_path(run, entry->path, entry->label);
        }
        nd_progress_update(&run->cli->progress, (double)++done / (double)all,
                           NULL);
    }
    char detail[64];
    snprintf(detail, sizeof(detail), "%zu messages", run->result->test);
    nd_progress_end(&run->cli->progress, detail);
    return status;
}
