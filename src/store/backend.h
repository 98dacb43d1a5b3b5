/* SPDX-License-Identifier: Apache-2.0
 *
 * What a backend of the store is: a table of functions, one for each operation
 * of store.h, and a way to open it by URL.
 *
 * store.c has checked all arguments before it calls one: names are well
 * formed, enums in range, lengths within limits, texts never NULL. A backend
 * makes each operation one atomic step, leaves out-parameters untouched on
 * failure, and answers as store.h and docs/protocol.md say. Decisions that
 * need no store stand in rules.h, so that all backends decide alike.
 */
#ifndef ND_STORE_BACKEND_H
#define ND_STORE_BACKEND_H

#include "base/buffer.h"
#include "store/image.h"
#include "store/store.h"

/* The start of every backend's own handle. */
struct nd_store {
    const struct nd_backend *backend;
};

/* An array of count scopes out of words, for each the rule's name and that of
 * its settings, each with its NUL. One block, as nd_store_scopes answers it:
 * freed with free(). */
struct nd_scope *nd_scopes_pack(const struct nd_buffer *words,
                                size_t count) ND_MUST_CHECK;

struct nd_backend {
    const char *name;
    void (*close)(struct nd_store *store);
    enum nd_status (*now)(struct nd_store *store, struct nd_error *error,
                          int64_t *now_ms_r);
    enum nd_status (*key)(struct nd_store *store,
                          const struct nd_key *candidate,
                          struct nd_error *error, struct nd_key *key_r);

    /* samples */
    enum nd_status (*put_many)(struct nd_store *store,
                               const struct nd_scope *scope,
                               const struct nd_sample_put *samples,
                               size_t count, const struct nd_quota *quota,
                               struct nd_error *error,
                               struct nd_put_result *results_r);
    enum nd_status (*forget)(struct nd_store *store,
                             const struct nd_scope *scope,
                             const uint8_t identity[ND_IDENTITY_BYTES],
                             int64_t label_ms, struct nd_error *error,
                             bool *existed_r);
    enum nd_status (*forget_matching)(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const struct nd_sample_filter *filter,
                                      bool dry_run, struct nd_error *error,
                                      uint64_t *count_r);
    enum nd_status (*relabel)(struct nd_store *store,
                              const struct nd_scope *scope,
                              const uint8_t identity[ND_IDENTITY_BYTES],
                              const struct nd_claim *claim,
                              struct nd_error *error,
                              struct nd_put_result *result_r);
    enum nd_status (*snapshot)(struct nd_store *store,
                               const struct nd_scope *scope,
                               struct nd_error *error,
                               struct nd_snapshot *snapshot_r);
    enum nd_status (*read)(struct nd_store *store, const struct nd_scope *scope,
                           const struct nd_sample_info *samples, size_t count,
                           struct nd_arena *arena, struct nd_error *error,
                           struct nd_payload *payloads_r);
    enum nd_status (*find)(struct nd_store *store, const struct nd_scope *scope,
                           const uint8_t identity[ND_IDENTITY_BYTES],
                           struct nd_error *error,
                           struct nd_sample_info *info_r);

    /* registry and profiles */
    enum nd_status (*registry_slots)(struct nd_store *store, const char *rule,
                                     const char *const *names, size_t count,
                                     uint32_t max_names, struct nd_error *error,
                                     uint32_t *slots_r, uint32_t *length_r,
                                     uint8_t digest_r[ND_DIGEST_BYTES]);
    enum nd_status (*registry_read)(struct nd_store *store, const char *rule,
                                    uint32_t first, struct nd_arena *arena,
                                    struct nd_error *error,
                                    const char *const **names_r,
                                    uint32_t *count_r);
    enum nd_status (*profile_register)(struct nd_store *store, const char *rule,
                                       const struct nd_profile *profile,
                                       struct nd_error *error, bool *created_r);
    enum nd_status (*profile_list)(struct nd_store *store, const char *rule,
                                   struct nd_arena *arena,
                                   struct nd_error *error,
                                   const struct nd_profile **profiles_r,
                                   size_t *count_r);
    enum nd_status (*profile_touch)(
        struct nd_store *store, const char *rule, const char *settings,
        const uint8_t digest[ND_PROFILE_DIGEST_BYTES], struct nd_error *error);
    enum nd_status (*profile_trim)(struct nd_store *store, const char *rule,
                                   uint32_t keep, int64_t recent_ms,
                                   struct nd_arena *arena,
                                   struct nd_error *error,
                                   const struct nd_profile **dropped_r,
                                   size_t *count_r);

