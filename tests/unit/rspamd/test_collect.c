/* SPDX-License-Identifier: Apache-2.0
 *
 * rspamd's vectors in our store: once each, by name, in the order that is asked
 * for.
 */
#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/hash.h"
#include "rspamd/collect.h"

static const char *const symbols[] = {"ALPHA", "BETA", "GAMMA"};
static const char *const later[] = {"BETA", "DELTA", "GAMMA"};
static const struct nd_rspamd_profile profile = {.symbols = symbols,
                                                 .symbol_count = 3};

struct place {
    char path[64];
    struct nd_store *store;
    struct nd_rule rule;
};

static int set_up(void **state)
{
    struct place *place = nd_calloc(1, sizeof(*place));
    struct nd_store_options options = {.create = true};
    (void)snprintf(place->path, sizeof(place->path),
                   "/tmp/neurald-test-XXXXXX");
    int file = mkstemp(place->path);
    if (file < 0 || close(file) != 0 || unlink(place->path) != 0 ||
        nd_hash_init(NULL) != ND_OK)
        return -1;
    nd_rule_init(&place->rule);
    *state = place;
    return nd_store_open(place->path, &options, NULL, &place->store) == ND_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    nd_store_close(&place->store);
    nd_rule_free(&place->rule);
    static const char *const endings[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char path[80];
        (void)snprintf(path, sizeof(path), "%s%s", place->path, endings[i]);
        (void)unlink(path);
    }
    free(place);
    return 0;
}

static struct nd_rspamd_collected collect(struct place *place,
                                          const char *const *texts, int label)
{
    struct nd_rspamd_collected collected;
    struct nd_rspamd_collector *collector =
        nd_rspamd_collector_create(place->store, &place->rule, &profile);
    for (; *texts != NULL; texts++)
        assert_int_equal(nd_rspamd_collector_take(*texts, strlen(*texts), label,
                                                  collector, NULL),
                         ND_OK);
    assert_int_equal(nd_rspamd_collector_flush(collector, NULL, &collected),
                     ND_OK);
    assert_int_equal(nd_rspamd_collector_metatokens(collector), 2);
    nd_rspamd_collector_destroy(&collector);
    return collected;
}

static void each_vector_is_stored_once(void **state)
{
    struct place *place = *state;
    const char *const texts[] = {"0.5;0;1;0;0.25", "0;1;0;0;1",
                                 "0.5;0;1;0;0.25", NULL};
    struct nd_rspamd_collected first = collect(place, texts, 1);
    assert_int_equal(first.stored, 2);
    assert_int_equal(first.known, 1);
    struct nd_rspamd_collected second = collect(place, texts, 1);
    assert_int_equal(second.stored, 0);
    assert_int_equal(second.known, 3);
    /* The same numbers as ham are another vector, as for rspamd. */
    assert_int_equal(collect(place, texts, 0).stored, 2);
}

static void what_is_malformed_or_of_another_length_is_refused(void **state)
{
    struct place *place = *state;
    const char *const texts[] = {"0.5;0;1;0;0.25", "0.5;0;1;0", "1;2",
                                 "0.5;0;1;0;x",    "",          NULL};
    struct nd_rspamd_collected collected = collect(place, texts, 1);
    assert_int_equal(collected.stored, 1);
    assert_int_equal(collected.malformed, 2);
    assert_int_equal(collected.other_length, 2);
    assert_int_equal(collected.width, 5);
}

static void odd_ones_in_front_do_not_decide(void **state)
{
    struct place *place = *state;
    const char *const texts[] = {"1;2;3;4;5;6;7", "0;0;0;1", "0.5;0;1;0;0.25",
                                 "0.25;0;1;0;0.5", NULL};
    struct nd_rspamd_collected collected = collect(place, texts, 0);
    assert_int_equal(collected.stored, 2);
    assert_int_equal(collected.other_length, 2);
    assert_int_equal(collected.width, 5);
}

/* Of a set that is larger than what waits. */
static void the_first_thousand_decide_for_the_rest(void **state)
{
    struct place *place = *state;
    struct nd_rspamd_collected collected;
    struct nd_rspamd_collector *collector =
        nd_rspamd_collector_create(place->store, &place->rule, &profile);
    char text[64];
    for (int i = 0; i < 3000; i++) {
        bool is_odd = i < 500 || i == 2000;
        (void)snprintf(text, sizeof(text), "0;%d;1;0%s", i, is_odd ? "" : ";1");
        assert_int_equal(nd_rspamd_collector_take(text, strlen(text), i % 2,
                                                  collector, NULL),
                         ND_OK);
    }
    assert_int_equal(nd_rspamd_collector_flush(collector, NULL, &collected),
                     ND_OK);
    assert_int_equal(collected.other_length, 501);
    assert_int_equal(collected.stored, 2499);
    nd_rspamd_collector_destroy(&collector);
}

static struct nd_vectors read_back(struct place *place,
                                   const struct nd_rspamd_profile *wanted)
{
    struct nd_vectors vectors;
    uint64_t *sequences, watermark;
    assert_int_equal(nd_rspamd_collected_read(place->store, &place->rule,
                                              wanted, 2, NULL, &vectors,
                                              &sequences, &watermark),
                     ND_OK);
    for (size_t i = 0; i < vectors.count; i++)
        assert_in_range(sequences[i], 1, watermark);
    free(sequences);
    return vectors;
}

static void they_come_back_by_name(void **state)
{
    struct place *place = *state;
    const char *const spam[] = {"0.5;0;1;0;0.25", NULL};
    const char *const ham[] = {"0;0.125;0;1;0", NULL};
    const struct nd_rspamd_profile changed = {.symbols = later,
                                              .symbol_count = 3};
    (void)collect(place, spam, 1);
    (void)collect(place, ham, 0);
    struct nd_vectors vectors = read_back(place, &profile);
    assert_int_equal(vectors.count, 2);
    const float same[] = {0.5F, 0, 1, 0, 0.25F, 0, 0.125F, 0, 1, 0};
    assert_memory_equal(vectors.values, same, sizeof(same));
    assert_int_equal(vectors.labels[0], 1);
    assert_int_equal(vectors.labels[1], 0);
    nd_vectors_free(&vectors);
    /* ALPHA has gone, DELTA is new. */
    vectors = read_back(place, &changed);
    const float moved[] = {0.5F, 0, 0, 0, 0.25F, 0, 0.125F, 1, 0, 0};
    assert_memory_equal(vectors.values, moved, sizeof(moved));
    nd_vectors_free(&vectors);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_vector_is_stored_once),
        TEST(what_is_malformed_or_of_another_length_is_refused),
        TEST(odd_ones_in_front_do_not_decide),
        TEST(the_first_thousand_decide_for_the_rest),
        TEST(they_come_back_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
