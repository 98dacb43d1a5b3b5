/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting, alone and beside another process, and the text that comes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serve/metrics.h"

static struct nd_error error;

static struct nd_metrics *created(void)
{
    struct nd_metrics *metrics = NULL;
    assert_int_equal(nd_metrics_create(&error, &metrics), ND_OK);
    return metrics;
}

static void has_line(const struct nd_metrics *metrics, const char *line)
{
    struct nd_buffer text = {0};
    nd_metrics_write(metrics, &text);
    if (strstr((const char *)text.data, line) == NULL) {
        fail_msg("no line %s in\n%s", line, (const char *)text.data);
    }
    nd_buffer_free(&text);
}

static void counters_and_gauges_count_by_label(void **state)
{
    struct nd_metrics *metrics = created();
    (void)state;
    nd_metrics_add(metrics, ND_METRIC_REQUESTS, 0 /* score */, 2);
    nd_metrics_add(metrics, ND_METRIC_CONNECTIONS_OPEN, 0, 5);
    nd_metrics_subtract(metrics, ND_METRIC_CONNECTIONS_OPEN, 0, 2);
    assert_int_equal(nd_metrics_value(metrics, ND_METRIC_CONNECTIONS_OPEN, 0),
                     3);
    has_line(metrics, "\nneurald_http_requests_total{route=\"score\"} 2\n");
    has_line(metrics, "\nneurald_http_connections_open 3\n");
    has_line(metrics, "# TYPE neurald_http_connections_open gauge\n");
    /* A place that is not there counts at the last one. */
    nd_metrics_add(metrics, ND_METRIC_ANSWERS, 1000, 1);
    has_line(metrics, "\nneurald_http_responses_total{code=\"other\"} 1\n");
    nd_metrics_destroy(&metrics);
    assert_null(metrics);
}

static void a_histogram_is_cumulative(void **state)
{
    struct nd_metrics *metrics = created();
    (void)state;
    nd_metrics_observe(metrics, ND_METRIC_SCORE_SECONDS, 1, 50);
    nd_metrics_observe(metrics, ND_METRIC_SCORE_SECONDS, 1, 51);
    nd_metrics_observe(metrics, ND_METRIC_SCORE_SECONDS, 1, 60000000);
    nd_metrics_observe(metrics, ND_METRIC_SCORE_SECONDS, 1, -5);
    has_line(metrics, "neurald_score_seconds_bucket{input=\"message\",le="
                      "\"5e-05\"} 2\n");
    has_line(metrics, "neurald_score_seconds_bucket{input=\"message\",le="
                      "\"0.0001\"} 3\n");
    has_line(metrics, "{input=\"message\",le=\"10\"} 3\n");
    has_line(metrics, "{input=\"message\",le=\"+Inf\"} 4\n");
    has_line(metrics, "neurald_score_seconds_sum{input=\"message\"} 60.0001\n");
    has_line(metrics, "neurald_score_seconds_count{input=\"message\"} 4\n");
    has_line(metrics, "neurald_score_seconds_count{input=\"findings\"} 0\n");
    assert_int_equal(nd_metrics_value(metrics, ND_METRIC_SCORE_SECONDS, 1), 4);
    nd_metrics_destroy(&metrics);
}

static void another_process_counts_into_the_same(void **state)
{
    struct nd_metrics *metrics = created();
    int status = -1;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct nd_metrics *shared = NULL;
        bool attached = nd_metrics_attach(nd_metrics_file(metrics), &error,
                                          &shared) == ND_OK;
        if (attached) {
            nd_metrics_add(shared, ND_METRIC_MILTER_STARTS, 0, 7);
            nd_metrics_destroy(&shared);
        }
        _exit(attached ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(nd_metrics_value(metrics, ND_METRIC_MILTER_STARTS, 0), 7);
    nd_metrics_destroy(&metrics);
}

static void what_holds_no_metrics_is_refused(void **state)
{
    struct nd_metrics *metrics = NULL;
    int file = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)state;
    assert_int_equal(nd_metrics_attach(file, &error, &metrics), ND_DATA);
    close(file);
    assert_int_equal(nd_metrics_attach(file, &error, &metrics), ND_DATA);
    assert_null(metrics);
    nd_metrics_destroy(&metrics);
    nd_metrics_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges_count_by_label),
        cmocka_unit_test(a_histogram_is_cumulative),
        cmocka_unit_test(another_process_counts_into_the_same),
        cmocka_unit_test(what_holds_no_metrics_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
