/* SPDX-License-Identifier: Apache-2.0
 *
 * Copying a store: scope by scope and kind by kind, the state last, so that a
 * copy that broke off has no live model and no counters yet; writing a record
 * twice changes nothing. Once all is over both sides are read again and
 * compared by counts and digests, and the source's counters with what they were
 * before. What a record holds is the backends' to know.
 */
#include "store/copy.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"

#define WRITE_AT_ONCE 64
#define NAMES_AT_ONCE 4096
#define ATTEMPTS 5

/* ---- sums ---- */

static void add_text(struct nd_buffer *bytes, const char *text)
{
    nd_buffer_append(bytes, text, strlen(text) + 1);
}

static void add_sample(const struct nd_image_sample *sample,
                       struct nd_buffer *bytes)
{
    const struct nd_sample_info *info = &sample->info;
    nd_buffer_append(bytes, info->identity, ND_IDENTITY_BYTES);
    nd_buffer_u8(bytes, (uint8_t)sample->fate);
    nd_buffer_u8(bytes, (uint8_t)info->label);
    nd_buffer_u8(bytes, (uint8_t)info->source);
    nd_buffer_u64(bytes, (uint64_t)info->label_ms);
    nd_buffer_u64(bytes, info->version);
    if (sample->fate == ND_FATE_PRESENT) {
        nd_buffer_u64(bytes, info->sequence);
        nd_buffer_u64(bytes, (uint64_t)info->time_ms);
        nd_buffer_append(bytes, sample->payload, sample->payload_length);
    } else {
        nd_buffer_u64(bytes, (uint64_t)(sample->ended_ms / 1000));
    }
}

static void add_profile(const struct nd_profile *profile,
                        struct nd_buffer *bytes)
{
    add_text(bytes, profile->settings);
    nd_buffer_append(bytes, profile->digest, ND_PROFILE_DIGEST_BYTES);
    nd_buffer_u64(bytes, (uint64_t)profile->used_ms);
    nd_buffer_u64(bytes, profile->generation);
    for (uint32_t i = 0; i < profile->symbol_count; i++)
        add_text(bytes, profile->symbols[i]);
}

static void add_model(const struct nd_model_info *model,
                      struct nd_buffer *bytes)
{
    nd_buffer_u64(bytes, model->generation);
    nd_buffer_append(bytes, model->digest, ND_DIGEST_BYTES);
    nd_buffer_u64(bytes, model->size_bytes);
    nd_buffer_u64(bytes, (uint64_t)model->published_ms);
    nd_buffer_append(bytes, model->profile, ND_PROFILE_DIGEST_BYTES);
    add_text(bytes, model->origin);
    nd_buffer_u8(bytes, model->live);
    nd_buffer_u8(bytes, model->pinned);
}

static void add_entry(const struct nd_image_entry *entry,
                      struct nd_buffer *bytes)
{
    nd_buffer_u64(bytes, (uint64_t)entry->entry.time_ms);
    nd_buffer_u64(bytes, entry->entry.token);
    nd_buffer_u8(bytes, (uint8_t)entry->entry.decision);
    nd_buffer_u8(bytes, entry->ending);
    nd_buffer_append(bytes, entry->digest, ND_DIGEST_BYTES);
    add_text(bytes, entry->entry.holder);
    add_text(bytes, entry->entry.reason);
    add_text(bytes, entry->entry.figures);
}

static void add_state(const struct nd_image_state *state,
                      struct nd_buffer *bytes)
{
    nd_buffer_u64(bytes, state->sequence);
    nd_buffer_u64(bytes, state->attempted);
    nd_buffer_u64(bytes, state->failures);
    nd_buffer_u64(bytes, state->token);
    nd_buffer_u64(bytes, state->live);
    nd_buffer_u64(bytes, state->revision);
    nd_buffer_u8(bytes, state->pinned);
    nd_buffer_u64(bytes, (uint64_t)state->attempt_ms);
    nd_buffer_append(bytes, state->key_id, ND_KEY_ID_BYTES);
    for (size_t i = 0; i < ND_IMAGE_EVENTS; i++)
        nd_buffer_u64(bytes, state->events[i]);
    for (size_t i = 0; i < ND_REFUSAL_COUNT; i++)
        nd_buffer_u64(bytes, state->refused[i]);
}

