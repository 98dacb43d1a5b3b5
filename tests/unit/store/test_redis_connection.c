/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections to a real redis-server: every kind of transport, logins, TLS
 * that verifies, and deadlines that hold against a server that does not play.
 */
#include "store/redis_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "redis_server.h"

struct fixture {
    struct redis_server server;
    struct nd_arena *arena;
    struct nd_error error;
    struct nd_redis_options options;
    struct nd_redis_connection *connection;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    fixture->arena = nd_arena_create(0);
    redis_server_prepare(&fixture->server);
    return nd_hash_init(&fixture->error) == ND_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    nd_redis_connection_close(&fixture->connection);
    nd_arena_destroy(&fixture->arena);
    redis_server_remove(&fixture->server);
    free(fixture);
    return 0;
}

static enum nd_status open_url(struct fixture *fixture, const char *format, ...)
{
    char url[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(url, sizeof(url), format, arguments);
    va_end(arguments);
    nd_redis_connection_close(&fixture->connection);
    enum nd_status status = nd_redis_options_parse(
        url, NULL, fixture->arena, &fixture->error, &fixture->options);
    assert_int_equal(status, ND_OK);
    return nd_redis_connection_open(&fixture->options.endpoint,
                                    &fixture->options, &fixture->options.login,
                                    true, nd_clock_monotonic_us() + 2000000,
                                    &fixture->error, &fixture->connection);
}

static const struct nd_redis_reply *call(struct fixture *fixture,
                                         const char *first, const char *second,
                                         const char *third)
{
    const char *words[] = {first, second, third, NULL};
    const struct nd_redis_reply *reply = NULL;
    assert_int_equal(nd_redis_connection_call(fixture->connection, words,
                                              nd_clock_monotonic_us() + 2000000,
                                              &fixture->error, &reply),
                     ND_OK);
    return reply;
}

static void a_socket_and_a_port_lead_to_the_same_server(void **state)
{
    struct fixture *fixture = *state;
    redis_server_start(&fixture->server, NULL);
    assert_int_equal(
        open_url(fixture, "redis+unix://%s", fixture->server.socket), ND_OK);
    assert_string_equal(call(fixture, "SET", "a", "here")->text, "OK");
    assert_int_equal(
        open_url(fixture, "redis://127.0.0.1:%u", fixture->server.port), ND_OK);
    assert_string_equal(call(fixture, "GET", "a", NULL)->text, "here");
    assert_int_equal(
        open_url(fixture, "redis://localhost:%u", fixture->server.port), ND_OK);
    assert_string_equal(call(fixture, "GET", "a", NULL)->text, "here");
}

static void databases_are_apart(void **state)
{
    struct fixture *fixture = *state;
    redis_server_start(&fixture->server, NULL);
    assert_int_equal(
        open_url(fixture, "redis+unix://%s?db=3", fixture->server.socket),
        ND_OK);
    assert_string_equal(call(fixture, "SET", "a", "three")->text, "OK");
    assert_int_equal(
        open_url(fixture, "redis+unix://%s", fixture->server.socket), ND_OK);
    assert_int_equal(call(fixture, "GET", "a", NULL)->type, ND_REDIS_NIL);
    assert_int_equal(
        open_url(fixture, "redis+unix://%s?db=9", fixture->server.socket),
        ND_PERMISSION);
}

static void every_byte_value_comes_back(void **state)
{
    struct fixture *fixture = *state;
    unsigned char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (unsigned char)i;
    redis_server_start(&fixture->server, NULL);
    assert_int_equal(
        open_url(fixture, "redis+unix://%s", fixture->server.socket), ND_OK);
    struct nd_redis_argument set[] = {
        {"SET", 3}, {bytes, sizeof(bytes)}, {bytes, sizeof(bytes)}};
    struct nd_redis_argument get[] = {{"GET", 3}, {bytes, sizeof(bytes)}};
    int64_t deadline_us = nd_clock_monotonic_us() + 2000000;
    const struct nd_redis_reply *reply;
    nd_redis_connection_queue(fixture->connection, set, 3);
    nd_redis_connection_queue(fixture->connection, get, 2);
    assert_int_equal(nd_redis_connection_flush(fixture->connection, deadline_us,
                                               &fixture->error),
                     ND_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(nd_redis_connection_receive(fixture->connection,
                                                     deadline_us,
                                                     &fixture->error, &reply),
                         ND_OK);
    assert_int_equal(reply->length, 256);
    assert_memory_equal(reply->text, bytes, 256);
}

static void megabytes_go_out_and_come_back(void **state)
{
    struct fixture *fixture = *state;
    size_t length = 8U << 20;
    char *large = calloc(1, length + 1);
    memset(large, 'm', length);
    redis_server_start(&fixture->server, NULL);
    assert_int_equal(
        open_url(fixture, "redis+unix://%s", fixture->server.socket), ND_OK);
    assert_string_equal(call(fixture, "SET", "a", large)->text, "OK");
    const struct nd_redis_reply *reply = call(fixture, "GET", "a", NULL);
    assert_int_equal(reply->length, length);
    assert_memory_equal(reply->text, large, length);
    free(large);
}

static void a_login_is_needed_and_taken(void **state)
{
    static const char *const arguments[] = {
        "--requirepass", "open@sesame", "--user", "writer", "on",
        ">word",         "~*",          "&*",     "+@all",  NULL};
    struct fixture *fixture = *state;
    const char *path = fixture->server.socket;
    redis_server_start(&fixture->server, arguments);
    assert_int_equal(open_url(fixture, "redis+unix://:open%%40sesame@%s", path),
                     ND_OK);
    assert_string_equal(call(fixture, "PING", NULL, NULL)->text, "PONG");
    assert_int_equal(open_url(fixture, "redis+unix://writer:word@%s", path),
                     ND_OK);
    assert_string_equal(call(fixture, "ACL", "WHOAMI", NULL)->text, "writer");
    assert_int_equal(open_url(fixture, "redis+unix://:wrong@%s", path),
                     ND_PERMISSION);
    assert_null(strstr(fixture->error.text, "wrong@"));
    assert_int_equal(open_url(fixture, "redis+unix://%s", path), ND_OK);
    assert_true(nd_redis_is_error(call(fixture, "PING", NULL, NULL), "NOAUTH"));
}

static void nobody_there_is_unavailable(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        open_url(fixture, "redis://127.0.0.1:%u", fixture->server.port),
        ND_UNAVAILABLE);
    assert_int_equal(
        open_url(fixture, "redis+unix://%s", fixture->server.socket),
        ND_UNAVAILABLE);
    assert_int_equal(open_url(fixture, "redis://no.such.host.invalid"),
                     ND_UNAVAILABLE);
    assert_non_null(strstr(fixture->error.text, "no.such.host.invalid"));
}

/* ---- TLS ---- */

static void start_tls_server(struct fixture *fixture, const char *clients)
{
    char certificate[96], key[96], authority[96];
    const char *folder = fixture->server.folder;
    fixture->server.tls = true;
    redis_server_make_certificates(&fixture->server);
    (void)snprintf(certificate, sizeof(certificate), "%s/server.crt", folder);
    (void)snprintf(key, sizeof(key), "%s/server.key", folder);
    (void)snprintf(authority, sizeof(authority), "%s/ca.crt", folder);
    const char *arguments[] = {"--tls-cert-file",
                               certificate,
                               "--tls-key-file",
                               key,
                               "--tls-ca-cert-file",
                               authority,
                               "--tls-auth-clients",
                               clients,
                               NULL};
    redis_server_start(&fixture->server, arguments);
}

static void tls_verifies_the_authority_and_the_name(void **state)
{
    struct fixture *fixture = *state;
    start_tls_server(fixture, "no");
    const char *folder = fixture->server.folder;
    unsigned port = fixture->server.port;
    assert_int_equal(open_url(fixture,
                              "rediss://127.0.0.1:%u?ca_file=%s/ca.crt", port,
                              folder),
                     ND_OK);
    assert_string_equal(call(fixture, "PING", NULL, NULL)->text, "PONG");
    assert_int_equal(open_url(fixture,
                              "rediss://localhost:%u?ca_file=%s/ca.crt"
                              "&server_name=redis.test",
                              port, folder),
                     ND_OK);
    assert_int_equal(open_url(fixture,
                              "rediss://localhost:%u?ca_file=%s/ca.crt", port,
                              folder),
                     ND_UNAVAILABLE);
    assert_non_null(strstr(fixture->error.text, "ostname mismatch"));
    assert_int_equal(open_url(fixture, "rediss://127.0.0.1:%u", port),
                     ND_UNAVAILABLE);
    assert_int_equal(open_url(fixture,
                              "rediss://127.0.0.1:%u?ca_file=%s/client.crt",
                              port, folder),
                     ND_UNAVAILABLE);
    assert_int_equal(open_url(fixture, "rediss://127.0.0.1:%u?ca_file=%s/none",
                              port, folder),
                     ND_CONFIG);
}

static void tls_shows_the_clients_certificate(void **state)
{
    struct fixture *fixture = *state;
    start_tls_server(fixture, "yes");
    const char *folder = fixture->server.folder;
    unsigned port = fixture->server.port;
    assert_int_equal(
        open_url(fixture,
                 "rediss://127.0.0.1:%u?ca_file=%s/ca.crt"
                 "&certificate_file=%s/client.crt&key_file=%s/client.key",
                 port, folder, folder, folder),
        ND_OK);
    char *large = calloc(1, 3000001);
    memset(large, 't', 3000000);
    assert_string_equal(call(fixture, "SET", "a", large)->text, "OK");
    assert_string_equal(call(fixture, "GET", "a", NULL)->text, large);
    free(large);
    enum nd_status status = open_url(
        fixture, "rediss://127.0.0.1:%u?ca_file=%s/ca.crt", port, folder);
    if (status == ND_OK) { /* TLS 1.3 tells a client after the handshake */
        const char *words[] = {"PING", NULL};
        const struct nd_redis_reply *reply;
        status = nd_redis_connection_call(fixture->connection, words,
                                          nd_clock_monotonic_us() + 2000000,
                                          &fixture->error, &reply);
    }
    assert_int_equal(status, ND_UNAVAILABLE);
}

/* ---- servers that do not play ---- */

/* Accepts one client and sends text to it, a byte each 10 ms, for ever. */
struct bad_server {
    int listener;
    const char *text;
    pthread_t thread;
};

static void *run_bad_server(void *context)
{
    struct bad_server *server = context;
    int client = accept(server->listener, NULL, NULL);
    size_t length = strlen(server->text);
    for (size_t i = 0; length > 0; i = (i + 1) % length) {
        if (send(client, server->text + i, 1, MSG_NOSIGNAL) != 1)
            break;
        (void)poll(NULL, 0, 10);
    }
    char byte;
    while (recv(client, &byte, 1, 0) > 0)
        ;
    (void)close(client);
    return NULL;
}

static void start_bad_server(struct bad_server *server, uint16_t port,
                             const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->text = text;
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(
        bind(server->listener, (struct sockaddr *)&address, sizeof(address)),
        0);
    assert_int_equal(listen(server->listener, 1), 0);
    assert_int_equal(
        pthread_create(&server->thread, NULL, run_bad_server, server), 0);
}

static void stop_bad_server(struct fixture *fixture, struct bad_server *server)
{
    nd_redis_connection_close(&fixture->connection);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    (void)close(server->listener);
}

/* Calls PING with 200 ms to live, and says how long it took. */
static enum nd_status ping_briefly(struct fixture *fixture, int64_t *took_ms_r)
{
    const char *words[] = {"PING", NULL};
    const struct nd_redis_reply *reply;
    int64_t start_us = nd_clock_monotonic_us();
    enum nd_status status = nd_redis_connection_call(
        fixture->connection, words, start_us + 200000, &fixture->error, &reply);
    *took_ms_r = (nd_clock_monotonic_us() - start_us) / 1000;
    return status;
}

static void a_silent_server_costs_no_more_than_the_deadline(void **state)
{
    struct fixture *fixture = *state;
    struct bad_server server;
    int64_t took_ms;
    start_bad_server(&server, fixture->server.port, "");
    assert_int_equal(
        open_url(fixture, "redis://127.0.0.1:%u", fixture->server.port), ND_OK);
    assert_int_equal(ping_briefly(fixture, &took_ms), ND_UNAVAILABLE);
    assert_in_range(took_ms, 150, 1500);
    stop_bad_server(fixture, &server);
}

static void a_dripping_server_costs_no_more_than_the_deadline(void **state)
{
    struct fixture *fixture = *state;
    struct bad_server server;
    int64_t took_ms;
    start_bad_server(&server, fixture->server.port,
                     "+aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_int_equal(
        open_url(fixture, "redis://127.0.0.1:%u", fixture->server.port), ND_OK);
    assert_int_equal(ping_briefly(fixture, &took_ms), ND_UNAVAILABLE);
    assert_in_range(took_ms, 150, 1500);
    stop_bad_server(fixture, &server);
}

static void another_protocol_is_a_data_error(void **state)
{
    struct fixture *fixture = *state;
    struct bad_server server;
    int64_t took_ms;
    start_bad_server(&server, fixture->server.port, "HTTP/1.1 400\r\n");
    assert_int_equal(
        open_url(fixture, "redis://127.0.0.1:%u", fixture->server.port), ND_OK);
    assert_int_equal(ping_briefly(fixture, &took_ms), ND_DATA);
    stop_bad_server(fixture, &server);
}

static void a_replica_names_its_master(void **state)
{
    struct fixture *fixture = *state;
    static const char *const arguments[] = {"--replicaof", "127.0.0.1 1", NULL};
    redis_server_start(&fixture->server, arguments);
    assert_int_equal(
        open_url(fixture, "redis+unix://%s", fixture->server.socket), ND_OK);
    enum nd_redis_role role = ND_REDIS_OTHER;
    struct nd_redis_endpoint master;
    int64_t deadline_us = nd_clock_monotonic_us() + 2000000;
    assert_int_equal(nd_redis_connection_role(fixture->connection, deadline_us,
                                              fixture->arena, &fixture->error,
                                              &role, &master),
                     ND_OK);
    assert_int_equal(role, ND_REDIS_REPLICA);
    assert_string_equal(master.host, "127.0.0.1");
    assert_int_equal(master.port, 1);
    call(fixture, "REPLICAOF", "NO", "ONE");
    assert_int_equal(nd_redis_connection_role(fixture->connection, deadline_us,
                                              fixture->arena, &fixture->error,
                                              &role, &master),
                     ND_OK);
    assert_int_equal(role, ND_REDIS_MASTER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_socket_and_a_port_lead_to_the_same_server),
        TEST(databases_are_apart),
        TEST(every_byte_value_comes_back),
        TEST(megabytes_go_out_and_come_back),
        TEST(a_login_is_needed_and_taken),
        TEST(nobody_there_is_unavailable),
        TEST(tls_verifies_the_authority_and_the_name),
        TEST(tls_shows_the_clients_certificate),
        TEST(a_silent_server_costs_no_more_than_the_deadline),
        TEST(a_dripping_server_costs_no_more_than_the_deadline),
        TEST(another_protocol_is_a_data_error),
        TEST(a_replica_names_its_master),
    };
    if (!redis_server_available()) {
        fprintf(stderr, "skipped: there is no redis-server\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
