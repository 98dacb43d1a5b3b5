/* SPDX-License-Identifier: Apache-2.0
 *
 * Charts as SVG inside an HTML page: a frame with axes, and lines, bars and
 * points in the axes' units. Colours are the page's CSS classes.
 */
#ifndef ND_CLI_CHART_H
#define ND_CLI_CHART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

enum nd_scale {
    ND_SCALE_LINEAR,
    ND_SCALE_LOG,  /* decades; low must be above 0 */
    ND_SCALE_ROOT, /* square root, for counts */
};

struct nd_axis {
    const char *title;
    double low, high;
    enum nd_scale scale;
    double step; /* between ticks; a log axis has one a decade */
};

struct nd_chart {
    struct nd_buffer *html;
    struct nd_axis x, y;
};

/* caption is HTML. */
void nd_chart_begin(struct nd_chart *chart, const char *caption);
void nd_chart_end(struct nd_chart *chart);

/* A line through points; values outside the axes are drawn at their ends. */
void nd_chart_line_begin(struct nd_chart *chart, const char *css);
void nd_chart_line_point(struct nd_chart *chart, double x, double y);
void nd_chart_line_end(struct nd_chart *chart);

/* One straight line between two points. */
void nd_chart_rule(struct nd_chart *chart, const double from[2],
                   const double to[2], const char *css);
/* A bar from the x axis up to y. */
void nd_chart_bar(struct nd_chart *chart, double left, double right, double y,
                  const char *css);
/* A dot; title (plain text, may be NULL) is what a browser shows on it. */
void nd_chart_dot(struct nd_chart *chart, double x, double y, const char *css,
                  const char *title);
/* A few words at a point; align is "start", "middle" or "end". */
void nd_chart_words(struct nd_chart *chart, double x, double y,
                    const char *align, const char *words);

#endif