/* Digests are joined by exclusive or: backends list in orders of their own. */
static void add_record(const struct nd_image_record *record,
                       struct nd_copy_sum *sum)
{
    struct nd_buffer bytes = {0};
    uint8_t digest[ND_DIGEST_BYTES];
    nd_buffer_u8(&bytes, (uint8_t)record->kind);
    if (record->kind == ND_IMAGE_SAMPLE)
        add_sample(&record->of.sample, &bytes);
    else if (record->kind == ND_IMAGE_PROFILE)
        add_profile(&record->of.profile, &bytes);
    else if (record->kind == ND_IMAGE_MODEL)
        add_model(&record->of.model, &bytes);
    else if (record->kind == ND_IMAGE_JOURNAL)
        add_entry(&record->of.entry, &bytes);
    else if (record->kind == ND_IMAGE_STATE)
        add_state(&record->of.state, &bytes);
    nd_digest(bytes.data, bytes.length, NULL, digest);
    nd_buffer_free(&bytes);
    for (size_t i = 0; i < ND_DIGEST_BYTES; i++)
        sum->digest[i] ^= digest[i];
    bool tombstone = record->kind == ND_IMAGE_SAMPLE &&
                     record->of.sample.fate != ND_FATE_PRESENT;
    sum->count[record->kind] += !tombstone;
    sum->tombstones += tombstone;
}

/* ---- walking ---- */

typedef enum nd_status visitor(const struct nd_image_record *records,
                               size_t count, void *context,
                               struct nd_error *error);

/* All records of a kind, page by page. */
static enum nd_status walk(struct nd_store *store, const struct nd_scope *scope,
                           enum nd_image_kind kind, visitor *visit,
                           void *context, struct nd_error *error)
{
    struct nd_arena *arena = nd_arena_create(0);
    uint64_t cursor = 0;
    enum nd_status status = ND_OK;
    while (status == ND_OK && cursor != ND_IMAGE_END) {
        const struct nd_image_record *records;
        size_t count;
        nd_arena_reset(arena);
        status = nd_store_image_read(store, scope, kind, &cursor, arena, error,
                                     &records, &count);
        if (status == ND_OK && count > 0)
            status = visit(records, count, context, error);
    }
    nd_arena_destroy(&arena);
    return status;
}

static enum nd_status sum_up(const struct nd_image_record *records,
                             size_t count, void *context,
                             struct nd_error *error)
{
    (void)error;
    for (size_t i = 0; i < count; i++)
        add_record(&records[i], context);
    return ND_OK;
}

enum nd_status nd_store_sum(struct nd_store *store,
                            const struct nd_scope *scope,
                            struct nd_error *error, struct nd_copy_sum *sum_r)
{
    struct nd_copy_sum sum = {.tombstones = 0};
    enum nd_status status = ND_OK;
    for (enum nd_image_kind kind = ND_IMAGE_PROFILE;
         status == ND_OK && kind < ND_IMAGE_KIND_COUNT; kind++)
        status = walk(store, scope, kind, sum_up, &sum, error);
    if (status == ND_OK)
        *sum_r = sum;
    return status;
}

/* ---- copying ---- */

struct copying {
    struct nd_store *from, *to;
    const struct nd_scope *scope;
};

static enum nd_status write_records(struct copying *work,
                                    const struct nd_image_record *records,
                                    size_t count, struct nd_error *error)
{
    enum nd_status status = ND_UNCERTAIN;
    for (int i = 0; i < ATTEMPTS && status == ND_UNCERTAIN; i++)
        status =
            nd_store_image_write(work->to, work->scope, records, count, error);
    return status;
}

static enum nd_status carry(const struct nd_image_record *records, size_t count,
                            void *context, struct nd_error *error)
{
    enum nd_status status = ND_OK;
    for (size_t i = 0; status == ND_OK && i < count; i += WRITE_AT_ONCE) {
        size_t piece =
            count - i < WRITE_AT_ONCE ? count - i : (size_t)WRITE_AT_ONCE;
        status = write_records(context, records + i, piece, error);
    }
    return status;
}

static enum nd_status carry_blob(struct copying *work, uint64_t generation,
                                 struct nd_error *error)
{
    struct nd_buffer blob = {0};
    uint8_t digest[ND_DIGEST_BYTES];
    enum nd_status status =
        nd_store_model_get(work->from, work->scope, generation, error, &blob);
    bool have = status == ND_OK;
    for (int i = 0; have && i < ATTEMPTS && (i == 0 || status == ND_UNCERTAIN);
         i++)
        status = nd_store_model_upload(work->to, work->scope, blob.data,
                                       blob.length, error, digest);
    nd_buffer_free(&blob);
    return status;
}

static enum nd_status carry_models(const struct nd_image_record *records,
                                   size_t count, void *context,
                                   struct nd_error *error)
{
    enum nd_status status = ND_OK;
    for (size_t i = 0; status == ND_OK && i < count; i++)
        status = carry_blob(context, records[i].of.model.generation, error);
    return status == ND_OK ? carry(records, count, context, error) : status;
}

