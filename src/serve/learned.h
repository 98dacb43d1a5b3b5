/* SPDX-License-Identifier: Apache-2.0
 *
 * What the handlers that change samples share: parameters, and answers.
 */
#ifndef ND_SERVE_LEARNED_H
#define ND_SERVE_LEARNED_H

#include "serve/request.h"

/* Reads parameters of these names; each leaves its out-parameter alone where
 * there is none, and answers false where it is malformed: the answer is then a
 * problem. A class is "spam" or "ham", a source "user", "trap", "api" or
 * "autolearn", an identity 32 hexadecimal digits, a time a number of
 * milliseconds since 1970. */
bool nd_request_class(struct nd_request *request, const char *name,
                      int *label_r);
bool nd_request_source(struct nd_request *request, int *source_r);
bool nd_request_identity(struct nd_request *request,
                         uint8_t identity_r[ND_IDENTITY_BYTES], bool *given_r);

/* Answers for learn and relabel: each rule's outcome, the first one's at the
 * top too. The code is 200 where every rule has it in the store, 202 where one
 * is only durable here, and 503 or 507 where the store refused one. */
void nd_answer_learned(struct nd_request *request,
                       const uint8_t identity[ND_IDENTITY_BYTES],
                       const struct nd_host_results *results);

/* The answer for a call that came to no result. */
void nd_answer_unlearned(struct nd_request *request, enum nd_status status,
                         const struct nd_error *error);

/* "stored", "relabelled", ..., "spooled", or why it was refused; static. */
const char *nd_learned_word(const struct nd_host_result *result);

#endif
