/* SPDX-License-Identifier: Apache-2.0
 *
 * How a URL finds its backend.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/backend.h"

struct fixture {
    char folder[64];
    char home[256];
    struct nd_error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    (void)snprintf(fixture->folder, sizeof(fixture->folder),
                   "/tmp/neurald-open-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    assert_non_null(getcwd(fixture->home, sizeof(fixture->home)));
    assert_int_equal(chdir(fixture->folder), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    (void)unlink("a.db");
    (void)unlink("a:b.db");
    assert_int_equal(chdir(fixture->home), 0);
    assert_int_equal(rmdir(fixture->folder), 0);
    free(fixture);
    return 0;
}

/* The backend's name, or the status's that opening ends with. */
static const char *kind(struct fixture *fixture, const char *url)
{
    static char name[32];
    struct nd_store_options options = {.create = true};
    struct nd_store *store = NULL;
    enum nd_status status =
        nd_store_open(url, &options, &fixture->error, &store);
    (void)snprintf(name, sizeof(name), "%s",
                   status == ND_OK ? store->backend->name
                                   : nd_status_name(status));
    nd_store_close(&store);
    assert_null(store);
    return name;
}

static void a_bare_path_is_sqlites(void **state)
{
    char path[96];
    struct fixture *fixture = *state;
    (void)snprintf(path, sizeof(path), "%s/a.db", fixture->folder);
    assert_string_equal(kind(fixture, path), "sqlite");
    assert_string_equal(kind(fixture, "a.db"), "sqlite");
    assert_string_equal(kind(fixture, "./a:b.db"), "sqlite");
    assert_int_equal(access("a:b.db", F_OK), 0);
}

static void a_scheme_chooses_the_backend(void **state)
{
    assert_string_equal(kind(*state, "sqlite:a.db"), "sqlite");
    assert_string_equal(kind(*state, "sqlite:./a:b.db"), "sqlite");
}

static void an_unknown_scheme_is_a_configuration_error(void **state)
{
    struct fixture *fixture = *state;
    assert_string_equal(kind(fixture, "postgres://x/y"), "config");
    assert_non_null(strstr(fixture->error.text, "postgres"));
    assert_non_null(strstr(fixture->error.text, "sqlite:PATH"));
    assert_string_equal(kind(fixture, "sqlit:a.db"), "config");
}

static void no_store_at_all_is_a_configuration_error(void **state)
{
    assert_string_equal(kind(*state, ""), "config");
    assert_string_equal(kind(*state, "sqlite:"), "config");
}

static void faults_are_for_tests_only(void **state)
{
    assert_int_equal(unsetenv("NEURALD_TEST_FAULTS"), 0);
    assert_string_equal(kind(*state, "faulty::sqlite:a.db"), "config");
    assert_int_equal(setenv("NEURALD_TEST_FAULTS", "1", 1), 0);
    assert_string_equal(kind(*state, "faulty::sqlite:a.db"), "faulty");
    assert_string_equal(kind(*state, "faulty:now@2=full:a.db"), "faulty");
    assert_string_equal(kind(*state, "faulty:nothing"), "config");
    assert_string_equal(kind(*state, "faulty:bad:a.db"), "config");
    assert_int_equal(unsetenv("NEURALD_TEST_FAULTS"), 0);
}

static void closing_nothing_is_allowed(void **state)
{
    struct nd_store *store = NULL;
    (void)state;
    nd_store_close(&store);
    nd_store_close(NULL);
}

static void options_may_be_left_out(void **state)
{
    struct fixture *fixture = *state;
    struct nd_store *store = NULL;
    assert_int_equal(nd_store_open("a.db", NULL, &fixture->error, &store),
                     ND_NO_INPUT);
    assert_null(store);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        test(a_bare_path_is_sqlites),
        test(a_scheme_chooses_the_backend),
        test(an_unknown_scheme_is_a_configuration_error),
        test(no_store_at_all_is_a_configuration_error),
        test(faults_are_for_tests_only),
        test(closing_nothing_is_allowed),
        test(options_may_be_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
