/* SPDX-License-Identifier: Apache-2.0
 *
 * One request a sample, over one connection, so that an error names the sample
 * that it is about and what came before it stays done.
 */
#include "cli/remote_learn.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* ---- learn ---- */

static const char *const outcomes[ND_PUT_OUTCOME_COUNT] = {
    [ND_PUT_STORED] = "stored",         [ND_PUT_REPLACED] = "replaced",
    [ND_PUT_RELABELLED] = "relabelled", [ND_PUT_MERGED] = "merged",
    [ND_PUT_DUPLICATE] = "duplicate",   [ND_PUT_REFUSED] = "refused",
};

static struct nd_put_result result_of(const json_t *rule)
{
    const char *outcome = nd_remote_text(rule, "outcome");
    const char *reason = nd_remote_text(rule, "reason");
    struct nd_put_result result = {.outcome = ND_PUT_STORED};
    for (int i = 0; i < ND_PUT_OUTCOME_COUNT; i++) {
        if (strcmp(outcome, outcomes[i]) == 0) {
            result.outcome = (enum nd_put_outcome)i;
        }
    }
    for (int i = 0; i < ND_REFUSAL_COUNT; i++) {
        if (strcmp(reason, nd_refusal_name((enum nd_refusal)i)) == 0) {
            result.reason = (enum nd_refusal)i;
        }
    }
    result.count[ND_SPAM] = (uint64_t)nd_remote_integer(rule, "spam");
    result.count[ND_HAM] = (uint64_t)nd_remote_integer(rule, "ham");
    return result;
}

enum nd_status nd_remote_learn(struct nd_remote *remote,
                               const struct nd_item *item,
                               const struct nd_lesson *lesson,
                               struct nd_tallies *tallies)
{
    struct nd_buffer query = {0};
    struct nd_remote_request request = {
        .post = true, .path = "/v1/learn", .query = &query, .item = item};
    json_t *answer = NULL;
    nd_remote_add(&query, "class", nd_class_name(lesson->label));
    nd_remote_add(&query, "source", nd_source_name(lesson->source));
    nd_remote_add(&query, "time", lesson->by_received_date ? "received" : NULL);
    nd_remote_add_rule(&query, nd_remote_cli(remote));
    enum nd_status status = nd_remote_ask(remote, &request, &answer);
    nd_buffer_free(&query);
    if (status != ND_OK) {
        return status;
    }
    const json_t *rules = json_object_get(answer, "rules");
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        struct nd_put_result result = result_of(rule);
        nd_tally_add(nd_tallies_find(tallies, nd_remote_text(rule, "rule")),
                     lesson->label, &result);
    }
    json_decref(answer);
    return ND_OK;
}

/* ---- forget and relabel ---- */

void nd_remote_changes_free(struct nd_remote_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        free(changes->of[i].rule);
    }
    free(changes->of);
    *changes = (struct nd_remote_changes){0};
}

static struct nd_bulk_result *find(struct nd_remote_changes *changes,
                                   const char *rule)
{
    for (size_t i = 0; i < changes->count; i++) {
        if (strcmp(changes->of[i].rule, rule) == 0) {
            return &changes->of[i].result;
        }
    }
    changes->of =
        nd_realloc(changes->of, changes->count + 1, sizeof(*changes->of));
    struct nd_remote_change *new = &changes->of[changes->count++];
    *new = (struct nd_remote_change){.rule = nd_strdup(rule)};
    return &new->result;
}

struct changing {
    struct nd_cli *cli;
    struct nd_remote *remote;
    const struct nd_selection *selection;
    int label;
    struct nd_remote_changes *changes;
};

