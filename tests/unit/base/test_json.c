/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON as it is written, read back by jansson.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/json.h"

/* The one line that was written, parsed. */
static json_t *read_back(struct nd_json *json)
{
    char *text = NULL;
    size_t length = 0;
    json_error_t problem;
    FILE *file = open_memstream(&text, &length);
    assert_int_equal(nd_json_line(json, file, NULL), ND_OK);
    fclose(file);
    assert_ptr_equal(strchr(text, '\n'), text + length - 1);
    json_t *value = json_loads(text, JSON_ALLOW_NUL, &problem);
    assert_non_null(value);
    free(text);
    return value;
}

static void nested_values_read_back(void **state)
{
    struct nd_json json = {0};
    (void)state;
    nd_json_open(&json, NULL, '{');
    nd_json_integer(&json, "low", INT64_MIN);
    nd_json_unsigned(&json, "count", 12);
    nd_json_open(&json, "list", '[');
    nd_json_text(&json, NULL, "a");
    nd_json_switch(&json, NULL, true);
    nd_json_open(&json, NULL, '{');
    nd_json_close(&json, '}');
    nd_json_close(&json, ']');
    nd_json_switch(&json, "after", false);
    nd_json_close(&json, '}');
    json_t *value = read_back(&json);
    assert_int_equal(json_integer_value(json_object_get(value, "low")),
                     INT64_MIN);
    assert_int_equal(json_integer_value(json_object_get(value, "count")), 12);
    json_t *list = json_object_get(value, "list");
    assert_int_equal(json_array_size(list), 3);
    assert_true(json_is_true(json_array_get(list, 1)));
    assert_true(json_is_false(json_object_get(value, "after")));
    json_decref(value);
    nd_json_free(&json);
}

static void numbers_read_back_exactly(void **state)
{
    static const double values[] = {0.1, 1.0 / 3, 1e-300, -2.5, 1e21, 12345678};
    struct nd_json json = {0};
    (void)state;
    nd_json_open(&json, NULL, '[');
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        nd_json_number(&json, NULL, values[i]);
    }
    nd_json_close(&json, ']');
    json_t *value = read_back(&json);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_true(json_number_value(json_array_get(value, i)) == values[i]);
    }
    json_decref(value);
    nd_json_free(&json);
}

static void what_is_not_finite_becomes_null(void **state)
{
    struct nd_json json = {0};
    (void)state;
    nd_json_open(&json, NULL, '[');
    nd_json_number(&json, NULL, (double)NAN);
    nd_json_rounded(&json, NULL, (double)INFINITY, 3);
    nd_json_close(&json, ']');
    json_t *value = read_back(&json);
    assert_true(json_is_null(json_array_get(value, 0)));
    assert_true(json_is_null(json_array_get(value, 1)));
    json_decref(value);
    nd_json_free(&json);
}

static void rounding_keeps_significant_digits(void **state)
{
    struct nd_json json = {0};
    (void)state;
    nd_json_open(&json, NULL, '[');
    nd_json_rounded(&json, NULL, 0.059549, 3);
    nd_json_close(&json, ']');
    assert_string_equal((char *)json.buffer.data, "[0.0595]");
    nd_json_free(&json);
}

static void hostile_text_stays_one_line(void **state)
{
    struct nd_json json = {0};
    (void)state;
    nd_json_open(&json, NULL, '{');
    nd_json_text(&json, "path", "a\n\"b\"\\\x01\xff");
    nd_json_close(&json, '}');
    json_t *value = read_back(&json);
    assert_string_equal(json_string_value(json_object_get(value, "path")),
                        "a\n\"b\"\\\x01\xef\xbf\xbd");
    json_decref(value);
    nd_json_free(&json);
}

static void two_objects_take_two_lines(void **state)
{
    struct nd_json json = {0};
    char *text = NULL;
    size_t length = 0;
    (void)state;
    FILE *file = open_memstream(&text, &length);
    for (int i = 0; i < 2; i++) {
        nd_json_open(&json, NULL, '{');
        nd_json_integer(&json, "i", i);
        nd_json_close(&json, '}');
        assert_int_equal(nd_json_line(&json, file, NULL), ND_OK);
    }
    fclose(file);
    assert_string_equal(text, "{\"i\":0}\n{\"i\":1}\n");
    free(text);
    nd_json_free(&json);
}

static void a_full_disk_is_told(void **state)
{
    struct nd_json json = {0};
    struct nd_error error = {0};
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    nd_json_open(&json, NULL, '{');
    nd_json_close(&json, '}');
    assert_int_equal(nd_json_line(&json, full, &error), ND_TEMPORARY);
    assert_non_null(strstr(error.text, "standard output"));
    fclose(full);
    nd_json_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nested_values_read_back),
        cmocka_unit_test(numbers_read_back_exactly),
        cmocka_unit_test(what_is_not_finite_becomes_null),
        cmocka_unit_test(rounding_keeps_significant_digits),
        cmocka_unit_test(hostile_text_stays_one_line),
        cmocka_unit_test(two_objects_take_two_lines),
        cmocka_unit_test(a_full_disk_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
