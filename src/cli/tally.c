/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts outcomes of puts and puts them into words.
 */
#include "cli/tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct nd_tally *nd_tallies_find(struct nd_tallies *tallies, const char *rule)
{
    size_t count = tallies->count;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(tallies->rules[i], rule) == 0) {
            return &tallies->of[i];
        }
    }
    tallies->of = nd_realloc(tallies->of, count + 1, sizeof(*tallies->of));
    tallies->rules =
        nd_realloc(tallies->rules, count + 1, sizeof(*tallies->rules));
    tallies->of[count] = (struct nd_tally){.known = false};
    tallies->rules[count] = nd_strdup(rule);
    tallies->count++;
    return &tallies->of[count];
}

void nd_tallies_free(struct nd_tallies *tallies)
{
    for (size_t i = 0; i < tallies->count; i++) {
        free(tallies->rules[i]);
    }
    free(tallies->rules);
    free(tallies->of);
    *tallies = (struct nd_tallies){0};
}

void nd_tally_add(struct nd_tally *tally, enum nd_class label,
                  const struct nd_put_result *result)
{
    tally->outcomes[result->outcome]++;
    if (result->outcome == ND_PUT_STORED ||
        result->outcome == ND_PUT_REPLACED) {
        tally->stored[label]++;
    }
    if (result->outcome == ND_PUT_REFUSED) {
        tally->refused[result->reason]++;
        if (result->reason == ND_REFUSED_STORE) {
            return; /* it gave no counts */
        }
    }
    tally->known = true;
    tally->count[ND_HAM] = result->count[ND_HAM];
    tally->count[ND_SPAM] = result->count[ND_SPAM];
}

static void add_part(struct nd_buffer *text, uint64_t count, const char *words)
{
    if (count > 0) {
        nd_buffer_printf(text, "%s%llu %s", text->length > 0 ? ", " : "",
                         (unsigned long long)count, words);
    }
}

static void add_refusals(const struct nd_tally *tally, struct nd_buffer *text)
{
    uint64_t refused = tally->outcomes[ND_PUT_REFUSED];
    if (refused == 0) {
        return;
    }
    add_part(text, refused, "refused");
    const char *before = " (";
    for (int i = 0; i < ND_REFUSAL_COUNT; i++) {
        if (tally->refused[i] > 0) {
            nd_buffer_printf(text, "%s%s: %llu", before,
                             nd_refusal_name((enum nd_refusal)i),
                             (unsigned long long)tally->refused[i]);
            before = ", ";
        }
    }
    nd_buffer_append_text(text, ")");
}

static void add_stored(const struct nd_tally *tally, enum nd_class label,
                       struct nd_buffer *text)
{
    uint64_t count = tally->stored[label];
    if (count > 0) {
        nd_buffer_printf(text, "%s+%llu %s sample%s",
                         text->length > 0 ? ", " : "",
                         (unsigned long long)count, nd_class_name(label),
                         count == 1 ? "" : "s");
    }
}

void nd_tally_words(const struct nd_tally *tally, struct nd_buffer *text)
{
    struct nd_buffer parts = {0};
    add_stored(tally, ND_SPAM, &parts);
    add_stored(tally, ND_HAM, &parts);
    add_part(&parts, tally->outcomes[ND_PUT_REPLACED],
             "of them in the place of others");
    add_part(&parts, tally->outcomes[ND_PUT_RELABELLED], "relabelled");
    add_part(&parts, tally->outcomes[ND_PUT_MERGED],
             "known and given what they lacked");
    add_part(&parts, tally->outcomes[ND_PUT_DUPLICATE], "known already");
    add_refusals(tally, &parts);
    if (parts.length == 0) {
        nd_buffer_append_text(&parts, "nothing changed");
    }
    nd_buffer_append(text, parts.data, parts.length);
    if (tally->known) {
        nd_buffer_printf(text, ", now %llu spam, %llu ham",
                         (unsigned long long)tally->count[ND_SPAM],
                         (unsigned long long)tally->count[ND_HAM]);
    }
    nd_buffer_free(&parts);
}

void nd_tally_json(const struct nd_tally *tally, struct nd_json *json)
{
    const uint64_t *outcomes = tally->outcomes;
    nd_json_unsigned(json, "stored_spam", tally->stored[ND_SPAM]);
    nd_json_unsigned(json, "stored_ham", tally->stored[ND_HAM]);
    nd_json_unsigned(json, "replaced", outcomes[ND_PUT_REPLACED]);
    nd_json_unsigned(json, "relabelled", outcomes[ND_PUT_RELABELLED]);
    nd_json_unsigned(json, "merged", outcomes[ND_PUT_MERGED]);
    nd_json_unsigned(json, "duplicate", outcomes[ND_PUT_DUPLICATE]);
    nd_json_open(json, "refused", '{');
    for (int i = 0; i < ND_REFUSAL_COUNT; i++) {
        if (tally->refused[i] > 0) {
            nd_json_unsigned(json, nd_refusal_name((enum nd_refusal)i),
                             tally->refused[i]);
        }
    }
    nd_json_close(json, '}');
    nd_json_unsigned(json, "spam", tally->count[ND_SPAM]);
    nd_json_unsigned(json, "ham", tally->count[ND_HAM]);
}
