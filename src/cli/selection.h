/* SPDX-License-Identifier: Apache-2.0
 *
 * Which samples forget and relabel mean: those of messages, of identities, or
 * all of a source and a time.
 */
#ifndef ND_CLI_SELECTION_H
#define ND_CLI_SELECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/command.h"
#include "store/store.h"

/* The options of a selection, to be put into a command's table. */
#define ND_SELECTION_OPTIONS                                                   \
    {"identity", ND_OPTION_LIST, "HEX",                                        \
     "samples by identity, 32 hexadecimal digits (docs/formats/identity.md)"}, \
        {"source", ND_OPTION_VALUE, "SOURCE",                                  \
         "all samples labelled by user, trap, api or autolearn"},              \
        {"label", ND_OPTION_VALUE, "CLASS", "all samples of spam or ham"},     \
        {"since", ND_OPTION_VALUE, "WHEN",                                     \
         "labelled since then: 2d, 6h (so long ago), or a date"},              \
        {"until", ND_OPTION_VALUE, "WHEN", "labelled before then"},            \
    {                                                                          \
        "dry-run", ND_OPTION_FLAG, NULL, "only count, change nothing"          \
    }

struct nd_selection {
    bool by_filter; /* --source, --label, --since or --until was given */
    struct nd_sample_filter filter;
    bool dry_run;
};

/* Reads the options above. Errors in cli->error. */
enum nd_status nd_selection_read(
    struct nd_cli *cli, struct nd_selection *selection_r) ND_MUST_CHECK;

/* Samples by name: every identity of --identity and of every message at paths.
 * Zero-initialise; freed with nd_named_samples_free. Errors in cli->error. */
struct nd_named_sample {
    uint8_t identity[ND_IDENTITY_BYTES];
    char *name; /* path or digits */
};
struct nd_named_samples {
    struct nd_named_sample *items;
    size_t count;
};
enum nd_status nd_named_samples_read(
    struct nd_cli *cli, const char *const *paths, size_t count,
    struct nd_named_samples *samples) ND_MUST_CHECK;
void nd_named_samples_free(struct nd_named_samples *samples);

#endif
