/* SPDX-License-Identifier: Apache-2.0
 *
 * Fits a model for export. It replaces no live model and needs neither lease
 * nor child.
 */
#include "cli/refit.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/session.h"
#include "features/registry.h"
#include "learn/fit.h"
#include "learn/samples.h"
#include "learn/spare.h"

#define PIECE 512 /* payloads read at a time */

struct refit {
    struct nd_cli *cli;
    struct nd_store *store;
    const struct nd_rule *rule;
    struct nd_scope scope;
    struct nd_arena *arena; /* of samples and names */
    struct nd_registry *registry;
    struct nd_snapshot snapshot;
    struct nd_fit_sample *samples;
    size_t count;
    uint64_t classes[2];
};

static enum nd_status read_registry(struct refit *run)
{
    const char *const *names;
    uint32_t count;
    enum nd_status status =
        nd_store_registry_read(run->store, run->rule->name, 0, run->arena,
                               &run->cli->error, &names, &count);
    for (uint32_t i = 0; status == ND_OK && i < count; i++) {
        (void)nd_registry_add(run->registry, names[i]);
    }
    return status;
}

/* Samples that went in the meantime, or cannot be read, are left out. */
static enum nd_status read_piece(struct refit *run, size_t first, size_t count)
{
    struct nd_payload payloads[PIECE];
    struct nd_arena *piece = nd_arena_create(0);
    const struct nd_sample_info *infos = &run->snapshot.samples[first];
    enum nd_status status = nd_store_read(run->store, &run->scope, infos, count,
                                          piece, &run->cli->error, payloads);
    for (size_t i = 0; status == ND_OK && i < count; i++) {
        struct nd_fit_sample *sample = &run->samples[run->count];
        if (payloads[i].data == NULL ||
            nd_sample_unpack(&payloads[i], nd_registry_length(run->registry),
                             run->arena, NULL, &sample->features) != ND_OK) {
            continue;
        }
        sample->label = (uint8_t)infos[i].label;
        sample->time_ms = infos[i].time_ms;
        run->classes[infos[i].label]++;
        run->count++;
    }
    nd_arena_destroy(&piece);
    return status;
}

static enum nd_status read_samples(struct refit *run)
{
    enum nd_status status = nd_store_snapshot(run->store, &run->scope,
                                              &run->cli->error, &run->snapshot);
    if (status != ND_OK) {
        return status;
    }
    run->samples = nd_calloc(run->snapshot.count, sizeof(*run->samples));
    for (size_t i = 0; i < run->snapshot.count && status == ND_OK; i += PIECE) {
        size_t left = run->snapshot.count - i;
        status = read_piece(run, i, left < PIECE ? left : PIECE);
    }
    return status;
}

static void complete(const struct refit *run, struct nd_model *model)
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
    model->figures.trained_ms = nd_clock_wall_ms();
    model->figures.watermark = run->snapshot.watermark;
}

static enum nd_status fit(struct refit *run, uint32_t families,
                          struct nd_model **model_r)
{
    struct nd_fit_options options = {
        .families = families,
        .registry_length = nd_registry_length(run->registry),
        .hidden_units = run->rule->hidden_units,
        .epochs = run->rule->max_iterations,
        .learning_rate = run->rule->learning_rate,
        .seed = run->rule->seed != 0 ? run->rule->seed : 1,
        .target_fpr = run->rule->target_fpr,
        .target_fnr = run->rule->target_fnr,
        .threads = nd_spare_threads(),
    };
    uint64_t wanted = run->rule->min_train;
    if (run->classes[0] < wanted || run->classes[1] < wanted) {
        return nd_fail(&run->cli->error, ND_NOTHING,
                       "%llu spam and %llu ham samples are too few to train a "
                       "model without text features (min_train is %llu); "
                       "--with-key exports the model as it is",
                       (unsigned long long)run->classes[ND_SPAM],
                       (unsigned long long)run->classes[ND_HAM],
                       (unsigned long long)wanted);
    }
    enum nd_status status =
        nd_fit(run->samples, run->count, &options, &run->cli->error, model_r);
    if (status == ND_OK) {
        complete(run, *model_r);
    }
    return status;
}

enum nd_status nd_refit(struct nd_cli *cli, struct nd_store *store,
                        const struct nd_rule *rule, uint32_t families,
                        struct nd_model **model_r)
{
    struct refit run = {.cli = cli,
                        .store = store,
                        .rule = rule,
                        .scope = nd_session_scope(rule),
                        .arena = nd_arena_create(0),
                        .registry = nd_registry_create()};
    enum nd_status status = read_registry(&run);
    if (status == ND_OK) {
        status = read_samples(&run);
    }
    if (status == ND_OK) {
        status = fit(&run, families, model_r);
    }
    free(run.samples);
    free(run.snapshot.samples);
    nd_registry_destroy(&run.registry);
    nd_arena_destroy(&run.arena);
    return status;
}
