/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting helper processes. posix_spawn and not fork, since the host program
 * may have threads. They inherit what they are given and a handful of
 * environment variables: no descriptor of the store, and no password that an
 * administrator put into the environment.
 */
#include "learn/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_VARIABLES 16

/* Environment variables that pass: where libraries are, which kernels to use,
 * and the sanitizers' settings. */
static const char *const passed_names[] = {
    "NEURALD_KERNEL=", "LD_LIBRARY_PATH=", "ASAN_OPTIONS=",   "UBSAN_OPTIONS=",
    "TSAN_OPTIONS=",   "LSAN_OPTIONS=",    "MALLOC_PERTURB_="};

static int is_passed(const char *variable)
{
    for (size_t i = 0; i < sizeof passed_names / sizeof passed_names[0]; i++) {
        if (strncmp(variable, passed_names[i], strlen(passed_names[i])) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The parent's process id, so that the child can tell that it came too late to
 * be killed with its parent; and the variables that pass. */
static void child_environment(char *parent, size_t size,
                              char *variables[MAX_VARIABLES])
{
    size_t count = 0;
    (void)snprintf(parent, size, "NEURALD_PARENT=%ld", (long)getpid());
    variables[count++] = parent;
    for (char **variable = environ;
         variable != NULL && *variable != NULL && count < MAX_VARIABLES - 1;
         variable++) {
        if (is_passed(*variable)) {
            variables[count++] = *variable;
        }
    }
    variables[count] = NULL;
}

/* Default dispositions and an open mask, and a process group of its own, so
 * that a terminal's interrupt reaches the parent alone, which then decides. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int result = posix_spawnattr_setsigdefault(attributes, &all);
    if (result == 0) {
        result = posix_spawnattr_setsigmask(attributes, &none);
    }
    if (result == 0) {
        result = posix_spawnattr_setpgroup(attributes, 0);
    }
    if (result == 0) {
        result = posix_spawnattr_setflags(
            attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                            POSIX_SPAWN_SETPGROUP);
    }
    return result;
}

/* The descriptors are all above those that the process will have, so none is
 * overwritten before its turn, and none keeps close-on-exec because it was in
 * its place already. */
static int set_actions(posix_spawn_file_actions_t *actions, const int *high,
                       size_t count)
{
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        result =
            high[i] >= 0
                ? posix_spawn_file_actions_adddup2(actions, high[i], (int)i)
                : posix_spawn_file_actions_addclose(actions, (int)i);
    }
    if (result == 0) {
        result = posix_spawn_file_actions_addclosefrom_np(actions, (int)count);
    }
    return result;
}

static int spawn_with(const struct nd_spawn *wanted, const int *high,
                      pid_t *process_r)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    char parent[48];
    char *variables[MAX_VARIABLES];
    child_environment(parent, sizeof parent, variables);
    int result = posix_spawnattr_init(&attributes);
    if (result != 0) {
        return result;
    }
    result = posix_spawn_file_actions_init(&actions);
    if (result == 0) {
        result = set_attributes(&attributes);
        if (result == 0) {
            result = set_actions(&actions, high, wanted->descriptor_count);
        }
        if (result == 0) {
            result = posix_spawn(process_r, wanted->path, &actions, &attributes,
                                 wanted->arguments, variables);
        }
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    (void)posix_spawnattr_destroy(&attributes);
    return result;
}

enum nd_status nd_spawn(const struct nd_spawn *wanted, struct nd_error *error,
                        pid_t *process_r)
{
    int high[ND_SPAWN_DESCRIPTORS] = {0};
    size_t made = 0;
    int result = 0;
    for (; made < wanted->descriptor_count && result == 0; made++) {
        high[made] = fcntl(wanted->descriptors[made], F_DUPFD_CLOEXEC,
                           ND_SPAWN_DESCRIPTORS);
        result = high[made] >= 0 || errno == EBADF ? 0 : errno;
    }
    if (result == 0) {
        result = spawn_with(wanted, high, process_r);
    }
    for (size_t i = 0; i < made; i++) {
        if (high[i] >= 0) {
            (void)close(high[i]);
        }
    }
    if (result != 0) {
        errno = result;
        (void)nd_fail_errno(error, "%s %s cannot be started", wanted->what,
                            wanted->path);
        return ND_OS;
    }
    return ND_OK;
}
