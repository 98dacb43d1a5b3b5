/* SPDX-License-Identifier: Apache-2.0
 *
 * The value of an Authentication-Results header (RFC 8601).
 */
#ifndef ND_MAIL_AUTH_RESULTS_H
#define ND_MAIL_AUTH_RESULTS_H

#include <stdbool.h>

#include "mail/message.h"

struct nd_auth_results {
    enum nd_auth_result spf, dkim, dmarc;
    bool authenticated_user;
};

/* Reads value, an unfolded one. False where its authserv-id is not server (in
 * any case of letters), or there is none. */
bool nd_auth_results_read(const char *value, const char *server,
                          struct nd_arena *arena,
                          struct nd_auth_results *results_r);

/* "pass", "softfail", ... at the start of text. */
enum nd_auth_result nd_auth_result_parse(const char *text);

#endif
