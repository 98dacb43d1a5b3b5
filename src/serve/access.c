/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens, kept as digests of one length under a random key: so comparing one
 * takes the same time whatever it holds, and a core dump does not give it away.
 */
#include "serve/access.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"

#define GOOD_TOKEN 16 /* characters that are not guessed */
#define MAX_TOKEN 256
#define MAX_TOKENS 1000

struct token {
    uint8_t digest[ND_DIGEST_BYTES];
    enum nd_access access;
};

struct nd_tokens {
    struct nd_key key;
    struct token *items;
    size_t count;
    size_t short_count; /* of them, shorter than GOOD_TOKEN */
    bool has_read;
};

static const char *const names[] = {"none", "read", "learn", "admin"};

const char *nd_access_name(enum nd_access access)
{
    return names[access];
}

/* ---- the file ---- */

static enum nd_access role_of(const char *word)
{
    for (int i = ND_ACCESS_READ; i <= ND_ACCESS_ADMIN; i++) {
        if (strcmp(word, names[i]) == 0) {
            return (enum nd_access)i;
        }
    }
    return ND_ACCESS_NONE;
}

static bool is_token(const char *word)
{
    size_t length = 0;
    for (; word[length] != '\0'; length++) {
        if (word[length] <= ' ' || word[length] > '~') {
            return false;
        }
    }
    return length > 0 && length <= MAX_TOKEN;
}

/* Where lines go: the daemon keeps digests, a client the best token. */
struct token_sink {
    struct nd_tokens *tokens;
    char *best; /* of ND_TOKEN_BYTES; NULL for the daemon */
    enum nd_access best_access;
};

static void add_token(struct nd_tokens *tokens, enum nd_access access,
                      const char *word)
{
    tokens->items =
        nd_realloc(tokens->items, tokens->count + 1, sizeof(*tokens->items));
    struct token *token = &tokens->items[tokens->count++];
    token->access = access;
    nd_digest(word, strlen(word), &tokens->key, token->digest);
    tokens->has_read = tokens->has_read || access == ND_ACCESS_READ;
    tokens->short_count += strlen(word) < GOOD_TOKEN ? 1 : 0;
}

static const char *take_token(struct token_sink *sink, enum nd_access access,
                              const char *word)
{
    if (sink->best != NULL) {
        if (access >= sink->best_access) {
            memcpy(sink->best, word, strlen(word) + 1);
            sink->best_access = access;
        }
        return NULL;
    }
    if (sink->tokens->count == MAX_TOKENS) {
        return "there are more than 1000 tokens";
    }
    add_token(sink->tokens, access, word);
    return NULL;
}

/* One line; changes it. NULL, or what is wrong with it. */
static const char *read_line(struct token_sink *sink, char *line)
{
    static const char blanks[] = " \t\r\n";
    char *rest = NULL;
    char *role = strtok_r(line, blanks, &rest);
    if (role == NULL || role[0] == '#') {
        return NULL;
    }
    char *word = strtok_r(NULL, blanks, &rest);
    bool alone = word == NULL && role_of(role) == ND_ACCESS_NONE;
    if (alone && sink->best != NULL && is_token(role)) {
        return take_token(sink, ND_ACCESS_READ, role);
    }
    if (role_of(role) == ND_ACCESS_NONE) {
        return "a line is 'ROLE TOKEN', with the role read, learn or admin";
    }
    if (word == NULL || !is_token(word)) {
        return "a token has 1 to 256 printable characters without blanks";
    }
    if (strtok_r(NULL, blanks, &rest) != NULL) {
        return "there is a word too many behind the token";
    }
    return take_token(sink, role_of(role), word);
}

static enum nd_status read_lines(FILE *file, const char *path,
                                 struct token_sink *sink,
                                 struct nd_error *error)
{
    char line[1024];
    enum nd_status status = ND_OK;
    for (int number = 1; status == ND_OK; number++) {
        if (fgets(line, sizeof(line), file) == NULL) {
            break;
        }
        const char *defect = read_line(sink, line);
        if (defect != NULL) {
            status =
                nd_fail(error, ND_CONFIG, "%s:%d: %s", path, number, defect);
        }
    }
    nd_wipe(line, sizeof(line));
    return status;
}

