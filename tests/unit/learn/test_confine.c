/* SPDX-License-Identifier: Apache-2.0
 *
 * What a confined process can no longer do. Each test starts this program
 * again as the process that confines itself, tries one thing, and ends with
 * what it saw as its exit status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "learn/confine.h"
#include "misbehave.h"

#define LISTENER 39 /* of a confined server */

enum seen { SEEN_POSSIBLE = 10, SEEN_REFUSED, SEEN_OTHER, SEEN_FAILED };

static enum seen seen_of(long result)
{
    return result >= 0                         ? SEEN_POSSIBLE
           : errno == EPERM || errno == EACCES ? SEEN_REFUSED
                                               : SEEN_OTHER;
}

/* ---- what is tried ---- */

static void *be_thread(void *context)
{
    return context;
}

static enum seen try_open(void)
{
    return seen_of(open("/etc/hostname", O_RDONLY));
}

static enum seen try_create(void)
{
    return seen_of(open("/tmp/neurald-test-confine", O_CREAT | O_WRONLY, 0600));
}

static enum seen try_stat(void)
{
    struct stat facts;
    return seen_of(stat("/etc/hostname", &facts));
}

static enum seen try_socket(void)
{
    return seen_of(socket(AF_INET, SOCK_STREAM, 0));
}

static enum seen try_unix_socket(void)
{
    int ends[2];
    return seen_of(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
}

static enum seen try_thread(void)
{
    pthread_t thread;
    int result = pthread_create(&thread, NULL, be_thread, NULL);
    return result != 0                       ? SEEN_REFUSED
           : pthread_join(thread, NULL) == 0 ? SEEN_POSSIBLE
                                             : SEEN_OTHER;
}

static enum seen try_accept(void)
{
    int connection = accept(LISTENER, NULL, NULL);
    return seen_of(connection >= 0 ? write(connection, "", 1) : -1);
}

static enum seen try_fork(void)
{
    long result = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (result == 0) {
        _exit(0);
    }
    return seen_of(result);
}

static enum seen try_execute(void)
{
    char *const argv[] = {"true", NULL};
    return seen_of(execv("/bin/true", argv));
}

static enum seen try_signal(void)
{
    return seen_of(kill(getppid(), 0));
}

static enum seen try_executable_memory(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return seen_of(memory == MAP_FAILED ? -1 : 0);
}

static enum seen try_work(void)
{
    size_t size = (size_t)64 << 20;
    char *memory = malloc(size);
    memset(memory, 1, size);
    bool sound = memory[size - 1] == 1 && nd_clock_monotonic_us() > 0 &&
                 write(STDOUT_FILENO, "", 0) == 0;
    free(memory);
    return sound ? SEEN_POSSIBLE : SEEN_OTHER;
}

static enum seen try_inherited(void)
{
    char byte;
    return read(40, &byte, 1) < 0 && errno == EBADF ? SEEN_REFUSED
                                                    : SEEN_POSSIBLE;
}

static enum seen try_memory(void)
{
    return malloc((size_t)512 << 20) == NULL ? SEEN_REFUSED : SEEN_POSSIBLE;
}

static enum seen try_processor(void)
{
    for (volatile uint64_t i = 0; i < UINT64_MAX; i++) {
    }
    return SEEN_POSSIBLE;
}

static const struct {
    const char *name;
    enum seen (*attempt)(void);
} attempts[] = {
    {"open", try_open},
    {"create", try_create},
    {"stat", try_stat},
    {"socket", try_socket},
    {"unix socket", try_unix_socket},
    {"thread", try_thread},
    {"accept", try_accept},
    {"fork", try_fork},
    {"execute", try_execute},
    {"signal", try_signal},
    {"executable memory", try_executable_memory},
    {"work", try_work},
    {"inherited", try_inherited},
    {"memory", try_memory},
    {"processor", try_processor},
};

static int attempt(const char *name)
{
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        if (strcmp(attempts[i].name, name) == 0) {
            return (int)attempts[i].attempt();
        }
    }
    return SEEN_FAILED;
}

/* A listener that somebody has connected to. */
static void make_listener(void)
{
    struct sockaddr_in place = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof place;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    if (listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&place, &length) != 0 ||
        connect(client, (struct sockaddr *)&place, length) != 0 ||
        dup2(listener, LISTENER) != LISTENER) {
        _exit(SEEN_FAILED);
    }
}

/* The server that confines itself. */
static int be_worker(const char *name)
{
    struct nd_error error;
    make_listener();
    if (nd_confine_begin_worker(LISTENER + 1, &error) != ND_OK ||
        nd_confine_lock_worker(&error) != ND_OK) {
        (void)fprintf(stderr, "%s\n", error.text);
        return SEEN_FAILED;
    }
    return attempt(name);
}

