/* SPDX-License-Identifier: Apache-2.0
 *
 * The front of the store for samples, the registry and profiles: arguments are
 * checked, then the backend is called.
 */
#include "store/backend.h"
#include "store/check.h"

/* ---- samples ---- */

enum nd_status nd_store_put(struct nd_store *store,
                            const struct nd_scope *scope,
                            const struct nd_sample_put *sample,
                            const struct nd_quota *quota,
                            struct nd_error *error,
                            struct nd_put_result *result_r)
{
    return nd_store_put_many(store, scope, sample, 1, quota, error, result_r);
}

enum nd_status nd_store_put_many(struct nd_store *store,
                                 const struct nd_scope *scope,
                                 const struct nd_sample_put *samples,
                                 size_t count, const struct nd_quota *quota,
                                 struct nd_error *error,
                                 struct nd_put_result *results_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    if (status == ND_OK)
        status = nd_check_puts(samples, count, quota, error);
    if (status != ND_OK || count == 0)
        return status;
    return store->backend->put_many(store, scope, samples, count, quota, error,
                                    results_r);
}

enum nd_status nd_store_forget(struct nd_store *store,
                               const struct nd_scope *scope,
                               const uint8_t identity[ND_IDENTITY_BYTES],
                               int64_t label_ms, struct nd_error *error,
                               bool *existed_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    if (status != ND_OK)
        return status;
    return store->backend->forget(store, scope, identity, label_ms, error,
                                  existed_r);
}

enum nd_status nd_store_forget_matching(struct nd_store *store,
                                        const struct nd_scope *scope,
                                        const struct nd_sample_filter *filter,
                                        bool dry_run, struct nd_error *error,
                                        uint64_t *count_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    if (status != ND_OK)
        return status;
    if (filter->source >= ND_SOURCE_COUNT || filter->label > ND_SPAM)
        return nd_fail(error, ND_USAGE, "no such class or source: %d, %d",
                       filter->label, filter->source);
    return store->backend->forget_matching(store, scope, filter, dry_run, error,
                                           count_r);
}

enum nd_status nd_store_relabel(struct nd_store *store,
                                const struct nd_scope *scope,
                                const uint8_t identity[ND_IDENTITY_BYTES],
                                const struct nd_claim *claim,
                                struct nd_error *error,
                                struct nd_put_result *result_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    if (status == ND_OK)
        status = nd_check_label(claim->label, claim->source, error);
    if (status != ND_OK)
        return status;
    return store->backend->relabel(store, scope, identity, claim, error,
                                   result_r);
}

enum nd_status nd_store_snapshot(struct nd_store *store,
                                 const struct nd_scope *scope,
                                 struct nd_error *error,
                                 struct nd_snapshot *snapshot_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    return status == ND_OK
               ? store->backend->snapshot(store, scope, error, snapshot_r)
               : status;
}

enum nd_status nd_store_read(struct nd_store *store,
                             const struct nd_scope *scope,
                             const struct nd_sample_info *samples, size_t count,
                             struct nd_arena *arena, struct nd_error *error,
                             struct nd_payload *payloads_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    if (status != ND_OK || count == 0)
        return status;
    return store->backend->read(store, scope, samples, count, arena, error,
                                payloads_r);
}

enum nd_status nd_store_find(struct nd_store *store,
                             const struct nd_scope *scope,
                             const uint8_t identity[ND_IDENTITY_BYTES],
                             struct nd_error *error,
                             struct nd_sample_info *info_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    return status == ND_OK
               ? store->backend->find(store, scope, identity, error, info_r)
               : status;
}

/* ---- registry and profiles ---- */

enum nd_status nd_store_registry_slots(struct nd_store *store, const char *rule,
                                       const char *const *names, size_t count,
                                       uint32_t max_names,
                                       struct nd_error *error,
                                       uint32_t *slots_r, uint32_t *length_r,
                                       uint8_t digest_r[ND_DIGEST_BYTES])
{
    enum nd_status status = nd_check_name("rule", rule, error);
    if (status == ND_OK)
        status = nd_check_symbols(names, count, ND_MAX_REGISTRY_NAMES, error);
    if (status != ND_OK)
        return status;
    return store->backend->registry_slots(store, rule, names, count, max_names,
                                          error, slots_r, length_r, digest_r);
}

enum nd_status nd_store_registry_read(struct nd_store *store, const char *rule,
                                      uint32_t first, struct nd_arena *arena,
                                      struct nd_error *error,
                                      const char *const **names_r,
                                      uint32_t *count_r)
{
    enum nd_status status = nd_check_name("rule", rule, error);
    if (status != ND_OK)
        return status;
    return store->backend->registry_read(store, rule, first, arena, error,
                                         names_r, count_r);
}

enum nd_status nd_store_profile_register(struct nd_store *store,
                                         const char *rule,
                                         const struct nd_profile *profile,
                                         struct nd_error *error,
                                         bool *created_r)
{
    enum nd_status status = nd_check_name("rule", rule, error);
    if (status == ND_OK)
        status = nd_check_name("settings", profile->settings, error);
    if (status == ND_OK)
        status = nd_check_symbols(profile->symbols, profile->symbol_count,
                                  ND_MAX_SYMBOL_NAMES, error);
    if (status != ND_OK)
        return status;
    return store->backend->profile_register(store, rule, profile, error,
                                            created_r);
}

enum nd_status nd_store_profile_list(struct nd_store *store, const char *rule,
                                     struct nd_arena *arena,
                                     struct nd_error *error,
                                     const struct nd_profile **profiles_r,
                                     size_t *count_r)
{
    enum nd_status status = nd_check_name("rule", rule, error);
    if (status != ND_OK)
        return status;
    return store->backend->profile_list(store, rule, arena, error, profiles_r,
                                        count_r);
}

enum nd_status nd_store_profile_touch(
    struct nd_store *store, const char *rule, const char *settings,
    const uint8_t digest[ND_PROFILE_DIGEST_BYTES], struct nd_error *error)
{
    struct nd_scope scope = {rule, settings};
    enum nd_status status = nd_check_scope(&scope, error);
    if (status != ND_OK)
        return status;
    return store->backend->profile_touch(store, rule, settings, digest, error);
}

enum nd_status nd_store_profile_trim(struct nd_store *store, const char *rule,
                                     uint32_t keep, int64_t recent_ms,
                                     struct nd_arena *arena,
                                     struct nd_error *error,
                                     const struct nd_profile **dropped_r,
                                     size_t *count_r)
{
    enum nd_status status = nd_check_name("rule", rule, error);
    if (status != ND_OK)
        return status;
    return store->backend->profile_trim(store, rule, keep, recent_ms, arena,
                                        error, dropped_r, count_r);
}
