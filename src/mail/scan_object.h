/* SPDX-License-Identifier: Apache-2.0
 *
 * Findings from JSON that has been parsed already, for callers that read more
 * out of the same object.
 */
#ifndef ND_MAIL_SCAN_OBJECT_H
#define ND_MAIL_SCAN_OBJECT_H

#include <jansson.h>

#include "mail/scan.h"

/* As nd_scan_read_json, from the object root, which stays the caller's. */
enum nd_status nd_scan_read_object(const json_t *root, struct nd_arena *arena,
                                   struct nd_error *error,
                                   struct nd_scan *scan_r) ND_MUST_CHECK;

#endif
