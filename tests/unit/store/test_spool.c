/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool: what it takes survives, waits, and ends in the store once, however
 * the handing over breaks off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "redis_fixture.h"
#include "store/spool.h"

static const struct nd_scope elsewhere = {"long", "outbound"};
static const struct nd_quota balanced = {ND_QUOTA_BALANCED, 1000};

struct spool_fixture {
    struct fixture base; /* for its samples */
    char folder[64];
    char path[96];
    struct nd_spool *spool;
    struct nd_store *store;
};

static int set_up(void **state)
{
    struct spool_fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    fixture->base.arena = nd_arena_create(0);
    nd_random_seed(&fixture->base.random, 1);
    (void)snprintf(fixture->folder, sizeof(fixture->folder),
                   "/tmp/neurald-spool-XXXXXX");
    if (mkdtemp(fixture->folder) == NULL)
        return -1;
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/spool",
                   fixture->folder);
    if (setenv("NEURALD_TEST_FAULTS", "1", 1) != 0)
        return -1;
    return nd_hash_init(&fixture->base.error) == ND_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct spool_fixture *fixture = *state;
    char command[128];
    nd_spool_close(&fixture->spool);
    nd_spool_close(&fixture->spool); /* NULL is accepted */
    nd_store_close(&fixture->store);
    nd_arena_destroy(&fixture->base.arena);
    (void)snprintf(command, sizeof(command), "rm -r %s", fixture->folder);
    int result = system(command);
    free(fixture);
    return result;
}

static void open_spool(struct spool_fixture *fixture, uint64_t most_bytes,
                       int64_t most_age_ms)
{
    struct nd_spool_options options = {most_bytes, most_age_ms};
    nd_spool_close(&fixture->spool);
    if (nd_spool_open(fixture->path, &options, &fixture->base.error,
                      &fixture->spool) != ND_OK)
        fail_msg("%s", fixture->base.error.text);
}

/* Opens the store, with faults where a specification is given. */
static void open_faulty(struct spool_fixture *fixture, const char *faults)
{
    struct nd_store_options options = {.create = true};
    char url[256];
    (void)snprintf(url, sizeof(url), "%s%s%ssqlite:%s/store",
                   faults != NULL ? "faulty:" : "",
                   faults != NULL ? faults : "", faults != NULL ? ":" : "",
                   fixture->folder);
    nd_store_close(&fixture->store);
    if (nd_store_open(url, &options, &fixture->base.error, &fixture->store) !=
        ND_OK)
        fail_msg("%s", fixture->base.error.text);
}

static void add_samples(struct spool_fixture *fixture,
                        const struct nd_scope *where,
                        const struct nd_quota *quota, uint32_t first,
                        uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        struct nd_sample_put sample =
            make_sample(&fixture->base, i, i % 2 ? ND_SPAM : ND_HAM, 10, 1);
        if (nd_spool_add(fixture->spool, where, &sample, 1, quota,
                         &fixture->base.error) != ND_OK)
            fail_msg("%s", fixture->base.error.text);
    }
}

static enum nd_status deliver(struct spool_fixture *fixture,
                              struct nd_spool_delivery *delivery_r)
{
    return nd_spool_deliver(fixture->spool, fixture->store,
                            &fixture->base.error, delivery_r);
}

static uint64_t waiting(struct spool_fixture *fixture)
{
    struct nd_spool_counts counts;
    assert_int_equal(
        nd_spool_counts(fixture->spool, &fixture->base.error, &counts), ND_OK);
    return counts.samples;
}

static struct nd_store_stats stats_of(struct spool_fixture *fixture,
                                      const struct nd_scope *where)
{
    struct nd_store_stats stats;
    assert_int_equal(
        nd_store_stats(fixture->store, where, &fixture->base.error, &stats),
        ND_OK);
    return stats;
}

