/* SPDX-License-Identifier: Apache-2.0
 *
 * What must happen together on rspamd's Redis, as scripts. Private to remote.c.
 */
#ifndef ND_RSPAMD_REMOTE_SCRIPTS_H
#define ND_RSPAMD_REMOTE_SCRIPTS_H

/* KEYS: a network. ARGV: mark, seconds to live. */
extern const char nd_rspamd_mark_script[];
/* KEYS: profiles, new network, old network, its spam, its ham. ARGV: seconds
 * after which a lock is stale, old profile, new profile, network, thresholds,
 * mark, seconds to live. Answers "published" or "superseded", or since when and
 * by whom the old network is locked. */
extern const char nd_rspamd_publish_script[];

#endif
