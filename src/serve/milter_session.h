/* SPDX-License-Identifier: Apache-2.0
 *
 * What libmilter calls, and what is done to messages. For milter_worker.c.
 */
#ifndef ND_SERVE_MILTER_SESSION_H
#define ND_SERVE_MILTER_SESSION_H

#include "base/status.h"

/* Tells libmilter what to call. Once, before smfi_opensocket. ND_INTERNAL. */
enum nd_status nd_milter_session_register(struct nd_error *error) ND_MUST_CHECK;

#endif
