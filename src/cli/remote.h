/* SPDX-License-Identifier: Apache-2.0
 *
 * Talking to a daemon (--server) instead of opening the store, for callers that
 * may not read it.
 */
#ifndef ND_CLI_REMOTE_H
#define ND_CLI_REMOTE_H

#include <jansson.h>

#include "base/buffer.h"
#include "cli/command.h"
#include "cli/reading.h"

struct nd_remote;

/* Whether --server was given. */
bool nd_cli_is_remote(const struct nd_cli *cli);

/* ND_USAGE where --server was given and this command does not know it. */
enum nd_status nd_cli_check_server(
    struct nd_cli *cli, const struct nd_command *command) ND_MUST_CHECK;

/* Gets ready to talk to the daemon of --server with the token of --token-file;
 * connects when it is first asked. Errors are left in cli->error, here and
 * below. ND_USAGE for a URL that is none; ND_CONFIG for the token file. */
enum nd_status nd_remote_open(struct nd_cli *cli,
                              struct nd_remote **remote_r) ND_MUST_CHECK;
/* Accepts NULL and clears *remote. */
void nd_remote_close(struct nd_remote **remote);

/* The command that it was opened for. */
struct nd_cli *nd_remote_cli(const struct nd_remote *remote);

/* Appends "name=value" to a query, encoded, with a '&' where it is not the
 * first. A value of NULL appends nothing. */
void nd_remote_add(struct nd_buffer *query, const char *name,
                   const char *value);
/* The same for --rule, where it was given. */
void nd_remote_add_rule(struct nd_buffer *query, const struct nd_cli *cli);

struct nd_remote_request {
    bool post;
    const char *path;
    const struct nd_buffer *query; /* NULL: none */
    const struct nd_item *item;    /* sent as body, with the scan result that a
                                      scan file has for it; NULL: no body */
};

/* Asks, and answers the object that came back: the caller's, freed with
 * json_decref. A problem becomes the status that the daemon had, as if the
 * store had been asked here: ND_UNAVAILABLE where nobody is there, ND_TEMPORARY
 * where it takes too long, ND_PERMISSION for a token that does not do. */
enum nd_status nd_remote_ask(struct nd_remote *remote,
                             const struct nd_remote_request *request,
                             json_t **answer_r) ND_MUST_CHECK;

/* ---- answers ---- */

/* Members; "" and 0 where they are missing or something else. Texts are the
 * object's. */
const char *nd_remote_text(const json_t *object, const char *name);
int64_t nd_remote_integer(const json_t *object, const char *name);
double nd_remote_number(const json_t *object, const char *name);

/* A verdict's members; its symbol is the object's. */
struct nd_verdict nd_remote_verdict(const json_t *object);

/* Scores an item; explain above 0 asks for reasons. The verdict's symbol
 * belongs to *answer_r, the caller's. */
enum nd_status nd_remote_score(struct nd_remote *remote,
                               const struct nd_item *item, uint64_t explain,
                               json_t **answer_r,
                               struct nd_verdict *verdict_r) ND_MUST_CHECK;

#endif
