/* SPDX-License-Identifier: Apache-2.0
 *
 * Replies of a Redis server, whole and in pieces, and what a broken or hostile
 * one can do: nothing.
 */
#include "store/redis_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct nd_arena *arena;
    struct nd_redis_parser *parser;
    struct nd_error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->arena = nd_arena_create(0);
    fixture->parser = nd_redis_parser_create(fixture->arena, 4096);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    nd_redis_parser_destroy(&fixture->parser);
    nd_redis_parser_destroy(&fixture->parser); /* NULL is accepted */
    nd_arena_destroy(&fixture->arena);
    free(fixture);
    return 0;
}

static const struct nd_redis_reply *parse(struct fixture *fixture,
                                          const char *text)
{
    const struct nd_redis_reply *reply = NULL;
    assert_int_equal(nd_redis_parser_feed(fixture->parser, text, strlen(text),
                                          &fixture->error),
                     ND_OK);
    assert_int_equal(
        nd_redis_parser_next(fixture->parser, &fixture->error, &reply), ND_OK);
    return reply;
}

static void each_type_is_told_apart(void **state)
{
    struct fixture *fixture = *state;
    const struct nd_redis_reply *reply = parse(fixture, "+OK\r\n");
    assert_int_equal(reply->type, ND_REDIS_STRING);
    assert_string_equal(reply->text, "OK");
    reply = parse(fixture, ":-42\r\n");
    assert_int_equal(reply->type, ND_REDIS_INTEGER);
    assert_int_equal(nd_redis_number(reply), -42);
    assert_int_equal(nd_redis_count(reply), 0);
    reply = parse(fixture, "$-1\r\n");
    assert_int_equal(reply->type, ND_REDIS_NIL);
    reply = parse(fixture, "$2\r\n17\r\n");
    assert_int_equal(nd_redis_count(reply), 17);
    reply = parse(fixture, "-NOSCRIPT No matching script\r\n");
    assert_true(nd_redis_is_error(reply, "NOSCRIPT"));
    assert_false(nd_redis_is_error(reply, "NOSCR"));
    assert_false(nd_redis_is_error(reply, "READONLY"));
}

static void arrays_nest_and_missing_items_are_nil(void **state)
{
    struct fixture *fixture = *state;
    const struct nd_redis_reply *reply =
        parse(fixture, "*3\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n*0\r\n");
    assert_int_equal(reply->length, 3);
    const struct nd_redis_reply *inner = nd_redis_item(reply, 1);
    assert_string_equal(nd_redis_item(inner, 0)->text, "a");
    assert_int_equal(nd_redis_item(inner, 1)->type, ND_REDIS_NIL);
    assert_int_equal(nd_redis_item(inner, 2)->type, ND_REDIS_NIL);
    assert_int_equal(nd_redis_item(inner, 0)->type, ND_REDIS_STRING);
    assert_int_equal(nd_redis_item(nd_redis_item(reply, 0), 0)->type,
                     ND_REDIS_NIL);
    assert_int_equal(nd_redis_item(reply, 2)->length, 0);
}

static void a_reply_in_single_bytes_is_the_same(void **state)
{
    static const char text[] = "*2\r\n$4\r\na\0\r\n\r\n:7\r\n";
    struct fixture *fixture = *state;
    const struct nd_redis_reply *reply = NULL;
    for (size_t i = 0; i + 1 < sizeof(text); i++) {
        assert_null(reply);
        assert_int_equal(
            nd_redis_parser_feed(fixture->parser, text + i, 1, &fixture->error),
            ND_OK);
        assert_int_equal(
            nd_redis_parser_next(fixture->parser, &fixture->error, &reply),
            ND_OK);
    }
    assert_non_null(reply);
    assert_int_equal(nd_redis_item(reply, 0)->length, 4);
    assert_memory_equal(nd_redis_item(reply, 0)->text, "a\0\r\n", 4);
    assert_int_equal(nd_redis_number(nd_redis_item(reply, 1)), 7);
}

static void pipelined_replies_come_out_one_by_one(void **state)
{
    struct fixture *fixture = *state;
    const struct nd_redis_reply *first = parse(fixture, ":1\r\n:2\r\n:3");
    const struct nd_redis_reply *second = parse(fixture, "");
    assert_int_equal(nd_redis_number(first), 1);
    assert_int_equal(nd_redis_number(second), 2);
    assert_null(parse(fixture, ""));
    assert_int_equal(nd_redis_number(parse(fixture, "3\r\n")), 33);
}

