/* SPDX-License-Identifier: Apache-2.0 */
#include "base/library.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct {
    __typeof__(&cos) cos;
    __typeof__(&sin) sin;
} table;

static void the_functions_of_a_library_are_found(void **state)
{
    (void)state;
    static const char *const names[] = {"cos", "sin"};
    struct nd_error error = {""};
    assert_int_equal(nd_library_load("libm.so.6", names, 2, &error, &table),
                     ND_OK);
    assert_true(table.cos(0) == 1);
    assert_true(table.sin(0) == 0);
}

static void a_library_that_is_not_installed_is_named(void **state)
{
    (void)state;
    static const char *const names[] = {"anything"};
    struct nd_error error = {""};
    assert_int_equal(nd_library_load("libnone.so.7", names, 1, &error, &table),
                     ND_UNAVAILABLE);
    assert_non_null(strstr(error.text, "libnone.so.7"));
    assert_non_null(strstr(error.text, "install"));
}

static void a_function_that_is_missing_is_named(void **state)
{
    (void)state;
    static const char *const names[] = {"cos", "nd_no_such_function"};
    struct nd_error error = {""};
    assert_int_equal(nd_library_load("libm.so.6", names, 2, &error, &table),
                     ND_UNAVAILABLE);
    assert_non_null(strstr(error.text, "nd_no_such_function"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_functions_of_a_library_are_found),
        cmocka_unit_test(a_library_that_is_not_installed_is_named),
        cmocka_unit_test(a_function_that_is_missing_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
