/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules that a host works by, as one shared, counted set, and which of them
 * a call means. The set never changes once it is made: a reload makes another.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "learn/host_private.h"

static enum nd_status check_name(const char *name, struct nd_error *error)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t length = strnlen(name, ND_NAME_BYTES);
    if (length > 0 && length < ND_NAME_BYTES && strspn(name, letters) == length)
        return ND_OK;
    return nd_fail(error, ND_CONFIG,
                   "'%.63s' is no name for a rule or its settings: 1 to %d "
                   "letters, digits, '_', '.', '-'",
                   name, ND_NAME_BYTES - 1);
}

static enum nd_status check_rules(const struct nd_rule *rules, size_t count,
                                  struct nd_error *error)
{
    if (count == 0)
        return nd_fail(error, ND_CONFIG, "a host needs at least one rule");
    for (size_t i = 0; i < count; i++) {
        enum nd_status status = check_name(rules[i].name, error);
        if (status == ND_OK)
            status = check_name(rules[i].settings, error);
        for (size_t j = 0; status == ND_OK && j < i; j++) {
            if (strcmp(rules[i].name, rules[j].name) == 0 &&
                strcmp(rules[i].settings, rules[j].settings) == 0)
                status = nd_fail(error, ND_CONFIG,
                                 "two rules are called %s with settings %s",
                                 rules[i].name, rules[i].settings);
        }
        if (status != ND_OK)
            return status;
    }
    return ND_OK;
}

enum nd_status nd_host_rules_create(const struct nd_rule *rules, size_t count,
                                    struct nd_error *error,
                                    struct nd_host_rules **rules_r)
{
    enum nd_status status = check_rules(rules, count, error);
    if (status != ND_OK)
        return status;
    struct nd_host_rules *set = nd_calloc(1, sizeof *set);
    atomic_init(&set->references, 1);
    set->count = count;
    set->engines = nd_calloc(count, sizeof *set->engines);
    set->connected = nd_calloc(count, sizeof *set->connected);
    for (size_t i = 0; i < count; i++)
        set->engines[i] = nd_engine_prepare(&rules[i]);
    *rules_r = set;
    return ND_OK;
}

struct nd_host_rules *nd_host_rules_hold(struct nd_host_rules *rules)
{
    atomic_fetch_add_explicit(&rules->references, 1, memory_order_relaxed);
    return rules;
}

void nd_host_rules_release(struct nd_host_rules **rules)
{
    struct nd_host_rules *old = *rules;
    *rules = NULL;
    if (old == NULL || atomic_fetch_sub_explicit(&old->references, 1,
                                                 memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < old->count; i++)
        nd_engine_destroy(&old->engines[i]);
    free(old->engines);
    free(old->connected);
    free(old);
}

size_t nd_host_rules_find(const struct nd_host_rules *rules, const char *rule,
                          const char *settings)
{
    size_t place = 0;
    while (place < rules->count &&
           (strcmp(rules->engines[place]->rule.name, rule) != 0 ||
            strcmp(rules->engines[place]->rule.settings, settings) != 0))
        place++;
    return place;
}

/* Those of a name and of settings; NULL and "" mean any. */
static size_t choose(const struct nd_host_rules *rules, const char *name,
                     const char *settings, size_t *chosen)
{
    size_t count = 0;
    for (size_t i = 0; i < rules->count; i++) {
        const struct nd_rule *rule = &rules->engines[i]->rule;
        if ((name == NULL || name[0] == '\0' ||
             strcmp(rule->name, name) == 0) &&
            (settings == NULL || settings[0] == '\0' ||
             strcmp(rule->settings, settings) == 0))
            chosen[count++] = i;
    }
    return count;
}

enum nd_status nd_host_rules_choose(const struct nd_host_rules *rules,
                                    const struct nd_host_choice *choice,
                                    struct nd_error *error, size_t *chosen_r,
                                    size_t *count_r, bool *unknown_r)
{
    static const struct nd_host_choice none;
    if (choice == NULL)
        choice = &none;
    bool has_settings = choice->settings != NULL && choice->settings[0] != '\0';
    bool unknown = false;
    size_t count = 0;
    if (choice->rule != NULL && choice->rule[0] != '\0') {
        count = choose(rules, choice->rule, choice->settings, chosen_r);
        if (count == 0)
            return nd_fail(error, ND_NO_INPUT,
                           "there is no rule %.63s%s%.63s here", choice->rule,
                           has_settings ? " with settings " : "",
                           has_settings ? choice->settings : "");
    } else if (has_settings) {
        count = choose(rules, NULL, choice->settings, chosen_r);
        unknown = count == 0;
    }
    if (count == 0)
        count = choose(rules, NULL, "default", chosen_r);
    if (count == 0)
        count = choose(rules, NULL, rules->engines[0]->rule.settings, chosen_r);
    *count_r = count;
    *unknown_r = unknown;
    return ND_OK;
}
