/* SPDX-License-Identifier: Apache-2.0
 *
 * A rule: a network with its own settings. Keys keep the seed's names where
 * they mean the same; src/cli/config_keys.h has the one table from which the
 * parser, the example and the reference page come.
 */
#ifndef ND_LEARN_RULE_H
#define ND_LEARN_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "store/store.h"

enum nd_mode { ND_MODE_ACTIVE, ND_MODE_OBSERVE };

/* Whose network: our own for mail, or the one that rspamd keeps in its Redis.
 */
enum nd_rule_kind { ND_KIND_MAIL, ND_KIND_RSPAMD };

/* Strings are owned by the rule. */
struct nd_rule {
    char name[ND_NAME_BYTES];     /* "default" */
    char settings[ND_NAME_BYTES]; /* "default" */
    enum nd_rule_kind kind;       /* mail */
    enum nd_mode mode;            /* observe: weight is always 0 */

    /* what is stored */
    enum nd_quota_mode learn_mode;      /* reservoir */
    uint64_t reservoir;                 /* samples a class; 20,000 */
    uint64_t max_trains;                /* balanced; 1,000 */
    double train_prob;                  /* S8; 1.0 */
    bool autolearn;                     /* off */
    bool has_spam_score, has_ham_score; /* else the filter's verdict */
    double spam_score, ham_score;
    uint32_t max_symbols; /* registry; 65,536 */
    uint32_t families;    /* mask; all */

    /* when it trains */
    uint64_t train_after;      /* samples; 0: 10 % of the fill, at least 50 */
    int64_t train_interval_ms; /* 10 min */
    uint64_t min_train;        /* of each class; 20 */
    int64_t watch_interval_ms; /* 60 s */
    int64_t lease_ms;          /* 60 s */

    /* how it trains: 0 means what the network's own defaults say */
    double learning_rate;
    uint32_t max_iterations; /* epochs */
    uint32_t hidden_units;
    uint32_t seeds; /* candidates a training; 2 */
    uint64_t seed;  /* 0: random, reported */

    /* what the trainer child may use */
    int64_t train_time_ms;      /* 30 min */
    int64_t train_memory_bytes; /* 2 GiB */
    int train_nice;             /* 10 */
    double train_share;         /* 0.1; of spare time (spare.h) */

    /* what is kept, and the verdict */
    uint32_t max_profiles;          /* 3 */
    uint32_t keep_models;           /* 5 */
    int64_t ann_expire_ms;          /* 100 days; models not in use */
    double target_fpr;              /* 0.001 */
    double target_fnr;              /* 0.001 */
    char *symbol_spam, *symbol_ham; /* NEURALD_SPAM, NEURALD_HAM */
    double spam_weight, ham_weight; /* +3.0, -1.0 at most */

    /* kind rspamd: where its network is */
    char *rspamd_redis;                  /* URL of its Redis; NULL: not set */
    char rspamd_prefix[ND_NAME_BYTES];   /* rn */
    char rspamd_rule[ND_NAME_BYTES];     /* default */
    char rspamd_settings[ND_NAME_BYTES]; /* default */
    int64_t rspamd_watch_interval_ms;    /* 60 s */
};

/* A rule of the default settings. Freed with nd_rule_free. */
void nd_rule_init(struct nd_rule *rule_r);
void nd_rule_free(struct nd_rule *rule);

/* How many samples of a class are aimed at, and how. */
struct nd_quota nd_rule_quota(const struct nd_rule *rule);
/* "reservoir", "balanced". */
const char *nd_quota_name(enum nd_quota_mode mode);

#endif
