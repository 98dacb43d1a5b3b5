/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs an evaluation: one pass over what is trained on, a fit, one pass over
 * what is tested. Samples go through the store's encoding on their way to the
 * fit, so that what is judged here is what a store would train on; scoring
 * takes fresh features, as it does elsewhere.
 */
#include "cli/eval.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/identity_map.h"
#include "cli/reading.h"
#include "cli/sha1.h"
#include "learn/fit.h"
#include "learn/samples.h"

/* A message of the test part that was met while the training part was read. */
struct pending {
    char *path;
    void *data; /* of a message inside an mbox; NULL: read the file again */
    size_t length;
    uint8_t label;
};

struct evaluation {
    struct nd_cli *cli;
    const struct nd_eval_plan *plan;
    const struct nd_rule *rule;
    const struct nd_scan_file *scans;
    struct nd_eval_result *result;
    struct nd_registry *registry;
    struct nd_identity_map *identities;
    char *conflict_example;

    struct nd_arena *arena; /* of the samples */
    struct nd_fit_sample *samples;
    size_t sample_count, sample_room;
    uint64_t sample_bytes;
    uint64_t count[2]; /* trained on, by class */

    struct pending *pending;
    size_t pending_count, pending_room;
    size_t outcome_room;
};

static double seconds_since(int64_t began_us)
{
    return (double)(nd_clock_monotonic_us() - began_us) / 1e6;
}

/* Doubles the room of an array that is full. */
static void *make_room(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room) {
        return array;
    }
    *room = *room == 0 ? 256 : 2 * *room;
    return nd_realloc(array, *room, size);
}

static void note_identity(struct evaluation *run, const struct nd_item *item,
                          uint8_t label)
{
    const char *other = nd_identity_map_add(
        run->identities, item->message.identity, label, item->path);
    if (other != NULL && run->conflict_example == NULL) {
        run->conflict_example = nd_sprintf("%s and %s", other, item->path);
    }
}

static void extract(const struct evaluation *run, const struct nd_item *item,
                    struct nd_features *features_r)
{
    struct nd_extract_options options = {.families = run->plan->families};
    nd_features_extract(&item->message, item->scan, &run->result->key, &options,
                        item->arena, features_r);
}

/* ---- the training part ---- */

static void register_names(struct evaluation *run,
                           const struct nd_features *features)
{
    for (size_t i = 0; i < features->named_count; i++) {
        if (nd_registry_length(run->registry) < run->rule->max_symbols) {
            (void)nd_registry_add(run->registry, features->named[i].name);
        }
    }
}

static enum nd_status add_sample(struct evaluation *run,
                                 const struct nd_item *item, uint8_t label)
{
    struct nd_features features;
    struct nd_buffer payload = {0};
    size_t unknown;
    struct nd_fit_sample sample = {.label = label,
                                   .time_ms = item->message.received_ms};
    extract(run, item, &features);
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
        run->samples = make_room(run->samples, run->sample_count,
                                 &run->sample_room, sizeof(*run->samples));
        run->samples[run->sample_count++] = sample;
        run->sample_bytes += payload.length;
        run->count[label]++;
    }
    nd_buffer_free(&payload);
    return status;
}

static void add_pending(struct evaluation *run, const struct nd_item *item,
                        uint8_t label)
{
    struct pending pending = {.path = nd_strdup(item->path), .label = label};
    if (access(item->path, F_OK) != 0) {
        pending.data = nd_strndup(item->data, item->length);
        pending.length = item->length;
    }
    run->pending = make_room(run->pending, run->pending_count,
                             &run->pending_room, sizeof(*run->pending));
    run->pending[run->pending_count++] = pending;
}

static bool is_test(const struct evaluation *run,
                    const struct nd_eval_entry *entry, const char *path)
{
    const char *slash = strrchr(path, '/');
    return entry->part == ND_EVAL_BY_NAME &&
           nd_sha1_modulo(slash != NULL ? slash + 1 : path,
                          run->plan->divisor) == 0;
}

/* Reading what only turns out to be of the test part is no part of the time
 * that training takes. */
static enum nd_status read_training_entry(struct evaluation *run,
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
            note_identity(run, &item, entry->label);
            status = add_sample(run, &item, entry->label);
        } else if (status == ND_DATA) {
            status = ND_OK;
        }
        run->result->train_seconds += seconds_since(began);
        nd_progress_update(&run->cli->progress,
                           before + share * nd_reading_done(reading), NULL);
    }
    if (opened) {
        run->result->skipped += nd_reading_skipped(reading);
    }
    nd_reading_close(&reading);
    return status == ND_NOTHING && opened ? ND_OK : status;
}

