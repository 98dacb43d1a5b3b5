/* SPDX-License-Identifier: Apache-2.0
 *
 * What a program needs in order to train: it becomes its own trainer's child,
 * a process without store and without network (confine.h), when it is started
 * with the argument below.
 */
#ifndef ND_LEARN_TRAINER_H
#define ND_LEARN_TRAINER_H

#include "base/status.h"

/* A program whose argv[1] is this calls nd_trainer_child_main before anything
 * else and returns its answer. */
#define ND_TRAINER_ARGUMENT "--trainer-child"

/* The child's whole life: reads settings and samples from standard input,
 * writes frames to standard output. Answers the exit status. */
int nd_trainer_child_main(void) ND_MUST_CHECK;

/* Which program is spawned, instead of this one (/proc/self/exe) with
 * ND_TRAINER_ARGUMENT. path and argv (NULL-terminated) are borrowed for good;
 * path NULL restores. Any thread; trainings that begin later are meant. */
void nd_trainer_set_command(const char *path, char *const argv[]);

#endif