static enum nd_status check_file(FILE *file, const char *path,
                                 struct nd_error *error)
{
    struct stat info;
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) {
        return nd_fail(error, ND_CONFIG, "token file %s is not a file", path);
    }
    unsigned mode = (unsigned)info.st_mode & 07777U;
    if ((mode & 0002U) != 0) {
        return nd_fail(error, ND_CONFIG,
                       "token file %s can be written by everyone (mode %04o); "
                       "'chmod 0640 %s' mends that",
                       path, mode, path);
    }
    if ((mode & 0004U) != 0) {
        nd_log(ND_LOG_WARNING,
               "token file %s can be read by everyone (mode %04o); "
               "'chmod 0640 %s' mends that",
               path, mode, path);
    }
    return ND_OK;
}

static enum nd_status read_file(const char *path, struct token_sink *sink,
                                struct nd_error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return nd_fail_errno(error, "cannot open token file %s", path);
    }
    enum nd_status status = check_file(file, path, error);
    if (status == ND_OK) {
        status = read_lines(file, path, sink, error);
    }
    fclose(file);
    return status;
}

enum nd_status nd_tokens_load(const char *path, struct nd_error *error,
                              struct nd_tokens **tokens_r)
{
    struct nd_tokens *tokens = nd_calloc(1, sizeof(*tokens));
    struct token_sink sink = {.tokens = tokens};
    nd_key_generate(&tokens->key);
    enum nd_status status =
        path != NULL ? read_file(path, &sink, error) : ND_OK;
    if (status != ND_OK) {
        nd_tokens_destroy(&tokens);
        return status;
    }
    if (tokens->short_count > 0) {
        nd_log(ND_LOG_WARNING,
               "%zu of the tokens in %s have less than %d characters, and can "
               "be guessed",
               tokens->short_count, path, GOOD_TOKEN);
    }
    *tokens_r = tokens;
    return ND_OK;
}

enum nd_status nd_token_read(const char *path, struct nd_error *error,
                             char *token_r, size_t size)
{
    char best[ND_TOKEN_BYTES] = "";
    struct token_sink sink = {.best = best};
    enum nd_status status = read_file(path, &sink, error);
    if (status == ND_OK && best[0] == '\0') {
        status = nd_fail(error, ND_CONFIG, "there is no token in %s", path);
    }
    if (status == ND_OK) {
        (void)snprintf(token_r, size, "%s", best);
    }
    nd_wipe(best, sizeof(best));
    return status;
}

void nd_tokens_destroy(struct nd_tokens **tokens)
{
    if (tokens == NULL || *tokens == NULL) {
        return;
    }
    nd_wipe(&(*tokens)->key, sizeof((*tokens)->key));
    free((*tokens)->items);
    free(*tokens);
    *tokens = NULL;
}

size_t nd_tokens_count(const struct nd_tokens *tokens)
{
    return tokens->count;
}

/* ---- callers ---- */

/* Reads every byte, wherever they differ. */
static bool same_digest(const uint8_t *one, const uint8_t *other)
{
    unsigned difference = 0;
    for (size_t i = 0; i < ND_DIGEST_BYTES; i++) {
        difference |= (unsigned)(one[i] ^ other[i]);
    }
    return difference == 0;
}

static enum nd_access access_of(const struct nd_tokens *tokens,
                                const char *word)
{
    uint8_t digest[ND_DIGEST_BYTES];
    enum nd_access access = ND_ACCESS_NONE;
    nd_digest(word, strlen(word), &tokens->key, digest);
    for (size_t i = 0; i < tokens->count; i++) {
        bool same = same_digest(digest, tokens->items[i].digest);
        access = same && tokens->items[i].access > access
                     ? tokens->items[i].access
                     : access;
    }
    return access;
}

enum nd_access nd_tokens_access(const struct nd_tokens *tokens,
                                const char *authorization, bool near)
{
    enum nd_access open =
        near && !tokens->has_read ? ND_ACCESS_READ : ND_ACCESS_NONE;
    if (authorization == NULL ||
        strncasecmp(authorization, "Bearer ", 7) != 0) {
        return open;
    }
    const char *word = authorization + 7 + strspn(authorization + 7, " ");
    enum nd_access access =
        is_token(word) ? access_of(tokens, word) : ND_ACCESS_NONE;
    return access > open ? access : open;
}