static void what_was_taken_survives_and_arrives_whole(void **state)
{
    struct spool_fixture *fixture = *state;
    struct nd_sample_put sample =
        make_sample(&fixture->base, 1, ND_SPAM, 10, 1);
    struct nd_spool_delivery delivery;
    struct nd_sample_info info;
    struct nd_payload payload;
    struct stat status;
    open_spool(fixture, 0, 0);
    assert_int_equal(nd_spool_add(fixture->spool, &scope, &sample, 1, &large,
                                  &fixture->base.error),
                     ND_OK);
    open_spool(fixture, 0, 0);
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    open_faulty(fixture, NULL);
    assert_int_equal(deliver(fixture, &delivery), ND_OK);
    assert_int_equal(delivery.delivered, 1);
    assert_int_equal(waiting(fixture), 0);
    assert_int_equal(nd_store_find(fixture->store, &scope, sample.identity,
                                   &fixture->base.error, &info),
                     ND_OK);
    assert_int_equal(info.label, ND_SPAM);
    assert_int_equal(info.source, sample.source);
    assert_int_equal(info.time_ms, sample.time_ms);
    assert_int_equal(info.label_ms, sample.label_ms);
    assert_int_equal(nd_store_read(fixture->store, &scope, &info, 1,
                                   fixture->base.arena, &fixture->base.error,
                                   &payload),
                     ND_OK);
    assert_int_equal(payload.length, sample.payload_length);
    assert_memory_equal(payload.data, sample.payload, payload.length);
}

static void scopes_and_quotas_are_kept_apart(void **state)
{
    struct spool_fixture *fixture = *state;
    struct nd_spool_delivery delivery;
    open_spool(fixture, 0, 0);
    add_samples(fixture, &scope, &large, 0, 300);
    add_samples(fixture, &elsewhere, &large, 300, 20);
    add_samples(fixture, &scope, &balanced, 320, 10);
    open_faulty(fixture, NULL);
    assert_int_equal(deliver(fixture, &delivery), ND_OK);
    assert_int_equal(delivery.delivered, 330);
    assert_int_equal(stats_of(fixture, &scope).put_stored, 310);
    assert_int_equal(stats_of(fixture, &elsewhere).put_stored, 20);
}

static void while_the_store_is_away_samples_wait(void **state)
{
    struct spool_fixture *fixture = *state;
    struct nd_spool_delivery delivery;
    open_spool(fixture, 0, 0);
    add_samples(fixture, &scope, &large, 0, 600);
    open_faulty(fixture, "put_many@2+=unavailable");
    assert_int_equal(deliver(fixture, &delivery), ND_UNAVAILABLE);
    assert_int_equal(delivery.delivered, 600 - waiting(fixture));
    assert_in_range(delivery.delivered, 1, 599);
    open_faulty(fixture, NULL);
    assert_int_equal(deliver(fixture, &delivery), ND_OK);
    assert_int_equal(stats_of(fixture, &scope).put_stored, 600);
    assert_int_equal(stats_of(fixture, &scope).put_duplicate, 0);
}

static void a_lost_answer_leads_to_one_sample(void **state)
{
    struct spool_fixture *fixture = *state;
    struct nd_spool_delivery delivery;
    open_spool(fixture, 0, 0);
    add_samples(fixture, &scope, &large, 0, 50);
    open_faulty(fixture, "put_many@1=lost-answer");
    assert_int_equal(deliver(fixture, &delivery), ND_UNCERTAIN);
    assert_int_equal(delivery.delivered, 0);
    assert_int_equal(waiting(fixture), 50);
    assert_int_equal(deliver(fixture, &delivery), ND_OK);
    assert_int_equal(delivery.delivered, 50);
    assert_int_equal(stats_of(fixture, &scope).put_stored, 50);
    assert_int_equal(stats_of(fixture, &scope).put_duplicate, 50);
}

static void death_between_putting_and_deleting_leads_to_one_sample(void **state)
{
    struct spool_fixture *fixture = *state;
    struct nd_spool_delivery delivery;
    open_spool(fixture, 0, 0);
    add_samples(fixture, &scope, &large, 0, 50);
    nd_spool_close(&fixture->spool);
    pid_t child = fork();
    if (child == 0) {
        open_spool(fixture, 0, 0);
        open_faulty(fixture, "put_many@1=kill-after");
        (void)!deliver(fixture, &delivery);
        _exit(0);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result));
    open_spool(fixture, 0, 0);
    assert_int_equal(waiting(fixture), 50);
    open_faulty(fixture, NULL);
    assert_int_equal(deliver(fixture, &delivery), ND_OK);
    assert_int_equal(stats_of(fixture, &scope).put_stored, 50);
    assert_int_equal(waiting(fixture), 0);
}