static enum nd_status read_training(struct evaluation *run)
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

/* ---- the fit ---- */

static bool show_fit(double done, double loss, const char *stage, void *context)
{
    struct nd_progress *progress = context;
    char detail[96];
    snprintf(detail, sizeof(detail), "%s, loss %.4f", stage, loss);
    nd_progress_update(progress, done, detail);
    return true;
}

/* What nd_fit leaves to its caller. */
static void complete_model(const struct evaluation *run, struct nd_model *model)
{
    uint32_t length = nd_registry_length(run->registry);
    model->names = nd_calloc(length, sizeof(*model->names));
    for (uint32_t i = 0; i < length; i++) {
        model->names[i] = nd_strdup(nd_registry_name(run->registry, i));
    }
    model->registry_length = length;
    nd_registry_digest(run->registry, length, model->registry_digest);
    model->rule = nd_strdup(run->rule->name);
    model->settings = nd_strdup(run->rule->settings);
    model->has_key = true;
    memcpy(model->key_id, run->result->key.id, ND_KEY_ID_BYTES);
}

static enum nd_status check_classes(const struct evaluation *run)
{
    uint64_t wanted = run->rule->min_train;
    if (run->count[ND_SPAM] >= wanted && run->count[ND_HAM] >= wanted) {
        return ND_OK;
    }
    return nd_fail(&run->cli->error, ND_NOTHING,
                   "%llu spam and %llu ham to train on; at least %llu of each "
                   "class are needed (min_train)",
                   (unsigned long long)run->count[ND_SPAM],
                   (unsigned long long)run->count[ND_HAM],
                   (unsigned long long)wanted);
}

static enum nd_status fit(struct evaluation *run)
{
    struct nd_model *model = NULL;
    struct nd_fit_options options = {
        .families = run->plan->families,
        .registry_length = nd_registry_length(run->registry),
        .hidden_units = run->rule->hidden_units,
        .epochs = run->rule->max_iterations,
        .learning_rate = run->rule->learning_rate,
        .seed = run->plan->seed,
        .target_fpr = run->rule->target_fpr,
        .target_fnr = run->rule->target_fnr,
        .progress = show_fit,
        .context = &run->cli->progress,
    };
    int64_t began = nd_clock_monotonic_us();
    nd_progress_stage(&run->cli->progress, "training");
    enum nd_status status = nd_fit(run->samples, run->sample_count, &options,
                                   &run->cli->error, &model);
    if (status != ND_OK) {
        return status;
    }
    nd_progress_end(&run->cli->progress, NULL);
    run->result->fit_seconds = seconds_since(began);
    run->result->train_seconds += run->result->fit_seconds;

    struct nd_buffer blob = {0};
    complete_model(run, model);
    nd_model_write(model, &run->result->key, &blob);
    run->result->model_bytes = blob.length;
    nd_buffer_free(&blob);
    return nd_live_create(model, 0, &run->cli->error, &run->result->live);
}

/* The samples are not needed any more once there is a model. */
static void drop_samples(struct evaluation *run)
{
    nd_arena_destroy(&run->arena);
    free(run->samples);
    run->samples = NULL;
}

/* ---- the test part ---- */

static void judge(const struct evaluation *run, const struct nd_item *item,
                  struct nd_eval_outcome *outcome)
{
    const struct nd_live *live = run->result->live;
    const struct nd_calibration *calibration = &live->model->calibration;
    struct nd_features features;
    struct nd_slotted slotted;
    extract(run, item, &features);
    nd_features_resolve(&features, live->names, item->arena, &slotted, NULL);
    outcome->log_odds = nd_scorer_log_odds(live->scorer, &slotted, item->arena);
    outcome->probability = nd_probability(calibration, outcome->log_odds);
    outcome->verdict =
        outcome->probability >= calibration->spam_threshold  ? ND_VERDICT_SPAM
        : outcome->probability <= calibration->ham_threshold ? ND_VERDICT_HAM
                                                             : ND_UNSURE;
}

static void add_outcome(struct evaluation *run, const struct nd_item *item,
                        uint8_t label)
{
    struct nd_eval_result *result = run->result;
    result->outcomes = make_room(result->outcomes, result->test,
                                 &run->outcome_room, sizeof(*result->outcomes));
    struct nd_eval_outcome *outcome = &result->outcomes[result->test++];
    *outcome = (struct nd_eval_outcome){.label = label};
    judge(run, item, outcome);
    outcome->path = nd_strdup(item->path);
    result->test_spam += label == ND_SPAM;
}

