/* SPDX-License-Identifier: Apache-2.0
 *
 * The trainer child reads what strangers' mail was turned into, and the
 * milter's worker that mail itself, so they work without a way out: an
 * allow-list of system calls (seccomp), Landlock where the kernel has it,
 * limits on memory and processor. Calls outside the list fail instead of
 * killing, since C libraries differ in what they try first. Wall-clock limits
 * are the parent's (trainer.c).
 */
#include "learn/confine.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* AddressSanitizer and ThreadSanitizer reserve terabytes of address space. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_IS_SHADOWED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define MEMORY_IS_SHADOWED true
#endif
#endif
#ifndef MEMORY_IS_SHADOWED
#define MEMORY_IS_SHADOWED false
#endif

enum nd_status nd_confine_begin_worker(int first_closed, struct nd_error *error)
{
    struct rlimit none = {0, 0};
    if (prctl(PR_SET_DUMPABLE, 0) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        setrlimit(RLIMIT_CORE, &none) != 0) {
        return nd_fail_errno(error, "the process cannot confine itself");
    }
    (void)close_range((unsigned)first_closed, ~0U, 0);
    return ND_OK;
}

enum nd_status nd_confine_begin(long parent, struct nd_error *error)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        return nd_fail_errno(error, "the trainer child cannot confine itself");
    }
    if (parent != 0 && getppid() != parent) {
        return nd_fail(error, ND_CANCELLED, "the trainer is gone");
    }
    return nd_confine_begin_worker(STDERR_FILENO + 1, error);
}

/* A name and a number, so that there are few parameters. */
struct wanted_limit {
    __rlimit_resource_t resource;
    const char *name;
    uint64_t soft, hard;
};

static enum nd_status set_limit(const struct wanted_limit *wanted,
                                struct nd_error *error)
{
    struct rlimit limit;
    if (getrlimit(wanted->resource, &limit) != 0) {
        return nd_fail_errno(error, "the limit of %s is unknown", wanted->name);
    }
    /* The administrator's own limit may be tighter. */
    rlim_t hard = limit.rlim_max < wanted->hard ? limit.rlim_max : wanted->hard;
    rlim_t soft = hard < wanted->soft ? hard : wanted->soft;
    limit = (struct rlimit){.rlim_cur = soft, .rlim_max = hard};
    if (setrlimit(wanted->resource, &limit) != 0) {
        return nd_fail_errno(error, "the limit of %s cannot be set",
                             wanted->name);
    }
    return ND_OK;
}

enum nd_status nd_confine_limits(uint64_t memory_bytes, uint64_t cpu_seconds,
                                 int nice, struct nd_error *error)
{
    enum nd_status status = ND_OK;
    if (nice != 0) {
        int now = getpriority(PRIO_PROCESS, 0);
        (void)setpriority(PRIO_PROCESS, 0, now + nice); /* a favour, no limit */
    }
    if (memory_bytes != 0 && !MEMORY_IS_SHADOWED) {
        struct wanted_limit memory = {RLIMIT_DATA, "memory", memory_bytes,
                                      memory_bytes};
        status = set_limit(&memory, error);
    }
    if (status == ND_OK && cpu_seconds != 0) {
        /* SIGXCPU first, which tells the parent what happened. */
        struct wanted_limit processor = {RLIMIT_CPU, "processor time",
                                         cpu_seconds, cpu_seconds + 2};
        status = set_limit(&processor, error);
    }
    return status;
}

/* The structure of kernel 6.12, which Debian 12's header does not know whole;
 * an older kernel is given as much of it as it understands. */
struct ruleset {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

/* What a version of Landlock can deny (the kernel's landlock.rst). */
static size_t ruleset_of_version(long version, struct ruleset *ruleset)
{
    unsigned rights = version >= 5   ? 16
                      : version >= 3 ? 15
                      : version >= 2 ? 14
                                     : 13;
    *ruleset =
        (struct ruleset){.handled_access_fs = (UINT64_C(1) << rights) - 1};
    if (version >= 6) {
        ruleset->handled_access_net = 3; /* bind, connect */
        ruleset->scoped = 3;             /* abstract sockets, signals */
        return sizeof *ruleset;
    }
    if (version >= 4) {
        ruleset->handled_access_net = 3;
        return offsetof(struct ruleset, scoped);
    }
    return offsetof(struct ruleset, handled_access_net);
}

/* Denies all that can be denied. A kernel without Landlock is no failure: the
 * filter of system calls already holds. */
static void deny_files(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
                           LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) {
        return;
    }
    struct ruleset ruleset;
    size_t size = ruleset_of_version(version, &ruleset);
    long descriptor = syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
    if (descriptor >= 0) {
        (void)syscall(SYS_landlock_restrict_self, descriptor, 0);
        (void)close((int)descriptor);
    }
}

/* Reading, writing, memory, time, the end; and what the C library, abort() and
 * sanitizers need to report. */
static const int allowed_calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(lseek),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(nanosleep),
    SCMP_SYS(sched_yield),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(tgkill),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrusage),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(sched_getaffinity),
};

/* What libmilter and the link need beside that. */
static const int server_calls[] = {
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(listen),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockopt),
    SCMP_SYS(fcntl),
    SCMP_SYS(dup3),
    SCMP_SYS(pipe),
    SCMP_SYS(pipe2),
    SCMP_SYS(rt_sigtimedwait),
};

static int allow_list(scmp_filter_ctx filter, const int *calls, size_t count)
{
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    }
    return result;
}

/* Memory, but none that can be executed. */
static int allow_memory(scmp_filter_ctx filter)
{
    int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (result == 0) {
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    }
    return result;
}

/* Threads, no processes. The flags of clone3 lie in memory, where a filter
 * cannot see them: the C library falls back to clone where there is none. */
static int allow_threads(scmp_filter_ctx filter)
{
    const scmp_datum_t thread = CLONE_THREAD | CLONE_VM;
    int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));
    if (result == 0) {
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
                                  SCMP_SYS(clone3), 0);
    }
    return result;
}

static int add_rules(scmp_filter_ctx filter, bool is_server)
{
    int result = allow_list(filter, allowed_calls,
                            sizeof allowed_calls / sizeof allowed_calls[0]);
    if (result == 0) {
        result = allow_memory(filter);
    }
    if (result == 0) {
        result = allow_threads(filter);
    }
    if (result == 0 && is_server) {
        result = allow_list(filter, server_calls,
                            sizeof server_calls / sizeof server_calls[0]);
    }
    if (result == 0 && is_server) {
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair),
                                  1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
    }
    return result;
}

static enum nd_status lock(bool is_server, struct nd_error *error)
{
    deny_files();
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL) {
        return nd_fail(error, ND_OS, "no filter of system calls can be made");
    }
    int result = add_rules(filter, is_server);
    if (result == 0) {
        result = seccomp_load(filter);
    }
    seccomp_release(filter);
    if (result != 0) {
        errno = -result;
        (void)nd_fail_errno(error,
                            "the kernel does not filter system calls (seccomp),"
                            " which this process needs");
        return ND_OS;
    }
    return ND_OK;
}

enum nd_status nd_confine_lock(struct nd_error *error)
{
    return lock(false, error);
}

enum nd_status nd_confine_lock_worker(struct nd_error *error)
{
    return lock(true, error);
}
