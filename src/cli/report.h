/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTML report of an evaluation: one file without scripts and without
 * anything from outside. All that comes from mail is escaped.
 */
#ifndef ND_CLI_REPORT_H
#define ND_CLI_REPORT_H

#include "base/buffer.h"
#include "cli/command.h"
#include "cli/eval.h"

struct nd_report_input {
    const struct nd_eval_plan *plan;
    const struct nd_eval_result *result;
    const struct nd_scan_file *scans; /* may be NULL */
    const char *peers; /* file with others' figures; may be NULL */
};

/* Writes the report to path; a file that is there is replaced, in one step.
 * Errors in cli->error. */
enum nd_status nd_report_write(struct nd_cli *cli, const char *path,
                               const struct nd_report_input *input)
    ND_MUST_CHECK;

/* Appends text so that a browser shows it and nothing else happens: markup,
 * quotes, control characters and invalid UTF-8 are replaced. */
void nd_html_text(struct nd_buffer *html, const char *text, size_t length);

/* ---- parts of the report ---- */

/* Charts as <figure> elements. */
void nd_report_roc(struct nd_buffer *html, const struct nd_eval_result *result);
void nd_report_histogram(struct nd_buffer *html,
                         const struct nd_eval_result *result);
void nd_report_calibration(struct nd_buffer *html,
                           const struct nd_eval_result *result);

/* The table of figures, with those of the peers' file. */
enum nd_status nd_report_table(struct nd_cli *cli, struct nd_buffer *html,
                               const struct nd_report_input *input)
    ND_MUST_CHECK;

/* The messages that were judged worst, each with what weighed most. */
enum nd_status nd_report_mistakes(struct nd_cli *cli, struct nd_buffer *html,
                                  const struct nd_report_input *input)
    ND_MUST_CHECK;

#endif