static void over_its_limit_it_takes_nothing(void **state)
{
    struct spool_fixture *fixture = *state;
    struct nd_sample_put samples[20];
    for (uint32_t i = 0; i < 20; i++)
        samples[i] = make_sample(&fixture->base, i, ND_SPAM, 10, 1);
    open_spool(fixture, 2000, 0);
    assert_int_equal(nd_spool_add(fixture->spool, &scope, samples, 20, &large,
                                  &fixture->base.error),
                     ND_FULL);
    assert_int_equal(waiting(fixture), 0);
    assert_int_equal(nd_spool_add(fixture->spool, &scope, samples, 5, &large,
                                  &fixture->base.error),
                     ND_OK);
    assert_int_equal(waiting(fixture), 5);
}

static void what_no_store_would_take_is_not_taken(void **state)
{
    struct spool_fixture *fixture = *state;
    struct nd_scope bad = {"no rule", "x"};
    struct nd_sample_put sample =
        make_sample(&fixture->base, 1, ND_SPAM, 10, 1);
    open_spool(fixture, 0, 0);
    assert_int_equal(nd_spool_add(fixture->spool, &bad, &sample, 1, &large,
                                  &fixture->base.error),
                     ND_USAGE);
    sample.payload = "\xff\xff\xff";
    sample.payload_length = 3;
    assert_int_equal(nd_spool_add(fixture->spool, &scope, &sample, 1, &large,
                                  &fixture->base.error),
                     ND_DATA);
    assert_int_equal(waiting(fixture), 0);
}

static void late_samples_are_dropped_and_counted(void **state)
{
    struct spool_fixture *fixture = *state;
    struct nd_spool_delivery delivery;
    open_spool(fixture, 0, 0);
    add_samples(fixture, &scope, &large, 0, 7);
    struct timespec pause = {.tv_nsec = 20000000};
    (void)nanosleep(&pause, NULL);
    open_spool(fixture, 0, 5);
    open_faulty(fixture, NULL);
    assert_int_equal(deliver(fixture, &delivery), ND_OK);
    assert_int_equal(delivery.delivered, 0);
    assert_int_equal(delivery.late, 7);
    assert_int_equal(waiting(fixture), 0);
    struct nd_store_stats stats = stats_of(fixture, &scope);
    assert_int_equal(stats.put_stored, 0);
    assert_int_equal(stats.refused[ND_REFUSED_STORE], 7);
}

static void other_files_are_not_taken_for_spools(void **state)
{
    struct spool_fixture *fixture = *state;
    struct nd_spool *spool = NULL;
    char path[96];
    open_faulty(fixture, NULL);
    (void)snprintf(path, sizeof(path), "%s/store", fixture->folder);
    assert_int_equal(nd_spool_open(path, NULL, &fixture->base.error, &spool),
                     ND_DATA);
    FILE *file = fopen(fixture->path, "w");
    assert_non_null(file);
    for (int i = 0; i < 500; i++)
        fputs("not a database\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(
        nd_spool_open(fixture->path, NULL, &fixture->base.error, &spool),
        ND_DATA);
    assert_int_equal(
        nd_spool_open("/nonexistent/spool", NULL, &fixture->base.error, &spool),
        ND_NO_INPUT);
    assert_null(spool);
}

#define SPOOL_TEST(name) \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPOOL_TEST(what_was_taken_survives_and_arrives_whole),
        SPOOL_TEST(scopes_and_quotas_are_kept_apart),
        SPOOL_TEST(while_the_store_is_away_samples_wait),
        SPOOL_TEST(a_lost_answer_leads_to_one_sample),
        SPOOL_TEST(death_between_putting_and_deleting_leads_to_one_sample),
        SPOOL_TEST(over_its_limit_it_takes_nothing),
        SPOOL_TEST(what_no_store_would_take_is_not_taken),
        SPOOL_TEST(late_samples_are_dropped_and_counted),
        SPOOL_TEST(other_files_are_not_taken_for_spools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
