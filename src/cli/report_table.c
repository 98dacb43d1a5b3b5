/* SPDX-License-Identifier: Apache-2.0
 *
 * The report's table of figures. Peers' figures come from a file of the
 * caller, since they mean something only on the same messages.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"

#define COLUMNS 4 /* behind the name: AUC and three recalls */

static void append_number(struct nd_buffer *html, double value)
{
    if (isfinite(value)) {
        nd_buffer_printf(html, "<td class=\"number\">%.4f</td>", value);
    } else {
        nd_buffer_append_text(html, "<td class=\"number\">&#8211;</td>");
    }
}

static void append_ours(struct nd_buffer *html,
                        const struct nd_eval_figures *figures)
{
    nd_buffer_append_text(html, "<tr class=\"ours\"><td>neurald, here</td>");
    append_number(html, figures->auc);
    for (int i = 0; i < 3; i++) {
        append_number(html, figures->recall[i]);
    }
    nd_buffer_append_text(html, "</tr>\n");
}

/* NAME, then numbers or '-' behind tabs. */
static bool append_peer(struct nd_buffer *html, char *line)
{
    char *rest = line;
    const char *name = strsep(&rest, "\t");
    double values[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) {
        const char *text = strsep(&rest, "\t");
        char *end = NULL;
        if (text == NULL) {
            return false;
        }
        values[i] = strcmp(text, "-") == 0 ? (double)NAN : strtod(text, &end);
        if (end != NULL && (end == text || *end != '\0')) {
            return false;
        }
    }
    nd_buffer_append_text(html, "<tr><td>");
    nd_html_text(html, name, strlen(name));
    nd_buffer_append_text(html, "</td>");
    for (int i = 0; i < COLUMNS; i++) {
        append_number(html, values[i]);
    }
    nd_buffer_append_text(html, "</tr>\n");
    return true;
}

static enum nd_status append_peers(struct nd_cli *cli, struct nd_buffer *html,
                                   const char *path)
{
    char *line = NULL;
    size_t room = 0;
    unsigned long number = 0;
    enum nd_status status = ND_OK;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return nd_fail_errno(&cli->error, "cannot open %s", path);
    }
    while (status == ND_OK && getline(&line, &room, file) >= 0) {
        number++;
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '\0' && line[0] != '#' && !append_peer(html, line)) {
            status = nd_fail(&cli->error, ND_DATA,
                             "%s:%lu: a line is NAME, AUC and three recalls, "
                             "with a tab before each; '-' where one is unknown",
                             path, number);
        }
    }
    free(line);
    fclose(file);
    return status;
}

static void append_verdicts(struct nd_buffer *html,
                            const struct nd_eval_figures *figures)
{
    nd_buffer_printf(
        html,
        "<p>At probability 0.5 it is right about %.2f %% of the messages. At "
        "the model's own thresholds it decides rightly %.2f %% and has no "
        "opinion on %.2f %%; it calls %.3f %% of the ham spam and %.3f %% of "
        "the spam ham. Brier score %.4f, log-loss %.4f.</p>\n",
        100 * figures->accuracy, 100 * figures->decided_right,
        100 * figures->unsure, 100 * figures->false_positives,
        100 * figures->false_negatives, figures->brier, figures->log_loss);
}

enum nd_status nd_report_table(struct nd_cli *cli, struct nd_buffer *html,
                               const struct nd_report_input *input)
{
    enum nd_status status = ND_OK;
    nd_buffer_append_text(html, "<h2>Figures</h2>\n<table>\n<tr><th>system</th>"
                                "<th class=\"number\">AUC</th>"
                                "<th class=\"number\">recall at 0.1&#160;%</th>"
                                "<th class=\"number\">at 0.5&#160;%</th>"
                                "<th class=\"number\">at 1&#160;%</th></tr>\n");
    append_ours(html, &input->result->figures);
    if (input->peers != NULL) {
        status = append_peers(cli, html, input->peers);
    }
    nd_buffer_append_text(
        html, "</table>\n<p class=\"soft\">AUC: area under the ROC curve. "
              "Recall: the share of spam caught when at most that share of "
              "the ham is lost.</p>\n");
    append_verdicts(html, &input->result->figures);
    return status;
}