static void malformed_bytes_are_data_errors(void **state)
{
    static const char *const bad[] = {"hello\r\n", "$x\r\n\r\n", "*-2\r\n",
                                      "$-2\r\n", "\r\n"};
    struct nd_error error;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct nd_arena *arena = nd_arena_create(0);
        struct nd_redis_parser *parser = nd_redis_parser_create(arena, 0);
        const struct nd_redis_reply *reply = NULL;
        assert_int_equal(
            nd_redis_parser_feed(parser, bad[i], strlen(bad[i]), &error),
            ND_OK);
        if (nd_redis_parser_next(parser, &error, &reply) != ND_DATA)
            fail_msg("taken: %s", bad[i]);
        nd_redis_parser_destroy(&parser);
        nd_arena_destroy(&arena);
    }
}

static void a_promised_array_takes_no_memory_before_it_comes(void **state)
{
    struct fixture *fixture = *state;
    const struct nd_redis_reply *reply;
    static const char text[] = "*2000000000\r\n";
    assert_int_equal(nd_redis_parser_feed(fixture->parser, text,
                                          sizeof(text) - 1, &fixture->error),
                     ND_OK);
    assert_int_equal(
        nd_redis_parser_next(fixture->parser, &fixture->error, &reply),
        ND_LIMIT);
    assert_true(nd_arena_used(fixture->arena) < 4096);
}

static void nested_promises_count_together(void **state)
{
    struct fixture *fixture = *state;
    const struct nd_redis_reply *reply;
    static const char text[] = "*2\r\n*1000000\r\n";
    assert_int_equal(nd_redis_parser_feed(fixture->parser, text,
                                          sizeof(text) - 1, &fixture->error),
                     ND_OK);
    assert_int_equal(
        nd_redis_parser_next(fixture->parser, &fixture->error, &reply), ND_OK);
    static const char more[] = "*100000\r\n";
    assert_int_equal(nd_redis_parser_feed(fixture->parser, more,
                                          sizeof(more) - 1, &fixture->error),
                     ND_OK);
    assert_int_equal(
        nd_redis_parser_next(fixture->parser, &fixture->error, &reply),
        ND_LIMIT);
}

static void a_reply_over_the_limit_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char bytes[1000];
    const struct nd_redis_reply *reply = NULL;
    memset(bytes, 'x', sizeof(bytes));
    assert_null(parse(fixture, "$100000\r\n"));
    enum nd_status status = ND_OK;
    int fed = 0;
    for (; fed < 10 && status == ND_OK; fed++) {
        status = nd_redis_parser_feed(fixture->parser, bytes, sizeof(bytes),
                                      &fixture->error);
        if (status == ND_OK)
            status =
                nd_redis_parser_next(fixture->parser, &fixture->error, &reply);
    }
    assert_int_equal(status, ND_LIMIT);
    assert_int_equal(fed, 5);
}

static void many_replies_within_the_limit_are_no_limit(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 2000; i++)
        assert_int_equal(nd_redis_number(parse(fixture, ":12345\r\n")), 12345);
}

static void a_deep_nest_ends_in_an_error(void **state)
{
    struct fixture *fixture = *state;
    const struct nd_redis_reply *reply;
    enum nd_status status = ND_OK;
    for (int i = 0; i < 50 && status == ND_OK; i++) {
        status =
            nd_redis_parser_feed(fixture->parser, "*1\r\n", 4, &fixture->error);
        if (status == ND_OK)
            status =
                nd_redis_parser_next(fixture->parser, &fixture->error, &reply);
    }
    assert_int_equal(status, ND_DATA);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_type_is_told_apart),
        TEST(arrays_nest_and_missing_items_are_nil),
        TEST(a_reply_in_single_bytes_is_the_same),
        TEST(pipelined_replies_come_out_one_by_one),
        TEST(malformed_bytes_are_data_errors),
        TEST(a_promised_array_takes_no_memory_before_it_comes),
        TEST(nested_promises_count_together),
        TEST(a_reply_over_the_limit_is_refused),
        TEST(many_replies_within_the_limit_are_no_limit),
        TEST(a_deep_nest_ends_in_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
