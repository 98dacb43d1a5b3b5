/* SPDX-License-Identifier: Apache-2.0
 *
 * The footer that a mailing list adds. Internal to src/features.
 */
#ifndef ND_FEATURES_FOOTER_H
#define ND_FEATURES_FOOTER_H

#include "mail/message.h"

/* The end of text that a mailing list's software wrote, or an empty text
 * where there is none. What is before it is text.length minus its length. */
struct nd_text nd_list_footer(struct nd_text text);

#endif
