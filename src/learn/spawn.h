/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting helper processes: the trainer's child, the milter's worker.
 */
#ifndef ND_LEARN_SPAWN_H
#define ND_LEARN_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

#include "base/status.h"

#define ND_SPAWN_DESCRIPTORS 8 /* at most */

struct nd_spawn {
    const char *what;       /* for errors: "the trainer child" */
    const char *path;       /* of the program */
    char *const *arguments; /* argv, NULL-terminated */
    /* which of ours become its 0, 1, 2, ...; one that is closed is closed
       there, too, and it gets no others */
    int descriptors[ND_SPAWN_DESCRIPTORS];
    size_t descriptor_count;
};

/* Starts a process with signals as they are by default, in a process group of
 * its own, and with few environment variables: NEURALD_PARENT, our process id,
 * where libraries are, which kernels to use, and the sanitizers' settings. The
 * descriptors stay the caller's. ND_OS. Any thread. */
enum nd_status nd_spawn(const struct nd_spawn *wanted, struct nd_error *error,
                        pid_t *process_r) ND_MUST_CHECK;

#endif
