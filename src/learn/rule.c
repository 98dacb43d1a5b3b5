/* SPDX-License-Identifier: Apache-2.0
 *
 * The default settings of a rule. What each key means stands in the table of
 * the configuration; here are only the values that a rule starts with.
 */
#include "learn/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "features/features.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define DAY_MS (24 * 60 * MINUTE_MS)

static void set_learning(struct nd_rule *rule)
{
    rule->learn_mode = ND_QUOTA_RESERVOIR;
    rule->reservoir = 20000;
    rule->max_trains = 1000;
    rule->train_prob = 1.0;
    rule->max_symbols = 65536;
    rule->families = ND_GROUP_ALL;
}

static void set_training(struct nd_rule *rule)
{
    rule->train_interval_ms = 10 * MINUTE_MS;
    rule->min_train = 20;
    rule->watch_interval_ms = MINUTE_MS;
    rule->lease_ms = MINUTE_MS;
    rule->seeds = 2;
    rule->train_time_ms = 30 * MINUTE_MS;
    rule->train_memory_bytes = INT64_C(2) << 30;
    rule->train_nice = 10;
    rule->train_share = 0.1;
}

void nd_rule_init(struct nd_rule *rule_r)
{
    *rule_r = (struct nd_rule){.name = "default",
                               .settings = "default",
                               .mode = ND_MODE_ACTIVE,
                               .max_profiles = 3,
                               .keep_models = 5,
                               .ann_expire_ms = 100 * DAY_MS,
                               .target_fpr = 0.001,
                               .target_fnr = 0.001,
                               .spam_weight = 3.0,
                               .ham_weight = -1.0};
    set_learning(rule_r);
    set_training(rule_r);
    rule_r->symbol_spam = nd_strdup("NEURALD_SPAM");
    rule_r->symbol_ham = nd_strdup("NEURALD_HAM");
    (void)snprintf(rule_r->rspamd_prefix, ND_NAME_BYTES, "rn");
    (void)snprintf(rule_r->rspamd_rule, ND_NAME_BYTES, "default");
    (void)snprintf(rule_r->rspamd_settings, ND_NAME_BYTES, "default");
    rule_r->rspamd_watch_interval_ms = MINUTE_MS;
}

void nd_rule_free(struct nd_rule *rule)
{
    free(rule->symbol_spam);
    free(rule->symbol_ham);
    free(rule->rspamd_redis);
    *rule = (struct nd_rule){0};
}

struct nd_quota nd_rule_quota(const struct nd_rule *rule)
{
    return (struct nd_quota){.mode = rule->learn_mode,
                             .limit = rule->learn_mode == ND_QUOTA_BALANCED
                                          ? rule->max_trains
                                          : rule->reservoir};
}

const char *nd_quota_name(enum nd_quota_mode mode)
{
    return mode == ND_QUOTA_BALANCED ? "balanced" : "reservoir";
}
