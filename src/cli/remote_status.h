/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald status, here and by a daemon: what both print.
 */
#ifndef ND_CLI_REMOTE_STATUS_H
#define ND_CLI_REMOTE_STATUS_H

#include "cli/command.h"
#include "learn/rule_facts.h"

/* Prints what the daemon of --server knew at its last look at the store, of all
 * its rules or the one of --rule. */
enum nd_status nd_remote_status(struct nd_cli *cli) ND_MUST_CHECK;

/* Prints one rule's facts as text or JSON (cmd_status.c). */
enum nd_status nd_status_print(struct nd_cli *cli, const char *store,
                               const struct nd_rule_facts *facts) ND_MUST_CHECK;

#endif
