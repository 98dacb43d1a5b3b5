/* SPDX-License-Identifier: Apache-2.0
 *
 * A message's identity (docs/formats/identity.md): the same for every copy of
 * it, wherever it is met.
 */
#ifndef ND_MAIL_IDENTITY_H
#define ND_MAIL_IDENTITY_H

#include <stdbool.h>

#include "base/hash.h"
#include "mail/field.h"

/* From the raw message (without an mbox line). True if it has a Message-ID. */
bool nd_identity(struct nd_span message, uint8_t identity_r[ND_IDENTITY_BYTES]);

#endif
