/* SPDX-License-Identifier: Apache-2.0
 *
 * The client against real servers that stop, restart, hang, become replicas or
 * fail over: what it hides, and what it says of the rest.
 */
#include "store/redis_client.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "redis_server.h"

struct fixture {
    struct redis_server server, other;
    struct nd_arena *arena;
    struct nd_error error;
    struct nd_redis_options options;
    struct nd_redis_client *client;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    fixture->arena = nd_arena_create(0);
    redis_server_prepare(&fixture->server);
    redis_server_prepare(&fixture->other);
    return nd_hash_init(&fixture->error) == ND_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    nd_redis_client_destroy(&fixture->client);
    nd_arena_destroy(&fixture->arena);
    redis_server_remove(&fixture->server);
    redis_server_remove(&fixture->other);
    free(fixture);
    return 0;
}

static void make_client(struct fixture *fixture, int64_t timeout_ms,
                        const char *format, ...)
{
    char url[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(url, sizeof(url), format, arguments);
    va_end(arguments);
    nd_redis_client_destroy(&fixture->client);
    assert_int_equal(nd_redis_options_parse(url, NULL, fixture->arena,
                                            &fixture->error, &fixture->options),
                     ND_OK);
    fixture->client = nd_redis_client_create(&fixture->options, timeout_ms);
}

static enum nd_status ask(struct fixture *fixture, bool writes,
                          const char *first, const char *second,
                          const char *third, char text_r[64])
{
    const char *words[] = {first, second, third, NULL};
    const struct nd_redis_reply *reply;
    enum nd_status status = nd_redis_client_ask(fixture->client, words, writes,
                                                &fixture->error, &reply);
    if (status == ND_OK && text_r != NULL)
        (void)snprintf(text_r, 64, "%s",
                       reply->text != NULL ? reply->text : "");
    return status;
}

static void a_restarted_server_is_found_again_without_a_failure(void **state)
{
    struct fixture *fixture = *state;
    redis_server_start(&fixture->server, NULL);
    make_client(fixture, 3000, "redis://127.0.0.1:%u", fixture->server.port);
    assert_int_equal(ask(fixture, true, "SET", "a", "1", NULL), ND_OK);
    redis_server_stop(&fixture->server);
    redis_server_start(&fixture->server, NULL);
    assert_int_equal(ask(fixture, true, "SET", "a", "2", NULL), ND_OK);
    assert_int_equal(nd_redis_client_connects(fixture->client), 2);
}

static void without_a_server_it_did_not_act(void **state)
{
    struct fixture *fixture = *state;
    make_client(fixture, 500, "redis://127.0.0.1:%u", fixture->server.port);
    assert_int_equal(ask(fixture, true, "SET", "a", "1", NULL), ND_UNAVAILABLE);
    assert_int_equal(ask(fixture, false, "GET", "a", NULL, NULL),
                     ND_UNAVAILABLE);
}

static void after_several_failures_it_answers_at_once(void **state)
{
    struct fixture *fixture = *state;
    make_client(fixture, 5000, "redis://127.0.0.1:%u", fixture->server.port);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(fixture, true, "SET", "a", "1", NULL),
                         ND_UNAVAILABLE);
    int64_t start_us = nd_clock_monotonic_us();
    assert_int_equal(ask(fixture, true, "SET", "a", "1", NULL), ND_UNAVAILABLE);
    assert_true(nd_clock_monotonic_us() - start_us < 100000);
    assert_non_null(strstr(fixture->error.text, "Connection refused"));
    assert_non_null(strstr(fixture->error.text, "the next one in"));
}

/* However long the server was away: a trainer must be back within a lease. */
static void it_never_waits_for_longer_than_a_second(void **state)
{
    struct fixture *fixture = *state;
    make_client(fixture, 5000, "redis://127.0.0.1:%u", fixture->server.port);
    int attempts = 0, next_ms = 0;
    while (attempts < 8) {
        assert_int_equal(ask(fixture, true, "SET", "a", "1", NULL),
                         ND_UNAVAILABLE);
        const char *text = strstr(fixture->error.text, "(");
        if (text != NULL && sscanf(text, "(%d attempts; the next one in %d ms",
                                   &attempts, &next_ms) == 2)
            assert_in_range(next_ms, 1, 1001);
        struct timespec pause = {.tv_nsec = 20000000};
        (void)nanosleep(&pause, NULL);
    }
}