static enum nd_status test_path(struct evaluation *run, const char *path,
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
            note_identity(run, &item, label);
        }
    }
    if (opened) {
        run->result->skipped += nd_reading_skipped(reading);
    }
    nd_reading_close(&reading);
    run->result->test_seconds += seconds_since(began);
    return status == ND_NOTHING && opened ? ND_OK : status;
}

static enum nd_status test_bytes(struct evaluation *run,
                                 const struct pending *pending)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_item item = {.path = pending->path,
                           .data = pending->data,
                           .length = pending->length,
                           .arena = arena};
    int64_t began = nd_clock_monotonic_us();
    if (nd_item_parse(run->cli, pending->length, run->scans, &item) == ND_OK) {
        add_outcome(run, &item, pending->label);
        note_identity(run, &item, pending->label);
    } else {
        run->result->skipped++;
    }
    run->result->test_seconds += seconds_since(began);
    nd_arena_destroy(&arena);
    return ND_OK;
}

static enum nd_status test_all(struct evaluation *run)
{
    enum nd_status status = ND_OK;
    size_t done = 0;
    size_t all = run->pending_count + run->plan->count;
    nd_progress_stage(&run->cli->progress, "scoring");
    for (size_t i = 0; i < run->pending_count && status == ND_OK; i++) {
        const struct pending *pending = &run->pending[i];
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

/* ---- the whole ---- */

/* A key of the seed: the same run gives the same figures. */
static void make_key(uint64_t seed, struct nd_key *key_r)
{
    struct nd_buffer text = {0};
    uint8_t secret[ND_DIGEST_BYTES];
    nd_buffer_printf(&text, "neurald eval key %llu", (unsigned long long)seed);
    nd_digest(text.data, text.length, NULL, secret);
    nd_key_from_secret(secret, key_r);
    nd_buffer_free(&text);
}

static void tell_conflicts(struct evaluation *run)
{
    size_t conflicts = nd_identity_map_conflicts(run->identities);
    run->result->conflicts = conflicts;
    if (conflicts > 0) {
        nd_cli_remark(run->cli,
                      "%zu message%s under both labels (such as %s); "
                      "evaluated as labelled",
                      conflicts, conflicts == 1 ? " is" : "s are",
                      run->conflict_example);
    }
}

static enum nd_status finish(struct evaluation *run)
{
    struct nd_eval_result *result = run->result;
    tell_conflicts(run);
    if (result->test == 0) {
        return nd_fail(&run->cli->error, ND_NOTHING,
                       "no message is in the test part; give more, or another "
                       "--split");
    }
    if (result->test_spam == 0 || result->test_spam == result->test) {
        nd_cli_remark(run->cli,
                      "the test part has one class only: AUC and recall mean "
                      "nothing there");
    }
    nd_eval_figures(result->outcomes, result->test, &result->figures);
    return ND_OK;
}

static void free_evaluation(struct evaluation *run)
{
    for (size_t i = 0; i < run->pending_count; i++) {
        free(run->pending[i].path);
        free(run->pending[i].data);
    }
    free(run->pending);
    free(run->samples);
    free(run->conflict_example);
    nd_arena_destroy(&run->arena);
    nd_registry_destroy(&run->registry);
    nd_identity_map_destroy(&run->identities);
}

enum nd_status nd_eval_run(struct nd_cli *cli, const struct nd_eval_plan *plan,
                           const struct nd_rule *rule,
                           const struct nd_scan_file *scans,
                           struct nd_eval_result *result_r)
{
    struct evaluation run = {
        .cli = cli,
        .plan = plan,
        .rule = rule,
        .scans = scans,
        .result = result_r,
        .registry = nd_registry_create(),
        .identities = nd_identity_map_create(),
        .arena = nd_arena_create(1 << 20),
    };
    *result_r = (struct nd_eval_result){0};
    make_key(plan->seed, &result_r->key);

    enum nd_status status = read_training(&run);
    if (status == ND_OK) {
        status = check_classes(&run);
    }
    if (status == ND_OK) {
        status = fit(&run);
        result_r->train = run.sample_count;
        result_r->train_spam = run.count[ND_SPAM];
        result_r->sample_bytes =
            (double)run.sample_bytes / (double)run.sample_count;
        drop_samples(&run);
    }
    if (status == ND_OK) {
        status = test_all(&run);
    }
    if (status == ND_OK) {
        status = finish(&run);
    }
    free_evaluation(&run);
    return status;
}

void nd_eval_result_free(struct nd_eval_result *result)
{
    for (size_t i = 0; i < result->test; i++) {
        free(result->outcomes[i].path);
    }
    free(result->outcomes);
    nd_live_release(&result->live);
    *result = (struct nd_eval_result){0};
}