static void add_reasons(struct nd_bulk_result *sum, const json_t *rule)
{
    const json_t *reasons = json_object_get(rule, "reasons");
    for (int i = 0; i < ND_REFUSAL_COUNT; i++) {
        sum->reasons[i] += (uint64_t)nd_remote_integer(
            reasons, nd_refusal_name((enum nd_refusal)i));
    }
    if (json_object_get(rule, "spam") != NULL) {
        sum->known = true;
        sum->count[ND_SPAM] = (uint64_t)nd_remote_integer(rule, "spam");
        sum->count[ND_HAM] = (uint64_t)nd_remote_integer(rule, "ham");
    }
}

static void add_answer(struct changing *run, const json_t *answer,
                       const char *name)
{
    const json_t *rules = json_object_get(answer, "rules");
    const char *changed = run->label < 0 ? "forgotten" : "relabelled";
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        const char *rule_name = nd_remote_text(rule, "rule");
        struct nd_bulk_result *sum = find(run->changes, rule_name);
        uint64_t absent = (uint64_t)nd_remote_integer(rule, "absent");
        if (absent > 0 && name != NULL) {
            nd_cli_remark(run->cli, "%s: no sample of rule %s%s", name,
                          rule_name,
                          run->label < 0 ? "" : "; 'neurald learn' stores one");
        }
        sum->changed += (uint64_t)nd_remote_integer(rule, changed);
        sum->unchanged += (uint64_t)nd_remote_integer(rule, "unchanged");
        sum->refused += (uint64_t)nd_remote_integer(rule, "refused");
        sum->absent += absent;
        add_reasons(sum, rule);
    }
}

static void add_time(struct nd_buffer *query, const char *name, int64_t time_ms)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%lld", (long long)time_ms);
    nd_remote_add(query, name, time_ms != 0 ? text : NULL);
}

static void add_filter(struct nd_buffer *query,
                       const struct nd_sample_filter *filter)
{
    if (filter->source >= 0) {
        nd_remote_add(query, "source",
                      nd_source_name((enum nd_source)filter->source));
    }
    if (filter->label >= 0) {
        nd_remote_add(query, "label",
                      nd_class_name((enum nd_class)filter->label));
    }
    add_time(query, "since", filter->since_ms);
    add_time(query, "until", filter->until_ms);
}

/* One request: for one sample, or (NULL) for the selection. */
static enum nd_status change(struct changing *run,
                             const struct nd_named_sample *sample)
{
    struct nd_buffer query = {0};
    struct nd_remote_request request = {.post = true,
                                        .path = run->label < 0 ? "/v1/forget"
                                                               : "/v1/relabel",
                                        .query = &query};
    char digits[2 * ND_IDENTITY_BYTES + 1];
    json_t *answer = NULL;
    if (run->label >= 0) {
        nd_remote_add(&query, "class",
                      nd_class_name((enum nd_class)run->label));
    }
    if (sample != NULL) {
        nd_hex(sample->identity, ND_IDENTITY_BYTES, digits);
        nd_remote_add(&query, "identity", digits);
    } else {
        add_filter(&query, &run->selection->filter);
    }
    nd_remote_add(&query, "dry_run", run->selection->dry_run ? "1" : NULL);
    nd_remote_add_rule(&query, run->cli);
    enum nd_status status = nd_remote_ask(run->remote, &request, &answer);
    if (status == ND_OK) {
        add_answer(run, answer, sample != NULL ? sample->name : NULL);
    }
    json_decref(answer);
    nd_buffer_free(&query);
    return status;
}

enum nd_status nd_remote_change(struct nd_cli *cli,
                                const struct nd_selection *selection,
                                const struct nd_named_samples *samples,
                                int label, struct nd_remote_changes *changes)
{
    struct changing run = {
        .cli = cli, .selection = selection, .label = label, .changes = changes};
    enum nd_status status = nd_remote_open(cli, &run.remote);
    if (status == ND_OK && selection->by_filter) {
        status = change(&run, NULL);
    }
    for (size_t i = 0; i < samples->count && status == ND_OK; i++) {
        status = change(&run, &samples->items[i]);
    }
    nd_remote_close(&run.remote);
    return status;
}
