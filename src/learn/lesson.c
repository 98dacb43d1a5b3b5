/* SPDX-License-Identifier: Apache-2.0
 *
 * At the door: what may not be stored is refused here, with a reason that is
 * counted, and of what may the features are taken. No store and no batch.
 */
#include "learn/lesson.h"

#include <math.h>
#include <string.h>

#include "learn/engine_private.h"
#include "learn/samples.h"

/* Skipping at random (S8), but the same message always the same way: a repeat
 * after a lost answer must not draw again. */
static bool is_skipped(const struct nd_rule *rule, const struct nd_key *key,
                       const uint8_t identity[ND_IDENTITY_BYTES])
{
    if (rule->train_prob >= 1.0) {
        return false;
    }
    uint64_t draw = nd_keyed_hash(key, identity, ND_IDENTITY_BYTES);
    return (double)(draw >> 11) * 0x1p-53 >= rule->train_prob;
}

/* S14: a value that is no number is refused before it is stored. */
static bool is_finite_scan(const struct nd_scan *scan)
{
    for (size_t i = 0; scan != NULL && i < scan->count; i++) {
        if (!isfinite(scan->symbols[i].score)) {
            return false;
        }
    }
    return true;
}

static enum nd_refusal check_at_door(const struct nd_rule *rule,
                                     const struct nd_key *key,
                                     const uint8_t identity[ND_IDENTITY_BYTES],
                                     const struct nd_scan *findings)
{
    if (is_skipped(rule, key, identity)) {
        return ND_REFUSED_TRAIN_PROB;
    }
    return is_finite_scan(findings) ? ND_REFUSED_NONE : ND_REFUSED_NOT_FINITE;
}

const uint8_t *nd_lesson_identity(const struct nd_message *message,
                                  const struct nd_lesson *lesson)
{
    if (lesson->identity != NULL) {
        return lesson->identity;
    }
    return message != NULL ? message->identity : NULL;
}

void nd_lesson_prepare(const struct nd_lesson_matter *matter,
                       struct nd_arena *scratch, struct nd_arena *arena,
                       struct nd_prepared_lesson *prepared_r)
{
    const struct nd_lesson *lesson = matter->lesson;
    const struct nd_scan *findings =
        nd_engine_findings(matter->message, matter->scan);
    struct nd_prepared_lesson prepared = {.label = lesson->label,
                                          .source = lesson->source,
                                          .label_ms = lesson->label_ms};
    memcpy(prepared.identity, nd_lesson_identity(matter->message, lesson),
           sizeof prepared.identity);
    prepared.refusal =
        check_at_door(matter->rule, matter->key, prepared.identity, findings);
    if (prepared.refusal == ND_REFUSED_NONE) {
        struct nd_features features;
        struct nd_extract_options options = {.families =
                                                 matter->rule->families};
        options.excluded = nd_rule_excluded(matter->rule, findings, scratch,
                                            &options.excluded_count);
        nd_features_extract(matter->message, matter->scan, matter->key,
                            &options, scratch, &features);
        nd_sample_copy_features(&features, arena, &prepared.features);
    }
    *prepared_r = prepared;
}

int64_t nd_lesson_message_time(const struct nd_message *message,
                               const struct nd_lesson *lesson, int64_t now_ms)
{
    return message != NULL && lesson->by_received_date &&
                   message->received_ms > 0 && message->received_ms <= now_ms
               ? message->received_ms
               : 0;
}
