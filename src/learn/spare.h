/* SPDX-License-Identifier: Apache-2.0
 *
 * A process that lives on the processor time that nobody else wants (Linux's
 * SCHED_IDLE), so that it delays nobody, and that competes for a while where
 * that is too little to get on.
 */
#ifndef ND_LEARN_SPARE_H
#define ND_LEARN_SPARE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct nd_spare {
    pid_t process; /* 0: left as it is */
    double share;  /* of one processor, below which it competes */
    bool competes;
    int64_t since_us, used_us; /* of this look: monotonic, processor time */
};

/* For programs in which trainings run beside what is urgent: from here on
 * nd_spare_begin does something. Not thread-safe: call it before trainings. */
void nd_spare_allow(void);

/* How many threads a training may use: one where trainings run beside what is
 * urgent, else as many as there are processors for this program. */
uint32_t nd_spare_threads(void);

/* Gives the process spare time only. Leaves it as it is where the program did
 * not allow it, share is 1, or the kernel would not let it compete again with
 * its nice value (nice beyond ours; RLIMIT_NICE, CAP_SYS_NICE) and share is not
 * 0, which says that it never has to. */
void nd_spare_begin(pid_t process, double share, int nice,
                    struct nd_spare *spare_r);

/* To be called some times a second while the process has work: lets it compete
 * for 10 s when half a second of spare time was less than its share. */
void nd_spare_look(struct nd_spare *spare);

#endif
