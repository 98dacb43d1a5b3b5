/* SPDX-License-Identifier: Apache-2.0
 *
 * The backend that fails on purpose. Each operation asks which fault is due,
 * if any, and else is handed over as it came. Every forwarding function is the
 * same but for its arguments, so a macro writes them. What a fault means to
 * the caller is not known here.
 */
#include "store/faulty.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "store/backend.h"

#define MAX_FAULTS 32

#define OPERATIONS(X)   \
    X(now)              \
    X(key)              \
    X(put_many)         \
    X(forget)           \
    X(forget_matching)  \
    X(relabel)          \
    X(snapshot)         \
    X(read)             \
    X(find)             \
    X(registry_slots)   \
    X(registry_read)    \
    X(profile_register) \
    X(profile_list)     \
    X(profile_touch)    \
    X(profile_trim)     \
    X(lease_acquire)    \
    X(lease_renew)      \
    X(lease_release)    \
    X(lease_show)       \
    X(training_state)   \
    X(training_finish)  \
    X(model_upload)     \
    X(model_publish)    \
    X(model_import)     \
    X(model_current)    \
    X(model_get)        \
    X(model_list)       \
    X(model_pin)        \
    X(model_expire)     \
    X(image_read)       \
    X(image_write)      \
    X(count)            \
    X(stats)            \
    X(journal)          \
    X(scopes)           \
    X(host_report)      \
    X(host_list)        \
    X(maintain)

enum operation {
#define OPERATION_ENUM(name) OPERATION_##name,
    OPERATIONS(OPERATION_ENUM)
#undef OPERATION_ENUM
        OPERATION_COUNT,
    OPERATION_ANY = OPERATION_COUNT,
};

static const char *const operation_names[] = {
#define OPERATION_NAME(name) #name,
    OPERATIONS(OPERATION_NAME)
#undef OPERATION_NAME
        "any",
};

enum effect {
    EFFECT_NONE,
    EFFECT_STATUS,
    EFFECT_LOST_REQUEST,
    EFFECT_LOST_ANSWER,
    EFFECT_KILL_BEFORE,
    EFFECT_KILL_AFTER,
};

struct fault {
    enum operation operation;
    uint64_t call;
    bool and_later;
    enum effect effect;
    enum nd_status status; /* of EFFECT_STATUS */
};

struct faulty {
    struct nd_store base;
    struct nd_store *inner;
    struct fault faults[MAX_FAULTS];
    size_t fault_count;
    uint64_t calls[OPERATION_COUNT + 1];
};

/* ---- the specification ---- */

static bool parse_operation(const char *word, size_t length,
                            enum operation *operation_r)
{
    for (size_t i = 0; i <= OPERATION_COUNT; i++) {
        if (strlen(operation_names[i]) != length ||
            strncmp(operation_names[i], word, length) != 0)
            continue;
        *operation_r = (enum operation)i;
        return true;
    }
    return false;
}

static bool parse_call(const char *word, size_t length, struct fault *fault)
{
    fault->and_later = length > 0 && word[length - 1] == '+';
    if (fault->and_later)
        length--;
    fault->call = 0;
    for (size_t i = 0; i < length; i++) {
        if (word[i] < '0' || word[i] > '9' || fault->call > UINT32_MAX)
            return false;
        fault->call = fault->call * 10 + (uint64_t)(word[i] - '0');
    }
    return fault->call > 0;
}

static bool parse_effect(const char *word, size_t length, struct fault *fault)
{
    static const struct {
        const char *name;
        enum effect effect;
    } effects[] = {
        {"lost-request", EFFECT_LOST_REQUEST},
        {"lost-answer", EFFECT_LOST_ANSWER},
        {"kill-before", EFFECT_KILL_BEFORE},
        {"kill-after", EFFECT_KILL_AFTER},
    };
    for (size_t i = 0; i < sizeof(effects) / sizeof(effects[0]); i++) {
        fault->effect = effects[i].effect;
        if (strlen(effects[i].name) == length &&
            strncmp(effects[i].name, word, length) == 0)
            return true;
    }
    fault->effect = EFFECT_STATUS;
    for (enum nd_status status = ND_OK + 1; status <= ND_KEY; status++) {
        const char *name = nd_status_name(status);
        fault->status = status;
        if (strlen(name) == length && strncmp(name, word, length) == 0)
            return true;
    }
    return false;
}

static bool parse_fault(const char *text, size_t length, struct fault *fault_r)
{
    const char *at = memchr(text, '@', length);
    const char *equals = memchr(text, '=', length);
    if (at == NULL || equals == NULL || equals < at)
        return false;
    return parse_operation(text, (size_t)(at - text), &fault_r->operation) &&
           parse_call(at + 1, (size_t)(equals - at - 1), fault_r) &&
           parse_effect(equals + 1, (size_t)(text + length - equals - 1),
                        fault_r);
}

