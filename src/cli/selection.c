/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads what forget and relabel are about. A message is known by its identity,
 * so it need not be the very file that was learned.
 */
#include "cli/selection.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/reading.h"
#include "cli/values.h"

enum nd_status nd_selection_read(struct nd_cli *cli,
                                 struct nd_selection *selection_r)
{
    struct nd_selection selection = {.filter = {.source = -1, .label = -1}};
    static const char *const parts[] = {"source", "label", "since", "until"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        selection.by_filter |= nd_arguments_flag(cli->arguments, parts[i]);
    }
    selection.dry_run = nd_arguments_flag(cli->arguments, "dry-run");

    enum nd_status status =
        nd_value_source(cli, "source", &selection.filter.source);
    if (status == ND_OK) {
        status = nd_value_class(cli, "label", &selection.filter.label);
    }
    if (status == ND_OK) {
        status = nd_value_past(cli, "since", &selection.filter.since_ms);
    }
    if (status == ND_OK) {
        status = nd_value_past(cli, "until", &selection.filter.until_ms);
    }
    if (status == ND_OK) {
        *selection_r = selection;
    }
    return status;
}

static void add_named(struct nd_named_samples *samples,
                      const uint8_t identity[ND_IDENTITY_BYTES],
                      const char *name)
{
    if ((samples->count & (samples->count - 1)) == 0) {
        size_t room = samples->count == 0 ? 1 : 2 * samples->count;
        samples->items =
            nd_realloc(samples->items, room, sizeof(*samples->items));
    }
    struct nd_named_sample *item = &samples->items[samples->count++];
    memcpy(item->identity, identity, ND_IDENTITY_BYTES);
    item->name = nd_strdup(name);
}

static enum nd_status read_identities(struct nd_cli *cli,
                                      struct nd_named_samples *samples)
{
    size_t count;
    const char *const *words =
        nd_arguments_list(cli->arguments, "identity", &count);
    for (size_t i = 0; i < count; i++) {
        uint8_t identity[ND_IDENTITY_BYTES];
        if (!nd_unhex(words[i], identity, sizeof(identity))) {
            return nd_fail(&cli->error, ND_USAGE,
                           "--identity %s is not %d hexadecimal digits",
                           words[i], 2 * ND_IDENTITY_BYTES);
        }
        add_named(samples, identity, words[i]);
    }
    return ND_OK;
}

enum nd_status nd_named_samples_read(struct nd_cli *cli,
                                     const char *const *paths, size_t count,
                                     struct nd_named_samples *samples)
{
    struct nd_reading *reading = NULL;
    struct nd_item item;
    enum nd_status status = read_identities(cli, samples);
    if (status != ND_OK || count == 0) {
        return status;
    }
    status = nd_reading_open(cli, paths, count, NULL, &reading);
    if (status != ND_OK) {
        return status;
    }
    while (status == ND_OK) {
        status = nd_reading_next(reading, &item);
        if (status == ND_OK) {
            add_named(samples, item.message.identity, item.path);
        }
    }
    nd_reading_close(&reading);
    return status == ND_NOTHING ? ND_OK : status;
}

void nd_named_samples_free(struct nd_named_samples *samples)
{
    for (size_t i = 0; i < samples->count; i++) {
        free(samples->items[i].name);
    }
    free(samples->items);
    *samples = (struct nd_named_samples){0};
}
