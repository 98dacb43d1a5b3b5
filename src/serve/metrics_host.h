/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics that the host at work counts, or knows of the store.
 */
#ifndef ND_SERVE_METRICS_HOST_H
#define ND_SERVE_METRICS_HOST_H

#include "base/buffer.h"
#include "base/memory.h"
#include "learn/host.h"
#include "serve/metrics.h"

/* Appends them in Prometheus' text format. Never asks the store. */
void nd_metrics_write_host(struct nd_host *host, struct nd_arena *arena,
                           struct nd_buffer *text);

/* Calls each for every one of them; labels are separated by blanks. */
void nd_metrics_host_each(void (*each)(const char *name,
                                       enum nd_metric_type type,
                                       const char *labels, const char *text,
                                       void *context),
                          void *context);

#endif