static enum nd_status parse(struct faulty *faulty, const char *text,
                            struct nd_error *error)
{
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        if (faulty->fault_count == MAX_FAULTS ||
            !parse_fault(text, length, &faulty->faults[faulty->fault_count]))
            return nd_fail(error, ND_CONFIG,
                           "'%s' is no fault: OPERATION@CALL=EFFECT", text);
        faulty->fault_count++;
        text += length;
        if (*text == ',')
            text++;
    }
    return ND_OK;
}

/* ---- faults ---- */

static bool is_due(const struct faulty *faulty, const struct fault *fault,
                   enum operation operation)
{
    if (fault->operation != operation && fault->operation != OPERATION_ANY)
        return false;
    uint64_t calls = faulty->calls[fault->operation];
    return calls == fault->call || (fault->and_later && calls > fault->call);
}

static struct fault next_fault(struct faulty *faulty, enum operation operation)
{
    static const struct fault none;
    faulty->calls[operation]++;
    faulty->calls[OPERATION_ANY]++;
    for (size_t i = 0; i < faulty->fault_count; i++)
        if (is_due(faulty, &faulty->faults[i], operation))
            return faulty->faults[i];
    return none;
}

/* What happens before the call is handed over; ND_OK if it is. */
static enum nd_status before(const struct fault *fault, struct nd_error *error)
{
    if (fault->effect == EFFECT_KILL_BEFORE)
        (void)raise(SIGKILL);
    if (fault->effect == EFFECT_LOST_REQUEST)
        return nd_fail(error, ND_UNCERTAIN, "a fault: the request was lost");
    if (fault->effect == EFFECT_STATUS)
        return nd_fail(error, fault->status, "a fault: %s",
                       nd_status_text(fault->status));
    return ND_OK;
}

static enum nd_status after(const struct fault *fault, enum nd_status status,
                            struct nd_error *error)
{
    if (fault->effect == EFFECT_KILL_AFTER)
        (void)raise(SIGKILL);
    if (fault->effect == EFFECT_LOST_ANSWER)
        return nd_fail(error, ND_UNCERTAIN, "a fault: the answer was lost");
    return status;
}

/* ---- operations ---- */

