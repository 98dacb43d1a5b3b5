/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting the trainer's child. posix_spawn and not fork, since the host
 * program may have threads. The child inherits two pipes, standard error and a
 * handful of environment variables: no descriptor of the store, and no
 * password that an administrator put into the environment.
 */
#include "learn/child_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "learn/trainer.h"

#define MAX_VARIABLES 16

static char program_name[] = "neurald";
static char child_argument[] = ND_TRAINER_ARGUMENT;
static char *const default_argv[] = {program_name, child_argument, NULL};
static const char *command_path = "/proc/self/exe";
static char *const *command_argv = default_argv;

void nd_trainer_set_command(const char *path, char *const argv[])
{
    command_path = path != NULL ? path : "/proc/self/exe";
    command_argv = path != NULL ? argv : default_argv;
}

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

static int set_actions(posix_spawn_file_actions_t *actions, int input,
                       int output)
{
    int result = posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO);
    if (result == 0) {
        result =
            posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
    }
    if (result == 0) {
        result = posix_spawn_file_actions_addclosefrom_np(actions,
                                                          STDERR_FILENO + 1);
    }
    return result;
}

static int spawn_with(int input, int output, pid_t *process_r)
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
            result = set_actions(&actions, input, output);
        }
        if (result == 0) {
            result = posix_spawn(process_r, command_path, &actions, &attributes,
                                 command_argv, variables);
        }
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    (void)posix_spawnattr_destroy(&attributes);
    return result;
}

/* A pipe whose ends are both above standard error: dup2 onto themselves would
 * leave close-on-exec set where the host program closed its standard files. */
static int high_pipe(int ends_r[2])
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    ends_r[0] = fcntl(ends[0], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    ends_r[1] = fcntl(ends[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return ends_r[0] < 0 || ends_r[1] < 0 ? -1 : 0;
}

static void close_ends(const int ends[2])
{
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0) {
            (void)close(ends[i]);
        }
    }
}

enum nd_status nd_child_spawn(struct nd_error *error,
                              struct nd_spawned *spawned_r)
{
    int down[2] = {-1, -1}, up[2] = {-1, -1};
    pid_t process;
    if (high_pipe(down) != 0 || high_pipe(up) != 0 ||
        fcntl(down[1], F_SETFL, O_NONBLOCK) != 0) {
        (void)nd_fail_errno(error, "no pipe for the trainer child");
        close_ends(down);
        close_ends(up);
        return ND_OS;
    }
    int result = spawn_with(down[0], up[1], &process);
    (void)close(down[0]);
    (void)close(up[1]);
    if (result != 0) {
        errno = result;
        (void)nd_fail_errno(error, "the trainer child %s cannot be started",
                            command_path);
        (void)close(down[1]);
        (void)close(up[0]);
        return ND_OS;
    }
    *spawned_r = (struct nd_spawned){
        .process = process, .input = down[1], .output = up[0]};
    return ND_OK;
}