static void it_comes_back_after_a_long_absence(void **state)
{
    struct fixture *fixture = *state;
    make_client(fixture, 5000, "redis://127.0.0.1:%u", fixture->server.port);
    for (int i = 0; i < 2; i++)
        (void)ask(fixture, true, "SET", "a", "1", NULL);
    redis_server_start(&fixture->server, NULL);
    enum nd_status status = ND_UNAVAILABLE;
    for (int i = 0; i < 100 && status != ND_OK; i++) {
        struct timespec pause = {.tv_nsec = 100000000};
        (void)nanosleep(&pause, NULL);
        status = ask(fixture, true, "SET", "a", "1", NULL);
    }
    assert_int_equal(status, ND_OK);
}

static void a_hanging_server_leaves_writes_uncertain_and_reads_not(void **state)
{
    struct fixture *fixture = *state;
    redis_server_start(&fixture->server, NULL);
    make_client(fixture, 300, "redis://127.0.0.1:%u", fixture->server.port);
    assert_int_equal(ask(fixture, true, "SET", "a", "1", NULL), ND_OK);
    assert_int_equal(kill(fixture->server.pid, SIGSTOP), 0);
    int64_t start_us = nd_clock_monotonic_us();
    assert_int_equal(ask(fixture, true, "SET", "a", "2", NULL), ND_UNCERTAIN);
    assert_true(nd_clock_monotonic_us() - start_us < 1500000);
    assert_int_equal(ask(fixture, false, "GET", "a", NULL, NULL),
                     ND_UNAVAILABLE);
    assert_int_equal(kill(fixture->server.pid, SIGCONT), 0);
}

static void what_may_not_repeat_is_sent_once(void **state)
{
    struct fixture *fixture = *state;
    redis_server_start(&fixture->server, NULL);
    make_client(fixture, 1000, "redis://127.0.0.1:%u", fixture->server.port);
    assert_int_equal(ask(fixture, true, "SET", "n", "0", NULL), ND_OK);
    redis_server_stop(&fixture->server);
    redis_server_start(&fixture->server, NULL);
    struct nd_redis_argument words[] = {{"INCR", 4}, {"n", 1}};
    struct nd_redis_command command = {words, 2};
    struct nd_redis_request request = {
        .commands = &command, .count = 1, .writes = true, .once = true};
    const struct nd_redis_reply *reply;
    assert_int_equal(nd_redis_client_exchange(fixture->client, &request,
                                              &fixture->error, &reply),
                     ND_UNCERTAIN);
    char text[64];
    assert_int_equal(ask(fixture, false, "GET", "n", NULL, text), ND_OK);
    assert_string_equal(text, "");
}

static void a_replica_is_left_for_its_master(void **state)
{
    struct fixture *fixture = *state;
    char master[64], text[64];
    redis_server_start(&fixture->server, NULL);
    (void)snprintf(master, sizeof(master), "127.0.0.1 %u",
                   fixture->server.port);
    const char *arguments[] = {"--replicaof", master, NULL};
    redis_server_start(&fixture->other, arguments);
    make_client(fixture, 3000, "redis://127.0.0.1:%u", fixture->other.port);
    assert_int_equal(ask(fixture, true, "SET", "a", "master", NULL), ND_OK);
    make_client(fixture, 3000, "redis://127.0.0.1:%u", fixture->server.port);
    assert_int_equal(ask(fixture, false, "GET", "a", NULL, text), ND_OK);
    assert_string_equal(text, "master");
}

