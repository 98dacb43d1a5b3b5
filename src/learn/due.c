/* SPDX-License-Identifier: Apache-2.0
 *
 * When a training starts (design, point 4). Everything that decides lies in
 * the store, so every host comes to the same answer.
 */
#include <stdio.h>

#include "learn/due.h"
#include "learn/engine_private.h"

#define MOST_WAIT_MS (INT64_C(6) * 3600 * 1000)
#define LEAST_CHANGES 50

/* The interval doubles with each attempt that promoted nothing, up to six
 * hours. */
static int64_t wait_of(const struct nd_rule *rule, uint32_t failures)
{
    int64_t wait_ms = rule->train_interval_ms;
    for (uint32_t i = 0; i < failures && wait_ms < MOST_WAIT_MS; i++) {
        wait_ms *= 2;
    }
    if (wait_ms > MOST_WAIT_MS) {
        wait_ms = MOST_WAIT_MS;
    }
    return wait_ms > rule->train_interval_ms ? wait_ms
                                             : rule->train_interval_ms;
}

/* How many samples must be new or changed. */
static uint64_t changes_needed(const struct nd_rule *rule,
                               const struct nd_training_state *state)
{
    if (rule->train_after != 0) {
        return rule->train_after;
    }
    uint64_t tenth = (state->count[0] + state->count[1]) / 10;
    return tenth > LEAST_CHANGES ? tenth : LEAST_CHANGES;
}

static bool has_enough(const struct nd_rule *rule,
                       const struct nd_training_state *state, char *why_r,
                       size_t why_size)
{
    bool balanced = rule->learn_mode == ND_QUOTA_BALANCED;
    uint64_t least = balanced ? rule->max_trains : rule->min_train;
    if (state->count[ND_SPAM] < least || state->count[ND_HAM] < least) {
        (void)snprintf(why_r, why_size, "%llu of %llu spam, %llu of %llu ham",
                       (unsigned long long)state->count[ND_SPAM],
                       (unsigned long long)least,
                       (unsigned long long)state->count[ND_HAM],
                       (unsigned long long)least);
        return false;
    }
    uint64_t needed = changes_needed(rule, state);
    if (!balanced && state->changes < needed) {
        (void)snprintf(why_r, why_size, "%llu of %llu changed samples",
                       (unsigned long long)state->changes,
                       (unsigned long long)needed);
        return false;
    }
    return true;
}

static bool has_waited(const struct nd_rule *rule,
                       const struct nd_training_state *state, int64_t now_ms,
                       char *why_r, size_t why_size)
{
    int64_t wait_ms = wait_of(rule, state->failures);
    int64_t waited_ms = now_ms - state->last_ms;
    /* A last attempt in the future is a clock that jumped back. */
    if (state->last_ms == 0 || waited_ms < 0 || waited_ms >= wait_ms) {
        return true;
    }
    (void)snprintf(why_r, why_size, "in %lld s, after %u attempts in vain",
                   (long long)((wait_ms - waited_ms + 999) / 1000),
                   (unsigned)state->failures);
    return false;
}

bool nd_training_due(const struct nd_rule *rule,
                     const struct nd_training_state *state, int64_t now_ms,
                     char *why_r, size_t why_size)
{
    if (!has_enough(rule, state, why_r, why_size) ||
        !has_waited(rule, state, now_ms, why_r, why_size)) {
        return false;
    }
    (void)snprintf(why_r, why_size, "%llu samples changed",
                   (unsigned long long)state->changes);
    return true;
}

enum nd_status nd_engine_due(struct nd_engine *engine, struct nd_error *error,
                             bool *due_r, char *why_r, size_t why_size)
{
    struct nd_training_state state;
    struct nd_model_pointer pointer;
    int64_t now_ms;
    enum nd_status status =
        nd_store_training_state(engine->store, &engine->scope, error, &state);
    if (status == ND_OK) {
        status = nd_store_model_current(engine->store, &engine->scope, error,
                                        &pointer);
    }
    if (status == ND_OK) {
        status = nd_store_now(engine->store, error, &now_ms);
    }
    if (status != ND_OK) {
        return status;
    }
    const struct nd_rule *rule = &engine->rule;
    bool due = false;
    if (pointer.pinned) {
        (void)snprintf(why_r, why_size, "generation %llu is pinned",
                       (unsigned long long)pointer.generation);
    } else if (nd_engine_is_outdated(engine, &pointer)) {
        (void)snprintf(why_r, why_size,
                       "generation %llu is of a later neurald: upgrade",
                       (unsigned long long)pointer.generation);
    } else {
        due = nd_training_due(rule, &state, now_ms, why_r, why_size);
    }
    engine->due_after_ms = due ? state.last_ms : -1;
    *due_r = due;
    return ND_OK;
}
