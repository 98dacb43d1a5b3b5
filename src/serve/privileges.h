/* SPDX-License-Identifier: Apache-2.0
 *
 * Becoming another user, for a daemon that was started by root.
 */
#ifndef ND_SERVE_PRIVILEGES_H
#define ND_SERVE_PRIVILEGES_H

#include "base/status.h"

/* Becomes user with its groups, for good; NULL changes nothing. ND_CONFIG where
 * there is no such user, ND_PERMISSION where this process may not. Before any
 * thread is started. */
enum nd_status nd_privileges_drop(const char *user,
                                  struct nd_error *error) ND_MUST_CHECK;

#endif
