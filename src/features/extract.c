/* SPDX-License-Identifier: Apache-2.0
 *
 * From a message and a filter's findings to all features asked for. The work
 * is done by the extractors of this folder; here stands what is looked for
 * when.
 */
#include <string.h>

#include "features/collect.h"
#include "features/named.h"
#include "features/text.h"

static const struct nd_scan *findings(const struct nd_message *message,
                                      const struct nd_scan *scan)
{
    if (scan != NULL) {
        return scan;
    }
    return message != NULL && message->scan.count > 0 ? &message->scan : NULL;
}

static bool has_name(const struct nd_named_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Facts that came with the findings; what was measured here goes before. */
static void extract_reported(const struct nd_scan *scan, bool measured,
                             struct nd_named_list *list)
{
    for (size_t i = 0; i < scan->metatoken_count; i++) {
        const struct nd_scan_symbol *fact = &scan->metatokens[i];
        const char *name = nd_named_prefixed(list->arena, "meta:", fact->name);
        if (fact->score != 0 && !(measured && has_name(list, name))) {
            nd_named_add(list, name, fact->score);
        }
    }
}

static void extract_named(const struct nd_counted_message *counted,
                          const struct nd_scan *scan,
                          const struct nd_extract_options *options,
                          struct nd_arena *arena, struct nd_features *features)
{
    struct nd_named_list list = {.arena = arena};
    const struct nd_message *message = counted->message;
    if ((options->families & ND_GROUP_SYMBOLS) && scan != NULL) {
        nd_collect_symbols(&list, scan, options);
        features->families |= ND_GROUP_SYMBOLS;
    }
    if (options->families & ND_GROUP_METATOKENS) {
        if (message != NULL) {
            nd_collect_metatokens(&list, counted);
        }
        for (size_t i = 0; i < options->extra_count; i++) {
            nd_named_add(&list, options->extra[i].name,
                         options->extra[i].value);
        }
        bool reported = scan != NULL && scan->metatoken_count > 0;
        if (reported) {
            extract_reported(scan, message != NULL, &list);
        }
        if (message != NULL || options->extra_count > 0 || reported) {
            features->families |= ND_GROUP_METATOKENS;
        }
    }
    features->named = list.items;
    features->named_count = list.count;
}

static void extract_text(const struct nd_counted_message *counted,
                         const struct nd_key *key,
                         const struct nd_extract_options *options,
                         struct nd_arena *arena, struct nd_features *features)
{
    struct nd_collector collector;
    const struct nd_message *message = counted->message;
    nd_collect_begin(&collector, key, options, arena);
    nd_collect_content(&collector, message);
    nd_collect_structure(&collector, counted);
    nd_collect_urls(&collector, message);
    nd_collect_headers(&collector, message);
    nd_collect_end(&collector, features);
    features->families |= options->families & ND_GROUP_TEXT;
    memcpy(features->key_id, key->id, sizeof features->key_id);
}

void nd_features_extract(const struct nd_message *message,
                         const struct nd_scan *scan, const struct nd_key *key,
                         const struct nd_extract_options *options,
                         struct nd_arena *arena, struct nd_features *features_r)
{
    struct nd_counted_message counted = {.message = message};
    if (message != NULL) {
        counted.text = nd_count_characters(message->text);
        counted.subject = nd_count_characters(message->subject);
    }
    memset(features_r, 0, sizeof *features_r);
    extract_named(&counted, findings(message, scan), options, arena,
                  features_r);
    if (message != NULL && (options->families & ND_GROUP_TEXT)) {
        extract_text(&counted, key, options, arena, features_r);
    }
}
