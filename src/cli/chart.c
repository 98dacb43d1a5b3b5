/* SPDX-License-Identifier: Apache-2.0
 *
 * Draws charts as SVG. Knows pixels and axes, nothing of what is drawn.
 */
#include "cli/chart.h"

#include <math.h>
#include <string.h>

#define WIDTH 520.0
#define HEIGHT 340.0
#define LEFT 62.0
#define RIGHT 14.0
#define TOP 12.0
#define BOTTOM 46.0

/* Place of value on the axis, 0 to 1. */
static double place(const struct nd_axis *axis, double value)
{
    double low = axis->low, high = axis->high;
    value = fmin(fmax(value, low), high);
    switch (axis->scale) {
    case ND_SCALE_LOG:
        return log(value / low) / log(high / low);
    case ND_SCALE_ROOT:
        return sqrt((value - low) / (high - low));
    case ND_SCALE_LINEAR:
        break;
    }
    return (value - low) / (high - low);
}

static double x_of(const struct nd_chart *chart, double x)
{
    return LEFT + place(&chart->x, x) * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct nd_chart *chart, double y)
{
    return HEIGHT - BOTTOM - place(&chart->y, y) * (HEIGHT - TOP - BOTTOM);
}

static double next_tick(const struct nd_axis *axis, double tick)
{
    return axis->scale == ND_SCALE_LOG ? tick * 10 : tick + axis->step;
}

/* A hair beyond the end, since steps add up with a rounding error. */
static bool within(const struct nd_axis *axis, double tick)
{
    return tick <= axis->high + 1e-9 * fabs(axis->high - axis->low);
}

static void draw_x_ticks(struct nd_chart *chart)
{
    double bottom = HEIGHT - BOTTOM;
    double tick = chart->x.low;
    while (within(&chart->x, tick)) {
        double x = x_of(chart, tick);
        nd_buffer_printf(chart->html,
                         "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" "
                         "x2=\"%.1f\" y2=\"%.1f\"/>"
                         "<text x=\"%.1f\" y=\"%.1f\" "
                         "text-anchor=\"middle\">%g</text>\n",
                         x, TOP, x, bottom, x, bottom + 16,
                         fabs(tick) < 1e-12 ? 0.0 : tick);
        tick = next_tick(&chart->x, tick);
    }
    nd_buffer_printf(chart->html,
                     "<text x=\"%.1f\" y=\"%.1f\" "
                     "text-anchor=\"middle\">%s</text>\n",
                     (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, chart->x.title);
}

static void draw_y_ticks(struct nd_chart *chart)
{
    double tick = chart->y.low;
    while (within(&chart->y, tick)) {
        double y = y_of(chart, tick);
        nd_buffer_printf(chart->html,
                         "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" "
                         "x2=\"%.1f\" y2=\"%.1f\"/>"
                         "<text x=\"%.1f\" y=\"%.1f\" "
                         "text-anchor=\"end\">%g</text>\n",
                         LEFT, y, WIDTH - RIGHT, y, LEFT - 6, y + 4,
                         fabs(tick) < 1e-12 ? 0.0 : tick);
        tick = next_tick(&chart->y, tick);
    }
    nd_buffer_printf(chart->html,
                     "<text transform=\"translate(14 %.1f) rotate(-90)\" "
                     "text-anchor=\"middle\">%s</text>\n",
                     (TOP + HEIGHT - BOTTOM) / 2, chart->y.title);
}

void nd_chart_begin(struct nd_chart *chart, const char *caption)
{
    nd_buffer_printf(chart->html,
                     "<figure><figcaption>%s</figcaption>\n"
                     "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n",
                     caption, WIDTH, HEIGHT);
    draw_x_ticks(chart);
    draw_y_ticks(chart);
}

void nd_chart_end(struct nd_chart *chart)
{
    nd_buffer_append_text(chart->html, "</svg></figure>\n");
}

void nd_chart_line_begin(struct nd_chart *chart, const char *css)
{
    nd_buffer_printf(chart->html, "<polyline class=\"line %s\" points=\"", css);
}

void nd_chart_line_point(struct nd_chart *chart, double x, double y)
{
    nd_buffer_printf(chart->html, "%.1f,%.1f ", x_of(chart, x), y_of(chart, y));
}

void nd_chart_line_end(struct nd_chart *chart)
{
    nd_buffer_append_text(chart->html, "\"/>\n");
}

void nd_chart_rule(struct nd_chart *chart, const double from[2],
                   const double to[2], const char *css)
{
    nd_chart_line_begin(chart, css);
    nd_chart_line_point(chart, from[0], from[1]);
    nd_chart_line_point(chart, to[0], to[1]);
    nd_chart_line_end(chart);
}

void nd_chart_bar(struct nd_chart *chart, double left, double right, double y,
                  const char *css)
{
    double x = x_of(chart, left);
    double top = y_of(chart, y);
    nd_buffer_printf(chart->html,
                     "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                     "height=\"%.1f\"/>\n",
                     css, x, top, x_of(chart, right) - x,
                     HEIGHT - BOTTOM - top);
}

void nd_chart_dot(struct nd_chart *chart, double x, double y, const char *css,
                  const char *title)
{
    nd_buffer_printf(chart->html,
                     "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\">"
                     "<title>%s</title></circle>\n",
                     css, x_of(chart, x), y_of(chart, y),
                     title != NULL ? title : "");
}

void nd_chart_words(struct nd_chart *chart, double x, double y,
                    const char *align, const char *words)
{
    nd_buffer_printf(chart->html,
                     "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s"
                     "</text>\n",
                     x_of(chart, x), y_of(chart, y), align, words);
}
