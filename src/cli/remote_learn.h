/* SPDX-License-Identifier: Apache-2.0
 *
 * learn, forget and relabel by a daemon.
 */
#ifndef ND_CLI_REMOTE_LEARN_H
#define ND_CLI_REMOTE_LEARN_H

#include "cli/remote.h"
#include "cli/selection.h"
#include "cli/tally.h"
#include "learn/bulk.h"
#include "learn/engine.h"

/* Has the daemon learn an item, and adds what became of it to the tallies of
 * its rules. A sample that waits in the daemon's spool counts as stored. */
enum nd_status nd_remote_learn(struct nd_remote *remote,
                               const struct nd_item *item,
                               const struct nd_lesson *lesson,
                               struct nd_tallies *tallies) ND_MUST_CHECK;

/* What became of samples under one rule. */
struct nd_remote_change {
    char *rule;
    struct nd_bulk_result result;
};
/* Zero-initialise; freed with nd_remote_changes_free. */
struct nd_remote_changes {
    struct nd_remote_change *of;
    size_t count;
};
void nd_remote_changes_free(struct nd_remote_changes *changes);

/* Has the daemon forget (label -1) or relabel the samples that are named, or
 * without any those of the selection, and adds up what it did for each rule.
 * Absent ones are told on standard error. */
enum nd_status nd_remote_change(
    struct nd_cli *cli, const struct nd_selection *selection,
    const struct nd_named_samples *samples, int label,
    struct nd_remote_changes *changes) ND_MUST_CHECK;

#endif