static void a_master_that_was_demoted_is_noticed_by_its_refusal(void **state)
{
    struct fixture *fixture = *state;
    char port[8], text[64];
    redis_server_start(&fixture->server, NULL);
    redis_server_start(&fixture->other, NULL);
    make_client(fixture, 3000, "redis://127.0.0.1:%u", fixture->server.port);
    assert_int_equal(ask(fixture, true, "SET", "a", "1", NULL), ND_OK);
    (void)snprintf(port, sizeof(port), "%u", fixture->other.port);
    assert_int_equal(ask(fixture, true, "REPLICAOF", "127.0.0.1", port, text),
                     ND_OK);
    assert_int_equal(ask(fixture, true, "SET", "b", "2", NULL), ND_OK);
    make_client(fixture, 3000, "redis://127.0.0.1:%u", fixture->other.port);
    assert_int_equal(ask(fixture, false, "GET", "b", NULL, text), ND_OK);
    assert_string_equal(text, "2");
}

static void too_few_replicas_leave_a_write_uncertain(void **state)
{
    struct fixture *fixture = *state;
    redis_server_start(&fixture->server, NULL);
    make_client(fixture, 1000, "redis://127.0.0.1:%u?wait_replicas=1",
                fixture->server.port);
    struct nd_redis_argument words[] = {{"SET", 3}, {"a", 1}, {"1", 1}};
    struct nd_redis_command command = {words, 3};
    struct nd_redis_request request = {
        .commands = &command, .count = 1, .writes = true, .durable = true};
    const struct nd_redis_reply *reply;
    assert_int_equal(nd_redis_client_exchange(fixture->client, &request,
                                              &fixture->error, &reply),
                     ND_UNCERTAIN);
    assert_non_null(strstr(fixture->error.text, "0 of 1"));
    char master[64];
    (void)snprintf(master, sizeof(master), "127.0.0.1 %u",
                   fixture->server.port);
    const char *arguments[] = {"--replicaof", master, NULL};
    redis_server_start(&fixture->other, arguments);
    enum nd_status status = ND_UNCERTAIN;
    for (int i = 0; i < 50 && status == ND_UNCERTAIN; i++) {
        request.uncertain = false;
        status = nd_redis_client_exchange(fixture->client, &request,
                                          &fixture->error, &reply);
    }
    assert_int_equal(status, ND_OK);
    assert_string_equal(reply->text, "OK");
}

static void a_full_server_refuses_and_still_reads(void **state)
{
    static const char *const arguments[] = {"--maxmemory", "1", NULL};
    struct fixture *fixture = *state;
    redis_server_start(&fixture->server, arguments);
    make_client(fixture, 3000, "redis+unix://%s", fixture->server.socket);
    assert_int_equal(ask(fixture, true, "SET", "a", "1", NULL), ND_FULL);
    assert_int_equal(ask(fixture, false, "GET", "a", NULL, NULL), ND_OK);
}

static void a_cluster_is_named_as_the_reason(void **state)
{
    struct fixture *fixture = *state;
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", redis_server_free_port());
    const char *arguments[] = {"--cluster-enabled", "yes", "--cluster-port",
                               port, NULL};
    redis_server_start(&fixture->server, arguments);
    make_client(fixture, 3000, "redis+unix://%s", fixture->server.socket);
    if (ask(fixture, true, "SET", "a", "1", NULL) != ND_CONFIG)
        fail_msg("%s", fixture->error.text);
    assert_non_null(strstr(fixture->error.text, "Cluster"));
}

/* ---- Sentinel ---- */

static void start_sentinel(const struct redis_server *master,
                           struct redis_server *sentinel)
{
    char path[96];
    redis_server_prepare(sentinel);
    sentinel->sentinel = true;
    (void)snprintf(path, sizeof(path), "%s/sentinel.conf", sentinel->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "sentinel monitor mail 127.0.0.1 %u 1\n"
            "sentinel down-after-milliseconds mail 300\n"
            "sentinel failover-timeout mail 2000\n"
            "requirepass watchword\n",
            master->port);
    assert_int_equal(fclose(file), 0);
    const char *arguments[] = {path, NULL};
    redis_server_start(sentinel, arguments);
}

