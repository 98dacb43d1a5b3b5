/* SPDX-License-Identifier: Apache-2.0
 *
 * One verdict as people read it on a terminal, and as scripts read it in an
 * exit status. What other programs read is the learning's (learn/verdict.h).
 */
#include "cli/verdict.h"

#include <string.h>

#include "base/utf8.h"

void nd_print_safely(const char *text, FILE *out)
{
    size_t length = strlen(text);
    while (length > 0) {
        uint32_t code = 0;
        size_t taken = nd_utf8_decode(text, length, &code);
        bool control = code < ' ' || (code >= 0x7f && code < 0xa0);
        if (taken == 0 || control) {
            fputc('?', out);
            taken = taken == 0 ? 1 : taken;
        } else {
            fwrite(text, 1, taken, out);
        }
        text += taken;
        length -= taken;
    }
}

void nd_verdict_print(const char *path, const struct nd_verdict *verdict,
                      FILE *out)
{
    nd_print_safely(path, out);
    fprintf(out, ": %s %.5f", nd_verdict_name(verdict->kind),
            verdict->probability);
    if (verdict->symbol[0] != '\0') {
        fprintf(out, " %s %+.2f", verdict->symbol, verdict->weight);
    }
    fputc('\n', out);
}

int nd_verdict_exit(enum nd_verdict_kind kind)
{
    return kind == ND_VERDICT_SPAM ? 0 : kind == ND_VERDICT_HAM ? 1 : 2;
}
