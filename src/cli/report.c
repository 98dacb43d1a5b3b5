/* SPDX-License-Identifier: Apache-2.0
 *
 * The report's page: head, style, and the order of its parts. The page allows
 * itself nothing but its own style, so that even a slip in the escaping could
 * load nothing and run nothing.
 */
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "nn/network.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" "
    "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>neurald: evaluation</title>\n<style>\n"
    ":root { color-scheme: light dark; --back: #ffffff; --text: #1b1f24;\n"
    "  --soft: #59636e; --grid: #d9dee4; --spam: #c0392b; --ham: #2471a3;\n"
    "  --main: #1e7d4f; }\n"
    "@media (prefers-color-scheme: dark) { :root { --back: #14171b;\n"
    "  --text: #e3e7eb; --soft: #9aa5b1; --grid: #30363d; --spam: #ff7b6b;\n"
    "  --ham: #6cb6ff; --main: #4fd39a; } }\n"
    "body { background: var(--back); color: var(--text); margin: 2em auto;\n"
    "  max-width: 70em; padding: 0 1em; font: 16px/1.5 system-ui,\n"
    "  sans-serif; }\n"
    "h1, h2 { line-height: 1.2; } h2 { margin-top: 2em; }\n"
    "table { border-collapse: collapse; margin: 1em 0; }\n"
    "th, td { text-align: left; padding: .3em .9em .3em 0;\n"
    "  border-bottom: 1px solid var(--grid); vertical-align: top; }\n"
    "td.number, th.number { text-align: right;\n"
    "  font-variant-numeric: tabular-nums; }\n"
    "td.number { white-space: nowrap; }\n"
    "tr.ours td { font-weight: 600; }\n"
    ".charts { display: grid; gap: 1em;\n"
    "  grid-template-columns: repeat(auto-fit, minmax(min(24em, 100%), 1fr));\n"
    "  }\n"
    "figure { margin: 0; } figcaption { font-size: .9em;\n"
    "  color: var(--soft); }\n"
    "svg { width: 100%; height: auto; } svg text { font-size: 12px;\n"
    "  fill: var(--soft); }\n"
    ".grid { stroke: var(--grid); }\n"
    ".line { fill: none; stroke: var(--text); }\n"
    ".line.main { stroke: var(--main); stroke-width: 2.5; }\n"
    ".line.faint { stroke: var(--soft); stroke-dasharray: 2 3; }\n"
    ".line.threshold { stroke: var(--soft); stroke-dasharray: 6 4; }\n"
    "circle.main { fill: var(--main); }\n"
    "rect.spam { fill: var(--spam); opacity: .65; }\n"
    "rect.ham { fill: var(--ham); opacity: .65; }\n"
    "span.spam { color: var(--spam); } span.ham { color: var(--ham); }\n"
    ".soft { color: var(--soft); } .path { font-size: .85em;\n"
    "  overflow-wrap: anywhere; } td { overflow-wrap: anywhere; }\n"
    "@media (max-width: 44em) { body { font-size: 14px; }\n"
    "  th, td { padding-right: .5em; } .mistakes th { display: none; }\n"
    "  .mistakes tr { display: block; padding: .4em 0;\n"
    "  border-bottom: 1px solid var(--grid); }\n"
    "  .mistakes td { display: inline-block; border: 0;\n"
    "  padding: .1em .9em .1em 0; } }\n"
    "</style>\n</head>\n<body>\n";

static void append_code_point(struct nd_buffer *html, uint32_t code)
{
    char bytes[4];
    switch (code) {
    case '<':
        nd_buffer_append_text(html, "&lt;");
        return;
    case '>':
        nd_buffer_append_text(html, "&gt;");
        return;
    case '&':
        nd_buffer_append_text(html, "&amp;");
        return;
    case '"':
        nd_buffer_append_text(html, "&quot;");
        return;
    case '\'':
        nd_buffer_append_text(html, "&#39;");
        return;
    default:
        break;
    }
    bool control = code < ' ' || (code >= 0x7f && code < 0xa0);
    size_t length = nd_utf8_encode(control ? 0xfffd : code, bytes);
    nd_buffer_append(html, bytes, length);
}

void nd_html_text(struct nd_buffer *html, const char *text, size_t length)
{
    while (length > 0) {
        uint32_t code = 0xfffd;
        size_t taken = nd_utf8_decode(text, length, &code);
        taken = taken == 0 ? 1 : taken;
        append_code_point(html, code);
        text += taken;
        length -= taken;
    }
}

static void append_summary(struct nd_buffer *html,
                           const struct nd_report_input *input)
{
    const struct nd_eval_result *result = input->result;
    char date[32];
    nd_clock_format(nd_clock_wall_ms(), date, sizeof(date));
    nd_buffer_printf(
        html,
        "<h1>neurald: evaluation</h1>\n"
        "<p>Trained on %zu messages (%zu spam, %zu ham) in %.1f s, tested on "
        "%zu others (%zu spam, %zu ham) at %.0f a second, from raw mail, in "
        "one thread. The model takes %.1f MB, a stored sample %.0f bytes on "
        "average. <span class=\"soft\">%s, neurald %s, kernel %s, seed %llu."
        "</span></p>\n",
        result->train, result->train_spam, result->train - result->train_spam,
        result->train_seconds, result->test, result->test_spam,
        result->test - result->test_spam,
        (double)result->test /
            (result->test_seconds > 0 ? result->test_seconds : 1),
        (double)result->model_bytes / 1e6, result->sample_bytes, date,
        NEURALD_VERSION, nd_kernel_name(),
        (unsigned long long)input->plan->seed);
    if (result->conflicts > 0) {
        nd_buffer_printf(html,
                         "<p class=\"soft\">%llu messages are there under both "
                         "labels and were evaluated as labelled.</p>\n",
                         (unsigned long long)result->conflicts);
    }
}

static enum nd_status append_body(struct nd_cli *cli, struct nd_buffer *html,
                                  const struct nd_report_input *input)
{
    append_summary(html, input);
    enum nd_status status = nd_report_table(cli, html, input);
    if (status != ND_OK) {
        return status;
    }
    nd_buffer_append_text(html, "<h2>Curves</h2>\n<div class=\"charts\">\n");
    nd_report_roc(html, input->result);
    nd_report_histogram(html, input->result);
    nd_report_calibration(html, input->result);
    nd_buffer_append_text(html, "</div>\n");
    return nd_report_mistakes(cli, html, input);
}

enum nd_status nd_report_write(struct nd_cli *cli, const char *path,
                               const struct nd_report_input *input)
{
    struct nd_buffer html = {0};
    nd_progress_stage(&cli->progress, "report");
    nd_buffer_append_text(&html, head);
    enum nd_status status = append_body(cli, &html, input);
    nd_buffer_append_text(&html, "</body>\n</html>\n");
    if (status == ND_OK) {
        status = nd_file_replace(path, html.data, html.length, &cli->error);
    }
    if (status == ND_OK) {
        nd_progress_end(&cli->progress, path);
    }
    nd_buffer_free(&html);
    return status;
}
