/* SPDX-License-Identifier: Apache-2.0
 *
 * An open store with an engine for each rule that the command is about.
 */
#ifndef ND_CLI_SESSION_H
#define ND_CLI_SESSION_H

#include <stddef.h>

#include "base/hash.h"
#include "cli/command.h"
#include "learn/engine.h"
#include "store/store.h"

enum nd_session_mode {
    ND_SESSION_READ,   /* nothing is written, nothing is created */
    ND_SESSION_WRITE,  /* the store must be there */
    ND_SESSION_CREATE, /* it is made where there is none */
};

struct nd_session {
    struct nd_store *store;
    char *url;
    struct nd_key key; /* of key_file */
    bool has_key_file;
    struct nd_rule *rules; /* the configuration's */
    struct nd_engine **engines;
    size_t count; /* of rules and engines */
};

/* The store's URL: --store, the configuration's, else the user's own SQLite
 * file. The caller frees it. */
char *nd_session_url(const struct nd_config *config);

/* Makes the user's state directory where the store is to be there; does nothing
 * where another store is named. Errors in cli->error. */
enum nd_status nd_session_make_folder(struct nd_cli *cli) ND_MUST_CHECK;

/* A URL fit for people to see: a password in it is replaced by "***". The
 * caller frees it. */
char *nd_session_shown_url(const char *url);

/* Opens the store alone: rules are set (with the families of --families where
 * the command has that), engines are not. Errors in cli->error. */
enum nd_status nd_session_open_store(
    struct nd_cli *cli, enum nd_session_mode mode,
    struct nd_session **session_r) ND_MUST_CHECK;

/* Opens the store without any rule: for what has rules of its own. */
enum nd_status nd_session_open_bare(
    struct nd_cli *cli, enum nd_session_mode mode,
    struct nd_session **session_r) ND_MUST_CHECK;

/* Opens the store and makes an engine for each rule of nd_cli_rules, or for
 * the first of them alone. */
enum nd_status nd_session_open(struct nd_cli *cli, enum nd_session_mode mode,
                               bool first_only,
                               struct nd_session **session_r) ND_MUST_CHECK;
/* Closes all and clears *session; NULL and a pointer to NULL are accepted. */
void nd_session_close(struct nd_session **session);

/* Whose samples and models: the rule's names, which it owns. */
struct nd_scope nd_session_scope(const struct nd_rule *rule);

#endif
