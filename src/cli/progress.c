/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress bars. A terminal gets one line that is drawn again at most ten times
 * a second; a file or a pipe gets whole lines, few of them, so that a log stays
 * readable. Never touches standard output.
 */
#include "cli/progress.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define BAR_WIDTH 30
#define REDRAW_US 100000
#define LINE_US 10000000

void nd_progress_init(struct nd_progress *progress, bool quiet)
{
    *progress = (struct nd_progress){.out = quiet ? NULL : stderr};
    progress->terminal = isatty(STDERR_FILENO) == 1;
}

static void draw_bar(const struct nd_progress *progress, const char *detail)
{
    char bar[BAR_WIDTH + 1];
    int filled = (int)(progress->done * BAR_WIDTH);
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', (size_t)filled);
    bar[BAR_WIDTH] = '\0';
    fprintf(progress->out, "\r%-12s [%s] %3d %%  %s\033[K", progress->stage,
            bar, (int)(progress->done * 100), detail ? detail : "");
    fflush(progress->out);
}

void nd_progress_stage(struct nd_progress *progress, const char *stage)
{
    if (progress->open) {
        nd_progress_end(progress, NULL);
    }
    snprintf(progress->stage, sizeof(progress->stage), "%s", stage);
    progress->began_us = nd_clock_monotonic_us();
    progress->shown_us = progress->began_us;
    progress->done = 0;
    progress->open = true;
    if (progress->out != NULL && progress->terminal) {
        draw_bar(progress, NULL);
    }
}

void nd_progress_update(struct nd_progress *progress, double done,
                        const char *detail)
{
    int64_t now = nd_clock_monotonic_us();
    int64_t pause = progress->terminal ? REDRAW_US : LINE_US;
    progress->done = done < 0 ? 0 : done > 1 ? 1 : done;
    if (progress->out == NULL || now - progress->shown_us < pause) {
        return;
    }
    progress->shown_us = now;
    if (progress->terminal) {
        draw_bar(progress, detail);
    } else {
        fprintf(progress->out, "%s: %d %%%s%s\n", progress->stage,
                (int)(progress->done * 100), detail ? ", " : "",
                detail ? detail : "");
    }
}

void nd_progress_end(struct nd_progress *progress, const char *detail)
{
    if (!progress->open) {
        return;
    }
    progress->open = false;
    if (progress->out == NULL) {
        return;
    }
    double seconds =
        (double)(nd_clock_monotonic_us() - progress->began_us) / 1e6;
    fprintf(progress->out, "%s%s: %s%s%.1f s\n",
            progress->terminal ? "\r\033[K" : "", progress->stage,
            detail ? detail : "", detail ? ", " : "", seconds);
}

void nd_progress_break(struct nd_progress *progress)
{
    if (progress->open && progress->out != NULL && progress->terminal) {
        fputs("\r\033[K", progress->out);
        fflush(progress->out);
    }
    progress->open = false;
}
