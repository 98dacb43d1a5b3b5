/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads that wait, and connections that take too long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve/connections.h"
#include "serve/pool.h"

static struct nd_error error;
static atomic_int done;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void count(void *item, void *context)
{
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    atomic_fetch_add(&done, *(int *)item);
    (void)context;
}

static void all_that_was_taken_is_done_before_the_end(void **state)
{
    static int one = 1;
    struct nd_pool *pool = NULL;
    (void)state;
    atomic_store(&done, 0);
    assert_int_equal(nd_pool_create(4, 1000, count, NULL, &error, &pool),
                     ND_OK);
    for (int i = 0; i < 1000; i++) {
        assert_true(nd_pool_submit(pool, &one));
    }
    nd_pool_destroy(&pool);
    assert_null(pool);
    assert_int_equal(atomic_load(&done), 1000);
}

static void no_more_wait_than_there_is_room(void **state)
{
    static int one = 1;
    struct nd_pool *pool = NULL;
    int taken = 0;
    (void)state;
    atomic_store(&done, 0);
    (void)pthread_mutex_lock(&gate);
    assert_int_equal(nd_pool_create(2, 3, count, NULL, &error, &pool), ND_OK);
    for (int i = 0; i < 100; i++) {
        taken += nd_pool_submit(pool, &one);
    }
    /* Three wait, and each thread may have taken one. */
    assert_in_range(taken, 3, 5);
    (void)pthread_mutex_unlock(&gate);
    nd_pool_destroy(&pool);
    assert_int_equal(atomic_load(&done), taken);
}

static void waiting_ends_with_the_work_or_with_the_time(void **state)
{
    static int one = 1;
    struct nd_pool *pool = NULL;
    (void)state;
    atomic_store(&done, 0);
    assert_int_equal(nd_pool_create(2, 10, count, NULL, &error, &pool), ND_OK);
    nd_pool_wait(pool, 60000);
    (void)pthread_mutex_lock(&gate);
    for (int i = 0; i < 5; i++) {
        assert_true(nd_pool_submit(pool, &one));
    }
    nd_pool_wait(pool, 20);
    assert_int_equal(atomic_load(&done), 0);
    (void)pthread_mutex_unlock(&gate);
    nd_pool_wait(pool, 60000);
    assert_int_equal(atomic_load(&done), 5);
    nd_pool_destroy(&pool);
}

static void a_connection_past_its_deadline_is_shut_down(void **state)
{
    struct nd_connections *connections = nd_connections_create();
    int pair[2];
    char byte;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
                     0);
    struct nd_connection *slow = nd_connections_add(connections, pair[0], NULL);
    struct nd_connection *free_one = nd_connections_add(connections, -1, NULL);
    atomic_store(&slow->deadline_us, 1000);
    assert_int_equal(nd_connections_sweep(connections, 999), 0);
    assert_int_equal(read(pair[1], &byte, 1), -1); /* still open */
    assert_int_equal(nd_connections_sweep(connections, 1001), 1);
    assert_int_equal(read(pair[1], &byte, 1), 0);
    assert_int_equal(nd_connections_sweep(connections, 2000), 0);
    nd_connections_remove(connections, slow);
    nd_connections_remove(connections, free_one);
    nd_connections_destroy(&connections);
    close(pair[0]);
    close(pair[1]);
}

static bool is_near(const void *address)
{
    struct nd_connections *connections = nd_connections_create();
    struct nd_connection *connection =
        nd_connections_add(connections, -1, address);
    bool near = connection->near;
    nd_connections_remove(connections, connection);
    nd_connections_destroy(&connections);
    return near;
}

static void this_machine_is_told_from_others(void **state)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    (void)state;
    assert_true(is_near(&local));
    in.sin_addr.s_addr = htonl(0x7f000001);
    assert_true(is_near(&in));
    in.sin_addr.s_addr = htonl(0x0a000001);
    assert_false(is_near(&in));
    assert_false(is_near(&in6));
    in6.sin6_addr.s6_addr[15] = 1;
    assert_true(is_near(&in6));
    memset(&in6.sin6_addr.s6_addr[10], 0xff, 2);
    in6.sin6_addr.s6_addr[12] = 127;
    assert_true(is_near(&in6));
    in6.sin6_addr.s6_addr[12] = 10;
    assert_false(is_near(&in6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_was_taken_is_done_before_the_end),
        cmocka_unit_test(no_more_wait_than_there_is_room),
        cmocka_unit_test(waiting_ends_with_the_work_or_with_the_time),
        cmocka_unit_test(a_connection_past_its_deadline_is_shut_down),
        cmocka_unit_test(this_machine_is_told_from_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
