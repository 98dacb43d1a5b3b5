/* SPDX-License-Identifier: Apache-2.0
 *
 * libneurald's public face (include/neurald/neurald.h): a model file, a key,
 * and scoring. It is the scoring half of the engine without a store; learning
 * is not part of it.
 */
#include "neurald/neurald.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "learn/key_file.h"
#include "learn/live.h"
#include "learn/model_file.h"
#include "mail/message.h"

struct neurald {
    struct nd_live *live;
    struct nd_key key; /* all zero without one: text is then not read */
    bool has_key;
    struct nd_mail_limits limits;
};

static int report(enum nd_status status, const struct nd_error *error,
                  char *why, size_t size)
{
    if (why != NULL && size > 0)
        (void)snprintf(why, size, "%s",
                       error->text[0] != '\0' ? error->text
                                              : nd_status_text(status));
    return nd_status_exit(status);
}

static enum nd_status open_model(struct neurald *handle, const char *path,
                                 const char *key_path, struct nd_error *error)
{
    enum nd_status status = nd_hash_init(error);
    if (status == ND_OK && key_path != NULL) {
        status = nd_key_file_read(key_path, error, &handle->key);
        handle->has_key = status == ND_OK;
    }
    struct nd_model *model = NULL;
    if (status == ND_OK)
        status = nd_model_file_read(path, handle->has_key ? &handle->key : NULL,
                                    error, &model);
    if (status == ND_OK)
        status = nd_live_create(model, model->figures.generation, error,
                                &handle->live);
    return status;
}

int neurald_open(const char *path, const char *key_path,
                 struct neurald **handle_r, char *why, size_t size)
{
    struct nd_error error = {0};
    struct neurald *handle = nd_calloc(1, sizeof(*handle));
    nd_mail_limits_default(&handle->limits);
    enum nd_status status = open_model(handle, path, key_path, &error);
    if (status != ND_OK) {
        neurald_close(&handle);
        return report(status, &error, why, size);
    }
    *handle_r = handle;
    return 0;
}

void neurald_close(struct neurald **handle)
{
    if (handle == NULL || *handle == NULL)
        return;
    nd_live_release(&(*handle)->live);
    nd_wipe(&(*handle)->key, sizeof((*handle)->key));
    free(*handle);
    *handle = NULL;
}

/* The caller's symbols as a scan; those that are not names are left out. */
static void take_symbols(const struct neurald_symbol *symbols, size_t count,
                         struct nd_arena *arena, struct nd_scan *scan_r)
{
    if (count > ND_MAX_SCAN_SYMBOLS)
        count = ND_MAX_SCAN_SYMBOLS;
    struct nd_scan_symbol *taken = nd_arena_take(arena, count * sizeof(*taken));
    *scan_r = (struct nd_scan){.symbols = taken};
    for (size_t i = 0; i < count; i++) {
        const char *name = symbols[i].name;
        if (name == NULL || name[0] == '\0' ||
            strlen(name) > ND_MAX_SYMBOL_NAME || !isfinite(symbols[i].score))
            continue;
        taken[scan_r->count++] = (struct nd_scan_symbol){
            .name = name,
            .score = symbols[i].has_score != 0 ? symbols[i].score : 0.0,
            .has_score = symbols[i].has_score != 0,
        };
    }
}

static enum neurald_class class_of(const struct nd_calibration *calibration,
                                   double probability)
{
    if (probability >= calibration->spam_threshold)
        return NEURALD_IS_SPAM;
    return probability <= calibration->ham_threshold ? NEURALD_IS_HAM
                                                     : NEURALD_UNSURE;
}

static void judge(const struct neurald *handle,
                  const struct nd_features *features, struct nd_arena *arena,
                  struct neurald_verdict *verdict_r)
{
    const struct nd_live *live = handle->live;
    struct nd_slotted slotted;
    nd_features_resolve(features, live->names, arena, &slotted, NULL);
    if (!nd_live_reads(live, slotted.families))
        return;
    double log_odds = nd_scorer_log_odds(live->scorer, &slotted, arena);
    const struct nd_calibration *calibration = &live->model->calibration;
    verdict_r->log_odds = log_odds;
    verdict_r->probability = nd_probability(calibration, log_odds);
    verdict_r->verdict = class_of(calibration, verdict_r->probability);
}

void neurald_score_symbols(const struct neurald *handle, const void *data,
                           size_t length, const struct neurald_symbol *symbols,
                           size_t count, struct neurald_verdict *verdict_r)
{
    *verdict_r = (struct neurald_verdict){
        .probability = 0.5, .generation = handle->live->generation};
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_message message;
    bool read = data != NULL && length > 0 &&
                nd_message_read(data, length, &handle->limits, NULL, arena,
                                NULL, &message) == ND_OK;
    struct nd_scan scan;
    if (count > 0)
        take_symbols(symbols, count, arena, &scan);
    if (read || count > 0) {
        struct nd_extract_options options = {
            .families =
                handle->has_key ? ND_GROUP_ALL : ND_GROUP_ALL & ~ND_GROUP_TEXT};
        struct nd_features features;
        nd_features_extract(read ? &message : NULL, count > 0 ? &scan : NULL,
                            &handle->key, &options, arena, &features);
        judge(handle, &features, arena, verdict_r);
    }
    nd_arena_destroy(&arena);
}

void neurald_score_message(const struct neurald *handle, const void *data,
                           size_t length, struct neurald_verdict *verdict_r)
{
    neurald_score_symbols(handle, data, length, NULL, 0, verdict_r);
}

const char *neurald_version(void)
{
    return NEURALD_VERSION;
}
