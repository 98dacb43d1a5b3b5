/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool: what it takes survives and waits in order, until it is taken off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/spool.h"

static const struct nd_scope scope = {"short", "default"};
static const struct nd_scope elsewhere = {"long", "outbound"};

struct fixture {
    char folder[64];
    char path[96];
    struct nd_spool *spool;
    struct nd_arena *arena;
    struct nd_error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    fixture->arena = nd_arena_create(0);
    (void)snprintf(fixture->folder, sizeof(fixture->folder),
                   "/tmp/neurald-spool-XXXXXX");
    if (mkdtemp(fixture->folder) == NULL)
        return -1;
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/spool",
                   fixture->folder);
    return nd_hash_init(&fixture->error) == ND_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    nd_spool_close(&fixture->spool);
    nd_spool_close(&fixture->spool); /* NULL is accepted */
    nd_arena_destroy(&fixture->arena);
    (void)snprintf(command, sizeof(command), "rm -r %s", fixture->folder);
    int result = system(command);
    free(fixture);
    return result;
}

static void must(struct fixture *fixture, enum nd_status status)
{
    if (status != ND_OK)
        fail_msg("%s", fixture->error.text);
}

static void open_spool(struct fixture *fixture, uint64_t most_bytes,
                       int64_t most_age_ms)
{
    struct nd_spool_options options = {most_bytes, most_age_ms};
    nd_spool_close(&fixture->spool);
    must(fixture, nd_spool_open(fixture->path, &options, &fixture->error,
                                &fixture->spool));
}

static struct nd_spool_record make_record(const struct nd_scope *where,
                                          uint32_t number)
{
    struct nd_spool_record record = {.kind = ND_SPOOL_LEARN,
                                     .scope = *where,
                                     .label = number % 2 ? ND_SPAM : ND_HAM,
                                     .source = ND_SOURCE_TRAP,
                                     .label_ms = 1000 + number,
                                     .time_ms = 500 + number,
                                     .payload = "\0payload\xff",
                                     .payload_length = 9};
    memcpy(record.identity, &number, sizeof(number));
    return record;
}

static void add(struct fixture *fixture, const struct nd_scope *where,
                uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        struct nd_spool_record record = make_record(where, i);
        must(fixture,
             nd_spool_add(fixture->spool, &record, 1, &fixture->error));
    }
}

static size_t peek(struct fixture *fixture, const struct nd_scope *where,
                   size_t limit, const struct nd_spool_record **records_r)
{
    size_t count;
    must(fixture, nd_spool_peek(fixture->spool, where, limit, fixture->arena,
                                &fixture->error, records_r, &count));
    return count;
}

static uint64_t waiting(struct fixture *fixture)
{
    struct nd_spool_counts counts;
    must(fixture, nd_spool_counts(fixture->spool, &fixture->error, &counts));
    return counts.samples;
}

static void what_was_taken_survives_whole(void **state)
{
    struct fixture *fixture = *state;
    struct nd_spool_record given = make_record(&scope, 3);
    const struct nd_spool_record *got;
    struct stat status;
    open_spool(fixture, 0, 0);
    must(fixture, nd_spool_add(fixture->spool, &given, 1, &fixture->error));
    open_spool(fixture, 0, 0);
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(peek(fixture, &scope, 10, &got), 1);
    assert_int_equal(got->kind, given.kind);
    assert_string_equal(got->scope.rule, "short");
    assert_string_equal(got->scope.settings, "default");
    assert_memory_equal(got->identity, given.identity, ND_IDENTITY_BYTES);
    assert_int_equal(got->label, given.label);
    assert_int_equal(got->source, given.source);
    assert_int_equal(got->label_ms, given.label_ms);
    assert_int_equal(got->time_ms, given.time_ms);
    assert_int_equal(got->payload_length, given.payload_length);
    assert_memory_equal(got->payload, given.payload, given.payload_length);
    assert_false(got->late);
}

static void each_rule_finds_its_own_in_order(void **state)
{
    struct fixture *fixture = *state;
    const struct nd_spool_record *got;
    open_spool(fixture, 0, 0);
    add(fixture, &scope, 0, 5);
    add(fixture, &elsewhere, 5, 2);
    add(fixture, &scope, 7, 3);
    assert_int_equal(waiting(fixture), 10);
    assert_int_equal(peek(fixture, &scope, 100, &got), 8);
    for (size_t i = 1; i < 8; i++)
        assert_true(got[i].label_ms > got[i - 1].label_ms);
    assert_int_equal(peek(fixture, &elsewhere, 100, &got), 2);
    assert_int_equal(got[0].label_ms, 1005);
    assert_int_equal(peek(fixture, &scope, 3, &got), 3);
    must(fixture, nd_spool_remove(fixture->spool, got, 3, &fixture->error));
    /* again, as another process may do that was handing over the same */
    must(fixture, nd_spool_remove(fixture->spool, got, 3, &fixture->error));
    assert_int_equal(waiting(fixture), 7);
    assert_int_equal(peek(fixture, &scope, 100, &got), 5);
    assert_int_equal(got[0].label_ms, 1003);
}

static void death_leaves_what_was_not_taken_off(void **state)
{
    struct fixture *fixture = *state;
    const struct nd_spool_record *got;
    pid_t child = fork();
    if (child == 0) {
        open_spool(fixture, 0, 0);
        add(fixture, &scope, 0, 50);
        (void)kill(getpid(), SIGKILL);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result));
    open_spool(fixture, 0, 0);
    assert_int_equal(waiting(fixture), 50);
    assert_int_equal(peek(fixture, &scope, 100, &got), 50);
}

