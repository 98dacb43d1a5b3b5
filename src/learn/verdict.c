/* SPDX-License-Identifier: Apache-2.0
 *
 * One verdict in the shapes that other programs read it in: the same wherever
 * it comes from, the command line or the daemon.
 */
#include "learn/verdict.h"

#define MAX_REASON 300 /* a header line stays far below 998 bytes */
/* Of numbers in JSON: more than a float network knows, and quick to write. */
#define DIGITS 10

void nd_verdict_header(const struct nd_verdict *verdict, const char *reason,
                       struct nd_buffer *text)
{
    nd_buffer_printf(text, "%s, probability=%.5f",
                     nd_verdict_name(verdict->kind), verdict->probability);
    if (verdict->symbol[0] != '\0') {
        nd_buffer_printf(text, ", symbol=%s, weight=%.2f", verdict->symbol,
                         verdict->weight);
    }
    nd_buffer_printf(text, ", generation=%llu",
                     (unsigned long long)verdict->generation);
    if (reason == NULL || reason[0] == '\0') {
        return;
    }
    nd_buffer_append_text(text, ", reason=\"");
    for (size_t i = 0; reason[i] != '\0' && i < MAX_REASON; i++) {
        char c = reason[i];
        bool plain = c >= ' ' && c <= '~' && c != '"' && c != '\\';
        nd_buffer_append(text, plain ? &c : "'", 1);
    }
    nd_buffer_append_text(text, "\"");
}

void nd_verdict_json(const char *path, const struct nd_verdict *verdict,
                     struct nd_json *json)
{
    if (path != NULL) {
        nd_json_text(json, "path", path);
    }
    nd_json_rounded(json, "probability", verdict->probability, DIGITS);
    nd_json_text(json, "verdict", nd_verdict_name(verdict->kind));
    nd_json_text(json, "symbol", verdict->symbol);
    nd_json_rounded(json, "weight", verdict->weight, DIGITS);
    nd_json_unsigned(json, "generation", verdict->generation);
    nd_json_rounded(json, "log_odds", verdict->log_odds, DIGITS);
}

struct nd_verdict nd_verdict_none(void)
{
    return (struct nd_verdict){
        .probability = 0.5, .kind = ND_UNSURE, .symbol = ""};
}