/* The process that confines itself. */
static int be_confined(const char *name, long parent)
{
    struct nd_error error;
    if (nd_confine_begin(parent, &error) != ND_OK ||
        nd_confine_limits((uint64_t)256 << 20, 1, 1, &error) != ND_OK ||
        nd_confine_lock(&error) != ND_OK) {
        (void)fprintf(stderr, "%s\n", error.text);
        return SEEN_FAILED;
    }
    return attempt(name);
}

/* ---- the tests ---- */

static int run_as(const char *role, const char *name, long parent)
{
    char number[24];
    (void)snprintf(number, sizeof number, "%ld", parent);
    char *const argv[] = {"test", (char *)(uintptr_t)role,
                          (char *)(uintptr_t)name, number, NULL};
    pid_t process;
    int status;
    assert_int_equal(
        posix_spawn(&process, "/proc/self/exe", NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(process, &status, 0), process);
    return status;
}

static int run(const char *name, long parent)
{
    return run_as("--confined", name, parent);
}

static void assert_worker_sees(const char *name, enum seen expected)
{
    int status = run_as("--worker", name, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

static void assert_refused(const char *name)
{
    int status = run(name, (long)getpid());
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), SEEN_REFUSED);
}

static void no_file_can_be_opened_made_or_looked_at(void **state)
{
    assert_refused("open");
    assert_refused("create");
    assert_refused("stat");
    assert_int_not_equal(access("/tmp/neurald-test-confine", F_OK), 0);
}

static void no_socket_can_be_made(void **state)
{
    assert_refused("socket");
    assert_refused("unix socket");
}

static void no_process_can_be_started_or_signalled(void **state)
{
    assert_refused("fork");
    assert_refused("execute");
    assert_refused("signal");
}

static void no_memory_can_be_made_executable(void **state)
{
    assert_refused("executable memory");
}

static void descriptors_of_the_parent_are_closed(void **state)
{
    int file = open("/dev/null", O_RDONLY);
    assert_int_equal(dup2(file, 40), 40);
    assert_refused("inherited");
    close(40);
    close(file);
}

static void memory_clocks_and_open_pipes_still_work(void **state)
{
    int status = run("work", (long)getpid());
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), SEEN_POSSIBLE);
}

static void threads_can_be_started(void **state)
{
    int status = run("thread", (long)getpid());
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), SEEN_POSSIBLE);
}

static void memory_has_a_limit(void **state)
{
    if (has_shadow_memory()) {
        skip();
    }
    assert_refused("memory");
}

static void processor_time_has_a_limit(void **state)
{
    int status = run("processor", (long)getpid());
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGXCPU);
}

static void a_child_that_lost_its_parent_gives_up(void **state)
{
    int status = run("work", (long)getpid() + 1);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), SEEN_FAILED);
}

static void a_worker_serves_connections_with_threads(void **state)
{
    assert_worker_sees("thread", SEEN_POSSIBLE);
    assert_worker_sees("accept", SEEN_POSSIBLE);
    assert_worker_sees("unix socket", SEEN_POSSIBLE);
    assert_worker_sees("work", SEEN_POSSIBLE);
}

static void a_worker_has_no_other_way_out(void **state)
{
    static const char *const names[] = {
        "open",    "create", "stat",      "socket",           "fork",
        "execute", "signal", "inherited", "executable memory"};
    int file = open("/dev/null", O_RDONLY);
    assert_int_equal(dup2(file, 40), 40);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_worker_sees(names[i], SEEN_REFUSED);
    }
    close(40);
    close(file);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--worker") == 0) {
        _exit(be_worker(argv[2]));
    }
    if (argc == 4 && strcmp(argv[1], "--confined") == 0) {
        /* No leak check: it would need what is forbidden now. */
        _exit(be_confined(argv[2], strtol(argv[3], NULL, 10)));
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_can_be_opened_made_or_looked_at),
        cmocka_unit_test(no_socket_can_be_made),
        cmocka_unit_test(no_process_can_be_started_or_signalled),
        cmocka_unit_test(no_memory_can_be_made_executable),
        cmocka_unit_test(descriptors_of_the_parent_are_closed),
        cmocka_unit_test(memory_clocks_and_open_pipes_still_work),
        cmocka_unit_test(threads_can_be_started),
        cmocka_unit_test(memory_has_a_limit),
        cmocka_unit_test(processor_time_has_a_limit),
        cmocka_unit_test(a_child_that_lost_its_parent_gives_up),
        cmocka_unit_test(a_worker_serves_connections_with_threads),
        cmocka_unit_test(a_worker_has_no_other_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
