/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses as people write them, and sockets for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "serve/listen.h"

static struct nd_error error;
static char folder[64];
static char *address; /* of a unix socket in it */

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/neurald-listen-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    address = nd_sprintf("unix:%s/socket", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(address + 5);
    (void)rmdir(folder);
    free(address);
    return 0;
}

static void what_is_no_address_is_said(void **state)
{
    static const char *const wrong[] = {
        "",         "11380",      ":11380",        "localhost",
        "host:",    "host:port",  "host:70000",    "unix:",
        "unix:rel", "[::1]:http", "127.0.0.1:1:x",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(nd_listener_check(wrong[i], &error), ND_CONFIG);
    }
    char *path = nd_sprintf("unix:/%0200d", 7);
    assert_int_equal(nd_listener_check(path, &error), ND_CONFIG);
    free(path);
    assert_int_equal(nd_listener_check("[::1]:0", &error), ND_OK);
    assert_int_equal(nd_listener_check("mx.example.org:80", &error), ND_OK);
}

static void a_port_is_listened_on_once(void **state)
{
    struct nd_listener one = {.socket = -1}, other = {.socket = -1};
    struct sockaddr_in name;
    socklen_t length = sizeof(name);
    (void)state;
    assert_int_equal(nd_listener_open("127.0.0.1:0", &error, &one), ND_OK);
    assert_false(one.is_remote);
    assert_int_equal(getsockname(one.socket, (struct sockaddr *)&name, &length),
                     0);
    char *taken = nd_sprintf("127.0.0.1:%u", ntohs(name.sin_port));
    assert_int_equal(nd_listener_open(taken, &error, &other), ND_UNAVAILABLE);
    free(taken);
    nd_listener_close(&one);
    assert_int_equal(one.socket, -1);
    assert_int_equal(nd_listener_open("0.0.0.0:0", &error, &one), ND_OK);
    assert_true(one.is_remote);
    nd_listener_close(&one);
}

static void a_unix_socket_is_open_to_all_and_removed_at_the_end(void **state)
{
    struct nd_listener listener = {.socket = -1}, other = {.socket = -1};
    struct stat info;
    (void)state;
    assert_int_equal(nd_listener_open(address, &error, &listener), ND_OK);
    assert_false(listener.is_remote);
    assert_int_equal(stat(address + 5, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0666);
    assert_int_equal(nd_listener_open(address, &error, &other), ND_UNAVAILABLE);
    nd_listener_close(&listener);
    assert_int_equal(access(address + 5, F_OK), -1);
}

static void a_socket_left_behind_is_replaced_and_a_file_is_not(void **state)
{
    struct nd_listener listener = {.socket = -1};
    (void)state;
    assert_int_equal(nd_listener_open(address, &error, &listener), ND_OK);
    close(listener.socket); /* as a killed daemon leaves it */
    listener.socket = -1;
    free(listener.path);
    free(listener.address);
    assert_int_equal(nd_listener_open(address, &error, &listener), ND_OK);
    nd_listener_close(&listener);
    FILE *file = fopen(address + 5, "we");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(nd_listener_open(address, &error, &listener),
                     ND_UNAVAILABLE);
    assert_int_equal(access(address + 5, F_OK), 0);
}

static void without_systemd_nothing_is_inherited(void **state)
{
    struct nd_listener listeners[2];
    size_t count = 7;
    (void)state;
    assert_int_equal(unsetenv("LISTEN_FDS"), 0);
    assert_int_equal(nd_listeners_inherit(listeners, 2, &error, &count), ND_OK);
    assert_int_equal(count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_no_address_is_said),
        TEST(a_port_is_listened_on_once),
        TEST(a_unix_socket_is_open_to_all_and_removed_at_the_end),
        TEST(a_socket_left_behind_is_replaced_and_a_file_is_not),
        TEST(without_systemd_nothing_is_inherited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
