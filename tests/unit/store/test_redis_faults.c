/* SPDX-License-Identifier: Apache-2.0
 *
 * Nothing acknowledged is lost and nothing is stored twice, whatever happens
 * to the server: several processes put samples while it is killed and started
 * again, stopped for a while, forgets its scripts, cuts its clients off, and
 * runs out of memory. What was acknowledged is noted outside of the store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "redis_fixture.h"

#define WRITERS 3
#define SAMPLES_EACH 700
#define MOST_TRIES 2000

static const char *const durable[] = {"--appendonly", "yes", "--appendfsync",
                                      "always", NULL};

/* Shared with the writers: what each was told. */
struct ledger {
    volatile int acknowledged[WRITERS];
    volatile int uncertain[WRITERS];
    volatile int unavailable[WRITERS];
    volatile int full[WRITERS];
};

static void pause_ms(long time_ms)
{
    struct timespec time = {.tv_sec = time_ms / 1000,
                            .tv_nsec = time_ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

/* Puts until it is acknowledged. */
static bool put_surely(struct fixture *fixture, struct nd_store *store,
                       const struct nd_sample_put *sample,
                       struct ledger *ledger, int writer)
{
    struct nd_put_result result;
    for (int tries = 0; tries < MOST_TRIES; tries++) {
        enum nd_status status = nd_store_put(store, &scope, sample, &large,
                                             &fixture->error, &result);
        if (status == ND_OK)
            return result.outcome == ND_PUT_STORED ||
                   result.outcome == ND_PUT_DUPLICATE;
        ledger->uncertain[writer] += status == ND_UNCERTAIN;
        ledger->unavailable[writer] += status == ND_UNAVAILABLE;
        ledger->full[writer] += status == ND_FULL;
        if (status != ND_UNCERTAIN && status != ND_UNAVAILABLE &&
            status != ND_FULL) {
            fprintf(stderr, "writer %d: %s\n", writer, fixture->error.text);
            return false;
        }
        pause_ms(20);
    }
    return false;
}

static int write_samples(struct fixture *fixture, struct ledger *ledger,
                         int writer)
{
    struct nd_store_options options = {.create = true, .timeout_ms = 150};
    struct nd_store *store = NULL;
    while (nd_store_open(fixture->url, &options, &fixture->error, &store) !=
           ND_OK)
        pause_ms(20);
    for (int i = 0; i < SAMPLES_EACH; i++) {
        struct nd_sample_put sample =
            make_sample(fixture, (uint32_t)(writer * SAMPLES_EACH + i),
                        i % 2 ? ND_SPAM : ND_HAM, 20, 1);
        if (!put_surely(fixture, store, &sample, ledger, writer))
            return 1;
        ledger->acknowledged[writer]++;
        pause_ms(1);
    }
    nd_store_close(&store);
    return 0;
}

/* ---- faults ---- */

static void kill_server(struct fixture *fixture)
{
    redis_server_stop(&fixture->server);
    pause_ms((long)nd_random_below(&fixture->random, 100));
    redis_server_start(&fixture->server, durable);
}

static void hang_server(struct fixture *fixture)
{
    (void)kill(fixture->server.pid, SIGSTOP);
    pause_ms(250);
    (void)kill(fixture->server.pid, SIGCONT);
}

static void tell_server(struct fixture *fixture, const char *first,
                        const char *second, const char *third,
                        const char *fourth)
{
    const char *words[] = {first, second, third, fourth, NULL};
    const struct nd_redis_reply *reply;
    struct nd_error error;
    (void)!nd_redis_client_ask(fixture->plain, words, false, &error, &reply);
}

static void forget_scripts(struct fixture *fixture)
{
    tell_server(fixture, "SCRIPT", "FLUSH", NULL, NULL);
}

static void cut_clients(struct fixture *fixture)
{
    tell_server(fixture, "CLIENT", "KILL", "TYPE", "normal");
}

static void fill_memory(struct fixture *fixture)
{
    tell_server(fixture, "CONFIG", "SET", "maxmemory", "1");
    pause_ms(50);
    tell_server(fixture, "CONFIG", "SET", "maxmemory", "0");
}

static bool is_running(const struct ledger *ledger)
{
    int done = 0;
    for (int i = 0; i < WRITERS; i++)
        done += ledger->acknowledged[i];
    return done < WRITERS * SAMPLES_EACH;
}

static void cause_faults(struct fixture *fixture, const struct ledger *ledger)
{
    static void (*const faults[])(struct fixture *) = {
        kill_server, hang_server, forget_scripts, cut_clients, fill_memory};
    time_t end = time(NULL) + 60;
    for (size_t i = 0; is_running(ledger) && time(NULL) < end; i++) {
        faults[i % 5](fixture);
        pause_ms(50 + (long)nd_random_below(&fixture->random, 200));
    }
    /* the last fault may have been cut short */
    tell_server(fixture, "CONFIG", "SET", "maxmemory", "0");
}

static int sum(const volatile int *numbers)
{
    int total = 0;
    for (int i = 0; i < WRITERS; i++)
        total += numbers[i];
    return total;
}

static void nothing_acknowledged_is_lost_or_stored_twice(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, durable);
    struct ledger *ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(ledger, MAP_FAILED);
    pid_t writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = fork();
        assert_true(writers[i] >= 0);
        if (writers[i] == 0)
            _exit(write_samples(fixture, ledger, i));
    }
    cause_faults(fixture, ledger);
    for (int i = 0; i < WRITERS; i++) {
        int result = -1;
        assert_int_equal(waitpid(writers[i], &result, 0), writers[i]);
        assert_int_equal(result, 0);
    }
    print_message("uncertain %d, unavailable %d, full %d\n",
                  sum(ledger->uncertain), sum(ledger->unavailable),
                  sum(ledger->full));
    assert_int_equal(sum(ledger->acknowledged), WRITERS * SAMPLES_EACH);
    assert_true(sum(ledger->uncertain) > 0);
    assert_true(sum(ledger->unavailable) + sum(ledger->full) > 0);
    struct nd_store_stats stats;
    struct nd_snapshot snapshot;
    assert_int_equal(open_store(fixture, ""), ND_OK);
    assert_int_equal(
        nd_store_stats(fixture->store, &scope, &fixture->error, &stats), ND_OK);
    assert_int_equal(stats.put_stored, WRITERS * SAMPLES_EACH);
    assert_int_equal(
        nd_store_snapshot(fixture->store, &scope, &fixture->error, &snapshot),
        ND_OK);
    assert_int_equal(snapshot.count, WRITERS * SAMPLES_EACH);
    free(snapshot.samples);
    assert_int_equal(nd_store_maintain(fixture->store, 3600000, true, NULL,
                                       NULL, &fixture->error),
                     ND_OK);
    (void)munmap(ledger, sizeof(*ledger));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_acknowledged_is_lost_or_stored_twice),
    };
    if (!redis_server_available()) {
        fprintf(stderr, "skipped: there is no redis-server\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
