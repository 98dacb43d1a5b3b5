/* SPDX-License-Identifier: Apache-2.0
 *
 * Cells of 64 bits in a mapping of a file without a name, so that the milter's
 * worker counts beside the daemon and its counts outlive it. Each metric takes
 * a cell for each value of its label; a histogram takes its buckets, its sum
 * and its count. Not for anything that would need two cells to agree.
 */
#include "serve/metrics.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* Upper bounds of the buckets, in microseconds; the last has none. */
static const int64_t bounds_us[] = {
    50,    100,    250,    500,    1000,    2500,    5000,    10000,    25000,
    50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
};
#define BOUNDS (sizeof(bounds_us) / sizeof(bounds_us[0]))
#define HISTOGRAM_CELLS (BOUNDS + 2) /* sum in us, and count */

#define VALUES(id, type, name, label, text, ...) \
    static const char *const values_##id[] = {__VA_ARGS__};
ND_METRIC_MAP(VALUES)
#undef VALUES

static const struct nd_metric_info table[ND_METRIC_COUNT] = {
#define ROW(id, type, name, label, text, ...) \
    {name, ND_METRIC_##type, label,           \
     text, values_##id,      sizeof(values_##id) / sizeof(values_##id[0])},
    ND_METRIC_MAP(ROW)
#undef ROW
};

struct nd_metrics {
    atomic_uint_least64_t *cells;
    size_t first[ND_METRIC_COUNT]; /* cell of each metric */
    size_t bytes;
    int file;
};

const struct nd_metric_info *nd_metric(enum nd_metric metric)
{
    return &table[metric];
}

static size_t cells_a_value(const struct nd_metric_info *info)
{
    return info->type == ND_METRIC_HISTOGRAM ? HISTOGRAM_CELLS : 1;
}

static enum nd_status map_cells(struct nd_metrics *metrics,
                                struct nd_error *error)
{
    void *cells = mmap(NULL, metrics->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                       metrics->file, 0);
    if (cells == MAP_FAILED) {
        return nd_fail(error, ND_OS, "cannot map %zu bytes for the metrics",
                       metrics->bytes);
    }
    metrics->cells = cells;
    return ND_OK;
}

static struct nd_metrics *lay_out(int file)
{
    struct nd_metrics *metrics = nd_calloc(1, sizeof(*metrics));
    size_t cells = 0;
    for (size_t i = 0; i < ND_METRIC_COUNT; i++) {
        metrics->first[i] = cells;
        cells += table[i].value_count * cells_a_value(&table[i]);
    }
    metrics->bytes = cells * sizeof(*metrics->cells);
    metrics->file = file;
    return metrics;
}

enum nd_status nd_metrics_create(struct nd_error *error,
                                 struct nd_metrics **metrics_r)
{
    int file = memfd_create("neurald-metrics", MFD_CLOEXEC);
    if (file < 0) {
        return nd_fail(error, ND_OS, "cannot make memory for the metrics");
    }
    struct nd_metrics *metrics = lay_out(file);
    enum nd_status status =
        ftruncate(file, (off_t)metrics->bytes) == 0
            ? map_cells(metrics, error)
            : nd_fail(error, ND_OS, "no memory for the metrics");
    if (status != ND_OK) {
        nd_metrics_destroy(&metrics);
        return status;
    }
    *metrics_r = metrics;
    return ND_OK;
}

int nd_metrics_file(const struct nd_metrics *metrics)
{
    return metrics->file;
}

enum nd_status nd_metrics_attach(int fd, struct nd_error *error,
                                 struct nd_metrics **metrics_r)
{
    struct stat info;
    struct nd_metrics *metrics = lay_out(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    enum nd_status status = ND_OK;
    if (metrics->file < 0 || fstat(metrics->file, &info) != 0 ||
        (size_t)info.st_size != metrics->bytes) {
        status = nd_fail(error, ND_DATA,
                         "descriptor %d holds no metrics of this program", fd);
    }
    if (status == ND_OK) {
        status = map_cells(metrics, error);
    }
    if (status != ND_OK) {
        nd_metrics_destroy(&metrics);
        return status;
    }
    *metrics_r = metrics;
    return ND_OK;
}

void nd_metrics_destroy(struct nd_metrics **metrics)
{
    if (metrics == NULL || *metrics == NULL) {
        return;
    }
    if ((*metrics)->cells != NULL) {
        munmap((*metrics)->cells, (*metrics)->bytes);
    }
    if ((*metrics)->file >= 0) {
        close((*metrics)->file);
    }
    free(*metrics);
    *metrics = NULL;
}

/* ---- counting ---- */

static atomic_uint_least64_t *cell(const struct nd_metrics *metrics,
                                   enum nd_metric metric, size_t place)
{
    const struct nd_metric_info *info = &table[metric];
    place = place < info->value_count ? place : info->value_count - 1;
    return metrics->cells + metrics->first[metric] +
           place * cells_a_value(info);
}

void nd_metrics_add(struct nd_metrics *metrics, enum nd_metric metric,
                    size_t place, uint64_t add)
{
    atomic_fetch_add_explicit(cell(metrics, metric, place), add,
                              memory_order_relaxed);
}

void nd_metrics_subtract(struct nd_metrics *metrics, enum nd_metric metric,
                         size_t place, uint64_t subtract)
{
    atomic_fetch_sub_explicit(cell(metrics, metric, place), subtract,
                              memory_order_relaxed);
}

void nd_metrics_observe(struct nd_metrics *metrics, enum nd_metric metric,
                        size_t place, int64_t duration_us)
{
    atomic_uint_least64_t *cells = cell(metrics, metric, place);
    uint64_t duration = duration_us > 0 ? (uint64_t)duration_us : 0;
    for (size_t i = 0; i < BOUNDS; i++) {
        if (duration_us <= bounds_us[i]) {
            atomic_fetch_add_explicit(&cells[i], 1, memory_order_relaxed);
            break;
        }
    }
    atomic_fetch_add_explicit(&cells[BOUNDS], duration, memory_order_relaxed);
    atomic_fetch_add_explicit(&cells[BOUNDS + 1], 1, memory_order_relaxed);
}

static uint64_t load(const atomic_uint_least64_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

uint64_t nd_metrics_value(const struct nd_metrics *metrics,
                          enum nd_metric metric, size_t place)
{
    const atomic_uint_least64_t *cells = cell(metrics, metric, place);
    bool histogram = table[metric].type == ND_METRIC_HISTOGRAM;
    return load(&cells[histogram ? BOUNDS + 1 : 0]);
}

/* ---- the text ---- */

const char *nd_metric_type_name(enum nd_metric_type type)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    return types[type];
}

void nd_metrics_head(struct nd_buffer *text, const char *name,
                     enum nd_metric_type type, const char *words)
{
    nd_buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, words, name,
                     nd_metric_type_name(type));
}

static void write_label(struct nd_buffer *text,
                        const struct nd_metric_info *info, size_t place)
{
    if (info->label[0] != '\0') {
        nd_buffer_printf(text, "{%s=\"%s\"}", info->label, info->values[place]);
    }
}

static void write_bucket(struct nd_buffer *text,
                         const struct nd_metric_info *info, size_t place,
                         const char *bound, uint64_t count)
{
    nd_buffer_printf(text, "%s_bucket{", info->name);
    if (info->label[0] != '\0') {
        nd_buffer_printf(text, "%s=\"%s\",", info->label, info->values[place]);
    }
    nd_buffer_printf(text, "le=\"%s\"} %llu\n", bound,
                     (unsigned long long)count);
}

/* Buckets are written cumulatively, and the count is theirs, so that it agrees
 * with them while others count on. */
static void write_histogram(struct nd_buffer *text,
                            const struct nd_metric_info *info, size_t place,
                            const atomic_uint_least64_t *cells)
{
    uint64_t total = load(&cells[BOUNDS + 1]), below = 0;
    for (size_t i = 0; i < BOUNDS; i++) {
        char bound[32];
        below += load(&cells[i]);
        snprintf(bound, sizeof(bound), "%g", (double)bounds_us[i] / 1e6);
        write_bucket(text, info, place, bound, below);
    }
    total = total > below ? total : below;
    write_bucket(text, info, place, "+Inf", total);
    nd_buffer_printf(text, "%s_sum", info->name);
    write_label(text, info, place);
    nd_buffer_printf(text, " %g\n%s_count", (double)load(&cells[BOUNDS]) / 1e6,
                     info->name);
    write_label(text, info, place);
    nd_buffer_printf(text, " %llu\n", (unsigned long long)total);
}

void nd_metrics_write(const struct nd_metrics *metrics, struct nd_buffer *text)
{
    for (size_t i = 0; i < ND_METRIC_COUNT; i++) {
        const struct nd_metric_info *info = &table[i];
        nd_metrics_head(text, info->name, info->type, info->text);
        for (size_t place = 0; place < info->value_count; place++) {
            const atomic_uint_least64_t *cells =
                cell(metrics, (enum nd_metric)i, place);
            if (info->type == ND_METRIC_HISTOGRAM) {
                write_histogram(text, info, place, cells);
                continue;
            }
            nd_buffer_append_text(text, info->name);
            write_label(text, info, place);
            nd_buffer_printf(text, " %llu\n", (unsigned long long)load(cells));
        }
    }
}
