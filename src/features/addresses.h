/* SPDX-License-Identifier: Apache-2.0
 *
 * Domains in headers. Internal to src/features.
 */
#ifndef ND_FEATURES_ADDRESSES_H
#define ND_FEATURES_ADDRESSES_H

#include <stdbool.h>

#include "mail/message.h"

/* The value of the first header called name, in any case; empty if none. */
struct nd_text nd_header_value(const struct nd_message *message,
                               const char *name);

/* The last two labels of the host after the last at sign of value: what
 * stands for the owner of an address. Empty if there is none. */
struct nd_text nd_domain_of(struct nd_text value);

/* Whether two domains are the same, in any case. */
bool nd_domains_agree(struct nd_text first, struct nd_text second);

#endif
