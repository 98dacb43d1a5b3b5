/* SPDX-License-Identifier: Apache-2.0
 *
 * What headers of filters say, where they may be believed.
 */
#ifndef ND_MAIL_TRUST_H
#define ND_MAIL_TRUST_H

#include "mail/message.h"

/* Reads the findings and authentication results among the message's headers
 * into it (scan, spf, dkim, dmarc, authenticated_user, untrusted_findings).
 * trust may be NULL: nobody is trusted. */
void nd_trust_apply(const struct nd_mail_trust *trust, struct nd_arena *arena,
                    struct nd_message *message);

#endif
