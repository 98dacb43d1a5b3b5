/* SPDX-License-Identifier: Apache-2.0
 *
 * The URL of a Redis store: what each part means, and that nothing malformed
 * is taken for something else.
 */
#include "store/redis_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct nd_arena *arena;
    struct nd_error error;
    struct nd_redis_options options;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->arena = nd_arena_create(0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    nd_arena_destroy(&fixture->arena);
    free(fixture);
    return 0;
}

static enum nd_status parse(struct fixture *fixture, const char *url)
{
    return nd_redis_options_parse(url, NULL, fixture->arena, &fixture->error,
                                  &fixture->options);
}

static void a_plain_host_takes_the_defaults(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(parse(fixture, "redis://mail.example"), ND_OK);
    assert_string_equal(fixture->options.endpoint.host, "mail.example");
    assert_int_equal(fixture->options.endpoint.port, 6379);
    assert_string_equal(fixture->options.prefix, "neurald");
    assert_int_equal(fixture->options.database, 0);
    assert_false(fixture->options.tls);
    assert_null(fixture->options.login.user);
    assert_null(fixture->options.login.password);
}

static void every_part_of_a_full_url_is_read(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(parse(fixture,
                           "rediss://me:a%40b%2F%25@[::1]:7000/3?prefix=mx.1"
                           "&wait_replicas=2&ca_file=/etc/ca.pem"
                           "&certificate_file=/c&key_file=/k&server_name=r"),
                     ND_OK);
    const struct nd_redis_options *options = &fixture->options;
    assert_string_equal(options->endpoint.host, "::1");
    assert_int_equal(options->endpoint.port, 7000);
    assert_int_equal(options->database, 3);
    assert_string_equal(options->login.user, "me");
    assert_string_equal(options->login.password, "a@b/%");
    assert_string_equal(options->prefix, "mx.1");
    assert_int_equal(options->wait_replicas, 2);
    assert_string_equal(options->ca_file, "/etc/ca.pem");
    assert_string_equal(options->certificate_file, "/c");
    assert_string_equal(options->key_file, "/k");
    assert_string_equal(options->server_name, "r");
    assert_true(options->tls);
}

static void a_unix_socket_has_a_path_and_no_host(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        parse(fixture, "redis+unix://:secret@/run/redis/redis%20a.sock?db=2"),
        ND_OK);
    assert_string_equal(fixture->options.endpoint.path,
                        "/run/redis/redis a.sock");
    assert_null(fixture->options.endpoint.host);
    assert_int_equal(fixture->options.database, 2);
    assert_null(fixture->options.login.user);
    assert_string_equal(fixture->options.login.password, "secret");
}

static void sentinels_come_with_ports_and_a_master(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        parse(fixture, "rediss+sentinel://u:p@a,b:5000,[fe80::1]:5001/mail/4"
                       "?sentinel_user=watch&sentinel_password_env=W"),
        ND_OK);
    const struct nd_redis_options *options = &fixture->options;
    assert_int_equal(options->sentinel_count, 3);
    assert_string_equal(options->sentinels[0].host, "a");
    assert_int_equal(options->sentinels[0].port, 26379);
    assert_int_equal(options->sentinels[1].port, 5000);
    assert_string_equal(options->sentinels[2].host, "fe80::1");
    assert_string_equal(options->master, "mail");
    assert_int_equal(options->database, 4);
    assert_string_equal(options->login.password, "p");
    assert_string_equal(options->sentinel_login.user, "watch");
    assert_string_equal(options->sentinel_login.password_env, "W");
    assert_true(options->tls);
}

static void malformed_urls_are_refused_with_a_reason(void **state)
{
    static const char *const bad[] = {
        "",
        "http://x",
        "redis:x",
        "redis://",
        "redis://:6379",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:12x",
        "redis://h:",
        "redis://[::1",
        "redis://[::1]x",
        "redis://h/x",
        "redis://h/-1",
        "redis://h?db",
        "redis://h?db=1&db=2",
        "redis://h?database=1",
        "redis://h?prefix=",
        "redis://h?prefix=a{b",
        "redis://h?wait_replicas=-1",
        "redis://h?ca_file=/x",
        "redis://%zz",
        "redis://h%0",
        "redis://h%00x",
        "redis://h%4",
        "rediss://h?certificate_file=/x",
        "redis+unix://host/path",
        "redis+unix://",
        "redis+unix:///",
        "redis+sentinel://a,b",
        "redis+sentinel://a,b/",
        "redis+sentinel://a,,b/m",
        "redis+sentinel:///m",
        "redis+sentinel://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17/m",
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fixture->error.text[0] = '\0';
        if (parse(fixture, bad[i]) != ND_CONFIG)
            fail_msg("taken: %s", bad[i]);
        assert_int_not_equal(fixture->error.text[0], '\0');
    }
}

