/* SPDX-License-Identifier: Apache-2.0
 *
 * The decisions that every backend must make alike, without any store: a
 * backend asks what is known, asks here what to do, and does it in the same
 * atomic step. A backend that decides in a script of its own mirrors these
 * functions and is held to them by the suite. Nothing here has a side effect.
 */
#include "store/rules.h"

#include <string.h>

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

/* Another label than the one known: believed by rank, then by time. */
static bool is_believed(const struct nd_known *known,
                        const struct nd_claim *claim, enum nd_refusal *reason_r)
{
    if (claim->source != known->source) {
        *reason_r = ND_REFUSED_RANK;
        return claim->source > known->source;
    }
    *reason_r = ND_REFUSED_OLDER;
    return claim->label_ms > known->label_ms;
}

static enum nd_action claim_on_present(const struct nd_known *known,
                                       const struct nd_claim *claim,
                                       enum nd_refusal *reason_r)
{
    if (claim->label == known->label)
        return claim->source > known->source ? ND_ACTION_RELABEL
                                             : ND_ACTION_KEEP;
    return is_believed(known, claim, reason_r) ? ND_ACTION_RELABEL
                                               : ND_ACTION_REFUSE;
}

enum nd_action nd_rules_claim(const struct nd_known *known,
                              const struct nd_claim *claim,
                              enum nd_refusal *reason_r)
{
    switch (known->fate) {
    case ND_FATE_UNKNOWN:
        return ND_ACTION_STORE;
    case ND_FATE_PRESENT:
        return claim_on_present(known, claim, reason_r);
    case ND_FATE_FORGOTTEN:
    case ND_FATE_FORGOTTEN_ABSENT:
        *reason_r = ND_REFUSED_FORGOTTEN;
        return claim->label_ms > known->label_ms ? ND_ACTION_STORE
                                                 : ND_ACTION_REFUSE;
    case ND_FATE_CONSUMED:
    case ND_FATE_REPLACED:
        break;
    }
    if (claim->label == known->label)
        return ND_ACTION_KEEP;
    return is_believed(known, claim, reason_r) ? ND_ACTION_STORE
                                               : ND_ACTION_REFUSE;
}

bool nd_rules_balanced(uint64_t limit, const uint64_t count[2],
                       enum nd_class label)
{
    uint64_t own = count[label];
    uint64_t other = count[1 - label];
    return (double)other <= 1.1 * (double)limit && other + 1 >= own;
}

bool nd_rules_lease_open(const struct nd_lease *lease, int64_t length_ms,
                         int64_t now_ms)
{
    return lease->token == 0 || lease->until_ms <= now_ms ||
           lease->until_ms - now_ms > length_ms;
}

bool nd_rules_lease_held(const struct nd_lease *lease,
                         const struct nd_lease *holder)
{
    return lease->token != 0 && lease->token == holder->token &&
           memcmp(lease->nonce, holder->nonce, ND_NONCE_BYTES) == 0;
}

int64_t nd_rules_label_time(int64_t label_ms, int64_t now_ms)
{
    if (label_ms <= 0)
        return now_ms;
    return label_ms > now_ms + DAY_MS ? now_ms + DAY_MS : label_ms;
}
