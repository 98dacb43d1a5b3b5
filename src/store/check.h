/* SPDX-License-Identifier: Apache-2.0
 *
 * The checks that the front of the store makes before a backend is called. All
 * answer ND_OK, or ND_USAGE or ND_LIMIT with the reason in error.
 */
#ifndef ND_STORE_CHECK_H
#define ND_STORE_CHECK_H

#include "store/store.h"

#define ND_MAX_SYMBOL_NAMES 65536    /* of a profile */
#define ND_MAX_REGISTRY_NAMES 131072 /* of one call */

/* A rule's or settings' name; what says which in the error. */
enum nd_status nd_check_name(const char *what, const char *name,
                             struct nd_error *error) ND_MUST_CHECK;
enum nd_status nd_check_scope(const struct nd_scope *scope,
                              struct nd_error *error) ND_MUST_CHECK;
enum nd_status nd_check_label(enum nd_class label, enum nd_source source,
                              struct nd_error *error) ND_MUST_CHECK;
enum nd_status nd_check_lease_length(int64_t length_ms,
                                     struct nd_error *error) ND_MUST_CHECK;
/* Also ND_DATA for a payload that is no encoded sample. */
enum nd_status nd_check_puts(const struct nd_sample_put *samples, size_t count,
                             const struct nd_quota *quota,
                             struct nd_error *error) ND_MUST_CHECK;
/* Copies entry (may be NULL) with absent texts filled in, so that no backend
 * meets a NULL. */
enum nd_status nd_check_entry(const struct nd_journal_entry *entry,
                              struct nd_error *error,
                              struct nd_journal_entry *entry_r) ND_MUST_CHECK;
/* At most `most` names of 1 to 1,024 bytes. */
enum nd_status nd_check_symbols(const char *const *names, size_t count,
                                size_t most,
                                struct nd_error *error) ND_MUST_CHECK;

#endif
