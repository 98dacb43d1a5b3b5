/* SPDX-License-Identifier: Apache-2.0
 *
 * neurald train, here and by a daemon: what both tell.
 */
#ifndef ND_CLI_REMOTE_TRAIN_H
#define ND_CLI_REMOTE_TRAIN_H

#include "cli/command.h"
#include "learn/engine.h"

/* Has the daemon of --server train the rule of that name, or all of its rules
 * (NULL), and waits for it as a training here would. An interrupt ends the
 * waiting, not the training. */
enum nd_status nd_remote_train(struct nd_cli *cli,
                               const char *rule) ND_MUST_CHECK;

/* Prints how a training ended. ND_INTERNAL where it failed (cmd_train.c). */
enum nd_status nd_train_tell(struct nd_cli *cli, const struct nd_scope *scope,
                             const struct nd_training_report *report)
    ND_MUST_CHECK;

/* How the rules of one command fared. */
struct nd_train_outcome {
    enum nd_status first; /* of the first rule that was not trained */
    struct nd_error error;
};

/* Notes how a rule's training ended, with the words in cli->error. ND_OK where
 * the next rule is to be trained all the same: one rule with nothing to train,
 * trained elsewhere, or failed, says nothing of the others (cmd_train.c). */
enum nd_status nd_train_note(struct nd_cli *cli, enum nd_status status,
                             struct nd_train_outcome *outcome) ND_MUST_CHECK;

/* The status of the whole, with its words in cli->error: status where that
 * ended it, else the first rule's that was not trained (cmd_train.c). */
enum nd_status nd_train_conclude(struct nd_cli *cli, enum nd_status status,
                                 const struct nd_train_outcome *outcome)
    ND_MUST_CHECK;

/* Shows progress; false once an interrupt has come. context is a struct
 * nd_progress. */
bool nd_train_show(double done, double loss, const char *stage, void *context);

/* From now on interrupts make nd_train_show answer false. */
void nd_train_catch_interrupts(void);

#endif
