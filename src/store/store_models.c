/* SPDX-License-Identifier: Apache-2.0
 *
 * The front of the store for leases, trainings and models: arguments are
 * checked, then the backend is called.
 */
#include <string.h>
#include <time.h>

#include "store/backend.h"
#include "store/check.h"

#define MAX_MODEL_BYTES (256U << 20)

/* ---- lease ---- */

enum nd_status nd_store_lease_acquire(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const uint8_t nonce[ND_NONCE_BYTES],
                                      const char *holder, int64_t length_ms,
                                      struct nd_error *error,
                                      struct nd_lease *lease_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    if (status == ND_OK)
        status = nd_check_lease_length(length_ms, error);
    if (status != ND_OK)
        return status;
    return store->backend->lease_acquire(store, scope, nonce,
                                         holder == NULL ? "" : holder,
                                         length_ms, error, lease_r);
}

enum nd_status nd_store_lease_renew(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const struct nd_lease *lease,
                                    uint64_t progress, int64_t length_ms,
                                    struct nd_error *error)
{
    enum nd_status status = nd_check_scope(scope, error);
    if (status == ND_OK)
        status = nd_check_lease_length(length_ms, error);
    if (status != ND_OK)
        return status;
    return store->backend->lease_renew(store, scope, lease, progress, length_ms,
                                       error);
}

enum nd_status nd_store_lease_release(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const struct nd_lease *lease,
                                      struct nd_error *error)
{
    enum nd_status status = nd_check_scope(scope, error);
    return status == ND_OK
               ? store->backend->lease_release(store, scope, lease, error)
               : status;
}

enum nd_status nd_store_lease_show(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   struct nd_error *error,
                                   struct nd_lease *lease_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    return status == ND_OK
               ? store->backend->lease_show(store, scope, error, lease_r)
               : status;
}

/* ---- trainings and models ---- */

enum nd_status nd_store_training_state(struct nd_store *store,
                                       const struct nd_scope *scope,
                                       struct nd_error *error,
                                       struct nd_training_state *state_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    return status == ND_OK
               ? store->backend->training_state(store, scope, error, state_r)
               : status;
}

enum nd_status nd_store_training_finish(struct nd_store *store,
                                        const struct nd_scope *scope,
                                        const struct nd_lease *lease,
                                        const struct nd_finish *finish,
                                        struct nd_error *error)
{
    struct nd_journal_entry entry;
    struct nd_finish complete = *finish;
    enum nd_status status = nd_check_scope(scope, error);
    if (status == ND_OK)
        status = nd_check_entry(finish->entry, error, &entry);
    if (status != ND_OK)
        return status;
    complete.entry = &entry;
    return store->backend->training_finish(store, scope, lease, &complete,
                                           error);
}

enum nd_status nd_store_model_upload(struct nd_store *store,
                                     const struct nd_scope *scope,
                                     const void *blob, size_t length,
                                     struct nd_error *error,
                                     uint8_t digest_r[ND_DIGEST_BYTES])
{
    enum nd_status status = nd_check_scope(scope, error);
    if (status != ND_OK)
        return status;
    if (length == 0 || length > MAX_MODEL_BYTES)
        return nd_fail(error, ND_LIMIT,
                       "a model of %zu bytes: 1 to %u are stored", length,
                       MAX_MODEL_BYTES);
    return store->backend->model_upload(store, scope, blob, length, error,
                                        digest_r);
}

enum nd_status nd_store_model_publish(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const struct nd_lease *lease,
                                      const struct nd_publish *publish,
                                      struct nd_error *error,
                                      uint64_t *generation_r)
{
    struct nd_journal_entry entry;
    struct nd_publish complete = *publish;
    enum nd_status status = nd_check_scope(scope, error);
    if (status == ND_OK)
        status = nd_check_entry(publish->entry, error, &entry);
    if (status != ND_OK)
        return status;
    complete.entry = &entry;
    return store->backend->model_publish(store, scope, lease, &complete, error,
                                         generation_r);
}

enum nd_status nd_store_model_import(struct nd_store *store,
                                     const struct nd_scope *scope,
                                     const struct nd_publish *publish,
                                     struct nd_error *error,
                                     uint64_t *generation_r)
{
    struct nd_journal_entry entry;
    struct nd_publish complete = *publish;
    enum nd_status status = nd_check_scope(scope, error);
    if (status == ND_OK)
        status = nd_check_entry(publish->entry, error, &entry);
    if (status != ND_OK)
        return status;
    complete.entry = &entry;
    return store->backend->model_import(store, scope, &complete, error,
                                        generation_r);
}

enum nd_status nd_store_model_current(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      struct nd_error *error,
                                      struct nd_model_pointer *pointer_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    return status == ND_OK
               ? store->backend->model_current(store, scope, error, pointer_r)
               : status;
}

enum nd_status nd_store_wait_change(struct nd_store *store, int64_t timeout_ms,
                                    struct nd_error *error, bool *changed_r)
{
    if (timeout_ms < 0)
        timeout_ms = 0;
    if (store->backend->wait_change != NULL)
        return store->backend->wait_change(store, timeout_ms, error, changed_r);
    struct timespec left = {.tv_sec = timeout_ms / 1000,
                            .tv_nsec = timeout_ms % 1000 * 1000000};
    (void)nanosleep(&left, NULL);
    *changed_r = false;
    return ND_OK;
}

enum nd_status nd_store_model_get(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  uint64_t generation, struct nd_error *error,
                                  struct nd_buffer *blob)
{
    uint8_t stated[ND_DIGEST_BYTES], own[ND_DIGEST_BYTES];
    size_t before = blob->length;
    enum nd_status status = nd_check_scope(scope, error);
    if (status == ND_OK)
        status = store->backend->model_get(store, scope, generation, error,
                                           blob, stated);
    if (status != ND_OK)
        return status;
    nd_digest(blob->data + before, blob->length - before, NULL, own);
    if (memcmp(own, stated, ND_DIGEST_BYTES) == 0)
        return ND_OK;
    blob->length = before;
    return nd_fail(
        error, ND_DATA, "generation %llu of %s/%s is not what its digest says",
        (unsigned long long)generation, scope->rule, scope->settings);
}

enum nd_status nd_store_model_fetch(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    uint64_t generation, struct nd_error *error,
                                    struct nd_buffer *blob)
{
    uint8_t stated[ND_DIGEST_BYTES];
    enum nd_status status = nd_check_scope(scope, error);
    return status == ND_OK ? store->backend->model_get(store, scope, generation,
                                                       error, blob, stated)
                           : status;
}

enum nd_status nd_store_model_list(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   struct nd_error *error,
                                   struct nd_model_info **models_r,
                                   size_t *count_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    return status == ND_OK ? store->backend->model_list(store, scope, error,
                                                        models_r, count_r)
                           : status;
}

enum nd_status nd_store_model_pin(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  uint64_t generation, bool pin,
                                  struct nd_error *error,
                                  struct nd_model_pointer *pointer_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    return status == ND_OK ? store->backend->model_pin(store, scope, generation,
                                                       pin, error, pointer_r)
                           : status;
}

enum nd_status nd_store_model_expire(struct nd_store *store,
                                     const struct nd_scope *scope,
                                     int64_t expire_ms, struct nd_error *error,
                                     uint64_t *count_r)
{
    enum nd_status status = nd_check_scope(scope, error);
    return status == ND_OK
               ? store->backend->model_expire(store, scope,
                                              expire_ms < 0 ? 0 : expire_ms,
                                              error, count_r)
               : status;
}
