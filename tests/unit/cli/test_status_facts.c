/* SPDX-License-Identifier: Apache-2.0
 *
 * What status and doctor read of a store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "cli/status_facts.h"

static char folder[] = "/tmp/neurald-facts-XXXXXX";
static struct nd_store *store;
static const struct nd_scope scope = {"default", "default"};

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    char *path = nd_sprintf("%s/x.db", folder);
    struct nd_store_options options = {.create = true};
    enum nd_status status = nd_store_open(path, &options, NULL, &store);
    free(path);
    return status == ND_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    nd_store_close(&store);
    char *command = nd_sprintf("rm -r '%s'", folder);
    int result = system(command);
    free(command);
    return result;
}

static void read_facts(struct nd_status_facts *facts)
{
    struct nd_error error = {0};
    *facts = (struct nd_status_facts){.scope = scope};
    if (nd_status_facts_read(store, facts, &error) != ND_OK) {
        fail_msg("%s", error.text);
    }
}

static void an_empty_scope_has_no_facts(void **state)
{
    struct nd_status_facts facts;
    (void)state;
    read_facts(&facts);
    assert_int_equal(facts.stats.count[0] + facts.stats.count[1], 0);
    assert_false(facts.leased);
    assert_false(facts.has_model);
    assert_int_equal(facts.host_count, 0);
    assert_int_equal(facts.journal_count, 0);
    assert_true(facts.now_ms > 1700000000000LL);
    nd_status_facts_free(&facts);
    assert_null(facts.hosts);
}

static void report(const char *host, uint64_t generation)
{
    assert_int_equal(
        nd_store_host_report(store, &scope, host, generation, NULL), ND_OK);
    usleep(3000); /* a later report has a later time */
}

static const struct nd_host_report *host_of(const struct nd_status_facts *facts,
                                            const char *name)
{
    for (size_t i = 0; i < facts->host_count; i++) {
        if (strcmp(facts->hosts[i].host, name) == 0) {
            return &facts->hosts[i];
        }
    }
    return NULL;
}

static void the_newest_report_of_each_host_counts(void **state)
{
    struct nd_status_facts facts;
    (void)state;
    report("mx1:100", 1);
    report("mx2:7", 5);
    report("mx1:101", 3);
    report("mx1:99", 4);
    report("plain", 2);
    read_facts(&facts);
    assert_int_equal(facts.host_count, 3);
    assert_int_equal(host_of(&facts, "mx1")->generation, 4);
    assert_int_equal(host_of(&facts, "mx2")->generation, 5);
    assert_int_equal(host_of(&facts, "plain")->generation, 2);
    nd_status_facts_free(&facts);
}

static void a_lease_is_seen_with_its_holder(void **state)
{
    struct nd_status_facts facts;
    struct nd_lease lease;
    const uint8_t nonce[ND_NONCE_BYTES] = {1};
    (void)state;
    assert_int_equal(nd_store_lease_acquire(store, &scope, nonce, "mx1:5",
                                            60000, NULL, &lease),
                     ND_OK);
    read_facts(&facts);
    assert_true(facts.leased);
    assert_string_equal(facts.lease.holder, "mx1:5");
    nd_status_facts_free(&facts);
    assert_int_equal(nd_store_lease_release(store, &scope, &lease, NULL),
                     ND_OK);
    read_facts(&facts);
    assert_false(facts.leased);
    nd_status_facts_free(&facts);
}

static void refusals_are_counted_by_reason(void **state)
{
    struct nd_status_facts facts;
    (void)state;
    assert_int_equal(
        nd_store_count(store, &scope, ND_REFUSED_NO_VERDICT, 3, NULL), ND_OK);
    read_facts(&facts);
    assert_int_equal(facts.stats.refused[ND_REFUSED_NO_VERDICT], 3);
    nd_status_facts_free(&facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_scope_has_no_facts),
        cmocka_unit_test(the_newest_report_of_each_host_counts),
        cmocka_unit_test(a_lease_is_seen_with_its_holder),
        cmocka_unit_test(refusals_are_counted_by_reason),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
