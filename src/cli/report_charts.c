/* SPDX-License-Identifier: Apache-2.0
 *
 * The charts of the report: ROC curve, whole and near its left edge, where a
 * mail filter works; histogram of scores; calibration.
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cli/chart.h"
#include "cli/report.h"
#include "nn/metrics.h"

/* ---- ROC ---- */

static size_t find_roc(const struct nd_eval_result *result,
                       struct nd_roc_point **points_r)
{
    double *scores = nd_calloc(result->test, sizeof(*scores));
    uint8_t *labels = nd_calloc(result->test, sizeof(*labels));
    for (size_t i = 0; i < result->test; i++) {
        scores[i] = result->outcomes[i].log_odds;
        labels[i] = result->outcomes[i].label;
    }
    size_t count = nd_roc(scores, labels, result->test, points_r);
    free(scores);
    free(labels);
    return count;
}

static void draw_roc(struct nd_buffer *html, const struct nd_roc_point *points,
                     size_t count, bool zoom)
{
    struct nd_chart chart = {
        .html = html,
        .x = {"share of ham lost (false-positive rate)", 0, 1, ND_SCALE_LINEAR,
              0.2},
        .y = {"share of spam caught (recall)", 0, 1, ND_SCALE_LINEAR, 0.2}};
    if (zoom) {
        chart.x.low = 1e-4;
        chart.x.scale = ND_SCALE_LOG;
    }
    nd_chart_begin(&chart, zoom ? "ROC curve, false-positive rate on a "
                                  "logarithmic axis"
                                : "ROC curve");
    if (!zoom) {
        nd_chart_rule(&chart, (double[]){0, 0}, (double[]){1, 1}, "faint");
    }
    nd_chart_line_begin(&chart, "main");
    for (size_t i = 0; i < count; i++) {
        nd_chart_line_point(&chart, points[i].fpr, points[i].recall);
    }
    nd_chart_line_end(&chart);
    nd_chart_end(&chart);
}

void nd_report_roc(struct nd_buffer *html, const struct nd_eval_result *result)
{
    struct nd_roc_point *points = NULL;
    if (result->test_spam == 0 || result->test_spam == result->test) {
        nd_buffer_append_text(
            html, "<p>No ROC curve: the test part has one class only.</p>\n");
        return;
    }
    size_t count = find_roc(result, &points);
    draw_roc(html, points, count, false);
    draw_roc(html, points, count, true);
    free(points);
}

/* ---- histogram ---- */

#define BINS 40
#define LIMIT 12.0 /* log-odds shown */

static double calibrated_log_odds(double probability)
{
    double inside = fmin(fmax(probability, 1e-7), 1 - 1e-7);
    return log(inside / (1 - inside));
}

struct bins {
    size_t count[2][BINS];
    size_t highest;
};

static void fill_bins(const struct nd_eval_result *result, struct bins *bins)
{
    *bins = (struct bins){.highest = 1};
    for (size_t i = 0; i < result->test; i++) {
        const struct nd_eval_outcome *outcome = &result->outcomes[i];
        double place =
            (calibrated_log_odds(outcome->probability) + LIMIT) / (2 * LIMIT);
        int bin = (int)(fmin(fmax(place, 0), 1) * BINS);
        bin = bin < BINS ? bin : BINS - 1;
        size_t count = ++bins->count[outcome->label][bin];
        bins->highest = count > bins->highest ? count : bins->highest;
    }
}

/* 1, 2 or 5 times a power of ten, about a fifth of high. */
static double tick_step(double high)
{
    double rough = high / 5;
    double power = pow(10, floor(log10(rough)));
    double lead = rough / power;
    double step = power * (lead < 1.5   ? 1
                           : lead < 3.5 ? 2
                           : lead < 7.5 ? 5
                                        : 10);
    return step < 1 ? 1 : step;
}

static void draw_threshold(struct nd_chart *chart, double probability,
                           bool spam)
{
    double x = calibrated_log_odds(probability);
    nd_chart_rule(chart, (double[]){x, chart->y.low},
                  (double[]){x, chart->y.high}, "threshold");
    nd_chart_words(chart, x, chart->y.high * 0.97, spam ? "start" : "end",
                   spam ? "&#160;spam &#8594;" : "&#8592; ham&#160;");
}

void nd_report_histogram(struct nd_buffer *html,
                         const struct nd_eval_result *result)
{
    struct bins bins;
    fill_bins(result, &bins);
    struct nd_chart chart = {
        .html = html,
        .x = {"calibrated log-odds of spam", -LIMIT, LIMIT, ND_SCALE_LINEAR, 4},
        .y = {"messages", 0, 1.1 * (double)bins.highest, ND_SCALE_ROOT,
              tick_step((double)bins.highest)}};
    nd_chart_begin(&chart,
                   "Scores of <span class=\"ham\">ham</span> and "
                   "<span class=\"spam\">spam</span>; between the dashed "
                   "lines the verdict is <em>unsure</em>");
    for (int label = 0; label < 2; label++) {
        for (int i = 0; i < BINS; i++) {
            double left = -LIMIT + 2 * LIMIT * i / BINS;
            if (bins.count[label][i] > 0) {
                nd_chart_bar(&chart, left, left + 2 * LIMIT / BINS,
                             (double)bins.count[label][i],
                             label == ND_SPAM ? "spam" : "ham");
            }
        }
    }
    const struct nd_calibration *calibration =
        &result->live->model->calibration;
    draw_threshold(&chart, calibration->spam_threshold, true);
    draw_threshold(&chart, calibration->ham_threshold, false);
    nd_chart_end(&chart);
}

/* ---- calibration ---- */

#define GROUPS 10

struct group {
    size_t count, spam;
    double sum; /* of probabilities */
};

static void draw_group(struct nd_chart *chart, const struct group *group)
{
    double low, high;
    char title[96];
    double mean = group->sum / (double)group->count;
    double share = (double)group->spam / (double)group->count;
    nd_wilson(group->spam, group->count, 1.96, &low, &high);
    snprintf(title, sizeof(title),
             "%zu messages: mean probability %.3f, %.3f are spam", group->count,
             mean, share);
    nd_chart_rule(chart, (double[]){mean, low}, (double[]){mean, high},
                  "faint");
    nd_chart_dot(chart, mean, share, "main", title);
}

void nd_report_calibration(struct nd_buffer *html,
                           const struct nd_eval_result *result)
{
    struct group groups[GROUPS] = {0};
    for (size_t i = 0; i < result->test; i++) {
        const struct nd_eval_outcome *outcome = &result->outcomes[i];
        int index = (int)(outcome->probability * GROUPS);
        struct group *group = &groups[index < GROUPS ? index : GROUPS - 1];
        group->count++;
        group->spam += outcome->label == ND_SPAM;
        group->sum += outcome->probability;
    }
    struct nd_chart chart = {
        .html = html,
        .x = {"probability that was given", 0, 1, ND_SCALE_LINEAR, 0.2},
        .y = {"share that is spam", 0, 1, ND_SCALE_LINEAR, 0.2}};
    nd_chart_begin(&chart,
                   "Calibration: ten groups by probability, with 95 % "
                   "intervals; on the diagonal a probability means what it "
                   "says");
    nd_chart_rule(&chart, (double[]){0, 0}, (double[]){1, 1}, "faint");
    for (int i = 0; i < GROUPS; i++) {
        if (groups[i].count > 0) {
            draw_group(&chart, &groups[i]);
        }
    }
    nd_chart_end(&chart);
}
