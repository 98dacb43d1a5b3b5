/* SPDX-License-Identifier: Apache-2.0
 *
 * One suite for every backend of the store. A backend to be tested implements
 * the functions of the first part (backend_NAME.c); the tests use those of the
 * second and never look behind store.h.
 */
#ifndef ND_TESTS_STORE_SUITE_H
#define ND_TESTS_STORE_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/sample.h"
#include "store/store.h"

/* ---- what a backend gives ---- */

/* Starts what the backend needs; false skips all (no server here). */
bool suite_backend_start(void);
void suite_backend_stop(void);

/* Makes the place of the next test: empty, the clock unmoved. */
void suite_backend_begin(void);
void suite_backend_end(void);

/* Opens one more handle on the place of this test, in whatever process. */
struct nd_store *suite_backend_open(void);

/* Moves the store's clock by change_ms, also for handles that are open; false
 * where the backend cannot: then the test is skipped. */
bool suite_backend_move_clock(int64_t change_ms);

/* ---- what the tests share (suite_support.c) ---- */

extern const struct nd_scope suite_scope;       /* "rule", "default" */
extern const struct nd_scope suite_other_scope; /* "rule", "other" */

/* A store open for the test; suite_setup and suite_teardown keep it. */
struct suite {
    struct nd_store *store;
    struct nd_error error;
    struct nd_arena *arena;
};
int suite_setup(void **state);
int suite_teardown(void **state);

/* Fails the test with the error's words unless status is ND_OK. */
#define suite_ok(suite, call) \
    suite_check((call), &(suite)->error, #call, __FILE__, __LINE__)
void suite_check(enum nd_status status, const struct nd_error *error,
                 const char *call, const char *file, int line);
/* Fails the test unless the call ends with wanted. */
#define suite_fails(wanted, call) \
    assert_string_equal(nd_status_name(call), nd_status_name(wanted))

/* A put of number's message: identity and payload come from the number, label
 * time is 1000 + number. The payload is static, of this
 * thread. */
struct nd_sample_put suite_sample(uint32_t number, enum nd_class label);
void suite_identity(uint32_t number, uint8_t identity_r[ND_IDENTITY_BYTES]);

/* A payload with one section for each family of the mask, one slot each. */
size_t suite_payload(uint32_t families, uint32_t slot, uint8_t *data_r,
                     size_t size);

extern const struct nd_quota suite_roomy; /* a reservoir nobody fills */

/* Puts one sample in the suite's scope and answers what became of it. */
struct nd_put_result suite_put(struct suite *suite,
                               const struct nd_sample_put *sample,
                               const struct nd_quota *quota);
/* Puts count samples from first on, all of them new. */
void suite_put_range(struct suite *suite, uint32_t first, uint32_t count,
                     enum nd_class label);

struct nd_store_stats suite_stats(struct suite *suite);
struct nd_training_state suite_state(struct suite *suite);
/* The present sample of number; fails the test if there is none. */
struct nd_sample_info suite_find(struct suite *suite, uint32_t number);
bool suite_is_present(struct suite *suite, uint32_t number);

/* Acquires the lease as the holder number; fails the test if it cannot. */
struct nd_lease suite_acquire(struct suite *suite, uint8_t number);
/* A publish of an uploaded blob of these words, judged against the live
 * pointer, without consumed samples. */
struct nd_publish suite_publish(struct suite *suite, const char *words);
/* Acquires, uploads and publishes; answers the generation. */
uint64_t suite_train(struct suite *suite, const char *words);
struct nd_model_pointer suite_current(struct suite *suite);

/* The accounts of docs/protocol.md: whatever was stored is present, replaced,
 * forgotten or consumed, and the counts agree with the snapshot. */
void suite_accounts(struct suite *suite);

/* Runs work in a child process and fails the test unless it exits with 0. */
void suite_in_children(int count, void (*work)(int child, void *context),
                       void *context);

/* ---- the groups (suite_NAME.c); each answers how many tests failed ---- */

int suite_put_tests(void);
int suite_quota_tests(void);
int suite_forget_tests(void);
int suite_read_tests(void);
int suite_registry_tests(void);
int suite_profile_tests(void);
int suite_lease_tests(void);
int suite_model_tests(void);
int suite_publish_tests(void);
int suite_look_tests(void);
int suite_argument_tests(void);
int suite_repeat_tests(void);
int suite_random_tests(void);
int suite_process_tests(void);

#endif
