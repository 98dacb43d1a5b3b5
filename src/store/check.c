/* SPDX-License-Identifier: Apache-2.0
 *
 * What the front of the store checks of its arguments, once for all backends:
 * names, enums, lengths, and that a payload is an encoded sample at all. What
 * depends on the contents of a store is decided by the backend.
 */
#include "store/check.h"

#include <string.h>

#include "store/sample.h"

#define MAX_NAME_LENGTH 1024
#define MAX_FIGURES 4096
#define MAX_REASON 1024
#define MAX_LEASE_MS (INT64_C(7) * 24 * 60 * 60 * 1000)

enum nd_status nd_check_name(const char *what, const char *name,
                             struct nd_error *error)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t length = name == NULL ? 0 : strlen(name);
    if (length > 0 && length < ND_NAME_BYTES && strspn(name, letters) == length)
        return ND_OK;
    return nd_fail(error, ND_USAGE,
                   "'%.100s' is no %s: 1 to %d letters, digits, '_', '.', '-'",
                   name == NULL ? "" : name, what, ND_NAME_BYTES - 1);
}

enum nd_status nd_check_scope(const struct nd_scope *scope,
                              struct nd_error *error)
{
    enum nd_status status = nd_check_name("rule", scope->rule, error);
    return status == ND_OK ? nd_check_name("settings", scope->settings, error)
                           : status;
}

enum nd_status nd_check_label(enum nd_class label, enum nd_source source,
                              struct nd_error *error)
{
    if ((unsigned)label <= ND_SPAM && (unsigned)source < ND_SOURCE_COUNT)
        return ND_OK;
    return nd_fail(error, ND_USAGE, "no such class or source: %u, %u",
                   (unsigned)label, (unsigned)source);
}

enum nd_status nd_check_lease_length(int64_t length_ms, struct nd_error *error)
{
    if (length_ms > 0 && length_ms <= MAX_LEASE_MS)
        return ND_OK;
    return nd_fail(error, ND_USAGE,
                   "a lease of %lld ms: it must be 1 ms to 7 days",
                   (long long)length_ms);
}

enum nd_status nd_check_puts(const struct nd_sample_put *samples, size_t count,
                             const struct nd_quota *quota,
                             struct nd_error *error)
{
    if (quota->limit == 0 ||
        (quota->mode != ND_QUOTA_RESERVOIR && quota->mode != ND_QUOTA_BALANCED))
        return nd_fail(error, ND_USAGE, "a quota of 0 samples stores nothing");
    for (size_t i = 0; i < count; i++) {
        const struct nd_sample_put *sample = &samples[i];
        uint32_t families;
        enum nd_status status =
            nd_check_label(sample->label, sample->source, error);
        if (status == ND_OK && sample->payload_length > ND_SAMPLE_MAX_BYTES)
            status = nd_fail(error, ND_LIMIT,
                             "a sample of %zu bytes: at most %u are stored",
                             sample->payload_length, ND_SAMPLE_MAX_BYTES);
        if (status == ND_OK)
            status = nd_sample_families(sample->payload, sample->payload_length,
                                        error, &families);
        if (status != ND_OK)
            return status;
    }
    return ND_OK;
}

enum nd_status nd_check_entry(const struct nd_journal_entry *entry,
                              struct nd_error *error,
                              struct nd_journal_entry *entry_r)
{
    static const struct nd_journal_entry none;
    *entry_r = entry == NULL ? none : *entry;
    if (entry_r->holder == NULL)
        entry_r->holder = "";
    if (entry_r->reason == NULL)
        entry_r->reason = "";
    if (entry_r->figures == NULL)
        entry_r->figures = "{}";
    if ((unsigned)entry_r->decision > ND_DECISION_FAILED)
        return nd_fail(error, ND_USAGE, "no such decision: %u",
                       (unsigned)entry_r->decision);
    if (strlen(entry_r->figures) > MAX_FIGURES ||
        strlen(entry_r->reason) > MAX_REASON)
        return nd_fail(error, ND_LIMIT,
                       "a journal entry takes %d bytes of figures and %d of "
                       "reason",
                       MAX_FIGURES, MAX_REASON);
    return ND_OK;
}

enum nd_status nd_check_symbols(const char *const *names, size_t count,
                                size_t most, struct nd_error *error)
{
    if (count > most)
        return nd_fail(error, ND_LIMIT, "%zu names at once: at most %zu", count,
                       most);
    for (size_t i = 0; i < count; i++) {
        size_t length = strnlen(names[i], MAX_NAME_LENGTH + 1);
        if (length == 0 || length > MAX_NAME_LENGTH)
            return nd_fail(error, ND_LIMIT,
                           "a name of %zu bytes: 1 to %d are allowed", length,
                           MAX_NAME_LENGTH);
    }
    return ND_OK;
}
