/* SPDX-License-Identifier: Apache-2.0
 *
 * The front of reading and writing a store's contents as records: arguments
 * are checked, then the backend is called.
 */
#include "store/image.h"

#include <stdlib.h>
#include <string.h>

#include "store/backend.h"
#include "store/check.h"
#include "store/sample.h"

const char *nd_image_event_name(size_t event)
{
    static const char *const names[ND_IMAGE_EVENTS] = {
        "stored",   "relabelled", "merged",  "duplicate",
        "replaced", "forgotten",  "consumed"};
    return names[event];
}

static enum nd_status check_sample(const struct nd_image_sample *sample,
                                   struct nd_error *error)
{
    uint32_t families;
    if ((unsigned)sample->fate < ND_FATE_PRESENT ||
        (unsigned)sample->fate > ND_FATE_FORGOTTEN_ABSENT)
        return nd_fail(error, ND_USAGE, "no such fate: %u",
                       (unsigned)sample->fate);
    enum nd_status status =
        nd_check_label(sample->info.label, sample->info.source, error);
    if (status == ND_OK && sample->fate == ND_FATE_PRESENT)
        status = nd_sample_families(sample->payload, sample->payload_length,
                                    error, &families);
    return status;
}

enum nd_status nd_store_image_read(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   enum nd_image_kind kind, uint64_t *cursor,
                                   struct nd_arena *arena,
                                   struct nd_error *error,
                                   const struct nd_image_record **records_r,
                                   size_t *count_r)
{
    enum nd_status status = ND_OK;
    if ((unsigned)kind >= ND_IMAGE_KIND_COUNT)
        status = nd_fail(error, ND_USAGE, "no such kind of record: %u",
                         (unsigned)kind);
    else if (kind != ND_IMAGE_SCOPE)
        status = nd_check_scope(scope, error);
    return status == ND_OK
               ? store->backend->image_read(store, scope, kind, cursor, arena,
                                            error, records_r, count_r)
               : status;
}

enum nd_status nd_store_image_write(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const struct nd_image_record *records,
                                    size_t count, struct nd_error *error)
{
    enum nd_status status = nd_check_scope(scope, error);
    for (size_t i = 0; status == ND_OK && i < count; i++) {
        if ((unsigned)records[i].kind >= ND_IMAGE_KIND_COUNT)
            status = nd_fail(error, ND_USAGE, "no such kind of record: %u",
                             (unsigned)records[i].kind);
        else if (records[i].kind == ND_IMAGE_SAMPLE)
            status = check_sample(&records[i].of.sample, error);
    }
    return status == ND_OK ? store->backend->image_write(store, scope, records,
                                                         count, error)
                           : status;
}

/* ---- what backends read alike ---- */

static enum nd_status read_models(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  struct nd_arena *arena,
                                  struct nd_error *error,
                                  const struct nd_image_record **records_r,
                                  size_t *count_r)
{
    struct nd_model_info *models;
    size_t count;
    enum nd_status status =
        nd_store_model_list(store, scope, error, &models, &count);
    if (status != ND_OK)
        return status;
    struct nd_image_record *records =
        nd_arena_take(arena, count * sizeof(*records));
    for (size_t i = 0; i < count; i++) {
        memset(&records[i], 0, sizeof(records[i]));
        records[i].kind = ND_IMAGE_MODEL;
        records[i].of.model = models[i];
    }
    free(models);
    *records_r = records;
    *count_r = count;
    return ND_OK;
}

/* The list is the rule's, newest use first. */
static enum nd_status read_profiles(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    struct nd_arena *arena,
                                    struct nd_error *error,
                                    const struct nd_image_record **records_r,
                                    size_t *count_r)
{
    const struct nd_profile *profiles;
    size_t all, count = 0;
    enum nd_status status = nd_store_profile_list(store, scope->rule, arena,
                                                  error, &profiles, &all);
    if (status != ND_OK)
        return status;
    struct nd_image_record *records =
        nd_arena_take(arena, all * sizeof(*records));
    for (size_t i = all; i > 0; i--) {
        if (strcmp(profiles[i - 1].settings, scope->settings) != 0)
            continue;
        memset(&records[count], 0, sizeof(records[count]));
        records[count].kind = ND_IMAGE_PROFILE;
        records[count++].of.profile = profiles[i - 1];
    }
    *records_r = records;
    *count_r = count;
    return ND_OK;
}

enum nd_status nd_image_read_lists(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   enum nd_image_kind kind, uint64_t *cursor,
                                   struct nd_arena *arena,
                                   struct nd_error *error,
                                   const struct nd_image_record **records_r,
                                   size_t *count_r)
{
    enum nd_status status =
        kind == ND_IMAGE_MODEL
            ? read_models(store, scope, arena, error, records_r, count_r)
            : read_profiles(store, scope, arena, error, records_r, count_r);
    if (status == ND_OK)
        *cursor = ND_IMAGE_END;
    return status;
}