#define FORWARD(operation, parameters, arguments)                         \
    static enum nd_status faulty_##operation parameters                   \
    {                                                                     \
        struct faulty *faulty = (struct faulty *)store;                   \
        struct nd_store *inner = faulty->inner;                           \
        struct fault fault = next_fault(faulty, OPERATION_##operation);   \
        enum nd_status status = before(&fault, error);                    \
        if (status != ND_OK)                                              \
            return status;                                                \
        return after(&fault, inner->backend->operation arguments, error); \
    }

FORWARD(now,
        (struct nd_store * store, struct nd_error *error, int64_t *now_ms_r),
        (inner, error, now_ms_r))
FORWARD(key,
        (struct nd_store * store, const struct nd_key *candidate,
         struct nd_error *error, struct nd_key *key_r),
        (inner, candidate, error, key_r))
FORWARD(put_many,
        (struct nd_store * store, const struct nd_scope *scope,
         const struct nd_sample_put *samples, size_t count,
         const struct nd_quota *quota, struct nd_error *error,
         struct nd_put_result *results_r),
        (inner, scope, samples, count, quota, error, results_r))
FORWARD(forget,
        (struct nd_store * store, const struct nd_scope *scope,
         const uint8_t identity[ND_IDENTITY_BYTES], int64_t label_ms,
         struct nd_error *error, bool *existed_r),
        (inner, scope, identity, label_ms, error, existed_r))
FORWARD(forget_matching,
        (struct nd_store * store, const struct nd_scope *scope,
         const struct nd_sample_filter *filter, bool dry_run,
         struct nd_error *error, uint64_t *count_r),
        (inner, scope, filter, dry_run, error, count_r))
FORWARD(relabel,
        (struct nd_store * store, const struct nd_scope *scope,
         const uint8_t identity[ND_IDENTITY_BYTES],
         const struct nd_claim *claim, struct nd_error *error,
         struct nd_put_result *result_r),
        (inner, scope, identity, claim, error, result_r))
FORWARD(snapshot,
        (struct nd_store * store, const struct nd_scope *scope,
         struct nd_error *error, struct nd_snapshot *snapshot_r),
        (inner, scope, error, snapshot_r))
FORWARD(read,
        (struct nd_store * store, const struct nd_scope *scope,
         const struct nd_sample_info *samples, size_t count,
         struct nd_arena *arena, struct nd_error *error,
         struct nd_payload *payloads_r),
        (inner, scope, samples, count, arena, error, payloads_r))
FORWARD(find,
        (struct nd_store * store, const struct nd_scope *scope,
         const uint8_t identity[ND_IDENTITY_BYTES], struct nd_error *error,
         struct nd_sample_info *info_r),
        (inner, scope, identity, error, info_r))
FORWARD(registry_slots,
        (struct nd_store * store, const char *rule, const char *const *names,
         size_t count, uint32_t max_names, struct nd_error *error,
         uint32_t *slots_r, uint32_t *length_r,
         uint8_t digest_r[ND_DIGEST_BYTES]),
        (inner, rule, names, count, max_names, error, slots_r, length_r,
         digest_r))
FORWARD(registry_read,
        (struct nd_store * store, const char *rule, uint32_t first,
         struct nd_arena *arena, struct nd_error *error,
         const char *const **names_r, uint32_t *count_r),
        (inner, rule, first, arena, error, names_r, count_r))
FORWARD(profile_register,
        (struct nd_store * store, const char *rule,
         const struct nd_profile *profile, struct nd_error *error,
         bool *created_r),
        (inner, rule, profile, error, created_r))
FORWARD(profile_list,
        (struct nd_store * store, const char *rule, struct nd_arena *arena,
         struct nd_error *error, const struct nd_profile **profiles_r,
         size_t *count_r),
        (inner, rule, arena, error, profiles_r, count_r))
FORWARD(profile_touch,
        (struct nd_store * store, const char *rule, const char *settings,
         const uint8_t digest[ND_PROFILE_DIGEST_BYTES], struct nd_error *error),
        (inner, rule, settings, digest, error))
FORWARD(profile_trim,
        (struct nd_store * store, const char *rule, uint32_t keep,
         int64_t recent_ms, struct nd_arena *arena, struct nd_error *error,
         const struct nd_profile **dropped_r, size_t *count_r),
        (inner, rule, keep, recent_ms, arena, error, dropped_r, count_r))
FORWARD(lease_acquire,
        (struct nd_store * store, const struct nd_scope *scope,
         const uint8_t nonce[ND_NONCE_BYTES], const char *holder,
         int64_t length_ms, struct nd_error *error, struct nd_lease *lease_r),
        (inner, scope, nonce, holder, length_ms, error, lease_r))
FORWARD(lease_renew,
        (struct nd_store * store, const struct nd_scope *scope,
         const struct nd_lease *lease, uint64_t progress, int64_t length_ms,
         struct nd_error *error),
        (inner, scope, lease, progress, length_ms, error))
FORWARD(lease_release,
        (struct nd_store * store, const struct nd_scope *scope,
         const struct nd_lease *lease, struct nd_error *error),
        (inner, scope, lease, error))
FORWARD(lease_show,
        (struct nd_store * store, const struct nd_scope *scope,
         struct nd_error *error, struct nd_lease *lease_r),
        (inner, scope, error, lease_r))
FORWARD(training_state,
        (struct nd_store * store, const struct nd_scope *scope,
         struct nd_error *error, struct nd_training_state *state_r),
        (inner, scope, error, state_r))
FORWARD(training_finish,
        (struct nd_store * store, const struct nd_scope *scope,
         const struct nd_lease *lease, const struct nd_finish *finish,
         struct nd_error *error),
        (inner, scope, lease, finish, error))
FORWARD(model_upload,
        (struct nd_store * store, const struct nd_scope *scope,
         const void *blob, size_t length, struct nd_error *error,
         uint8_t digest_r[ND_DIGEST_BYTES]),
        (inner, scope, blob, length, error, digest_r))
FORWARD(model_publish,
        (struct nd_store * store, const struct nd_scope *scope,
         const struct nd_lease *lease, const struct nd_publish *publish,
         struct nd_error *error, uint64_t *generation_r),
        (inner, scope, lease, publish, error, generation_r))
FORWARD(model_import,
        (struct nd_store * store, const struct nd_scope *scope,
         const struct nd_publish *publish, struct nd_error *error,
         uint64_t *generation_r),
        (inner, scope, publish, error, generation_r))
FORWARD(model_current,
        (struct nd_store * store, const struct nd_scope *scope,
         struct nd_error *error, struct nd_model_pointer *pointer_r),
        (inner, scope, error, pointer_r))
FORWARD(model_get,
        (struct nd_store * store, const struct nd_scope *scope,
         uint64_t generation, struct nd_error *error, struct nd_buffer *blob,
         uint8_t digest_r[ND_DIGEST_BYTES]),
        (inner, scope, generation, error, blob, digest_r))
FORWARD(model_list,
        (struct nd_store * store, const struct nd_scope *scope,
         struct nd_error *error, struct nd_model_info **models_r,
         size_t *count_r),
        (inner, scope, error, models_r, count_r))
FORWARD(model_pin,
        (struct nd_store * store, const struct nd_scope *scope,
         uint64_t generation, bool pin, struct nd_error *error,
         struct nd_model_pointer *pointer_r),
        (inner, scope, generation, pin, error, pointer_r))
FORWARD(model_expire,
        (struct nd_store * store, const struct nd_scope *scope,
         int64_t expire_ms, struct nd_error *error, uint64_t *count_r),
        (inner, scope, expire_ms, error, count_r))
FORWARD(image_read,
        (struct nd_store * store, const struct nd_scope *scope,
         enum nd_image_kind kind, uint64_t *cursor, struct nd_arena *arena,
         struct nd_error *error, const struct nd_image_record **records_r,
         size_t *count_r),
        (inner, scope, kind, cursor, arena, error, records_r, count_r))
FORWARD(image_write,
        (struct nd_store * store, const struct nd_scope *scope,
         const struct nd_image_record *records, size_t count,
         struct nd_error *error),
        (inner, scope, records, count, error))
FORWARD(count,
        (struct nd_store * store, const struct nd_scope *scope,
         enum nd_refusal reason, uint64_t add, struct nd_error *error),
        (inner, scope, reason, add, error))
FORWARD(stats,
        (struct nd_store * store, const struct nd_scope *scope,
         struct nd_error *error, struct nd_store_stats *stats_r),
        (inner, scope, error, stats_r))
FORWARD(journal,
        (struct nd_store * store, const struct nd_scope *scope, size_t limit,
         struct nd_arena *arena, struct nd_error *error,
         const struct nd_journal_entry **entries_r, size_t *count_r),
        (inner, scope, limit, arena, error, entries_r, count_r))
FORWARD(scopes,
        (struct nd_store * store, struct nd_error *error,
         struct nd_scope **scopes_r, size_t *count_r),
        (inner, error, scopes_r, count_r))
FORWARD(host_report,
        (struct nd_store * store, const struct nd_scope *scope,
         const char *host, uint64_t generation, struct nd_error *error),
        (inner, scope, host, generation, error))
FORWARD(host_list,
        (struct nd_store * store, const struct nd_scope *scope,
         struct nd_error *error, struct nd_host_report **hosts_r,
         size_t *count_r),
        (inner, scope, error, hosts_r, count_r))
FORWARD(maintain,
        (struct nd_store * store, int64_t keep_ms, bool dry_run,
         void (*report)(const char *line, void *context), void *context,
         struct nd_error *error),
        (inner, keep_ms, dry_run, report, context, error))

static void faulty_close(struct nd_store *store)
{
    struct faulty *faulty = (struct faulty *)store;
    nd_store_close(&faulty->inner);
    free(faulty);
}

static const struct nd_backend faulty_backend = {.name = "faulty",
                                                 .close = faulty_close,
#define FAULTY_OPERATION(name) .name = faulty_##name,
                                                 OPERATIONS(FAULTY_OPERATION)
#undef FAULTY_OPERATION
};

/* ---- opening ---- */

enum nd_status nd_faulty_wrap(struct nd_store *inner, const char *specification,
                              struct nd_error *error, struct nd_store **store_r)
{
    struct faulty *faulty = nd_calloc(1, sizeof(*faulty));
    faulty->base.backend = &faulty_backend;
    faulty->inner = inner;
    enum nd_status status = parse(faulty, specification, error);
    if (status != ND_OK)
        faulty_close(&faulty->base);
    else
        *store_r = &faulty->base;
    return status;
}

enum nd_status nd_faulty_open(const char *rest,
                              const struct nd_store_options *options,
                              struct nd_error *error, struct nd_store **store_r)
{
    const char *allowed = getenv("NEURALD_TEST_FAULTS");
    const char *colon = strchr(rest, ':');
    if (allowed == NULL || strcmp(allowed, "1") != 0 || colon == NULL)
        return nd_fail(error, ND_CONFIG,
                       "'faulty:' is for tests: set NEURALD_TEST_FAULTS=1 and "
                       "name SPECIFICATION:URL");
    struct nd_store *inner;
    enum nd_status status = nd_store_open(colon + 1, options, error, &inner);
    if (status != ND_OK)
        return status;
    char *specification = nd_strndup(rest, (size_t)(colon - rest));
    status = nd_faulty_wrap(inner, specification, error, store_r);
    free(specification);
    return status;
}
