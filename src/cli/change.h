/* SPDX-License-Identifier: Apache-2.0
 *
 * What forget and relabel have in common: samples are chosen, and changed for
 * every rule, here or by a daemon.
 */
#ifndef ND_CLI_CHANGE_H
#define ND_CLI_CHANGE_H

#include "cli/selection.h"
#include "learn/bulk.h"

struct nd_change {
    struct nd_cli *cli;
    int label;             /* the new one; below 0: samples are forgotten */
    const char *usage;     /* what is to be said */
    const char *if_absent; /* advice about a sample that is not there, or "" */
    /* Tells what became of one rule's samples. */
    enum nd_status (*print)(const struct nd_change *change, const char *rule,
                            const struct nd_bulk_result *result);
    bool dry_run; /* set by nd_change_run, for print */
};

/* Reads which samples are meant (ND_USAGE where that is not said, or in two
 * ways), and changes them. Errors in cli->error. */
enum nd_status nd_change_run(struct nd_change *change) ND_MUST_CHECK;

#endif
