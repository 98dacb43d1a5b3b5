/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald rspamd: the actions that work on rspamd's Redis.
 */
#ifndef ND_CLI_RSPAMD_WATCH_H
#define ND_CLI_RSPAMD_WATCH_H

#include "cli/command.h"

/* One look for each rule of kind rspamd; errors in cli->error. */
enum nd_status nd_rspamd_run_sync(struct nd_cli *cli) ND_MUST_CHECK;

/* Looks until a TERM or INT arrives. A look that fails is told and tried again
 * at the next. */
enum nd_status nd_rspamd_run_watch(struct nd_cli *cli) ND_MUST_CHECK;

#endif