    /* lease */
    enum nd_status (*lease_acquire)(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const uint8_t nonce[ND_NONCE_BYTES],
                                    const char *holder, int64_t length_ms,
                                    struct nd_error *error,
                                    struct nd_lease *lease_r);
    enum nd_status (*lease_renew)(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  const struct nd_lease *lease,
                                  uint64_t progress, int64_t length_ms,
                                  struct nd_error *error);
    enum nd_status (*lease_release)(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const struct nd_lease *lease,
                                    struct nd_error *error);
    enum nd_status (*lease_show)(struct nd_store *store,
                                 const struct nd_scope *scope,
                                 struct nd_error *error,
                                 struct nd_lease *lease_r);

    /* trainings and models */
    enum nd_status (*training_state)(struct nd_store *store,
                                     const struct nd_scope *scope,
                                     struct nd_error *error,
                                     struct nd_training_state *state_r);
    enum nd_status (*training_finish)(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const struct nd_lease *lease,
                                      const struct nd_finish *finish,
                                      struct nd_error *error);
    enum nd_status (*model_upload)(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   const void *blob, size_t length,
                                   struct nd_error *error,
                                   uint8_t digest_r[ND_DIGEST_BYTES]);
    enum nd_status (*model_publish)(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const struct nd_lease *lease,
                                    const struct nd_publish *publish,
                                    struct nd_error *error,
                                    uint64_t *generation_r);
    enum nd_status (*model_import)(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   const struct nd_publish *publish,
                                   struct nd_error *error,
                                   uint64_t *generation_r);
    enum nd_status (*model_current)(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    struct nd_error *error,
                                    struct nd_model_pointer *pointer_r);
    /* NULL where the backend cannot tell */
    enum nd_status (*wait_change)(struct nd_store *store, int64_t timeout_ms,
                                  struct nd_error *error, bool *changed_r);
    /* The blob as it is, and the digest that it should have. */
    enum nd_status (*model_get)(struct nd_store *store,
                                const struct nd_scope *scope,
                                uint64_t generation, struct nd_error *error,
                                struct nd_buffer *blob,
                                uint8_t digest_r[ND_DIGEST_BYTES]);
    enum nd_status (*model_list)(struct nd_store *store,
                                 const struct nd_scope *scope,
                                 struct nd_error *error,
                                 struct nd_model_info **models_r,
                                 size_t *count_r);
    enum nd_status (*model_pin)(struct nd_store *store,
                                const struct nd_scope *scope,
                                uint64_t generation, bool pin,
                                struct nd_error *error,
                                struct nd_model_pointer *pointer_r);
    enum nd_status (*model_expire)(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   int64_t expire_ms, struct nd_error *error,
                                   uint64_t *count_r);

    /* its contents as records (image.h) */
    enum nd_status (*image_read)(struct nd_store *store,
                                 const struct nd_scope *scope,
                                 enum nd_image_kind kind, uint64_t *cursor,
                                 struct nd_arena *arena, struct nd_error *error,
                                 const struct nd_image_record **records_r,
                                 size_t *count_r);
    enum nd_status (*image_write)(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  const struct nd_image_record *records,
                                  size_t count, struct nd_error *error);

    /* what people look at */
    enum nd_status (*count)(struct nd_store *store,
                            const struct nd_scope *scope,
                            enum nd_refusal reason, uint64_t add,
                            struct nd_error *error);
    enum nd_status (*stats)(struct nd_store *store,
                            const struct nd_scope *scope,
                            struct nd_error *error,
                            struct nd_store_stats *stats_r);
    enum nd_status (*journal)(struct nd_store *store,
                              const struct nd_scope *scope, size_t limit,
                              struct nd_arena *arena, struct nd_error *error,
                              const struct nd_journal_entry **entries_r,
                              size_t *count_r);
    enum nd_status (*scopes)(struct nd_store *store, struct nd_error *error,
                             struct nd_scope **scopes_r, size_t *count_r);
    enum nd_status (*host_report)(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  const char *host, uint64_t generation,
                                  struct nd_error *error);
    enum nd_status (*host_list)(struct nd_store *store,
                                const struct nd_scope *scope,
                                struct nd_error *error,
                                struct nd_host_report **hosts_r,
                                size_t *count_r);
    enum nd_status (*maintain)(struct nd_store *store, int64_t keep_ms,
                               bool dry_run,
                               void (*report)(const char *line, void *context),
                               void *context, struct nd_error *error);
};

#endif
