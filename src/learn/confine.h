/* SPDX-License-Identifier: Apache-2.0
 *
 * Confinement: what the trainer's child gives up before it reads a sample, and
 * the milter's worker before it reads mail. docs/learning.md and docs/milter.md
 * say the same to administrators.
 */
#ifndef ND_LEARN_CONFINE_H
#define ND_LEARN_CONFINE_H

#include <stdint.h>

#include "base/status.h"

/* First thing in the child: dies with its parent (parent is the process id
 * that it was told; another one now means that it died already: ND_CANCELLED),
 * can gain no privilege, leaves no core file, keeps no descriptor but standard
 * input, output and error. */
enum nd_status nd_confine_begin(long parent,
                                struct nd_error *error) ND_MUST_CHECK;

/* The same for a worker that ends by itself when its parent does: it keeps the
 * descriptors below first_closed. */
enum nd_status nd_confine_begin_worker(int first_closed,
                                       struct nd_error *error) ND_MUST_CHECK;

/* Limits of memory (data and heap) and processor time; 0: none. nice is added
 * to the process's own. */
enum nd_status nd_confine_limits(uint64_t memory_bytes, uint64_t cpu_seconds,
                                 int nice,
                                 struct nd_error *error) ND_MUST_CHECK;

/* Closes the door: from here on no file can be opened, no socket made, no
 * process started, no program run, no memory made executable; only the
 * descriptors that are open, memory, clocks, threads of the same kind and the
 * end are left (an allow-list of system calls; others fail with EPERM).
 * Landlock, where the kernel has it, denies every file and TCP port a second
 * time. ND_OS where the kernel cannot filter system calls. Before any thread is
 * started; for good. */
enum nd_status nd_confine_lock(struct nd_error *error) ND_MUST_CHECK;

/* The same for a server with threads: beside that, connections of sockets that
 * are open are accepted and used, and unix sockets are made in pairs, which
 * lead nowhere else. */
enum nd_status nd_confine_lock_worker(struct nd_error *error) ND_MUST_CHECK;

#endif
