/* SPDX-License-Identifier: Apache-2.0
 *
 * The generation that a rollback goes back to.
 */
#ifndef ND_LEARN_PREVIOUS_H
#define ND_LEARN_PREVIOUS_H

#include <stdint.h>

#include "store/store.h"

/* The newest kept generation that is older than the live one; ND_NOTHING where
 * there is none. The thread that owns the store's handle. */
enum nd_status nd_model_previous(struct nd_store *store,
                                 const struct nd_scope *scope,
                                 struct nd_error *error,
                                 uint64_t *generation_r) ND_MUST_CHECK;

#endif
