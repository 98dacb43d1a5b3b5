/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs an evaluation: one pass over what is trained on, a fit, one pass over
 * what is tested. The passes stand in eval_train.c and eval_test.c.
 */
#include "cli/eval_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "learn/spare.h"

double nd_eval_seconds_since(int64_t began_us)
{
    return (double)(nd_clock_monotonic_us() - began_us) / 1e6;
}

/* Doubles the room of an array that is full. */
void *nd_eval_make_room(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room) {
        return array;
    }
    *room = *room == 0 ? 256 : 2 * *room;
    return nd_realloc(array, *room, size);
}

void nd_eval_note_identity(struct nd_evaluation *run,
                           const struct nd_item *item, uint8_t label)
{
    const char *other = nd_identity_map_add(
        run->identities, item->message.identity, label, item->path);
    if (other != NULL && run->conflict_example == NULL) {
        run->conflict_example = nd_sprintf("%s and %s", other, item->path);
    }
}

static bool is_our_symbol(const struct nd_rule *rule, const char *name)
{
    return strncmp(name, "NEURALD_", 8) == 0 ||
           strcmp(name, rule->symbol_spam) == 0 ||
           strcmp(name, rule->symbol_ham) == 0;
}

/* Our own symbols in a scan result would give the label away. */
static const char *const *find_excluded(const struct nd_rule *rule,
                                        const struct nd_item *item,
                                        size_t *count_r)
{
    size_t room = item->scan != NULL ? item->scan->count : 0;
    const char **names = nd_arena_take(item->arena, room * sizeof(*names) + 1);
    size_t count = 0;
    for (size_t i = 0; i < room; i++) {
        if (is_our_symbol(rule, item->scan->symbols[i].name)) {
            names[count++] = item->scan->symbols[i].name;
        }
    }
    *count_r = count;
    return names;
}

void nd_eval_extract(const struct nd_evaluation *run,
                     const struct nd_item *item, struct nd_features *features_r)
{
    struct nd_extract_options options = {.families = run->plan->families};
    options.excluded = find_excluded(run->rule, item, &options.excluded_count);
    nd_features_extract(&item->message, item->scan, &run->result->key, &options,
                        item->arena, features_r);
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
static void complete_model(const struct nd_evaluation *run,
                           struct nd_model *model)
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

static enum nd_status check_classes(const struct nd_evaluation *run)
{
    uint64_t wanted = run->rule->min_train;
    if (run->sample_count > 0 && run->feature_count == 0) {
        return nd_fail(&run->cli->error, ND_NOTHING,
                       "no message has any feature of these families; symbols "
                       "come from --scan or from trusted headers");
    }
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

static enum nd_status fit(struct nd_evaluation *run)
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
        .threads = nd_spare_threads(),
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
    run->result->fit_seconds = nd_eval_seconds_since(began);
    run->result->train_seconds += run->result->fit_seconds;

    struct nd_buffer blob = {0};
    complete_model(run, model);
    nd_model_write(model, &run->result->key, &blob);
    run->result->model_bytes = blob.length;
    nd_buffer_free(&blob);
    return nd_live_create(model, 0, &run->cli->error, &run->result->live);
}

/* The samples are not needed any more once there is a model. */
static void drop_samples(struct nd_evaluation *run)
{
    nd_arena_destroy(&run->arena);
    free(run->samples);
    run->samples = NULL;
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

static void tell_conflicts(struct nd_evaluation *run)
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

static enum nd_status finish(struct nd_evaluation *run)
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

static void free_evaluation(struct nd_evaluation *run)
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
    struct nd_evaluation run = {
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

    enum nd_status status = nd_eval_read_training(&run);
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
        status = nd_eval_test_all(&run);
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
