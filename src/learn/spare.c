/* SPDX-License-Identifier: Apache-2.0
 *
 * A low priority is not enough to stay out of the way: the kernel lets a
 * process that runs finish its slice of some milliseconds before one that
 * wakes up, whatever their weights, but takes the processor from SCHED_IDLE at
 * once. The price is that such a process starves where others are always
 * busy, so it is looked at, and competes meanwhile.
 */
#include "learn/spare.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define SPARE_US INT64_C(500000)
#define COMPETE_US INT64_C(10000000)
#define LEAST_NICE 19

static bool is_allowed;

void nd_spare_allow(void)
{
    is_allowed = true;
}

uint32_t nd_spare_threads(void)
{
    cpu_set_t processors;
    if (is_allowed || sched_getaffinity(0, sizeof processors, &processors) != 0)
        return 1;
    int count = CPU_COUNT(&processors);
    return count > 1 ? (uint32_t)count : 1;
}

static bool has_capability(int capability)
{
    struct __user_cap_header_struct header = {.version =
                                                  _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return syscall(SYS_capget, &header, data) == 0 &&
           (data[CAP_TO_INDEX(capability)].effective &
            CAP_TO_MASK(capability)) != 0;
}

/* Whether a child of ours may leave SCHED_IDLE (sched(7)). */
static bool may_return(int nice)
{
    struct rlimit limit;
    int value = getpriority(PRIO_PROCESS, 0) + nice;
    value = value > LEAST_NICE ? LEAST_NICE : value;
    return has_capability(CAP_SYS_NICE) ||
           (getrlimit(RLIMIT_NICE, &limit) == 0 &&
            limit.rlim_cur >= (rlim_t)(20 - value));
}

static bool set_policy(const struct nd_spare *spare, int policy)
{
    const struct sched_param none = {.sched_priority = 0};
    return sched_setscheduler(spare->process, policy, &none) == 0;
}

static int64_t time_used_us(const struct nd_spare *spare)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(spare->process, &clock) != 0 ||
        clock_gettime(clock, &used) != 0) {
        return spare->used_us;
    }
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static void look_from_now(struct nd_spare *spare)
{
    spare->since_us = nd_clock_monotonic_us();
    spare->used_us = time_used_us(spare);
}

void nd_spare_begin(pid_t process, double share, int nice,
                    struct nd_spare *spare_r)
{
    struct nd_spare spare = {.process = process, .share = share};
    bool wanted = is_allowed && share < 1 && (share <= 0 || may_return(nice));
    if (!wanted || !set_policy(&spare, SCHED_IDLE)) {
        spare.process = 0;
    } else {
        look_from_now(&spare);
    }
    *spare_r = spare;
}

void nd_spare_look(struct nd_spare *spare)
{
    if (spare->process == 0) {
        return;
    }
    int64_t passed_us = nd_clock_monotonic_us() - spare->since_us;
    if (passed_us < (spare->competes ? COMPETE_US : SPARE_US)) {
        return;
    }
    int64_t got_us = time_used_us(spare) - spare->used_us;
    bool starves = (double)got_us < spare->share * (double)passed_us;
    if (!spare->competes && starves) {
        spare->competes = set_policy(spare, SCHED_OTHER);
        nd_log(ND_LOG_DEBUG,
               "the trainer got %.1f %% of a processor and competes for 10 s",
               100 * (double)got_us / (double)passed_us);
    } else if (spare->competes) {
        spare->competes = !set_policy(spare, SCHED_IDLE);
    }
    look_from_now(spare);
}
