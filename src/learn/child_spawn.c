/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting the trainer's child with its two pipes. What else it inherits, and
 * what it does not, is spawn.c's.
 */
#include "learn/child_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "learn/spawn.h"
#include "learn/trainer.h"

static char program_name[] = "neurald";
static const char own_path[] = "/proc/self/exe";
struct command {
    const char *path;
    char *const *arguments;
};
static struct command other; /* path NULL: this program */
static pthread_mutex_t other_lock = PTHREAD_MUTEX_INITIALIZER;

void nd_trainer_set_command(const char *path, char *const argv[])
{
    (void)pthread_mutex_lock(&other_lock);
    other = (struct command){path, argv};
    (void)pthread_mutex_unlock(&other_lock);
}

/* arguments are those of this program. */
static struct command choose_command(char *const *arguments)
{
    (void)pthread_mutex_lock(&other_lock);
    struct command chosen = other;
    (void)pthread_mutex_unlock(&other_lock);
    return chosen.path != NULL ? chosen : (struct command){own_path, arguments};
}

/* A pipe whose ends are both above standard error, which is to be the host
 * program's own or closed, whatever the host program did with it. */
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

enum nd_status nd_child_spawn(const char *argument, struct nd_error *error,
                              struct nd_spawned *spawned_r)
{
    char own_argument[32];
    char *own_argv[] = {program_name, own_argument, NULL};
    int down[2] = {-1, -1}, up[2] = {-1, -1};
    pid_t process;
    if (high_pipe(down) != 0 || high_pipe(up) != 0 ||
        fcntl(down[1], F_SETFL, O_NONBLOCK) != 0) {
        (void)nd_fail_errno(error, "no pipe for the trainer child");
        close_ends(down);
        close_ends(up);
        return ND_OS;
    }
    (void)snprintf(own_argument, sizeof own_argument, "%s", argument);
    struct command command = choose_command(own_argv);
    struct nd_spawn wanted = {.what = "the trainer child",
                              .path = command.path,
                              .arguments = command.arguments,
                              .descriptors = {down[0], up[1], STDERR_FILENO},
                              .descriptor_count = 3};
    enum nd_status status = nd_spawn(&wanted, error, &process);
    (void)close(down[0]);
    (void)close(up[1]);
    if (status != ND_OK) {
        (void)close(down[1]);
        (void)close(up[0]);
        return status;
    }
    *spawned_r = (struct nd_spawned){
        .process = process, .input = down[1], .output = up[0]};
    return ND_OK;
}
