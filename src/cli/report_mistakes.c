/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages that were judged worst, read once more to say why. Subjects and
 * the names of features are the sender's words: each is escaped and kept apart
 * from the text around it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/reading.h"
#include "cli/report.h"
#include "learn/reasons.h"

#define SHOWN 12
#define REASONS 8

static int lowest_first(const void *left, const void *right)
{
    double a = (*(const struct nd_eval_outcome *const *)left)->log_odds;
    double b = (*(const struct nd_eval_outcome *const *)right)->log_odds;
    return (a > b) - (a < b);
}

static int highest_first(const void *left, const void *right)
{
    return lowest_first(right, left);
}

/* The outcomes of one class, the worst first; the caller frees the array. */
static const struct nd_eval_outcome **worst_of(
    const struct nd_eval_result *result, uint8_t label, size_t *count_r)
{
    const struct nd_eval_outcome **worst =
        nd_calloc(result->test, sizeof(*worst));
    size_t count = 0;
    for (size_t i = 0; i < result->test; i++) {
        if (result->outcomes[i].label == label) {
            worst[count++] = &result->outcomes[i];
        }
    }
    if (count > 0) {
        qsort(worst, count, sizeof(*worst),
              label == ND_SPAM ? lowest_first : highest_first);
    }
    *count_r = count;
    return worst;
}

static void append_isolated(struct nd_buffer *html, const char *text,
                            size_t length)
{
    nd_buffer_append_text(html, "<bdi>");
    nd_html_text(html, text, length);
    nd_buffer_append_text(html, "</bdi>");
}

static void append_reasons(struct nd_buffer *html,
                           const struct nd_report_input *input,
                           const struct nd_item *item)
{
    const struct nd_live *live = input->result->live;
    struct nd_extract_options options = {.families = input->plan->families,
                                         .flags = ND_EXTRACT_NAMES};
    struct nd_features features;
    struct nd_slotted slotted;
    size_t count;
    nd_features_extract(&item->message, item->scan, &input->result->key,
                        &options, item->arena, &features);
    nd_features_resolve(&features, live->names, item->arena, &slotted, NULL);
    const struct nd_reason *reasons =
        nd_live_reasons(live, &features, &slotted, item->arena, &count);
    count = count < REASONS ? count : REASONS;
    for (size_t i = 0; i < count; i++) {
        nd_buffer_printf(html, "<span class=\"%s\">%+.2f</span>&#160;",
                         reasons[i].change > 0 ? "spam" : "ham",
                         reasons[i].change);
        append_isolated(html, reasons[i].name, strlen(reasons[i].name));
        nd_buffer_append_text(html, i + 1 < count ? "; " : "");
    }
}

/* A message inside an mbox cannot be opened by its path; it keeps its row. */
static void append_details(struct nd_cli *cli, struct nd_buffer *html,
                           const struct nd_report_input *input,
                           const char *path)
{
    struct nd_reading *reading = NULL;
    struct nd_item item;
    if (nd_reading_open(cli, &path, 1, input->scans, &reading) == ND_OK &&
        nd_reading_next(reading, &item) == ND_OK) {
        append_isolated(html, item.message.subject.data,
                        item.message.subject.length);
        nd_buffer_append_text(html, "</td><td>");
        append_reasons(html, input, &item);
    } else {
        nd_buffer_append_text(html, "</td><td>");
    }
    nd_reading_close(&reading);
    cli->error.text[0] = '\0';
}

static void append_row(struct nd_cli *cli, struct nd_buffer *html,
                       const struct nd_report_input *input,
                       const struct nd_eval_outcome *outcome)
{
    nd_buffer_printf(html, "<tr><td class=\"number\">%.4f</td><td>%s</td><td>",
                     outcome->probability, nd_verdict_name(outcome->verdict));
    append_details(cli, html, input, outcome->path);
    nd_buffer_append_text(html, "<div class=\"soft path\">");
    nd_html_text(html, outcome->path, strlen(outcome->path));
    nd_buffer_append_text(html, "</div></td></tr>\n");
}

static void append_class(struct nd_cli *cli, struct nd_buffer *html,
                         const struct nd_report_input *input, uint8_t label)
{
    size_t count;
    const struct nd_eval_outcome **worst =
        worst_of(input->result, label, &count);
    nd_buffer_printf(html,
                     "<h2>%s that looked most like %s</h2>\n"
                     "<table class=\"mistakes\">\n"
                     "<tr><th class=\"number\">probability of spam</th>"
                     "<th>verdict</th><th>subject</th>"
                     "<th>what weighed most, in log-odds</th></tr>\n",
                     label == ND_SPAM ? "Spam" : "Ham",
                     label == ND_SPAM ? "ham" : "spam");
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        append_row(cli, html, input, worst[i]);
    }
    nd_buffer_append_text(html, "</table>\n");
    free(worst);
}

enum nd_status nd_report_mistakes(struct nd_cli *cli, struct nd_buffer *html,
                                  const struct nd_report_input *input)
{
    append_class(cli, html, input, ND_HAM);
    append_class(cli, html, input, ND_SPAM);
    return ND_OK;
}