static enum nd_status copy_key(struct nd_store *from, struct nd_store *to,
                               struct nd_error *error)
{
    struct nd_key key, kept;
    enum nd_status status = nd_store_key(from, NULL, error, &key);
    if (status == ND_NO_INPUT)
        return ND_OK; /* it is kept in files alone */
    if (status != ND_OK)
        return status;
    status = nd_store_key(to, &key, error, &kept);
    if (status == ND_UNCERTAIN)
        status = nd_store_key(to, &key, error, &kept);
    if (status == ND_OK && memcmp(key.id, kept.id, sizeof(key.id)) != 0)
        status = nd_fail(error, ND_KEY,
                         "the target has a key of its own: copy into an empty "
                         "store");
    nd_wipe(&key, sizeof(key));
    nd_wipe(&kept, sizeof(kept));
    return status;
}

/* Names get the slots that they had, since they come in their order. */
static enum nd_status add_names(struct nd_store *to, const char *rule,
                                const char *const *names, uint32_t count,
                                struct nd_error *error)
{
    enum nd_status status = ND_OK;
    uint32_t *slots = nd_calloc(NAMES_AT_ONCE, sizeof(*slots));
    for (uint32_t i = 0; status == ND_OK && i < count; i += NAMES_AT_ONCE) {
        uint32_t piece = count - i < NAMES_AT_ONCE ? count - i : NAMES_AT_ONCE;
        uint32_t length;
        uint8_t digest[ND_DIGEST_BYTES];
        status = ND_UNCERTAIN;
        for (int j = 0; j < ATTEMPTS && status == ND_UNCERTAIN; j++)
            status = nd_store_registry_slots(to, rule, names + i, piece,
                                             UINT32_MAX - 1, error, slots,
                                             &length, digest);
        for (uint32_t j = 0; status == ND_OK && j < piece; j++) {
            if (slots[j] != i + j)
                status = nd_fail(error, ND_DATA,
                                 "the target has other feature names of rule "
                                 "%s: copy into an empty store",
                                 rule);
        }
    }
    free(slots);
    return status;
}

static enum nd_status copy_registry(struct nd_store *from, struct nd_store *to,
                                    const char *rule, struct nd_error *error)
{
    struct nd_arena *arena = nd_arena_create(0);
    const char *const *names;
    uint32_t count;
    enum nd_status status =
        nd_store_registry_read(from, rule, 0, arena, error, &names, &count);
    if (status == ND_OK)
        status = add_names(to, rule, names, count, error);
    nd_arena_destroy(&arena);
    return status;
}

static enum nd_status copy_scope(struct nd_store *from, struct nd_store *to,
                                 const struct nd_scope *scope,
                                 struct nd_error *error)
{
    struct copying work = {from, to, scope};
    enum nd_status status = copy_registry(from, to, scope->rule, error);
    for (enum nd_image_kind kind = ND_IMAGE_PROFILE;
         status == ND_OK && kind < ND_IMAGE_KIND_COUNT; kind++)
        status =
            walk(from, scope, kind,
                 kind == ND_IMAGE_MODEL ? carry_models : carry, &work, error);
    return status;
}

bool nd_copy_sums_agree(const struct nd_copy_sum *one,
                        const struct nd_copy_sum *other)
{
    return memcmp(one->count, other->count, sizeof(one->count)) == 0 &&
           one->tombstones == other->tombstones &&
           memcmp(one->digest, other->digest, sizeof(one->digest)) == 0;
}

struct report {
    nd_copied_callback *copied;
    void *context;
    size_t different;
};

static enum nd_status compare(struct nd_store *from, struct nd_store *to,
                              const struct nd_scope *scope,
                              struct report *report, struct nd_error *error)
{
    struct nd_copy_sum here, there;
    enum nd_status status = nd_store_sum(from, scope, error, &here);
    if (status == ND_OK)
        status = nd_store_sum(to, scope, error, &there);
    if (status != ND_OK)
        return status;
    report->different += !nd_copy_sums_agree(&here, &there);
    if (report->copied != NULL &&
        !report->copied(scope, &here, &there, report->context))
        return nd_fail(error, ND_CANCELLED, "the copy was stopped");
    return ND_OK;
}

static enum nd_status read_scopes(struct nd_store *store,
                                  struct nd_arena *arena,
                                  struct nd_error *error,
                                  const struct nd_image_record **scopes_r,
                                  size_t *count_r)
{
    uint64_t cursor = 0;
    return nd_store_image_read(store, NULL, ND_IMAGE_SCOPE, &cursor, arena,
                               error, scopes_r, count_r);
}

