/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may do what: tokens with roles, from a file.
 */
#ifndef ND_SERVE_ACCESS_H
#define ND_SERVE_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* What a route needs, and what a caller has; each includes those below. */
enum nd_access {
    ND_ACCESS_NONE,
    ND_ACCESS_READ,  /* score, status, metrics, models */
    ND_ACCESS_LEARN, /* learn, forget, relabel */
    ND_ACCESS_ADMIN, /* train, pin, rollback */
};
/* "none", "read", "learn", "admin"; static. */
const char *nd_access_name(enum nd_access access);

struct nd_tokens;

/* Reads the file at path: a line a token, "ROLE TOKEN", role read, learn or
 * admin; empty lines and those that begin with '#' are left out. A token is 1
 * to 256 printable characters without blanks. path NULL: no tokens. ND_CONFIG
 * names the line, and refuses a file that everyone can write. Logs a warning of
 * one that everyone can read, and of tokens under 16 characters. */
enum nd_status nd_tokens_load(const char *path, struct nd_error *error,
                              struct nd_tokens **tokens_r) ND_MUST_CHECK;

#define ND_TOKEN_BYTES 257

/* For a client: the token with the largest role in a file of that kind; a line
 * with a token alone will do, too. Warns of the file as above. token_r has size
 * bytes (ND_TOKEN_BYTES). ND_CONFIG, also where there is none. */
enum nd_status nd_token_read(const char *path, struct nd_error *error,
                             char *token_r, size_t size) ND_MUST_CHECK;

/* Wipes and frees; NULL and a pointer to NULL are accepted. */
void nd_tokens_destroy(struct nd_tokens **tokens);

/* How many there are. */
size_t nd_tokens_count(const struct nd_tokens *tokens);

/* What the caller may do. authorization is the header's value (NULL without
 * one). Who is near (this machine: loopback, or a unix socket) may read
 * without a token, as long as there is none of role read. All tokens are
 * compared, each in constant time. Any thread. */
enum nd_access nd_tokens_access(const struct nd_tokens *tokens,
                                const char *authorization, bool near);

#endif
