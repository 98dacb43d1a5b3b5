/* SPDX-License-Identifier: Apache-2.0
 *
 * A backend that fails on purpose: it hands every call over to another store,
 * but for those that its specification names. For tests of what is built on
 * the store; a program never meets it unless NEURALD_TEST_FAULTS is set.
 *
 * A specification is a list, separated by commas, of OPERATION@CALL=EFFECT.
 * OPERATION is a name of struct nd_backend, or "any". CALL is a number from 1
 * on, or such a number with "+": that call and all later ones. EFFECT is
 *   a status by its short name ("unavailable", "full"): does nothing, fails;
 *   lost-request: does nothing, answers ND_UNCERTAIN;
 *   lost-answer: acts, answers ND_UNCERTAIN;
 *   kill-before, kill-after: the process ends by SIGKILL then.
 * Example: "put_many@3=lost-answer,model_publish@1+=unavailable".
 */
#ifndef ND_STORE_FAULTY_H
#define ND_STORE_FAULTY_H

#include "store/store.h"

/* Wraps inner and owns it from then on, also on failure (ND_CONFIG for a
 * specification that is not one). Out-parameters of a lost answer are written,
 * but not to be relied on. */
enum nd_status nd_faulty_wrap(struct nd_store *inner, const char *specification,
                              struct nd_error *error,
                              struct nd_store **store_r) ND_MUST_CHECK;

/* The scheme "faulty": rest is SPECIFICATION:URL. ND_CONFIG unless the
 * environment has NEURALD_TEST_FAULTS=1. */
enum nd_status nd_faulty_open(const char *rest,
                              const struct nd_store_options *options,
                              struct nd_error *error,
                              struct nd_store **store_r) ND_MUST_CHECK;

#endif
