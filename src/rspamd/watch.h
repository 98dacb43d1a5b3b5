/* SPDX-License-Identifier: Apache-2.0
 *
 * The trainer for rspamd's own network: looks at rspamd's keys, takes its
 * vectors into our store, trains when that is due, and puts a network that is
 * not worse in the place of the live one (docs/rspamd.md).
 */
#ifndef ND_RSPAMD_WATCH_H
#define ND_RSPAMD_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "learn/rule.h"
#include "rspamd/collect.h"
#include "rspamd/compare.h"
#include "store/store.h"

/* One owner at a time. */
struct nd_rspamd_watch;

/* store and rule, which is of kind rspamd, are borrowed. Does not connect yet.
 * ND_CONFIG where the rule does not say where rspamd's Redis is. */
enum nd_status nd_rspamd_watch_create(
    struct nd_store *store, const struct nd_rule *rule, struct nd_error *error,
    struct nd_rspamd_watch **watch_r) ND_MUST_CHECK;
void nd_rspamd_watch_destroy(struct nd_rspamd_watch **watch);

/* Asks goes_on each 100 ms of a training from now on; false ends it, with its
 * child, and the look's outcome is "waiting". */
void nd_rspamd_watch_ask(struct nd_rspamd_watch *watch,
                         bool (*goes_on)(void *context), void *context);

enum nd_rspamd_outcome {
    ND_RSPAMD_WAITING,   /* no training is due */
    ND_RSPAMD_PUBLISHED, /* a new network is live */
    ND_RSPAMD_REJECTED,  /* a network was trained, and was worse */
    ND_RSPAMD_LEFT,      /* there is something that we leave alone */
    ND_RSPAMD_BUSY,      /* another trains */
    ND_RSPAMD_FAILED,    /* a training failed; the journal has it, too */
};
/* "waiting", "published", ...; static. */
const char *nd_rspamd_outcome_name(enum nd_rspamd_outcome outcome);

struct nd_rspamd_report {
    enum nd_rspamd_outcome outcome;
    char text[256]; /* why, in words */
    struct nd_rspamd_collected collected;
    uint64_t version;                  /* of rspamd's network that is live now;
                                          0: none */
    bool trained;                      /* then: */
    struct nd_rspamd_figures held_out; /* of the candidate on all vectors */
    bool compared;                     /* then: */
    struct nd_rspamd_judgement judgement;
    double seconds; /* of the training */
};

/* One look. With force a training is due whenever there are enough vectors.
 * ND_NOTHING where rspamd has stored nothing yet; else failures of the two
 * stores. Whatever happens, no lock is left behind. */
enum nd_status nd_rspamd_watch_look(
    struct nd_rspamd_watch *watch, bool force, struct nd_error *error,
    struct nd_rspamd_report *report_r) ND_MUST_CHECK;

#endif
