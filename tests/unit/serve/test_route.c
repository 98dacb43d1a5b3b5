/* SPDX-License-Identifier: Apache-2.0
 *
 * Which route a method and a path belong to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "serve/route.h"

static const struct nd_route *find(const char *method, const char *path,
                                   const char *word, const char *allowed)
{
    struct nd_buffer methods = {0};
    const char *found = "";
    const struct nd_route *route =
        nd_route_find(method, path, &found, &methods);
    assert_string_equal(found, word);
    assert_string_equal(methods.length > 0 ? (const char *)methods.data : "",
                        allowed);
    nd_buffer_free(&methods);
    return route;
}

static void every_route_is_found_by_its_own_path(void **state)
{
    (void)state;
    for (size_t i = 0; i < ND_ROUTE_COUNT; i++) {
        const struct nd_route *route = &nd_routes()[i];
        const char *word;
        assert_int_equal(route->id, i);
        assert_non_null(route->handler);
        if (strchr(route->path, '{') == NULL) {
            assert_ptr_equal(
                nd_route_find(route->method, route->path, &word, NULL), route);
        }
    }
}

static void a_variable_path_gives_its_word(void **state)
{
    (void)state;
    assert_int_equal(find("GET", "/v1/jobs/17", "17", "")->id, ND_ROUTE_JOB);
    assert_int_equal(find("GET", "/v1/models/4", "4", "")->id, ND_ROUTE_MODEL);
    assert_null(find("GET", "/v1/jobs/", "", ""));
    assert_null(find("GET", "/v1/jobs/1/2", "", ""));
    assert_null(find("GET", "/v1/jobs", "", ""));
}

static void a_wrong_method_names_the_right_ones(void **state)
{
    (void)state;
    assert_null(find("GET", "/v1/score", "", "POST"));
    assert_null(find("POST", "/healthz", "", "GET, HEAD"));
    assert_null(find("DELETE", "/v1/jobs/1", "", "GET, HEAD"));
    assert_null(find("GET", "/v1/models/pin", "", "POST"));
    assert_int_equal(find("HEAD", "/metrics", "", "")->id, ND_ROUTE_METRICS);
    assert_null(find("HEAD", "/v1/score", "", "POST"));
}

static void what_is_not_there_is_not_found(void **state)
{
    static const char *const paths[] = {
        "/", "", "/v1", "/v1/score/", "x", "/v1/scores", "/../metrics", "*"};
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_null(find("POST", paths[i], "", ""));
    }
}

static void types_of_bodies_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(nd_route_body(NULL), ND_TAKES_NOTHING);
    assert_int_equal(nd_route_body("message/rfc822"), ND_TAKES_MESSAGE);
    assert_int_equal(nd_route_body("Application/JSON; charset=utf-8"),
                     ND_TAKES_JSON);
    assert_int_equal(nd_route_body("multipart/mixed;boundary=x"),
                     ND_TAKES_PARTS);
    assert_int_equal(nd_route_body("multipart/form-data; boundary=x"),
                     ND_TAKES_PARTS);
    assert_int_equal(nd_route_body("text/plain"), 0);
    assert_int_equal(nd_route_body("application/jsonx"), 0);
    assert_int_equal(nd_route_body(""), 0);
}

static void parameters_are_known_by_their_whole_name(void **state)
{
    const struct nd_route *learn = &nd_routes()[ND_ROUTE_LEARN];
    (void)state;
    assert_true(nd_route_knows(learn, "rule"));
    assert_true(nd_route_knows(learn, "class"));
    assert_true(nd_route_knows(learn, "identity"));
    assert_false(nd_route_knows(learn, "clas"));
    assert_false(nd_route_knows(learn, "class source"));
    assert_false(nd_route_knows(learn, ""));
    assert_false(nd_route_knows(&nd_routes()[ND_ROUTE_HEALTH], "rule"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_found_by_its_own_path),
        cmocka_unit_test(a_variable_path_gives_its_word),
        cmocka_unit_test(a_wrong_method_names_the_right_ones),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(types_of_bodies_are_told_apart),
        cmocka_unit_test(parameters_are_known_by_their_whole_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
