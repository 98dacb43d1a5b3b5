/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting the trainer's child; for child.c alone.
 */
#ifndef ND_LEARN_CHILD_SPAWN_H
#define ND_LEARN_CHILD_SPAWN_H

#include <sys/types.h>

#include "base/status.h"

/* A child with the parent's ends of its pipes, both close-on-exec, input
 * non-blocking. The caller closes and collects them. */
struct nd_spawned {
    pid_t process;
    int input, output;
};

/* Starts this program with one argument, or the command of
 * nd_trainer_set_command (trainer.h). ND_OS where no pipe or process can be
 * had. */
enum nd_status nd_child_spawn(const char *argument, struct nd_error *error,
                              struct nd_spawned *spawned_r) ND_MUST_CHECK;

#endif
