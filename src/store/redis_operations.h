/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations of the Redis backend: one function for each entry of struct
 * nd_backend, of the same promise. Each runs the scripts of its name in
 * src/store/lua.
 */
#ifndef ND_STORE_REDIS_OPERATIONS_H
#define ND_STORE_REDIS_OPERATIONS_H

#include "store/backend.h"

/* redis.c */
enum nd_status nd_redis_now(struct nd_store *store, struct nd_error *error,
                            int64_t *now_ms_r);
enum nd_status nd_redis_installation_key(struct nd_store *store,
                                         const struct nd_key *candidate,
                                         struct nd_error *error,
                                         struct nd_key *key_r);

/* redis_sample.c */
enum nd_status nd_redis_put_many(struct nd_store *store,
                                 const struct nd_scope *scope,
                                 const struct nd_sample_put *samples,
                                 size_t count, const struct nd_quota *quota,
                                 struct nd_error *error,
                                 struct nd_put_result *results_r);
enum nd_status nd_redis_forget(struct nd_store *store,
                               const struct nd_scope *scope,
                               const uint8_t identity[ND_IDENTITY_BYTES],
                               int64_t label_ms, struct nd_error *error,
                               bool *existed_r);
enum nd_status nd_redis_forget_matching(struct nd_store *store,
                                        const struct nd_scope *scope,
                                        const struct nd_sample_filter *filter,
                                        bool dry_run, struct nd_error *error,
                                        uint64_t *count_r);
enum nd_status nd_redis_relabel(struct nd_store *store,
                                const struct nd_scope *scope,
                                const uint8_t identity[ND_IDENTITY_BYTES],
                                const struct nd_claim *claim,
                                struct nd_error *error,
                                struct nd_put_result *result_r);

/* redis_read.c */
enum nd_status nd_redis_snapshot(struct nd_store *store,
                                 const struct nd_scope *scope,
                                 struct nd_error *error,
                                 struct nd_snapshot *snapshot_r);
enum nd_status nd_redis_read(struct nd_store *store,
                             const struct nd_scope *scope,
                             const struct nd_sample_info *samples, size_t count,
                             struct nd_arena *arena, struct nd_error *error,
                             struct nd_payload *payloads_r);
enum nd_status nd_redis_find(struct nd_store *store,
                             const struct nd_scope *scope,
                             const uint8_t identity[ND_IDENTITY_BYTES],
                             struct nd_error *error,
                             struct nd_sample_info *info_r);

/* redis_registry.c */
enum nd_status nd_redis_registry_slots(struct nd_store *store, const char *rule,
                                       const char *const *names, size_t count,
                                       uint32_t max_names,
                                       struct nd_error *error,
                                       uint32_t *slots_r, uint32_t *length_r,
                                       uint8_t digest_r[ND_DIGEST_BYTES]);
enum nd_status nd_redis_registry_read(struct nd_store *store, const char *rule,
                                      uint32_t first, struct nd_arena *arena,
                                      struct nd_error *error,
                                      const char *const **names_r,
                                      uint32_t *count_r);

/* redis_profile.c */
enum nd_status nd_redis_profile_register(struct nd_store *store,
                                         const char *rule,
                                         const struct nd_profile *profile,
                                         struct nd_error *error,
                                         bool *created_r);
enum nd_status nd_redis_profile_list(struct nd_store *store, const char *rule,
                                     struct nd_arena *arena,
                                     struct nd_error *error,
                                     const struct nd_profile **profiles_r,
                                     size_t *count_r);
enum nd_status nd_redis_profile_touch(
    struct nd_store *store, const char *rule, const char *settings,
    const uint8_t digest[ND_PROFILE_DIGEST_BYTES], struct nd_error *error);
enum nd_status nd_redis_profile_trim(struct nd_store *store, const char *rule,
                                     uint32_t keep, int64_t recent_ms,
                                     struct nd_arena *arena,
                                     struct nd_error *error,
                                     const struct nd_profile **dropped_r,
                                     size_t *count_r);

/* redis_lease.c */
enum nd_status nd_redis_lease_acquire(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const uint8_t nonce[ND_NONCE_BYTES],
                                      const char *holder, int64_t length_ms,
                                      struct nd_error *error,
                                      struct nd_lease *lease_r);
enum nd_status nd_redis_lease_renew(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const struct nd_lease *lease,
                                    uint64_t progress, int64_t length_ms,
                                    struct nd_error *error);
