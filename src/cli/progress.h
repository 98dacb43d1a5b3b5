/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress of long work on standard error: a bar on a terminal, else a plain
 * line when a stage ends and every ten seconds before.
 */
#ifndef ND_CLI_PROGRESS_H
#define ND_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* One stage at a time. Set up by nd_progress_init; holds no memory. */
struct nd_progress {
    FILE *out; /* NULL: quiet */
    bool terminal;
    char stage[64];
    int64_t began_us, shown_us;
    double done;
    bool open; /* a stage is under way */
};

/* quiet: nothing is written. */
void nd_progress_init(struct nd_progress *progress, bool quiet);
/* Ends the stage before, if any, and starts one ("reading", "training"). */
void nd_progress_stage(struct nd_progress *progress, const char *stage);
/* done from 0 to 1; detail (may be NULL) is a few words behind the bar. */
void nd_progress_update(struct nd_progress *progress, double done,
                        const char *detail);
/* Ends the stage. detail as above ("4606 messages"). */
void nd_progress_end(struct nd_progress *progress, const char *detail);
/* Takes an unfinished bar off the terminal, before an error is printed. */
void nd_progress_break(struct nd_progress *progress);

#endif
