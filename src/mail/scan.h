/* SPDX-License-Identifier: Apache-2.0
 *
 * A filter's findings about one message: symbols with scores, from headers
 * that SpamAssassin or rspamd wrote, or from rspamd's JSON.
 */
#ifndef ND_MAIL_SCAN_H
#define ND_MAIL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/status.h"

#define ND_MAX_SCAN_SYMBOLS 2000
#define ND_MAX_SYMBOL_NAME 128

struct nd_scan_symbol {
    const char *name; /* printable ASCII without blanks */
    double score;     /* finite; 0 where has_score is false */
    bool has_score;   /* SpamAssassin's headers often name without a score */
};

enum nd_scan_verdict {
    ND_SCAN_UNKNOWN,
    ND_SCAN_HAM,
    ND_SCAN_SPAM,
};

struct nd_scan {
    const struct nd_scan_symbol *symbols; /* unique names, as reported */
    size_t count;
    const struct nd_scan_symbol *metatokens; /* unique names; score is a fact
                                                from 0 to 1 */
    size_t metatoken_count;
    bool has_score;
    double score;    /* the filter's total */
    double required; /* its threshold for spam; 0 unknown */
    enum nd_scan_verdict verdict;
    size_t dropped; /* symbols beyond the limits, or malformed */
};

/* Reads one JSON object: rspamd's /checkv2 answer, or a line as rspamd's
 * symbols exported ({"symbols": {"NAME": 1.0 | {"score": 1.0}}, "score": ..}),
 * perhaps with facts about the message ("metatokens": {"NAME": 0.5}; values
 * beyond 0 to 1 are brought back to it).
 * id_r (may be NULL) gets its "id" or "message-id", NULL without one. Memory
 * from arena. ND_DATA names the defect and its position. */
enum nd_status nd_scan_read_json(const char *text, size_t length,
                                 struct nd_arena *arena, struct nd_error *error,
                                 struct nd_scan *scan_r,
                                 const char **id_r) ND_MUST_CHECK;

/* Reads the value of a filter's header (already unfolded): X-Spam-Status,
 * X-Spam-Report or X-Spamd-Result, told apart by name, and adds its findings
 * to scan. False where the header holds none. Memory from arena. */
bool nd_scan_read_header(const char *name, const char *value,
                         struct nd_arena *arena, struct nd_scan *scan);

/* Scan results by id, from a file of JSON lines (plain, or compressed with
 * zstd). Lookup takes a message's file path: its name without .eml or .txt,
 * alone or with its folder in front joined by '-'. */
struct nd_scan_file;
enum nd_status nd_scan_file_open(const char *path, struct nd_error *error,
                                 struct nd_scan_file **file_r) ND_MUST_CHECK;
void nd_scan_file_close(struct nd_scan_file **file);
size_t nd_scan_file_count(const struct nd_scan_file *file);
/* NULL where the file has none for this path. Valid until close. */
const struct nd_scan *nd_scan_file_find(const struct nd_scan_file *file,
                                        const char *path);

#endif