static enum nd_status check_target(struct nd_store *to, bool resume,
                                   struct nd_arena *arena,
                                   struct nd_error *error)
{
    const struct nd_image_record *scopes;
    size_t count;
    enum nd_status status = read_scopes(to, arena, error, &scopes, &count);
    if (status == ND_OK && count > 0 && !resume)
        status = nd_fail(error, ND_USAGE,
                         "the target is not empty: it holds %s/%s%s; copy into "
                         "a new store, or say --resume to finish a copy that "
                         "broke off",
                         scopes[0].of.scope.rule, scopes[0].of.scope.settings,
                         count > 1 ? " and others" : "");
    return status;
}

/* ---- whether the source was at rest ---- */

/* A part of the source, and its counters when it was copied. */
struct part {
    struct nd_scope scope;
    struct nd_copy_sum before;
};

static enum nd_status sum_state(struct nd_store *store,
                                const struct nd_scope *scope,
                                struct nd_error *error, struct nd_copy_sum *sum)
{
    *sum = (struct nd_copy_sum){.tombstones = 0};
    return walk(store, scope, ND_IMAGE_STATE, sum_up, sum, error);
}

static enum nd_status has_moved(const struct nd_scope *scope,
                                struct nd_error *error)
{
    return nd_fail(error, ND_DATA,
                   "the source was written to while it was copied (%s/%s): "
                   "stop all hosts that use it, and copy into a new store",
                   scope->rule, scope->settings);
}

static enum nd_status check_at_rest(struct nd_store *from,
                                    const struct part *parts, size_t count,
                                    struct nd_error *error)
{
    struct nd_arena *arena = nd_arena_create(0);
    const struct nd_image_record *scopes;
    size_t now = 0;
    enum nd_status status = read_scopes(from, arena, error, &scopes, &now);
    for (size_t i = 0; status == ND_OK && i < count; i++) {
        struct nd_copy_sum sum;
        status = sum_state(from, &parts[i].scope, error, &sum);
        if (status == ND_OK && !nd_copy_sums_agree(&parts[i].before, &sum))
            status = has_moved(&parts[i].scope, error);
    }
    if (status == ND_OK && now != count)
        status = nd_fail(error, ND_DATA,
                         "the source has %zu parts now, and had %zu when the "
                         "copy began: stop all hosts that use it, and copy "
                         "into a new store",
                         now, count);
    nd_arena_destroy(&arena);
    return status;
}

/* ---- all of it ---- */

static enum nd_status copy_parts(struct nd_store *from, struct nd_store *to,
                                 struct part *parts, size_t count,
                                 struct nd_error *error)
{
    enum nd_status status = ND_OK;
    for (size_t i = 0; status == ND_OK && i < count; i++) {
        status = sum_state(from, &parts[i].scope, error, &parts[i].before);
        if (status == ND_OK)
            status = copy_scope(from, to, &parts[i].scope, error);
    }
    return status;
}

static enum nd_status compare_parts(struct nd_store *from, struct nd_store *to,
                                    const struct part *parts, size_t count,
                                    struct report *report,
                                    struct nd_error *error)
{
    enum nd_status status = ND_OK;
    for (size_t i = 0; status == ND_OK && i < count; i++)
        status = compare(from, to, &parts[i].scope, report, error);
    if (status == ND_OK)
        status = check_at_rest(from, parts, count, error);
    if (status == ND_OK && report->different > 0)
        status = nd_fail(error, ND_DATA,
                         "%zu of %zu parts differ after the copy: something "
                         "wrote to a store meanwhile; stop all hosts, and copy "
                         "into a new store",
                         report->different, count);
    return status;
}

enum nd_status nd_store_copy(struct nd_store *from, struct nd_store *to,
                             bool resume, nd_copied_callback *copied,
                             void *context, struct nd_error *error)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct report report = {.copied = copied, .context = context};
    const struct nd_image_record *scopes;
    size_t count = 0;
    enum nd_status status = check_target(to, resume, arena, error);
    if (status == ND_OK)
        status = copy_key(from, to, error);
    if (status == ND_OK)
        status = read_scopes(from, arena, error, &scopes, &count);
    struct part *parts = nd_arena_take(arena, (count + 1) * sizeof(*parts));
    for (size_t i = 0; status == ND_OK && i < count; i++)
        parts[i].scope = scopes[i].of.scope;
    if (status == ND_OK)
        status = copy_parts(from, to, parts, count, error);
    if (status == ND_OK)
        status = compare_parts(from, to, parts, count, &report, error);
    nd_arena_destroy(&arena);
    return status;
}
