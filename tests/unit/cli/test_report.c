/* SPDX-License-Identifier: Apache-2.0
 *
 * The report's escaping and charts. The whole page is tested with the program
 * (tests/system).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/chart.h"
#include "cli/report.h"

static void expect_text(const char *text, const char *wanted)
{
    struct nd_buffer html = {0};
    nd_buffer_append_text(&html, "");
    nd_html_text(&html, text, strlen(text));
    assert_string_equal((char *)html.data, wanted);
    nd_buffer_free(&html);
}

static void markup_is_shown_not_run(void **state)
{
    (void)state;
    expect_text("<script>alert('1')</script>",
                "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;");
    expect_text("a & b \"c\"", "a &amp; b &quot;c&quot;");
    expect_text("\xc3\xa9", "\xc3\xa9");
}

static void bytes_that_are_no_text_are_replaced(void **state)
{
    (void)state;
    expect_text("a\xff"
                "b",
                "a\xef\xbf\xbd"
                "b");
    expect_text("\x1b[0m", "\xef\xbf\xbd[0m");
    expect_text("\xc2\x85", "\xef\xbf\xbd");
    expect_text("cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd");
}

/* The first and the last point of a drawn line. */
static void line_of(struct nd_chart *chart, double from[2], double to[2])
{
    nd_chart_line_begin(chart, "main");
    nd_chart_line_point(chart, chart->x.low, chart->y.low);
    nd_chart_line_point(chart, chart->x.high, chart->y.high);
    nd_chart_line_end(chart);
    const char *points =
        strstr((char *)chart->html->data, "points=\"") + strlen("points=\"");
    assert_int_equal(
        sscanf(points, "%lf,%lf %lf,%lf", &from[0], &from[1], &to[0], &to[1]),
        4);
}

static void axes_run_right_and_up(void **state)
{
    static const enum nd_scale scales[] = {ND_SCALE_LINEAR, ND_SCALE_LOG,
                                           ND_SCALE_ROOT};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct nd_buffer html = {0};
        double low = scales[i] == ND_SCALE_LOG ? 1e-4 : 0;
        struct nd_chart chart = {.html = &html,
                                 .x = {"x", low, 1, scales[i], 0.2},
                                 .y = {"y", low, 1, scales[i], 0.2}};
        double from[2], to[2];
        line_of(&chart, from, to);
        assert_true(to[0] > from[0]);
        assert_true(to[1] < from[1]);
        nd_buffer_free(&html);
    }
}

static void a_log_axis_gives_decades_equal_room(void **state)
{
    struct nd_buffer html = {0};
    struct nd_chart chart = {.html = &html,
                             .x = {"x", 0.01, 1, ND_SCALE_LOG, 0},
                             .y = {"y", 0, 1, ND_SCALE_LINEAR, 0.5}};
    double x[3], y;
    (void)state;
    nd_chart_line_begin(&chart, "main");
    nd_chart_line_point(&chart, 0.01, 0);
    nd_chart_line_point(&chart, 0.1, 0);
    nd_chart_line_point(&chart, 1, 0);
    nd_chart_line_end(&chart);
    const char *points = strstr((char *)html.data, "points=\"");
    assert_int_equal(sscanf(points, "points=\"%lf,%lf %lf,%lf %lf", &x[0], &y,
                            &x[1], &y, &x[2]),
                     5);
    assert_true(fabs((x[1] - x[0]) - (x[2] - x[1])) < 0.2);
    nd_buffer_free(&html);
}

static void values_outside_stay_on_the_chart(void **state)
{
    struct nd_buffer html = {0};
    struct nd_chart chart = {.html = &html,
                             .x = {"x", 0.01, 1, ND_SCALE_LOG, 0},
                             .y = {"y", 0, 1, ND_SCALE_LINEAR, 0.5}};
    (void)state;
    nd_chart_dot(&chart, 0, -5, "main", NULL);
    nd_chart_dot(&chart, 99, 5, "main", "t");
    assert_null(strstr((char *)html.data, "nan"));
    assert_null(strstr((char *)html.data, "inf"));
    assert_null(strstr((char *)html.data, "\"-"));
    nd_buffer_free(&html);
}

static void ticks_cover_the_axis(void **state)
{
    struct nd_buffer html = {0};
    struct nd_chart chart = {.html = &html,
                             .x = {"x", 1e-4, 1, ND_SCALE_LOG, 0},
                             .y = {"y", 0, 1, ND_SCALE_LINEAR, 0.2}};
    static const char *const ticks[] = {">0.0001<", ">0.001<", ">0.01<",
                                        ">0.1<",    ">1<",     ">0<",
                                        ">0.2<",    ">0.8<"};
    (void)state;
    nd_chart_begin(&chart, "caption");
    nd_chart_end(&chart);
    for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
        if (strstr((char *)html.data, ticks[i]) == NULL) {
            fail_msg("no tick %s", ticks[i]);
        }
    }
    nd_buffer_free(&html);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markup_is_shown_not_run),
        cmocka_unit_test(bytes_that_are_no_text_are_replaced),
        cmocka_unit_test(axes_run_right_and_up),
        cmocka_unit_test(a_log_axis_gives_decades_equal_room),
        cmocka_unit_test(values_outside_stay_on_the_chart),
        cmocka_unit_test(ticks_cover_the_axis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
