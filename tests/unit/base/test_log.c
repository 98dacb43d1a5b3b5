/* SPDX-License-Identifier: Apache-2.0
 *
 * The log: levels, sinks, printable lines, several threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define THREADS 4
#define LINES_EACH 500

struct seen {
    enum nd_log_level level;
    char line[4096];
    int count;
    int torn;
};

static void remember(enum nd_log_level level, const char *line, void *context)
{
    struct seen *seen = context;
    seen->level = level;
    seen->count++;
    (void)snprintf(seen->line, sizeof(seen->line), "%s", line);
}

static int tear_down(void **state)
{
    nd_log_set_sink(NULL, NULL);
    nd_log_set_level(ND_LOG_WARNING);
    return 0;
}

static void a_sink_gets_the_formatted_line(void **state)
{
    struct seen seen = {0};
    nd_log_set_sink(remember, &seen);
    nd_log(ND_LOG_ERROR, "store '%s' is %d days old", "x", 3);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.level, ND_LOG_ERROR);
    assert_string_equal(seen.line, "store 'x' is 3 days old");
}

static void lines_above_the_level_are_dropped(void **state)
{
    struct seen seen = {0};
    nd_log_set_sink(remember, &seen);
    nd_log(ND_LOG_WARNING, "kept");
    nd_log(ND_LOG_INFO, "dropped");
    nd_log(ND_LOG_DEBUG, "dropped");
    assert_int_equal(seen.count, 1);
    nd_log_set_level(ND_LOG_DEBUG);
    nd_log(ND_LOG_DEBUG, "kept");
    assert_int_equal(seen.count, 2);
    nd_log_set_level(ND_LOG_ERROR);
    nd_log(ND_LOG_WARNING, "dropped");
    assert_int_equal(seen.count, 2);
}

static void one_event_is_one_printable_line(void **state)
{
    struct seen seen = {0};
    nd_log_set_sink(remember, &seen);
    nd_log(ND_LOG_ERROR, "subject: %s", "a\nneurald: error: forged\x1b[1m");
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.line, "subject: a?neurald: error: forged?[1m");
}

static void a_long_line_is_cut(void **state)
{
    struct seen seen = {0};
    nd_log_set_sink(remember, &seen);
    nd_log(ND_LOG_ERROR, "%05000d", 1);
    assert_in_range(strlen(seen.line), 500, 4095);
}

static void errno_is_kept(void **state)
{
    struct seen seen = {0};
    nd_log_set_sink(remember, &seen);
    errno = ENOTTY;
    nd_log(ND_LOG_ERROR, "a line");
    assert_int_equal(errno, ENOTTY);
}

static void without_a_sink_lines_go_to_standard_error(void **state)
{
    char text[256] = {0};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    nd_log(ND_LOG_WARNING, "disk is %d%% full", 93);
    (void)fflush(stderr);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "neurald: warning: disk is 93% full\n");
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)close(saved);
}

/* The sink is called by one thread at a time, or torn would be seen. */
static void count_whole_lines(enum nd_log_level level, const char *line,
                              void *context)
{
    struct seen *seen = context;
    char first = line[0];
    for (; *line != '\0'; line++)
        seen->torn += *line != first;
    seen->count++;
}

static void *write_lines(void *letter)
{
    char line[200];
    memset(line, *(const char *)letter, sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    for (int i = 0; i < LINES_EACH; i++)
        nd_log(ND_LOG_ERROR, "%s", line);
    return NULL;
}

static void threads_do_not_mix_their_lines(void **state)
{
    static char letters[THREADS] = {'a', 'b', 'c', 'd'};
    struct seen seen = {0};
    pthread_t threads[THREADS];
    nd_log_set_sink(count_whole_lines, &seen);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, write_lines, &letters[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(seen.count, THREADS * LINES_EACH);
    assert_int_equal(seen.torn, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_sink_gets_the_formatted_line, tear_down),
        cmocka_unit_test_teardown(lines_above_the_level_are_dropped, tear_down),
        cmocka_unit_test_teardown(one_event_is_one_printable_line, tear_down),
        cmocka_unit_test_teardown(a_long_line_is_cut, tear_down),
        cmocka_unit_test_teardown(errno_is_kept, tear_down),
        cmocka_unit_test(without_a_sink_lines_go_to_standard_error),
        cmocka_unit_test_teardown(threads_do_not_mix_their_lines, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