static void over_its_limit_it_takes_nothing(void **state)
{
    struct fixture *fixture = *state;
    const struct nd_spool_record *got;
    struct nd_spool_record records[20];
    for (uint32_t i = 0; i < 20; i++)
        records[i] = make_record(&scope, i);
    open_spool(fixture, 2000, 0);
    assert_int_equal(nd_spool_add(fixture->spool, records, 20, &fixture->error),
                     ND_FULL);
    assert_int_equal(waiting(fixture), 0);
    must(fixture, nd_spool_add(fixture->spool, records, 11, &fixture->error));
    assert_int_equal(nd_spool_add(fixture->spool, records, 1, &fixture->error),
                     ND_FULL);
    /* room comes back */
    assert_int_equal(peek(fixture, &scope, 5, &got), 5);
    must(fixture, nd_spool_remove(fixture->spool, got, 5, &fixture->error));
    must(fixture, nd_spool_add(fixture->spool, records, 5, &fixture->error));
    struct nd_spool_counts counts;
    must(fixture, nd_spool_counts(fixture->spool, &fixture->error, &counts));
    assert_int_equal(counts.samples, 11);
    assert_int_equal(counts.bytes, 11 * 169);
}

static void what_no_store_would_take_is_not_taken(void **state)
{
    struct fixture *fixture = *state;
    struct nd_scope bad = {"no rule", "x"};
    struct nd_spool_record record = make_record(&bad, 1);
    open_spool(fixture, 0, 0);
    assert_int_equal(nd_spool_add(fixture->spool, &record, 1, &fixture->error),
                     ND_USAGE);
    record = make_record(&scope, 1);
    record.payload_length = ND_SPOOL_MOST_PAYLOAD + 1;
    assert_int_equal(nd_spool_add(fixture->spool, &record, 1, &fixture->error),
                     ND_LIMIT);
    record = make_record(&scope, 1);
    record.source = ND_SOURCE_COUNT;
    assert_int_equal(nd_spool_add(fixture->spool, &record, 1, &fixture->error),
                     ND_USAGE);
    assert_int_equal(waiting(fixture), 0);
}

static void late_records_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    const struct nd_spool_record *got;
    open_spool(fixture, 0, 0);
    add(fixture, &scope, 0, 4);
    add(fixture, &elsewhere, 4, 3);
    assert_int_equal(peek(fixture, NULL, 100, &got), 0);
    struct timespec pause = {.tv_nsec = 20000000};
    (void)nanosleep(&pause, NULL);
    open_spool(fixture, 0, 5);
    assert_int_equal(peek(fixture, NULL, 100, &got), 7);
    assert_true(got[0].late);
    assert_true(got[6].late);
}

static void large_records_come_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    const struct nd_spool_record *got;
    static char payload[400000];
    struct nd_spool_record record = make_record(&scope, 1);
    record.payload = payload;
    record.payload_length = sizeof(payload);
    open_spool(fixture, 0, 0);
    for (int i = 0; i < 6; i++)
        must(fixture,
             nd_spool_add(fixture->spool, &record, 1, &fixture->error));
    assert_int_equal(peek(fixture, &scope, 100, &got), 3);
}

static void the_key_is_remembered(void **state)
{
    struct fixture *fixture = *state;
    struct nd_key key, got;
    open_spool(fixture, 0, 0);
    assert_int_equal(nd_spool_key(fixture->spool, &fixture->error, &got),
                     ND_NO_INPUT);
    for (int i = 0; i < 2; i++) {
        nd_key_generate(&key);
        must(fixture, nd_spool_keep_key(fixture->spool, &key, &fixture->error));
        open_spool(fixture, 0, 0);
        must(fixture, nd_spool_key(fixture->spool, &fixture->error, &got));
        assert_memory_equal(got.secret, key.secret, ND_KEY_BYTES);
        assert_memory_equal(got.id, key.id, ND_KEY_ID_BYTES);
    }
}

static void other_files_are_not_taken_for_spools(void **state)
{
    struct fixture *fixture = *state;
    struct nd_spool *spool = NULL;
    struct nd_store_options options = {.create = true};
    struct nd_store *store;
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/store", fixture->folder);
    must(fixture, nd_store_open(path, &options, &fixture->error, &store));
    nd_store_close(&store);
    assert_int_equal(nd_spool_open(path, NULL, &fixture->error, &spool),
                     ND_DATA);
    FILE *file = fopen(fixture->path, "w");
    assert_non_null(file);
    for (int i = 0; i < 500; i++)
        fputs("not a database\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(
        nd_spool_open(fixture->path, NULL, &fixture->error, &spool), ND_DATA);
    assert_int_equal(
        nd_spool_open("/nonexistent/spool", NULL, &fixture->error, &spool),
        ND_NO_INPUT);
    assert_null(spool);
}

#define SPOOL_TEST(name) \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPOOL_TEST(what_was_taken_survives_whole),
        SPOOL_TEST(each_rule_finds_its_own_in_order),
        SPOOL_TEST(death_leaves_what_was_not_taken_off),
        SPOOL_TEST(over_its_limit_it_takes_nothing),
        SPOOL_TEST(what_no_store_would_take_is_not_taken),
        SPOOL_TEST(late_records_are_told_apart),
        SPOOL_TEST(large_records_come_in_pieces),
        SPOOL_TEST(the_key_is_remembered),
        SPOOL_TEST(other_files_are_not_taken_for_spools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
