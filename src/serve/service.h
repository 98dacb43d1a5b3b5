/* SPDX-License-Identifier: Apache-2.0
 *
 * What the API's handlers work on: the host, the metrics, and the settings of
 * the moment.
 */
#ifndef ND_SERVE_SERVICE_H
#define ND_SERVE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "learn/host.h"
#include "mail/message.h"
#include "serve/access.h"
#include "serve/metrics.h"

/* What of a rule's configuration is shown. */
struct nd_service_rule {
    char name[ND_NAME_BYTES], settings[ND_NAME_BYTES];
    struct nd_quota quota;
    uint64_t min_train;
};

/* What a reload replaces. All of it is copied or taken over. */
struct nd_service_settings {
    char store[256];             /* URL, fit for people to see */
    const struct nd_rule *rules; /* only to be copied from: */
    size_t rule_count;
    struct nd_service_rule *shown; /* of rules; set by the service */
    struct nd_mail_limits limits;
    struct nd_mail_trust trust;
    struct nd_tokens *tokens; /* never NULL; taken over */
    double rate_limit;        /* requests a second of one client; 0: none */
    uint64_t max_body;        /* bytes of a request's body */
    bool log_scores;          /* a line each at level info */
};

/* Settings that a request holds on to until it ends. */
struct nd_held_settings;
const struct nd_service_settings *nd_held(const struct nd_held_settings *held);

struct nd_service;

/* host and metrics are borrowed and outlive the service. */
struct nd_service *nd_service_create(
    struct nd_host *host, struct nd_metrics *metrics,
    const struct nd_service_settings *settings) ND_MUST_CHECK;
/* No request is under way any more. Accepts NULL and clears *service. */
void nd_service_destroy(struct nd_service **service);

/* What it was created with. */
struct nd_host *nd_service_host(const struct nd_service *service);
/* Likewise. */
struct nd_metrics *nd_service_metrics(const struct nd_service *service);

/* Takes new settings; requests under way go on by the old ones. Any thread. */
void nd_service_reload(struct nd_service *service,
                       const struct nd_service_settings *settings);

/* The settings now, held until they are released. Any thread. */
struct nd_held_settings *nd_service_hold(struct nd_service *service)
    ND_MUST_CHECK;
/* NULL and a pointer to NULL are accepted; clears *held. */
void nd_service_release(struct nd_held_settings **held);

/* Whether a client (its address hashed) may ask once more, at most rate times
 * a second, and as many at once after a pause. Any thread. */
bool nd_service_admits(struct nd_service *service, uint64_t client,
                       double rate);

#endif
