/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress on a terminal, in a file, and not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/progress.h"

struct screen {
    struct nd_progress progress;
    char *text;
    size_t length;
};

static void open_screen(struct screen *screen, bool terminal)
{
    *screen = (struct screen){0};
    nd_progress_init(&screen->progress, false);
    screen->progress.out = open_memstream(&screen->text, &screen->length);
    screen->progress.terminal = terminal;
}

static const char *shown(struct screen *screen)
{
    fflush(screen->progress.out);
    return screen->text;
}

static void close_screen(struct screen *screen)
{
    fclose(screen->progress.out);
    free(screen->text);
}

/* As if the last drawing were long ago. */
static void let_time_pass(struct screen *screen)
{
    screen->progress.shown_us -= 60 * 1000000LL;
}

static void a_terminal_gets_a_bar(void **state)
{
    struct screen screen;
    (void)state;
    open_screen(&screen, true);
    nd_progress_stage(&screen.progress, "reading");
    let_time_pass(&screen);
    nd_progress_update(&screen.progress, 0.5, "half");
    const char *last = strrchr(shown(&screen), '\r');
    assert_non_null(strstr(last, "reading"));
    assert_non_null(strstr(last, "[###############...............]  50 %"));
    assert_non_null(strstr(last, "half"));
    close_screen(&screen);
}

static void a_bar_is_not_drawn_too_often(void **state)
{
    struct screen screen;
    (void)state;
    open_screen(&screen, true);
    nd_progress_stage(&screen.progress, "reading");
    size_t before = strlen(shown(&screen));
    for (int i = 0; i < 1000; i++) {
        nd_progress_update(&screen.progress, 0.001 * i, NULL);
    }
    assert_true(strlen(shown(&screen)) < before + 1000);
    close_screen(&screen);
}

static void shares_beyond_the_ends_are_drawn_at_them(void **state)
{
    struct screen screen;
    (void)state;
    open_screen(&screen, true);
    nd_progress_stage(&screen.progress, "a");
    let_time_pass(&screen);
    nd_progress_update(&screen.progress, 7.0, NULL);
    assert_non_null(strstr(shown(&screen), "100 %"));
    let_time_pass(&screen);
    nd_progress_update(&screen.progress, -1.0, NULL);
    assert_non_null(strstr(strrchr(shown(&screen), '\r'), "  0 %"));
    close_screen(&screen);
}

static void a_file_gets_plain_lines(void **state)
{
    struct screen screen;
    (void)state;
    open_screen(&screen, false);
    nd_progress_stage(&screen.progress, "training");
    nd_progress_update(&screen.progress, 0.1, "too soon");
    let_time_pass(&screen);
    nd_progress_update(&screen.progress, 0.25, "epoch 2");
    nd_progress_end(&screen.progress, "8 epochs");
    const char *text = shown(&screen);
    assert_ptr_equal(strstr(text, "training: 25 %, epoch 2\n"), text);
    assert_non_null(strstr(text, "\ntraining: 8 epochs, 0.0 s\n"));
    assert_null(strpbrk(text, "\r\033"));
    close_screen(&screen);
}

static void the_next_stage_ends_the_one_before(void **state)
{
    struct screen screen;
    (void)state;
    open_screen(&screen, false);
    nd_progress_stage(&screen.progress, "one");
    nd_progress_stage(&screen.progress, "two");
    nd_progress_end(&screen.progress, NULL);
    nd_progress_end(&screen.progress, NULL);
    assert_string_equal(shown(&screen), "one: 0.0 s\ntwo: 0.0 s\n");
    close_screen(&screen);
}

static void an_error_finds_a_clean_line(void **state)
{
    struct screen screen;
    (void)state;
    open_screen(&screen, true);
    nd_progress_stage(&screen.progress, "reading");
    nd_progress_break(&screen.progress);
    const char *text = shown(&screen);
    assert_string_equal(text + strlen(text) - 4, "\r\033[K");
    close_screen(&screen);
    open_screen(&screen, false);
    nd_progress_stage(&screen.progress, "reading");
    nd_progress_break(&screen.progress);
    assert_string_equal(shown(&screen), "");
    close_screen(&screen);
}

static void quiet_is_quiet(void **state)
{
    struct nd_progress progress;
    (void)state;
    nd_progress_init(&progress, true);
    assert_null(progress.out);
    nd_progress_stage(&progress, "a");
    nd_progress_update(&progress, 0.5, "b");
    nd_progress_end(&progress, "c");
    nd_progress_break(&progress);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_gets_a_bar),
        cmocka_unit_test(a_bar_is_not_drawn_too_often),
        cmocka_unit_test(shares_beyond_the_ends_are_drawn_at_them),
        cmocka_unit_test(a_file_gets_plain_lines),
        cmocka_unit_test(the_next_stage_ends_the_one_before),
        cmocka_unit_test(an_error_finds_a_clean_line),
        cmocka_unit_test(quiet_is_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