static void no_message_shows_the_password(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(parse(fixture, "redis://u:hunter2@h:99999"), ND_CONFIG);
    assert_null(strstr(fixture->error.text, "hunter2"));
    assert_int_equal(parse(fixture, "redis://u:hunter2%zz@h"), ND_CONFIG);
    assert_null(strstr(fixture->error.text, "hunter2"));
}

static void given_options_go_before_the_url(void **state)
{
    struct fixture *fixture = *state;
    char prefix[] = "other";
    struct nd_redis_options given = {
        .prefix = prefix,
        .wait_replicas = 1,
        .login = {.user = "given", .password = "word"},
        .endpoint = {.host = "elsewhere", .port = 1},
    };
    assert_int_equal(
        nd_redis_options_parse("redis://u:p@h:2/3?prefix=mine&wait_replicas=5",
                               &given, fixture->arena, &fixture->error,
                               &fixture->options),
        ND_OK);
    prefix[0] = 'X'; /* strings were copied */
    assert_string_equal(fixture->options.prefix, "other");
    assert_int_equal(fixture->options.wait_replicas, 1);
    assert_string_equal(fixture->options.login.user, "given");
    assert_string_equal(fixture->options.login.password, "word");
    assert_string_equal(fixture->options.endpoint.host, "elsewhere");
    assert_int_equal(fixture->options.database, 3);
}

static void write_file(const char *path, const char *text, size_t length)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void the_password_comes_from_file_then_environment_then_url(void **state)
{
    struct fixture *fixture = *state;
    char folder[] = "/tmp/neurald-url-XXXXXX", path[64];
    char secret[ND_REDIS_SECRET_BYTES];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/secret", folder);
    write_file(path, "from file\r\nsecond line\n", 23);
    assert_int_equal(setenv("NEURALD_TEST_SECRET", "from environment", 1), 0);
    struct nd_redis_login login = {.password = "from url",
                                   .password_env = "NEURALD_TEST_SECRET",
                                   .password_file = path};
    assert_int_equal(nd_redis_login_password(&login, &fixture->error, secret),
                     ND_OK);
    assert_string_equal(secret, "from file");
    login.password_file = NULL;
    assert_int_equal(nd_redis_login_password(&login, &fixture->error, secret),
                     ND_OK);
    assert_string_equal(secret, "from environment");
    login.password_env = NULL;
    assert_int_equal(nd_redis_login_password(&login, &fixture->error, secret),
                     ND_OK);
    assert_string_equal(secret, "from url");
    login.password = NULL;
    assert_int_equal(nd_redis_login_password(&login, &fixture->error, secret),
                     ND_OK);
    assert_string_equal(secret, "");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void a_password_that_cannot_be_had_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    char secret[ND_REDIS_SECRET_BYTES] = "untouched";
    char folder[] = "/tmp/neurald-url-XXXXXX", path[64];
    struct nd_redis_login login = {.password_file = "/nonexistent/secret"};
    assert_int_equal(nd_redis_login_password(&login, &fixture->error, secret),
                     ND_NO_INPUT);
    login = (struct nd_redis_login){.password_env = "NEURALD_TEST_UNSET"};
    assert_int_equal(nd_redis_login_password(&login, &fixture->error, secret),
                     ND_CONFIG);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/secret", folder);
    write_file(path, "\n", 1);
    login = (struct nd_redis_login){.password_file = path};
    assert_int_equal(nd_redis_login_password(&login, &fixture->error, secret),
                     ND_CONFIG);
    char large[2000];
    memset(large, 'x', sizeof(large));
    write_file(path, large, sizeof(large));
    assert_int_equal(nd_redis_login_password(&login, &fixture->error, secret),
                     ND_CONFIG);
    assert_string_equal(secret, "untouched");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void an_endpoint_is_shown_as_people_write_it(void **state)
{
    char text[ND_REDIS_ENDPOINT_TEXT_BYTES];
    struct nd_redis_endpoint tcp = {.host = "h", .port = 1};
    struct nd_redis_endpoint local = {.path = "/run/r"};
    nd_redis_endpoint_text(&tcp, text);
    assert_string_equal(text, "h:1");
    nd_redis_endpoint_text(&local, text);
    assert_string_equal(text, "/run/r");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_host_takes_the_defaults),
        TEST(every_part_of_a_full_url_is_read),
        TEST(a_unix_socket_has_a_path_and_no_host),
        TEST(sentinels_come_with_ports_and_a_master),
        TEST(malformed_urls_are_refused_with_a_reason),
        TEST(no_message_shows_the_password),
        TEST(given_options_go_before_the_url),
        TEST(the_password_comes_from_file_then_environment_then_url),
        TEST(a_password_that_cannot_be_had_is_an_error),
        TEST(an_endpoint_is_shown_as_people_write_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