enum nd_status nd_redis_lease_release(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const struct nd_lease *lease,
                                      struct nd_error *error);
enum nd_status nd_redis_lease_show(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   struct nd_error *error,
                                   struct nd_lease *lease_r);
enum nd_status nd_redis_training_finish(struct nd_store *store,
                                        const struct nd_scope *scope,
                                        const struct nd_lease *lease,
                                        const struct nd_finish *finish,
                                        struct nd_error *error);
enum nd_status nd_redis_training_state(struct nd_store *store,
                                       const struct nd_scope *scope,
                                       struct nd_error *error,
                                       struct nd_training_state *state_r);
enum nd_status nd_redis_journal(struct nd_store *store,
                                const struct nd_scope *scope, size_t limit,
                                struct nd_arena *arena, struct nd_error *error,
                                const struct nd_journal_entry **entries_r,
                                size_t *count_r);

/* redis_model.c */
enum nd_status nd_redis_model_upload(struct nd_store *store,
                                     const struct nd_scope *scope,
                                     const void *blob, size_t length,
                                     struct nd_error *error,
                                     uint8_t digest_r[ND_DIGEST_BYTES]);
enum nd_status nd_redis_model_publish(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      const struct nd_lease *lease,
                                      const struct nd_publish *publish,
                                      struct nd_error *error,
                                      uint64_t *generation_r);
enum nd_status nd_redis_model_import(struct nd_store *store,
                                     const struct nd_scope *scope,
                                     const struct nd_publish *publish,
                                     struct nd_error *error,
                                     uint64_t *generation_r);
enum nd_status nd_redis_model_current(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      struct nd_error *error,
                                      struct nd_model_pointer *pointer_r);
enum nd_status nd_redis_model_get(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  uint64_t generation, struct nd_error *error,
                                  struct nd_buffer *blob,
                                  uint8_t digest_r[ND_DIGEST_BYTES]);
enum nd_status nd_redis_model_list(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   struct nd_error *error,
                                   struct nd_model_info **models_r,
                                   size_t *count_r);
enum nd_status nd_redis_model_pin(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  uint64_t generation, bool pin,
                                  struct nd_error *error,
                                  struct nd_model_pointer *pointer_r);

/* redis_look.c */
enum nd_status nd_redis_count_refused(struct nd_store *store,
                                      const struct nd_scope *scope,
                                      enum nd_refusal reason, uint64_t add,
                                      struct nd_error *error);
enum nd_status nd_redis_stats(struct nd_store *store,
                              const struct nd_scope *scope,
                              struct nd_error *error,
                              struct nd_store_stats *stats_r);
enum nd_status nd_redis_scopes(struct nd_store *store, struct nd_error *error,
                               struct nd_scope **scopes_r, size_t *count_r);
enum nd_status nd_redis_host_report(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const char *host, uint64_t generation,
                                    struct nd_error *error);
enum nd_status nd_redis_host_list(struct nd_store *store,
                                  const struct nd_scope *scope,
                                  struct nd_error *error,
                                  struct nd_host_report **hosts_r,
                                  size_t *count_r);

/* redis_model.c */
enum nd_status nd_redis_model_expire(struct nd_store *store,
                                     const struct nd_scope *scope,
                                     int64_t expire_ms, struct nd_error *error,
                                     uint64_t *count_r);

/* redis_image.c */
enum nd_status nd_redis_image_read(struct nd_store *store,
                                   const struct nd_scope *scope,
                                   enum nd_image_kind kind, uint64_t *cursor,
                                   struct nd_arena *arena,
                                   struct nd_error *error,
                                   const struct nd_image_record **records_r,
                                   size_t *count_r);
enum nd_status nd_redis_image_write(struct nd_store *store,
                                    const struct nd_scope *scope,
                                    const struct nd_image_record *records,
                                    size_t count, struct nd_error *error);

/* redis_watch.c */
enum nd_status nd_redis_wait_change(struct nd_store *store, int64_t timeout_ms,
                                    struct nd_error *error, bool *changed_r);

/* redis_maintain.c */
enum nd_status nd_redis_maintain(struct nd_store *store, int64_t keep_ms,
                                 bool dry_run,
                                 void (*report)(const char *line,
                                                void *context),
                                 void *context, struct nd_error *error);

#endif
