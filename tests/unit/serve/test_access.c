/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens: which files are taken, and what a caller may do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "serve/access.h"

#define READ "read-token-0123456"
#define LEARN "learn-token-0123456"
#define ADMIN "admin-token-0123456"

static struct nd_error error;

static char path[64];

static void write_tokens(const char *text, mode_t mode)
{
    (void)snprintf(path, sizeof(path), "/tmp/neurald-tokens-XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (int)strlen(text));
    assert_int_equal(fchmod(file, mode), 0);
    close(file);
}

static struct nd_tokens *loaded(const char *text)
{
    struct nd_tokens *tokens = NULL;
    write_tokens(text, 0600);
    if (nd_tokens_load(path, &error, &tokens) != ND_OK) {
        fail_msg("%s", error.text);
    }
    unlink(path);
    return tokens;
}

static void refused(const char *text, mode_t mode, const char *words)
{
    struct nd_tokens *tokens = NULL;
    write_tokens(text, mode);
    assert_int_equal(nd_tokens_load(path, &error, &tokens), ND_CONFIG);
    assert_null(tokens);
    if (strstr(error.text, words) == NULL) {
        fail_msg("\"%s\" is not in: %s", words, error.text);
    }
    unlink(path);
}

static void each_role_includes_those_below(void **state)
{
    struct nd_tokens *tokens = loaded("# comment\n\nread " READ "\nlearn " LEARN
                                      "\n  admin\t" ADMIN "  \n");
    (void)state;
    assert_int_equal(nd_tokens_count(tokens), 3);
    assert_int_equal(nd_tokens_access(tokens, "Bearer " READ, false),
                     ND_ACCESS_READ);
    assert_int_equal(nd_tokens_access(tokens, "Bearer " LEARN, false),
                     ND_ACCESS_LEARN);
    assert_int_equal(nd_tokens_access(tokens, "bearer   " ADMIN, false),
                     ND_ACCESS_ADMIN);
    nd_tokens_destroy(&tokens);
    assert_null(tokens);
}

static void what_is_no_token_gives_nothing(void **state)
{
    static const char *const words[] = {
        "",
        "Bearer",
        "Bearer ",
        "Bearer " LEARN "x",
        "Bearer learn-token-012345",
        "Bearer x" LEARN,
        "Basic " LEARN,
        LEARN,
        "Bearer " LEARN " " LEARN,
    };
    struct nd_tokens *tokens = loaded("learn " LEARN "\n");
    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_int_equal(nd_tokens_access(tokens, words[i], false),
                         ND_ACCESS_NONE);
    }
    assert_int_equal(nd_tokens_access(tokens, NULL, false), ND_ACCESS_NONE);
    nd_tokens_destroy(&tokens);
}

static void this_machine_reads_without_a_token_unless_there_is_one(void **state)
{
    struct nd_tokens *tokens = NULL;
    (void)state;
    assert_int_equal(nd_tokens_load(NULL, &error, &tokens), ND_OK);
    assert_int_equal(nd_tokens_access(tokens, NULL, true), ND_ACCESS_READ);
    assert_int_equal(nd_tokens_access(tokens, NULL, false), ND_ACCESS_NONE);
    nd_tokens_destroy(&tokens);
    tokens = loaded("learn " LEARN "\n");
    assert_int_equal(nd_tokens_access(tokens, NULL, true), ND_ACCESS_READ);
    assert_int_equal(nd_tokens_access(tokens, "Bearer wrong", true),
                     ND_ACCESS_READ);
    nd_tokens_destroy(&tokens);
    tokens = loaded("read " READ "\n");
    assert_int_equal(nd_tokens_access(tokens, NULL, true), ND_ACCESS_NONE);
    nd_tokens_destroy(&tokens);
}

static void mistakes_in_the_file_are_named_with_their_line(void **state)
{
    (void)state;
    refused("read " READ "\nwrite " LEARN "\n", 0600, ":2: a line is");
    refused("learn\n", 0600, ":1: a token has 1 to 256");
    refused("\nlearn " LEARN " more\n", 0600, ":2: there is a word too many");
    refused("learn " LEARN "\n", 0602, "can be written by everyone");
    struct nd_tokens *tokens = NULL;
    assert_int_equal(nd_tokens_load("/nowhere/tokens", &error, &tokens),
                     ND_NO_INPUT);
    assert_int_equal(nd_tokens_load("/tmp", &error, &tokens), ND_CONFIG);
}

static char warned[1024];

static void keep_warning(enum nd_log_level level, const char *text,
                         void *context)
{
    (void)context;
    assert_int_equal(level, ND_LOG_WARNING);
    assert_true(strlen(warned) + strlen(text) + 2 < sizeof(warned));
    strcat(warned, text);
    strcat(warned, "\n");
}

/* The daemon starts all the same: an administrator who is told mends it. */
static void what_is_weak_is_taken_with_a_warning(void **state)
{
    struct nd_tokens *tokens = NULL;
    char token[ND_TOKEN_BYTES];
    (void)state;
    nd_log_set_sink(keep_warning, NULL);
    nd_tokens_destroy(&tokens);
    tokens = loaded("learn " LEARN "\n");
    nd_tokens_destroy(&tokens);
    assert_string_equal(warned, "");
    write_tokens("learn " LEARN "\nadmin short\n", 0644);
    assert_int_equal(nd_tokens_load(path, &error, &tokens), ND_OK);
    assert_int_equal(nd_tokens_access(tokens, "Bearer short", false),
                     ND_ACCESS_ADMIN);
    nd_tokens_destroy(&tokens);
    assert_non_null(strstr(warned, "can be read by everyone (mode 0644)"));
    assert_non_null(strstr(warned, "1 of the tokens"));
    assert_null(strstr(warned, "short"));
    assert_int_equal(nd_token_read(path, &error, token, sizeof(token)), ND_OK);
    assert_string_equal(token, "short");
    unlink(path);
    nd_log_set_sink(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_role_includes_those_below),
        cmocka_unit_test(what_is_no_token_gives_nothing),
        cmocka_unit_test(
            this_machine_reads_without_a_token_unless_there_is_one),
        cmocka_unit_test(mistakes_in_the_file_are_named_with_their_line),
        cmocka_unit_test(what_is_weak_is_taken_with_a_warning),
    };
    if (nd_hash_init(&error) != ND_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