/* What the server says in a section of INFO. */
static void read_info(const struct redis_server *server, const char *login,
                      const char *section, char text_r[4096])
{
    char command[160];
    (void)snprintf(command, sizeof(command), "redis-cli -p %u %s INFO %s",
                   server->port, login, section);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    text_r[fread(text_r, 1, 4095, output)] = '\0';
    assert_int_equal(pclose(output), 0);
}

/* A Sentinel asks a master for its replicas every ten seconds, and a dead one
 * never: it must know of the replica before there can be a failover. */
static void wait_for_replica(const struct redis_server *sentinel,
                             const struct redis_server *replica)
{
    char seen[4096] = "", link[4096] = "";
    for (int i = 0; i < 300; i++) {
        read_info(sentinel, "--no-auth-warning -a watchword", "sentinel", seen);
        read_info(replica, "", "replication", link);
        if (strstr(seen, "slaves=1") != NULL &&
            strstr(link, "master_link_status:up") != NULL)
            return;
        struct timespec pause = {.tv_nsec = 100000000};
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("the Sentinel says %s, the replica %s", seen, link);
}

static void sentinels_lead_to_the_new_master_after_a_failover(void **state)
{
    struct fixture *fixture = *state;
    struct redis_server sentinel;
    char master[64];
    redis_server_start(&fixture->server, NULL);
    (void)snprintf(master, sizeof(master), "127.0.0.1 %u",
                   fixture->server.port);
    const char *arguments[] = {"--replicaof", master, NULL};
    redis_server_start(&fixture->other, arguments);
    start_sentinel(&fixture->server, &sentinel);
    struct nd_redis_options given = {
        .sentinel_login = {.password = "watchword"}};
    char url[160];
    (void)snprintf(url, sizeof(url),
                   "redis+sentinel://127.0.0.1:%u,127.0.0.1:%u/mail",
                   redis_server_free_port(), sentinel.port);
    assert_int_equal(nd_redis_options_parse(url, &given, fixture->arena,
                                            &fixture->error, &fixture->options),
                     ND_OK);
    fixture->client = nd_redis_client_create(&fixture->options, 2000);
    assert_int_equal(ask(fixture, true, "SET", "a", "before", NULL), ND_OK);
    wait_for_replica(&sentinel, &fixture->other);
    int64_t start_us = nd_clock_monotonic_us();
    enum nd_status status = ND_UNAVAILABLE;
    redis_server_stop(&fixture->server);
    while (status != ND_OK && nd_clock_monotonic_us() - start_us < 40000000)
        status = ask(fixture, true, "SET", "a", "after", NULL);
    redis_server_remove(&sentinel);
    assert_int_equal(status, ND_OK);
    make_client(fixture, 1000, "redis://127.0.0.1:%u", fixture->other.port);
    char text[64];
    assert_int_equal(ask(fixture, false, "GET", "a", NULL, text), ND_OK);
    assert_string_equal(text, "after");
}

/* A client of two Sentinels that disagree: the first names server, the second
 * other. */
static void make_client_of_two(struct fixture *fixture,
                               struct redis_server sentinels[2],
                               const char *query)
{
    struct nd_redis_options given = {
        .sentinel_login = {.password = "watchword"}};
    char url[160];
    start_sentinel(&fixture->server, &sentinels[0]);
    start_sentinel(&fixture->other, &sentinels[1]);
    (void)snprintf(url, sizeof(url),
                   "redis+sentinel://127.0.0.1:%u,127.0.0.1:%u/mail%s",
                   sentinels[0].port, sentinels[1].port, query);
    assert_int_equal(nd_redis_options_parse(url, &given, fixture->arena,
                                            &fixture->error, &fixture->options),
                     ND_OK);
    fixture->client = nd_redis_client_create(&fixture->options, 2000);
}

/* One that was cut off from the others names the old master for as long. */
static void a_sentinel_that_names_a_replica_is_left_for_the_next(void **state)
{
    struct fixture *fixture = *state;
    struct redis_server sentinels[2];
    char master[64], text[64];
    redis_server_start(&fixture->other, NULL);
    (void)snprintf(master, sizeof(master), "127.0.0.1 %u", fixture->other.port);
    const char *arguments[] = {"--replicaof", master, NULL};
    redis_server_start(&fixture->server, arguments);
    make_client_of_two(fixture, sentinels, "");
    enum nd_status status = ask(fixture, true, "SET", "a", "there", NULL);
    redis_server_remove(&sentinels[0]);
    redis_server_remove(&sentinels[1]);
    assert_int_equal(status, ND_OK);
    make_client(fixture, 1000, "redis://127.0.0.1:%u", fixture->other.port);
    assert_int_equal(ask(fixture, false, "GET", "a", NULL, text), ND_OK);
    assert_string_equal(text, "there");
}

static void a_sentinel_whose_master_has_no_replica_is_left_for_the_next(
    void **state)
{
    struct fixture *fixture = *state;
    struct redis_server sentinels[2], replica;
    char master[64];
    redis_server_start(&fixture->server, NULL); /* deposed, and cut off */
    redis_server_start(&fixture->other, NULL);
    redis_server_prepare(&replica);
    (void)snprintf(master, sizeof(master), "127.0.0.1 %u", fixture->other.port);
    const char *arguments[] = {"--repl-diskless-sync-delay", "0", "--replicaof",
                               master, NULL};
    redis_server_start(&replica, arguments);
    make_client_of_two(fixture, sentinels, "?wait_replicas=1");
    struct nd_redis_argument words[] = {{"SET", 3}, {"a", 1}, {"there", 5}};
    struct nd_redis_command command = {words, 3};
    const struct nd_redis_reply *reply;
    enum nd_status status = ND_UNCERTAIN;
    for (int tries = 0; tries < 10 && status != ND_OK; tries++) {
        struct nd_redis_request request = {
            .commands = &command, .count = 1, .writes = true, .durable = true};
        status = nd_redis_client_exchange(fixture->client, &request,
                                          &fixture->error, &reply);
    }
    redis_server_remove(&sentinels[0]);
    redis_server_remove(&sentinels[1]);
    redis_server_remove(&replica);
    assert_int_equal(status, ND_OK);
}

static void an_unknown_master_is_said_to_be_unknown(void **state)
{
    struct fixture *fixture = *state;
    struct redis_server sentinel;
    redis_server_start(&fixture->server, NULL);
    start_sentinel(&fixture->server, &sentinel);
    struct nd_redis_options given = {
        .sentinel_login = {.password = "watchword"}};
    char url[160];
    (void)snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%u/nobody",
                   sentinel.port);
    assert_int_equal(nd_redis_options_parse(url, &given, fixture->arena,
                                            &fixture->error, &fixture->options),
                     ND_OK);
    fixture->client = nd_redis_client_create(&fixture->options, 300);
    assert_int_equal(ask(fixture, true, "SET", "a", "1", NULL), ND_UNAVAILABLE);
    redis_server_remove(&sentinel);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_restarted_server_is_found_again_without_a_failure),
        TEST(without_a_server_it_did_not_act),
        TEST(after_several_failures_it_answers_at_once),
        TEST(it_never_waits_for_longer_than_a_second),
        TEST(it_comes_back_after_a_long_absence),
        TEST(a_hanging_server_leaves_writes_uncertain_and_reads_not),
        TEST(what_may_not_repeat_is_sent_once),
        TEST(a_replica_is_left_for_its_master),
        TEST(a_master_that_was_demoted_is_noticed_by_its_refusal),
        TEST(too_few_replicas_leave_a_write_uncertain),
        TEST(a_full_server_refuses_and_still_reads),
        TEST(a_cluster_is_named_as_the_reason),
        TEST(sentinels_lead_to_the_new_master_after_a_failover),
        TEST(a_sentinel_that_names_a_replica_is_left_for_the_next),
        TEST(a_sentinel_whose_master_has_no_replica_is_left_for_the_next),
        TEST(an_unknown_master_is_said_to_be_unknown),
    };
    if (!redis_server_available()) {
        fprintf(stderr, "skipped: there is no redis-server\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
