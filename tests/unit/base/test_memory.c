/* SPDX-License-Identifier: Apache-2.0
 *
 * Allocation that aborts instead of answering NULL, and the arena.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

/* Hidden from the compiler, which would warn of what is tested here. */
static volatile size_t huge = SIZE_MAX;

static void take_a_product_that_overflows(void)
{
    free(nd_calloc(huge / 2, 3));
}

static void grow_by_a_product_that_overflows(void)
{
    free(nd_realloc(NULL, huge / 4, 8));
}

static void copy_more_than_there_can_be(void)
{
    free(nd_strndup("x", huge));
}

static void take_everything_from_an_arena(void)
{
    struct nd_arena *arena = nd_arena_create(64);
    (void)!nd_arena_take(arena, huge - 8);
    nd_arena_destroy(&arena);
}

static void copy_everything_into_an_arena(void)
{
    struct nd_arena *arena = nd_arena_create(64);
    (void)!nd_arena_strndup(arena, "x", huge);
    nd_arena_destroy(&arena);
}

/* Runs action in a child and fails unless that aborted. */
static void assert_aborts(void (*action)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGABRT, SIG_DFL);
        (void)!freopen("/dev/null", "w", stderr);
        action();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void sizes_that_cannot_be_had_abort(void **state)
{
    assert_aborts(take_a_product_that_overflows);
    assert_aborts(grow_by_a_product_that_overflows);
    assert_aborts(copy_more_than_there_can_be);
    assert_aborts(take_everything_from_an_arena);
    assert_aborts(copy_everything_into_an_arena);
}

static void calloc_is_zeroed(void **state)
{
    unsigned char *memory = nd_calloc(300, 7);
    for (size_t i = 0; i < 2100; i++)
        assert_int_equal(memory[i], 0);
    free(memory);
}

static void nothing_is_still_not_null(void **state)
{
    void *none = nd_calloc(0, 8);
    void *also_none = nd_calloc(8, 0);
    void *grown = nd_realloc(NULL, 0, 4);
    assert_non_null(none);
    assert_non_null(also_none);
    assert_non_null(grown);
    free(none);
    free(also_none);
    free(nd_realloc(grown, 0, 0));
}

static void realloc_keeps_what_was_there(void **state)
{
    uint32_t *numbers = nd_realloc(NULL, 4, sizeof(*numbers));
    for (uint32_t i = 0; i < 4; i++)
        numbers[i] = i + 1;
    numbers = nd_realloc(numbers, 4000, sizeof(*numbers));
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(numbers[i], i + 1);
    free(numbers);
}

static void copies_end_with_nul_and_keep_inner_ones(void **state)
{
    char *copy = nd_strndup("ab\0cd", 5);
    assert_memory_equal(copy, "ab\0cd\0", 6);
    free(copy);
    copy = nd_strdup("whole");
    assert_string_equal(copy, "whole");
    free(copy);
    copy = nd_strndup(NULL, 0);
    assert_string_equal(copy, "");
    free(copy);
}

static void sprintf_makes_room_for_any_length(void **state)
{
    char *text = nd_sprintf("%s-%05d", "sample", 42);
    assert_string_equal(text, "sample-00042");
    free(text);
    text = nd_sprintf("%10000d", 1);
    assert_int_equal(strlen(text), 10000);
    free(text);
}

static void arena_pieces_are_aligned_and_apart(void **state)
{
    struct nd_arena *arena = nd_arena_create(64);
    unsigned char *pieces[200];
    for (size_t i = 0; i < 200; i++) {
        pieces[i] = nd_arena_take(arena, i);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)i, i);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t at = 0; at < i; at++)
            assert_int_equal(pieces[i][at], i);
    }
    nd_arena_destroy(&arena);
}

static void arena_counts_what_was_taken(void **state)
{
    struct nd_arena *arena = nd_arena_create(0);
    assert_int_equal(nd_arena_used(arena), 0);
    (void)!nd_arena_take(arena, 1000);
    (void)!nd_arena_take(arena, 100000);
    assert_true(nd_arena_used(arena) >= 101000);
    assert_true(nd_arena_used(arena) <= 101000 + 64);
    nd_arena_reset(arena);
    assert_int_equal(nd_arena_used(arena), 0);
    nd_arena_destroy(&arena);
}

static void a_reset_arena_uses_its_largest_block_again(void **state)
{
    struct nd_arena *arena = nd_arena_create(64);
    (void)!nd_arena_take(arena, 50);
    char *large = nd_arena_take(arena, 50000);
    (void)!nd_arena_take(arena, 100000);
    (void)!nd_arena_take(arena, 10);
    assert_non_null(large);
    nd_arena_reset(arena);
    char *first = nd_arena_take(arena, 60000);
    char *second = nd_arena_take(arena, 30000);
    assert_ptr_equal(second, first + 60000);
    nd_arena_destroy(&arena);
}

static void arena_copies_text(void **state)
{
    struct nd_arena *arena = nd_arena_create(16);
    char *one = nd_arena_strndup(arena, "message", 4);
    char *none = nd_arena_strndup(arena, NULL, 0);
    assert_string_equal(one, "mess");
    assert_string_equal(none, "");
    nd_arena_destroy(&arena);
}

static void destroying_nothing_is_allowed(void **state)
{
    struct nd_arena *arena = nd_arena_create(0);
    nd_arena_destroy(&arena);
    assert_null(arena);
    nd_arena_destroy(&arena);
    nd_arena_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_that_cannot_be_had_abort),
        cmocka_unit_test(calloc_is_zeroed),
        cmocka_unit_test(nothing_is_still_not_null),
        cmocka_unit_test(realloc_keeps_what_was_there),
        cmocka_unit_test(copies_end_with_nul_and_keep_inner_ones),
        cmocka_unit_test(sprintf_makes_room_for_any_length),
        cmocka_unit_test(arena_pieces_are_aligned_and_apart),
        cmocka_unit_test(arena_counts_what_was_taken),
        cmocka_unit_test(a_reset_arena_uses_its_largest_block_again),
        cmocka_unit_test(arena_copies_text),
        cmocka_unit_test(destroying_nothing_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
