/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads Authentication-Results. Comments and quoted strings may hold what a
 * sender wrote, so they are taken out before anything is looked for: the rest
 * is a list of "method=result" with semicolons between them.
 */
#include "mail/auth_results.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum nd_auth_result nd_auth_result_parse(const char *text)
{
    static const struct {
        const char *word;
        enum nd_auth_result result;
    } words[] = {
        {"pass", ND_AUTH_PASS},       {"fail", ND_AUTH_FAIL},
        {"hardfail", ND_AUTH_FAIL},   {"reject", ND_AUTH_FAIL},
        {"softfail", ND_AUTH_SOFT},   {"neutral", ND_AUTH_SOFT},
        {"policy", ND_AUTH_SOFT},     {"temperror", ND_AUTH_ERROR},
        {"permerror", ND_AUTH_ERROR},
    };
    size_t length = 0;
    while (isalpha((unsigned char)text[length]))
        length++;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == length &&
            strncasecmp(text, words[i].word, length) == 0)
            return words[i].result;
    return ND_AUTH_NONE;
}

/* Behind the quoted string or comment that begins at at; comments nest. */
static const char *skip_quoted(const char *at)
{
    char close = *at == '"' ? '"' : ')';
    size_t depth = 0;
    for (; *at != '\0'; at++) {
        if (*at == '\\' && at[1] != '\0')
            at++;
        else if (close == ')' && *at == '(')
            depth++;
        else if (close == ')' ? *at == ')' && --depth == 0
                              : *at == '"' && depth++ == 1)
            return at + 1;
    }
    return at;
}

/* The value with each comment and quoted string as one blank. */
static char *without_quoted(const char *value, struct nd_arena *arena)
{
    char *plain = nd_arena_take(arena, strlen(value) + 1);
    size_t length = 0;
    while (*value != '\0') {
        if (*value == '"' || *value == '(') {
            value = skip_quoted(value);
            plain[length++] = ' ';
        } else {
            plain[length++] = *value++;
        }
    }
    plain[length] = '\0';
    return plain;
}

/* The result of a method ("spf") if that is what the statement is about, as
 * "spf=pass" or "spf/1=pass"; NULL if not. */
static const char *result_of(const char *statement, const char *method)
{
    size_t length = strlen(method);
    if (strncasecmp(statement, method, length) != 0)
        return NULL;
    const char *at = statement + length;
    if (*at == '/')
        at += 1 + strspn(at + 1, "0123456789");
    at += strspn(at, " ");
    if (*at != '=')
        return NULL;
    return at + 1 + strspn(at + 1, " ");
}

/* The first result of a method counts. */
static void note(enum nd_auth_result *known, const char *text)
{
    if (text != NULL && *known == ND_AUTH_NONE)
        *known = nd_auth_result_parse(text);
}

static void read_statement(const char *statement,
                           struct nd_auth_results *results)
{
    note(&results->spf, result_of(statement, "spf"));
    note(&results->dmarc, result_of(statement, "dmarc"));
    const char *dkim = result_of(statement, "dkim");
    note(&results->dkim, dkim);
    /* One good signature of several is enough. */
    if (dkim != NULL && nd_auth_result_parse(dkim) == ND_AUTH_PASS)
        results->dkim = ND_AUTH_PASS;
    const char *auth = result_of(statement, "auth");
    if (auth != NULL && nd_auth_result_parse(auth) == ND_AUTH_PASS)
        results->authenticated_user = true;
}

bool nd_auth_results_read(const char *value, const char *server,
                          struct nd_arena *arena,
                          struct nd_auth_results *results_r)
{
    const char *at = without_quoted(value, arena);
    at += strspn(at, " ");
    size_t length = strcspn(at, " ;");
    if (length == 0 || length != strlen(server) ||
        strncasecmp(at, server, length) != 0)
        return false;
    struct nd_auth_results results = {0};
    while ((at = strchr(at, ';')) != NULL) {
        at++;
        at += strspn(at, " ");
        read_statement(at, &results);
    }
    *results_r = results;
    return true;
}
