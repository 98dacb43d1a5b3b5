/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the store is, and who may make it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "cli/session.h"

static char folder[] = "/tmp/neurald-session-XXXXXX";
static const struct nd_option no_options[] = {
    {"rule", ND_OPTION_VALUE, "NAME", ""}, {0}};

static const struct nd_option *find(const char *name, void *context)
{
    (void)name;
    (void)context;
    return no_options;
}

/* A command line without options. */
static struct nd_cli *make_cli(void)
{
    static struct nd_cli cli;
    static struct nd_arguments *arguments;
    char *argv[] = {"neurald", "status"};
    struct nd_command_line line = {no_options, find, NULL};
    nd_arguments_destroy(&arguments);
    nd_config_destroy(&cli.config);
    assert_int_equal(nd_arguments_parse(&line, 2, argv, &cli.error, &arguments),
                     ND_OK);
    assert_int_equal(nd_config_load(NULL, &cli.error, &cli.config), ND_OK);
    cli.arguments = arguments;
    return &cli;
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char *command = nd_sprintf("rm -r '%s'", folder);
    int result = system(command);
    free(command);
    return result;
}

static void expect_url(const char *wanted)
{
    char *url = nd_session_url(make_cli()->config);
    assert_string_equal(url, wanted);
    free(url);
}

static void the_default_is_the_users_own(void **state)
{
    (void)state;
    setenv("HOME", "/home/of me", 1);
    unsetenv("XDG_STATE_HOME");
    expect_url("sqlite:/home/of me/.local/state/neurald/neurald.db");
    setenv("XDG_STATE_HOME", "/state", 1);
    expect_url("sqlite:/state/neurald/neurald.db");
    /* A relative path is to be ignored (XDG Base Directory Specification). */
    setenv("XDG_STATE_HOME", "state", 1);
    expect_url("sqlite:/home/of me/.local/state/neurald/neurald.db");
    setenv("XDG_STATE_HOME", "", 1);
    expect_url("sqlite:/home/of me/.local/state/neurald/neurald.db");
}

static void a_given_store_goes_before_it(void **state)
{
    struct nd_cli *cli = make_cli();
    (void)state;
    nd_config_set_store(cli->config, "sqlite:/x", "--store");
    char *url = nd_session_url(cli->config);
    assert_string_equal(url, "sqlite:/x");
    free(url);
}

static void a_password_is_not_shown(void **state)
{
    static const char *const urls[][2] = {
        {"redis://me:secret@host:6379/1", "redis://me:***@host:6379/1"},
        {"redis://:secret@host", "redis://:***@host"},
        {"redis+unix://a:b@/run/x?user=c", "redis+unix://a:***@/run/x?user=c"},
        {"redis://host:6379", "redis://host:6379"},
        {"redis://me@host:6379", "redis://me@host:6379"},
        {"redis://host:6379/?prefix=a@b", "redis://host:6379/?prefix=a@b"},
        {"sqlite:/a:b@c", "sqlite:/a:b@c"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        char *shown = nd_session_shown_url(urls[i][0]);
        assert_string_equal(shown, urls[i][1]);
        free(shown);
    }
}

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static void only_creation_creates(void **state)
{
    struct nd_session *session = NULL;
    char *state_home = nd_sprintf("%s/a/b", folder);
    char *own = nd_sprintf("%s/a/b/neurald", folder);
    (void)state;
    setenv("XDG_STATE_HOME", state_home, 1);
    for (int mode = ND_SESSION_READ; mode <= ND_SESSION_WRITE; mode++) {
        struct nd_cli *cli = make_cli();
        assert_int_equal(
            nd_session_open_store(cli, (enum nd_session_mode)mode, &session),
            ND_NO_INPUT);
        assert_non_null(strstr(cli->error.text, own));
        assert_null(session);
        assert_false(exists(state_home));
    }
    assert_int_equal(
        nd_session_open_store(make_cli(), ND_SESSION_CREATE, &session), ND_OK);
    struct stat info;
    assert_int_equal(stat(own, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    nd_session_close(&session);
    assert_null(session);
    assert_int_equal(
        nd_session_open_store(make_cli(), ND_SESSION_READ, &session), ND_OK);
    nd_session_close(&session);
    free(state_home);
    free(own);
}

static void a_given_stores_folder_is_never_made(void **state)
{
    struct nd_session *session = NULL;
    char *path = nd_sprintf("%s/none/x.db", folder);
    char *parent = nd_sprintf("%s/none", folder);
    struct nd_cli *cli = make_cli();
    (void)state;
    nd_config_set_store(cli->config, path, "--store");
    assert_int_not_equal(
        nd_session_open_store(cli, ND_SESSION_CREATE, &session), ND_OK);
    assert_false(exists(parent));
    free(path);
    free(parent);
}

static void a_broken_key_file_opens_nothing(void **state)
{
    struct nd_session *session = NULL;
    struct nd_cli *cli = make_cli();
    (void)state;
    cli->config->global.key_file = nd_strdup("/nonexistent/key");
    assert_int_not_equal(nd_session_open_store(cli, ND_SESSION_READ, &session),
                         ND_OK);
    assert_non_null(strstr(cli->error.text, "/nonexistent/key"));
    assert_null(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_the_users_own),
        cmocka_unit_test(a_given_store_goes_before_it),
        cmocka_unit_test(a_password_is_not_shown),
        cmocka_unit_test(only_creation_creates),
        cmocka_unit_test(a_given_stores_folder_is_never_made),
        cmocka_unit_test(a_broken_key_file_opens_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
