/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters, gauges and histograms of the daemon and its worker processes, in
 * memory that they share, and their text form for Prometheus.
 */
#ifndef ND_SERVE_METRICS_H
#define ND_SERVE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "serve/metrics_table.h"
#include "serve/route_table.h"

enum nd_metric {
#define ND_METRIC_ENUM(id, ...) ND_METRIC_##id,
    ND_METRIC_MAP(ND_METRIC_ENUM)
#undef ND_METRIC_ENUM
        ND_METRIC_COUNT
};

enum nd_metric_type {
    ND_METRIC_COUNTER,
    ND_METRIC_GAUGE,
    ND_METRIC_HISTOGRAM, /* of seconds */
};

/* "counter", "gauge", "histogram"; static. */
const char *nd_metric_type_name(enum nd_metric_type type);

struct nd_metric_info {
    const char *name;
    enum nd_metric_type type;
    const char *label;         /* "" without one */
    const char *text;          /* one sentence */
    const char *const *values; /* of the label; {""} without one */
    size_t value_count;
};
/* A row of the table; static. */
const struct nd_metric_info *nd_metric(enum nd_metric metric);

struct nd_metrics;

/* All zero, in memory that other processes can share. ND_OS. */
enum nd_status nd_metrics_create(struct nd_error *error,
                                 struct nd_metrics **metrics_r) ND_MUST_CHECK;

/* The file that other processes give to nd_metrics_attach; close-on-exec, and
 * the metrics' own. */
int nd_metrics_file(const struct nd_metrics *metrics);

/* The metrics that another process of this same program has created; fd is
 * duplicated. ND_DATA where it is something else. */
enum nd_status nd_metrics_attach(int fd, struct nd_error *error,
                                 struct nd_metrics **metrics_r) ND_MUST_CHECK;

/* Accepts NULL and clears *metrics. */
void nd_metrics_destroy(struct nd_metrics **metrics);

/* Adds to the counter or gauge of the label's value (its place in the table; 0
 * without label). A place that is not there counts at the last one. Any
 * thread of any process that shares them. */
void nd_metrics_add(struct nd_metrics *metrics, enum nd_metric metric,
                    size_t place, uint64_t add);
/* Takes away from a gauge. */
void nd_metrics_subtract(struct nd_metrics *metrics, enum nd_metric metric,
                         size_t place, uint64_t subtract);
/* Notes a duration in a histogram. */
void nd_metrics_observe(struct nd_metrics *metrics, enum nd_metric metric,
                        size_t place, int64_t duration_us);
/* The value of a counter or gauge, or a histogram's count. */
uint64_t nd_metrics_value(const struct nd_metrics *metrics,
                          enum nd_metric metric, size_t place);

/* Appends all of them in Prometheus' text format, version 0.0.4. */
void nd_metrics_write(const struct nd_metrics *metrics, struct nd_buffer *text);

/* Appends "# HELP" and "# TYPE" of a metric that is not in the table. */
void nd_metrics_head(struct nd_buffer *text, const char *name,
                     enum nd_metric_type type, const char *words);

#endif
