/* SPDX-License-Identifier: Apache-2.0
 *
 * The words for the store's enums, from the tables in store.h. They appear in
 * JSON, metrics and manuals, so they never change.
 */
#include "store/store.h"

const char *nd_class_name(enum nd_class label)
{
    return label == ND_SPAM ? "spam" : "ham";
}

const char *nd_source_name(enum nd_source source)
{
    static const char *const names[] = {
#define SOURCE_NAME(name, rank, text) [ND_SOURCE_##name] = (text),
        ND_SOURCE_MAP(SOURCE_NAME)
#undef SOURCE_NAME
    };
    return (unsigned)source < ND_SOURCE_COUNT ? names[source] : "unknown";
}

const char *nd_refusal_name(enum nd_refusal reason)
{
    static const char *const names[] = {
#define REFUSAL_NAME(name, text) [ND_REFUSED_##name] = (text),
        ND_REFUSAL_MAP(REFUSAL_NAME)
#undef REFUSAL_NAME
    };
    return (unsigned)reason < ND_REFUSAL_COUNT ? names[reason] : "unknown";
}

const char *nd_decision_name(enum nd_decision decision)
{
    static const char *const names[] = {
        [ND_DECISION_PROMOTED] = "promoted",
        [ND_DECISION_REJECTED] = "rejected",
        [ND_DECISION_FAILED] = "failed",
    };
    return (unsigned)decision <= ND_DECISION_FAILED ? names[decision]
                                                    : "unknown";
}
